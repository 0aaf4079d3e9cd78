/* fork_crash.h - what the handlers of crashes and their steps share: fork_crash.c, fork_crash_steps.c */
#ifndef MAPB_LINUX_FORK_CRASH_H
#define MAPB_LINUX_FORK_CRASH_H

#include "system.h"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

/** All state of the crash that is being handled. */
struct mapb_crashing {
    mapb_crash *record;
    int32_t pid; /* The worker's: a child that it forks has the handlers, but not the record. */
    int32_t thread;
    uint32_t depth; /* Handlers that have begun. */
    volatile int step;
    volatile int can_jump;
    int signal;
    siginfo_t info;
    ucontext_t *context;
    uintptr_t base; /* Frames of the worker's thread at or above it are not the user's. */
    sigjmp_buf back;
    uintptr_t target; /* The walk counts from the frame at this pc. */
    int is_seen;
    int skipped;
};
extern struct mapb_crashing mapb_crashing __attribute__((visibility("hidden")));

/* ---- registers ---- */

#if defined(__x86_64__)
static inline uint64_t *register_pc(ucontext_t *u) { return (uint64_t *)&u->uc_mcontext.gregs[REG_RIP]; }
static inline uint64_t *register_sp(ucontext_t *u) { return (uint64_t *)&u->uc_mcontext.gregs[REG_RSP]; }
/* As if the function that was called had returned at once: a call pushes where it came from. */
static inline void return_at_once(ucontext_t *u) {
    uint64_t *sp = register_sp(u);
    *register_pc(u) = *(const uint64_t *)*sp;
    *sp += 8;
}
#elif defined(__aarch64__)
static inline uint64_t *register_pc(ucontext_t *u) { return (uint64_t *)&u->uc_mcontext.pc; }
static inline uint64_t *register_sp(ucontext_t *u) { return (uint64_t *)&u->uc_mcontext.sp; }
static inline void return_at_once(ucontext_t *u) { *register_pc(u) = u->uc_mcontext.regs[30]; }
#else
#error "no way to read the registers of this processor"
#endif

/* ---- the steps: fork_crash_steps.c ---- */

void mapb_crash_add_frame(uintptr_t pc);
void mapb_crash_walk(void);
void mapb_crash_walk_from_caller(void);
void mapb_crash_find_modules(void);
void mapb_crash_find_symbols(void);

#endif
