/* worker_reach.c - a worker function that tries to reach what others share: see reach.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "reach.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OUT = 1, ERR = 2 };

static int closed(int file) {
    if (file >= 0) close(file);
    return file < 0 ? -1 : 0;
}

/** A call on the item's file, opened for reading. */
static int on_file(const char *path, int (*call)(int)) {
    int file = open(path, O_RDONLY | O_CLOEXEC), got = file < 0 ? -1 : call(file), why = errno;
    closed(file);
    errno = why;
    return got;
}

static int locked(int file) { return flock(file, LOCK_SH | LOCK_NB); }
static int leased(int file) { return fcntl(file, F_SETLEASE, F_RDLCK); }
static int signalled(int file) { return fcntl(file, F_SETSIG, 0); }
static int noted(int file) { return fcntl(file, F_NOTIFY, DN_MODIFY); }
static int unknown_command(int file) { return fcntl(file, 2000, 0); }
static int record(int file, int command) {
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(file, command, &whole);
}
static int record_locked(int file) { return record(file, F_SETLK); }
static int record_locked_waiting(int file) { return record(file, F_SETLKW); }
static int file_locked(int file) { return record(file, F_OFD_SETLK); }
static int file_locked_waiting(int file) { return record(file, F_OFD_SETLKW); }
static int lock_asked(int file) { return record(file, F_GETLK) | record(file, F_OFD_GETLK); }
static int sought(int file) { return lseek(file, 2, SEEK_SET) == 2 && lseek(file, -1, SEEK_END) > 0 ? 0 : -1; }
static int dup_of(int file) {
    return closed(dup(file)) | closed(fcntl(file, F_DUPFD_CLOEXEC, 3)) | closed(dup2(file, 40));
}
static int mapped_file(int file) {
    void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    return at == MAP_FAILED ? -1 : munmap(at, 4096);
}
static int sent_to_output(int file) { return sendfile(OUT, file, NULL, 1) == 1 ? 0 : -1; }
static int copied_to_output(int file) {
    int64_t from = 0, to = 0;
    return syscall(SYS_copy_file_range, file, &from, OUT, &to, (size_t)1, 0) == 1 ? 0 : -1;
}

static int with_splice(void) {
    int ends[2];
    int64_t to = 0;
    if (pipe(ends) != 0 || write(ends[1], "a", 1) != 1) return -1;
    long got = syscall(SYS_splice, ends[0], NULL, OUT, &to, (size_t)1, 0);
    int why = errno;
    closed(ends[0]), closed(ends[1]);
    errno = why;
    return got == 1 ? 0 : -1;
}

static int with_map(int flags, int file) {
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, file, 0);
    return at == MAP_FAILED ? -1 : munmap(at, 4096);
}

static int passed(int by_many) {
    int ends[2], got = -1;
    char space[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
    struct iovec part = {&byte, 1};
    struct mmsghdr m = {
        .msg_hdr = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space}};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m.msg_hdr);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
    *(int *)(void *)CMSG_DATA(c) = OUT;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
    if ((by_many ? sendmmsg(ends[0], &m, 1, 0) : sendmsg(ends[0], &m.msg_hdr, 0)) == 1)
        got = by_many ? recvmmsg(ends[1], &m, 1, 0, NULL) : (int)recvmsg(ends[1], &m.msg_hdr, 0);
    int why = errno;
    if (got == 1) closed(*(int *)(void *)CMSG_DATA(c));
    closed(ends[0]), closed(ends[1]);
    errno = why;
    return got == 1 ? 0 : -1;
}

static int option_of(int socket) {
    int size = 65536;
    return setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static int message_to(int socket, int many) {
    struct iovec part = {(void *)"m", 1};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    return (many ? sendmmsg(socket, &m, 1, 0) : sendmsg(socket, &m.msg_hdr, 0)) == 1 ? 0 : -1;
}

/** A standard output of its own, at the number of the one that is shared. */
static int own_output(void) {
    int file = memfd_create("own", 0), kept = dup2(ERR, 0);
    int got = file >= 0 && kept == 0 && dup2(file, ERR) == ERR && write(ERR, "own", 3) == 3 ? dup2(0, ERR) : -1;
    int null = open("/dev/null", O_RDONLY), why = errno;
    dup2(null, 0);
    closed(null), closed(file);
    errno = why;
    return got == ERR ? 0 : -1;
}

static int nonblocking(void) {
    int ends[2], yes = 1;
    if (pipe(ends) != 0) return -1;
    int got = ioctl(ends[0], FIONBIO, &yes) | fcntl(ends[1], F_SETFL, O_NONBLOCK) |
              (fcntl(ends[1], F_SETPIPE_SZ, 8192) < 0 ? -1 : 0);
    closed(ends[0]), closed(ends[1]);
    return got;
}

static int memory_file(void) {
    int file = memfd_create("scratch", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) return -1;
    int got = ftruncate(file, 8192) | fallocate(file, 0, 0, 8192) | (pwrite(file, "x", 1, 9) == 1 ? 0 : -1) |
              with_map(MAP_SHARED, file) | fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK);
    closed(file);
    return got;
}

static int stream_pair(void) {
    int ends[2];
    char byte = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
    int got = option_of(ends[0]) | message_to(ends[0], 0) | (recv(ends[1], &byte, 1, 0) == 1 ? 0 : -1) |
              shutdown(ends[0], SHUT_WR);
    closed(ends[0]), closed(ends[1]);
    return got;
}

struct attributes { /* struct sched_attr of linux/sched/types.h */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static int attributes_again(pid_t pid) {
    struct attributes a = {.size = sizeof a};
    if (syscall(SYS_sched_getattr, pid, &a, sizeof a, 0) != 0) return -1;
    return (int)syscall(SYS_sched_setattr, pid, &a, 0);
}

/** Each sets what is so already. */
static int scheduler_again(pid_t pid) {
    struct sched_param param;
    int policy = sched_getscheduler(pid);
    return policy < 0 || sched_getparam(pid, &param) != 0 ? -1 : sched_setscheduler(pid, policy, &param);
}
static int param_again(pid_t pid) {
    struct sched_param param;
    return sched_getparam(pid, &param) != 0 ? -1 : sched_setparam(pid, &param);
}
static int nice_again(int which, int who) {
    errno = 0;
    int now = getpriority((__priority_which_t)which, (id_t)who);
    return now == -1 && errno != 0 ? -1 : setpriority((__priority_which_t)which, (id_t)who, now);
}
/** The class and level that a process has by default. */
static int io_priority(int which, int who) { return (int)syscall(SYS_ioprio_set, which, who, 2 << 13 | 4); }

/** All of this user's processes, which must not be possible; without a filter those of a user who has none, which comes to the same, but
 *  changes nothing on the machine. */
static int user_to_name(void) { return prctl(PR_GET_SECCOMP) == 2 ? 0 : 1999999999; }
static int let_through(int result) { return result == 0 || errno == ESRCH ? 0 : -1; }

static void *nothing(void *unused) {
    (void)unused;
    return NULL;
}

/** What OpenMP does with OMP_PROC_BIND: the creator gives each thread its processors. */
static int threads_with_places(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) != 0) return -1;
    pthread_attr_init(&attributes);
    pthread_attr_setaffinity_np(&attributes, sizeof all, &all);
    int why = pthread_create(&thread, &attributes, nothing, NULL);
    pthread_attr_destroy(&attributes);
    if (why == 0) why = pthread_join(thread, NULL);
    errno = why;
    return why == 0 ? 0 : -1;
}

static int timer_to_thread(void) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGCHLD};
    timer_t timer;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    return timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ? -1 : timer_delete(timer);
}

static int aio(void) {
    unsigned long context = 0;
    if (syscall(SYS_io_setup, 1, &context) != 0) return -1;
    return (int)syscall(SYS_io_destroy, context);
}

static int reached(const struct reach_item *a) {
    struct iovec part = {(void *)"a", 1};
    int no = 0;
    switch ((enum reach)a->what) {
    case REACH_TRUNCATE_OUTPUT: return ftruncate(OUT, REACH_FILE);
    case REACH_ALLOCATE_OUTPUT: return fallocate(OUT, 0, 0, REACH_FILE);
    case REACH_PUNCH_OUTPUT: return fallocate(OUT, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096);
    case REACH_REWIND_OUTPUT: return lseek(OUT, 0, SEEK_SET) < 0 ? -1 : (int)(lseek(OUT, 0, SEEK_END) < 0);
    case REACH_REWIND_OUTPUT_FAR:
        return lseek(OUT, (off_t)1 << 32, SEEK_CUR) < 0 ? -1 : (int)(lseek(OUT, 0, SEEK_END) < 0);
    case REACH_PWRITE_OUTPUT: return pwrite(OUT, "a", 1, 0) == 1 ? 0 : -1;
    case REACH_PWRITEV_OUTPUT: return pwritev(OUT, &part, 1, 0) == 1 ? 0 : -1;
    case REACH_PWRITEV2_OUTPUT: return pwritev2(OUT, &part, 1, 0, 0) == 1 ? 0 : -1;
    case REACH_MAP_OUTPUT: return with_map(MAP_SHARED, OUT);
    case REACH_COPY_RANGE_TO_OUTPUT: return on_file(a->file, copied_to_output);
    case REACH_SPLICE_TO_OUTPUT: return with_splice();
    case REACH_AIO: return aio();
    case REACH_NONBLOCK_OUTPUT_BY_IOCTL: return ioctl(OUT, FIONBIO, &no);
    case REACH_NONBLOCK_OUTPUT_BY_FCNTL: return fcntl(OUT, F_SETFL, fcntl(OUT, F_GETFL));
    case REACH_HINT_ON_OUTPUT: {
        uint64_t hint = 0;
        return fcntl(OUT, F_SET_RW_HINT, &hint);
    }
    case REACH_SEAL_OUTPUT: return fcntl(OUT, F_ADD_SEALS, F_SEAL_GROW);
    case REACH_DUP_OUTPUT: return closed(dup(OUT));
    case REACH_DUP2_OUTPUT: return closed(dup2(OUT, 40));
    case REACH_DUP3_OUTPUT: return closed(dup3(OUT, 40, O_CLOEXEC));
    case REACH_DUPFD_OUTPUT: return closed(fcntl(OUT, F_DUPFD, 0));
    case REACH_DUPFD_CLOEXEC_OUTPUT: return closed(fcntl(OUT, F_DUPFD_CLOEXEC, 0));
    case REACH_PASS_OUTPUT: return passed(0);
    case REACH_PASS_OUTPUT_MANY: return passed(1);
    case REACH_SHUTDOWN_ERROR: return shutdown(ERR, SHUT_RD);
    case REACH_OPTION_OF_ERROR: return option_of(ERR);
    case REACH_MESSAGE_TO_ERROR: return message_to(ERR, 0);
    case REACH_MESSAGES_TO_ERROR: return message_to(ERR, 1);
    case REACH_FLOCK: return on_file(a->file, locked);
    case REACH_FLOCK_OUTPUT: return flock(OUT, LOCK_UN);
    case REACH_RECORD_LOCK: return on_file(a->file, record_locked);
    case REACH_RECORD_LOCK_WAITING: return on_file(a->file, record_locked_waiting);
    case REACH_OPEN_FILE_LOCK: return on_file(a->file, file_locked);
    case REACH_OPEN_FILE_LOCK_WAITING: return on_file(a->file, file_locked_waiting);
    case REACH_LEASE: return on_file(a->file, leased);
    case REACH_NOTIFY: return on_file("/usr", noted);
    case REACH_SIGNAL_OF_FILE: return on_file(a->file, signalled);
    case REACH_FCNTL_UNKNOWN: return on_file(a->file, unknown_command);
    case REACH_PARAM_OF_HOST: return param_again(a->host);
    case REACH_SCHEDULER_OF_HOST: return scheduler_again(a->host);
    case REACH_ATTRIBUTES_OF_HOST: return attributes_again(a->host);
    case REACH_NICE_OF_USER:
        return let_through(setpriority(PRIO_USER, (id_t)user_to_name(), getpriority(PRIO_PROCESS, 0)));
    case REACH_NICE_OF_GROUP: return nice_again(PRIO_PGRP, 0);
    case REACH_IO_PRIORITY_OF_USER: return let_through(io_priority(3, user_to_name()));
    case REACH_IO_PRIORITY_OF_HOST: return io_priority(1, a->host);
    case REACH_CORE_OF_HOST: return prctl(62 /* PR_SCHED_CORE */, 1 /* CREATE */, a->host, 0, 0);
    case REACH_WORKS_ASK_POSITION: return lseek(OUT, 0, SEEK_CUR) < 0 ? -1 : 0;
    case REACH_WORKS_PRINT: return printf("printed\n") > 0 ? fflush(stdout) : -1;
    case REACH_WORKS_SEND_FILE_TO_OUTPUT: return on_file(a->file, sent_to_output);
    case REACH_WORKS_FLAGS_OF_OUTPUT: return fcntl(OUT, F_GETFL) < 0 || fcntl(OUT, F_GETFD) < 0 ? -1 : 0;
    case REACH_WORKS_OWN_OUTPUT: return own_output();
    case REACH_WORKS_DUP: return on_file(a->file, dup_of);
    case REACH_WORKS_NONBLOCK: return nonblocking();
    case REACH_WORKS_MEMORY_FILE: return memory_file();
    case REACH_WORKS_MAP_WITHOUT_FILE:
        return with_map(MAP_PRIVATE | MAP_ANONYMOUS, 0) | with_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    case REACH_WORKS_MAP_FILE: return on_file(a->file, mapped_file);
    case REACH_WORKS_SEEK: return on_file(a->file, sought);
    case REACH_WORKS_ASK_LOCK: return on_file(a->file, lock_asked);
    case REACH_WORKS_STREAM_PAIR: return stream_pair();
    case REACH_WORKS_SCHEDULER: return scheduler_again(0) | param_again(getpid()) | attributes_again(0);
    case REACH_WORKS_NICE: return nice_again(PRIO_PROCESS, 0) | io_priority(1, 0);
    case REACH_WORKS_THREADS_WITH_PLACES: return threads_with_places();
    case REACH_WORKS_TIMER_TO_THREAD: return timer_to_thread();
    case REACH_COUNT: break;
    }
    errno = ENOTSUP;
    return -1;
}

int run_reach(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    errno = 0;
    int32_t got = reached(input) >= 0 ? 0 : errno;
    *(int32_t *)mape_task_output(task, sizeof got) = got;
    return 0;
}
