// Long uneven items: what is lost at the hand-overs, and at the end when there is no more for every worker.
#include "measure.h"
#include "pool.h"

namespace {

void compute(benchmark::State &state) {
    Pool pool;
    const auto function = pool.function("bench_walk");
    const auto items = work::uneven_items();
    std::vector<std::uint64_t> ends(items.size());
    measure::Samples samples(state);
    for (auto _ : state) {
        samples.time([&] {
            const Job job(pool.map(function, items.data(), items.size(), sizeof items[0]));
            job.wait();
            job.gather(ends.data(), ends.size() * sizeof ends[0], sizeof ends[0]);
        });
        for (std::size_t i = 0; i < items.size(); i++) {
            if (ends[i] != work::walk_end(items[i])) return measure::wrong(state);
        }
    }
    samples.report_milliseconds();
}

BENCH_ROW(compute);

} // namespace
