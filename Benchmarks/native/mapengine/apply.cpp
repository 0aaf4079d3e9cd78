// One call and its result: back to back, and after a rest.
#include <chrono>
#include <thread>

#include "measure.h"
#include "pool.h"

namespace {

struct Caller {
    Pool pool;
    mape_function_id function = pool.function("bench_square");

    bool call(std::int64_t number) {
        const Job job(pool.apply(function, &number, sizeof number));
        job.wait();
        return *static_cast<const std::int64_t *>(job.result(0)) == number * number;
    }
};

void apply_hot(benchmark::State &state) {
    // A sample is some calls, because a look at the clock is not free.
    constexpr int calls = 100;
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
    bool right = caller.call(1);
    measure::Samples samples(state);
    for (auto _ : state) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        samples.time([&] { right &= caller.call(7); });
        if (!right) return measure::wrong(state);
    }
    samples.report_microseconds();
}

BENCH_ROW(apply_hot);
// So many, because Google Benchmark does not see the rest in between.
BENCH_ROW(apply_cold)->Iterations(50);

} // namespace
