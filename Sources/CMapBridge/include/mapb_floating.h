/* mapb_floating.h - how a thread computes with floating-point numbers: rounding, traps, denormals
 *
 * Read and set directly, because fegetenv(3) and fesetenv(3) take four times as long and cover half of it.
 */
#ifndef MAPB_FLOATING_H
#define MAPB_FLOATING_H

#include "mapb_layout.h"

typedef struct mapb_floating {
    uint32_t mode; /* MXCSR, or FPCR; without the flags of what has happened. */
    uint16_t x87;
} mapb_floating;

#if defined(__x86_64__)

#define MAPB_MXCSR_FLAGS 0x3fu

MAPB_FORK_SAFE static inline void mapb_floating_get(mapb_floating *out) {
    uint32_t mode;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mode), "=m"(x87));
    out->mode = mode & ~MAPB_MXCSR_FLAGS;
    out->x87 = x87;
}

/** Sets it, with no flag raised and the x87 registers free (a function that uses MMX may forget to say so). */
MAPB_FORK_SAFE static inline void mapb_floating_set(const mapb_floating *wanted) {
    uint16_t x87, state;
    __asm__ volatile("cld\n\temms\n\tldmxcsr %0" : : "m"(wanted->mode) : "cc");
    __asm__ volatile("fnstcw %0\n\tfnstsw %1" : "=m"(x87), "=m"(state));
    if (x87 != wanted->x87 || state != 0) __asm__ volatile("fninit\n\tfldcw %0" : : "m"(wanted->x87));
}

#else

MAPB_FORK_SAFE static inline void mapb_floating_get(mapb_floating *out) {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    out->mode = (uint32_t)mode;
    out->x87 = 0;
}

MAPB_FORK_SAFE static inline void mapb_floating_set(const mapb_floating *wanted) {
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, xzr" : : "r"((uint64_t)wanted->mode));
}

#endif

MAPB_FORK_SAFE static inline int mapb_floating_is_same(const mapb_floating *a, const mapb_floating *b) {
    return a->mode == b->mode && a->x87 == b->x87;
}

#endif
