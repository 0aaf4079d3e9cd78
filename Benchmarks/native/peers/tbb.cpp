// oneTBB: threads of the host's own process.
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include "array_rows.h"

namespace {

using Range = tbb::blocked_range<std::size_t>;

/// Runs `body` where so many threads may take part.
template <typename Body> void with_threads(int threads, Body &&body) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
    tbb::task_arena arena(threads);
    arena.execute(body);
}

void square_items(const std::int64_t *numbers, std::int64_t *results, const Range &range) {
    for (std::size_t i = range.begin(); i < range.end(); i++) results[i] = work::square(numbers[i]);
}

void run_small(benchmark::State &state, int threads) {
    with_threads(threads, [&] {
        array_rows::small(state, [](const std::int64_t *numbers, std::int64_t *results, std::size_t count) {
            tbb::parallel_for(Range(0, count), [=](const Range &range) { square_items(numbers, results, range); });
        });
    });
}

void run_chunks(benchmark::State &state, std::size_t chunk) {
    with_threads(work::workers, [&] {
        array_rows::small(state, [=](const std::int64_t *numbers, std::int64_t *results, std::size_t count) {
            tbb::parallel_for(
                Range(0, count, chunk), [=](const Range &range) { square_items(numbers, results, range); },
                tbb::simple_partitioner());
        });
    });
}

void map_small(benchmark::State &state) { run_small(state, work::workers); }

void map_small_range(benchmark::State &state) {
    with_threads(work::workers, [&] {
        array_rows::small(state, [](const std::int64_t *numbers, std::int64_t *results, std::size_t count) {
            tbb::parallel_for(Range(0, count), [=](const Range &range) {
                work::squares(numbers + range.begin(), results + range.begin(), range.size());
            });
        });
    });
}

void map_chunk1(benchmark::State &state) { run_chunks(state, 1); }
void sweep_chunk(benchmark::State &state) { run_chunks(state, static_cast<std::size_t>(state.range(0))); }
void sweep_workers(benchmark::State &state) { run_small(state, static_cast<int>(state.range(0))); }

const auto each = [](std::size_t count, auto &&body) { tbb::parallel_for(std::size_t{0}, count, body); };

void payload_in(benchmark::State &state) {
    with_threads(work::workers, [&] { array_rows::payload_in(state, each); });
}
void payload_out(benchmark::State &state) {
    with_threads(work::workers, [&] { array_rows::payload_out(state, each); });
}
void sweep_payload(benchmark::State &state) {
    with_threads(work::workers, [&] { array_rows::sweep_payload(state, each); });
}
void compute(benchmark::State &state) {
    with_threads(work::workers, [&] { array_rows::compute(state, each); });
}

BENCH_ROW(map_small);
BENCH_ROW(map_small_range);
BENCH_ROW(map_chunk1);
BENCH_ROW(payload_in);
BENCH_ROW(payload_out);
BENCH_ROW(compute);
BENCH_ROW(sweep_chunk)->RangeMultiplier(4)->Range(1, 1 << 16);
BENCH_ROW(sweep_payload)->RangeMultiplier(8)->Range(8, 2 << 20);
BENCH_ROW(sweep_workers)->RangeMultiplier(2)->Range(1, 32);

} // namespace
