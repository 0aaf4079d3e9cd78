/* worker_times.c - worker functions that take a known time, at least: for the tests of what the pool counts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "workers.h"

#include <string.h>
#include <time.h>

/** Sleeps for so many nanoseconds by the clock that the engine reads, or longer. Returns how long. */
static int64_t sleep_for(int64_t ns) {
    struct timespec began, end;
    clock_gettime(CLOCK_MONOTONIC, &began);
    end.tv_sec = began.tv_sec + (began.tv_nsec + ns) / 1000000000;
    end.tv_nsec = (began.tv_nsec + ns) % 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) != 0) {}
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (end.tv_sec - began.tv_sec) * 1000000000 + end.tv_nsec - began.tv_nsec;
}

/** As setup_shared, and takes 30 ms. */
int setup_shared_slowly(mape_task *task, const void *data, size_t size, void **out_state) {
    sleep_for(30000000);
    return setup_shared(task, data, size, out_state);
}

/** Input: int64_t, nanoseconds. Output: how long it slept. State: that of setup_shared, or NULL. */
int run_sleeps(mape_task *task, void *state, const void *input, size_t size) {
    struct shared *shared = state;
    int64_t ns = 0;
    memcpy(&ns, input, size < sizeof ns ? size : sizeof ns);
    if (shared != NULL) atomic_fetch_add(&shared->entered, 1);
    int64_t slept = sleep_for(ns);
    int64_t *output = mape_task_output(task, sizeof slept);
    if (output != NULL) *output = slept;
    if (shared != NULL) atomic_fetch_add(&shared->left, 1);
    return output == NULL;
}
