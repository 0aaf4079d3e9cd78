/* test_remote_faults.c - other machines that are late, lost or wrong: every item ends once, and nobody is blamed for a machine. The machines
 * are own_remote's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_remote.h"

#include <signal.h>

enum { SOME = 3000 };

static mape_job *squaring(mape_pool *pool, mape_function_id square, const uint64_t *values, uint64_t count, uint32_t where) {
    mape_job_config config = placed(where);
    config.chunk = 3;
    return mapped(pool, square, values, count, sizeof *values, &config);
}

/** Each has ended well, at its first attempt. */
static void all_well(mape_job *job, const uint64_t *values, uint64_t count) {
    wait_for(job);
    squares_are_right(job, values, count);
    for (uint64_t i = 0; i < count; i++) assert_int_equal(result_of(job, i).attempts, 1);
    is_ok(NULL, mape_job_release(job));
}

static void what_a_lane_keeps_is_run_elsewhere(uint32_t birth) {
    struct stand_in *told = stand_in_with(3);
    mape_pool *pool = remote_started(birth, 1, 3);
    const mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(SOME);
    stage("a lane that never answers");
    told->hold = 1;
    for (int i = 0; i < 3; i++) all_well(squaring(pool, square, values, SOME, MAPE_ANYWHERE), values, SOME);
    told->hold = 0;
    assert_int_equal(stats_of(pool).workers_died, 0);
    stage("answers that come late");
    told->delay_ms = 30;
    all_well(squaring(pool, square, values, 100, MAPE_REMOTE), values, 100);
    for (int i = 0; i < 3; i++) all_well(squaring(pool, square, values, SOME, MAPE_ANYWHERE), values, SOME);
    told->delay_ms = 0;
    all_well(squaring(pool, square, values, SOME, MAPE_REMOTE), values, SOME);
    free(values);
    remote_close(pool);
}

/** The only one that could run it: the item waits for the local worker, not for the lane. */
static void an_item_that_a_lane_keeps_is_taken_back(uint32_t birth) {
    struct stand_in *told = stand_in_with(1);
    mape_pool *pool = remote_started(birth, 1, 1);
    const mape_function_id gated = registered_shared(pool, run_gated, setup_shared, cleanup_shared);
    const mape_function_id square = registered(pool, run_square);
    uint64_t values[2] = {5, 6};
    told->hold = 1;
    stage("the worker here is busy, the lane gets the other item");
    mape_job_config here = placed(MAPE_LOCAL);
    mape_job *busy = mapped(pool, gated, values, 1, sizeof *values, &here);
    wait_until(shared_page()->entered == 1);
    mape_job *job = mapped(pool, square, values, 2, sizeof *values, NULL);
    wait_until(told->begun > 0);
    is_status(pool, MAPE_E_TIMEOUT, mape_job_wait(job, MAPE_MILLISECONDS(50)));
    shared_page()->gate = 1;
    all_well(job, values, 2);
    wait_for(busy);
    wait_until(told->given_back > 0);
    assert_true(stats_of(pool).items_again > 0);
    is_ok(pool, mape_job_release(busy));
    remote_close(pool);
}

static void lost_lanes_blame_nobody(uint32_t birth) {
    struct stand_in *told = stand_in_with(4);
    mape_pool *pool = remote_started(birth, 1, 4);
    const mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(SOME);
    for (int i = 0; i < 5; i++) {
        mape_job *job = squaring(pool, square, values, SOME, i % 2 ? MAPE_REMOTE : MAPE_ANYWHERE);
        told->lose = 5;
        all_well(job, values, SOME);
    }
    told->lose = 0;
    stage("all at once");
    mape_job *job = squaring(pool, square, values, SOME, MAPE_REMOTE);
    told->lanes = 0;
    wait_until(stats_of(pool).remote_ready == 0);
    told->lanes = 4;
    all_well(job, values, SOME);
    free(values);
    remote_close(pool);
}

/** One that takes every machine with it is not tried for ever. */
static void an_item_that_is_lost_each_time_ends_as_crashed(uint32_t birth) {
    struct stand_in *told = stand_in_with(1);
    mape_pool *pool = remote_started(birth, 1, 1);
    const mape_function_id square = registered(pool, run_square);
    uint64_t value = 9;
    told->hold = 1;
    told->lose = 1000;
    mape_job_config there = placed(MAPE_REMOTE);
    mape_job *job = mapped(pool, square, &value, 1, sizeof value, &there);
    wait_for(job);
    told->lose = 0;
    told->hold = 0;
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGKILL);
    assert_non_null(strstr(result_of(job, 0).message, "lost, 6 times in a row"));
    is_ok(pool, mape_job_release(job));
    remote_close(pool);
}

static void a_lost_helper_is_replaced_and_blames_nobody(uint32_t birth) {
    struct stand_in *told = stand_in_with(3);
    mape_pool *pool = remote_started(birth, 1, 3);
    const mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(SOME);
    for (uint32_t i = 0; i < 6; i++) {
        const uint32_t helpers = told->helpers;
        mape_job *job = squaring(pool, square, values, SOME, i % 2 ? MAPE_REMOTE : MAPE_ANYWHERE);
        if (i < 3) kill_process(told->pid);
        else told->die = 1;
        all_well(job, values, SOME);
        wait_until(told->helpers > helpers);
    }
    wait_until(stats_of(pool).remote_ready == 3);
    assert_int_equal(stats_of(pool).remote_pid, told->pid);
    assert_int_equal(stats_of(pool).zygotes_started, 1);
    stage("the zygote, which the lanes have no part in");
    mape_job *job = squaring(pool, square, values, SOME, MAPE_REMOTE);
    if (birth == MAPE_START_EXEC) kill_process(stats_of(pool).zygote_pid);
    all_well(job, values, SOME);
    free(values);
    remote_close(pool);
}

static void a_pool_goes_on_without_a_helper(uint32_t birth) {
    struct stand_in *told = stand_in_with(2);
    told->dies_early = 1;
    mape_pool *pool = remote_pool(birth, 1);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_function_id square = 0;
    mape_function description = MAPE_FUNCTION_INIT;
    description.library = WORKERS_LIBRARY, description.run_symbol = "run_square";
    is_ok(pool, mape_function_register(&square, pool, &description));
    uint64_t *values = numbers(SOME);
    while (told->helpers < 3) all_well(squaring(pool, square, values, SOME, MAPE_ANYWHERE), values, SOME);
    assert_true(logged(pool, "exited with code 11"));
    mape_job *job = squaring(pool, square, values, SOME, MAPE_REMOTE);
    told->dies_early = 0;
    all_well(job, values, SOME);
    free(values);
    remote_close(pool);
}

static void a_helper_that_is_not_there_fails_only_a_pool_without_workers(uint32_t birth) {
    stand_in_with(2);
    mape_pool_config config = remote_config(birth, 1);
    config.remote_path = "/nowhere/mapengine-remote";
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    const mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(SOME);
    all_well(squaring(pool, square, values, SOME, MAPE_ANYWHERE), values, SOME);
    wait_until(logged(pool, "/nowhere/mapengine-remote"));
    free(values);
    remote_close(pool);
    stand_in_with(2);
    config = remote_config(birth, 1);
    config.remote_path = "mapengine-remote-that-is-nowhere", config.cluster_flags = MAPE_CLUSTER_ONLY;
    pool = pool_open_with(&config);
    wait_until(mape_pool_start(pool, 0) == MAPE_E_WORKERS);
    assert_non_null(strstr(message_of(pool), "mapengine-cluster"));
    remote_close(pool);
}

/** An item ends its worker there: it alone has crashed, and the lane goes on. */
static void a_crash_there_names_machine_and_item(uint32_t birth) {
    stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_function_id fault = registered(pool, run_fault);
    struct fault_item items[40];
    for (uint64_t i = 0; i < COUNT(items); i++) items[i] = (struct fault_item){.value = i, .way = WAY_WELL};
    items[17].way = WAY_SEGFAULT, items[23].way = WAY_EXIT_99;
    for (uint32_t attempts = 1; attempts <= 3; attempts += 2) {
        mape_job_config config = placed(MAPE_REMOTE);
        config.attempts = attempts, config.chunk = 5;
        mape_job *job = mapped(pool, fault, items, COUNT(items), sizeof *items, &config);
        wait_for(job);
        for (uint64_t i = 0; i < COUNT(items); i++) {
            if (i == 17 || i == 23) continue;
            const uint64_t right = i * i;
            result_is(job, i, &right, sizeof right);
        }
        result_ended(job, 17, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
        result_ended(job, 23, MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 99);
        const mape_result result = result_of(job, 17);
        assert_int_equal(result.attempts, attempts);
        assert_non_null(strstr(result.message, "on machine \"stand-in\""));
        assert_non_null(strstr(result.message, "SIGSEGV"));
        assert_non_null(strstr(result.message, ", item 17 of job "));
        mape_crash crash = MAPE_CRASH_INIT;
        is_ok(pool, mape_job_crash(&crash, job, 17));
        assert_string_equal(crash.host, "stand-in");
        assert_int_equal(crash.signal, SIGSEGV);
        assert_int_equal(crash.address, 8);
        assert_true(crash.frames > 0 && crash.pid > 0);
        assert_non_null(strstr(crash.text, "item 17 of job"));
        assert_non_null(strstr(crash.text, "run_fault"));
        is_status(pool, MAPE_E_STATE, mape_job_crash(&crash, job, 16));
        const mape_progress progress = progress_of(job);
        assert_int_equal(progress.crashed, 2);
        assert_int_equal(progress.ok, COUNT(items) - 2);
        is_ok(pool, mape_job_release(job));
    }
    assert_int_equal(stats_of(pool).workers_died, 0);
    remote_close(pool);
}

static void an_item_that_hangs_there_times_out_alone(uint32_t birth) {
    stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_function_id fault = registered(pool, run_fault);
    struct fault_item items[20];
    for (uint64_t i = 0; i < COUNT(items); i++) items[i] = (struct fault_item){.value = i, .way = WAY_WELL};
    items[3].way = WAY_SLEEP;
    mape_job_config config = placed(MAPE_REMOTE);
    config.item_timeout_ns = MAPE_MILLISECONDS(500);
    mape_job *job = mapped(pool, fault, items, COUNT(items), sizeof *items, &config);
    wait_for(job);
    result_ended(job, 3, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT, 0);
    assert_int_equal(result_of(job, 3).attempts, 1);
    assert_int_equal(progress_of(job).timed_out, 1);
    assert_int_equal(progress_of(job).ok, COUNT(items) - 1);
    is_ok(pool, mape_job_release(job));
    remote_close(pool);
}

/** A lane that says nothing at all, beyond all limits, is given up; what it held runs again. */
static void a_lane_that_keeps_an_item_beyond_its_limit_is_given_up(uint32_t birth) {
    struct stand_in *told = stand_in_with(1);
    mape_pool *pool = remote_started(birth, 1, 1);
    const mape_function_id square = registered(pool, run_square);
    uint64_t value = 9, right = 81;
    told->hold = 1;
    mape_job_config config = placed(MAPE_REMOTE);
    config.item_timeout_ns = MAPE_MILLISECONDS(1);
    mape_job *job = mapped(pool, square, &value, 1, sizeof value, &config);
    wait_until(logged(pool, "is given up"));
    told->hold = 0;
    wait_for(job);
    result_is(job, 0, &right, sizeof right);
    is_ok(pool, mape_job_release(job));
    remote_close(pool);
}

/** No machine has to answer for it. */
static void a_cancelled_job_is_done_at_once(uint32_t birth) {
    struct stand_in *told = stand_in_with(3);
    mape_pool *pool = remote_started(birth, 1, 3);
    const mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(SOME);
    told->hold = 1;
    for (int how = 0; how < 3; how++) {
        mape_job_config config = placed(MAPE_REMOTE);
        if (how == 2) config.job_timeout_ns = MAPE_MILLISECONDS(300);
        const uint32_t earlier = told->begun;
        mape_job *job = mapped(pool, square, values, SOME, sizeof *values, &config);
        wait_until(told->begun > earlier);
        if (how == 1) {
            told->stops = 1; /* The helper itself stands still. */
            is_ok(pool, mape_job_cancel(job));
        } else if (how == 0) is_ok(pool, mape_job_cancel(job));
        wait_for(job);
        assert_int_equal(how == 2 ? progress_of(job).timed_out : progress_of(job).cancelled, SOME);
        is_ok(pool, mape_job_release(job));
        told->stops = 0;
    }
    told->hold = 0;
    all_well(squaring(pool, square, values, SOME, MAPE_REMOTE), values, SOME);
    assert_true(told->given_back > 0);
    free(values);
    remote_close(pool);
}

static void what_no_machine_has_runs_here_or_fails(uint32_t birth) {
    struct stand_in *told = stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(SOME);
    told->refuse = 1;
    all_well(squaring(pool, square, values, SOME, MAPE_ANYWHERE), values, SOME);
    mape_job *job = squaring(pool, square, values, SOME, MAPE_REMOTE);
    wait_for(job);
    for (uint64_t i = 0; i < SOME; i++) result_ended(job, i, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
    assert_non_null(strstr(result_of(job, 0).message, "no machine has that library"));
    is_ok(pool, mape_job_release(job));
    assert_true(logged(pool, "cannot run on other machines"));
    stage("a stream");
    mape_job_config config = placed(MAPE_REMOTE);
    config.deliver = MAPE_DELIVER_DONE;
    job = NULL;
    is_ok(pool, mape_stream_open(&job, pool, square, &config));
    const mape_span item = {values, sizeof *values};
    is_status(pool, MAPE_E_LOAD, mape_stream_push(NULL, job, &item, 1));
    is_ok(pool, mape_job_release(job));
    stage("one that has it joins");
    told->refuse = 0;
    const uint32_t answered = told->answered;
    do {
        job = squaring(pool, square, values, SOME, MAPE_REMOTE);
        wait_for(job);
        if (progress_of(job).ok == SOME) squares_are_right(job, values, SOME);
        is_ok(pool, mape_job_release(job));
    } while (told->answered == answered);
    free(values);
    remote_close(pool);
}

static void replies_that_make_no_sense_cost_a_lane(uint32_t birth) {
    struct stand_in *told = stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_function_id square = registered(pool, run_square), fault = registered(pool, run_fault);
    uint64_t *values = numbers(SOME);
    told->garble = 1;
    mape_job *job = squaring(pool, square, values, SOME, MAPE_REMOTE);
    wait_for(job);
    assert_true(progress_of(job).ok >= SOME - 1);
    assert_true(logged(pool, "is killed"));
    is_ok(pool, mape_job_release(job));
    struct fault_item item = {.value = 1, .way = WAY_SEGFAULT};
    told->garble = 2;
    mape_job_config there = placed(MAPE_REMOTE);
    job = mapped(pool, fault, &item, 1, sizeof item, &there);
    wait_for(job);
    assert_int_equal(result_of(job, 0).state, MAPE_ITEM_CRASHED);
    assert_true(logged(pool, "a way that there is none of"));
    is_ok(pool, mape_job_release(job));
    all_well(squaring(pool, square, values, SOME, MAPE_REMOTE), values, SOME);
    free(values);
    remote_close(pool);
}

/** Nothing of a pool is left, whatever its lanes hold. */
static void a_pool_ends_while_its_lanes_keep_what_they_have(uint32_t birth) {
    for (int how = 0; how < 4; how++) {
        struct stand_in *told = stand_in_with(2);
        struct snapshot before = snapshot_taken();
        mape_pool *pool = remote_started(birth, 1, 2);
        const mape_function_id square = registered(pool, run_square);
        uint64_t *values = numbers(SOME);
        told->hold = 1;
        mape_job *job = squaring(pool, square, values, SOME, MAPE_REMOTE);
        wait_until(told->begun > 0);
        const pid_t helper = told->pid;
        if (how == 1) is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, PATIENCE));
        if (how == 2) {
            is_status(pool, MAPE_E_TIMEOUT, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, MAPE_MILLISECONDS(20)));
            result_ended(job, 0, MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, 0);
        }
        if (how == 3) {
            told->hold = 0;
            is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
            squares_are_right(job, values, SOME);
        }
        remote_close(pool);
        wait_gone(&helper, 1);
        free(values);
        (void)before;
    }
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(what_a_lane_keeps_is_run_elsewhere),
        EXEC_ONLY(an_item_that_a_lane_keeps_is_taken_back),
        EXEC_ONLY(lost_lanes_blame_nobody),
        EXEC_ONLY(an_item_that_is_lost_each_time_ends_as_crashed),
        EXEC_ONLY(a_lost_helper_is_replaced_and_blames_nobody),
        BOTH(a_pool_goes_on_without_a_helper),
        EXEC_ONLY(a_helper_that_is_not_there_fails_only_a_pool_without_workers),
        EXEC_ONLY(a_crash_there_names_machine_and_item),
        EXEC_ONLY(an_item_that_hangs_there_times_out_alone),
        EXEC_ONLY(a_lane_that_keeps_an_item_beyond_its_limit_is_given_up),
        EXEC_ONLY(a_cancelled_job_is_done_at_once),
        EXEC_ONLY(what_no_machine_has_runs_here_or_fails),
        EXEC_ONLY(replies_that_make_no_sense_cost_a_lane),
        EXEC_ONLY(a_pool_ends_while_its_lanes_keep_what_they_have),
    };
    return run_abi_tests("other machines that fail", tests, COUNT(tests));
}
