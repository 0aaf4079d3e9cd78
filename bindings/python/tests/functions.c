// C functions that the tests call from Python.
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pair {
    int32_t a;
    double b;
};

double sum(const double *values, size_t count) {
    double total = 0;
    for (size_t i = 0; i < count; i++) total += values[i];
    return total;
}

void doubled(const int32_t *values, int32_t *out, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = 2 * values[i];
}

void dot3(const double *a, const double *b, double *out) { *out = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

void negate(int *values) {
    for (int i = 0; i < 4; i++) values[i] = -values[i];
}

struct pair swapped(struct pair given) {
    return (struct pair){(int32_t)given.b, given.a};
}

_Bool is_odd(int8_t value) { return value & 1; }

int fails_with(int code) {
    errno = code;
    return -1;
}

// Dies for 3.
int crash_at_3(int value) {
    if (value == 3) abort();
    return 10 * value;
}

// Sleeps for 7.
int sleep_at_7(int value) {
    if (value == 7) sleep(600);
    return value;
}

int length_of(const char *text) { return text == NULL ? -1 : (int)strlen(text); }

long process_id(int ignored) {
    (void)ignored;
    return getpid();
}
