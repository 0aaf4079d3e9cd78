/* death_pool.c - deaths of the idle, of each other, of all at once, at the start, during shutdown, and of the zygote. Cases 2, 7, 10,
 * 12 to 16 and 18.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <pthread.h>
#include <signal.h>

enum stage_of { IDLE, IN_SETUP, IN_ITEM, IN_CLEANUP, DRAINING, BEFORE_SHUTDOWN };

static void many_restarts(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->restarts = 1000;
}

/* ---- case 2 ---- */

static void idle_then_submit(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    wait_until(stats_of(pool).workers_ready == row->workers);
    uint64_t died = 0;
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < row->workers; i++) {
            if (row->fault->value == 1 && i > 0) break;
            kill_process(pid_of_worker(pool, i));
            died++;
        }
        struct work work = work_begun(pool, function, well_items(2000), 2000, NULL);
        work_wait(&work);
        /* One that had not died yet may have begun an item: that one is to blame, and no other. */
        assert_true(work_check_some(&work, KILLED) <= row->workers);
        work_end(&work);
        wait_until(row_deaths(pool) == died && stats_of(pool).workers_ready == row->workers);
        pool_works(pool);
    }
}

static void idle_and_heard_of(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    wait_until(stats_of(pool).workers_ready == row->workers);
    for (uint32_t i = 0; i < row->workers; i++) kill_process(pid_of_worker(pool, i));
    wait_until(row_deaths(pool) == row->workers && stats_of(pool).workers_ready == row->workers);
    struct work work = work_begun(pool, function, well_items(2000), 2000, NULL);
    work_wait(&work);
    work_check(&work, KILLED, 1);
    work_end(&work);
}

/* ---- case 7 ---- */

static void each_other(const struct row *row) {
    struct shared *shared = shared_page();
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 1000;
    config.chunk = 3;
    struct fault_item *items = well_items(400);
    for (uint64_t i = 0; i < 400; i += 20) items[i].way = FAULT_KILL_SIBLING;
    mape_function_id function = planned(pool, NULL);
    wait_until(atomic_load(&shared->setups) == row->workers); /* They find each other there. */
    struct work work = work_begun(pool, function, items, 400, &config);
    work_wait(&work);
    work_check(&work, KILLED, 0);
    uint32_t kills = atomic_load(&shared->spawned);
    if (row->workers > 1) assert_true(kills > 0);
    if (row->workers > 1) wait_until(row_deaths(pool) >= 1);
    assert_int_equal(stats_of(pool).is_closed, 0);
    row_note("%u kills", kills);
    work_end(&work);
    pool_works(pool);
}

/* ---- case 10 ---- */

static void in_flight(const struct row *row) {
    struct shared *shared = shared_page();
    const size_t item_size = (size_t)row->fault->value << 20, count = 32;
    mape_pool *pool = row_pool();
    const uint64_t before = stats_of(pool).output_bytes;
    mape_buffer *buffer = NULL;
    void *data = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, item_size * count));
    is_ok(pool, mape_buffer_data(&data, NULL, buffer));
    uint64_t *words = data;
    const size_t per_item = item_size / sizeof *words;
    for (size_t i = 0; i < per_item * count; i += 512) words[i] = i * 3;
    for (size_t i = 0; i < count; i++) ((unsigned char *)(words + i * per_item))[0] = i % 8 == 3;
    mape_function_id function = planned_run(pool, run_echo_or_die);
    atomic_store(&shared->gate, 4); /* So many deaths, each with half of a result written. */
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 10;
    mape_job *job = mapped(pool, function, data, count, item_size, &config);
    stage("%zu MiB in flight", item_size * count >> 20);
    is_ok(pool, mape_job_wait(job, 5 * PATIENCE));
    for (size_t i = 0; i < count; i++) {
        mape_result result = result_of(job, i);
        assert_int_equal(result.state, MAPE_ITEM_OK);
        assert_int_equal(result.size, item_size);
        if (memcmp(result.data, words + i * per_item, item_size) != 0) fail_msg("item %zu is wrong", i);
    }
    assert_int_equal(row_deaths(pool), 4);
    is_ok(pool, mape_job_release(job));
    is_ok(pool, mape_buffer_release(buffer));
    wait_until(stats_of(pool).output_bytes <= before);
    pool_works(pool);
}

/* ---- case 12 ---- */

struct killer {
    pid_t pids[16];
    int count;
    bool in_cleanup;
};

static void *kill_all(void *context) {
    struct killer *self = context;
    struct shared *shared = shared_page();
    for (int64_t begun = now_ns(); self->in_cleanup && atomic_load(&shared->cleanups) == 0; short_nap())
        if (now_ns() - begun > PATIENCE) break;
    for (int i = 0; i < self->count; i++) kill(self->pids[i], SIGKILL);
    atomic_store(&shared->gate, 1);
    return NULL;
}

static void during_shutdown(const struct row *row) {
    struct plan plan = plan_of();
    const bool in_cleanup = row->fault->value == IN_CLEANUP;
    if (in_cleanup) plan.cleanup_way = FAULT_GATE, plan.cleanup_times = 1000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct killer killer = {.in_cleanup = in_cleanup};
    for (uint32_t i = 0; i < row->workers; i++) killer.pids[killer.count++] = pid_of_worker(pool, i);
    struct fault_item *items = well_items(200);
    for (uint64_t i = 0; i < 200; i++) items[i].way = in_cleanup ? (uint32_t)WAY_WELL : (uint32_t)FAULT_SLOW;
    struct work work = work_begun(pool, function, items, 200, NULL);
    if (in_cleanup) work_wait(&work);
    pthread_t thread;
    if (row->fault->value == BEFORE_SHUTDOWN) kill_all(&killer);
    else assert_int_equal(pthread_create(&thread, NULL, kill_all, &killer), 0);
    stage("shutting down");
    int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, 2 * PATIENCE);
    if (row->fault->value != BEFORE_SHUTDOWN) pthread_join(thread, NULL);
    assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
    assert_int_equal(stats_of(pool).is_closed, 1);
    if (!in_cleanup) work_wait(&work);
    assert_true(work_check_some(&work, KILLED) <= row->workers);
    wait_gone(killer.pids, killer.count);
    work_end(&work);
}

/* ---- case 13 ---- */

static void all_at_once(const struct row *row) {
    struct shared *shared = shared_page();
    struct plan plan = plan_of();
    const uint32_t where = row->fault->value, workers = row->workers;
    if (where == IN_SETUP) plan.setup_way = FAULT_GATE, plan.setup_times = 1000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    struct fault_item *items = well_items(100);
    for (uint64_t i = 0; i < 100 && where == IN_ITEM; i++) items[i].way = FAULT_GATE;
    if (where == IDLE) is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct work work = {0};
    if (where != IDLE) work = work_begun(pool, function, items, 100, &config);
    if (where == IN_SETUP) wait_until(atomic_load(&shared->setups) == workers);
    if (where == IN_ITEM) wait_until(atomic_load(&shared->entered) == workers);
    pid_t pids[16];
    for (uint32_t i = 0; i < workers; i++) pids[i] = pid_of_worker(pool, i);
    for (uint32_t i = 0; i < workers; i++) kill_process(pids[i]);
    for (uint64_t i = 0; i < 100 && where == IN_ITEM; i++) { /* Those that ran then are to blame, no others. */
        for (uint32_t k = 0; k < workers; k++)
            if (runner_of(i) == pids[k]) items[i].way = WAY_KILL;
    }
    if (where == IDLE) work = work_begun(pool, function, items, 100, &config);
    wait_until(row_deaths(pool) == workers);
    atomic_store(&shared->gate, 1);
    work_wait(&work);
    if (where == IDLE) assert_true(work_check_some(&work, KILLED) <= workers);
    else work_check(&work, KILLED, 1);
    work_end(&work);
    pool_works(pool);
}

/* ---- cases 14 and 15 ---- */

static void short_limits(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->setup_timeout_ns = MAPE_SECONDS(1);
    config->cleanup_timeout_ns = MAPE_MILLISECONDS(400);
    config->grace_ns = MAPE_MILLISECONDS(400);
    config->restarts = 3;
}

/** Every setup of one function goes wrong; another function of the same pool works. */
static void every_setup(const struct row *row) {
    struct plan plan = plan_of();
    plan.setup_way = row->fault->value, plan.setup_times = 100000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    int status = mape_pool_start(pool, 2 * PATIENCE);
    if (status != MAPE_E_SETUP) is_status(pool, MAPE_E_WORKERS, status);
    assert_string_not_equal(message_of(pool), "");
    struct fault_item *items = well_items(50);
    for (uint64_t i = 0; i < 50; i++) items[i].way = WAY_FAIL;
    assert_int_equal(status, MAPE_E_SETUP);
    struct work work = work_begun(pool, function, items, 50, NULL);
    work_wait(&work);
    mape_result first = result_of(work.job, 0);
    work_check(&work, (struct ending){MAPE_ITEM_FAILED, MAPE_CAUSE_SETUP, first.code}, 0);
    if (row->fault->value == WAY_FAIL) assert_int_equal(first.code, 17);
    assert_true(atomic_load(&shared_page()->setups) <= 10 * row->workers); /* The brake held. */
    assert_int_equal(atomic_load(&shared_page()->entered), 0);
    work_end(&work);
    pool_works(pool);
}

static void every_cleanup(const struct row *row) {
    struct plan plan = plan_of();
    plan.cleanup_way = row->fault->value, plan.cleanup_times = 100000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct work work = work_begun(pool, function, well_items(50), 50, NULL);
    work_wait(&work);
    pid_t pids[20];
    int count = pool_pids(pool, pids, 20);
    int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE);
    assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
    assert_int_equal(stats_of(pool).is_closed, 1);
    cleanups_began(row);
    work_check(&work, KILLED, 1);
    wait_gone(pids, count);
    work_end(&work);
}

/* ---- case 16 ---- */

static void dying_workers(mape_pool_config *config, const struct row *row) {
    static const char *settings[2];
    settings[0] = forks_fail(1, UINT32_MAX);
    forked_ones_exit(78);
    config->env_set = settings;
    config->zygote_path = row->birth == MAPE_START_EXEC ? FAULT_ZYGOTE : NULL;
    config->restarts = row->fault->value;
}

static void at_the_start(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, NULL);
    uint64_t started = 0;
    struct fault_item *items = well_items(50);
    mape_items all = items_at(items, 50, sizeof *items);
    mape_job *job = NULL;
    int status = mape_map(&job, pool, function, &all, NULL); /* Starts the pool by itself. */
    if (status == MAPE_OK) {                                 /* Else the pool had failed before it took the job. */
        wait_for(job);
        for (uint64_t i = 0; i < 50; i++) result_ended(job, i, MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, MAPE_E_WORKERS);
    } else is_status(pool, MAPE_E_WORKERS, status);
    is_status(pool, MAPE_E_WORKERS, mape_pool_start(pool, PATIENCE));
    if (strstr(message_of(pool), "78") == NULL) fail_msg("no exit code in the message: %s", message_of(pool));
    assert_int_equal(stats_of(pool).is_closed, 1);
    wait_until(stats_of(pool).workers_ready == 0);
    started = stats_of(pool).workers_started;
    uint64_t value = 1;
    is_status(pool, MAPE_E_WORKERS, mape_apply(&job, pool, function, &value, sizeof value, NULL));
    assert_null(job);
    for (int i = 0; i < 100; i++) short_nap();
    assert_int_equal(stats_of(pool).workers_started, started); /* It has given up. */
    row_note("after %llu starts", (unsigned long long)started);
    free(items);
    pool_close(pool);
    row_pool_gone();
    forks_end();
}

/* ---- case 18 ---- */

static void *kill_zygote_in_cleanup(void *context) {
    struct shared *shared = shared_page();
    for (int64_t begun = now_ns(); atomic_load(&shared->cleanups) == 0; short_nap())
        if (now_ns() - begun > PATIENCE) break;
    kill(*(pid_t *)context, SIGKILL);
    return NULL;
}

static void the_zygote(const struct row *row) {
    struct shared *shared = shared_page();
    const uint32_t where = row->fault->value;
    struct plan plan = plan_of();
    if (where == IN_SETUP) plan.setup_way = FAULT_GATE, plan.setup_times = 1000;
    if (where == IN_CLEANUP) plan.cleanup_way = FAULT_GATE, plan.cleanup_times = 1000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    if (where != IN_SETUP) is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 2;
    struct fault_item *items = well_items(200);
    for (uint64_t i = 0; i < 200 && where == IN_ITEM; i++) items[i].way = FAULT_GATE;
    struct work work = work_begun(pool, function, items, 200, &config);
    if (where == IN_SETUP) wait_until(atomic_load(&shared->setups) == row->workers);
    if (where == IN_ITEM) wait_until(atomic_load(&shared->entered) == row->workers);
    if (where == IDLE || where == IN_CLEANUP) work_wait(&work);
    pid_t pids[20], zygote = stats_of(pool).zygote_pid;
    int count = pool_pids(pool, pids, 20);
    if (where == IN_CLEANUP) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, kill_zygote_in_cleanup, &zygote), 0);
        int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE);
        pthread_join(thread, NULL);
        assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
        work_check(&work, KILLED, 1);
        wait_gone(pids, count);
        work_end(&work);
        return;
    }
    kill_process(zygote);
    wait_gone(pids, count); /* Its workers go with it. */
    atomic_store(&shared->gate, 1);
    if (where != IDLE) work_wait(&work);
    if (row->birth == MAPE_START_FORK) {
        work_check_some(&work, (struct ending){MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, MAPE_E_WORKERS});
        wait_until(stats_of(pool).is_closed == 1);
        mape_job *job = NULL;
        uint64_t value = 1;
        is_status(pool, MAPE_E_WORKERS, mape_apply(&job, pool, function, &value, sizeof value, NULL));
        if (strstr(message_of(pool), "zygote") == NULL) fail_msg("unclear message: %s", message_of(pool));
        work_end(&work);
        return;
    }
    work_check(&work, KILLED, 0); /* An item that ran is run again by a worker of the new one. */
    work_end(&work);
    wait_until(stats_of(pool).zygotes_started == 2);
    assert_int_not_equal(stats_of(pool).zygote_pid, zygote);
    pool_works(pool);
}

static const struct fault death_pool[] = {
    {2, "one killed, and an item submitted at once", idle_then_submit, BIRTHS, W_MANY, CALLBACK, 1, NULL, 0},
    {2, "all killed, and an item submitted at once", idle_then_submit, BIRTHS, W_ALL, CALLBACK, 2, many_restarts, 0},
    {2, "all killed, and submitted when that is known", idle_and_heard_of, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    {7, "in items", each_other, BIRTHS, W_ALL, CALLBACK, 0, many_restarts, 0},
    {10, "128 MiB", in_flight, BIRTHS, W2 | W5, 0, 4, NULL, 120},
    {10, "4 GiB", in_flight, BIRTHS, W2, WHOLE, 128, NULL, 400},
    {12, "before the shutdown", during_shutdown, BIRTHS, W_ALL, CALLBACK, BEFORE_SHUTDOWN, many_restarts, 0},
    {12, "while items are drained", during_shutdown, BIRTHS, W_ALL, CALLBACK, DRAINING, many_restarts, 0},
    {12, "in cleanups", during_shutdown, BIRTHS, W_ALL, CALLBACK, IN_CLEANUP, many_restarts, 0},
    {13, "idle", all_at_once, BIRTHS, W_ALL, CALLBACK, IDLE, many_restarts, 0},
    {13, "in setups", all_at_once, BIRTHS, W_ALL, CALLBACK, IN_SETUP, many_restarts, 0},
    {13, "in items", all_at_once, BIRTHS, W_ALL, CALLBACK, IN_ITEM, many_restarts, 0},
    {14, "setups fail", every_setup, BIRTHS, W_ALL, CALLBACK, WAY_FAIL, short_limits, 0},
    {14, "setups segfault", every_setup, BIRTHS, W_ALL, CALLBACK, WAY_SEGFAULT, short_limits, 0},
    {14, "setups exit with 0", every_setup, BIRTHS, W_ALL, CALLBACK, WAY_EXIT_0, short_limits, 0},
    {14, "setups hang", every_setup, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, short_limits, 0},
    {15, "cleanups segfault", every_cleanup, BIRTHS, W_ALL, CALLBACK, WAY_SEGFAULT, short_limits, 0},
    {15, "cleanups exit", every_cleanup, BIRTHS, W_ALL, CALLBACK, WAY_EXIT_99, short_limits, 0},
    {15, "cleanups hang", every_cleanup, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, short_limits, 0},
    {16, "as soon as they are forked, the brake at 2", at_the_start, BIRTHS, W_ALL, NOT_AGAIN, 2, dying_workers, 0},
    {16, "as soon as they are forked, the default brake", at_the_start, BIRTHS, W_ALL, NOT_AGAIN, 0, dying_workers, 0},
    {18, "workers idle", the_zygote, BIRTHS, W_ALL, CALLBACK | NOT_AGAIN, IDLE, NULL, 0},
    {18, "workers in setups", the_zygote, BIRTHS, W_ALL, CALLBACK | NOT_AGAIN, IN_SETUP, NULL, 0},
    {18, "workers in items", the_zygote, BIRTHS, W_ALL, CALLBACK | NOT_AGAIN, IN_ITEM, NULL, 0},
    {18, "workers in cleanups", the_zygote, BIRTHS, W_ALL, CALLBACK | NOT_AGAIN, IN_CLEANUP, NULL, 0},
};
TABLE(death_pool);
