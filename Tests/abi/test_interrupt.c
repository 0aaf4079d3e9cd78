/* test_interrupt.c - waits that end for a signal's sake: mape_pool_interrupt, and pools that are interruptible.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

/* ---- calls that wait ---- */

struct waiter {
    mape_pool *pool;
    mape_job *job;
    pthread_t thread;
    _Atomic int tid;
    int (*call)(struct waiter *);
    int status;
    _Atomic bool back;
};

static int wait_job(struct waiter *w) { return mape_job_wait(w->job, MAPE_FOREVER); }
static int wait_job_long(struct waiter *w) { return mape_job_wait(w->job, MAPE_SECONDS(100000)); }
static int wait_event(struct waiter *w) {
    mape_event event = MAPE_EVENT_INIT;
    return mape_pool_next_event(&event, w->pool, MAPE_FOREVER);
}
static int wait_events(struct waiter *w) {
    mape_event events[3] = {MAPE_EVENT_INIT};
    size_t count = 7;
    int status = mape_pool_next_events(events, COUNT(events), &count, w->pool, MAPE_FOREVER);
    return status != MAPE_OK && count != 0 ? 1 : status;
}
static int wait_start(struct waiter *w) { return mape_pool_start(w->pool, MAPE_FOREVER); }
static int wait_drain(struct waiter *w) { return mape_pool_shutdown(w->pool, MAPE_SHUTDOWN_DRAIN, MAPE_FOREVER); }

static const struct {
    const char *name;
    int (*call)(struct waiter *);
} calls[] = {{"job_wait", wait_job},     {"job_wait with a timeout", wait_job_long},
             {"next_event", wait_event}, {"next_events", wait_events},
             {"pool_start", wait_start}, {"drain", wait_drain}};

static void *wait_in_call(void *context) {
    struct waiter *w = context;
    atomic_store(&w->tid, gettid());
    w->status = w->call(w);
    atomic_store(&w->back, true);
    return NULL;
}

static void begin(struct waiter *w) {
    w->tid = 0;
    w->back = false;
    w->status = 1;
    assert_int_equal(pthread_create(&w->thread, NULL, wait_in_call, w), 0);
}

/** Whether a thread sleeps, as the kernel says. */
static bool sleeps(int tid) {
    char path[64], line[512], state = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    if (fgets(line, sizeof line, file)) sscanf(strrchr(line, ')') + 1, " %c", &state);
    fclose(file);
    return state == 'S';
}

static void let_it_sleep(struct waiter *w) {
    wait_until(atomic_load(&w->tid) != 0);
    for (int seen = 0; seen < 20 && !atomic_load(&w->back); seen = sleeps(w->tid) ? seen + 1 : 0) short_nap();
}

static void ends_with(struct waiter *w, int status, const char *what) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_SECONDS;
    if (pthread_timedjoin_np(w->thread, NULL, &until) != 0) fail_msg("%s goes on", what);
    if (w->status != status) fail_msg("%s: %s", what, mape_status_string(w->status));
}

/** A pool with a job that goes on until the gate opens. */
static mape_pool *pool_gated(uint32_t birth, uint32_t interruptible, mape_job **job, bool starts) {
    mape_pool_config config = config_of(birth, 2);
    config.interruptible = interruptible;
    config.setup_timeout_ns = -1;
    config.cleanup_timeout_ns = MAPE_MILLISECONDS(500);
    mape_pool *pool = pool_open_with(&config);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t value = 5;
    *job = applied(pool, gated, &value, sizeof value);
    wait_until(atomic_load(&shared_page()->entered) > 0);
    if (starts) registered_shared(pool, run_gated, setup_waits_but_first, NULL);
    return pool;
}

/* ---- by whom ---- */

static mape_pool *_Atomic interrupted;
static _Atomic int handled, refused;

static void interrupts(int number) {
    (void)number;
    if (mape_pool_interrupt(atomic_load(&interrupted)) != MAPE_OK) atomic_fetch_add(&refused, 1);
    atomic_fetch_add(&handled, 1);
}
static void does_nothing(int number) {
    (void)number;
    atomic_fetch_add(&handled, 1);
}

static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

enum ways { BY_CALL, BY_HANDLER, BY_SIGNAL, BY_RESTARTED_SIGNAL, WAYS };

static void interrupt_by(enum ways way, mape_pool *pool, struct waiter *w, int count) {
    atomic_store(&interrupted, pool);
    handle(SIGUSR1, way == BY_HANDLER ? interrupts : does_nothing, way == BY_RESTARTED_SIGNAL ? SA_RESTART : 0);
    if (way == BY_CALL) is_ok(pool, mape_pool_interrupt(pool));
    if (way == BY_HANDLER) pthread_kill(w[0].thread, SIGUSR1); /* Its handler ends the others' waits as well. */
    for (int i = 0; i < count && way >= BY_SIGNAL; i++) pthread_kill(w[i].thread, SIGUSR1);
}

/** Each call that waits, with one thread and with three (one leads, the others follow), in each way; and again. */
static void every_wait_is_interrupted(uint32_t birth) {
    for (enum ways way = BY_CALL; way < WAYS; way++)
        for (size_t i = 0; i < COUNT(calls); i++) {
            const bool alone = calls[i].call == wait_event || calls[i].call == wait_events;
            for (int count = 1; count <= (alone ? 1 : 3); count += 2) {
                struct waiter waiters[3] = {{0}};
                mape_job *job;
                atomic_store(&shared_page()->gate, 0);
                atomic_store(&shared_page()->entered, 0);
                atomic_store(&shared_page()->setups, 0);
                mape_pool *pool = pool_gated(birth, way >= BY_SIGNAL, &job, calls[i].call == wait_start);
                for (int round = 0; round < 3; round++) {
                    for (int k = 0; k < count; k++) {
                        waiters[k] = (struct waiter){.pool = pool, .job = job, .call = calls[i].call};
                        begin(&waiters[k]);
                    }
                    for (int k = 0; k < count; k++) let_it_sleep(&waiters[k]);
                    stage("%s by %d threads, in way %d, round %d", calls[i].name, count, way, round);
                    interrupt_by(way, pool, waiters, count);
                    for (int k = 0; k < count; k++) ends_with(&waiters[k], MAPE_E_INTERRUPTED, calls[i].name);
                }
                /* Nothing is lost by it. */
                atomic_store(&shared_page()->gate, 1);
                is_ok(pool, mape_job_wait(job, PATIENCE));
                if (calls[i].call == wait_start) is_ok(pool, mape_pool_start(pool, PATIENCE));
                if (calls[i].call == wait_drain) is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
                pool_close(pool);
            }
        }
    assert_int_equal(refused, 0);
    handle(SIGUSR1, SIG_DFL, 0);
}

static void an_interrupt_before_the_wait_ends_it_once(uint32_t birth) {
    mape_job *job;
    mape_pool *pool = pool_gated(birth, 0, &job, false);
    is_ok(pool, mape_pool_interrupt(pool));
    is_ok(pool, mape_pool_interrupt(pool));
    /* What does not wait is not interrupted, and leaves it for what does. */
    is_status(pool, MAPE_E_AGAIN, mape_job_wait(job, 0));
    mape_event event = MAPE_EVENT_INIT;
    is_status(pool, MAPE_E_AGAIN, mape_pool_next_event(&event, pool, 0));
    is_status(pool, MAPE_E_INTERRUPTED, mape_job_wait(job, MAPE_FOREVER));
    assert_true(names_one_of(message_of(pool), "signal"));
    is_status(pool, MAPE_E_TIMEOUT, mape_job_wait(job, MAPE_MILLISECONDS(20)));
    /* What is there already counts more. */
    atomic_store(&shared_page()->gate, 1);
    wait_for(job);
    is_ok(pool, mape_pool_interrupt(pool));
    is_ok(pool, mape_job_wait(job, MAPE_FOREVER));
    pool_close(pool);
}

static void what_is_no_pool_is_refused(uint32_t birth) {
    mape_job *job;
    mape_pool *pool = pool_gated(birth, 0, &job, false);
    atomic_store(&shared_page()->gate, 1);
    assert_int_equal(mape_pool_interrupt(NULL), MAPE_E_HANDLE);
    assert_int_equal(mape_pool_interrupt((mape_pool *)1), MAPE_E_HANDLE);
    assert_int_equal(mape_pool_interrupt((mape_pool *)job), MAPE_E_HANDLE);
    assert_int_equal(mape_pool_interrupt((mape_pool *)UINTPTR_MAX), MAPE_E_HANDLE);
    pid_t child = fork();
    if (child == 0) _exit(mape_pool_interrupt(pool) == MAPE_E_FORKED ? 0 : 1);
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    is_ok(pool, mape_pool_interrupt(pool));
    pool_close(pool);
    assert_int_equal(mape_pool_interrupt(pool), MAPE_E_HANDLE);
}

/** A drain that was interrupted takes no jobs any more, and another thread may go on with it, or cancel. */
static void a_drain_that_was_interrupted_is_taken_up(uint32_t birth) {
    for (int how = MAPE_SHUTDOWN_DRAIN; how <= MAPE_SHUTDOWN_CANCEL; how++) {
        struct waiter w = {.call = wait_drain};
        uint64_t value = 1;
        mape_job *other = NULL;
        atomic_store(&shared_page()->gate, 0);
        atomic_store(&shared_page()->entered, 0);
        mape_pool *pool = w.pool = pool_gated(birth, 0, &w.job, false);
        begin(&w);
        let_it_sleep(&w);
        is_ok(pool, mape_pool_interrupt(pool));
        ends_with(&w, MAPE_E_INTERRUPTED, "drain");
        is_status(pool, MAPE_E_CLOSED, mape_apply(&other, pool, 1, &value, sizeof value, NULL));
        assert_int_equal(progress_of(w.job).is_done, 0);
        if (how == MAPE_SHUTDOWN_DRAIN) atomic_store(&shared_page()->gate, 1);
        int status = mape_pool_shutdown(pool, how, how == MAPE_SHUTDOWN_DRAIN ? PATIENCE : 0);
        assert_true(status == MAPE_OK || (how == MAPE_SHUTDOWN_CANCEL && status == MAPE_E_TIMEOUT));
        uint64_t squared = 25;
        if (how == MAPE_SHUTDOWN_DRAIN) result_is(w.job, 0, &squared, sizeof squared);
        else result_ended(w.job, 0, MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, 0);
        pool_close(pool);
    }
}

/* ---- which signals ---- */

static void only_a_handler_interrupts_and_only_if_asked(uint32_t birth) {
    for (uint32_t interruptible = 0; interruptible <= 1; interruptible++) {
        struct waiter w = {.call = wait_job};
        atomic_store(&shared_page()->gate, 0);
        atomic_store(&shared_page()->entered, 0);
        mape_pool *pool = w.pool = pool_gated(birth, interruptible, &w.job, false);
        handle(SIGUSR1, SIG_IGN, 0);
        handle(SIGUSR2, does_nothing, 0);
        handled = 0;
        begin(&w);
        let_it_sleep(&w);
        for (int i = 0; i < 10; i++) pthread_kill(w.thread, SIGUSR1);
        let_it_sleep(&w);
        assert_false(atomic_load(&w.back));
        pthread_kill(w.thread, SIGUSR2);
        wait_until(handled == 1);
        if (interruptible) {
            ends_with(&w, MAPE_E_INTERRUPTED, "job_wait");
            atomic_store(&shared_page()->gate, 1);
            wait_for(w.job);
        } else {
            let_it_sleep(&w);
            atomic_store(&shared_page()->gate, 1);
            ends_with(&w, MAPE_OK, "job_wait");
        }
        pool_close(pool);
    }
    handle(SIGUSR1, SIG_DFL, 0);
    handle(SIGUSR2, SIG_DFL, 0);
}

/** A thread that waits for a busy job: data moves all the time, and no signal is missed. The job cannot end, so the wait cannot either. */
static void a_signal_is_not_missed_while_data_moves(uint32_t birth) {
    mape_pool_config config = config_of(birth, 2);
    config.interruptible = 1;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id gated = registered_shared(pool, run_gated_first, setup_shared, NULL);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    handle(SIGUSR1, does_nothing, SA_RESTART);
    mape_job_config one = MAPE_JOB_CONFIG_INIT;
    one.chunk = 1;
    uint64_t *values = numbers(20000);
    sigset_t before, after;
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    for (int round = 0; round < 30; round++) {
        struct waiter w = {.pool = pool, .call = wait_job};
        atomic_store(&shared_page()->gate, 0);
        w.job = mapped(pool, gated, values, 20000, sizeof *values, &one);
        handled = 0;
        begin(&w);
        wait_until(atomic_load(&w.tid) != 0);
        while (progress_of(w.job).done < 600u * (unsigned)round) {}
        stage("round %d", round);
        pthread_kill(w.thread, SIGUSR1);
        ends_with(&w, MAPE_E_INTERRUPTED, "job_wait");
        assert_int_equal(handled, 1);
        atomic_store(&shared_page()->gate, 1);
        wait_for(w.job);
        squares_are_right(w.job, values, 20000);
        is_ok(pool, mape_job_release(w.job));
    }
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_memory_equal(&before, &after, sizeof before);
    free(values);
    handle(SIGUSR1, SIG_DFL, 0);
    pool_close(pool);
}

/** A handler that interrupts, in the middle of all that a host does: it waits for nothing that the thread holds. */
static void a_handler_may_interrupt_at_any_moment(uint32_t birth) {
    struct itimerval often = {{0, 300}, {0, 300}}, off = {{0, 0}, {0, 0}};
    handle(SIGALRM, interrupts, SA_RESTART);
    handled = refused = 0;
    for (int round = 0; round < 6; round++) {
        mape_pool *pool = pool_started(birth, 2);
        mape_function_id square = registered(pool, run_square);
        atomic_store(&interrupted, pool);
        setitimer(ITIMER_REAL, &often, NULL);
        for (uint64_t i = 0; i < 300; i++) {
            mape_job *job = applied(pool, square, &i, sizeof i);
            while (mape_job_wait(job, PATIENCE) == MAPE_E_INTERRUPTED) {}
            uint64_t squared = i * i;
            result_is(job, 0, &squared, sizeof squared);
            is_ok(pool, mape_job_release(job));
        }
        pool_forget(pool);
        is_ok(NULL, mape_pool_release(pool)); /* And it is destroyed in the midst of them. */
        wait_until(handled > 20 * (round + 1));
        setitimer(ITIMER_REAL, &off, NULL);
    }
    handle(SIGALRM, SIG_DFL, 0);
}

/* ---- Python ---- */

/** KeyboardInterrupt in a script that waits by ctypes: interrupt_host.py. */
static void ctrl_c_ends_a_wait_of_python(uint32_t birth) {
    (void)birth;
    for (int way = 0; way < 2; way++) {
        char sleeps[24];
        snprintf(sleeps, sizeof sleeps, "%d", WAY_SLEEP);
        stage("python, way %d", way);
        pid_t child = fork();
        if (child == 0) {
            setenv("PYTHONPATH", PREFIX "/share/mapengine", 1);
            execlp("python3", "python3", PYTHON_HOST, PREFIX "/lib/libmapengine.so", WORKERS_LIBRARY,
                   way == 0 ? "signal" : "call", sleeps, (char *)NULL);
            _exit(127);
        }
        int status = -1;
        wait_until(waitpid(child, &status, WNOHANG) == child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("way %d: wait status %x", way, status);
    }
}

int main(void) {
    static const struct abi_test tests[] = {
        PATIENT(every_wait_is_interrupted, IN_EXEC | IN_FORK, 200),
        BOTH(an_interrupt_before_the_wait_ends_it_once),
        BOTH(what_is_no_pool_is_refused),
        BOTH(a_drain_that_was_interrupted_is_taken_up),
        BOTH(only_a_handler_interrupts_and_only_if_asked),
        BOTH(a_signal_is_not_missed_while_data_moves),
        BOTH(a_handler_may_interrupt_at_any_moment),
        ONCE(ctrl_c_ends_a_wait_of_python),
    };
    return run_abi_tests("interrupt", tests, COUNT(tests));
}
