// The busy host beside bare processes: what the same load costs the host's work when nobody waits for it, or waits by a bare futex.
#include <csignal>
#include <memory>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "busy_main.h"
#include "futex_pair.h"
#include "measure.h"

namespace {

/// A process that computes what the pool's workers compute, for ever.
class Computing {
public:
    Computing() : child(fork()) {
        if (child != 0) return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (true) benchmark::DoNotOptimize(work::walk(busy::item));
    }
    ~Computing() {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
    }
    Computing(const Computing &) = delete;
    Computing &operator=(const Computing &) = delete;

private:
    const pid_t child;
};

void busy_host_full(benchmark::State &state) {
    const std::vector<std::unique_ptr<Computing>> processes = [] {
        std::vector<std::unique_ptr<Computing>> made;
        for (int i = 0; i < work::workers; i++) made.push_back(std::make_unique<Computing>());
        return made;
    }();
    measure::Samples samples(state);
    for (auto _ : state) samples.time(busy::main_work);
    samples.report_milliseconds();
}

void busy_host_trickle(benchmark::State &state) {
    FutexPair pair;
    bool right = true;
    busy::Trickle trickle([&] { right &= pair.call(7) == 49; });
    measure::Samples samples(state);
    for (auto _ : state) samples.time(busy::main_work_on_all_cores);
    trickle.stop();
    if (!right) return measure::wrong(state);
    samples.report_milliseconds();
}

void busy_host_rest(benchmark::State &state) {
    measure::Samples samples(state);
    for (auto _ : state) samples.time(busy::main_work_on_all_cores);
    samples.report_milliseconds();
}

BENCH_ROW(busy_host_full)->Iterations(5);
BENCH_ROW(busy_host_trickle)->Iterations(5);
BENCH_ROW(busy_host_rest)->Iterations(5);

} // namespace
