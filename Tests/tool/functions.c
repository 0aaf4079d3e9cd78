/* What the tests of the command line call: functions of each type, and ones that go wrong. */
#include <complex.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAME(name, type)                                                                                               \
    type same_##name(type x) { return x; }
SAME(bool, bool)
SAME(int8, int8_t)
SAME(uint8, uint8_t)
SAME(int16, int16_t)
SAME(uint16, uint16_t)
SAME(int32, int32_t)
SAME(uint32, uint32_t)
SAME(int64, int64_t)
SAME(uint64, uint64_t)
SAME(float32, float)
SAME(float64, double)
SAME(longdouble, long double)
SAME(complex64, float complex)
SAME(complex128, double complex)

double norm(const double *v) { return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

void scale(double *v, double factor) {
    for (int i = 0; i < 3; i++) v[i] *= factor;
}

long sum(const long *v, size_t n) {
    long total = 0;
    for (size_t i = 0; i < n; i++) total += v[i];
    return total;
}

void count_up(int *out, int n) {
    for (int i = 0; i < n; i++) out[i] = i + 1;
}

int length(const char *text) { return text ? (int)strlen(text) : -1; }

void greet(char *out, const char *name) { snprintf(out, 32, "Hi, \"%s\"", name); }

int crash_on(int x, int y) {
    if (x == y) abort();
    return 2 * x;
}

/* The first call with a path crashes, later ones do not. */
int crash_once(const char *path) {
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0) abort();
    return 7;
}

double hang_on_negative(double x) {
    while (x < 0) pause();
    return x;
}

int leave(int code) {
    if (code > 0) exit(code);
    return code;
}

int shout(int x) {
    printf("shouted %d\n", x);
    fflush(stdout);
    return x;
}

struct point {
    double x, y;
};
double reach(struct point p) { return hypot(p.x, p.y); }

const char *same_text(const char *text) { return text; }

/* Fills its place to the end, without a NUL when the text is that long. */
void place_text(char *out, const char *text) { memcpy(out, text, strnlen(text, 8)); }

/* Leaves bytes behind the end of its text. */
void leave_rubbish(char *out) { memcpy(out, "short\0rubbish", 13); }

void crash_text(char *out, int x) {
    if (x == 2) abort();
    snprintf(out, 16, "t%d", x);
}
