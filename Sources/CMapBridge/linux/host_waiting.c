/* host_waiting.c - threads of the host that wait and wake: pollers, notifiers, bells, words */
#include "system.h"

#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

static int both_above_standard(int pair[2]) {
    int first = above_standard(pair[0]), second = above_standard(pair[1]);
    if (first >= 0 && second >= 0) {
        pair[0] = first;
        pair[1] = second;
        return 0;
    }
    if (first >= 0) close(first);
    if (second >= 0) close(second);
    return first < 0 ? -first : -second;
}

/* ---- descriptors ---- */

int mapb_notifier_open(void) { return above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int mapb_bell_open(int out[2]) {
    if (pipe2(out, O_CLOEXEC | O_NONBLOCK) != 0) return errno;
    return both_above_standard(out);
}

void mapb_bell_drain(int fd) {
    char bytes[4096];
    for (int pages = 0; pages < 16 && read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes; pages++) {}
}

void mapb_notifier_notify(int fd) { mapb_bell_ring(fd); }

int mapb_socket_pair(int out[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out) != 0) return errno;
    return both_above_standard(out);
}

void mapb_hang_up(int socket) { shutdown(socket, SHUT_RDWR); }

int mapb_pipe(int out[2]) {
    if (pipe2(out, O_CLOEXEC) != 0) return errno;
    int why = both_above_standard(out);
    if (why) return why;
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    return 0;
}

int mapb_standard_error(void) {
    const int fd = fcntl(2, F_DUPFD_CLOEXEC, 3);
    return fd >= 0 ? fd : above_standard(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

/* A pipe that has room takes PIPE_BUF bytes at once (pipe(7)); a terminal and a file always have. Where several write, another may have
 * filled it between the question and the write: that is the host's own writer, and as rare as it is short. */
void mapb_write_what_goes(int fd, const uint8_t *bytes, uint64_t size) {
    while (size > 0) {
        struct pollfd room = {fd, POLLOUT, 0};
        if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)) return;
        const ssize_t wrote = write(fd, bytes, size < PIPE_BUF ? size : PIPE_BUF);
        if (wrote <= 0) return;
        bytes += wrote;
        size -= (uint64_t)wrote;
    }
}

int mapb_poller_open(void) { return above_standard(epoll_create1(EPOLL_CLOEXEC)); }

int mapb_poller_add(int poller, int fd, uint64_t tag) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
    return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void mapb_poller_change(int poller, int fd, uint64_t tag, int writable) {
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.u64 = tag};
    epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
}

void mapb_poller_remove(int poller, int fd) { epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL); }

static int to_milliseconds(int64_t ns) {
    if (ns < 0) return -1;
    int64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    return ms > 1000000000 ? 1000000000 : (int)ms;
}

int mapb_poller_wait(int poller, uint64_t *tags, int count, int64_t timeout_ns) {
    struct epoll_event events[64];
    if (count > 64) count = 64;
    int got = epoll_wait(poller, events, count, to_milliseconds(timeout_ns));
    for (int i = 0; i < got; i++) tags[i] = events[i].data.u64;
    return got >= 0 || errno == EINTR ? got < 0 ? 0 : got : -errno;
}

static struct timespec *to_timespec(int64_t ns, struct timespec *out) {
    if (ns < 0) return NULL;
    out->tv_sec = ns / 1000000000;
    out->tv_nsec = ns % 1000000000;
    return out;
}

void mapb_nap(void) { nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); }

void mapb_wait_readable(int fd, int64_t timeout_ns) {
    struct pollfd one = {fd, POLLIN, 0};
    struct timespec time;
    ppoll(&one, 1, to_timespec(timeout_ns, &time), NULL);
}

void mapb_await_cancel(void) {
    int error = errno;
    char none;
    (void)!read(-1, &none, 0);
    errno = error;
}

/* ---- sleeps that a signal ends ---- */

void mapb_signals_hold(mapb_signals *signals) {
    sigset_t most;
    sigfillset(&most);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&most, faults[i]);
    signals->poller = -1;
    pthread_sigmask(SIG_BLOCK, &most, &signals->before);
}

void mapb_signals_let(mapb_signals *signals) {
    if (signals->poller >= 0) close(signals->poller);
    signals->poller = -1;
    pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}

/* ppoll lets them in and sleeps in one step, and no SA_RESTART starts it again. */
int mapb_signals_wait_readable(const mapb_signals *signals, int fd, int64_t timeout_ns) {
    struct pollfd one = {fd, POLLIN, 0};
    struct timespec time;
    return ppoll(&one, 1, to_timespec(timeout_ns, &time), &signals->before) < 0 && errno == EINTR;
}

/* A futex has no mask. So each thread has a poller of its own that tells each notification once, without being drained (EPOLLET): nobody
 * takes another's. Where there are no descriptors left, a signal that comes just before the sleep is missed. */
void mapb_signals_prepare(mapb_signals *signals, int notifier) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    if (signals->poller >= 0) return;
    signals->poller = above_standard(epoll_create1(EPOLL_CLOEXEC));
    if (signals->poller >= 0 && epoll_ctl(signals->poller, EPOLL_CTL_ADD, notifier, &event) != 0) {
        close(signals->poller);
        signals->poller = -1;
    }
}

int mapb_signals_wait_changes(mapb_signals *signals, const uint32_t *word, uint32_t expected, int64_t timeout_ns) {
    struct epoll_event event;
    if (mapb_load32(word) != expected) return 0;
    if (signals->poller >= 0) {
        int got = epoll_pwait(signals->poller, &event, 1, to_milliseconds(timeout_ns), &signals->before);
        return got < 0 && errno == EINTR;
    }
    struct timespec time;
    sigset_t held;
    to_timespec(timeout_ns < 0 ? 3600 * (int64_t)1000000000 : timeout_ns, &time);
    pthread_sigmask(SIG_SETMASK, &signals->before, &held);
    int interrupted = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, &time, NULL, 0) != 0 && errno == EINTR;
    pthread_sigmask(SIG_SETMASK, &held, NULL);
    return interrupted;
}

int mapb_barrier(void) { return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0; }

/* All, because the process that had the place before may be sleeping there still: one that was killed is among the sleepers until it gets a
 * processor to die on, and a wakeup that it took would be lost. */
void mapb_word_wake(const uint64_t *word) {
    syscall(SYS_futex, (const uint32_t *)word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void mapb_word_wait_local(const uint32_t *word, uint32_t expected, int64_t timeout_ns) {
    struct timespec time;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, to_timespec(timeout_ns, &time), NULL, 0);
}

void mapb_word_wake_local(const uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

void mapb_word_wake_local_one(const uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }
