/* fork_state.c - what a worker's functions leave behind in their process, other than memory
 *
 * Runs between fork and the user's function: see mapb_forksafe.h for what may be called here.
 *
 * A worker notes the state of its process when it begins, and after each setup and module:
 *
 *   its own       floating point, signal mask, umask, folder, locale: noted for the function whose setup it was, and found by that
 *                 function alone. Functions without a setup find the state that the worker began with.
 *   the process's signal handlers, limits, standard files, ids, root, ...: what a setup makes of them is for all functions, since
 *                 handlers for example come with code that others may call as well.
 *
 * mapb_state_enter, called when a worker goes on to another function, undoes what items have changed since. What cannot be undone
 * has a name, and the worker gives up its place. Nothing here is done per item, and between ranges of one function only the
 * floating-point state is set (mapb_state_range).
 *
 * To look takes some thirty system calls, several µs. Nothing of the user's runs between a reply and the next request, so a worker
 * that has lately gone from function to function looks while it waits (mapb_state_look), one call at a time until the request is
 * there. Looking changes nothing, since the next request may be of the same function, which is to find what it has left. What has
 * not been looked at by then is looked at in mapb_state_enter; where anything has changed, all is restored.
 */
#include "fork_state_calls.h"

#include <errno.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

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

/* A worker that has gone on to another function looks ahead for so many ranges. */
#define LOOKS_AHEAD 16

static struct mapb_own birth;
/* What looks have found since the user's code ran. */
static struct {
    unsigned next; /* The look to come. */
    int is_changed;
    unsigned ahead; /* Ranges for which the worker looks while it waits. */
    sigset_t mask;
    char path[sizeof birth.path];
} seen;
static struct {
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
    int tells_timer;   /* A timer that cannot be made tells its number. */
    int timer;         /* Timers from this number on were made since. */
    int timers[TIMERS];
    int timer_count;
    int has_run; /* The user's code, since timers were looked at. */
} base;

/* The number that the next timer gets: they are counted up (timer_create in kernel/time/posix-timers.c), and the list of them has to
 * be asked for in /proc, which takes longer. */
static int next_timer(void) { return number_timer(base.tells_timer ? CLOCK_OF_NOBODY : CLOCK_MONOTONIC); }

static void note_timers(void) {
    const int told = number_timer(CLOCK_OF_NOBODY);
    base.timer = number_timer(CLOCK_MONOTONIC);
    base.tells_timer = told >= 0 && base.timer == told + 1;
    base.timer_count = 0;
}

/* ---- noting ---- */

static void look_again(void) {
    seen.next = 0;
    seen.is_changed = 0;
}

static void note_own(struct mapb_own *own) {
    const char *name = setlocale(LC_ALL, NULL);
    mapb_floating_get(&own->floating);
    own->umask = umask(0);
    umask(own->umask);
    sigprocmask(SIG_SETMASK, NULL, &own->mask);
    own->thread_locale = uselocale((locale_t)0);
    own->folder = place_of(".");
    own->locale[0] = own->path[0] = 0;
    if (name && strlen(name) < sizeof own->locale) memcpy(own->locale, name, strlen(name) + 1);
    if (syscall(SYS_getcwd, own->path, sizeof own->path) <= 0) own->path[0] = 0;
}

static int is_as_birth(const struct mapb_own *own) {
    return own->umask == birth.umask && own->thread_locale == birth.thread_locale &&
           memcmp(&own->mask, &birth.mask, MASK_BYTES) == 0 && is_same(own->folder, birth.folder) &&
           strcmp(own->locale, birth.locale) == 0 && mapb_floating_is_same(&own->floating, &birth.floating);
}

static void note_process(void) {
    for (size_t i = 0; i < SIGNALS; i++) sigaction(signals[i], NULL, &base.actions[i]);
    sigaltstack(NULL, &base.stack);
    for (size_t i = 0; i < LIMITS; i++) limit_of(limits[i], &base.limits[i]);
    base.root = place_of("/");
    for (int fd = 0; fd < 3; fd++) base.standard[fd] = place_of_file(fd);
    base.ids = ids_now();
    const uid_t *users = base.ids.users;
    const gid_t *groups = base.ids.groups;
    base.is_privileged = users[1] == 0 || users[0] != users[1] || users[1] != users[2] || groups[0] != groups[1] ||
                         groups[1] != groups[2];
    base.group = getpgrp();
    base.priority = getpriority(PRIO_PROCESS, 0);
    if (sched_getaffinity(0, sizeof base.processors, &base.processors) != 0) CPU_ZERO(&base.processors);
    base.death_signal = control(PR_GET_PDEATHSIG);
    base.subreaper = control(PR_GET_CHILD_SUBREAPER);
    base.is_noted = 1;
    look_again();
}

void mapb_state_begin(void) {
    note_own(&birth);
    note_process();
    note_timers();
}

void mapb_state_again(void) {
    if (base.is_noted) mapb_state_begin();
}

void mapb_state_setup_ended(mapb_own **out) {
    static struct mapb_own own;
    if (!base.is_noted) return;
    base.has_run = 1;
    note_process();
    note_own(&own);
    *out = is_as_birth(&own) ? NULL : mapb_private_memory(sizeof own);
    if (*out) **out = own;
}

/* ---- restoring ---- */

/* Those that ran out while they were blocked go by being ignored for a moment (sigaction(2)); then they can be let in. */
static void drop_pending(const sigset_t *wanted) {
    sigset_t pending;
    struct sigaction ignore;
    if (sigpending(&pending) != 0) return;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    for (int number = 1; number < _NSIG; number++) {
        if (sigismember(&pending, number) != 1 || sigismember(wanted, number) == 1) continue;
        struct sigaction before;
        if (sigaction(number, &ignore, &before) == 0) sigaction(number, &before, NULL);
    }
}

static int is_same_action(const struct sigaction *now, const struct sigaction *then) {
    /* The C library sets SA_RESTORER in each call. */
    return now->sa_handler == then->sa_handler && ((now->sa_flags ^ then->sa_flags) & ~SA_RESTORER) == 0;
}

static int is_same_stack(const stack_t *now) {
    return now->ss_sp == base.stack.ss_sp && now->ss_flags == base.stack.ss_flags;
}

static void restore_signals(const sigset_t *mask) {
    struct sigaction now;
    sigset_t blocked;
    stack_t stack;
    const int is_masked = sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 && memcmp(&blocked, mask, MASK_BYTES) != 0;
    if (is_masked) drop_pending(mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        if (sigaction(signals[i], NULL, &now) != 0) continue;
        if (!is_same_action(&now, &base.actions[i])) sigaction(signals[i], &base.actions[i], NULL);
    }
    if (sigaltstack(NULL, &stack) == 0 && !is_same_stack(&stack)) sigaltstack(&base.stack, NULL);
    if (is_masked) sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Off, and not away: a library may set its own again. */
static void stop_timers(void) {
    struct itimerspec off;
    int kept = 0, next = next_timer();
    memset(&off, 0, sizeof off);
    for (int i = 0; i < base.timer_count; i++)
        if (syscall(SYS_timer_settime, base.timers[i], 0, &off, NULL) == 0) base.timers[kept++] = base.timers[i];
    base.timer_count = kept;
    if (next < 0 || base.timer < 0) return;
    for (int timer = base.timer + 1; timer < next && timer - base.timer < 65536; timer++) {
        if (syscall(SYS_timer_settime, timer, 0, &off, NULL) != 0) continue;
        if (base.timer_count < TIMERS) base.timers[base.timer_count++] = timer;
    }
    base.timer = next;
}

static void stop_alarms(int all) {
    struct itimerval off;
    memset(&off, 0, sizeof off);
    setitimer(ITIMER_REAL, &off, NULL);
    if (!all) return;
    setitimer(ITIMER_VIRTUAL, &off, NULL);
    setitimer(ITIMER_PROF, &off, NULL);
}

void mapb_state_idle(void) {
    if (!base.has_run) return;
    base.has_run = 0;
    stop_alarms(0);
    stop_timers();
}

static int is_same_limit(size_t i) {
    struct rlimit now;
    if (!limit_of(limits[i], &now)) return 1;
    return now.rlim_cur == base.limits[i].rlim_cur && now.rlim_max == base.limits[i].rlim_max;
}

static int restore_limits(void) {
    for (size_t i = 0; i < LIMITS; i++) {
        if (is_same_limit(i)) continue;
        if (prlimit(0, limits[i], &base.limits[i], NULL) != 0) return 0;
    }
    return 1;
}

static int restore_locale(const struct mapb_own *own) {
    const char *name = setlocale(LC_ALL, NULL);
    if (name && own->locale[0] && strcmp(name, own->locale) != 0 && !setlocale(LC_ALL, own->locale)) return 0;
    if (uselocale((locale_t)0) != own->thread_locale) uselocale(own->thread_locale);
    return 1;
}

/* By its path, which is quicker to have than its number. */
static int restore_folder(const struct mapb_own *own) {
    char path[sizeof own->path];
    const long size = syscall(SYS_getcwd, path, sizeof path);
    if (size > 0 && strcmp(path, own->path) == 0) return 1;
    if (is_same(place_of("."), own->folder)) return 1; /* It was moved. */
    return own->path[0] == '/' && chdir(own->path) == 0 && is_same(place_of("."), own->folder);
}

static void restore_scheduling(void) {
    if (getpriority(PRIO_PROCESS, 0) != base.priority) setpriority(PRIO_PROCESS, 0, base.priority);
    cpu_set_t now;
    if (sched_getaffinity(0, sizeof now, &now) == 0 && memcmp(&now, &base.processors, sizeof now) != 0)
        sched_setaffinity(0, sizeof base.processors, &base.processors);
}

static void restore_controls(void) {
    if (control(PR_GET_PDEATHSIG) != base.death_signal) prctl(PR_SET_PDEATHSIG, base.death_signal, 0, 0, 0);
    if (control(PR_GET_CHILD_SUBREAPER) != base.subreaper) prctl(PR_SET_CHILD_SUBREAPER, base.subreaper, 0, 0, 0);
}

static int has_same_ids(void) {
    if (!base.is_privileged) return 1;
    const mapb_ids ids = ids_now();
    return memcmp(&ids, &base.ids, sizeof ids) == 0;
}

static int has_same_files(void) {
    for (int fd = 0; fd < 3; fd++)
        if (!is_same(place_of_file(fd), base.standard[fd])) return 0;
    return fileno(stdout) == 1 && fileno(stderr) == 2;
}

/* ---- looking ---- */

static int is_same_signal(size_t i) {
    struct sigaction now;
    return sigaction(signals[i], NULL, &now) != 0 || is_same_action(&now, &base.actions[i]);
}

static int is_same_alarm(int which) {
    struct itimerval now;
    memset(&now, 0, sizeof now);
    if (getitimer(which, &now) != 0) return 0;
    return now.it_value.tv_sec == 0 && now.it_value.tv_usec == 0;
}

static int is_same_timer(void) {
    const int next = next_timer();
    if (next != base.timer + 1 || base.timer_count > 0) return next < 0 && base.timer < 0;
    base.timer = next;
    return 1;
}

static int see_folder(void) {
    if (syscall(SYS_getcwd, seen.path, sizeof seen.path) <= 0) seen.path[0] = 0;
    return 1;
}

/* Those that a function's own state is compared with, which is not known yet, are only noted. */
enum look {
    LOOK_FOLDER,
    LOOK_MASK,
    LOOK_SIGNALS,
    LOOK_STACK = LOOK_SIGNALS + SIGNALS,
    LOOK_LIMITS,
    LOOK_FILES = LOOK_LIMITS + LIMITS,
    LOOK_PRIORITY = LOOK_FILES + 3,
    LOOK_PROCESSORS,
    LOOK_DEATH_SIGNAL,
    LOOK_SUBREAPER,
    LOOK_IDS,
    LOOK_ROOT,
    LOOK_GROUP,
    LOOK_ALARMS,
    LOOK_TIMER = LOOK_ALARMS + 3,
    LOOKS
};

/** One look, one system call (two for ids). @return whether all is as it was. */
static int is_unchanged(unsigned look) {
    cpu_set_t processors;
    stack_t stack;
    if (look >= LOOK_SIGNALS && look < LOOK_STACK) return is_same_signal(look - LOOK_SIGNALS);
    if (look >= LOOK_LIMITS && look < LOOK_FILES) return is_same_limit(look - LOOK_LIMITS);
    if (look >= LOOK_FILES && look < LOOK_PRIORITY)
        return is_same(place_of_file((int)(look - LOOK_FILES)), base.standard[look - LOOK_FILES]);
    if (look >= LOOK_ALARMS && look < LOOK_TIMER) return is_same_alarm((int)(look - LOOK_ALARMS));
    switch (look) {
    case LOOK_FOLDER: return see_folder();
    case LOOK_MASK: return sigprocmask(SIG_BLOCK, NULL, &seen.mask) == 0;
    case LOOK_STACK: return sigaltstack(NULL, &stack) != 0 || is_same_stack(&stack);
    case LOOK_PRIORITY: return getpriority(PRIO_PROCESS, 0) == base.priority;
    case LOOK_PROCESSORS:
        return sched_getaffinity(0, sizeof processors, &processors) != 0 ||
               memcmp(&processors, &base.processors, sizeof processors) == 0;
    case LOOK_DEATH_SIGNAL: return control(PR_GET_PDEATHSIG) == base.death_signal;
    case LOOK_SUBREAPER: return control(PR_GET_CHILD_SUBREAPER) == base.subreaper;
    case LOOK_IDS: return has_same_ids();
    case LOOK_ROOT: return !base.is_privileged || is_same(place_of("/"), base.root);
    case LOOK_GROUP: return getpgrp() == base.group;
    default: return is_same_timer();
    }
}

int mapb_state_look(void) {
    if (!base.is_noted || !seen.ahead || seen.is_changed || seen.next == LOOKS) return 0;
    seen.is_changed = !is_unchanged(seen.next++);
    return 1;
}

/** Whether nothing has changed but what a function's own state is made of. */
static int is_as_noted(int is_suspect) {
    const unsigned last = is_suspect ? LOOKS : LOOK_MASK + 1;
    while (!seen.is_changed && seen.next < last) seen.is_changed = !is_unchanged(seen.next++);
    return !seen.is_changed && fileno(stdout) == 1 && fileno(stderr) == 2;
}

static const char *restore_process(const struct mapb_own *own) {
    /* Timers first: they are not to run out any more when signals are let in again. */
    stop_alarms(1);
    stop_timers();
    restore_signals(&own->mask);
    restore_scheduling();
    restore_controls();
    if (!has_same_ids()) return "user or group ids";
    if (base.is_privileged && !is_same(place_of("/"), base.root)) return "the root folder";
    if (!has_same_files()) return "standard files";
    if (!restore_limits()) return "resource limits";
    if (getpgrp() != base.group && setpgid(0, base.group) != 0) return "the process group";
    return NULL;
}

const char *mapb_state_enter(const mapb_own *own, int is_suspect) {
    if (!base.is_noted) return NULL;
    if (!own) own = &birth;
    const int is_clean = is_as_noted(is_suspect);
    const char *what = is_clean ? NULL : restore_process(own);
    if (what) return what;
    if (is_clean && memcmp(&seen.mask, &own->mask, MASK_BYTES) != 0) restore_signals(&own->mask);
    umask(own->umask);
    if (!(is_clean && seen.path[0] && strcmp(seen.path, own->path) == 0) && !restore_folder(own))
        return "the working directory";
    if (!restore_locale(own)) return "the locale";
    seen.ahead = LOOKS_AHEAD;
    look_again();
    return NULL;
}

void mapb_state_enter_lightly(const mapb_own *own) {
    if (!base.is_noted) return;
    if (!own) own = &birth;
    if (uselocale((locale_t)0) != own->thread_locale) uselocale(own->thread_locale);
}

void mapb_state_range(const mapb_own *own) {
    if (!base.is_noted) return;
    base.has_run = 1;
    look_again();
    if (seen.ahead > 0) seen.ahead--;
    mapb_floating_set(own ? &own->floating : &birth.floating);
    errno = 0;
}

void mapb_retire_text(char text[MAPB_TEXT], const char *what) {
    snprintf(text, MAPB_TEXT, "a function has changed %s for good: another worker takes this one's place", what);
}
