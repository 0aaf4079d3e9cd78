/* fork_state_look.c - whether anything of a process's state has changed, a call at a time
 *
 * Runs between fork and the user's function: see fork_state.c.
 */
#include "fork_state.h"

#include <stdio.h>
#include <sys/time.h>

void mapb_state_look_again(void) {
    mapb_state.seen.next = 0;
    mapb_state.seen.is_changed = 0;
}

static int is_same_signal(size_t i) {
    struct sigaction now;
    return sigaction(signals[i], NULL, &now) != 0 || is_same_action(&now, &mapb_state.base.actions[i]);
}

static int is_same_alarm(int which) {
    struct itimerval now;
    memset(&now, 0, sizeof now);
    if (getitimer(which, &now) != 0) return 0;
    return now.it_value.tv_sec == 0 && now.it_value.tv_usec == 0;
}

static int is_same_timer(void) {
    const int next = next_timer();
    if (next != mapb_state.base.timer + 1 || mapb_state.base.timer_count > 0)
        return next < 0 && mapb_state.base.timer < 0;
    mapb_state.base.timer = next;
    return 1;
}

static int see_folder(void) {
    if (syscall(SYS_getcwd, mapb_state.seen.path, sizeof mapb_state.seen.path) <= 0) mapb_state.seen.path[0] = 0;
    return 1;
}

/* Values of a function's own state are only noted, because the next function is not known yet. */
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

/** Makes one check, one system call (two for ids). @return whether all is as it was. */
static int is_unchanged(unsigned look) {
    cpu_set_t processors;
    stack_t stack;
    if (look >= LOOK_SIGNALS && look < LOOK_STACK) return is_same_signal(look - LOOK_SIGNALS);
    if (look >= LOOK_LIMITS && look < LOOK_FILES) return is_same_limit(look - LOOK_LIMITS);
    if (look >= LOOK_FILES && look < LOOK_PRIORITY)
        return is_same(place_of_file((int)(look - LOOK_FILES)), mapb_state.base.standard[look - LOOK_FILES]);
    if (look >= LOOK_ALARMS && look < LOOK_TIMER) return is_same_alarm((int)(look - LOOK_ALARMS));
    switch (look) {
    case LOOK_FOLDER: return see_folder();
    case LOOK_MASK: return sigprocmask(SIG_BLOCK, NULL, &mapb_state.seen.mask) == 0;
    case LOOK_STACK: return sigaltstack(NULL, &stack) != 0 || is_same_stack(&stack);
    case LOOK_PRIORITY: return getpriority(PRIO_PROCESS, 0) == mapb_state.base.priority;
    case LOOK_PROCESSORS:
        return sched_getaffinity(0, sizeof processors, &processors) != 0 ||
               memcmp(&processors, &mapb_state.base.processors, sizeof processors) == 0;
    case LOOK_DEATH_SIGNAL: return control(PR_GET_PDEATHSIG) == mapb_state.base.death_signal;
    case LOOK_SUBREAPER: return control(PR_GET_CHILD_SUBREAPER) == mapb_state.base.subreaper;
    case LOOK_IDS: return has_same_ids();
    case LOOK_ROOT: return !mapb_state.base.is_privileged || is_same(place_of("/"), mapb_state.base.root);
    case LOOK_GROUP: return getpgrp() == mapb_state.base.group;
    default: return is_same_timer();
    }
}

int mapb_state_look(void) {
    if (!mapb_state.base.is_noted || !mapb_state.seen.ahead || mapb_state.seen.is_changed ||
        mapb_state.seen.next == LOOKS)
        return 0;
    mapb_state.seen.is_changed = !is_unchanged(mapb_state.seen.next++);
    return 1;
}

/** Whether nothing has changed but what a function's own state is made of. */
int mapb_state_is_as_noted(int is_suspect) {
    const unsigned last = is_suspect ? LOOKS : LOOK_MASK + 1;
    while (!mapb_state.seen.is_changed && mapb_state.seen.next < last)
        mapb_state.seen.is_changed = !is_unchanged(mapb_state.seen.next++);
    return !mapb_state.seen.is_changed && fileno(stdout) == 1 && fileno(stderr) == 2;
}
