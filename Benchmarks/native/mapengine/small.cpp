// Rows of small items: 8 bytes in, 8 bytes out, from mape_map to the gathered array.
#include <cstring>

#include "measure.h"
#include "pool.h"

namespace {

void run_small(benchmark::State &state, int workers, bool by_range, std::uint64_t chunk) {
    Pool pool(workers);
    const auto function = by_range ? pool.range_function("bench_squares") : pool.function("bench_square");
    const auto items = work::numbers(work::small_items);
    const auto expected = work::expected_squares(items.size());
    std::vector<std::int64_t> results(items.size());
    const auto bytes = results.size() * sizeof results[0];
    const auto run = [&] {
        const Job job(pool.map(function, items.data(), items.size(), sizeof items[0], chunk));
        job.wait();
        job.gather(results.data(), bytes, sizeof results[0]);
    };

    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        std::memset(results.data(), 0, bytes);
        samples.time(run);
        if (std::memcmp(results.data(), expected.data(), bytes) != 0) return measure::wrong(state);
    }
    samples.report_nanoseconds(static_cast<double>(items.size()));
}

void map_small(benchmark::State &state) { run_small(state, work::workers, false, 0); }
void map_small_range(benchmark::State &state) { run_small(state, work::workers, true, 0); }
void map_chunk1(benchmark::State &state) { run_small(state, work::workers, false, 1); }
void sweep_chunk(benchmark::State &state) {
    run_small(state, work::workers, false, static_cast<std::uint64_t>(state.range(0)));
}
void sweep_workers(benchmark::State &state) { run_small(state, static_cast<int>(state.range(0)), false, 0); }

BENCH_ROW(map_small);
BENCH_ROW(map_small_range);
BENCH_ROW(map_chunk1);
BENCH_ROW(sweep_chunk)->RangeMultiplier(4)->Range(1, 1 << 16);
BENCH_ROW(sweep_workers)->RangeMultiplier(2)->Range(1, 32);

} // namespace
