/* test_withdrawn.c - mape_job_cancel_waiting: items that have not begun end, those that run are left alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

/** A job whose items wait for the gate, as soon as each worker is on one. */
static mape_job *gated(mape_pool *pool, mape_function_id function, uint64_t count, const mape_job_config *config) {
    struct shared *shared = shared_page();
    atomic_store(&shared->entered, 0);
    atomic_store(&shared->gate, 0);
    uint64_t *values = numbers(count);
    mape_job *job = mapped(pool, function, values, count, sizeof *values, config);
    free(values);
    uint32_t workers = stats_of(pool).workers;
    wait_until(atomic_load(&shared->entered) == workers);
    return job;
}

static mape_function_id registered_items(mape_pool *pool) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run_range = run_gated_items;
    description.setup = setup_shared;
    description.data = shared_path();
    description.data_size = strlen(shared_path()) + 1;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

static uint64_t withdrawn(mape_pool *pool, mape_job *job) {
    uint64_t count = 77;
    is_ok(pool, mape_job_cancel_waiting(&count, job));
    return count;
}

static void what_has_not_begun_ends_and_what_runs_goes_on(uint32_t birth) {
    enum { ITEMS = 100 };
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    const mape_function_id functions[] = {registered_shared(pool, run_gated, setup_shared, NULL),
                                          registered_items(pool)};
    static const uint64_t chunks[] = {0, 1, 50};
    uint64_t *values = numbers(ITEMS);
    for (size_t f = 0; f < COUNT(functions); f++)
        for (size_t c = 0; c < COUNT(chunks); c++) {
            stage("function %zu, chunk %zu", f, c);
            mape_job_config config = MAPE_JOB_CONFIG_INIT;
            config.chunk = chunks[c];
            mape_job *job = gated(pool, functions[f], ITEMS, &config);
            assert_int_equal(withdrawn(pool, job), ITEMS - 2);
            mape_progress progress = progress_of(job);
            assert_int_equal(progress.running, 2);
            assert_int_equal(progress.cancelled, ITEMS - 2);
            assert_int_equal(progress.is_done, 0);
            assert_int_equal(withdrawn(pool, job), 0); /* Again. */
            atomic_store(&shared->gate, 1);
            is_ok(pool, mape_job_wait(job, PATIENCE));
            uint64_t ok = 0;
            for (uint64_t i = 0; i < ITEMS; i++) {
                if (result_of(job, i).state == MAPE_ITEM_OK) {
                    uint64_t square = values[i] * values[i];
                    result_is(job, i, &square, sizeof square);
                    ok++;
                } else result_ended(job, i, MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, 0);
            }
            assert_int_equal(ok, 2);
            assert_int_equal(atomic_load(&shared->entered), 2);
            assert_int_equal(withdrawn(pool, job), 0); /* When it is done. */
            is_ok(pool, mape_job_release(job));
        }
    free(values);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

/** What is taken back from the worker is of another job, too. That runs. */
static void other_jobs_lose_nothing(uint32_t birth) {
    enum { ITEMS = 40 };
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_shared(pool, run_gated, setup_shared, NULL);
    mape_job *job = gated(pool, function, 2, NULL);
    uint64_t *values = numbers(ITEMS);
    mape_job *other = mapped(pool, function, values, ITEMS, sizeof *values, NULL);
    assert_int_equal(withdrawn(pool, job), 1);
    atomic_store(&shared->gate, 1);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    wait_for(other);
    squares_are_right(other, values, ITEMS);
    free(values);
    pool_close(pool);
}

static void nothing_begins_again(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_shared(pool, run_gated, setup_shared, NULL);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 5;
    stage("its worker dies");
    mape_job *job = gated(pool, function, 10, &config);
    assert_int_equal(withdrawn(pool, job), 9);
    kill_process(pid_of_worker(pool, 0));
    is_ok(pool, mape_job_wait(job, PATIENCE));
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, 9);
    assert_int_equal(result_of(job, 0).attempts, 1);
    assert_int_equal(atomic_load(&shared->entered), 1);
    is_ok(pool, mape_job_release(job));

    stage("its zygote dies");
    wait_until(stats_of(pool).workers_ready == 1);
    job = gated(pool, function, 10, &config);
    assert_int_equal(withdrawn(pool, job), 9);
    kill_process(stats_of(pool).zygote_pid);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    result_ended(job, 0, MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, 0);
    assert_int_equal(atomic_load(&shared->entered), 1);
    pool_close(pool);
}

static void a_cancel_afterwards_ends_what_runs(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_shared(pool, run_polls_cancel, setup_shared, NULL);
    mape_job *job = gated(pool, function, 3, NULL);
    assert_int_equal(withdrawn(pool, job), 2);
    is_status(pool, MAPE_E_TIMEOUT, mape_job_wait(job, MAPE_MILLISECONDS(20)));
    is_ok(pool, mape_job_cancel(job));
    is_ok(pool, mape_job_wait(job, PATIENCE));
    assert_int_equal(progress_of(job).cancelled, 3);
    job = gated(pool, function, 3, NULL);
    is_ok(pool, mape_job_cancel(job));
    assert_int_equal(withdrawn(pool, job), 0);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    assert_int_equal(atomic_load(&shared->entered), 1);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void a_stream_is_finished(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_shared(pool, run_gated, setup_shared, NULL);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.window = 8;
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, function, &config));
    atomic_store(&shared->gate, 0);
    atomic_store(&shared->entered, 0);
    uint64_t value = 3;
    mape_span span = {&value, sizeof value};
    for (int i = 0; i < 5; i++) is_ok(pool, mape_stream_push(NULL, stream, &span, 1));
    wait_until(atomic_load(&shared->entered) == 1);
    assert_int_equal(withdrawn(pool, stream), 4);
    is_status(pool, MAPE_E_CLOSED, mape_stream_push(NULL, stream, &span, 1));
    atomic_store(&shared->gate, 1);
    is_ok(pool, mape_job_wait(stream, PATIENCE));
    mape_progress progress = progress_of(stream);
    assert_int_equal(progress.ok, 1);
    assert_int_equal(progress.cancelled, 4);
    assert_int_equal(atomic_load(&shared->entered), 1);
    pool_close(pool);
}

/** The call comes at any moment. What it says, what the items say and what workers have begun agree. */
static void each_item_either_runs_or_ends(uint32_t birth) {
    enum { ROUNDS = 2000, ITEMS = 64 };
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_noted, setup_shared, NULL);
    uint64_t *values = numbers(ITEMS), seed = 88172645463325252u, ended = 0;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    for (int round = 0; round < ROUNDS; round++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        stage("round %d", round);
        config.chunk = round % 3 == 0 ? 0 : round % 3 == 1 ? 1 : 16;
        atomic_store(&shared->entered, 0);
        mape_job *job = mapped(pool, function, values, ITEMS, sizeof *values, &config);
        for (int64_t end = now_ns() + (int64_t)(seed >> 32 & 0xffff); now_ns() < end;) {}
        uint64_t count = withdrawn(pool, job);
        is_ok(pool, mape_job_wait(job, PATIENCE));
        mape_progress progress = progress_of(job);
        assert_in_range(progress.cancelled, count, count + 2);
        assert_int_equal(progress.ok + progress.cancelled, ITEMS);
        assert_int_equal(atomic_load(&shared->entered), progress.ok);
        for (uint64_t i = 0; i < ITEMS; i++) {
            uint64_t square = values[i] * values[i];
            if (result_of(job, i).state == MAPE_ITEM_OK) result_is(job, i, &square, sizeof square);
        }
        ended += count;
        is_ok(pool, mape_job_release(job));
    }
    assert_true(ended > 0);
    free(values);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static const struct abi_test tests[] = {
    BOTH(what_has_not_begun_ends_and_what_runs_goes_on),
    BOTH(other_jobs_lose_nothing),
    BOTH(nothing_begins_again),
    BOTH(a_cancel_afterwards_ends_what_runs),
    BOTH(a_stream_is_finished),
    BOTH(each_item_either_runs_or_ends),
};

int main(void) { return run_abi_tests("test_withdrawn", tests, COUNT(tests)); }
