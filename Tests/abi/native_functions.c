/* native_functions.c - plain C functions for typed calls: they know nothing of MapEngine, but for the setup at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "native_functions.h"

#include "workers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double native_half(double x) { return x / 2; }

struct vector native_cross(struct vector a, struct vector b) {
    return (struct vector){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

/* Also called with no array at all. */
__attribute__((no_sanitize("undefined"))) int native_sum(const double *v, size_t n, double *out) {
    *out = 0;
    for (size_t i = 0; i < n; i++) *out += v[i];
    return (int)n;
}

int native_sum_signed(const double *v, int8_t n) {
    double sum = 0;
    if (!v) return -1;
    for (int i = 0; i < n; i++) sum += v[i];
    return (int)sum;
}

static int ascending(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

void native_sort(int v[8]) { qsort(v, 8, sizeof *v, ascending); }

void native_repeat(char c, unsigned short n, char *out, int *twice) {
    memset(out, c, n);
    *twice = 2 * n;
}

void native_scribble(int n, uint64_t offset, uint64_t size, char *out) {
    memset(out, 'o', (size_t)n);
    if (offset) memcpy(out - 16, (uint64_t[]){offset, size}, 16);
}

int native_length(const char *text) { return text ? (int)strlen(text) : -1; }

const char *native_name(int code) {
    static const char *names[] = {"", "one", "two", "a name that is longer than its place"};
    return code < 0 || code > 3 ? NULL : names[code];
}

int native_errno(int value) {
    if (value) errno = value;
    return -value;
}

int native_act(int what, int value) {
    switch (what) {
    case ACT_NULL: return *(volatile int *)0;
    case ACT_EXIT: exit(value);
    case ACT_LOOP:
        for (volatile int forever = 1; forever;) {}
        break;
    case ACT_ABORT: abort();
    default: break;
    }
    return value * 3;
}

int native_count(const void *data, size_t size, unsigned char byte) {
    int count = 0;
    for (size_t i = 0; i < size; i++) count += ((const unsigned char *)data)[i] == byte;
    return count;
}

int64_t native_sum_behind(int count, ...) {
    int64_t sum = 0;
    va_list list;
    va_start(list, count);
    for (int i = 0; i < count; i++) sum += va_arg(list, int64_t) + (int64_t)va_arg(list, double);
    va_end(list);
    return sum;
}

void native_nothing(void) {}

struct largest native_next(struct largest all) {
    for (size_t i = 0; i < sizeof all.bytes; i++) all.bytes[i]++;
    return all;
}

int native_pid(void) { return getpid(); }

long native_wait(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
    return milliseconds;
}

static int setups;
int native_setups(void) { return setups; }

int native_set_up(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)task, (void)data, (void)size, (void)out_state;
    setups++;
    return 0;
}
