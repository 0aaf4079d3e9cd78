/* fork_watch.c - what the zygote waits for, and what libraries may do to it
 *
 * The end of a worker is seen by its pidfd. SIGCHLD is a hint for the rest, for orphans that workers leave behind: in a zygote program
 * with several threads the signal may go to one that does not block it, where it is lost, and interpreters have handlers of their own.
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
 */
#include "CMapBridge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Orphans that were killed have ended within 10 ms, all but those that nothing can end. */
#define STRAY_LOOK_MS 10
/* Without pidfds, and if SIGCHLD is lost as well, a death is noticed so late. */
#define UNWATCHED_LOOK_MS 100

static int watch(int epoll, int fd, uint64_t what) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int mapb_zygote_open(mapb_zygote *zygote) {
    fcntl(zygote->control, F_SETFD, FD_CLOEXEC); /* The host treats its end as the end of this process. */
    zygote->poller = epoll_create1(EPOLL_CLOEXEC);
    if (zygote->poller < 0) return -1;
    return watch(zygote->poller, zygote->control, MAPB_ZYGOTE_CONTROL) |
           watch(zygote->poller, zygote->signals, MAPB_ZYGOTE_CHILD);
}

int mapb_zygote_wait(mapb_zygote *zygote) {
    struct epoll_event event;
    int limit = zygote->checks_left ? STRAY_LOOK_MS : zygote->unwatched ? UNWATCHED_LOOK_MS : -1;
    int got = epoll_wait(zygote->poller, &event, 1, limit);
    if (got == 1) return (int)event.data.u64;
    if (got < 0) return MAPB_ZYGOTE_NOTHING;
    if (zygote->checks_left) zygote->checks_left--;
    return MAPB_ZYGOTE_CHILD;
}

static int open_pidfd(mapb_zygote *zygote, int pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0 || errno != EMFILE) return fd;
    /* One for each worker, and a soft limit of 1,024 is usual: workers get the old one again. */
    struct rlimit limit;
    if (prlimit(0, RLIMIT_NOFILE, NULL, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return -1;
    uint64_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    zygote->files_soft = before;
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

void mapb_zygote_watch(mapb_zygote *zygote, mapb_child *child, int pid) {
    child->pid = pid;
    child->watch = open_pidfd(zygote, pid);
    if (child->watch >= 0 && watch(zygote->poller, child->watch, MAPB_ZYGOTE_WORKER) == 0) return;
    mapb_close(child->watch);
    child->watch = -1;
    zygote->unwatched++;
}

int mapb_has_ended(const mapb_child *child) {
    struct pollfd one = {child->watch, POLLIN, 0};
    return child->watch > 0 && poll(&one, 1, 0) == 1;
}

void mapb_zygote_unwatch(mapb_zygote *zygote, mapb_child *child) {
    child->pid = 0;
    if (child->watch > 0) {
        /* Closing alone is not enough: workers that were forked meanwhile may have it open still. */
        epoll_ctl(zygote->poller, EPOLL_CTL_DEL, child->watch, NULL);
        close(child->watch);
    } else if (zygote->unwatched) {
        zygote->unwatched--;
    }
    child->watch = -1;
}

void mapb_zygote_leave(const mapb_zygote *zygote) {
    close(zygote->control);
    close(zygote->signals);
    close(zygote->poller);
    for (uint32_t i = 0; i < zygote->workers; i++)
        if (zygote->children[i].watch > 0) close(zygote->children[i].watch);
    struct rlimit limit;
    if (zygote->files_soft && prlimit(0, RLIMIT_NOFILE, NULL, &limit) == 0) {
        limit.rlim_cur = zygote->files_soft;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void mapb_zygote_mind_children(void) {
    struct sigaction now;
    if (sigaction(SIGCHLD, NULL, &now) != 0) return;
    if (now.sa_handler != SIG_IGN && !(now.sa_flags & SA_NOCLDWAIT)) return;
    memset(&now, 0, sizeof now);
    now.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &now, NULL);
}

/* ---- what a library has done ---- */

uint32_t mapb_thread_count(void) {
    struct stat folder;
    /* A folder has a link for itself, one for its name, and one for each folder in it: here one per thread. */
    return stat("/proc/self/task", &folder) == 0 && folder.st_nlink > 2 ? (uint32_t)folder.st_nlink - 2 : 0;
}

static uint64_t inode_of(int fd) {
    struct stat file;
    return fd > 0 && fstat(fd, &file) == 0 ? file.st_ino : 0;
}

void mapb_look_around(const mapb_zygote *zygote, mapb_surroundings *out) {
    struct sigaction action;
    sigset_t mask;
    siginfo_t info;
    memset(out, 0, sizeof *out);
    if (sigprocmask(SIG_BLOCK, NULL, &mask) == 0) memcpy(&out->mask, &mask, sizeof out->mask);
    if (sigaction(SIGCHLD, NULL, &action) == 0) {
        out->child_handler = (uint64_t)(uintptr_t)action.sa_handler;
        out->child_flags = (uint32_t)action.sa_flags & SA_NOCLDWAIT;
    }
    if (sigaction(SIGCONT, NULL, &action) == 0) out->continue_handler = (uint64_t)(uintptr_t)action.sa_handler;
    out->threads = mapb_thread_count();
    out->has_children = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    if (!zygote) return;
    const int files[] = {zygote->control, zygote->signals,  zygote->poller,
                         zygote->input,   zygote->bells[0], zygote->bells[1]};
    for (int i = 0; i < 6; i++) out->files[i] = inode_of(files[i]);
}

int mapb_what_changed(const mapb_zygote *zygote, const mapb_surroundings *before) {
    mapb_surroundings now;
    mapb_look_around(zygote, &now);
    /* A joined thread is still counted for a moment. If there were several threads from the start, a new one cannot be told from these.
     * */
    for (int looks = 0; before->threads == 1 && now.threads > 1 && looks < 20; looks++) {
        struct timespec moment = {0, 500000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
        now.threads = mapb_thread_count();
    }
    if (before->threads == 1 && now.threads > 1) return MAPB_CHANGE_THREADS;
    if (memcmp(before->files, now.files, sizeof now.files) != 0) return MAPB_CHANGE_FILES;
    if (before->mask != now.mask || before->child_handler != now.child_handler ||
        before->child_flags != now.child_flags || before->continue_handler != now.continue_handler)
        return MAPB_CHANGE_SIGNALS;
    if (!before->has_children && now.has_children) return MAPB_CHANGE_CHILDREN;
    return MAPB_CHANGE_NONE;
}

void mapb_zygote_resign(void) {
    kill(0, SIGKILL); /* Its own group, which it leads: with it goes what a library has started. */
    _exit(1);
}
