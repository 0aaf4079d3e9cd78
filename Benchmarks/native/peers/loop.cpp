// A plain loop on one thread: what the work itself costs.
#include "array_rows.h"

namespace {

void map_small(benchmark::State &state) {
    array_rows::small(state, [](const std::int64_t *numbers, std::int64_t *results, std::size_t count) {
        for (std::size_t i = 0; i < count; i++) results[i] = work::square(numbers[i]);
    });
}

void map_small_range(benchmark::State &state) { array_rows::small(state, work::squares); }

const auto each = [](std::size_t count, auto &&body) {
    for (std::size_t i = 0; i < count; i++) body(i);
};

void payload_in(benchmark::State &state) { array_rows::payload_in(state, each); }
void payload_out(benchmark::State &state) { array_rows::payload_out(state, each); }
void compute(benchmark::State &state) { array_rows::compute(state, each); }

BENCH_ROW(map_small);
BENCH_ROW(map_small_range);
BENCH_ROW(payload_in);
BENCH_ROW(payload_out);
BENCH_ROW(compute);

} // namespace
