// From the SIGKILL of a worker to the next result from its replacement.
#include <csignal>
#include <cstring>
#include <thread>

#include "functions.h"
#include "measure.h"
#include "pool.h"

namespace {

/// The worker that is on an item, or -1.
int busy_worker(const Pool &pool) {
    for (int i = 0; i < work::workers; i++) {
        if (pool.worker_state(static_cast<std::uint32_t>(i)) == MAPE_WORKER_BUSY) return i;
    }
    return -1;
}

void recover(benchmark::State &state) {
    Pool pool;
    const auto hold = pool.function("bench_hold");
    const auto who = pool.function("bench_who");
    auto *flag = static_cast<functions::Hold *>(pool.buffer(sizeof(functions::Hold)));
    measure::Samples samples(state);
    for (auto _ : state) {
        // One worker is kept occupied, so that no other than the replacement can answer.
        flag->released = 0;
        const Job held(pool.apply(hold, flag, sizeof *flag));
        int busy = -1;
        while ((busy = busy_worker(pool)) < 0) std::this_thread::yield();
        const auto victim = pool.worker_pid(static_cast<std::uint32_t>(1 - busy));
        std::int32_t answered = victim;
        samples.time([&] {
            kill(victim, SIGKILL);
            const Job job(pool.apply(who, nullptr, 0));
            job.wait();
            mape_result result = MAPE_RESULT_INIT;
            mape_job_result(&result, job.handle, 0);
            if (result.state == MAPE_ITEM_OK) std::memcpy(&answered, result.data, sizeof answered);
        });
        flag->released = 1;
        held.wait();
        if (answered == victim) return measure::wrong(state);
    }
    samples.report_milliseconds();
}

BENCH_ROW(recover)->Iterations(15);

} // namespace
