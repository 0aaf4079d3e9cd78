/* test_untouched.c - the host's process is left as it was found. Tests/untouched goes on, with hosts in processes of their own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

/** All of the process that the library might have touched, in comparable form. */
struct state {
    struct sigaction actions[65];
    sigset_t mask;
    stack_t stack;
    struct rlimit limits[RLIM_NLIMITS];
    mode_t umask;
    int nice_value, dumpable;
    char cwd[4096], locale[256];
    size_t environment_size;
    uint64_t environment_sum;
};

static void state_taken(struct state *state) {
    memset(state, 0, sizeof *state);
    for (int number = 1; number < 65; number++) sigaction(number, NULL, &state->actions[number]);
    sigprocmask(SIG_SETMASK, NULL, &state->mask);
    sigaltstack(NULL, &state->stack);
    for (int i = 0; i < RLIM_NLIMITS; i++) getrlimit((__rlimit_resource_t)i, &state->limits[i]);
    state->umask = umask(022);
    umask(state->umask);
    state->nice_value = getpriority(PRIO_PROCESS, 0);
    if (getcwd(state->cwd, sizeof state->cwd) == NULL) state->cwd[0] = '\0';
    snprintf(state->locale, sizeof state->locale, "%s", setlocale(LC_ALL, NULL));
    for (char **entry = environ; *entry != NULL; entry++) {
        state->environment_size += strlen(*entry) + 1;
        for (char *c = *entry; *c != '\0'; c++)
            state->environment_sum = state->environment_sum * 31 + (unsigned char)*c;
        state->environment_sum ^= (uintptr_t)*entry;
    }
}

static void state_is(const struct state *before) {
    static struct state now;
    state_taken(&now);
    for (int number = 1; number < 65; number++) {
        if (now.actions[number].sa_handler != before->actions[number].sa_handler ||
            now.actions[number].sa_flags != before->actions[number].sa_flags)
            fail_msg("the disposition of signal %d changed", number);
    }
    for (int number = 1; number < 65; number++)
        assert_int_equal(sigismember(&now.mask, number), sigismember(&before->mask, number));
    assert_ptr_equal(now.stack.ss_sp, before->stack.ss_sp);
    assert_int_equal(now.stack.ss_flags, before->stack.ss_flags);
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        assert_int_equal(now.limits[i].rlim_cur, before->limits[i].rlim_cur);
        assert_int_equal(now.limits[i].rlim_max, before->limits[i].rlim_max);
    }
    assert_int_equal(now.umask, before->umask);
    assert_int_equal(now.nice_value, before->nice_value);
    assert_string_equal(now.cwd, before->cwd);
    assert_string_equal(now.locale, before->locale);
    assert_int_equal(now.environment_size, before->environment_size);
    assert_int_equal(now.environment_sum, before->environment_sum);
}

/** A pool's whole life, with a crash in it. */
static void live(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_fault);
    struct fault_item items[60];
    for (uint64_t i = 0; i < 60; i++) items[i] = (struct fault_item){i, i == 30 ? WAY_KILL : WAY_WELL, 0};
    mape_job *job = mapped(pool, function, items, 60, sizeof items[0], NULL);
    int fd = -1;
    is_ok(pool, mape_pool_event_fd(&fd, pool));
    wait_for(job);
    assert_int_equal(progress_of(job).ok, 59);
    pool_close(pool);
}

static void signals_environment_limits_and_folders_stay_as_they_were(uint32_t birth) {
    static struct state before;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL); /* Something to be kept that is not the default. */
    signal(SIGPIPE, SIG_IGN);
    state_taken(&before);
    mape_pool *pool = pool_started(birth, 2);
    state_is(&before);
    uint64_t value = 3;
    wait_for(applied(pool, registered(pool, run_square), &value, sizeof value));
    state_is(&before);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    state_is(&before);
    pool_close(pool);
    state_is(&before);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void twenty_pools_leave_no_descriptor_thread_mapping_or_child(uint32_t birth) {
    struct snapshot before = snapshot_taken();
    for (int i = 0; i < 20; i++) {
        live(birth);
        snapshot_comes_back(&before);
    }
}

static void all_descriptors_are_close_on_exec(uint32_t birth) {
    bool known[1024];
    for (int fd = 0; fd < 1024; fd++) known[fd] = fcntl(fd, F_GETFD) >= 0;
    mape_pool *pool = pool_started(birth, 2);
    int event_fd = -1, own = 0;
    is_ok(pool, mape_pool_event_fd(&event_fd, pool));
    for (int fd = 0; fd < 1024; fd++) {
        int flags = known[fd] ? -1 : fcntl(fd, F_GETFD);
        if (flags < 0) continue;
        own++;
        if ((flags & FD_CLOEXEC) == 0) fail_msg("descriptor %d is not close-on-exec", fd);
    }
    assert_true(own > 0);
    pool_close(pool);
}

static void the_librarys_thread_blocks_all_signals(uint32_t birth) {
    pid_t before[64], now[64];
    int count_before = thread_ids(getpid(), before, 64);
    mape_pool *pool = pool_started(birth, 1);
    int count = thread_ids(getpid(), now, 64), made = 0;
    for (int i = 0; i < count; i++) {
        bool is_new = true;
        for (int k = 0; k < count_before; k++) is_new &= now[i] != before[k];
        if (!is_new) continue;
        char path[64], line[256];
        unsigned long long blocked = 0, all = ~((1ull << (SIGKILL - 1)) | (1ull << (SIGSTOP - 1)) | (3ull << 31));
        snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)now[i]);
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        while (fgets(line, sizeof line, file) != NULL) sscanf(line, "SigBlk: %llx", &blocked);
        fclose(file);
        assert_int_equal(blocked & all, all); /* But for glibc's own two, which nobody can block. */
        made++;
    }
    assert_int_equal(made, 1); /* "The library runs one thread of its own per started pool." */
    pool_close(pool);
}

static void the_hosts_own_child_is_left_to_the_host(uint32_t birth) {
    pid_t child = fork();
    if (child == 0) _exit(44);
    live(birth);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 44);
}

static void a_host_that_ignores_sigchld_is_served(uint32_t birth) {
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 3; i++) live(birth);
    struct sigaction action;
    sigaction(SIGCHLD, NULL, &action);
    signal(SIGCHLD, SIG_DFL);
    assert_true(action.sa_handler == SIG_IGN);
}

static volatile sig_atomic_t handler_calls;

static void reap_all(int number) {
    (void)number;
    int saved = errno;
    handler_calls++;
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    errno = saved;
}

static void a_host_that_reaps_every_child_in_a_handler_is_served(uint32_t birth) {
    struct sigaction action = {.sa_handler = reap_all, .sa_flags = SA_RESTART}, before;
    sigaction(SIGCHLD, &action, &before);
    for (int i = 0; i < 5; i++) live(birth);
    sigaction(SIGCHLD, &before, NULL);
}

static void count_alarm(int number) {
    (void)number;
    handler_calls++;
}

/** Signals come by an interval timer, without SA_RESTART: each blocking call of the library meets EINTR. */
static void a_thread_of_the_host_that_is_interrupted_all_the_time_is_served(uint32_t birth) {
    struct sigaction action = {.sa_handler = count_alarm}, before;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec every = {.it_interval = {.tv_nsec = 2000000}, .it_value = {.tv_nsec = 2000000}};
    sigaction(SIGALRM, &action, &before);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    timer_settime(timer, 0, &every, NULL);
    for (int i = 0; i < 3; i++) live(birth);
    timer_delete(timer);
    sigaction(SIGALRM, &before, NULL);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(signals_environment_limits_and_folders_stay_as_they_were),
        BOTH(twenty_pools_leave_no_descriptor_thread_mapping_or_child),
        BOTH(all_descriptors_are_close_on_exec),
        BOTH(the_librarys_thread_blocks_all_signals),
        BOTH(the_hosts_own_child_is_left_to_the_host),
        BOTH(a_host_that_ignores_sigchld_is_served),
        BOTH(a_host_that_reaps_every_child_in_a_handler_is_served),
        BOTH(a_thread_of_the_host_that_is_interrupted_all_the_time_is_served),
    };
    return run_abi_tests("untouched", tests, COUNT(tests));
}
