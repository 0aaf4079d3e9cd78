// OpenMP: threads of the host's own process.
#include <omp.h>

#include "array_rows.h"

namespace {

/// OpenMP wants a signed counter.
using Index = std::int64_t;

void map_small(benchmark::State &state) {
    array_rows::small(state, [](const std::int64_t *numbers, std::int64_t *results, std::size_t count) {
#pragma omp parallel for schedule(static) num_threads(work::workers)
        for (Index i = 0; i < static_cast<Index>(count); i++) results[i] = work::square(numbers[i]);
    });
}

void map_small_range(benchmark::State &state) {
    array_rows::small(state, [](const std::int64_t *numbers, std::int64_t *results, std::size_t count) {
#pragma omp parallel num_threads(work::workers)
        {
            const auto threads = static_cast<std::size_t>(omp_get_num_threads());
            const auto thread = static_cast<std::size_t>(omp_get_thread_num());
            const auto first = count * thread / threads;
            work::squares(numbers + first, results + first, count * (thread + 1) / threads - first);
        }
    });
}

void run_chunks(benchmark::State &state, int chunk, int threads) {
    array_rows::small(state, [=](const std::int64_t *numbers, std::int64_t *results, std::size_t count) {
#pragma omp parallel for schedule(dynamic, chunk) num_threads(threads)
        for (Index i = 0; i < static_cast<Index>(count); i++) results[i] = work::square(numbers[i]);
    });
}

void map_chunk1(benchmark::State &state) { run_chunks(state, 1, work::workers); }
void sweep_chunk(benchmark::State &state) { run_chunks(state, static_cast<int>(state.range(0)), work::workers); }
void sweep_workers(benchmark::State &state) { run_chunks(state, 1000, static_cast<int>(state.range(0))); }

const auto each = [](std::size_t count, auto &&body) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(work::workers)
    for (Index i = 0; i < static_cast<Index>(count); i++) body(static_cast<std::size_t>(i));
};

void payload_in(benchmark::State &state) { array_rows::payload_in(state, each); }
void payload_out(benchmark::State &state) { array_rows::payload_out(state, each); }
void sweep_payload(benchmark::State &state) { array_rows::sweep_payload(state, each); }
void compute(benchmark::State &state) { array_rows::compute(state, each); }

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
