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

void native_scalar(benchmark::State &state) {
    // Read for each call, so that the compiler cannot know what is called.
    double (*volatile function)(double) = work::line;
    std::vector<double> inputs(work::typed_calls), results(work::typed_calls);
    for (std::size_t i = 0; i < inputs.size(); i++) inputs[i] = static_cast<double>(i);
    const auto run = [&] {
        for (std::size_t i = 0; i < inputs.size(); i++) results[i] = function(inputs[i]);
    };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        samples.time(run);
        if (results.back() != work::line(inputs.back())) return measure::wrong(state);
    }
    samples.report_nanoseconds(static_cast<double>(inputs.size()));
}

BENCH_ROW(native_scalar);
BENCH_ROW(map_small);
BENCH_ROW(map_small_range);
BENCH_ROW(payload_in);
BENCH_ROW(payload_out);
BENCH_ROW(compute);

} // namespace
