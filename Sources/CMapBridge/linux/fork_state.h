/* fork_state.h - what noting, restoring and looking share: fork_state.c, fork_state_look.c */
#ifndef MAPB_LINUX_FORK_STATE_H
#define MAPB_LINUX_FORK_STATE_H

#include "fork_state_calls.h"

#include <locale.h>
#include <sched.h>

#define MASK_BYTES 8  /* Of a sigset_t, which has room for 1,024 signals: what the kernel fills. */
#define TIMERS     64 /* POSIX timers that are looked after. */
#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

/** What a setup leaves to its function. */
struct mapb_own {
    mapb_floating floating;
    mode_t umask;
    sigset_t mask;
    locale_t thread_locale;
    mapb_inode folder;
    char locale[512];
    char path[4096];
};

/* Each costs a system call per change of function, so here is what can change another function's result, or end it. */
static const int limits[] = {RLIMIT_AS, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_NOFILE};
static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGCHLD, SIGPIPE, SIGALRM};
#define LIMITS  (sizeof limits / sizeof limits[0])
#define SIGNALS (sizeof signals / sizeof signals[0])

/** What has been noted, and seen since. */
struct mapb_state {
    struct mapb_own birth; /* What the worker began with. */
    /* What checks have found since user code ran. */
    struct {
        unsigned next; /* The next check. */
        int is_changed;
        unsigned ahead; /* For how many more ranges the worker checks while it waits. */
        sigset_t mask;
        char path[sizeof((struct mapb_own *)0)->path];
    } seen;
    struct {
        int is_noted;
        struct sigaction actions[SIGNALS];
        stack_t stack;
        struct rlimit limits[LIMITS];
        mapb_inode root, standard[3];
        mapb_ids ids;
        pid_t group;
        cpu_set_t processors;
        int priority, death_signal, subreaper;
        int is_privileged; /* It could change its ids and its root. */
        int tells_timer;   /* 1: the kernel numbers a timer and then refuses it, so its number is known. */
        int timer;         /* Timers from this number on were made since. */
        int timers[TIMERS];
        int timer_count;
        int has_run; /* The user's code, since timers were looked at. */
    } base;
};
extern struct mapb_state mapb_state __attribute__((visibility("hidden")));

/* ---- the same as noted? ---- */

/* The number that the next timer gets: they are counted up (timer_create in kernel/time/posix-timers.c), and the list of them has to
 * be asked for in /proc, which takes longer. */
static inline int next_timer(void) {
    return number_timer(mapb_state.base.tells_timer ? CLOCK_OF_NOBODY : CLOCK_MONOTONIC);
}

static inline int is_same_action(const struct sigaction *now, const struct sigaction *then) {
    /* The C library sets SA_RESTORER in each call. */
    return now->sa_handler == then->sa_handler && ((now->sa_flags ^ then->sa_flags) & ~SA_RESTORER) == 0;
}

static inline int is_same_stack(const stack_t *now) {
    return now->ss_sp == mapb_state.base.stack.ss_sp && now->ss_flags == mapb_state.base.stack.ss_flags;
}

static inline int is_same_limit(size_t i) {
    struct rlimit now;
    if (!limit_of(limits[i], &now)) return 1;
    return now.rlim_cur == mapb_state.base.limits[i].rlim_cur && now.rlim_max == mapb_state.base.limits[i].rlim_max;
}

static inline int has_same_ids(void) {
    if (!mapb_state.base.is_privileged) return 1;
    const mapb_ids ids = ids_now();
    return memcmp(&ids, &mapb_state.base.ids, sizeof ids) == 0;
}

/* ---- looking: fork_state_look.c ---- */

/** What looks have found is void: the user's code has run since. */
void mapb_state_look_again(void);
/** Whether nothing has changed but what a function's own state is made of. Does the looks that are still to be done. */
int mapb_state_is_as_noted(int is_suspect);

#endif
