/* fork_state_calls.h - parts of a process's state, each had by the quickest system call there is: for fork_state.h alone
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here. Where a call is denied, as by a filter,
 * the answer is the same each time: then nothing seems to have changed.
 */
#ifndef FORK_STATE_CALLS_H
#define FORK_STATE_CALLS_H

#include "CMapBridge.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef struct mapb_ids {
    uid_t users[3];
    gid_t groups[3];
} mapb_ids;

static inline mapb_inode place_of(const char *path) {
    struct stat file;
    return stat(path, &file) == 0 ? (mapb_inode){file.st_dev, file.st_ino} : (mapb_inode){0, 0};
}

static inline mapb_inode place_of_file(int fd) {
    struct stat file;
#if defined(SYS_fstat)
    if (syscall(SYS_fstat, fd, &file) == 0)
        return (mapb_inode){file.st_dev, file.st_ino}; /* Quicker than fstat of glibc. */
#endif
    return fstat(fd, &file) == 0 ? (mapb_inode){file.st_dev, file.st_ino} : (mapb_inode){0, 0};
}

/** Zeros for what cannot be had, as where a filter denies the call: so it is always the same. */
static inline mapb_ids ids_now(void) {
    mapb_ids ids;
    if (getresuid(&ids.users[0], &ids.users[1], &ids.users[2]) != 0) memset(ids.users, 0, sizeof ids.users);
    if (getresgid(&ids.groups[0], &ids.groups[1], &ids.groups[2]) != 0) memset(ids.groups, 0, sizeof ids.groups);
    return ids;
}

/** Whether the limit could be had. */
static inline int limit_of(int which, struct rlimit *out) {
#if defined(SYS_getrlimit)
    if (syscall(SYS_getrlimit, which, out) == 0) return 1; /* Takes half as long as prlimit. */
#endif
    return prlimit(0, which, NULL, out) == 0;
}

static inline int is_same(mapb_inode a, mapb_inode b) { return a.device == b.device && a.number == b.number; }

static inline int control(int what) {
    int value = 0;
    return prctl(what, &value, 0, 0, 0) == 0 ? value : -1;
}

/* A timer that measures the time of a process that there is not. The kernel numbers it, tells the number, and then does not make it,
 * which takes less long than to make one and delete it. */
#define CLOCK_OF_NOBODY ((clockid_t)((~0x7ffffffu << 3) | 2))

static inline int number_timer(clockid_t clock) {
    struct sigevent event;
    int timer = -1;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_NONE;
    if (syscall(SYS_timer_create, clock, &event, &timer) == 0) syscall(SYS_timer_delete, timer);
    return timer;
}

#endif
