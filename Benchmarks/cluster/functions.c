/* functions.c - what the measurements of many machines run on nodes
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <string.h>
#include <time.h>

/** x * x. */
int square(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    double value;
    memcpy(&value, input, sizeof value);
    double *out = mape_task_output(task, sizeof *out);
    if (!out) return 1;
    *out = value * value;
    return 0;
}

static void sleep_a_millisecond(void) {
    const struct timespec time = {0, 1000000};
    nanosleep(&time, NULL);
}

/** x * x, after a millisecond. */
int rest(mape_task *task, void *state, const void *input, size_t size) {
    sleep_a_millisecond();
    return square(task, state, input, size);
}

/** The same bytes. */
int echo(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    void *out = mape_task_output(task, size);
    if (!out) return 1;
    memcpy(out, input, size);
    return 0;
}

/** The same bytes, after a millisecond. */
int rest_echo(mape_task *task, void *state, const void *input, size_t size) {
    sleep_a_millisecond();
    return echo(task, state, input, size);
}

/** The same bytes, after ten milliseconds: a range is one item, then. */
int rest_long(mape_task *task, void *state, const void *input, size_t size) {
    for (int i = 0; i < 10; i++) sleep_a_millisecond();
    return size == sizeof(double) ? square(task, state, input, size) : echo(task, state, input, size);
}
