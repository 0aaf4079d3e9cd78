/* test_hostile.c - workers that overwrite all that they can write: the host and the other items are unharmed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>

#define ITEMS 2000

/** A scribbler may end in any way, and may spoil what its own worker has done, as that lies in memory it can write. What any
 *  other worker did must have ended well and be right. */
static void check_others(mape_job *job, struct shared *shared, const struct fault_item *items) {
    uint32_t astray = atomic_load(&shared->spawned);
    assert_true(astray >= 1 && astray <= SHARED_SLOTS);
    for (uint64_t i = 0; i < ITEMS; i++) {
        mape_result result = result_of(job, i);
        uint64_t square = items[i].value * items[i].value;
        bool of_scribbler = items[i].way != WAY_WELL;
        for (uint32_t k = 0; k < astray; k++) of_scribbler |= shared->order[i] == (uint64_t)shared->astray[k];
        assert_true(result.state >= MAPE_ITEM_OK && result.state <= MAPE_ITEM_ABANDONED);
        if (of_scribbler) continue;
        if (result.state != MAPE_ITEM_OK)
            fail_msg("item %llu of another worker: state %u, cause %u", (unsigned long long)i, result.state,
                     result.cause);
        result_is(job, i, &square, sizeof square);
    }
}

/** One worker scribbles; another works. Items that the other worker did are right, and later jobs are. */
static void scribble_by(uint32_t birth, uint32_t way) {
    mape_pool_config pool_config = config_of(birth, 2);
    pool_config.restarts = 1000;
    mape_pool *pool = pool_open_with(&pool_config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct shared *shared = shared_page();
    mape_function_id fault = registered_shared(pool, run_fault_owned, setup_shared, NULL);
    mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(20000);
    for (uint32_t round = 0; round < 5; round++) {
        struct fault_item *items = calloc(ITEMS, sizeof *items);
        for (uint64_t i = 0; i < ITEMS; i++) items[i] = (struct fault_item){i, WAY_WELL, 0};
        items[round * 300 + 5].way = way;
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.chunk = 10;
        config.attempts = 2;
        config.job_timeout_ns = PATIENCE;
        mape_job *job = mapped(pool, fault, items, ITEMS, sizeof *items, &config);
        stage("round %u of scribbling", round);
        is_ok(pool, mape_job_wait(job, MAPE_FOREVER));
        check_others(job, shared, items);
        atomic_store(&shared->spawned, 0);
        is_ok(pool, mape_job_release(job));
        /* No lie of the past may touch a job of today. The worker that lied may still be found out in it. */
        mape_job_config again = MAPE_JOB_CONFIG_INIT;
        again.attempts = 5;
        mape_job *after = mapped(pool, square, values, 20000, sizeof *values, &again);
        stage("the job after round %u", round);
        is_ok(pool, mape_job_wait(after, PATIENCE));
        squares_are_right(after, values, 20000);
        is_ok(pool, mape_job_release(after));
        free(items);
    }
    assert_int_equal(stats_of(pool).is_closed, 0);
    free(values);
    pool_close(pool);
}

static void scribbling_and_returning_well_harms_nobody_else(uint32_t birth) { scribble_by(birth, WAY_SCRIBBLE); }
static void scribbling_and_exiting_harms_nobody_else(uint32_t birth) { scribble_by(birth, WAY_SCRIBBLE_DIE); }
static void scribbling_for_a_while_harms_nobody_else(uint32_t birth) { scribble_by(birth, WAY_SCRIBBLE_LONG); }

static mape_result result_now(mape_job *job) {
    mape_result result = MAPE_RESULT_INIT;
    mape_job_result(&result, job, 0);
    return result;
}

/** Two workers, of which one is held at a gate in a job of its own while the other scribbles: what the first holds is out
 *  of the scribbler's reach. */
static void a_scribbler_cannot_reach_what_another_worker_does(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool_config pool_config = config_of(birth, 2);
    pool_config.restarts = 1000;
    mape_pool *pool = pool_open_with(&pool_config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL),
                     fault = registered(pool, run_fault);
    uint64_t value = 1234567, square = value * value;
    mape_job *held = applied(pool, gated, &value, sizeof value);
    wait_until(atomic_load(&shared->entered) == 1);
    for (uint64_t round = 0; round < 6; round++) {
        struct fault_item item = {round * 77 + 1, round % 2 == 0 ? WAY_SCRIBBLE_DIE : WAY_SCRIBBLE, 0};
        wait_until(stats_of(pool).workers_ready == 2);
        mape_job *job = applied(pool, fault, &item, sizeof item);
        int status = mape_job_wait(job, PATIENCE / 2);
        if (status != MAPE_OK)
            fail_msg("round %d, attempts %u: workers %u and %u", (int)round, result_now(job).attempts,
                     worker_of(pool, 0).state, worker_of(pool, 1).state);
    }
    atomic_store(&shared->gate, 1);
    wait_for(held);
    result_is(held, 0, &square, sizeof square);
    assert_int_equal(result_of(held, 0).attempts, 1);
    pool_close(pool);
}

static void shutdown_after_scribbling_is_bounded(uint32_t birth) {
    mape_pool_config config = config_of(birth, 2);
    config.grace_ns = MAPE_MILLISECONDS(300);
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_function_id fault = registered(pool, run_fault);
    struct fault_item items[2] = {{1, WAY_SCRIBBLE, 0}, {2, WAY_SCRIBBLE, 0}};
    mapped(pool, fault, items, 2, sizeof items[0], NULL);
    int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, MAPE_SECONDS(2));
    assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
    pool_close(pool);
}

static void inputs_cannot_be_made_writable(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_buffer *buffer = NULL;
    void *data = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 8192));
    is_ok(pool, mape_buffer_data(&data, NULL, buffer));
    mape_function_id function = registered(pool, run_write_input_by_mprotect);
    mape_job *in_place = applied(pool, function, data, 8192), *copied = applied(pool, function, "12345678", 8);
    wait_for(in_place);
    wait_for(copied);
    const unsigned char refused = 0;
    result_is(in_place, 0, &refused, 1);
    result_is(copied, 0, &refused, 1);
    for (int i = 0; i < 8192; i++) assert_int_equal(((char *)data)[i], 0);
    pool_close(pool);
}

static void shared_files_cannot_be_cut(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    uint64_t *values = numbers(1000);
    mape_function_id square = registered(pool, run_square);
    mape_job *before = mapped(pool, square, values, 1000, sizeof *values, NULL);
    wait_for(before);
    mape_job *attack = applied(pool, registered(pool, run_attack_files), NULL, 0);
    wait_for(attack);
    const uint32_t none = 0;
    result_is(attack, 0, &none, sizeof none);
    mape_job *after = mapped(pool, square, values, 1000, sizeof *values, NULL);
    wait_for(after);
    squares_are_right(before, values, 1000);
    squares_are_right(after, values, 1000);
    free(values);
    pool_close(pool);
}

static void a_write_to_an_input_kills_the_writer_alone(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_buffer *buffer = NULL;
    void *data = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 100 * sizeof(struct fault_item)));
    is_ok(pool, mape_buffer_data(&data, NULL, buffer));
    struct fault_item *items = data;
    for (uint64_t i = 0; i < 100; i++) items[i] = (struct fault_item){i, i == 50 ? WAY_WRITE_INPUT : WAY_WELL, 0};
    mape_job *job = mapped(pool, registered(pool, run_fault), items, 100, sizeof *items, NULL);
    wait_for(job);
    for (uint64_t i = 0; i < 100; i++) {
        if (i == 50) result_ended(job, i, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
        else result_is(job, i, &(uint64_t){i * i}, sizeof(uint64_t));
    }
    assert_int_equal(items[50].value, 50);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(scribbling_and_returning_well_harms_nobody_else),
        BOTH(scribbling_and_exiting_harms_nobody_else),
        BOTH(scribbling_for_a_while_harms_nobody_else),
        BOTH(a_scribbler_cannot_reach_what_another_worker_does),
        BOTH(shutdown_after_scribbling_is_bounded),
        BOTH(inputs_cannot_be_made_writable),
        BOTH(shared_files_cannot_be_cut),
        BOTH(a_write_to_an_input_kills_the_writer_alone),
    };
    return run_abi_tests("hostile", tests, COUNT(tests));
}
