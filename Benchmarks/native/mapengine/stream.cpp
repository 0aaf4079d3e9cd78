// Ten million items through a window of 4,096, and what the processes hold in memory meanwhile.
#include <algorithm>
#include <array>
#include <fstream>
#include <string>

#include "measure.h"
#include "pool.h"

namespace {

const std::uint64_t total = work::sized(10'000'000, 20'000);
const std::uint64_t first_part = total / 10;
constexpr std::size_t batch = 1024;

/// Kilobytes of a process, shared memory divided among those who share it.
std::uint64_t resident(const std::string &process) {
    std::ifstream file("/proc/" + process + "/smaps_rollup");
    std::string word;
    while (file >> word) {
        std::uint64_t kilobytes = 0;
        if (word == "Pss:" && file >> kilobytes) return kilobytes;
    }
    return 0;
}

class Stream {
public:
    explicit Stream(const Pool &pool) : pool(pool) {
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.window = 4096;
        config.context = this;
        config.on_item = [](void *context, const mape_event *event) { static_cast<Stream *>(context)->take(*event); };
        pool.expect(mape_stream_open(&handle, pool.handle, pool.function("bench_square"), &config), "mape_stream_open");
    }
    ~Stream() { mape_job_release(handle); }

    /// Pushes until so many items have been pushed, then takes results until so many are left in the window.
    void run(std::uint64_t end, std::uint64_t left) {
        while (pushed < end || pushed - taken > left) {
            const std::uint64_t before = pushed + taken;
            push(end);
            mape_pool_dispatch(pool.handle, 0, 0);
            if (pushed + taken != before) continue;
            mape_event event = MAPE_EVENT_INIT;
            pool.expect(mape_pool_next_event(&event, pool.handle, MAPE_FOREVER), "mape_pool_next_event");
            take(event);
        }
    }

    bool is_right() const { return right; }

private:
    void take(const mape_event &event) {
        if (event.type != MAPE_EVENT_ITEM) return;
        const auto index = static_cast<std::int64_t>(event.index);
        right &= event.result.state == MAPE_ITEM_OK &&
                 *static_cast<const std::int64_t *>(event.result.data) == index * index;
        taken++;
    }

    void push(std::uint64_t end) {
        std::array<std::int64_t, batch> numbers;
        std::array<mape_span, batch> spans;
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(batch, end - pushed));
        if (count == 0) return;
        for (std::size_t i = 0; i < count; i++) {
            numbers[i] = static_cast<std::int64_t>(pushed + i);
            spans[i] = {&numbers[i], sizeof numbers[i]};
        }
        std::size_t accepted = 0;
        const int status = mape_stream_push(&accepted, handle, spans.data(), count);
        if (status != MAPE_E_AGAIN) pool.expect(status, "mape_stream_push");
        pushed += accepted;
    }

    const Pool &pool;
    mape_job *handle = nullptr;
    std::uint64_t pushed = 0, taken = 0;
    bool right = true;
};

std::uint64_t resident_together(const Pool &pool) {
    std::uint64_t sum = resident("self");
    for (std::uint32_t i = 0; i < work::workers; i++) sum += resident(std::to_string(pool.worker_pid(i)));
    return sum;
}

void stream(benchmark::State &state) {
    Pool pool;
    measure::Samples samples(state);
    std::uint64_t early = 0, late = 0;
    for (auto _ : state) {
        Stream stream(pool);
        double seconds = measure::seconds([&] { stream.run(first_part, batch); });
        early = resident_together(pool);
        seconds += measure::seconds([&] { stream.run(total, 0); });
        late = resident_together(pool);
        samples.add(seconds);
        if (!stream.is_right()) return measure::wrong(state);
    }
    samples.report_nanoseconds(static_cast<double>(total));
    state.counters["growth"] = (static_cast<double>(late) - static_cast<double>(early)) / 1024;
}

BENCH_ROW(stream)->Iterations(1);

} // namespace
