// Rows of large items.
#include <algorithm>
#include <cstring>
#include <memory>

#include "measure.h"
#include "pool.h"

namespace {

/// Sums payloads that lie in a mape_buffer, or in memory of the host's own.
void run_sums(benchmark::State &state, measure::Samples &samples, std::size_t count, std::size_t size, bool in_place) {
    Pool pool;
    const auto function = pool.function("bench_sum");
    const auto input = work::payload_input(count, size);
    const void *items = input.data();
    if (in_place) {
        void *buffer = pool.buffer(count * size);
        std::memcpy(buffer, input.data(), count * size);
        items = buffer;
    }
    std::vector<std::uint64_t> sums(count), expected(count);
    for (std::size_t i = 0; i < count; i++) {
        expected[i] = work::sum(input.data() + i * (size / sizeof input[0]), size);
    }
    const auto run = [&] {
        const Job job(pool.map(function, items, count, size));
        job.wait();
        job.gather(sums.data(), sums.size() * sizeof sums[0], sizeof sums[0]);
    };

    measure::warm_up(run);
    for (auto _ : state) {
        std::fill(sums.begin(), sums.end(), 0);
        samples.time(run);
        if (sums != expected) return measure::wrong(state);
    }
}

void payload_in(benchmark::State &state) {
    measure::Samples samples(state);
    run_sums(state, samples, work::payloads, work::payload_size, true);
    samples.report_gigabytes_per_second(work::payloads * work::payload_size);
}

void payload_copy(benchmark::State &state) {
    measure::Samples samples(state);
    run_sums(state, samples, work::payloads, work::payload_size, false);
    samples.report_gigabytes_per_second(work::payloads * work::payload_size);
}

void payload_out(benchmark::State &state) {
    Pool pool;
    const auto function = pool.function("bench_fill");
    const auto seeds = work::numbers(work::payloads);
    const void *results[work::payloads];
    const auto begin = [&] {
        auto job = std::make_unique<Job>(pool.map(function, seeds.data(), seeds.size(), sizeof seeds[0]));
        job->wait();
        for (std::size_t i = 0; i < work::payloads; i++) {
            results[i] = job->result(i);
            benchmark::DoNotOptimize(*static_cast<const volatile std::uint64_t *>(results[i]));
        }
        return job;
    };

    measure::warm_up([&] { begin().reset(); });
    measure::Samples samples(state);
    for (auto _ : state) {
        // Looking through all results is not timed, giving their memory back is.
        std::unique_ptr<Job> job;
        const double running = measure::seconds([&] { job = begin(); });
        for (std::size_t i = 0; i < work::payloads; i++) {
            if (!work::is_filled(results[i], work::payload_size, i)) return measure::wrong(state);
        }
        samples.add(running + measure::seconds([&] { job.reset(); }));
    }
    samples.report_gigabytes_per_second(work::payloads * work::payload_size);
}

void run_sweep(benchmark::State &state, bool in_place) {
    const auto size = static_cast<std::size_t>(state.range(0));
    measure::Samples samples(state);
    run_sums(state, samples, work::sweep_count(size), size, in_place);
    samples.report_nanoseconds(static_cast<double>(work::sweep_count(size)));
}

void sweep_payload(benchmark::State &state) { run_sweep(state, true); }
void sweep_payload_copy(benchmark::State &state) { run_sweep(state, false); }

/// A buffer for one job: made, filled, destroyed.
void buffer_anew(benchmark::State &state) {
    const auto size = static_cast<std::size_t>(state.range(0)) << 10;
    Pool pool;
    const std::vector<char> source(size, 1);
    const auto run = [&] {
        mape_buffer *buffer = nullptr;
        void *data = nullptr;
        pool.expect(mape_buffer_create(&buffer, pool.handle, size), "mape_buffer_create");
        pool.expect(mape_buffer_data(&data, nullptr, buffer), "mape_buffer_data");
        std::memcpy(data, source.data(), size);
        pool.expect(mape_buffer_release(buffer), "mape_buffer_release");
    };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) samples.time(run);
    samples.report_microseconds();
}

/// The same bytes in a map that copies them; the function does nothing.
void buffer_anew_map(benchmark::State &state) {
    const auto size = static_cast<std::size_t>(state.range(0)) << 10;
    Pool pool;
    const auto function = pool.function("bench_nothing");
    const std::vector<char> source(size, 1);
    const auto run = [&] { Job(pool.map(function, source.data(), work::payloads, size / work::payloads)).wait(); };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) samples.time(run);
    samples.report_microseconds();
}

BENCH_ROW(payload_in);
BENCH_ROW(payload_copy);
BENCH_ROW(payload_out);
BENCH_ROW(buffer_anew)->Arg(64)->Arg(1 << 10)->Arg(64 << 10)->Arg(256 << 10);
BENCH_ROW(buffer_anew_map)->Arg(64)->Arg(1 << 10)->Arg(64 << 10)->Arg(256 << 10);
BENCH_ROW(sweep_payload)->RangeMultiplier(8)->Range(8, 2 << 20);
BENCH_ROW(sweep_payload_copy)->RangeMultiplier(8)->Range(8, 2 << 20);

} // namespace
