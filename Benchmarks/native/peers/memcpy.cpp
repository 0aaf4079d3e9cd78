// One memcpy of all payloads, on one thread.
#include <cstring>

#include "measure.h"
#include "work.h"

namespace {

void payload_in(benchmark::State &state) {
    const auto input = work::payload_input(work::payloads, work::payload_size);
    std::vector<std::uint64_t> copy(input.size());
    const auto run = [&] { std::memcpy(copy.data(), input.data(), input.size() * sizeof input[0]); };
    measure::warm_up(run);
    measure::Samples samples(state);
    for (auto _ : state) {
        std::memset(copy.data(), 0, copy.size() * sizeof copy[0]);
        samples.time(run);
        if (copy != input) return measure::wrong(state);
    }
    samples.report_gigabytes_per_second(work::payloads * work::payload_size);
}

BENCH_ROW(payload_in);

} // namespace
