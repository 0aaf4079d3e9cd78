/* test_hangs.c - what does not end by itself: timeouts, cancelling with grace, setups and cleanups that fail or hang.
 *
 * Timeouts are short, and only ever tested as "happened, with this cause".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>

static void an_item_timeout_ends_loops_that_hear_nothing_and_blames_the_item(uint32_t birth) {
    const uint32_t ways[] = {WAY_LOOP, WAY_LOOP_DEAF, WAY_SLEEP, WAY_STOP};
    mape_pool *pool = pool_started(birth, 2);
    const mape_function_id functions[] = {registered(pool, run_fault), registered_range(pool, run_fault_each)};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_SECONDS(1);
    for (size_t w = 0; w < COUNT(ways); w++) {
        struct fault_item items[40];
        for (uint64_t i = 0; i < 40; i++) items[i] = (struct fault_item){i, i == 20 ? ways[w] : (uint32_t)WAY_WELL, 0};
        mape_stats before = stats_of(pool);
        mape_job *job = mapped(pool, functions[w % 2], items, 40, sizeof items[0], &config);
        stage("way %u", ways[w]);
        is_ok(pool, mape_job_wait(job, PATIENCE));
        for (uint64_t i = 0; i < 40; i++) {
            if (i == 20) result_ended(job, i, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT, result_of(job, i).code);
            else result_is(job, i, &(uint64_t){i * i}, sizeof(uint64_t));
        }
        assert_int_equal(progress_of(job).timed_out, 1);
        wait_until(stats_of(pool).workers_killed == before.workers_killed + 1);
    }
    pool_close(pool);
}

static void a_job_timeout_ends_running_and_waiting_items(uint32_t birth) {
    mape_pool_config pool_config = config_of(birth, 2);
    pool_config.grace_ns = MAPE_MILLISECONDS(50);
    mape_pool *pool = pool_open_with(&pool_config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_function_id function = registered(pool, run_fault);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.job_timeout_ns = MAPE_MILLISECONDS(200);
    struct fault_item items[50];
    for (uint64_t i = 0; i < 50; i++) items[i] = (struct fault_item){i, WAY_LOOP, 0};
    mape_job *job = mapped(pool, function, items, 50, sizeof items[0], &config);
    wait_for(job);
    for (uint64_t i = 0; i < 50; i++)
        result_ended(job, i, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_JOB_TIMEOUT, result_of(job, i).code);
    assert_int_equal(progress_of(job).timed_out, 50);
    uint64_t *values = numbers(100);
    mape_job *after = mapped(pool, registered(pool, run_square), values, 100, sizeof *values, NULL);
    wait_for(after);
    squares_are_right(after, values, 100);
    free(values);
    pool_close(pool);
}

static void cancel_ends_waiting_items_and_is_seen_by_running_ones(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_polls_cancel, setup_shared, NULL);
    uint64_t *values = numbers(500);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    mape_job *job = mapped(pool, function, values, 500, sizeof *values, &config);
    wait_until(atomic_load(&shared->entered) == 2);
    is_ok(pool, mape_job_cancel(job));
    is_ok(pool, mape_job_cancel(job));
    wait_for(job);
    for (uint64_t i = 0; i < 500; i++)
        result_ended(job, i, MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, result_of(job, i).code);
    assert_int_equal(progress_of(job).cancelled, 500);
    assert_int_equal(stats_of(pool).workers_killed, 0); /* They saw it, and returned within the grace. */
    mape_job *after = mapped(pool, registered(pool, run_square), values, 500, sizeof *values, NULL);
    wait_for(after);
    squares_are_right(after, values, 500);
    is_ok(pool, mape_job_cancel(after)); /* Done, and stays as it is. */
    squares_are_right(after, values, 500);
    free(values);
    pool_close(pool);
}

static void begin_answers_null_in_a_cancelled_job(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run_range = run_begins_until_cancelled;
    description.setup = setup_shared;
    description.data = shared_path();
    description.data_size = strlen(shared_path()) + 1;
    is_ok(pool, mape_function_register(&function, pool, &description));
    uint64_t *values = numbers(1000000);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = UINT64_MAX;
    mape_job *job = mapped(pool, function, values, 1000000, sizeof *values, &config);
    wait_until(atomic_load(&shared->entered) > 3);
    is_ok(pool, mape_job_cancel(job));
    wait_for(job);
    wait_until(atomic_load(&shared->gate) == 7);
    mape_progress progress = progress_of(job);
    assert_int_equal(progress.ok + progress.cancelled, 1000000);
    assert_true(progress.cancelled > 0);
    free(values);
    pool_close(pool);
}

static void items_that_ignore_a_cancel_are_killed_after_the_grace(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool_config pool_config = config_of(birth, 2);
    pool_config.grace_ns = MAPE_MILLISECONDS(100);
    mape_pool *pool = pool_open_with(&pool_config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_function_id function = registered_shared(pool, run_ignores_cancel, setup_shared, NULL);
    uint64_t *values = numbers(2);
    mape_job *job = mapped(pool, function, values, 2, sizeof *values, NULL);
    wait_until(atomic_load(&shared->entered) >= 1);
    is_ok(pool, mape_job_cancel(job));
    wait_for(job);
    for (uint64_t i = 0; i < 2; i++)
        result_ended(job, i, MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, result_of(job, i).code);
    wait_until(stats_of(pool).workers_killed >= 1);
    wait_until(stats_of(pool).workers_ready == 2);
    free(values);
    pool_close(pool);
}

static void a_job_is_released_while_its_items_run(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_shared(pool, run_polls_cancel, setup_shared, NULL);
    uint64_t *values = numbers(100);
    mape_job *job = mapped(pool, function, values, 100, sizeof *values, NULL);
    wait_until(atomic_load(&shared->entered) >= 1);
    is_ok(pool, mape_job_release(job));
    is_status(NULL, MAPE_E_HANDLE, mape_job_wait(job, 0));
    wait_until(stats_of(pool).items == 100);
    mape_job *after = mapped(pool, registered(pool, run_square), values, 100, sizeof *values, NULL);
    wait_for(after);
    squares_are_right(after, values, 100);
    free(values);
    pool_close(pool);
}

static void shutdown_by_cancel_abandons_what_was_not_done(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_polls_cancel, setup_shared, cleanup_shared);
    uint64_t *values = numbers(100);
    mape_job *job = mapped(pool, function, values, 100, sizeof *values, NULL);
    wait_until(atomic_load(&shared->entered) >= 1);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, PATIENCE));
    is_ok(pool, mape_job_wait(job, 0));
    for (uint64_t i = 0; i < 100; i++)
        result_ended(job, i, MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, result_of(job, i).code);
    assert_int_equal(progress_of(job).abandoned, 100);
    assert_int_equal(atomic_load(&shared->cleanups), 2);
    free(values);
    pool_close(pool);
}

static void shutdown_has_an_end_whatever_workers_do(uint32_t birth) {
    const uint32_t ways[] = {WAY_LOOP, WAY_LOOP_DEAF, WAY_STOP};
    for (size_t w = 0; w < COUNT(ways); w++) {
        mape_pool_config config = config_of(birth, 2);
        config.grace_ns = MAPE_MILLISECONDS(200);
        mape_pool *pool = pool_open_with(&config);
        is_ok(pool, mape_pool_start(pool, PATIENCE));
        struct fault_item items[10];
        for (uint64_t i = 0; i < 10; i++) items[i] = (struct fault_item){i, ways[w], 0};
        mape_job *job = mapped(pool, registered(pool, run_fault), items, 10, sizeof items[0], NULL);
        wait_until(worker_of(pool, 0).state == MAPE_WORKER_BUSY);
        pid_t pids[3];
        int count = pool_pids(pool, pids, 3);
        is_status(pool, MAPE_E_TIMEOUT, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, MAPE_MILLISECONDS(50)));
        wait_gone(pids, count);
        assert_int_equal(progress_of(job).abandoned, 10);
        result_ended(job, 9, MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, result_of(job, 9).code);
        is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, 0));
        pool_close(pool);
    }
}

static void cleanups_that_hang_crash_or_exit_do_not_hold_up_shutdown(uint32_t birth) {
    const mape_cleanup_fn cleanups[] = {cleanup_hangs, cleanup_crashes, cleanup_exits};
    for (size_t c = 0; c < COUNT(cleanups); c++) {
        mape_pool_config config = config_of(birth, 2);
        config.cleanup_timeout_ns = MAPE_MILLISECONDS(200);
        config.grace_ns = MAPE_MILLISECONDS(200);
        mape_pool *pool = pool_open_with(&config);
        mape_function_id function = registered_shared(pool, run_noted, setup_shared, cleanups[c]);
        is_ok(pool, mape_pool_start(pool, PATIENCE));
        uint64_t value = 3, nine = 9;
        mape_job *job = applied(pool, function, &value, sizeof value);
        wait_for(job);
        stage("cleanup %zu", c);
        int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, c == 0 ? PATIENCE : MAPE_SECONDS(10));
        if (c == 0) is_status(pool, MAPE_E_TIMEOUT, status); /* Something had to be killed. */
        else assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
        assert_int_equal(stats_of(pool).is_closed, 1);
        result_is(job, 0, &nine, sizeof nine);
        pool_close(pool);
    }
}

static void a_setup_that_fails_is_told_by_start_and_by_its_items_alone(uint32_t birth) {
    const struct {
        mape_setup_fn setup;
        int32_t code;
        const char *text;
    } table[] = {{setup_fails, 17, "no licence"}, {setup_fails_silently, 18, ""}};
    for (size_t t = 0; t < COUNT(table); t++) {
        mape_pool *pool = pool_open(birth, 2);
        mape_function_id fails = registered_shared(pool, run_noted, table[t].setup, NULL);
        mape_function_id works = registered(pool, run_square);
        is_status(pool, MAPE_E_SETUP, mape_pool_start(pool, PATIENCE));
        uint64_t *values = numbers(50);
        mape_job *failed = mapped(pool, fails, values, 50, sizeof *values, NULL);
        mape_job *worked = mapped(pool, works, values, 50, sizeof *values, NULL);
        wait_for(failed);
        wait_for(worked);
        squares_are_right(worked, values, 50);
        for (uint64_t i = 0; i < 50; i++) {
            result_ended(failed, i, MAPE_ITEM_FAILED, MAPE_CAUSE_SETUP, table[t].code);
            assert_non_null(strstr(result_of(failed, i).message, table[t].text));
        }
        free(values);
        pool_close(pool);
    }
}

/** Setups that take their worker down: the restart brake ends it, start says so, and items end with a status. */
static void setups_that_crash_or_hang_in_every_worker_end_in_a_status(uint32_t birth) {
    const mape_setup_fn setups[] = {setup_crashes, setup_exits, setup_hangs};
    for (size_t s = 0; s < COUNT(setups); s++) {
        mape_pool_config config = config_of(birth, 2);
        config.restarts = 2;
        config.setup_timeout_ns = MAPE_MILLISECONDS(200);
        mape_pool *pool = pool_open_with(&config);
        mape_function_id function = registered_shared(pool, run_noted, setups[s], NULL);
        stage("setup %zu", s);
        int status = mape_pool_start(pool, PATIENCE);
        if (status != MAPE_E_WORKERS) is_status(pool, MAPE_E_SETUP, status);
        assert_string_not_equal(message_of(pool), "");
        uint64_t value = 1;
        mape_job *job = NULL;
        status = mape_apply(&job, pool, function, &value, sizeof value, NULL);
        if (status == MAPE_OK) {
            wait_for(job);
            mape_result result = result_of(job, 0);
            assert_true((result.state == MAPE_ITEM_FAILED && result.cause == MAPE_CAUSE_SETUP) ||
                        (result.state == MAPE_ITEM_ABANDONED && result.cause == MAPE_CAUSE_POOL));
        } else {
            is_status(pool, MAPE_E_WORKERS, status);
            assert_null(job);
        }
        pool_close(pool);
    }
}

/** The same when nobody called start: items that were taken already end. */
static void items_taken_before_their_setup_crashed_end_in_a_status(uint32_t birth) {
    mape_pool_config config = config_of(birth, 2);
    config.restarts = 2;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered_shared(pool, run_noted, setup_shared_then_crashes, NULL);
    uint64_t *values = numbers(100);
    mape_job *job = mapped(pool, function, values, 100, sizeof *values, NULL);
    wait_for(job);
    mape_progress progress = progress_of(job);
    assert_int_equal(progress.ok, 0);
    assert_int_equal(progress.failed + progress.abandoned, 100);
    assert_true(atomic_load(&shared_page()->setups) <= 20); /* The brake held. */
    free(values);
    pool_close(pool);
}

static void one_worker_lost_in_setup_is_replaced(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered_shared(pool, run_noted, setup_crashes_first_time, NULL);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_int_equal(stats_of(pool).workers_ready, 2);
    assert_int_equal(stats_of(pool).workers_died, 1);
    uint64_t value = 3, nine = 9;
    mape_job *job = applied(pool, function, &value, sizeof value);
    wait_for(job);
    result_is(job, 0, &nine, sizeof nine);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(an_item_timeout_ends_loops_that_hear_nothing_and_blames_the_item),
        BOTH(a_job_timeout_ends_running_and_waiting_items),
        BOTH(cancel_ends_waiting_items_and_is_seen_by_running_ones),
        BOTH(begin_answers_null_in_a_cancelled_job),
        BOTH(items_that_ignore_a_cancel_are_killed_after_the_grace),
        BOTH(a_job_is_released_while_its_items_run),
        BOTH(shutdown_by_cancel_abandons_what_was_not_done),
        BOTH(shutdown_has_an_end_whatever_workers_do),
        BOTH(cleanups_that_hang_crash_or_exit_do_not_hold_up_shutdown),
        BOTH(a_setup_that_fails_is_told_by_start_and_by_its_items_alone),
        BOTH(setups_that_crash_or_hang_in_every_worker_end_in_a_status),
        BOTH(items_taken_before_their_setup_crashed_end_in_a_status),
        BOTH(one_worker_lost_in_setup_is_replaced),
    };
    return run_abi_tests("hangs", tests, COUNT(tests));
}
