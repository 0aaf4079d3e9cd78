/* death_ways.c - every way of dying, at every stage of a worker's life: cases 1, 3 to 6, 9 and 17.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <pthread.h>
#include <signal.h>

#define ITEMS 211

/** Three of the items go the way. */
static struct fault_item *some_die(uint32_t way) {
    struct fault_item *items = well_items(ITEMS);
    for (uint64_t i = 0; i < ITEMS; i++)
        if (i % 71 == 35) items[i].way = way;
    return items;
}

/** Each item was begun as often as it should: by nobody twice, whatever happened around it. */
static void begun_once(uint64_t count) {
    for (uint64_t i = 0; i < count; i++) assert_int_equal(atomic_load(&shared_page()->order[i]) & 0xffffffff, 1);
}

static void in_an_item(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_stats before = stats_of(pool);
    struct work work = work_begun(pool, planned(pool, NULL), some_die(row->fault->value), ITEMS, NULL);
    work_wait(&work);
    work_check(&work, ending_of(row->fault->value), 1);
    begun_once(ITEMS);
    assert_int_equal(stats_of(pool).workers_died - before.workers_died, 3);
    assert_int_equal(stats_of(pool).workers_killed, before.workers_killed);
    assert_int_equal(stats_of(pool).zygotes_started, before.zygotes_started);
    work_end(&work);
    pool_works(pool);
}

static void in_an_item_of_a_range(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = planned_range(pool, NULL, run_planned_each);
    struct work work = work_begun(pool, function, some_die(row->fault->value), ITEMS, NULL);
    work_wait(&work);
    work_check(&work, ending_of(row->fault->value), 1);
    begun_once(ITEMS);
    work_end(&work);
    pool_works(pool);
}

/** The function does not say which item it is on: halves of the range run again until it is found. */
static void in_a_whole_range(const struct row *row) {
    mape_pool *pool = row_pool();
    struct work work =
        work_begun(pool, registered_range(pool, run_fault_all), some_die(row->fault->value), ITEMS, NULL);
    work_wait(&work);
    work_check(&work, ending_of(row->fault->value), 0);
    work_end(&work);
    pool_works(pool);
}

/** The first setup dies: another process takes the place, and no item is to blame. */
static void in_a_setup(const struct row *row) {
    struct plan plan = plan_of();
    plan.setup_way = row->fault->value, plan.setup_times = 1;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct work work = work_begun(pool, function, well_items(ITEMS), ITEMS, NULL);
    work_wait(&work);
    work_check(&work, KILLED, 0);
    begun_once(ITEMS);
    wait_until(stats_of(pool).workers_ready == row->workers);
    assert_int_equal(row_deaths(pool), 1);
    assert_int_equal(stats_of(pool).workers_killed, 0);
    assert_int_equal(stats_of(pool).is_closed, 0);
    work_end(&work);
    pool_works(pool);
}

static void in_a_cleanup(const struct row *row) {
    struct plan plan = plan_of();
    plan.cleanup_way = row->fault->value, plan.cleanup_times = 1000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct work work = work_begun(pool, function, well_items(ITEMS), ITEMS, NULL);
    work_wait(&work);
    int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE);
    assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
    assert_int_equal(stats_of(pool).is_closed, 1);
    assert_int_equal(atomic_load(&shared_page()->cleanups), row->workers);
    work_check(&work, KILLED, 0);
    begun_once(ITEMS);
    work_end(&work);
}

/* ---- killed from outside ---- */

static void from_outside_in_an_item(const struct row *row) {
    struct shared *shared = shared_page();
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    struct fault_item *items = well_items(40);
    for (uint64_t i = 0; i < 40; i++) items[i].way = FAULT_GATE;
    struct work work = work_begun(pool, planned(pool, NULL), items, 40, &config);
    wait_until(atomic_load(&shared->entered) == row->workers);
    pid_t victim = pid_of_worker(pool, row_seed() % row->workers);
    uint64_t blamed = 40;
    for (uint64_t i = 0; i < 40; i++)
        if (runner_of(i) == victim) blamed = i;
    assert_true(blamed < 40);
    kill_process(victim);
    wait_until(row_deaths(pool) == 1);
    atomic_store(&shared->gate, 1);
    work_wait(&work);
    work.items[blamed].way = WAY_KILL;
    work_check(&work, KILLED, 1);
    begun_once(40);
    assert_int_equal(stats_of(pool).workers_killed, 0); /* Not by the pool. */
    work_end(&work);
    pool_works(pool);
}

static void from_outside_in_a_setup(const struct row *row) {
    struct shared *shared = shared_page();
    struct plan plan = plan_of();
    plan.setup_way = FAULT_GATE, plan.setup_times = 1000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    if (!row->in_callback) is_status(pool, MAPE_E_TIMEOUT, mape_pool_start(pool, MAPE_MILLISECONDS(1)));
    struct work work = work_begun(pool, function, well_items(ITEMS), ITEMS, NULL);
    wait_until(atomic_load(&shared->setups) == row->workers);
    pid_t victim = atomic_load(&shared->setup_pids[row_seed() % row->workers]);
    kill_process(victim);
    wait_until(row_deaths(pool) == 1);
    atomic_store(&shared->gate, 1);
    work_wait(&work);
    work_check(&work, KILLED, 0);
    begun_once(ITEMS);
    work_end(&work);
    pool_works(pool);
}

static void *kill_first_in_cleanup(void *unused) {
    (void)unused;
    struct shared *shared = shared_page();
    for (int64_t begun = now_ns(); atomic_load(&shared->cleanup_pids[0]) == 0; short_nap())
        if (now_ns() - begun > PATIENCE) break;
    pid_t victim = atomic_load(&shared->cleanup_pids[0]);
    if (victim > 1) kill(victim, SIGKILL);
    atomic_store(&shared->gate, 1);
    return NULL;
}

static void from_outside_in_a_cleanup(const struct row *row) {
    struct plan plan = plan_of();
    plan.cleanup_way = FAULT_GATE, plan.cleanup_times = 1000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct work work = work_begun(pool, function, well_items(ITEMS), ITEMS, NULL);
    work_wait(&work);
    pthread_t killer;
    assert_int_equal(pthread_create(&killer, NULL, kill_first_in_cleanup, NULL), 0);
    int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE);
    pthread_join(killer, NULL);
    assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
    assert_int_equal(atomic_load(&shared_page()->cleanups), row->workers);
    work_check(&work, KILLED, 0);
    work_end(&work);
}

/* ---- case 17 ---- */

static void given_up_after_attempts(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = row->fault->value;
    struct fault_item *items = well_items(60);
    items[7].way = WAY_KILL, items[41].way = WAY_KILL;
    struct work work = work_begun(pool, planned(pool, NULL), items, 60, &config);
    work_wait(&work);
    work_check(&work, KILLED, row->fault->value);
    for (uint64_t i = 0; i < 60; i++) {
        uint64_t times = i == 7 || i == 41 ? row->fault->value : 1;
        assert_int_equal(atomic_load(&shared_page()->order[i]) & 0xffffffff, times);
    }
    assert_int_equal(row_deaths(pool), 2 * row->fault->value);
    work_end(&work);
    pool_works(pool);
}

static void attempts_of_a_whole_range(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = row->fault->value;
    struct fault_item *items = well_items(60);
    items[7].way = WAY_SEGFAULT, items[8].way = WAY_SEGFAULT;
    struct work work = work_begun(pool, registered_range(pool, run_fault_all), items, 60, &config);
    work_wait(&work);
    work_check(&work, ending_of(WAY_SEGFAULT), row->fault->value);
    work_end(&work);
    pool_works(pool);
}

/** A failure is an answer, not a death: there is no second attempt. */
static void a_failure_has_one_attempt(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 5;
    struct fault_item *items = well_items(60);
    items[7].way = WAY_FAIL;
    struct work work = work_begun(pool, planned(pool, NULL), items, 60, &config);
    work_wait(&work);
    work_check(&work, (struct ending){MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 7}, 1);
    begun_once(60);
    assert_int_equal(row_deaths(pool), 0);
    work_end(&work);
}

/* clang-format off */
#define WAY_AT_ALL_STAGES(number, text, way)                                                     \
    {number, "in an item, by " text, in_an_item, BIRTHS, W_ALL, CALLBACK, way, NULL, 0},          \
    {number, "in an item of a range function, by " text, in_an_item_of_a_range, BIRTHS, W1 | W5, 0, way, NULL, 0}, \
    {number, "in a range as a whole, by " text, in_a_whole_range, BIRTHS, W1 | W5, 0, way, NULL, 0}, \
    {number, "in a setup, by " text, in_a_setup, BIRTHS, W_ALL, CALLBACK, way, NULL, 0},          \
    {number, "in a cleanup, by " text, in_a_cleanup, BIRTHS, W_ALL, CALLBACK, way, NULL, 0}
/* clang-format on */

static const struct fault death_ways[] = {
    WAY_AT_ALL_STAGES(1, "SIGKILL", WAY_KILL),
    {1, "in an item, killed from outside", from_outside_in_an_item, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    {1, "in a setup, killed from outside", from_outside_in_a_setup, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    {1, "in a cleanup, killed from outside", from_outside_in_a_cleanup, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    WAY_AT_ALL_STAGES(3, "a segfault", WAY_SEGFAULT),
    {3, "in an item, by a stack overflow", in_an_item, BIRTHS, W2, 0, WAY_OVERFLOW, NULL, 0},
    {3, "in an item, by a division by zero", in_an_item, BIRTHS, W2, 0, WAY_DIVIDE, NULL, 0},
    WAY_AT_ALL_STAGES(4, "_exit(0)", WAY_EXIT_0),
    {4, "in an item, by becoming another program", in_an_item, BIRTHS, W2, 0, WAY_EXEC, NULL, 0},
    WAY_AT_ALL_STAGES(5, "_exit(99)", WAY_EXIT_99),
    {5, "in an item, by exit(5) with exit handlers", in_an_item, BIRTHS, W2, 0, WAY_EXIT_NORMAL, NULL, 0},
    WAY_AT_ALL_STAGES(6, "abort()", WAY_ABORT),
    {9, "in an item, its output half written", in_an_item, BIRTHS, W_ALL, CALLBACK, WAY_OUTPUT_DIES, NULL, 0},
    {17, "in an item, 1 attempt", given_up_after_attempts, BIRTHS, W_ALL, CALLBACK, 1, NULL, 0},
    {17, "in an item, 2 attempts", given_up_after_attempts, BIRTHS, W_ALL, 0, 2, NULL, 0},
    {17, "in an item, 7 attempts", given_up_after_attempts, BIRTHS, W_ALL, CALLBACK, 7, NULL, 0},
    {17, "in a range as a whole, 3 attempts", attempts_of_a_whole_range, BIRTHS, W1 | W5, 0, 3, NULL, 0},
    {17, "a failure is no death", a_failure_has_one_attempt, BIRTHS, W2, 0, 0, NULL, 0},
};
TABLE(death_ways);
