/* native_functions.h - plain C functions for typed calls: they know nothing of MapEngine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef NATIVE_FUNCTIONS_H
#define NATIVE_FUNCTIONS_H

#include <stddef.h>
#include <stdint.h>

struct vector {
    double x, y, z;
};
/** What native_act does, by its argument. */
enum { ACT_WELL, ACT_NULL, ACT_EXIT, ACT_LOOP, ACT_ABORT };

double native_half(double x);
struct vector native_cross(struct vector a, struct vector b);
int native_sum(const double *v, size_t n, double *out);
int native_sum_signed(const double *v, int8_t n);
void native_sort(int v[8]);
void native_repeat(char c, unsigned short n, char *out, int *twice);
/** Writes other numbers over the 16 bytes before `out`, where its record says where `out` is. */
void native_scribble(int n, uint64_t offset, uint64_t size, char *out);
int native_length(const char *text);
const char *native_name(int code);
int native_errno(int value);
int native_act(int what, int value);
int native_count(const void *data, size_t size, unsigned char byte);
int64_t native_sum_behind(int count, ...);
void native_nothing(void);
/** As large as structures can be: every byte one more. */
struct largest {
    unsigned char bytes[65536];
};
struct largest native_next(struct largest all);
int native_pid(void);
long native_wait(long milliseconds);
/** How often native_set_up was called in this process. */
int native_setups(void);

#endif
