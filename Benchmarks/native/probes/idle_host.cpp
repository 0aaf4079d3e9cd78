// A host with a pool at rest: `idle-host WORKERS`. It maps a little, writes a line with the process ids of its zygote and workers,
// and then does nothing until its standard input ends. Who wants to know what rest costs looks at it from outside.
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include "../mapengine/pool.h"

int main(int argc, char **argv) {
    const int workers = argc > 1 ? std::atoi(argv[1]) : work::workers;
    const Pool pool(workers);
    const auto function = pool.function("bench_square");
    const auto items = work::numbers(100'000);
    const auto expected = work::expected_squares(items.size());
    {
        const Job job(pool.map(function, items.data(), items.size(), sizeof items[0]));
        job.wait();
        std::vector<std::int64_t> results(items.size());
        job.gather(results.data(), results.size() * sizeof results[0], sizeof results[0]);
        if (results != expected) return 1;
    }
    mape_stats stats = MAPE_STATS_INIT;
    pool.expect(mape_pool_stats(&stats, pool.handle), "mape_pool_stats");
    std::printf("%d", static_cast<int>(stats.zygote_pid));
    for (int i = 0; i < workers; i++)
        std::printf(" %d", static_cast<int>(pool.worker_pid(static_cast<std::uint32_t>(i))));
    std::printf("\n");
    std::fflush(stdout);
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {}
    return 0;
}
