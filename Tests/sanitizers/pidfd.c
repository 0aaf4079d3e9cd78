/* pidfd.c - preloaded into a host that runs in valgrind, which before 3.22 knows no pidfd: where pidfd_open answers "no such call",
 * the pidfd is a descriptor that a thread makes readable when the process has ended, and waiting for it is waiting for the process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    int fd;
    pid_t pid; /* 0: the place is free. */
} known[64];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define PLACES ((int)(sizeof known / sizeof known[0]))

/** The process that a stand-in is for; 0: it is none. */
static pid_t process_of(long fd, int forget) {
    pid_t pid = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < PLACES; i++) {
        if (known[i].pid == 0 || known[i].fd != fd) continue;
        pid = known[i].pid;
        if (forget) known[i].pid = 0;
    }
    pthread_mutex_unlock(&lock);
    return pid;
}

struct watched {
    pid_t pid;
    int fd; /* The thread's own: the host may close the one it has at any time. */
};

/** Leaves the process to whoever reaps it; one that was reaped already has ended as well. */
static void *watch(void *context) {
    int (*next)(idtype_t, id_t, siginfo_t *, int) =
        (int (*)(idtype_t, id_t, siginfo_t *, int))dlsym(RTLD_NEXT, "waitid");
    struct watched *its = context;
    siginfo_t info;
    while (next(P_PID, (id_t)its->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {}
    eventfd_write(its->fd, 1);
    close(its->fd);
    free(its);
    return NULL;
}

static long stand_in(pid_t pid) {
    int fd = eventfd(0, EFD_CLOEXEC);
    struct watched *its = malloc(sizeof *its);
    pthread_t thread;
    if (fd < 0 || its == NULL) return -1;
    *its = (struct watched){pid, fcntl(fd, F_DUPFD_CLOEXEC, 3)};
    if (its->fd < 0 || pthread_create(&thread, NULL, watch, its) != 0) return -1;
    pthread_detach(thread);
    pthread_mutex_lock(&lock);
    for (int i = 0; fd >= 0 && i < PLACES; i++) {
        if (known[i].pid != 0) continue;
        known[i].fd = fd;
        known[i].pid = pid;
        break;
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

long syscall(long number, ...) {
    long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list list;
    va_start(list, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    pid_t pid = number == SYS_pidfd_send_signal ? process_of(a[0], 0) : 0;
    if (pid != 0) return kill(pid, (int)a[1]);
    long answer = next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_pidfd_open && answer < 0 && errno == ENOSYS) return stand_in((pid_t)a[0]);
    return answer;
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
    int (*next)(idtype_t, id_t, siginfo_t *, int) =
        (int (*)(idtype_t, id_t, siginfo_t *, int))dlsym(RTLD_NEXT, "waitid");
    pid_t pid = type == (idtype_t)3 ? process_of((long)id, 0) : 0;
    if (pid == 0) return next(type, id, info, options);
    int answer = next(P_PID, (id_t)pid, info, options);
    if (answer == 0) process_of((long)id, 1);
    return answer;
}
