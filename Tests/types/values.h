/* values.h - values from seeds, and seeds from values */
#include <complex.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define VALUE_BYTES_LONG_DOUBLE 10 /* The others are padding. */
#else
#define VALUE_BYTES_LONG_DOUBLE sizeof(long double)
#endif

/** splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). */
static inline uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline uint64_t mix(uint64_t h, const void *bytes, size_t size) {
    uint64_t word = 0;
    for (size_t at = 0; at < size; at += 8) {
        size_t left = size - at < 8 ? size - at : 8;
        word = 0;
        memcpy(&word, (const char *)bytes + at, left);
        h ^= word;
        h = next(&h);
    }
    return h;
}
