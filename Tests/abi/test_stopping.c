/* test_stopping.c - items that stop when they are asked to: by mape_task_cancelled, and by the cancel signal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>

/* ---- asked ---- */

static mape_function_id registered_obeys(mape_pool *pool, bool is_range) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = is_range ? NULL : run_obeys;
    description.run_range = is_range ? run_obeys_all : NULL;
    description.setup = setup_shared;
    description.data = shared_path();
    description.data_size = strlen(shared_path()) + 1;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

static mape_job *obeying(mape_pool *pool, mape_function_id function, struct obeying item,
                         const mape_job_config *config) {
    struct shared *shared = shared_page();
    atomic_store(&shared->entered, 0);
    mape_job *job = mapped(pool, function, &item, 1, sizeof item, config);
    wait_until(atomic_load(&shared->entered) == 1);
    return job;
}

static void an_item_that_obeys_a_cancel_ends_as_it_says(uint32_t birth) {
    static const struct {
        struct obeying item;
        uint32_t state, cause;
        int32_t code;
        size_t size;
    } ways[] = {{{0, 0, 7}, MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, 0, 0},
                {{64, 0, 7}, MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, 0, 0},
                {{64, 0, 0}, MAPE_ITEM_OK, MAPE_CAUSE_NONE, 0, 64},
                {{64, 1, 8}, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 8, 64}};
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_obeys(pool, false);
    for (size_t w = 0; w < COUNT(ways); w++) {
        mape_job *job = obeying(pool, function, ways[w].item, NULL);
        is_ok(pool, mape_job_cancel(job));
        is_ok(pool, mape_job_wait(job, PATIENCE));
        result_ended(job, 0, ways[w].state, ways[w].cause, ways[w].code);
        assert_int_equal(result_of(job, 0).size, ways[w].size);
        mape_progress progress = progress_of(job);
        assert_int_equal(progress.cancelled, ways[w].state == MAPE_ITEM_CANCELLED);
        assert_int_equal(progress.failed, ways[w].state == MAPE_ITEM_FAILED);
        assert_int_equal(progress.done, 1);
    }
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void an_item_that_obeys_ends_as_its_job_does(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_obeys(pool, false), range = registered_obeys(pool, true);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.job_timeout_ns = MAPE_MILLISECONDS(100);
    mape_job *job = obeying(pool, function, (struct obeying){8, 0, 7}, &config);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    result_ended(job, 0, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_JOB_TIMEOUT, 0);
    assert_int_equal(progress_of(job).timed_out, 1);

    struct shared *shared = shared_page();
    atomic_store(&shared->entered, 0);
    uint64_t *values = numbers(50);
    job = mapped(pool, range, values, 50, sizeof *values, NULL);
    wait_until(atomic_load(&shared->entered) == 1);
    is_ok(pool, mape_job_cancel(job));
    is_ok(pool, mape_job_wait(job, PATIENCE));
    assert_int_equal(progress_of(job).cancelled, 50);
    free(values);

    job = obeying(pool, function, (struct obeying){8, 0, 7}, NULL);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, PATIENCE));
    result_ended(job, 0, MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, 0);
    pool_close(pool);
}

/* ---- the cancel signal ---- */

static mape_pool *signalling_pool(uint32_t birth, uint32_t workers, int64_t grace) {
    mape_pool_config config = config_of(birth, workers);
    config.cancel_signal = SIGUSR1;
    config.grace_ns = grace;
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    return pool;
}

static mape_function_id registered_signalled(mape_pool *pool) {
    return registered_shared(pool, run_until_signal, setup_cancel_signal, NULL);
}

static mape_job *signalled(mape_pool *pool, mape_function_id function, uint32_t way, const mape_job_config *config) {
    struct shared *shared = shared_page();
    struct signalled item = {way, 0};
    atomic_store(&shared->entered, 0);
    mape_job *job = mapped(pool, function, &item, 1, sizeof item, config);
    wait_until(atomic_load(&shared->entered) == 1);
    return job;
}

static void a_cancel_interrupts_the_item_and_keeps_its_worker(uint32_t birth) {
    static const struct {
        uint32_t way, state;
    } ways[] = {{SIGNALLED_FLAG, MAPE_ITEM_CANCELLED},
                {SIGNALLED_JUMPS, MAPE_ITEM_CANCELLED},
                {SIGNALLED_WELL, MAPE_ITEM_OK},
                {SIGNALLED_FAILS, MAPE_ITEM_FAILED}};
    mape_pool *pool = signalling_pool(birth, 1, MAPE_SECONDS(100));
    mape_function_id function = registered_signalled(pool);
    const pid_t worker = pid_of_worker(pool, 0);
    for (int round = 0; round < 20; round++) {
        for (size_t w = 0; w < COUNT(ways); w++) {
            mape_job *job = signalled(pool, function, ways[w].way, NULL);
            is_ok(pool, mape_job_cancel(job));
            is_ok(pool, mape_job_wait(job, PATIENCE));
            assert_int_equal(result_of(job, 0).state, ways[w].state);
            is_ok(pool, mape_job_release(job));
        }
        mape_job *job = signalled(pool, function, SIGNALLED_JUMPS, NULL);
        is_ok(pool, mape_job_release(job)); /* Cancels it as well. */
    }
    assert_int_equal(pid_of_worker(pool, 0), worker);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void an_item_timeout_interrupts_the_item_and_keeps_its_worker(uint32_t birth) {
    static const struct {
        uint32_t way, state, cause;
    } ways[] = {{SIGNALLED_FLAG, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT},
                {SIGNALLED_JUMPS, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT},
                {SIGNALLED_WELL, MAPE_ITEM_OK, MAPE_CAUSE_NONE},
                {SIGNALLED_FAILS, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION}};
    mape_pool *pool = signalling_pool(birth, 1, MAPE_SECONDS(100));
    mape_function_id function = registered_signalled(pool);
    const pid_t worker = pid_of_worker(pool, 0);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_MILLISECONDS(20);
    config.chunk = 4; /* Those behind it run all the same. */
    struct signalled items[COUNT(ways) * 4];
    for (size_t i = 0; i < COUNT(items); i++)
        items[i] = (struct signalled){i % 4 == 1 ? ways[i / 4].way : (uint32_t)SIGNALLED_DEAF, i % 4 == 1 ? 0 : 1000};
    mape_job *job = mapped(pool, function, items, COUNT(items), sizeof items[0], &config);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    for (size_t i = 0; i < COUNT(items); i++) {
        if (i % 4 != 1) result_is(job, i, NULL, 0);
        else assert_int_equal(result_of(job, i).state, ways[i / 4].state);
        if (i % 4 == 1) assert_int_equal(result_of(job, i).cause, ways[i / 4].cause);
    }
    assert_int_equal(progress_of(job).timed_out, 2);
    assert_int_equal(pid_of_worker(pool, 0), worker);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void an_item_that_is_deaf_to_the_signal_is_killed_after_the_grace(uint32_t birth) {
    mape_pool *pool = signalling_pool(birth, 1, MAPE_MILLISECONDS(100));
    mape_function_id function = registered_signalled(pool);
    mape_job *job = signalled(pool, function, SIGNALLED_DEAF, NULL);
    is_ok(pool, mape_job_cancel(job));
    is_ok(pool, mape_job_wait(job, PATIENCE));
    result_ended(job, 0, MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, 0);
    wait_until(stats_of(pool).workers_killed == 1);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_MILLISECONDS(50);
    job = signalled(pool, function, SIGNALLED_DEAF, &config);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    result_ended(job, 0, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT, 0);
    wait_until(stats_of(pool).workers_killed == 2);
    pool_close(pool);
}

/** Without a handler the signal ends the worker: as the time limit would. */
static void a_function_without_a_handler_ends_as_its_limit_says(uint32_t birth) {
    mape_pool *pool = signalling_pool(birth, 1, MAPE_SECONDS(100));
    struct marked item = {4, MARK_HANG};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_MILLISECONDS(50);
    mape_job *job = mapped(pool, registered(pool, run_marked), &item, 1, sizeof item, &config);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    result_ended(job, 0, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT, 0);
    assert_int_equal(result_of(job, 0).mark, 4);
    pool_close(pool);
}

/** Cancels race with the ends of items. Neither the handler nor a sleep of an item of another job notices one. */
static void no_signal_reaches_an_item_of_another_job(uint32_t birth) {
    enum { ROUNDS = 1000 };
    mape_pool *pool = signalling_pool(birth, 2, MAPE_SECONDS(100));
    mape_function_id victim = registered_signalled(pool), innocent = registered(pool, run_innocent);
    uint64_t seed = 88172645463325252u;
    uint64_t interrupted = 0;
    for (int round = 0; round < ROUNDS; round++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        /* Ends by itself about when the cancel comes. */
        struct signalled items[2];
        for (int i = 0; i < 2; i++)
            items[i] = (struct signalled){round % 2 ? SIGNALLED_FLAG : SIGNALLED_JUMPS,
                                          1 + (int64_t)(seed >> (8 * i) & 0x3ffff)};
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.chunk = 1;
        mape_job *victims = mapped(pool, victim, items, 2, sizeof items[0], &config);
        uint64_t naps[4] = {20000, 30000, 40000, 50000};
        mape_job *others = mapped(pool, innocent, naps, 4, sizeof naps[0], &config);
        for (int64_t end = now_ns() + (int64_t)(seed >> 32 & 0x3ffff); now_ns() < end;) {}
        is_ok(pool, mape_job_cancel(victims));
        stage("round %d", round);
        is_ok(pool, mape_job_wait(victims, PATIENCE));
        is_ok(pool, mape_job_wait(others, PATIENCE));
        interrupted += progress_of(victims).cancelled;
        for (uint64_t i = 0; i < 4; i++) result_is(others, i, (uint32_t[]){0, 0}, 8);
        is_ok(pool, mape_job_release(victims));
        is_ok(pool, mape_job_release(others));
    }
    assert_true(interrupted > 0);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void only_signals_that_a_function_can_have_are_taken(uint32_t birth) {
    (void)birth;
    static const int refused[] = {-1,     65,      INT32_MAX, INT32_MIN, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
                                  SIGILL, SIGABRT, SIGSYS,    SIGTRAP,   SIGALRM, 32,      33,      61};
    static const int taken[] = {0, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGPROF, 34, 64};
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    mape_pool *pool = NULL;
    for (size_t i = 0; i < COUNT(refused); i++) {
        config.cancel_signal = refused[i];
        is_status(NULL, MAPE_E_ARGUMENT, mape_pool_create(&pool, &config));
        assert_non_null(strstr(message_of(NULL), "config.cancel_signal"));
    }
    for (size_t i = 0; i < COUNT(taken); i++) {
        config.cancel_signal = taken[i];
        is_ok(NULL, mape_pool_create(&pool, &config));
        is_ok(NULL, mape_pool_release(pool));
    }
}

static const struct abi_test tests[] = {
    BOTH(an_item_that_obeys_a_cancel_ends_as_it_says),
    BOTH(an_item_that_obeys_ends_as_its_job_does),
    BOTH(a_cancel_interrupts_the_item_and_keeps_its_worker),
    BOTH(an_item_timeout_interrupts_the_item_and_keeps_its_worker),
    BOTH(an_item_that_is_deaf_to_the_signal_is_killed_after_the_grace),
    BOTH(a_function_without_a_handler_ends_as_its_limit_says),
    BOTH(no_signal_reaches_an_item_of_another_job),
    ONCE(only_signals_that_a_function_can_have_are_taken),
};

int main(void) { return run_abi_tests("test_stopping", tests, COUNT(tests)); }
