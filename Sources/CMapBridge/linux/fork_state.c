/* fork_state.c - what a worker's functions leave behind in their process, other than memory
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
 *
 * A worker notes the state of its process when it begins, and after each setup and module:
 *
 *   its own       floating point, signal mask, umask, folder, locale: noted for the function whose setup it was, and found by that
 *                 function alone. Functions without a setup find the state that the worker began with.
 *   the process's signal handlers, limits, standard files, ids, root, ...: what a setup makes of them is for all functions, since
 *                 handlers for example come with code that others may call as well.
 *
 * mapb_state_enter, called when a worker goes on to another function, undoes what items have changed since. If something cannot be
 * undone, the worker logs what it is and retires. Nothing here is done per item, and between ranges of one function only the
 * floating-point state is set (mapb_state_range).
 *
 * Checking takes some thirty system calls, several µs. No user code runs between a reply and the next request, so a worker that has
 * lately gone from function to function checks while it waits (mapb_state_look), one call at a time until the request is there. Checking
 * changes nothing, since the next request may be of the same function, which must find what it has left. mapb_state_enter makes the
 * remaining checks; if anything has changed, it restores everything.
 *
 * fork_state_look.c has the looks, fork_state_calls.h the calls by which parts of the state are had.
 */
#include "fork_state.h"

#include <errno.h>
#include <stdio.h>
#include <sys/time.h>

/* For how many ranges a worker checks ahead after it has gone on to another function. */
#define LOOKS_AHEAD 16

struct mapb_state mapb_state;

static void note_timers(void) {
    const int told = number_timer(CLOCK_OF_NOBODY);
    mapb_state.base.timer = number_timer(CLOCK_MONOTONIC);
    mapb_state.base.tells_timer = told >= 0 && mapb_state.base.timer == told + 1;
    mapb_state.base.timer_count = 0;
}

/* ---- noting ---- */

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
    return own->umask == mapb_state.birth.umask && own->thread_locale == mapb_state.birth.thread_locale &&
           memcmp(&own->mask, &mapb_state.birth.mask, MASK_BYTES) == 0 &&
           is_same(own->folder, mapb_state.birth.folder) && strcmp(own->locale, mapb_state.birth.locale) == 0 &&
           mapb_floating_is_same(&own->floating, &mapb_state.birth.floating);
}

static void note_process(void) {
    for (size_t i = 0; i < SIGNALS; i++) sigaction(signals[i], NULL, &mapb_state.base.actions[i]);
    sigaltstack(NULL, &mapb_state.base.stack);
    for (size_t i = 0; i < LIMITS; i++) limit_of(limits[i], &mapb_state.base.limits[i]);
    mapb_state.base.root = place_of("/");
    for (int fd = 0; fd < 3; fd++) mapb_state.base.standard[fd] = place_of_file(fd);
    mapb_state.base.ids = ids_now();
    const uid_t *users = mapb_state.base.ids.users;
    const gid_t *groups = mapb_state.base.ids.groups;
    mapb_state.base.is_privileged = users[1] == 0 || users[0] != users[1] || users[1] != users[2] ||
                                    groups[0] != groups[1] || groups[1] != groups[2];
    mapb_state.base.group = getpgrp();
    mapb_state.base.priority = getpriority(PRIO_PROCESS, 0);
    if (sched_getaffinity(0, sizeof mapb_state.base.processors, &mapb_state.base.processors) != 0)
        CPU_ZERO(&mapb_state.base.processors);
    mapb_state.base.death_signal = control(PR_GET_PDEATHSIG);
    mapb_state.base.subreaper = control(PR_GET_CHILD_SUBREAPER);
    mapb_state.base.is_noted = 1;
    mapb_state_look_again();
}

void mapb_state_begin(void) {
    note_own(&mapb_state.birth);
    note_process();
    note_timers();
}

void mapb_state_again(void) {
    if (mapb_state.base.is_noted) mapb_state_begin();
}

void mapb_state_setup_ended(mapb_own **out) {
    static struct mapb_own own;
    if (!mapb_state.base.is_noted) return;
    mapb_state.base.has_run = 1;
    note_process();
    note_own(&own);
    *out = is_as_birth(&own) ? NULL : mapb_private_memory(sizeof own);
    if (*out) **out = own;
}

void mapb_state_forget(mapb_own **own) {
    if (*own) mapb_private_memory_free(*own, sizeof **own);
    *own = NULL;
}

/* ---- restoring ---- */

/* Pending signals are discarded by ignoring them for a moment (sigaction(2)); then they can be unblocked. */
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

static void restore_signals(const sigset_t *mask) {
    struct sigaction now;
    sigset_t blocked;
    stack_t stack;
    const int is_masked = sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 && memcmp(&blocked, mask, MASK_BYTES) != 0;
    if (is_masked) drop_pending(mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        if (sigaction(signals[i], NULL, &now) != 0) continue;
        if (!is_same_action(&now, &mapb_state.base.actions[i]))
            sigaction(signals[i], &mapb_state.base.actions[i], NULL);
    }
    if (sigaltstack(NULL, &stack) == 0 && !is_same_stack(&stack)) sigaltstack(&mapb_state.base.stack, NULL);
    if (is_masked) sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Stopped, and not deleted: a library may set its timer again. */
static void stop_timers(void) {
    struct itimerspec off;
    int kept = 0, next = next_timer();
    memset(&off, 0, sizeof off);
    for (int i = 0; i < mapb_state.base.timer_count; i++)
        if (syscall(SYS_timer_settime, mapb_state.base.timers[i], 0, &off, NULL) == 0)
            mapb_state.base.timers[kept++] = mapb_state.base.timers[i];
    mapb_state.base.timer_count = kept;
    if (next < 0 || mapb_state.base.timer < 0) return;
    for (int timer = mapb_state.base.timer + 1; timer < next && timer - mapb_state.base.timer < 65536; timer++) {
        if (syscall(SYS_timer_settime, timer, 0, &off, NULL) != 0) continue;
        if (mapb_state.base.timer_count < TIMERS) mapb_state.base.timers[mapb_state.base.timer_count++] = timer;
    }
    mapb_state.base.timer = next;
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
    if (!mapb_state.base.has_run) return;
    mapb_state.base.has_run = 0;
    stop_alarms(0);
    stop_timers();
}

static int restore_limits(void) {
    for (size_t i = 0; i < LIMITS; i++) {
        if (is_same_limit(i)) continue;
        if (prlimit(0, limits[i], &mapb_state.base.limits[i], NULL) != 0) return 0;
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
    if (getpriority(PRIO_PROCESS, 0) != mapb_state.base.priority)
        setpriority(PRIO_PROCESS, 0, mapb_state.base.priority);
    cpu_set_t now;
    if (sched_getaffinity(0, sizeof now, &now) == 0 && memcmp(&now, &mapb_state.base.processors, sizeof now) != 0)
        sched_setaffinity(0, sizeof mapb_state.base.processors, &mapb_state.base.processors);
}

static void restore_controls(void) {
    if (control(PR_GET_PDEATHSIG) != mapb_state.base.death_signal)
        prctl(PR_SET_PDEATHSIG, mapb_state.base.death_signal, 0, 0, 0);
    if (control(PR_GET_CHILD_SUBREAPER) != mapb_state.base.subreaper)
        prctl(PR_SET_CHILD_SUBREAPER, mapb_state.base.subreaper, 0, 0, 0);
}

static int has_same_files(void) {
    for (int fd = 0; fd < 3; fd++)
        if (!is_same(place_of_file(fd), mapb_state.base.standard[fd])) return 0;
    return fileno(stdout) == 1 && fileno(stderr) == 2;
}

static const char *restore_process(const struct mapb_own *own) {
    /* Timers first: none may expire after signals are unblocked. */
    stop_alarms(1);
    stop_timers();
    restore_signals(&own->mask);
    restore_scheduling();
    restore_controls();
    if (!has_same_ids()) return "user or group ids";
    if (mapb_state.base.is_privileged && !is_same(place_of("/"), mapb_state.base.root)) return "the root folder";
    if (!has_same_files()) return "standard files";
    if (!restore_limits()) return "resource limits";
    if (getpgrp() != mapb_state.base.group && setpgid(0, mapb_state.base.group) != 0) return "the process group";
    return NULL;
}

const char *mapb_state_enter(const mapb_own *own, int is_suspect) {
    if (!mapb_state.base.is_noted) return NULL;
    if (!own) own = &mapb_state.birth;
    const int is_clean = mapb_state_is_as_noted(is_suspect);
    const char *what = is_clean ? NULL : restore_process(own);
    if (what) return what;
    if (is_clean && memcmp(&mapb_state.seen.mask, &own->mask, MASK_BYTES) != 0) restore_signals(&own->mask);
    umask(own->umask);
    if (!(is_clean && mapb_state.seen.path[0] && strcmp(mapb_state.seen.path, own->path) == 0) && !restore_folder(own))
        return "the working directory";
    if (!restore_locale(own)) return "the locale";
    mapb_state.seen.ahead = LOOKS_AHEAD;
    mapb_state_look_again();
    return NULL;
}

void mapb_state_enter_lightly(const mapb_own *own) {
    if (!mapb_state.base.is_noted) return;
    if (!own) own = &mapb_state.birth;
    if (uselocale((locale_t)0) != own->thread_locale) uselocale(own->thread_locale);
}

void mapb_state_range(const mapb_own *own) {
    if (!mapb_state.base.is_noted) return;
    mapb_state.base.has_run = 1;
    mapb_state_look_again();
    if (mapb_state.seen.ahead > 0) mapb_state.seen.ahead--;
    mapb_floating_set(own ? &own->floating : &mapb_state.birth.floating);
    errno = 0;
}

void mapb_retire_text(char text[MAPB_TEXT], const char *what) {
    snprintf(text, MAPB_TEXT, "a function has changed %s for good: another worker takes this one's place", what);
}
