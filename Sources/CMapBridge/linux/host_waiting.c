/* host_waiting.c - processes, memory, threads and waiting, as the host needs them */
#include "CMapBridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

/* ---- which process is this? ---- */

static uint64_t *host_mark; /* A page that a fork finds zeroed. */

int mapb_remember_host(const char **call) {
    if (__atomic_load_n(&host_mark, __ATOMIC_ACQUIRE)) return 0;
    uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *call = "mmap";
    if (page == MAP_FAILED) return errno;
    *call = "madvise(MADV_WIPEONFORK)";
    if (madvise(page, 4096, MADV_WIPEONFORK) != 0) {
        int why = errno;
        munmap(page, 4096);
        return why;
    }
    *page = 1;
    mapb_find_address_end();
    uint64_t *none = NULL;
    if (!__atomic_compare_exchange_n(&host_mark, &none, page, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        munmap(page, 4096);
    return 0;
}

int mapb_is_forked_child(void) {
    const uint64_t *mark = __atomic_load_n(&host_mark, __ATOMIC_ACQUIRE);
    return mark && *mark == 0;
}

/* ---- descriptors ---- */

/* A host may have closed its standard input, output or error. What then gets their numbers is written to by whoever prints: so
 * nothing of ours stays there. Takes a new descriptor, or -1 with errno set; returns a descriptor, or a negative errno. */
static int above_standard(int fd) {
    if (fd < 0) return -errno;
    if (fd > 2) return fd;
    int other = fcntl(fd, F_DUPFD_CLOEXEC, 3), why = errno;
    close(fd);
    return other >= 0 ? other : -why;
}

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

/* ---- memory ---- */

int mapb_memfd(const char *name, uint64_t size, const char **call) {
    *call = "memfd_create";
    int fd = above_standard(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0) return fd;
    *call = "ftruncate of a memfd";
    int got = ftruncate(fd, (off_t)size);
    if (got == 0) *call = "fcntl(F_ADD_SEALS)", got = fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (got == 0) return fd;
    int why = errno;
    close(fd);
    return -why;
}

/* Where all memory to come is locked (mlockall(2), MCL_FUTURE), mmap takes every page at once, and refuses what is beyond
 * RLIMIT_MEMLOCK. So a mapping begins with one page that cannot be touched, is unlocked, and grows. */
void *mapb_map_unlocked(uint64_t size, int flags, int fd) {
    void *first = mmap(NULL, 4096, PROT_NONE, flags | MAP_NORESERVE, fd, 0);
    if (first == MAP_FAILED) return NULL;
    munlock(first, 4096); /* Where it is denied (@memlock of systemd), so is locking. */
    void *at = mremap(first, 4096, size, MREMAP_MAYMOVE);
    if (at != MAP_FAILED) return at;
    int why = errno;
    munmap(first, 4096);
    if (why == EPERM || why == ENOSYS) at = mmap(NULL, size, PROT_NONE, flags | MAP_NORESERVE, fd, 0);
    if (at != MAP_FAILED) return at;
    errno = why;
    return NULL;
}

uint8_t *mapb_map_host(int fd, uint64_t size) {
    void *at = mapb_map_unlocked(size, MAP_SHARED, fd);
    if (!at) return NULL;
    if (mprotect(at, size, PROT_READ | PROT_WRITE) != 0) {
        int why = errno;
        munmap(at, size);
        errno = why;
        return NULL;
    }
    madvise(at, size, MADV_DONTFORK);
    madvise(at, size, MADV_DONTDUMP);
    return at;
}

int mapb_open_read_only(int fd) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return above_standard(open(path, O_RDONLY | O_CLOEXEC));
}

void mapb_give_back(uint8_t *at, uint64_t size) { madvise(at, size, MADV_REMOVE); }
void mapb_unmap(uint8_t *at, uint64_t size) { munmap(at, size); }

/* ---- waiting and waking ---- */

int mapb_eventfd(void) { return above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int mapb_bell(int out[2]) {
    if (pipe2(out, O_CLOEXEC | O_NONBLOCK) != 0) return errno;
    return both_above_standard(out);
}

void mapb_silence(int fd) {
    char bytes[4096];
    for (int pages = 0; pages < 16 && read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes; pages++) {}
}

void mapb_signal_eventfd(int fd) { mapb_ring_bell(fd); }

int mapb_socket_pair(int out[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out) != 0) return errno;
    return both_above_standard(out);
}

int mapb_pipe(int out[2]) {
    if (pipe2(out, O_CLOEXEC) != 0) return errno;
    int why = both_above_standard(out);
    if (why) return why;
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    return 0;
}

int mapb_epoll(void) { return above_standard(epoll_create1(EPOLL_CLOEXEC)); }

int mapb_epoll_add(int epoll, int fd, uint64_t tag) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void mapb_epoll_change(int epoll, int fd, uint64_t tag, int writable) {
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.u64 = tag};
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

void mapb_epoll_remove(int epoll, int fd) { epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

static int to_milliseconds(int64_t ns) {
    if (ns < 0) return -1;
    int64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    return ms > 1000000000 ? 1000000000 : (int)ms;
}

int mapb_epoll_wait(int epoll, uint64_t *tags, int count, int64_t timeout_ns) {
    struct epoll_event events[64];
    if (count > 64) count = 64;
    int got = epoll_wait(epoll, events, count, to_milliseconds(timeout_ns));
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

void mapb_poll(int fd, int64_t timeout_ns) {
    struct pollfd one = {fd, POLLIN, 0};
    struct timespec time;
    ppoll(&one, 1, to_timespec(timeout_ns, &time), NULL);
}

int mapb_barrier(void) { return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0; }

void mapb_wake_futex(const uint64_t *word) { syscall(SYS_futex, (const uint32_t *)word, FUTEX_WAKE, 1, NULL, NULL, 0); }

void mapb_wait_private(const uint32_t *word, uint32_t expected, int64_t timeout_ns) {
    struct timespec time;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, to_timespec(timeout_ns, &time), NULL, 0);
}

void mapb_wake_private(const uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0); }

int64_t mapb_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- files ---- */

int mapb_open_folder(const char *path) {
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int mapb_create_file(int folder, const char *name) {
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : -errno;
}

void mapb_remove_file(int folder, const char *name) { unlinkat(folder, name, 0); }

/* ---- this process and this machine ---- */

int mapb_cores(void) {
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) == 0) return CPU_COUNT(&all);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

uint64_t mapb_limit(int which) {
    struct rlimit limit;
    if (getrlimit(which == 0 ? RLIMIT_AS : RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur;
}

uint64_t mapb_memory(void) {
    struct sysinfo info;
    if (sysinfo(&info) != 0) return UINT64_MAX;
    return ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

char **mapb_environment(void) { return environ; }

const char *mapb_signal_name(int number) { return sigabbrev_np(number); }

const char *mapb_status_text(int status) {
    switch (status) {
    case MAPE_OK: return "done";
    case MAPE_E_ARGUMENT: return "an argument is NULL or has a value it may not have";
    case MAPE_E_HANDLE: return "the handle was released, or never was one of that kind";
    case MAPE_E_SIZE: return "struct_size matches no version of the structure";
    case MAPE_E_OVERFLOW: return "a count, size or stride is too large, or a destination too small";
    case MAPE_E_MEMORY: return "out of memory or of reserved address space";
    case MAPE_E_SYSTEM: return "a system call failed";
    case MAPE_E_CLOSED: return "the pool was shut down, or the stream finished";
    case MAPE_E_AGAIN: return "not now: try again later";
    case MAPE_E_TIMEOUT: return "the time was over first";
    case MAPE_E_BUSY: return "already in progress";
    case MAPE_E_FUNCTION: return "no such function, or one that workers cannot reach";
    case MAPE_E_LOAD: return "a library, module or symbol could not be loaded in the workers";
    case MAPE_E_SETUP: return "a setup failed, crashed or ran out of time";
    case MAPE_E_WORKERS: return "the pool failed: its workers or its zygote could not be kept alive";
    case MAPE_E_STATE: return "the call does not fit the object";
    case MAPE_E_INDEX: return "no item, worker or entry with that index";
    case MAPE_E_IN_WORKER: return "host calls are not possible inside a worker";
    case MAPE_E_FORKED: return "host calls are not possible in a forked child of the host";
    case MAPE_E_UNSUPPORTED: return "this kernel or machine cannot do it";
    default: return "unknown status";
    }
}
