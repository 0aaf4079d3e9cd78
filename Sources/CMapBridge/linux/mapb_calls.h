/* mapb_calls.h - the system calls that the engine needs, and which of them are denied here
 *
 * Filters of system calls (seccomp(2)), as containers and service managers install them, answer EPERM or ENOSYS where the kernel would
 * not. So each call is tried with arguments that it cannot do anything with: what comes back then is another errno, or success of
 * what asks alone. Included by fork_calls.c and by the command line's doctor. Runs after a fork: nothing but system calls.
 */
#ifndef MAPB_CALLS_H
#define MAPB_CALLS_H

#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum mapb_call_use {
    MAPB_CALL_HOST = 1,   /* The host's part of the engine fails without it; */
    MAPB_CALL_CHILD = 2,  /* zygote and workers do; */
    MAPB_CALL_WANTED = 4, /* something is not done, and all else goes on. */
    MAPB_CALL_NEEDED = MAPB_CALL_HOST | MAPB_CALL_CHILD,
    MAPB_CALL_LIBC = 8 /* The C library does without it when it is unknown (ENOSYS). */
};

struct mapb_call {
    int number;
    unsigned use;
    const char *name;
    long arguments[6];
};

/* Descriptor, address, flags and signal -1: there is no such thing. */
#define MAPB_CALL(name, use)                                                                                           \
    {                                                                                                                  \
        SYS_##name, use, #name, { -1, -1, -1, -1, -1, -1 }                                                             \
    }
/* With arguments of its own. */
#define MAPB_CALL_BY(name, use, ...)                                                                                   \
    {                                                                                                                  \
        SYS_##name, use, #name, { __VA_ARGS__ }                                                                        \
    }

/* Not here: close, exit, exit_group, futex of the C library, rt_sigreturn, rseq, set_robust_list: without them no program lives. Nor vfork, which
 * cannot be tried without a child. */
static const struct mapb_call mapb_calls[] = {
    /* memory and files */
    MAPB_CALL_BY(mmap, MAPB_CALL_NEEDED, 0, 0, 0, 0, -1, 0),
    MAPB_CALL_BY(mprotect, MAPB_CALL_NEEDED, 1, 0, 0),
    MAPB_CALL_BY(munmap, MAPB_CALL_NEEDED, 1, 0),
    MAPB_CALL_BY(madvise, MAPB_CALL_NEEDED, 1, 0, 0),
    MAPB_CALL_BY(mremap, MAPB_CALL_WANTED, 1, 0, 0, 0, 0),
    MAPB_CALL_BY(munlock, MAPB_CALL_WANTED, 0, 0),
    MAPB_CALL(memfd_create, MAPB_CALL_HOST),
    MAPB_CALL(ftruncate, MAPB_CALL_HOST),
    MAPB_CALL(fcntl, MAPB_CALL_NEEDED),
    MAPB_CALL(openat, MAPB_CALL_NEEDED),
    MAPB_CALL(read, MAPB_CALL_NEEDED),
    MAPB_CALL(write, MAPB_CALL_NEEDED),
    MAPB_CALL(pread64, MAPB_CALL_HOST), /* By it the loader reads libraries: the zygote's program does not start. */
    MAPB_CALL(newfstatat, MAPB_CALL_CHILD),
    MAPB_CALL(fstat, MAPB_CALL_CHILD),
    MAPB_CALL(getdents64, MAPB_CALL_CHILD),
    MAPB_CALL(pipe2, MAPB_CALL_HOST),
    /* waiting and waking */
    MAPB_CALL(eventfd2, MAPB_CALL_HOST),
    MAPB_CALL(epoll_create1, MAPB_CALL_NEEDED),
    MAPB_CALL(epoll_ctl, MAPB_CALL_NEEDED),
    MAPB_CALL_BY(futex, MAPB_CALL_NEEDED, 0, FUTEX_WAKE, 1, 0, 0, 0),
    MAPB_CALL(membarrier, MAPB_CALL_WANTED),
    MAPB_CALL(socketpair, MAPB_CALL_HOST),
    MAPB_CALL(sendmsg, MAPB_CALL_NEEDED),
    MAPB_CALL(recvmsg, MAPB_CALL_NEEDED),
    MAPB_CALL(getsockopt, MAPB_CALL_WANTED),
#if defined(SYS_poll)
    MAPB_CALL_BY(poll, MAPB_CALL_NEEDED, -1, 1, 0),
    MAPB_CALL(epoll_wait, MAPB_CALL_NEEDED),
    MAPB_CALL(dup2, MAPB_CALL_NEEDED),
    MAPB_CALL(access, MAPB_CALL_HOST),
    MAPB_CALL(readlink, MAPB_CALL_HOST), /* By it the loader finds what a program's run path calls $ORIGIN. */
#else
    MAPB_CALL(readlinkat, MAPB_CALL_HOST),
    MAPB_CALL(epoll_pwait, MAPB_CALL_NEEDED),
    MAPB_CALL(dup3, MAPB_CALL_NEEDED),
#endif
    MAPB_CALL_BY(ppoll, MAPB_CALL_NEEDED, -1, 1, -1, 0, 0),
    /* processes and threads */
    MAPB_CALL_BY(clone, MAPB_CALL_NEEDED, CLONE_SIGHAND, 0, 0, 0, 0), /* Without CLONE_VM it is invalid. */
    {435, MAPB_CALL_HOST | MAPB_CALL_LIBC, "clone3", {0, 0}},
    MAPB_CALL(execve, MAPB_CALL_HOST),
    MAPB_CALL(wait4, MAPB_CALL_NEEDED),
    MAPB_CALL(waitid, MAPB_CALL_NEEDED),
    MAPB_CALL(pidfd_open, MAPB_CALL_HOST),
    MAPB_CALL(pidfd_send_signal, MAPB_CALL_HOST),
    MAPB_CALL_BY(kill, MAPB_CALL_NEEDED, 0, 0), /* The first argument is this process's id. */
    MAPB_CALL(setpgid, MAPB_CALL_NEEDED),
    MAPB_CALL(getpid, MAPB_CALL_NEEDED),
    MAPB_CALL(getppid, MAPB_CALL_CHILD),
    MAPB_CALL(prctl, MAPB_CALL_NEEDED),
    /* signals and timers */
    MAPB_CALL(rt_sigaction, MAPB_CALL_NEEDED),
    MAPB_CALL(rt_sigprocmask, MAPB_CALL_NEEDED),
    MAPB_CALL(signalfd4, MAPB_CALL_CHILD),
    MAPB_CALL(sigaltstack, MAPB_CALL_WANTED),
    MAPB_CALL(timer_create, MAPB_CALL_WANTED),
    MAPB_CALL(timer_settime, MAPB_CALL_WANTED),
    /* what workers get */
    MAPB_CALL(sched_getaffinity, MAPB_CALL_WANTED),
    MAPB_CALL(sched_setaffinity, MAPB_CALL_WANTED),
    MAPB_CALL(sched_getscheduler, MAPB_CALL_WANTED),
    MAPB_CALL(sched_setscheduler, MAPB_CALL_WANTED),
    MAPB_CALL(getpriority, MAPB_CALL_WANTED),
    MAPB_CALL(setpriority, MAPB_CALL_WANTED),
    MAPB_CALL_BY(prlimit64, MAPB_CALL_WANTED, -1, -1, 0, 0),
    /* What a function has left behind is found and undone by these: fork_state.c. Without one of them its part stays. Signal masks,
     * handlers and files are looked at by calls that stand above. */
    MAPB_CALL_BY(rt_sigpending, MAPB_CALL_WANTED, 0, 0),
    MAPB_CALL(getitimer, MAPB_CALL_WANTED),
    MAPB_CALL(setitimer, MAPB_CALL_WANTED),
    MAPB_CALL(timer_delete, MAPB_CALL_WANTED),
    MAPB_CALL_BY(getcwd, MAPB_CALL_WANTED, 0, 0),
    MAPB_CALL(chdir, MAPB_CALL_WANTED),
    MAPB_CALL(getresuid, MAPB_CALL_WANTED),
    MAPB_CALL(getresgid, MAPB_CALL_WANTED),
#if defined(SYS_getpgrp)
    MAPB_CALL(getpgrp, MAPB_CALL_WANTED),
#else
    MAPB_CALL(getpgid, MAPB_CALL_WANTED),
#endif
};

/** Whether a call is denied to this process. */
static inline int mapb_is_denied(const struct mapb_call *call) {
    const long *a = call->arguments;
    const long first = call->number == SYS_kill ? getpid() : a[0];
    if (syscall(call->number, first, a[1], a[2], a[3], a[4], a[5]) != -1) return 0;
    return errno == EPERM || errno == EACCES || (errno == ENOSYS && !(call->use & MAPB_CALL_LIBC));
}

/** Writes the names of the calls with one of the uses that are denied, with commas between them. @return how many they are. */
static inline int mapb_name_denied(unsigned uses, char *text, size_t size) {
    int count = 0;
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < sizeof mapb_calls / sizeof mapb_calls[0]; i++) {
        const struct mapb_call *call = &mapb_calls[i];
        const size_t length = strlen(call->name);
        if (!(call->use & uses) || !mapb_is_denied(call)) continue;
        if (at + length + 3 < size) {
            if (count) text[at++] = ',', text[at++] = ' ';
            memcpy(text + at, call->name, length + 1);
            at += length;
        }
        count++;
    }
    return count;
}

#endif
