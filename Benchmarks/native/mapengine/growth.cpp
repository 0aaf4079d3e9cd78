// Costs that must not grow with what a call does not touch: the same work beside few things and beside many, in one process, one
// after the other. The ratio counts; both figures are reported as well.
#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <string>

#include "measure.h"
#include "pool.h"

namespace {

/// Median seconds of `body`, of so many runs.
template <typename Body> double median_of(int runs, Body &&body) {
    std::vector<double> samples;
    for (int i = 0; i < runs; i++) samples.push_back(measure::seconds(body));
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 2];
}

/// Measures the work beside `small` things, then beside `large` ones. `grow(n)` makes them n; `work()` returns the seconds of one step.
template <typename Grow, typename Work>
void compare(benchmark::State &state, std::size_t small, std::size_t large, double unit, Grow &&grow, Work &&work) {
    double few = 0, many = 0;
    for (auto _ : state) {
        grow(small);
        few = work();
        grow(large);
        many = work();
        state.SetIterationTime(few + many);
    }
    state.counters["value"] = many / few;
    state.counters["few"] = few * unit;
    state.counters["many"] = many * unit;
}

constexpr double microseconds = 1e6, nanoseconds = 1e9;

/// N calls of mape_apply, one after the other, before any is waited for: what each costs.
void growth_jobs(benchmark::State &state) {
    Pool pool;
    const auto square = pool.function("bench_square");
    std::size_t count = 0;
    bool right = true;
    const auto batch = [&] {
        std::vector<std::unique_ptr<Job>> jobs(count);
        const double seconds = measure::seconds([&] {
            for (std::size_t i = 0; i < count; i++) {
                const auto number = static_cast<std::int64_t>(i);
                jobs[i] = std::make_unique<Job>(pool.apply(square, &number, sizeof number));
            }
        });
        // Backwards, because the last one ends last.
        for (std::size_t i = count; i-- > 0;) {
            const auto number = static_cast<std::int64_t>(i);
            jobs[i]->wait();
            right &= *static_cast<const std::int64_t *>(jobs[i]->result(0)) == number * number;
            jobs[i].reset();
        }
        return seconds / static_cast<double>(count);
    };
    const auto most = work::sized(128'000, 400);
    compare(
        state, work::sized(4'000, 100), most, microseconds, [&](std::size_t wanted) { count = wanted; },
        [&] {
            // A few calls are over in milliseconds, in which the workers keep up or do not: as many calls as beside many.
            std::vector<double> samples(std::max<std::size_t>(3, most / count));
            for (auto &sample : samples) sample = batch();
            return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
        });
    if (!right) measure::wrong(state);
}

/// A span of a map that lies in one of N buffers.
void growth_buffers(benchmark::State &state) {
    constexpr std::size_t spans = 1'000;
    Pool pool;
    const auto sum = pool.function("bench_sum");
    std::vector<std::uint64_t *> buffers;
    bool right = true;
    const auto grow = [&](std::size_t count) {
        while (buffers.size() < count) {
            auto *buffer = static_cast<std::uint64_t *>(pool.buffer(sizeof(std::uint64_t)));
            *buffer = buffers.size();
            buffers.push_back(buffer);
        }
    };
    const auto work = [&] {
        // Buffers from everywhere: first, last and in between.
        std::vector<mape_span> items(spans);
        std::vector<std::uint64_t> expected(spans), sums(spans);
        for (std::size_t i = 0; i < spans; i++) {
            expected[i] = i * (buffers.size() - 1) / (spans - 1);
            items[i] = {buffers[expected[i]], sizeof(std::uint64_t)};
        }
        mape_items input = MAPE_ITEMS_INIT;
        input.spans = items.data();
        input.count = spans;
        std::vector<double> samples;
        const int runs = 7;
        for (int i = 0; i < runs; i++) {
            mape_job *handle = nullptr;
            samples.push_back(measure::seconds(
                [&] { pool.expect(mape_map(&handle, pool.handle, sum, &input, nullptr), "mape_map"); }));
            const Job job(handle);
            job.wait();
            job.gather(sums.data(), sums.size() * sizeof sums[0], sizeof sums[0]);
            right &= sums == expected;
        }
        std::sort(samples.begin(), samples.end());
        return samples[runs / 2] / spans;
    };
    compare(state, work::sized(1'000, 10), work::sized(40'000, 100), microseconds, grow, work);
    if (!right) measure::wrong(state);
}

/// mape_pool_set_global of a name that is there, beside N others.
void growth_globals(benchmark::State &state) {
    Pool pool;
    std::size_t count = 0, next = 0;
    const auto set = [&](std::size_t index) {
        const auto name = "global " + std::to_string(index);
        pool.expect(mape_pool_set_global(pool.handle, name.c_str(), &index, sizeof index), "mape_pool_set_global");
    };
    const auto grow = [&](std::size_t wanted) {
        while (count < wanted) set(count++);
    };
    compare(state, work::sized(100, 10), work::sized(16'000, 100), microseconds, grow,
            [&] { return median_of(51, [&] { set(next++ % count); }); });
}

/// N streams are opened, get one item each, are finished and end: the cost of each, while so many are open.
void growth_streams(benchmark::State &state) {
    Pool pool;
    const auto square = pool.function("bench_square");
    std::size_t count = 0;
    bool right = true;
    const auto batch = [&] {
        std::vector<std::unique_ptr<Job>> streams;
        for (std::size_t i = 0; i < count; i++) {
            mape_job_config config = MAPE_JOB_CONFIG_INIT;
            config.window = 16;
            mape_job *handle = nullptr;
            pool.expect(mape_stream_open(&handle, pool.handle, square, &config), "mape_stream_open");
            streams.push_back(std::make_unique<Job>(handle));
        }
        const std::int64_t number = 7;
        const mape_span item = {&number, sizeof number};
        for (const auto &stream : streams) {
            pool.expect(mape_stream_push(nullptr, stream->handle, &item, 1), "mape_stream_push");
            pool.expect(mape_stream_finish(stream->handle), "mape_stream_finish");
        }
        for (const auto &stream : streams) {
            stream->wait();
            mape_progress progress = MAPE_PROGRESS_INIT;
            pool.expect(mape_job_progress(&progress, stream->handle), "mape_job_progress");
            right &= progress.ok == 1 && progress.is_done;
        }
    };
    compare(
        state, work::sized(1'000, 10), work::sized(16'000, 100), microseconds,
        [&](std::size_t wanted) { count = wanted; }, [&] { return median_of(3, batch) / static_cast<double>(count); });
    if (!right) measure::wrong(state);
}

/// So many workers of a pool, of which a call needs one.
template <typename Work>
void compare_workers(benchmark::State &state, std::size_t small, std::size_t large, double unit, Work &&work) {
    std::unique_ptr<Pool> pool;
    compare(
        state, small, large, unit,
        [&](std::size_t workers) {
            pool.reset();
            pool = std::make_unique<Pool>(static_cast<int>(workers));
        },
        [&] { return work(*pool); });
}

/// mape_apply and its result, with W workers.
void growth_workers_apply(benchmark::State &state) {
    constexpr int calls = 100;
    bool right = true;
    compare_workers(state, 16, work::sized(1'024, 32), microseconds, [&](const Pool &pool) {
        const auto square = pool.function("bench_square");
        const auto run = [&] {
            for (std::int64_t i = 0; i < calls; i++) {
                const Job job(pool.apply(square, &i, sizeof i));
                job.wait();
                right &= *static_cast<const std::int64_t *>(job.result(0)) == i * i;
            }
        };
        measure::warm_up(run);
        return median_of(21, run) / calls;
    });
    if (!right) measure::wrong(state);
}

/// A map of small items, with W workers.
void growth_workers_map(benchmark::State &state) {
    const auto items = work::numbers(work::small_items);
    const auto expected = work::expected_squares(items.size());
    bool right = true;
    compare_workers(state, 4, work::sized(1'024, 32), nanoseconds, [&](const Pool &pool) {
        const auto square = pool.function("bench_square");
        std::vector<std::int64_t> results(items.size());
        const auto run = [&] {
            const Job job(pool.map(square, items.data(), items.size(), sizeof items[0]));
            job.wait();
            job.gather(results.data(), results.size() * sizeof results[0], sizeof results[0]);
        };
        measure::warm_up(run);
        const double seconds = median_of(9, run);
        right &= results == expected;
        return seconds / static_cast<double>(items.size());
    });
    if (!right) measure::wrong(state);
}

BENCH_ROW(growth_jobs)->Iterations(1);
BENCH_ROW(growth_buffers)->Iterations(1);
BENCH_ROW(growth_globals)->Iterations(1);
BENCH_ROW(growth_streams)->Iterations(1);
BENCH_ROW(growth_workers_apply)->Iterations(1);
BENCH_ROW(growth_workers_map)->Iterations(1);

} // namespace
