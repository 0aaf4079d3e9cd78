/* functions.c - what the traced pool runs: items that end as they say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <stdint.h>
#include <time.h>

struct item {
    int32_t way; /* 0: ends well, 1: fails, 2: reads from address 8. */
    int32_t milliseconds;
};

static int ends_badly(volatile const int32_t *nowhere) { return *nowhere; }

int run_item(mape_task *task, void *state, const void *input, size_t size) {
    const struct item *item = input;
    struct timespec left = {item->milliseconds / 1000, item->milliseconds % 1000 * 1000000};
    (void)state, (void)size;
    while (item->milliseconds > 0 && nanosleep(&left, &left) != 0) {}
    if (item->way == 1) return mape_task_fail(task, 7, "as it was told");
    return item->way == 2 ? ends_badly((const int32_t *)8) : 0;
}

int run_sum(mape_task *task, void *state, const void *input, size_t size) {
    uint64_t *sum = mape_task_output(task, sizeof *sum);
    (void)state;
    for (size_t i = 0; sum != NULL && i < size; i++) *sum = (i ? *sum : 0) + ((const uint8_t *)input)[i];
    return 0;
}

int set_up(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)task, (void)data, (void)size, (void)out_state;
    return 0;
}
