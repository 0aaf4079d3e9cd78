// Create, first result, release; by a host with nothing in memory, and by one with 4 GiB.
#include <cstdlib>
#include <memory>

#include "measure.h"
#include "memory_ballast.h"
#include "pool.h"

namespace {

void run_start(benchmark::State &state, mape_start start, std::size_t ballast_size) {
    const Ballast ballast(ballast_size);
    measure::Samples samples(state);
    for (auto _ : state) {
        bool right = true;
        samples.time([&] {
            // Not class Pool, which waits until all workers are ready: the first result may be there before.
            const mape_pool_config config = Pool::settings(work::workers, start);
            mape_function function = MAPE_FUNCTION_INIT;
            function.library = BENCH_FUNCTIONS;
            function.run_symbol = "bench_square";
            mape_pool *pool = nullptr;
            mape_function_id id = 0;
            mape_job *job = nullptr;
            mape_result result = MAPE_RESULT_INIT;
            const std::int64_t number = 7;
            right = mape_pool_create(&pool, &config) == MAPE_OK &&
                    mape_function_register(&id, pool, &function) == MAPE_OK &&
                    mape_apply(&job, pool, id, &number, sizeof number, nullptr) == MAPE_OK &&
                    mape_job_wait(job, MAPE_FOREVER) == MAPE_OK && mape_job_result(&result, job, 0) == MAPE_OK &&
                    result.state == MAPE_ITEM_OK && *static_cast<const std::int64_t *>(result.data) == 49;
            mape_pool_release(pool);
        });
        if (!right) return measure::wrong(state);
    }
    samples.report_milliseconds();
}

/// What a large host has in memory.
std::size_t large() { return work::sized(std::size_t{4} << 30, std::size_t{64} << 20); }

void start_exec(benchmark::State &state) { run_start(state, MAPE_START_EXEC, 0); }
void start_exec_large(benchmark::State &state) { run_start(state, MAPE_START_EXEC, large()); }
void start_fork(benchmark::State &state) { run_start(state, MAPE_START_FORK, 0); }
void start_fork_large(benchmark::State &state) { run_start(state, MAPE_START_FORK, large()); }

// Counted, because Google Benchmark would otherwise fill 4 GiB several times to find out.
BENCH_ROW(start_exec)->Iterations(40);
BENCH_ROW(start_exec_large)->Iterations(40);
BENCH_ROW(start_fork)->Iterations(40);
BENCH_ROW(start_fork_large)->Iterations(3);

} // namespace
