/* work.c - what workers do while a host is measured (Tests/hosts/measure.py)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <string.h>
#include <time.h>

enum { ITEM_NS = 5000000 };

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* The square of a double, after 5 ms of a busy processor. A number below zero crashes, and one of a million or more is never done: only a
 * cancel ends it, so that a job which has one is always caught in the middle. */
int work_square(mape_task *task, void *state, const void *input, size_t size) {
    double value, *square;
    const int64_t end = now() + ITEM_NS;
    (void)state;
    if (size != sizeof value) return mape_task_fail(task, 1, "the item is no double");
    memcpy(&value, input, sizeof value);
    if (value < 0) {
        volatile int *volatile nowhere = NULL;
        *nowhere = 1;
    }
    while (value >= 1e6 || now() < end)
        if (mape_task_cancelled(task)) return 1;
    square = mape_task_output(task, sizeof *square);
    if (square) *square = value * value;
    return 0;
}
