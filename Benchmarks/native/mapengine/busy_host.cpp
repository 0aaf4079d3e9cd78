// What a host that is short of cores loses to the pool's waiting: a fixed amount of the host's own work is timed while something
// else goes on. bench-processes does the same with bare processes in the place of the pool.
#include <thread>

#include "busy_main.h"
#include "measure.h"
#include "pool.h"

namespace {

/// Workers compute on every core, and a thread of the host waits for them. The job is longer than the row, so that the workers have
/// no less to do than processes that compute for ever.
void busy_host_full(benchmark::State &state) {
    Pool pool;
    const std::vector<work::Steps> items(100'000, busy::item);
    const Job job(pool.map(pool.function("bench_walk"), items.data(), items.size(), sizeof items[0]));
    std::thread waiter([&] { mape_job_wait(job.handle, MAPE_FOREVER); });
    measure::Samples samples(state);
    mape_progress progress = MAPE_PROGRESS_INIT;
    while (progress.ok == 0 && progress.done == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        pool.expect(mape_job_progress(&progress, job.handle), "mape_job_progress");
    }
    for (auto _ : state) samples.time(busy::main_work);
    pool.expect(mape_job_progress(&progress, job.handle), "mape_job_progress");
    mape_job_cancel(job.handle);
    waiter.join();
    if (progress.ok == 0 || progress.ok != progress.done) return measure::wrong(state);
    samples.report_milliseconds();
}

/// A thread of the host applies a small item every millisecond and waits for it, while others keep every core busy.
void busy_host_trickle(benchmark::State &state) {
    Pool pool;
    const auto function = pool.function("bench_square");
    bool right = true;
    busy::Trickle trickle([&] {
        const std::int64_t number = 7;
        const Job job(pool.apply(function, &number, sizeof number));
        job.wait();
        right &= *static_cast<const std::int64_t *>(job.result(0)) == 49;
    });
    measure::Samples samples(state);
    for (auto _ : state) samples.time(busy::main_work_on_all_cores);
    trickle.stop();
    if (!right) return measure::wrong(state);
    samples.report_milliseconds();
}

/// The pool is there, and has nothing to do.
void busy_host_rest(benchmark::State &state) {
    Pool pool;
    measure::Samples samples(state);
    for (auto _ : state) samples.time(busy::main_work_on_all_cores);
    samples.report_milliseconds();
}

BENCH_ROW(busy_host_full)->Iterations(5);
BENCH_ROW(busy_host_trickle)->Iterations(5);
BENCH_ROW(busy_host_rest)->Iterations(5);

} // namespace
