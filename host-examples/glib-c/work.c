/* work.c - what workers run: a library of its own, so that workers load it without the host
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "work.h"

#include <mapengine.h>
#include <string.h>
#include <time.h>

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Stands for real work: 5 ms of a processor. */
int run_work(mape_task *task, void *state, const void *input, size_t size) {
    struct work work;
    (void)state;
    if (size != sizeof work) return mape_task_fail(task, 1, "the item is no struct work");
    memcpy(&work, input, sizeof work);
    volatile uint32_t *volatile nowhere = NULL;
    if (work.crashes) *nowhere = 1;
    for (double begun = seconds(); seconds() < begun + 0.005;) continue;
    uint32_t *result = mape_task_output(task, sizeof *result);
    if (result) *result = work.number * work.number;
    return 0;
}
