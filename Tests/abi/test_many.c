/* test_many.c - many of everything at once: functions, globals, buffers, outstanding jobs, undelivered events, workers. What each of
 * them does is right however many others there are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

static void the_last_of_thousands_of_functions_runs_as_the_first(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    enum { functions = 5000 };
    mape_function_id first = registered(pool, run_square), last = 0;
    for (int i = 0; i < functions; i++) last = registered(pool, i % 2 ? run_echo : run_square);
    assert_int_equal(last, first + functions);
    is_ok(pool, mape_pool_start(pool, -1));
    uint64_t value = 12, square = 144;
    mape_job *jobs[] = {applied(pool, first, &value, 8), applied(pool, first + 4095, &value, 8),
                        applied(pool, first + 4096, &value, 8), applied(pool, last, &value, 8)};
    for (size_t i = 0; i < COUNT(jobs); i++) wait_for(jobs[i]);
    result_is(jobs[0], 0, &square, 8);
    result_is(jobs[1], 0, &square, 8);
    result_is(jobs[2], 0, &value, 8);
    result_is(jobs[3], 0, &value, 8);
    /* A worker that takes the place of another learns them all. */
    kill_process(pid_of_worker(pool, 0));
    kill_process(pid_of_worker(pool, 1));
    mape_job *job = applied(pool, last, &value, 8);
    wait_for(job);
    result_is(job, 0, &value, 8);
    pool_close(pool);
}

static void each_of_thousands_of_globals_is_found(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_global);
    enum { globals = 3000, step = 97 };
    char name[32];
    for (int i = 0; i < globals; i++) {
        snprintf(name, sizeof name, "global %d", i);
        is_ok(pool, mape_pool_set_global(pool, name, &i, sizeof i));
    }
    snprintf(name, sizeof name, "global %d", 5);
    mape_job *before = applied(pool, function, name, strlen(name) + 1);
    for (int i = 0; i < globals; i += 2) { /* Every other one is set anew, every tenth goes. */
        int value = i + globals;
        snprintf(name, sizeof name, "global %d", i);
        is_ok(pool, i % 10 == 0 ? mape_pool_set_global(pool, name, NULL, 0)
                                : mape_pool_set_global(pool, name, &value, sizeof value));
    }
    wait_for(before);
    int five = 5;
    result_is(before, 0, &five, sizeof five);
    for (int i = 0; i < globals; i += step) {
        snprintf(name, sizeof name, "global %d", i);
        mape_job *job = applied(pool, function, name, strlen(name) + 1);
        wait_for(job);
        int value = i % 2 == 0 ? i + globals : i;
        if (i % 10 == 0) {
            assert_int_equal(result_of(job, 0).state, MAPE_ITEM_FAILED);
        } else {
            result_is(job, 0, &value, sizeof value);
        }
        is_ok(pool, mape_job_release(job));
    }
    pool_close(pool);
}

static void spans_in_thousands_of_buffers_are_read_where_they_lie(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    enum { buffers = 3000 };
    static mape_buffer *made[buffers];
    static mape_span spans[buffers];
    for (uint64_t i = 0; i < buffers; i++) {
        void *data = NULL;
        is_ok(pool, mape_buffer_create(&made[i], pool, 4096));
        is_ok(pool, mape_buffer_data(&data, NULL, made[i]));
        uint64_t *place = (uint64_t *)((char *)data + i * 8 % 4096);
        *place = i;
        spans[i] = (mape_span){place, 8};
    }
    /* Those of every third are destroyed first, and their places given to others. */
    for (int i = 0; i < buffers; i += 3) is_ok(pool, mape_buffer_release(made[i]));
    mape_items items = MAPE_ITEMS_INIT;
    items.spans = spans;
    items.count = buffers;
    mape_job *job = NULL;
    is_status(pool, MAPE_E_ARGUMENT, mape_map(&job, pool, function, &items, NULL));
    for (uint64_t i = 0; i < buffers; i += 3) {
        void *data = NULL;
        is_ok(pool, mape_buffer_create(&made[i], pool, 4096));
        is_ok(pool, mape_buffer_data(&data, NULL, made[i]));
        uint64_t *place = (uint64_t *)((char *)data + i * 8 % 4096);
        *place = i;
        spans[i] = (mape_span){place, 8};
    }
    is_ok(pool, mape_map(&job, pool, function, &items, NULL));
    /* The job keeps its buffers. */
    for (int i = 0; i < buffers; i++) is_ok(pool, mape_buffer_release(made[i]));
    wait_for(job);
    for (uint64_t i = 0; i < buffers; i++) {
        uint64_t square = i * i;
        result_is(job, i, &square, 8);
    }
    spans[0].data = (const char *)spans[0].data + 1;
    is_ok(pool, mape_job_release(job));
    is_status(pool, MAPE_E_ARGUMENT, mape_map(&job, pool, function, &items, NULL));
    pool_close(pool);
}

static void thousands_of_outstanding_jobs_run_by_priority_or_not_at_all(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL);
    mape_function_id noted = registered_shared(pool, run_noted, setup_shared, NULL);
    is_ok(pool, mape_pool_start(pool, -1));
    struct shared *page = shared_page();
    uint64_t zero = 0;
    mape_job *holding = applied(pool, gated, &zero, sizeof zero);
    wait_until(page->entered == 1);
    enum { jobs = 4000 };
    static mape_job *all[jobs];
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    for (uint64_t i = 0; i < jobs; i++) {
        config.priority = (int32_t)(i % 5) - 2;
        config.deliver = i % 2 ? MAPE_DELIVER_DONE : 0;
        config.job_timeout_ns = i % 3 ? 0 : MAPE_SECONDS(1000 + (int64_t)(i * 7919 % jobs));
        is_ok(pool, mape_apply(&all[i], pool, noted, &i, sizeof i, &config));
    }
    assert_int_equal(progress_of(all[0]).running + progress_of(all[0]).done, 0);
    for (int i = 0; i < jobs; i++) {
        if (i % 4 == 1) is_ok(pool, mape_job_cancel(all[i]));
        if (i % 4 == 2) is_ok(pool, mape_job_release(all[i]));
    }
    page->gate = 1;
    wait_for(holding);
    uint32_t events = 0, expected = 0;
    for (int i = 0; i < jobs; i++) {
        if (i % 4 == 2) continue;
        wait_for(all[i]);
        expected += i % 2;
        assert_int_equal(result_of(all[i], 0).state, i % 4 == 1 ? MAPE_ITEM_CANCELLED : MAPE_ITEM_OK);
    }
    for (int got = 1; got > 0;) {
        mape_event event = MAPE_EVENT_INIT;
        got = mape_pool_next_event(&event, pool, 0) == MAPE_OK;
        if (got) assert_int_equal(event.type, MAPE_EVENT_DONE);
        events += (uint32_t)got;
    }
    assert_int_equal(events, expected);
    /* What ran after the one that held the worker, in its order: first by priority, then by age. */
    assert_int_equal(page->noted, jobs / 2 + 1);
    for (uint32_t i = 2; i < page->noted; i++) {
        uint64_t one = page->order[i - 1], next = page->order[i];
        bool is_right = one % 5 == next % 5 ? one < next : one % 5 > next % 5;
        if (!is_right) fail_msg("job %llu ran before job %llu", (unsigned long long)one, (unsigned long long)next);
    }
    for (int i = 0; i < jobs; i++) {
        if (i % 4 != 2) is_ok(pool, mape_job_release(all[i]));
    }
    mape_stats stats = stats_of(pool);
    assert_int_equal(stats.jobs, jobs + 1);
    assert_int_equal(stats.items, jobs + 1);
    pool_close(pool);
}

static void every_one_of_many_workers_comes_to_work(uint32_t birth) {
    enum { workers = 100 };
    mape_pool *pool = pool_started(birth, workers);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL);
    is_ok(pool, mape_pool_start(pool, -1));
    struct shared *page = shared_page();
    uint64_t values[workers] = {0};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    /* No item ends before each worker has one. */
    mape_job *job = mapped(pool, gated, values, workers, sizeof values[0], &config);
    wait_until(page->entered == workers);
    page->gate = 1;
    wait_for(job);
    mape_job *jobs[workers];
    page->gate = 0;
    page->entered = 0;
    for (int i = 0; i < workers; i++) jobs[i] = applied(pool, gated, &values[i], sizeof values[i]);
    wait_until(page->entered == workers);
    page->gate = 1;
    for (int i = 0; i < workers; i++) wait_for(jobs[i]);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        PATIENT(the_last_of_thousands_of_functions_runs_as_the_first, IN_EXEC | IN_FORK, 180),
        BOTH(each_of_thousands_of_globals_is_found),
        BOTH(spans_in_thousands_of_buffers_are_read_where_they_lie),
        BOTH(thousands_of_outstanding_jobs_run_by_priority_or_not_at_all),
        PATIENT(every_one_of_many_workers_comes_to_work, IN_EXEC | IN_FORK, 180),
    };
    return run_abi_tests("many", tests, COUNT(tests));
}
