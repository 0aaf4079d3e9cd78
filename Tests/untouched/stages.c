/* stages.c - a host that has not loaded the library looks at its own process before and after each step of its life: open, create,
 * start, jobs with crashes, shutdown, destroy, close. What may differ at which stage stands in a table, with the reason.
 *
 *   stages exec|fork
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine.h"
#include "snapshot.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPENED = 1, CREATED = 2, STARTED = 4, WORKED = 8, SHUT_DOWN = 16, DESTROYED = 32, CLOSED = 64 };
#define ALWAYS    (OPENED | CREATED | STARTED | WORKED | SHUT_DOWN | DESTROYED | CLOSED)
#define WITH_POOL (CREATED | STARTED | WORKED | SHUT_DOWN)
#define RUNNING   (STARTED | WORKED)

static const struct allowed table[] = {
    {ALWAYS, "map.*/libmapengine.so.*", 8, "the library itself; it stays when it is closed (-z nodelete)"},
    {ALWAYS, "map.*/libpthread.so.0.*", 5, "parts of the C library, which are empty since glibc 2.34"},
    {ALWAYS, "map.*/libdl.so.2.*", 5, "the same"},
    {ALWAYS, "count.atexit", 1,
     "libstdc++'s two error categories register destructors that do nothing (system_error.cc)"},
    {CREATED | STARTED | WORKED | SHUT_DOWN | DESTROYED | CLOSED, "count.atfork", 1,
     "the first pool registers what closes the library's descriptors in a child: the header says so"},
    {WITH_POOL, "fd.*./memfd:mapengine*", 2, "the input memory, and its descriptor for reading that workers get"},
    {WITH_POOL, "map./memfd:mapengine*", 1, "the input memory"},
    {WITH_POOL, "fd.*.pipe:*", 4, "the bells of engine and waiting threads: two pipes"},
    {WITH_POOL, "fd.*.anon_inode:?eventfd?", 1, "the engine's wakeup"},
    {WITH_POOL, "fd.*.anon_inode:?eventpoll?", 1, "what the engine's thread sleeps in"},
    {RUNNING, "fd.*.socket:*", 1, "the control socket of the zygote"},
    {RUNNING, "fd.*.*pidfd*", 1, "the zygote's"},
    {RUNNING, "thread.mapengine.*", 30, "the library's one thread"},
    {RUNNING, "child.*", 1, "the zygote"},
    {RUNNING, "map./memfd:mapengine*", 2, "the output memory of two workers"},
    {WORKED | SHUT_DOWN, "fd.*.anon_inode:?eventfd?", 1, "the host has asked for mape_pool_event_fd"},
    {SHUT_DOWN | DESTROYED | CLOSED, "count.sigchld", 1, "the zygote has ended: the header says so"},
};

/* ---- what cannot be read from outside is counted here ---- */

struct counted snapshot_counts[] = {{"sigchld", 0}, {"other_signals", 0}, {"atexit", 0}, {"atfork", 0}, {NULL, 0}};

static void heard(int number) { snapshot_counts[number == SIGCHLD ? 0 : 1].count++; }

/* These stand before libc's for every library that is loaded later. */
int __cxa_atexit(void (*function)(void *), void *argument, void *library) {
    static int (*real)(void (*)(void *), void *, void *);
    if (real == NULL) real = (__typeof__(real))dlsym(RTLD_NEXT, "__cxa_atexit");
    snapshot_counts[2].count++;
    return real(function, argument, library);
}

int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library) {
    static int (*real)(void (*)(void), void (*)(void), void (*)(void), void *);
    if (real == NULL) real = (__typeof__(real))dlsym(RTLD_NEXT, "__register_atfork");
    snapshot_counts[3].count++;
    return real(prepare, parent, child, library);
}

/** A host with much about it that is not the default, and so could be lost. */
static void become_peculiar(void) {
    struct sigaction action = {.sa_handler = heard, .sa_flags = SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    action.sa_flags |= SA_ONSTACK;
    sigaddset(&action.sa_mask, SIGUSR1);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) sigaction(number, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&stack, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setenv("MAPENGINE_TEST", "value", 1);
    if (chdir("/usr") != 0) fail("chdir");
    umask(0133);
    if (setlocale(LC_NUMERIC, "C.UTF-8") == NULL) fail("setlocale");
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_CORE, &limit);
    prctl(PR_SET_TIMERSLACK, 77000, 0, 0, 0);
    prctl(PR_SET_NAME, "peculiar host", 0, 0, 0);
    setpriority(PRIO_PROCESS, 0, 3);
    fesetround(FE_UPWARD);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct itimerspec once = {.it_value = {.tv_sec = 100000}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) timer_settime(timer, 0, &once, NULL);
    if (open("/etc/passwd", O_RDONLY) < 0) fail("open");
}

static void compare(const struct snapshot *before, unsigned at, const char *title) {
    stage("%s", title);
    /* A joined thread and a reaped child can stay in /proc for an instant. */
    for (int tries = 0;; tries++) {
        struct snapshot now = snapshot_taken();
        bool last = tries == 3000;
        int wrong = snapshot_differences(before, &now, at, table, sizeof table / sizeof table[0], last ? title : NULL);
        snapshot_freed(&now);
        if (snapshot_counts[2].count > 2) fail("%d exit handlers were registered", snapshot_counts[2].count);
        if (wrong == 0) return;
        if (last) fail("%s: %d differences that are not in the table", title, wrong);
        nap();
    }
}

/** The snapshot sees changes: else nothing that it says counts. */
static void changes_are_seen(void) {
    struct snapshot before = snapshot_taken();
    static const char *const names[] = {"umask",      "cwd",     "environment", "rounding",
                                        "descriptor", "handler", "mask",        "timer"};
    for (int i = 0; i < 8; i++) {
        int fd = -1;
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGWINCH);
        struct sigaction action = {.sa_handler = heard}, was;
        struct itimerval timer = {.it_value = {.tv_sec = 10000}}, none = {0};
        if (i == 0) umask(0);
        if (i == 1 && chdir("/") != 0) fail("chdir");
        if (i == 2) setenv("MAPENGINE_TEST", "other", 1);
        if (i == 3) fesetround(FE_DOWNWARD);
        if (i == 4) fd = dup(1);
        if (i == 5) sigaction(SIGWINCH, &action, &was);
        if (i == 6) sigprocmask(SIG_BLOCK, &set, NULL);
        if (i == 7) setitimer(ITIMER_REAL, &timer, NULL);
        struct snapshot now = snapshot_taken();
        if (snapshot_differences(&before, &now, ALWAYS, table, sizeof table / sizeof table[0], NULL) == 0)
            fail("the snapshot does not see a change of %s", names[i]);
        snapshot_freed(&now);
        if (i == 0) umask(0133);
        if (i == 1 && chdir("/usr") != 0) fail("chdir");
        if (i == 2) setenv("MAPENGINE_TEST", "value", 1);
        if (i == 3) fesetround(FE_UPWARD);
        if (i == 4) close(fd);
        if (i == 5) sigaction(SIGWINCH, &was, NULL);
        if (i == 6) sigprocmask(SIG_UNBLOCK, &set, NULL);
        if (i == 7) setitimer(ITIMER_REAL, &none, NULL);
    }
    snapshot_freed(&before);
}

static int stages(int argc, char **argv) {
    uint32_t birth = argc > 1 && strcmp(argv[1], "fork") == 0 ? MAPE_START_FORK : MAPE_START_EXEC;
    become_peculiar();
    changes_are_seen();
    struct engine engine;
    struct snapshot before = snapshot_taken();
    engine_open(&engine, library_path, RTLD_NOW | RTLD_LOCAL);
    compare(&before, OPENED, "after dlopen");
    struct functions functions;
    mape_pool *pool = engine_pool(&engine, birth, 2, &functions);
    compare(&before, CREATED, "after mape_pool_create");
    OK(&engine, pool, engine.mape_pool_start(pool, PATIENCE));
    compare(&before, STARTED, "after mape_pool_start");
    int fd = -1;
    OK(&engine, pool, engine.mape_pool_event_fd(&fd, pool));
    for (int i = 0; i < 3; i++) {
        engine_maps(&engine, pool, &functions, 1000);
        engine_crashes(&engine, pool, &functions);
    }
    wait_until(engine_stats(&engine, pool).workers_ready == 2);
    compare(&before, WORKED, "after jobs with crashes");
    OK(&engine, pool, engine.mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    compare(&before, SHUT_DOWN, "after mape_pool_shutdown");
    OK(&engine, NULL, engine.mape_pool_release(pool));
    compare(&before, DESTROYED, "after mape_pool_release");
    engine_close(&engine);
    compare(&before, CLOSED, "after dlclose");
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) fail("a child is left");
    return 0;
}

int main(int argc, char **argv) { return watched(120, stages, argc, argv); }
