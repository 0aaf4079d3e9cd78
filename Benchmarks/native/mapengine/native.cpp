// Typed functions: a plain C function over columns, and behind a function pointer.
#include "measure.h"
#include "pool.h"

namespace {

mape_column column(const void *base, std::ptrdiff_t stride) {
    mape_column column = MAPE_COLUMN_INIT;
    column.base = const_cast<void *>(base);
    column.stride = stride;
    return column;
}

/// From mape_map_columns to the gathered column.
void scalar(benchmark::State &state, std::uint32_t flags) {
    Pool pool;
    const auto function = pool.typed_function("double bench_line(double x)", flags);
    std::vector<double> inputs(work::typed_calls), results(work::typed_calls);
    for (std::size_t i = 0; i < inputs.size(); i++) inputs[i] = static_cast<double>(i);
    const auto in = column(inputs.data(), sizeof inputs[0]);
    const mape_column out[] = {column(results.data(), sizeof results[0]), column(nullptr, 0)};
    const auto run = [&] {
        mape_job *handle = nullptr;
        pool.expect(mape_map_columns(&handle, pool.handle, function, inputs.size(), &in, 1, nullptr),
                    "mape_map_columns");
        const Job job(handle);
        job.wait();
        pool.expect(mape_job_gather_columns(out, flags ? 2 : 1, nullptr, handle), "mape_job_gather_columns");
    };

    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        results.assign(results.size(), 0);
        samples.time(run);
        for (std::size_t i = 0; i < results.size(); i++) {
            if (results[i] != work::line(inputs[i])) return measure::wrong(state);
        }
    }
    samples.report_nanoseconds(static_cast<double>(inputs.size()));
}

void native_scalar(benchmark::State &state) { scalar(state, 0); }
/// Through libffi: asking for errno is what the direct calls do not do.
void native_scalar_errno(benchmark::State &state) { scalar(state, MAPE_NATIVE_ERRNO); }

void proxy_hot(benchmark::State &state) {
    // As apply_hot.
    constexpr int calls = 100;
    Pool pool;
    mape_native_fn proxy = nullptr;
    pool.expect(mape_proxy_create(&proxy, pool.handle,
                                  pool.typed_function("int64_t bench_plain_square(int64_t number)"), nullptr, nullptr,
                                  nullptr),
                "mape_proxy_create");
    const auto square = reinterpret_cast<std::int64_t (*)(std::int64_t)>(proxy);
    bool right = true;
    const auto run = [&] {
        for (std::int64_t i = 0; i < calls; i++) right &= square(i) == i * i;
    };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        samples.time(run);
        if (!right) return measure::wrong(state);
    }
    samples.report_microseconds(calls);
    mape_proxy_release(proxy);
}

BENCH_ROW(native_scalar);
BENCH_ROW(native_scalar_errno);
BENCH_ROW(proxy_hot);

} // namespace
