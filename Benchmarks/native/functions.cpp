// What MapEngine's workers run. EXEC pools load it as a plugin's library.
#include <mapengine.h>

#include <ctime>
#include <unistd.h>

#include "functions.h"
#include "work.h"

namespace {

template <typename Value> int answer(mape_task *task, Value value) {
    auto *result = static_cast<Value *>(mape_task_output(task, sizeof value));
    if (result) *result = value;
    return 0;
}

} // namespace

extern "C" {

int bench_square(mape_task *task, void *, const void *input, size_t) {
    return answer(task, work::square(*static_cast<const int64_t *>(input)));
}

int bench_squares(mape_task *task, void *, const mape_range *range) {
    auto *results = static_cast<int64_t *>(mape_task_output_range(task, sizeof(int64_t)));
    if (results) work::squares(static_cast<const int64_t *>(range->base), results, range->count);
    return 0;
}

double bench_line(double x) { return work::line(x); }
int64_t bench_plain_square(int64_t number) { return work::square(number); }

int bench_sum(mape_task *task, void *, const void *input, size_t size) { return answer(task, work::sum(input, size)); }

int bench_fill(mape_task *task, void *, const void *input, size_t) {
    void *result = mape_task_output(task, work::payload_size);
    if (result) work::fill(result, work::payload_size, *static_cast<const uint64_t *>(input));
    return 0;
}

int bench_walk(mape_task *task, void *, const void *input, size_t) {
    return answer(task, work::walk(*static_cast<const work::Steps *>(input)));
}

int bench_nothing(mape_task *, void *, const void *, size_t) { return 0; }

int bench_who(mape_task *task, void *, const void *, size_t) { return answer(task, static_cast<int32_t>(getpid())); }

int bench_hold(mape_task *, void *, const void *input, size_t) {
    // The flag lies in a mape_buffer, which the host changes while this runs; hence volatile.
    const auto *released = &static_cast<const volatile functions::Hold *>(input)->released;
    const timespec moment{0, 500'000};
    while (*released == 0) nanosleep(&moment, nullptr);
    return 0;
}

} // extern "C"
