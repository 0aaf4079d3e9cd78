// Two processes in a bare futex ping-pong, and in one that spins: the bounds of any call to another process.
#include <chrono>
#include <thread>

#include "futex_pair.h"
#include "measure.h"

namespace {

void run_hot(benchmark::State &state, bool spins) {
    constexpr int calls = 100;
    FutexPair pair(spins);
    bool right = true;
    const auto run = [&] {
        for (int i = 0; i < calls; i++) right &= pair.call(i) == i * i;
    };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        samples.time(run);
        if (!right) return measure::wrong(state);
    }
    samples.report_microseconds(calls);
}

void apply_hot(benchmark::State &state) { run_hot(state, false); }
void apply_hot_spinning(benchmark::State &state) { run_hot(state, true); }

void apply_cold(benchmark::State &state) {
    FutexPair pair;
    bool right = pair.call(2) == 4;
    measure::Samples samples(state);
    for (auto _ : state) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        samples.time([&] { right &= pair.call(7) == 49; });
        if (!right) return measure::wrong(state);
    }
    samples.report_microseconds();
}

BENCH_ROW(apply_hot);
BENCH_ROW(apply_hot_spinning);
BENCH_ROW(apply_cold)->Iterations(50);

} // namespace
