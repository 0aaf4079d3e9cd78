// Samples of a row. Google Benchmark decides how many are taken; what is reported is their median, because now and then a sample
// is hit by something else that the machine had to do.
#pragma once

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <vector>

namespace measure {

/// How long `body` runs.
template <typename Body> double seconds(Body &&body) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Samples {
public:
    explicit Samples(benchmark::State &state) : state(state) {}

    /// Takes one sample: how long `body` runs.
    template <typename Body> void time(Body &&body) { add(seconds(body)); }

    void add(double sample) {
        state.SetIterationTime(sample);
        each.push_back(sample);
    }

    double median() const {
        if (each.empty()) return 0;
        auto sorted = each;
        const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
        std::nth_element(sorted.begin(), middle, sorted.end());
        return *middle;
    }

    // The driver reads the counter "value"; its table of rows says in which unit.
    void report_nanoseconds(double items = 1) { state.counters["value"] = median() * 1e9 / items; }
    void report_microseconds(double items = 1) { state.counters["value"] = median() * 1e6 / items; }
    void report_milliseconds() { state.counters["value"] = median() * 1e3; }
    void report_gigabytes_per_second(double bytes) { state.counters["value"] = bytes / median() / 1e9; }

private:
    benchmark::State &state;
    std::vector<double> each;
};

/// Untimed rounds before the first sample: pages are touched, measured item times settle.
template <typename Body> void warm_up(Body &&body, int rounds = 3) {
    for (int i = 0; i < rounds; i++) body();
}

inline void wrong(benchmark::State &state) { state.SkipWithError("wrong result"); }

} // namespace measure

/// Registers the function `name` as a row. Times are those of the samples, not of the iteration around them.
#define BENCH_ROW(name) BENCHMARK(name)->UseManualTime()
