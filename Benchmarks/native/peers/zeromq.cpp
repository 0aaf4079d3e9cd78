// ZeroMQ over ipc, two worker processes. It carries messages and knows no items, so the rows of small items pack ranges of them.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "measure.h"
#include "work.h"
#include "zeromq_pipeline.h"

namespace {

void square_all(const void *task, std::size_t size, const ZeroMQOutput &output) {
    const auto *numbers = static_cast<const std::int64_t *>(task);
    auto *results = static_cast<std::int64_t *>(output(size));
    for (std::size_t i = 0; i < size / sizeof *numbers; i++) results[i] = work::square(numbers[i]);
}

void run_small(benchmark::State &state, std::size_t count, std::size_t chunk) {
    ZeroMQPipeline pipeline(work::workers, square_all);
    const auto items = work::numbers(count);
    const auto expected = work::expected_squares(count);
    std::vector<std::int64_t> results(count);
    const auto run = [&] {
        pipeline.map((count + chunk - 1) / chunk,
                     [&](std::uint64_t i) {
                         const auto first = i * chunk;
                         pipeline.send(i, items.data() + first, std::min(chunk, count - first) * sizeof items[0]);
                     },
                     [&](std::uint64_t i, const void *bytes, std::size_t size) {
                         std::memcpy(results.data() + i * chunk, bytes, size);
                     });
    };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        std::fill(results.begin(), results.end(), 0);
        samples.time(run);
        if (results != expected) return measure::wrong(state);
    }
    samples.report_nanoseconds(static_cast<double>(count));
}

void map_small(benchmark::State &state) { run_small(state, work::small_items, 10'000); }
void map_chunk1(benchmark::State &state) { run_small(state, 50'000, 1); }

struct Caller {
    ZeroMQPipeline pipeline{1, square_all};

    bool call(std::int64_t number) {
        bool right = false;
        pipeline.send(0, &number, sizeof number);
        pipeline.receive([&](std::uint64_t, const void *result, std::size_t) {
            right = *static_cast<const std::int64_t *>(result) == number * number;
        });
        return right;
    }
};

void apply_hot(benchmark::State &state) {
    constexpr int calls = 20;
    Caller caller;
    bool right = true;
    const auto run = [&] {
        for (int i = 0; i < calls; i++) right &= caller.call(i);
    };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        samples.time(run);
        if (!right) return measure::wrong(state);
    }
    samples.report_microseconds(calls);
}

void apply_cold(benchmark::State &state) {
    Caller caller;
    bool right = caller.call(2);
    measure::Samples samples(state);
    for (auto _ : state) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        samples.time([&] { right &= caller.call(7); });
        if (!right) return measure::wrong(state);
    }
    samples.report_microseconds();
}

void run_sums(benchmark::State &state, measure::Samples &samples, std::size_t count, std::size_t size) {
    ZeroMQPipeline pipeline(work::workers, [](const void *task, std::size_t bytes, const ZeroMQOutput &output) {
        *static_cast<std::uint64_t *>(output(sizeof(std::uint64_t))) = work::sum(task, bytes);
    });
    const auto input = work::payload_input(count, size);
    const auto words = size / sizeof input[0];
    std::vector<std::uint64_t> sums(count), expected(count);
    for (std::size_t i = 0; i < count; i++) expected[i] = work::sum(input.data() + i * words, size);
    const auto run = [&] {
        pipeline.map(
            count, [&](std::uint64_t i) { pipeline.send(i, input.data() + i * words, size); },
            [&](std::uint64_t i, const void *bytes, std::size_t) { std::memcpy(&sums[i], bytes, sizeof sums[i]); });
    };
    measure::warm_up(run, 1);
    for (auto _ : state) {
        std::fill(sums.begin(), sums.end(), 0);
        samples.time(run);
        if (sums != expected) return measure::wrong(state);
    }
}

void payload_in(benchmark::State &state) {
    measure::Samples samples(state);
    run_sums(state, samples, work::payloads, work::payload_size);
    samples.report_gigabytes_per_second(work::payloads * work::payload_size);
}

void sweep_payload(benchmark::State &state) {
    const auto size = static_cast<std::size_t>(state.range(0));
    const auto count = std::min<std::size_t>(work::sweep_count(size), 20'000);
    measure::Samples samples(state);
    run_sums(state, samples, count, size);
    samples.report_nanoseconds(static_cast<double>(count));
}

void payload_out(benchmark::State &state) {
    ZeroMQPipeline pipeline(work::workers, [](const void *task, std::size_t, const ZeroMQOutput &output) {
        work::fill(output(work::payload_size), work::payload_size, *static_cast<const std::uint64_t *>(task));
    });
    measure::Samples samples(state);
    bool right = true;
    for (auto _ : state) {
        // A message ends when the next is taken, so it is checked there; the time of the checks is taken off.
        double checking = 0;
        const double running = measure::seconds([&] {
            pipeline.map(
                work::payloads, [&](std::uint64_t i) { pipeline.send(i, &i, sizeof i); },
                [&](std::uint64_t i, const void *bytes, std::size_t size) {
                    checking += measure::seconds([&] { right &= work::is_filled(bytes, size, i); });
                });
        });
        samples.add(running - checking);
        if (!right) return measure::wrong(state);
    }
    samples.report_gigabytes_per_second(work::payloads * work::payload_size);
}

BENCH_ROW(map_small);
BENCH_ROW(map_chunk1);
BENCH_ROW(apply_hot);
BENCH_ROW(apply_cold)->Iterations(50);
BENCH_ROW(payload_in);
BENCH_ROW(payload_out);
BENCH_ROW(sweep_payload)->RangeMultiplier(8)->Range(8, 2 << 20);

} // namespace
