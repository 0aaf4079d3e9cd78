/* fault_leftovers.c - functions that leave something behind in their process, and one that looks: fault_identity.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "fault_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void exit_44(int number) {
    (void)number;
    _exit(44);
}

static void act(int number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(number, &action, NULL);
}

static void limit(__rlimit_resource_t which, rlim_t soft, int for_good) {
    struct rlimit now;
    getrlimit(which, &now);
    now.rlim_cur = soft;
    if (for_good) now.rlim_max = soft;
    setrlimit(which, &now);
}

static void leave_timer(void) {
    timer_t timer;
    struct sigevent event;
    struct itimerspec when = {{0, 100000000}, {0, 100000000}};
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR2;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || timer_settime(timer, 0, &when, NULL) != 0) abort();
}

static void leave_stack(void) {
    stack_t stack = {.ss_size = 65536};
    stack.ss_sp = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&stack, NULL);
    munmap(stack.ss_sp, 65536);
}

static void leave_floating(uint32_t what) {
#if defined(__x86_64__)
    uint16_t word = 0x007f;
    if (what == LEAVE_FLUSHING) __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
    if (what == LEAVE_X87) __asm__ volatile("fldcw %0" : : "m"(word));
    if (what == LEAVE_MMX) __asm__ volatile("movd %0, %%mm0" : : "r"(1) : "mm0");
#else
    (void)what;
#endif
}

static int leave(uint32_t what) {
    sigset_t all;
    sigfillset(&all);
    struct itimerval soon = {{0, 100000}, {0, 100000}};
    cpu_set_t one;
    switch ((enum leftover)what) {
    case LEAVE_ROUNDING: return fesetround(FE_UPWARD);
    case LEAVE_FLUSHING:
    case LEAVE_X87:
    case LEAVE_MMX: leave_floating(what); return 0;
    case LEAVE_TRAPS: return feenableexcept(FE_DIVBYZERO | FE_INVALID) < 0;
    case LEAVE_FLAGS: return feraiseexcept(FE_INVALID | FE_DIVBYZERO);
    case LEAVE_MASK: return sigprocmask(SIG_BLOCK, &all, NULL);
    case LEAVE_PENDING: sigprocmask(SIG_BLOCK, &all, NULL); return raise(SIGTERM) | raise(SIGUSR1);
    case LEAVE_IGNORED: act(SIGCHLD, SIG_IGN), act(SIGPIPE, SIG_IGN), act(SIGSEGV, SIG_IGN); return 0;
    case LEAVE_HANDLERS: act(SIGSEGV, exit_44), act(SIGCHLD, exit_44); return 0;
    case LEAVE_STACK: leave_stack(); return 0;
    case LEAVE_ALARM: alarm(1); return 0;
    case LEAVE_TIMERS:
        return setitimer(ITIMER_REAL, &soon, NULL) | setitimer(ITIMER_VIRTUAL, &soon, NULL) |
               setitimer(ITIMER_PROF, &soon, NULL);
    case LEAVE_POSIX_TIMER: leave_timer(); return 0;
    case LEAVE_FOLDER: return chdir("/usr");
    case LEAVE_UMASK: umask(077); return 0;
    case LEAVE_LOCALE: return setlocale(LC_ALL, "C.UTF-8") == NULL;
    case LEAVE_THREAD_LOCALE: return uselocale(newlocale(LC_ALL_MASK, "C.UTF-8", NULL)) == NULL;
    case LEAVE_LIMITS: limit(RLIMIT_FSIZE, 1, 0), limit(RLIMIT_NOFILE, 9, 0), limit(RLIMIT_CPU, 1, 0); return 0;
    case LEAVE_HARD_LIMITS: limit(RLIMIT_NOFILE, 64, 1); return 0;
    case LEAVE_PRIORITY: return setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 3);
    case LEAVE_PROCESSORS:
        CPU_ZERO(&one);
        CPU_SET(sched_getcpu(), &one);
        return sched_setaffinity(0, sizeof one, &one);
    case LEAVE_GROUP: return setpgid(0, getppid());
    case LEAVE_DEATH_SIGNAL: return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) | prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    case LEAVE_STDOUT: return freopen("/dev/full", "w", stdout) == NULL;
    case LEAVE_NO_STDOUT: return fclose(stdout);
    case LEAVE_USER: return seteuid(61234);
    case LEAVE_ROOT: return chroot("/usr");
    case LEFTOVERS: break;
    }
    return 1;
}

int run_leaves(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    if (leave(*(const uint32_t *)input) != 0) return mape_task_fail(task, 1, strerror(errno));
    return 0;
}

/* ---- a look ---- */

static uint64_t signals(void (*among)(int)) {
    uint64_t found = 0;
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0) continue;
        int is = among == SIG_IGN ? action.sa_handler == SIG_IGN
                                  : action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL;
        if (is) found |= UINT64_C(1) << number;
    }
    return found;
}

static uint64_t blocked(void) {
    sigset_t mask;
    uint64_t found = 0;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < 64; number++)
        if (sigismember(&mask, number) == 1) found |= UINT64_C(1) << number;
    return found;
}

static void look_at_numbers(struct found *found) {
    volatile long double third = 1.0L / 3;
    volatile double one = 1, nothing = 0, tiny = 5e-324;
    found->flags = (uint32_t)fetestexcept(FE_INVALID | FE_DIVBYZERO);
    found->rounding = (uint32_t)fegetround();
    found->flushes = tiny * one == 0;
    found->traps = one / nothing > 1e308;
#if defined(__x86_64__)
    uint16_t word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    found->x87 = word;
#endif
    found->sum = (double)(third * 3 + third);
}

static int child_status(void) {
    pid_t child = fork();
    int status = -1;
    if (child == 0) _exit(7);
    return waitpid(child, &status, 0) == child ? status : -errno;
}

static void look(struct found *found) {
    struct rlimit now;
    stack_t stack;
    struct stat file;
    cpu_set_t processors;
    look_at_numbers(found);
    found->mask = blocked();
    found->ignored = signals(SIG_IGN);
    found->handled = signals(SIG_DFL);
    sigaltstack(NULL, &stack);
    found->has_stack = (stack.ss_flags & SS_DISABLE) == 0 && msync(stack.ss_sp, 4096, MS_ASYNC) == 0;
    if (getcwd(found->folder, sizeof found->folder) == NULL) snprintf(found->folder, sizeof found->folder, "none");
    umask((mode_t)(found->umask = umask(022)));
    snprintf(found->locale, sizeof found->locale, "%s", setlocale(LC_ALL, NULL));
    found->thread_locale = uselocale((locale_t)0) != LC_GLOBAL_LOCALE;
    getrlimit(RLIMIT_FSIZE, &now), found->file_limit = now.rlim_cur;
    getrlimit(RLIMIT_NOFILE, &now), found->descriptor_limit = now.rlim_cur, found->descriptor_hard = now.rlim_max;
    getrlimit(RLIMIT_CPU, &now), found->cpu_limit = now.rlim_cur;
    found->priority = getpriority(PRIO_PROCESS, 0);
    sched_getaffinity(0, sizeof processors, &processors);
    found->processors = (uint32_t)CPU_COUNT(&processors);
    found->leads_group = getpgrp() == getpid();
    prctl(PR_GET_PDEATHSIG, &found->death_signal);
    prctl(PR_GET_CHILD_SUBREAPER, &found->subreaper);
    found->child_status = child_status();
    found->stdout_file = fstat(1, &file) == 0 ? file.st_ino : 0;
    found->stdout_number = fileno(stdout);
    found->user = geteuid();
    found->root = stat("/", &file) == 0 ? file.st_ino : 0;
}

int run_finds(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    struct found *found = mape_task_output(task, sizeof *found);
    if (found == NULL) return 0;
    memset(found, 0, sizeof *found);
    look(found);
    if (*(const uint32_t *)input != 0) {
        /* Works and sleeps: timers of processor time and of the clock run out. */
        struct timespec begun, now;
        clock_gettime(CLOCK_MONOTONIC, &begun);
        do clock_gettime(CLOCK_MONOTONIC, &now);
        while ((now.tv_sec - begun.tv_sec) * 1000000000 + now.tv_nsec - begun.tv_nsec < 300000000);
        found->slept = nanosleep(&(struct timespec){0, 900000000}, NULL) == 0;
    }
    return 0;
}

int setup_its_own(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)data, (void)size, (void)out_state;
    umask(027);
    if (fesetround(FE_UPWARD) != 0 || chdir("/usr") != 0) return mape_task_fail(task, 1, "it cannot");
    return 0;
}

int run_segfaults(mape_task *task, void *state, const void *input, size_t size) {
    (void)task, (void)state, (void)input, (void)size;
    return *(volatile int *)(uintptr_t)8;
}
