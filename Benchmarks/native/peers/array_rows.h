// The rows of systems that work on the host's own arrays (a loop, OpenMP, oneTBB): what is the same in all of them.
#pragma once

#include <cstring>

#include "measure.h"
#include "work.h"

namespace array_rows {

/// `square_all(numbers, results, count)` writes all squares.
template <typename SquareAll> void small(benchmark::State &state, SquareAll &&square_all) {
    const auto items = work::numbers(work::small_items);
    const auto expected = work::expected_squares(items.size());
    std::vector<std::int64_t> results(items.size());
    const auto bytes = results.size() * sizeof results[0];
    const auto run = [&] { square_all(items.data(), results.data(), items.size()); };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        std::memset(results.data(), 0, bytes);
        samples.time(run);
        if (std::memcmp(results.data(), expected.data(), bytes) != 0) return measure::wrong(state);
    }
    samples.report_nanoseconds(static_cast<double>(items.size()));
}

/// `each(count, body)` calls `body(i)` for each item. Answers whether the sums were right.
template <typename Each>
bool sums(benchmark::State &state, measure::Samples &samples, std::size_t count, std::size_t size, Each &&each) {
    const auto input = work::payload_input(count, size);
    const auto words = size / sizeof input[0];
    std::vector<std::uint64_t> sums(count), expected(count);
    for (std::size_t i = 0; i < count; i++) expected[i] = work::sum(input.data() + i * words, size);
    const auto run = [&] { each(count, [&](std::size_t i) { sums[i] = work::sum(input.data() + i * words, size); }); };
    measure::warm_up(run);
    for (auto _ : state) {
        std::fill(sums.begin(), sums.end(), 0);
        samples.time(run);
        if (sums != expected) {
            measure::wrong(state);
            return false;
        }
    }
    return true;
}

template <typename Each> void payload_in(benchmark::State &state, Each &&each) {
    measure::Samples samples(state);
    if (!sums(state, samples, work::payloads, work::payload_size, each)) return;
    samples.report_gigabytes_per_second(work::payloads * work::payload_size);
}

template <typename Each> void payload_out(benchmark::State &state, Each &&each) {
    constexpr auto words = work::payload_size / sizeof(std::uint64_t);
    std::vector<std::uint64_t> results(work::payloads * words);
    const auto run = [&] {
        each(work::payloads, [&](std::size_t i) { work::fill(results.data() + i * words, work::payload_size, i); });
    };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        std::memset(results.data(), 0, results.size() * sizeof results[0]);
        samples.time(run);
        for (std::size_t i = 0; i < work::payloads; i++) {
            if (!work::is_filled(results.data() + i * words, work::payload_size, i)) return measure::wrong(state);
        }
    }
    samples.report_gigabytes_per_second(work::payloads * work::payload_size);
}

template <typename Each> void sweep_payload(benchmark::State &state, Each &&each) {
    const auto size = static_cast<std::size_t>(state.range(0));
    const auto count = work::sweep_count(size);
    measure::Samples samples(state);
    if (!sums(state, samples, count, size, each)) return;
    samples.report_nanoseconds(static_cast<double>(count));
}

template <typename Each> void compute(benchmark::State &state, Each &&each) {
    const auto items = work::uneven_items();
    std::vector<std::uint64_t> ends(items.size());
    measure::Samples samples(state);
    for (auto _ : state) {
        samples.time([&] { each(items.size(), [&](std::size_t i) { ends[i] = work::walk(items[i]); }); });
        for (std::size_t i = 0; i < items.size(); i++) {
            if (ends[i] != work::walk_end(items[i])) return measure::wrong(state);
        }
    }
    samples.report_milliseconds();
}

} // namespace array_rows
