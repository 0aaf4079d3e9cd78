/* fork_processes.c - zygote and workers as processes: signals, descriptors, processors, small calls
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
 */
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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static mapb_zygote the_zygote;

mapb_zygote *mapb_zygote_state(void) { return &the_zygote; }

void mapb_zygote_afresh(void) {
    if (the_zygote.pid != 0) memset(&the_zygote, 0, sizeof the_zygote);
}

uint32_t mapb_depth(void) { return the_zygote.depth; }
int mapb_is_sandboxed(void) { return (the_zygote.flags & MAPB_INIT_SANDBOX) != 0; }

/* ---- the zygote ---- */

static void default_signals(void) {
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    for (int s = 1; s < NSIG; s++) sigaction(s, &plain, NULL);
    /* To a terminal these processes are in the background: a process that prints or reads there must not be stopped (stty tostop). */
    plain.sa_handler = SIG_IGN;
    sigaction(SIGTTOU, &plain, NULL);
    sigaction(SIGTTIN, &plain, NULL);
    stack_t none;
    memset(&none, 0, sizeof none);
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, NULL);
}

int mapb_zygote_signals(void) {
    default_signals();
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_SETMASK, &child, NULL);
    return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Standard files that the host has closed become /dev/null here, so that the next descriptors do not get their numbers. */
void mapb_fill_standard_files(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0) open("/dev/null", O_RDWR); /* Takes the lowest number that is free: this one. */
    }
}

void mapb_print_to(int fd) {
    if (fd >= 0) dup2(fd, 2);
}

static int zygote_parent;

/* The kernel sends it when the thread that made the zygote has ended; others may send it too. When the host is gone, the zygote has this
 * long to end what is left; then a timer's SIGKILL ends it, whatever it is doing, in the constructor of a library for example. */
static void parent_may_be_gone(int signal) {
    (void)signal;
    int saved = errno;
    if (getppid() != zygote_parent) {
        struct sigevent event;
        struct itimerspec when = {.it_value = {1, 500000000}};
        int timer = 0;
        memset(&event, 0, sizeof event);
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = SIGKILL;
        if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) != 0 ||
            syscall(SYS_timer_settime, timer, 0, &when, NULL) != 0)
            kill(getpid(), SIGKILL);
    }
    errno = saved;
}

int mapb_zygote_process(int parent) {
    setpgid(0, 0);
    mapb_leave_real_time();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_NAME, "mape-zygote", 0, 0, 0);
    if (parent) {
        /* Normally the zygote ends at end-of-file on the control socket. This is for a zygote that is stopped when the host dies, which
         * SIGCONT continues, or that does not read the socket. */
        struct sigaction look;
        memset(&look, 0, sizeof look);
        look.sa_handler = parent_may_be_gone;
        look.sa_flags = SA_RESTART;
        zygote_parent = parent;
        sigaction(SIGCONT, &look, NULL);
        prctl(PR_SET_PDEATHSIG, SIGCONT, 0, 0, 0);
        if (getppid() != parent) return -1;
    }
    return 0;
}

int mapb_process_id(void) { return getpid(); }
int mapb_parent_id(void) { return getppid(); }

void mapb_notifier_drain(int fd) {
    char bytes[1024];
    while (read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes) {}
}

int mapb_ended_child(void) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return 0;
    return info.si_pid;
}

int mapb_reap(int pid) {
    int status = 0;
    kill(-pid, SIGKILL); /* Not yet reaped, so the number is still its own. */
    while (waitpid(pid, &status, 0) < 0) {
        /* Other code in this process has reaped it: its status is lost. */
        if (errno != EINTR) return 255 << 8;
    }
    return status;
}

void mapb_kill_group(int pid) {
    if (pid > 1) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL); /* It may not have made its group yet. */
    }
}

int mapb_fork(void) {
    pid_t pid = fork();
    return pid < 0 ? -errno : pid;
}

void mapb_exit(int code) { _exit(code); }
void mapb_close(int fd) {
    if (fd >= 0) close(fd);
}

/* ---- a worker's beginnings ---- */

/* The n-th of a set's processors, counted round. -1: it is empty. */
static int nth_processor(const cpu_set_t *set, uint32_t n) {
    int count = CPU_COUNT(set);
    if (count < 1) return -1;
    int wanted = (int)(n % (uint32_t)count);
    for (int c = 0; c < CPU_SETSIZE; c++) {
        if (CPU_ISSET(c, set) && wanted-- == 0) return c;
    }
    return -1;
}

/* A set without this processor moves the process at once; it stays there when the old set is restored. */
static void move_to(const cpu_set_t *set, const cpu_set_t *all) {
    if (sched_setaffinity(0, sizeof *set, set) == 0 && all) sched_setaffinity(0, sizeof *all, all);
}

static void go_to(uint32_t n, int stays) {
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all) != 0) return;
    int home = nth_processor(&all, n);
    if (home < 0 || (!stays && sched_getcpu() == home)) return;
    CPU_ZERO(&one);
    CPU_SET(home, &one);
    move_to(&one, stays ? NULL : &all);
}

void mapb_go_home(uint32_t n) { go_to(n, 0); }

void mapb_worker_process(const mapb_zygote *zygote, uint32_t slot, int out, int err) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != zygote->pid) _exit(1); /* It died before the line above. */
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigaction(SIGCONT, &plain, NULL); /* The only handler of the zygote. */
    char name[16] = "mape-worker-000";
    uint32_t digits = slot;
    for (int i = 14; i > 11; i--, digits /= 10) name[i] = (char)('0' + digits % 10);
    prctl(PR_SET_NAME, name, 0, 0, 0);

    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 0);
        if (zygote->flags & MAPB_INIT_DISCARD) {
            dup2(null, 1);
            dup2(null, 2);
        }
        if (null > 2) close(null);
    }
    if (out >= 0) {
        dup2(out, 1);
        close(out);
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* So that the host gets output line by line. */
    }
    if (err >= 0) {
        dup2(err, 2);
        close(err);
    }
    if (zygote->nice) setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + zygote->nice);
    if (zygote->flags & MAPB_INIT_PIN) go_to(slot, 1);
    mapb_worker_limits(zygote);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

uint8_t *mapb_shared_map(int fd, uint64_t size, int writable) {
    void *at = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | MAP_NORESERVE, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

void *mapb_private_memory(uint64_t size) {
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

void mapb_private_memory_free(void *memory, uint64_t size) { munmap(memory, size); }

/* ---- small things ---- */

int64_t mapb_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint32_t mapb_processor(void) {
    int processor = sched_getcpu();
    return processor < 0 ? 0 : (uint32_t)processor;
}

void mapb_step_aside(uint32_t processor) {
    cpu_set_t all, others;
    if (processor >= CPU_SETSIZE || sched_getaffinity(0, sizeof all, &all) != 0) return;
    others = all;
    CPU_CLR((int)processor, &others);
    if (CPU_COUNT(&others) == 0) return;
    move_to(&others, &all);
}

int mapb_join_barriers(void) { return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0; }

void mapb_word_wait(const uint64_t *word, uint32_t expected) {
    /* The low half of a little-endian word. A shared futex may lie in memory that this process can only read. */
    syscall(SYS_futex, (const uint32_t *)word, FUTEX_WAIT, expected, NULL, NULL, 0);
}

void mapb_bell_ring(int fd) {
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one);
    (void)written; /* A full bell is readable already. */
}

void mapb_say(const char *text, uint64_t size) {
    ssize_t written = write(2, text, size);
    if (written >= 0) written = write(2, "\n", 1);
    (void)written; /* Nobody listens. */
}
