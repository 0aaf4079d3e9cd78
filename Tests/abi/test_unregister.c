/* test_unregister.c - functions that are unregistered: their cleanup runs, their ids are refused, and nothing of them stays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "native_functions.h"
#include "support_native.h"

static struct shared *page(void) { return shared_page(); }

static void refused(mape_pool *pool, mape_function_id function) {
    uint64_t value = 2;
    mape_job *job = NULL;
    mape_items items = items_at(&value, 1, sizeof value);
    is_status(pool, MAPE_E_FUNCTION, mape_apply(&job, pool, function, &value, sizeof value, NULL));
    is_status(pool, MAPE_E_FUNCTION, mape_map(&job, pool, function, &items, NULL));
    is_status(pool, MAPE_E_FUNCTION, mape_stream_open(&job, pool, function, NULL));
    is_status(pool, MAPE_E_FUNCTION, mape_function_unregister(pool, function));
    assert_true(names_one_of(message_of(pool), "not registered"));
    assert_null(job);
}

static void is_working(mape_pool *pool, mape_function_id square) {
    uint64_t value = 9, squared = 81;
    mape_job *job = applied(pool, square, &value, sizeof value);
    wait_for(job);
    result_is(job, 0, &squared, sizeof squared);
    is_ok(pool, mape_job_release(job));
}

static void its_cleanup_runs_in_each_worker_and_its_id_is_refused(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 3);
    mape_function_id noted = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
    mape_function_id square = registered(pool, run_square);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_int_equal(page()->setups, 3);
    is_ok(pool, mape_function_unregister(pool, noted));
    wait_until(page()->cleanups == 3); /* The workers are idle: it comes by itself. */
    refused(pool, noted);
    is_working(pool, square);
    /* Once more, as another function. */
    mape_function_id again = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
    assert_int_not_equal(again, noted);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_int_equal(page()->setups, 6);
    refused(pool, noted);
    uint64_t value = 1;
    wait_for(applied(pool, again, &value, sizeof value));
    pool_close(pool);
    assert_int_equal(page()->cleanups, 6);
}

static void jobs_from_before_run_to_their_end(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, cleanup_shared);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t *values = numbers(50);
    mape_job *job = mapped(pool, gated, values, 50, sizeof *values, NULL);
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, gated, NULL));
    wait_until(page()->entered > 0);
    is_ok(pool, mape_function_unregister(pool, gated));
    refused(pool, gated);
    /* A worker that dies meanwhile is replaced by one that has the function. */
    kill_process(pid_of_worker(pool, 0));
    atomic_store(&page()->gate, 1);
    wait_for(job);
    assert_in_range(progress_of(job).ok, 49, 50);
    assert_int_equal(page()->cleanups, 0);
    mape_span more = {values, sizeof *values};
    is_ok(pool, mape_stream_push(NULL, stream, &more, 1));
    is_ok(pool, mape_stream_finish(stream));
    wait_for(stream);
    wait_until(page()->cleanups == 2);
    free(values);
    pool_close(pool);
    assert_int_equal(page()->cleanups, 2);
}

static void a_cleanup_comes_before_the_next_range(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id noted = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
    mape_function_id echo = registered_shared(pool, run_echo_cleanups, setup_shared, NULL);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    for (uint32_t i = 1; i <= 20; i++) {
        is_ok(pool, mape_function_unregister(pool, noted));
        mape_job *job = applied(pool, echo, &i, sizeof i);
        wait_for(job);
        result_is(job, 0, &i, sizeof i); /* How many cleanups there were when it ran. */
        is_ok(pool, mape_job_release(job));
        noted = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
        is_ok(pool, mape_pool_start(pool, PATIENCE));
    }
    pool_close(pool);
}

static void before_the_start_and_after_the_end(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id first = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
    is_status(pool, MAPE_E_FUNCTION, mape_function_unregister(pool, 0));
    is_status(pool, MAPE_E_FUNCTION, mape_function_unregister(pool, first + 1));
    is_status(pool, MAPE_E_FUNCTION, mape_function_unregister(pool, UINT32_MAX));
    is_status(NULL, MAPE_E_ARGUMENT, mape_function_unregister(NULL, first));
    is_ok(pool, mape_function_unregister(pool, first));
    mape_function_id square = registered(pool, run_square);
    assert_int_not_equal(square, first);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_int_equal(page()->setups, 0);
    is_working(pool, square);
    /* One that cannot be used is forgotten as well, and the start no longer fails of it. */
    mape_function bad = MAPE_FUNCTION_INIT;
    mape_function_id failing = 0;
    bad.run = run_square;
    bad.setup = setup_fails;
    is_ok(pool, mape_function_register(&failing, pool, &bad));
    is_status(pool, MAPE_E_SETUP, mape_pool_start(pool, PATIENCE));
    is_ok(pool, mape_function_unregister(pool, failing));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    is_status(pool, MAPE_E_CLOSED, mape_function_unregister(pool, square));
    pool_close(pool);
}

struct inner {
    mape_pool *pool;
    mape_function_id function;
    int status;
};

static void unregisters(void *context, const mape_event *event) {
    struct inner *self = context;
    (void)event;
    self->status = mape_function_unregister(self->pool, self->function);
}

static void a_callback_may_unregister(uint32_t birth) {
    struct inner inner = {pool_open(birth, 2), 0, 1};
    inner.function = registered_shared(inner.pool, run_noted, setup_shared, cleanup_shared);
    is_ok(inner.pool, mape_pool_start(inner.pool, PATIENCE));
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.context = &inner;
    config.on_done = unregisters;
    uint64_t value = 1;
    mape_job *job = mapped(inner.pool, inner.function, &value, 1, sizeof value, &config);
    dispatch_until_done(inner.pool, job);
    wait_until((mape_pool_dispatch(inner.pool, 0, 0), inner.status != 1));
    assert_int_equal(inner.status, MAPE_OK);
    wait_until(page()->cleanups == 2);
    pool_close(inner.pool);
}

/* ---- cleanups that go wrong ---- */

static void a_cleanup_that_goes_wrong_costs_its_worker(uint32_t birth) {
    const mape_cleanup_fn ways[] = {cleanup_hangs, cleanup_crashes, cleanup_exits};
    for (size_t i = 0; i < COUNT(ways); i++) {
        mape_pool_config config = config_of(birth, 2);
        config.cleanup_timeout_ns = MAPE_MILLISECONDS(100);
        mape_pool *pool = pool_open_with(&config);
        mape_function_id bad = registered_shared(pool, run_noted, setup_shared, ways[i]);
        mape_function_id square = registered(pool, run_square);
        is_ok(pool, mape_pool_start(pool, PATIENCE));
        pid_t first = pid_of_worker(pool, 0), second = pid_of_worker(pool, 1);
        stage("way %zu", i);
        is_ok(pool, mape_function_unregister(pool, bad));
        wait_until(process_gone(first) && process_gone(second));
        is_working(pool, square);
        is_ok(pool, mape_pool_start(pool, PATIENCE));
        assert_int_equal(stats_of(pool).workers_died, 2);
        int told = 0;
        mape_event event = MAPE_EVENT_INIT;
        wait_until((mape_pool_next_event(&event, pool, 0) == MAPE_OK && event.type == MAPE_EVENT_LOG &&
                    strstr(event.text, "cleanup of ") && ++told == 2));
        is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
        pool_close(pool);
    }
}

/** Unregistered while shutdowns, submissions and deaths go on: every cleanup runs at most once per setup, and every call returns. */
static void in_the_middle_of_everything(uint32_t birth) {
    for (int round = 0; round < 8; round++) {
        mape_pool *pool = pool_open(birth, 2);
        mape_function_id ids[12];
        uint64_t *values = numbers(200);
        for (int i = 0; i < 12; i++) ids[i] = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
        mape_pool_start(pool, 0); /* Its setups go on, mostly. */
        for (int i = 0; i < 12; i++) {
            mape_job *job = mapped(pool, ids[i], values, 200, sizeof *values, NULL);
            if (i % 3 == 0) is_ok(pool, mape_job_release(job));
            if (i % 4 == round % 4) is_ok(pool, mape_function_unregister(pool, ids[i]));
            if (i == 6 && round % 2) kill_process(pid_of_worker(pool, 0));
        }
        stage("round %d", round);
        int how = round % 3 == 0 ? MAPE_SHUTDOWN_CANCEL : MAPE_SHUTDOWN_DRAIN;
        int status = mape_pool_shutdown(pool, how, PATIENCE);
        assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
        assert_true(page()->cleanups <= page()->setups);
        if (round % 2 == 0 && how == MAPE_SHUTDOWN_DRAIN) assert_int_equal(page()->cleanups, page()->setups);
        atomic_store(&page()->setups, 0);
        atomic_store(&page()->cleanups, 0);
        free(values);
        pool_close(pool);
    }
}

/* ---- typed functions and proxies ---- */

static _Atomic int heard, code;

static void on_error(void *context, const mape_result *result) {
    (void)context;
    atomic_store(&code, result->code);
    atomic_fetch_add(&heard, 1);
}

static void its_proxies_fail_and_its_line_is_another_functions(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_native_fn proxy = NULL, other = NULL;
    mape_function_id wait = typed(pool, "long native_wait(long milliseconds)", native_wait, 0);
    is_ok(pool, mape_proxy_create(&proxy, pool, wait, NULL, on_error, NULL));
    ((long (*)(long))proxy)(0);
    assert_int_equal(heard, 0);
    is_ok(pool, mape_function_unregister(pool, wait));
    assert_int_equal(((long (*)(long))proxy)(0), 0);
    assert_int_equal(heard, 1);
    assert_int_equal(code, MAPE_E_FUNCTION);
    is_status(pool, MAPE_E_FUNCTION, mape_proxy_create(&other, pool, wait, NULL, NULL, NULL));
    mape_prototype_info info = MAPE_PROTOTYPE_INFO_INIT;
    is_status(pool, MAPE_E_FUNCTION, mape_function_prototype(&info, pool, wait));
    is_ok(NULL, mape_proxy_release(proxy));
    /* The same line in workers, for functions of other kinds in turn. */
    for (int i = 0; i < 20; i++) {
        mape_function_id square = registered(pool, run_square);
        is_working(pool, square);
        is_ok(pool, mape_function_unregister(pool, square));
        wait = typed(pool, "long native_wait(long milliseconds)", native_wait, 0);
        is_ok(pool, mape_proxy_create(&proxy, pool, wait, NULL, on_error, NULL));
        ((long (*)(long))proxy)(0);
        assert_int_equal(heard, 1);
        is_ok(NULL, mape_proxy_release(proxy));
        is_ok(pool, mape_function_unregister(pool, wait));
    }
    heard = 0;
    pool_close(pool);
}

/* ---- what grows ---- */

static long resident(pid_t pid) {
    char path[64];
    long pages = 0, total = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%ld %ld", &total, &pages) != 2) fail_msg("%s cannot be read", path);
    fclose(file);
    return pages * 4;
}

static void in_turn(mape_pool *pool, int count) {
    static char data[3000];
    for (int i = 0; i < count; i++) {
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id function = 0;
        description.run = run_square;
        description.data = data;
        description.data_size = sizeof data;
        if (i % 2) {
            description = (mape_function)MAPE_FUNCTION_INIT;
            description.prototype = "long native_wait(long milliseconds)";
            description.native = (mape_native_fn)native_wait;
        }
        is_ok(pool, mape_function_register(&function, pool, &description));
        is_ok(pool, mape_function_unregister(pool, function));
        if (i % 50 == 49) is_ok(pool, mape_pool_start(pool, PATIENCE)); /* Lets the workers come along. */
    }
}

static void many_in_turn_take_no_memory(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id square = registered(pool, run_square);
    in_turn(pool, 1000);
    is_working(pool, square);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    wait_until(stats_of(pool).workers_ready == 2);
    uint64_t input = stats_of(pool).input_bytes;
    long host = resident(getpid()), worker = resident(pid_of_worker(pool, 0));
    in_turn(pool, 100000);
    is_working(pool, square);
    wait_until(stats_of(pool).input_bytes <= input);
    long more = resident(getpid()) - host, its = resident(pid_of_worker(pool, 0)) - worker;
    print_message("100,000 functions in turn: host %ld KiB, worker %ld KiB more\n", more, its);
    /* A function that stayed would be a kilobyte and more: 100 MiB. */
    assert_true(more < 8192);
    assert_true(its < 8192);
    pool_close(pool);
}

int main(void) {
    static const struct abi_test tests[] = {
        BOTH(its_cleanup_runs_in_each_worker_and_its_id_is_refused),
        BOTH(jobs_from_before_run_to_their_end),
        BOTH(a_cleanup_comes_before_the_next_range),
        BOTH(before_the_start_and_after_the_end),
        BOTH(a_callback_may_unregister),
        BOTH(a_cleanup_that_goes_wrong_costs_its_worker),
        BOTH(in_the_middle_of_everything),
        BOTH(its_proxies_fail_and_its_line_is_another_functions),
        PATIENT(many_in_turn_take_no_memory, IN_EXEC | IN_FORK, 200),
    };
    return run_abi_tests("unregister", tests, COUNT(tests));
}
