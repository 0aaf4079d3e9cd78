// What the host's side executes per range, for callgrind: `many-workers WORKERS RANGES`. Only what happens between
// CALLGRIND_START_INSTRUMENTATION and the end is counted; the range count goes to standard output.
//
// An item takes longer than the work the engine puts into one request, so that a request is one range, however many workers there
// are. The thread that submits sleeps while the job runs: were it to wait in the library, it would look for replies for a while before
// it sleeps, and valgrind would count the looks.
#include <cstdio>
#include <cstdlib>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "../mapengine/pool.h"

int main(int argc, char **argv) {
    if (argc != 3) return 64;
    // Valgrind gives its programs less address space than a processor has.
    mape_pool_config config = Pool::settings(std::atoi(argv[1]));
    config.input_reserve = config.output_reserve = 256 << 20;
    const Pool pool(config);
    const auto function = pool.function("bench_walk");
    const std::vector<work::Steps> items(static_cast<std::size_t>(std::atoll(argv[2])), work::Steps{1, 300'000});
    const auto map = [&] {
        const Job job(pool.map(function, items.data(), items.size(), sizeof items[0], 1));
        mape_progress progress = MAPE_PROGRESS_INIT;
        do {
            usleep(20'000);
            pool.expect(mape_job_progress(&progress, job.handle), "mape_job_progress");
        } while (!progress.is_done);
        return progress.ok == items.size();
    };
    if (!map()) return 1;

    mape_stats before = MAPE_STATS_INIT, after = MAPE_STATS_INIT;
    pool.expect(mape_pool_stats(&before, pool.handle), "mape_pool_stats");
    CALLGRIND_START_INSTRUMENTATION;
    const bool right = map();
    CALLGRIND_STOP_INSTRUMENTATION;
    pool.expect(mape_pool_stats(&after, pool.handle), "mape_pool_stats");
    std::printf("%llu\n", static_cast<unsigned long long>(after.ranges - before.ranges));
    return right ? 0 : 1;
}
