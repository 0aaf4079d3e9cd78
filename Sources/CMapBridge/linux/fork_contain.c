/* fork_contain.c - what a worker may use, and what becomes of the processes that it starts
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
 *
 * A process whose parent ends is adopted by the zygote, the nearest reaper (PR_SET_CHILD_SUBREAPER, prctl(2)). So when a worker has
 * died, all that it left behind are children of the zygote; when those are killed, their children become the zygote's, until
 * none is left. But orphans of workers that live are its children, too. Therefore each worker carries a mark that all its
 * descendants inherit, through fork, exec and setsid: the soft limit RLIMIT_LOCKS, which the kernel keeps, hands down, and
 * has not looked at since 2.4.25 (getrlimit(2)). The zygote kills processes that carry the mark of a worker that is gone, and no others.
 * The zygote of a worker's pool carries that worker's mark, and so does what it has started besides its workers; when the worker is gone, the
 * worker's zygote kills it.
 */
#include "CMapBridge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK ((rlim_t)0x6d617065 << 32) /* "mape", then the worker's process id. */

/* ---- the class of who made it ---- */

/* Threads and processes inherit the class of scheduling of the thread that makes them (sched(7)). A host's thread that may take a
 * processor for itself, for sound for example, has that for its own short work: what spins and computes in its place would hold up
 * the machine. Others, such as SCHED_IDLE and SCHED_BATCH, are modest, and meant for all that a program does. */
void mapb_leave_real_time(void) {
    const struct sched_param none = {0};
    const int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
    if (policy != SCHED_FIFO && policy != SCHED_RR && policy != 6 /* SCHED_DEADLINE */) return;
    sched_setscheduler(0, SCHED_OTHER, &none);
    prctl(PR_SET_TIMERSLACK, 50000, 0, 0, 0); /* As a process has it; of those classes one inherits 0. */
}

/* ---- a worker's limits ---- */

static void set_mark(void) {
    struct rlimit limit;
    if (prlimit(0, RLIMIT_LOCKS, NULL, &limit) != 0) return;
    limit.rlim_cur = MARK | (rlim_t)getpid();
    if (limit.rlim_cur <= limit.rlim_max) prlimit(0, RLIMIT_LOCKS, &limit, NULL);
}

/* A limit of 1 byte: too small for any core file, and the one value for which the kernel starts no program that core_pattern
 * names either; it ignores 0 there (do_coredump in fs/coredump.c). The hard limit stays, for who wants a core after all. */
static void no_core_files(void) {
    struct rlimit limit;
    if (prlimit(0, RLIMIT_CORE, NULL, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max < 1 ? limit.rlim_max : 1;
    prlimit(0, RLIMIT_CORE, &limit, NULL);
}

static long read_file(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    long got = read(file, text, size - 1);
    close(file);
    if (got >= 0) text[got] = 0;
    return got;
}

static long number_at(const char *text) {
    long sign = 1, value = 0;
    while (*text == ' ' || *text == '\t') text++;
    if (*text == '-') sign = -1, text++;
    for (; *text >= '0' && *text <= '9'; text++) value = value * 10 + (*text - '0');
    return sign * value;
}

static void prefer_for_oom(int more) {
    char text[32];
    if (read_file("/proc/self/oom_score_adj", text, sizeof text) <= 0) return;
    long wanted = number_at(text) + more;
    int size = snprintf(text, sizeof text, "%d", wanted > 1000 ? 1000 : (int)wanted);
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t written = write(file, text, (size_t)size);
    (void)written; /* Raising it needs no right. Best effort: if it fails, workers have the host's OOM score. */
    close(file);
}

void mapb_worker_limits(const mapb_zygote *zygote) {
    set_mark();
    if (zygote->flags & MAPB_INIT_NO_CORES) no_core_files();
    if (zygote->oom > 0) prefer_for_oom(zygote->oom);
    if (zygote->memory_limit) {
        struct rlimit limit = {zygote->memory_limit, zygote->memory_limit};
        setrlimit(RLIMIT_DATA, &limit);
    }
}

/* ---- how large it is ---- */

static uint64_t kibibytes(const char *text, const char *name) {
    size_t length = strlen(name);
    for (; *text; text++) {
        if (memcmp(text, name, length) == 0) return (uint64_t)number_at(text + length) << 10;
        while (*text && *text != '\n') text++;
        if (!*text) break;
    }
    return 0;
}

uint64_t mapb_private_bytes(void) {
    char text[4096] = {0}; /* Some bytes more than are read: a name is compared as a whole. */
    if (read_file("/proc/self/status", text, sizeof text - 16) <= 0) return 0;
    return kibibytes(text, "RssAnon:") + kibibytes(text, "VmSwap:");
}

/* ---- what workers leave behind ---- */

static int is_worker(const mapb_zygote *zygote, int pid) {
    for (uint32_t i = 0; i < zygote->workers; i++)
        if (zygote->children[i].pid == pid) return 1;
    return 0;
}

/* The worker whose mark a process carries; 0: none, so it is not ours, but a child of a zygote program that the host named. */
static int marked_by(int pid) {
    struct rlimit limit;
    if (prlimit(pid, RLIMIT_LOCKS, NULL, &limit) != 0) return 0;
    return (limit.rlim_cur & ~(rlim_t)UINT32_MAX) == MARK ? (int)(uint32_t)limit.rlim_cur : 0;
}

int mapb_own_mark(void) { return marked_by(0); }

/* Reads a list as proc(5) gives it. It is exact, because only this thread takes processes off it, by reaping them; where another thread of
 * a zygote's program does so as well, what was missed is found after the next death. */
static int kill_listed(const mapb_zygote *zygote, const char *path, int with_all) {
    char bytes[4096];
    int list = open(path, O_RDONLY | O_CLOEXEC), count = 0, pid = 0;
    if (list < 0) return -1;
    for (long got; (got = read(list, bytes, sizeof bytes)) > 0;) {
        for (long i = 0; i < got; i++) {
            if (bytes[i] >= '0' && bytes[i] <= '9') {
                pid = pid * 10 + (bytes[i] - '0');
                continue;
            }
            const int worker = pid > 1 ? marked_by(pid) : 0;
            if (worker && worker != zygote->mark && (with_all || !is_worker(zygote, worker))) {
                mapb_kill_group(pid);
                count++;
            }
            pid = 0;
        }
    }
    close(list);
    return count;
}

/* An orphan becomes the child of the process's first thread, which need not be the one that runs the zygote. */
int mapb_kill_strays(const mapb_zygote *zygote, int with_all) {
    int count = kill_listed(zygote, "/proc/thread-self/children", with_all);
    const int first = getpid();
    if (count < 0 || syscall(SYS_gettid) == first) return count;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", first);
    const int more = kill_listed(zygote, path, with_all);
    return more > 0 ? count + more : count;
}

int mapb_wait_children(int signals) {
    siginfo_t info;
    struct pollfd one = {signals, POLLIN, 0};
    poll(&one, 1, 10);
    mapb_notifier_drain(signals);
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}
