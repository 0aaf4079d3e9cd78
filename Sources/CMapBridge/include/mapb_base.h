/* mapb_base.h - the mark of what may run after a fork, and the atomics
 *
 * The zygote and the workers run Swift whose every function is @_noLocks, and C functions that bear the mark; nothing else. Those are in
 * the files named fork_*.c. They use what signal-safety(7) lists, and what glibc's fork() repairs in the child: malloc, stdio, the
 * loader's locks (glibc 2.36, sysdeps/nptl/fork.h and posix/fork.c). Tests/checks/fork_safe_symbols.txt lists all of it, and
 * fork_safety.sh holds the files to the list.
 */
#ifndef MAPB_BASE_H
#define MAPB_BASE_H

#include <stddef.h>
#include <stdint.h>

/** Marks a C function that may be called between fork and the user's function. The Swift compiler trusts the mark, so it
 *  belongs only on functions of fork_*.c and on inline ones without calls. */
#define MAPB_FORK_SAFE __attribute__((swift_attr("@_noLocks")))

/* C atomics are not imported into Swift: plain words and these. */

MAPB_FORK_SAFE static inline uint64_t mapb_load(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
MAPB_FORK_SAFE static inline void mapb_store(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
MAPB_FORK_SAFE static inline uint32_t mapb_load32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
MAPB_FORK_SAFE static inline void mapb_store32(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
MAPB_FORK_SAFE static inline uint64_t mapb_peek(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
MAPB_FORK_SAFE static inline uint32_t mapb_peek32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
MAPB_FORK_SAFE static inline void mapb_add32(uint32_t *p, uint32_t v) { __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); }
static inline void mapb_add(uint64_t *p, uint64_t v) { __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
/** Orders a store before a later load of another word (Dekker's pattern: announce, then check). */
MAPB_FORK_SAFE static inline void mapb_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
MAPB_FORK_SAFE static inline void mapb_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("yield");
#endif
}

#endif
