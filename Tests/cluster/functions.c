/* functions.c - what the tests of many machines run. Allowed on nodes as a module.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void rest(long microseconds) {
    struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&time, NULL);
}

static double number(const void *input) {
    double value;
    memcpy(&value, input, sizeof value);
    return value;
}

static int give(mape_task *task, double value) {
    double *out = mape_task_output(task, sizeof *out);
    if (!out) return 1;
    *out = value;
    return 0;
}

/** x * x. */
int square(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    return give(task, number(input) * number(input));
}

/** x * x, after a millisecond. */
int slow_square(mape_task *task, void *state, const void *input, size_t size) {
    rest(1000);
    return square(task, state, input, size);
}

/** x * x, after 200 ms, or as soon as the job is cancelled. */
int very_slow_square(mape_task *task, void *state, const void *input, size_t size) {
    for (int i = 0; i < 200 && !mape_task_cancelled(task); i++) rest(1000);
    return square(task, state, input, size);
}

/** x * x; every 1000th is poison, and hangs where x is 500 more than that. */
int poison(mape_task *task, void *state, const void *input, size_t size) {
    const long i = (long)number(input);
    rest(1000);
    if (i % 1000 == 13) raise(SIGSEGV);
    return square(task, state, input, size);
}

int hangs(mape_task *task, void *state, const void *input, size_t size) {
    if ((long)number(input) == 13) rest(600000000);
    return square(task, state, input, size);
}

/** Prints, logs, and tells standard error. */
int talks(mape_task *task, void *state, const void *input, size_t size) {
    printf("item %ld prints\n", (long)number(input));
    fflush(stdout);
    fprintf(stderr, "item %ld complains\n", (long)number(input));
    mape_task_log(task, MAPE_LOG_INFO, "an item logs");
    return square(task, state, input, size);
}

/** Results of any size, failures with text and data, empty results. */
int various(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    const unsigned char *bytes = input;
    unsigned sum = (unsigned)size;
    for (size_t i = 0; i < size; i++) sum = sum * 31 + bytes[i];
    if (sum % 7 == 0) return 0;
    unsigned char *out = mape_task_output(task, size + sum % 5 + 1);
    if (!out) return 1;
    for (size_t i = 0; i < size + sum % 5 + 1; i++) out[i] = (unsigned char)(sum + i);
    mape_task_mark(task, sum);
    char text[64];
    snprintf(text, sizeof text, "sum %u, \xc3\xa4\xff", sum);
    return sum % 11 == 0 ? mape_task_fail(task, (int)(sum % 100) - 50, text) : 0;
}

/** All pieces, joined, each behind its size. */
int pieces(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    size_t total = 0, at = 0;
    for (size_t k = 0; k < mape_task_pieces(task); k++) {
        size_t one;
        mape_task_piece(&one, task, k);
        total += one + 1;
    }
    unsigned char *out = mape_task_output(task, total);
    for (size_t k = 0; out && k < mape_task_pieces(task); k++) {
        size_t one;
        const void *piece = mape_task_piece(&one, task, k);
        out[at++] = (unsigned char)one;
        memcpy(out + at, piece, one);
        at += one;
    }
    return 0;
}

/** setup: the function's data, times a global as of the setup. */
struct factor {
    double value;
};
int factor_setup(mape_task *task, const void *data, size_t size, void **out_state) {
    struct factor *made = malloc(sizeof *made);
    if (size != sizeof(double) || !made) return mape_task_fail(task, 3, "no factor");
    made->value = number(data);
    *out_state = made;
    return 0;
}
void factor_cleanup(mape_task *task, void *state) {
    (void)task;
    free(state);
}
/** x times the factor, plus the global "offset", plus the first number of the job's data. */
int scale(mape_task *task, void *state, const void *input, size_t size) {
    (void)size;
    size_t bytes = 0;
    const void *offset = mape_task_global(&bytes, task, "offset");
    double value = number(input) * ((struct factor *)state)->value;
    if (offset && bytes == sizeof(double)) value += number(offset);
    const void *data = mape_task_job_data(&bytes, task);
    if (data && bytes >= sizeof(double)) value += number(data);
    return give(task, value);
}
int bad_setup(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)data, (void)size, (void)out_state;
    return mape_task_fail(task, 5, "this setup fails");
}

/** Leaves a file in the folder that MAPE_TEST_NOTES names: KIND.PID. */
static int note(const char *kind) {
    char path[512];
    const char *folder = getenv("MAPE_TEST_NOTES");
    snprintf(path, sizeof path, "%s/%s.%d", folder ? folder : "/nowhere", kind, (int)getpid());
    FILE *file = fopen(path, "w");
    return file ? fclose(file) : 1;
}
int noted_setup(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)data, (void)size, (void)out_state;
    return note("setup") ? mape_task_fail(task, 4, "no note") : 0;
}
void noted_cleanup(mape_task *task, void *state) {
    (void)task, (void)state;
    note("cleanup");
}

/** A range at once; items of it fail. */
int range_square(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    double *out = mape_task_output_range(task, sizeof *out);
    if (!out) return 1;
    for (size_t i = 0; i < range->count; i++) {
        double value;
        memcpy(&value, (const char *)range->base + i * range->stride, sizeof value);
        out[i] = value * value;
    }
    return 0;
}
/** x, and the index of the item. */
int indexed(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    return give(task, number(input) * 1e6 + (double)mape_task_index(task));
}
int range_indexed(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    double *out = mape_task_output_range(task, sizeof *out);
    for (size_t i = 0; out && i < range->count; i++) out[i] = (double)(range->first + i);
    return out ? 0 : 1;
}

/** A range, item by item; every third fails. */
int range_begins(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    for (size_t i = 0; i < range->count; i++) {
        const void *item = mape_task_begin(NULL, task, i);
        if (!item) return 0;
        const double value = number(item);
        give(task, value + 1);
        if ((long)(value / 1.25) % 3 == 2) mape_task_fail(task, 9, "every third");
    }
    return 0;
}

/** A megabyte, turned round. */
int turned(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    unsigned char *out = mape_task_output(task, size);
    if (!out) return 1;
    for (size_t i = 0; i < size; i++) out[i] = ((const unsigned char *)input)[size - 1 - i];
    return 0;
}

/** A typed function: arrays whose length is a parameter, texts, a structure. */
typedef struct {
    double x, y;
} point;
double weighted(int count, const double *values, const char *name, point at) {
    double sum = at.x * 100 + at.y;
    for (int i = 0; i < count; i++) sum += values[i];
    return sum + (name ? (double)strlen(name) * 1000 : 0);
}
