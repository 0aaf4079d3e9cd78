/* test_waits.c - every wait has an end: whoever shuts the pool down, destroys it, or cancels the thread that waits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "native_functions.h"
#include "support_native.h"

#include <pthread.h>
#include <signal.h>

/* ---- calls that wait ---- */

struct waiter {
    mape_pool *pool;
    mape_job *job;
    long (*proxy)(long);
    _Atomic int inside;
    int status;
    bool async;
    _Atomic int heard;
};

static int wait_event(struct waiter *w) {
    mape_event event = MAPE_EVENT_INIT;
    int status;
    do status = mape_pool_next_event(&event, w->pool, MAPE_FOREVER);
    while (status == MAPE_OK);
    return status;
}
static int wait_job(struct waiter *w) { return mape_job_wait(w->job, MAPE_FOREVER); }
static int wait_start(struct waiter *w) { return mape_pool_start(w->pool, MAPE_FOREVER); }
static int wait_proxy(struct waiter *w) { return (int)w->proxy(100000000); }
static int wait_drain(struct waiter *w) { return mape_pool_shutdown(w->pool, MAPE_SHUTDOWN_DRAIN, MAPE_FOREVER); }

enum ends { BY_SHUTDOWN, BY_FAILURE, BY_DESTROY, ENDS };

static const struct blocking {
    const char *name;
    int (*call)(struct waiter *);
    int statuses[ENDS], others[ENDS]; /**< What it may answer; 1: nothing else. */
    bool can_be_cancelled;
} blockings[] = {
    {"next_event", wait_event, {MAPE_E_CLOSED, MAPE_E_WORKERS, MAPE_E_CLOSED}, {1, 1, MAPE_E_HANDLE}, true},
    {"job_wait", wait_job, {MAPE_OK, MAPE_OK, MAPE_E_HANDLE}, {MAPE_OK, MAPE_OK, MAPE_OK}, true},
    {"pool_start", wait_start, {MAPE_E_CLOSED, MAPE_E_WORKERS, MAPE_E_CLOSED}, {1, 1, MAPE_E_HANDLE}, true},
    {"proxy", wait_proxy, {0, 0, 0}, {1, 1, 1}, true},
    {"drain", wait_drain, {MAPE_E_TIMEOUT, MAPE_OK, MAPE_E_TIMEOUT}, {1, MAPE_E_TIMEOUT, 1}, false},
};

static void on_error(void *context, const mape_result *result) {
    (void)result;
    atomic_fetch_add(&((struct waiter *)context)->heard, 1);
}

static void *wait_in_call(void *context) {
    struct waiter *w = ((void **)context)[0];
    const struct blocking *blocking = ((void **)context)[1];
    if (w->async) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    atomic_fetch_add(&w->inside, 1);
    w->status = blocking->call(w);
    return NULL;
}

/** A pool with a job that does not end, a setup that does not (so that a start does not end), and a proxy. */
static struct waiter waiter_ready(uint32_t birth, mape_native_fn *proxy, bool starts) {
    struct waiter w = {0};
    mape_pool_config config = config_of(birth, 2);
    config.grace_ns = MAPE_MILLISECONDS(100);
    config.setup_timeout_ns = -1;
    w.pool = pool_open_with(&config);
    mape_function_id wait = typed(w.pool, "long native_wait(long milliseconds)", native_wait, 0);
    is_ok(w.pool, mape_pool_start(w.pool, PATIENCE));
    static long forever[2] = {100000000, 100000000};
    mape_column values = column(forever, sizeof forever[0]);
    is_ok(w.pool, mape_map_columns(&w.job, w.pool, wait, 1, &values, 1, NULL));
    is_ok(w.pool, mape_proxy_create(proxy, w.pool, wait, NULL, NULL, NULL));
    w.proxy = (long (*)(long)) * proxy;
    if (starts) registered_shared(w.pool, run_gated, setup_waits_but_first, NULL);
    return w;
}

/** Until the thread sleeps in the call, as far as can be seen from outside. */
static void let_it_sleep(struct waiter *w) {
    wait_until(atomic_load(&w->inside));
    for (int i = 0; i < 60; i++) short_nap();
}

static void every_wait_ends(uint32_t birth, enum ends end) {
    for (size_t i = 0; i < COUNT(blockings); i++) {
        if (end == BY_FAILURE && birth != MAPE_START_FORK) continue;
        struct waiter made, *w = &made;
        mape_native_fn proxy;
        pthread_t thread;
        made = waiter_ready(birth, &proxy, blockings[i].call == wait_start);
        mape_native_fn mine = NULL;
        if (blockings[i].call == wait_proxy) { /* on_error is to hear of it where the waiter stands now. */
            is_ok(w->pool, mape_proxy_create(&mine, w->pool, 1, NULL, on_error, w));
            w->proxy = (long (*)(long))mine;
        }
        void *both[2] = {w, (void *)(uintptr_t)&blockings[i]};
        stage("%s waits", blockings[i].name);
        assert_int_equal(pthread_create(&thread, NULL, wait_in_call, both), 0);
        let_it_sleep(w);
        stage("%s is to end, in way %d", blockings[i].name, end);
        if (end == BY_SHUTDOWN) mape_pool_shutdown(w->pool, MAPE_SHUTDOWN_CANCEL, 0);
        if (end == BY_FAILURE) kill_process(stats_of(w->pool).zygote_pid);
        if (end == BY_DESTROY) {
            pool_forget(w->pool);
            is_ok(NULL, mape_pool_release(w->pool));
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        if (pthread_timedjoin_np(thread, NULL, &until) != 0) fail_msg("%s goes on", blockings[i].name);
        if (w->status != blockings[i].statuses[end] && w->status != blockings[i].others[end])
            fail_msg("%s: %s", blockings[i].name, mape_status_string(w->status));
        if (mine) {
            assert_int_equal(w->heard, 1);
            is_ok(NULL, mape_proxy_release(mine));
        }
        is_ok(NULL, mape_proxy_release(proxy));
        if (end != BY_DESTROY) pool_close(w->pool);
    }
}

static void every_wait_ends_when_the_pool_is_shut_down(uint32_t birth) { every_wait_ends(birth, BY_SHUTDOWN); }
static void every_wait_ends_when_the_pool_fails(uint32_t birth) { every_wait_ends(birth, BY_FAILURE); }
static void every_wait_ends_when_the_pool_is_destroyed(uint32_t birth) { every_wait_ends(birth, BY_DESTROY); }

/* ---- a shutdown does not start what it has to end ---- */

static void a_shutdown_starts_no_worker(uint32_t birth) {
    mape_pool_config config = config_of(birth, 3);
    config.grace_ns = MAPE_MILLISECONDS(300);
    mape_pool *pool = pool_open_with(&config);
    mape_function_id deaf = registered(pool, run_fault);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct fault_item items[6];
    for (int i = 0; i < 6; i++) items[i] = (struct fault_item){(uint64_t)i, WAY_LOOP_DEAF, 0};
    mape_job_config each = MAPE_JOB_CONFIG_INIT;
    each.chunk = 1;
    mape_job *job = mapped(pool, deaf, items, 6, sizeof items[0], &each);
    wait_until(progress_of(job).running >= 3);
    for (int i = 0; i < 20; i++) short_nap();
    uint64_t before = stats_of(pool).workers_started;
    is_status(pool, MAPE_E_TIMEOUT, mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, 0));
    assert_int_equal(stats_of(pool).workers_started, before);
    pool_close(pool);
}

/* ---- a thread that waits is cancelled ---- */

static int unwound;
static void note_unwound(void *context) {
    (void)context;
    unwound++;
}

static void *wait_with_cleanup(void *context) {
    pthread_cleanup_push(note_unwound, NULL);
    wait_in_call(context);
    pthread_cleanup_pop(0);
    return NULL;
}

static void pool_still_works(mape_pool *pool, mape_function_id square) {
    uint64_t values[100];
    for (uint64_t i = 0; i < 100; i++) values[i] = i;
    mape_job *job = mapped(pool, square, values, 100, sizeof values[0], NULL);
    stage("waiting for a job after the cancel");
    wait_for(job);
    squares_are_right(job, values, 100);
    is_ok(pool, mape_job_release(job));
    assert_true(mape_pool_dispatch(pool, 0, 0) >= 0);
    mape_event event = MAPE_EVENT_INIT;
    assert_int_not_equal(mape_pool_next_event(&event, pool, 0), MAPE_E_BUSY);
}

static void a_waiting_thread_may_be_cancelled(uint32_t birth) {
    struct snapshot before = {0};
    for (int round = 0; round < 16; round++) {
        const struct blocking *blocking = &blockings[round / 2 % 4];
        if (!blocking->can_be_cancelled) continue;
        if (round == 8) before = snapshot_taken(); /* What is made once was made. */
        struct waiter made = {0}, *w = &made, leader = {0};
        mape_native_fn proxy = NULL;
        pthread_t thread, first;
        made = waiter_ready(birth, &proxy, blocking->call == wait_start);
        w->async = round % 2;
        /* The pool has two workers, and the job one; a proxy's call would take the other. */
        mape_function_id square = registered(w->pool, run_square);
        /* Once alone, as the leader; once beside another that waits, and leads. */
        leader = *w;
        void *ahead[2] = {&leader, (void *)(uintptr_t)&blockings[1]};
        if (round >= 8) {
            assert_int_equal(pthread_create(&first, NULL, wait_in_call, ahead), 0);
            let_it_sleep(&leader);
        }
        void *both[2] = {w, (void *)(uintptr_t)blocking};
        stage("round %d: %s waits", round, blocking->name);
        assert_int_equal(pthread_create(&thread, NULL, wait_with_cleanup, both), 0);
        let_it_sleep(w);
        unwound = 0;
        void *result = NULL;
        assert_int_equal(pthread_cancel(thread), 0);
        stage("round %d: joining", round);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_SECONDS;
        if (pthread_timedjoin_np(thread, &result, &until) != 0) fail_msg("%s is not cancelled", blocking->name);
        assert_ptr_equal(result, PTHREAD_CANCELED);
        assert_int_equal(unwound, 1); /* The host's own cleanup runs. */
        if (blocking->call == wait_start) atomic_store(&shared_page()->gate, 1);
        pool_still_works(w->pool, square);
        stage("round %d: destroying the proxy", round);
        is_ok(NULL, mape_proxy_release(proxy));
        if (round >= 8) {
            is_ok(w->pool, mape_job_cancel(w->job));
            stage("round %d: joining the other", round);
            pthread_join(first, NULL);
            assert_int_equal(leader.status, MAPE_OK);
        }
        pool_close(w->pool);
        atomic_store(&shared_page()->gate, 0);
    }
    snapshot_comes_back(&before);
}

/** Calls that do not wait leave no lock behind when their thread is cancelled at any moment. */
struct caller {
    mape_pool *pool;
    mape_function_id square;
    bool async;
};

static void *call_for_ever(void *context) {
    struct caller *c = context;
    if (c->async) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    uint64_t values[64] = {0};
    mape_items items = items_at(values, 64, 8);
    for (;;) {
        mape_job *job = NULL;
        mape_progress progress = MAPE_PROGRESS_INIT;
        mape_map(&job, c->pool, c->square, &items, NULL);
        mape_job_progress(&progress, job);
        mape_pool_dispatch(c->pool, 0, 0);
        mape_job_cancel(job);
        mape_job_release(job);
        pthread_testcancel();
    }
    return NULL;
}

static void threads_are_cancelled_at_any_moment(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id square = registered(pool, run_square);
    for (int round = 0; round < 60; round++) {
        struct caller caller = {pool, square, round % 2};
        pthread_t thread;
        void *result;
        assert_int_equal(pthread_create(&thread, NULL, call_for_ever, &caller), 0);
        for (int i = 0; i < round % 5; i++) short_nap();
        pthread_cancel(thread);
        stage("round %d: joining", round);
        pthread_join(thread, &result);
        assert_ptr_equal(result, PTHREAD_CANCELED);
    }
    pool_still_works(pool, square);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        PATIENT(every_wait_ends_when_the_pool_is_shut_down, IN_EXEC | IN_FORK, 120),
        PATIENT(every_wait_ends_when_the_pool_fails, IN_FORK, 120),
        PATIENT(every_wait_ends_when_the_pool_is_destroyed, IN_EXEC | IN_FORK, 120),
        BOTH(a_shutdown_starts_no_worker),
        PATIENT(a_waiting_thread_may_be_cancelled, IN_EXEC | IN_FORK, 180),
        PATIENT(threads_are_cancelled_at_any_moment, IN_EXEC | IN_FORK, 180),
    };
    return run_abi_tests("waits", tests, COUNT(tests));
}
