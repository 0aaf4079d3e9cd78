/* hangs.c - what does not end by itself. Cases 19 to 24.
 *
 * Limits are short, and only ever tested as "passed, with this cause".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <pthread.h>
#include <signal.h>

static const struct ending timed_out = {MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT, 0};

/* ---- cases 19 to 21: in an item ---- */

/** Some items hang; they alone time out. */
static void in_an_item(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_SECONDS(1);
    struct fault_item *items = well_items(60);
    items[11].way = items[40].way = row->fault->value;
    struct work work = work_begun(pool, planned(pool, NULL), items, 60, &config);
    work_wait(&work);
    struct ending ending = timed_out;
    ending.code = result_of(work.job, 11).code;
    work_check(&work, ending, 1);
    assert_int_equal(progress_of(work.job).timed_out, 2);
    assert_int_equal(stats_of(pool).workers_killed, 2);
    work_end(&work);
    pool_works(pool);
}

static void in_an_item_of_a_range(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_SECONDS(1);
    struct fault_item *items = well_items(60);
    items[11].way = items[40].way = row->fault->value;
    struct work work = work_begun(pool, planned_range(pool, NULL, run_planned_each), items, 60, &config);
    work_wait(&work);
    struct ending ending = timed_out;
    ending.code = result_of(work.job, 11).code;
    work_check(&work, ending, 1);
    work_end(&work);
    pool_works(pool);
}

/** Without any limit a hang holds up its worker alone, and destroying the pool has an end. */
static void until_destroyed(const struct row *row) {
    struct shared *shared = shared_page();
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    struct fault_item *items = well_items(row->workers);
    for (uint64_t i = 0; i < row->workers; i++) items[i].way = row->fault->value;
    struct work work = work_begun(pool, planned(pool, NULL), items, row->workers, &config);
    wait_until(atomic_load(&shared->entered) == row->workers);
    pid_t pids[20];
    int count = pool_pids(pool, pids, 20);
    is_status(pool, MAPE_E_TIMEOUT, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, MAPE_MILLISECONDS(50)));
    wait_gone(pids, count);
    work_wait(&work);
    work_check(&work, (struct ending){MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, result_of(work.job, 0).code}, 0);
    work_end(&work);
}

/** Stopped while idle: what it is given is not begun, so nothing is to blame; others, or a new worker, do it. */
static void stopped_while_idle(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    wait_until(stats_of(pool).workers_ready == row->workers);
    for (uint32_t i = 0; i < row->workers; i++) {
        wait_until(worker_of(pool, i).state == MAPE_WORKER_IDLE);
        if (i == 0 || row->fault->value == 2) kill(pid_of_worker(pool, i), SIGSTOP);
    }
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_SECONDS(1);
    struct work work = work_begun(pool, function, well_items(300), 300, &config);
    work_wait(&work);
    assert_int_equal(progress_of(work.job).ok, 300);
    work_check(&work, timed_out, 1);
    work_end(&work);
    pool_works(pool);
}

/** Stopped for a moment, then going on: it is no fault at all. */
static void stopped_for_a_moment(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    struct fault_item *items = well_items(300);
    for (uint64_t i = 0; i < 300; i++) items[i].way = FAULT_SLOW;
    struct work work = work_begun(pool, function, items, 300, NULL);
    for (int round = 0; round < 20; round++) {
        pid_t pid = pid_of_worker(pool, (uint32_t)round % row->workers);
        kill(pid, SIGSTOP);
        for (int i = 0; i < 5; i++) short_nap();
        kill(pid, SIGCONT);
    }
    work_wait(&work);
    work_check(&work, timed_out, 1);
    assert_int_equal(row_deaths(pool), 0);
    work_end(&work);
}

static void short_grace(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->grace_ns = MAPE_MILLISECONDS(300);
}

/* ---- case 22 ---- */

static void short_limits(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->setup_timeout_ns = MAPE_SECONDS(1);
    config->cleanup_timeout_ns = MAPE_MILLISECONDS(400);
    config->grace_ns = MAPE_MILLISECONDS(400);
}

static void in_a_setup(const struct row *row) {
    struct plan plan = plan_of();
    plan.setup_way = row->fault->value, plan.setup_times = 100000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    is_status(pool, MAPE_E_SETUP, mape_pool_start(pool, 2 * PATIENCE));
    if (strstr(message_of(pool), "timeout") == NULL) fail_msg("unclear message: %s", message_of(pool));
    struct fault_item *items = well_items(20);
    for (uint64_t i = 0; i < 20; i++) items[i].way = WAY_FAIL;
    struct work work = work_begun(pool, function, items, 20, NULL);
    work_wait(&work);
    work_check(&work, (struct ending){MAPE_ITEM_FAILED, MAPE_CAUSE_SETUP, result_of(work.job, 0).code}, 0);
    work_end(&work);
    pool_works(pool);
}

static void in_a_cleanup(const struct row *row) {
    struct plan plan = plan_of();
    plan.cleanup_way = row->fault->value, plan.cleanup_times = 100000;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct work work = work_begun(pool, function, well_items(20), 20, NULL);
    work_wait(&work);
    is_status(pool, MAPE_E_TIMEOUT, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, 2 * PATIENCE));
    work_check(&work, timed_out, 1);
    work_end(&work);
}

/* ---- case 23 ---- */

static void cancel_in_flight(const struct row *row) {
    const size_t item_size = 4u << 20, count = row->fault->value;
    mape_pool *pool = row_pool();
    mape_function_id function = registered(pool, run_echo);
    const uint64_t before = stats_of(pool).output_bytes; /* From inside a callback its own result is still there. */
    unsigned char *data = malloc(item_size * count);
    assert_non_null(data);
    for (size_t i = 0; i < item_size * count; i++) data[i] = (unsigned char)(i * 7);
    mape_job *job = mapped(pool, function, data, count, item_size, NULL);
    for (uint32_t i = 0; i < row_seed() % 20; i++) short_nap();
    is_ok(pool, mape_job_cancel(job));
    wait_for(job);
    mape_progress progress = progress_of(job);
    assert_int_equal(progress.ok + progress.cancelled, count);
    for (size_t i = 0; i < count; i++) {
        mape_result result = result_of(job, i);
        if (result.state == MAPE_ITEM_OK) {
            assert_int_equal(result.size, item_size);
            assert_int_equal(memcmp(result.data, data + i * item_size, item_size), 0);
        } else result_ended(job, i, MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, result.code);
    }
    row_note("%llu done, %llu cancelled", (unsigned long long)progress.ok, (unsigned long long)progress.cancelled);
    is_ok(pool, mape_job_release(job));
    wait_until(stats_of(pool).output_bytes <= before);
    pool_works(pool);
    free(data);
}

/** What has not begun is cancelled, while items end their workers and workers are killed. `value`: how many items kill theirs. */
static void cancel_what_has_not_begun(const struct row *row) {
    enum { ROUNDS = 60, ITEMS = 64 };
    mape_pool *pool = row_pool();
    mape_function_id function = registered(pool, run_fault);
    unsigned seed = (unsigned)row_seed();
    uint64_t ok = 0, crashed = 0, cancelled = 0;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 3; /* Which no item has that is cancelled. */
    for (int round = 0; round < ROUNDS; round++) {
        stage("round %d", round);
        struct fault_item items[ITEMS];
        for (uint64_t i = 0; i < ITEMS; i++) items[i] = (struct fault_item){i + 1, WAY_WELL, 0};
        for (uint32_t i = 0; i < row->fault->value; i++) items[rand_r(&seed) % ITEMS].way = WAY_KILL;
        config.chunk = (uint64_t)rand_r(&seed) % 3 * 8;
        mape_job *job = mapped(pool, function, items, ITEMS, sizeof items[0], &config);
        nanosleep(&(struct timespec){.tv_nsec = rand_r(&seed) % 2000000}, NULL);
        mape_worker_info worker = MAPE_WORKER_INFO_INIT;
        if (round % 2 && mape_pool_worker(&worker, pool, (uint32_t)rand_r(&seed) % row->workers) == MAPE_OK &&
            worker.pid > 0)
            kill_process(worker.pid);
        is_ok(pool, mape_job_cancel_waiting(NULL, job));
        wait_for(job);
        mape_progress progress = progress_of(job);
        assert_int_equal(progress.ok + progress.crashed + progress.cancelled, ITEMS);
        for (uint64_t i = 0; i < ITEMS; i++) {
            mape_result result = result_of(job, i);
            uint64_t square = items[i].value * items[i].value;
            if (result.state == MAPE_ITEM_OK) result_is(job, i, &square, sizeof square);
            else if (result.state == MAPE_ITEM_CRASHED) assert_int_equal(result.code, SIGKILL);
            else result_ended(job, i, MAPE_ITEM_CANCELLED, MAPE_CAUSE_CANCEL, 0);
        }
        ok += progress.ok, crashed += progress.crashed, cancelled += progress.cancelled;
        is_ok(pool, mape_job_release(job));
        wait_until(stats_of(pool).workers_ready == row->workers);
    }
    row_note("%llu done, %llu crashed, %llu cancelled", (unsigned long long)ok, (unsigned long long)crashed,
             (unsigned long long)cancelled);
    pool_works(pool);
}

/* ---- case 24 ---- */

static void grandchildren(const struct row *row) {
    struct shared *shared = shared_page();
    const uint32_t way = row->fault->value;
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    if (way == FAULT_GRANDCHILD_LOOPS) config.item_timeout_ns = MAPE_SECONDS(1);
    struct fault_item *items = well_items(30);
    items[4].way = items[20].way = way;
    struct work work = work_begun(pool, planned(pool, NULL), items, 30, &config);
    work_wait(&work);
    struct ending ending = way == FAULT_GRANDCHILD_DIES ? ending_of(way) : timed_out;
    ending.code = result_of(work.job, 4).code;
    work_check(&work, ending, 1);
    assert_int_equal(atomic_load(&shared->spawned), 2);
    pid_t pids[2] = {atomic_load(&shared->grandchildren[0]), atomic_load(&shared->grandchildren[1])};
    if (way == FAULT_GRANDCHILD) { /* Their worker lives, and so do they. */
        assert_false(process_gone(pids[0]) && process_gone(pids[1]) && row->fault->configure == NULL);
        int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE);
        assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
    }
    wait_gone(pids, 2);
    work_end(&work);
}

static void recycled_at_once(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->items_per_worker = 1;
}

/** Processes that leave the group of their worker are killed with it all the same. */
static void escaped(const struct row *row) {
    (void)row;
    struct shared *shared = shared_page();
    mape_pool *pool = row_pool();
    struct fault_item *items = well_items(30);
    items[4].way = FAULT_ESCAPED_DIES;
    struct work work = work_begun(pool, planned(pool, NULL), items, 30, NULL);
    work_wait(&work);
    work_check(&work, ending_of(FAULT_ESCAPED_DIES), 1);
    work_end(&work);
    pool_works(pool);
    pid_t pid = atomic_load(&shared->grandchildren[0]);
    wait_gone(&pid, 1);
}

/* ---- case 77: asked by a signal before ---- */

static void signalled(mape_pool_config *config, const struct row *row) {
    short_grace(config, row);
    config->cancel_signal = SIGUSR1;
}

/** The signal ends what has no handler, and is nothing to what is deaf: the limit is to blame all the same, and nobody else is. */
static void asked_before(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_MILLISECONDS(300);
    for (int is_range = 0; is_range < 2; is_range++) {
        struct fault_item *items = well_items(60);
        items[11].way = items[40].way = row->fault->value;
        mape_function_id function = is_range ? planned_range(pool, NULL, run_planned_each) : planned(pool, NULL);
        struct work work = work_begun(pool, function, items, 60, &config);
        work_wait(&work);
        struct ending ending = timed_out;
        ending.code = result_of(work.job, 11).code;
        work_check(&work, ending, 1);
        assert_int_equal(progress_of(work.job).timed_out, 2);
        work_end(&work);
    }
    pool_works(pool);
}

static const struct fault hangs[] = {
    {19, "in an item", in_an_item, BIRTHS, W_ALL, CALLBACK, FAULT_DEAF_TERM, NULL, 0},
    {19, "in an item that loops", in_an_item, BIRTHS, W_ALL, CALLBACK, WAY_LOOP_DEAF, NULL, 0},
    {19, "in an item of a range function", in_an_item_of_a_range, BIRTHS, W1 | W5, 0, FAULT_DEAF_TERM, NULL, 0},
    {19, "until the pool is destroyed", until_destroyed, BIRTHS, W_ALL, CALLBACK, FAULT_DEAF_TERM, short_grace, 0},
    {20, "in an item", in_an_item, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, NULL, 0},
    {20, "in an item of a range function", in_an_item_of_a_range, BIRTHS, W1 | W5, 0, WAY_LOOP, NULL, 0},
    {20, "until the pool is destroyed", until_destroyed, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, short_grace, 0},
    {21, "in an item", in_an_item, BIRTHS, W_ALL, CALLBACK, WAY_STOP, NULL, 0},
    {21, "one, while idle", stopped_while_idle, BIRTHS, W_ALL, CALLBACK, 1, NULL, 0},
    {21, "all, while idle", stopped_while_idle, BIRTHS, W_ALL, CALLBACK, 2, NULL, 0},
    {21, "for a moment", stopped_for_a_moment, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    {21, "until the pool is destroyed", until_destroyed, BIRTHS, W_ALL, CALLBACK, WAY_STOP, short_grace, 0},
    {22, "setups loop", in_a_setup, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, short_limits, 0},
    {22, "setups are stopped", in_a_setup, BIRTHS, W_ALL, 0, WAY_STOP, short_limits, 0},
    {22, "setups ignore SIGTERM", in_a_setup, BIRTHS, W_ALL, 0, FAULT_DEAF_TERM, short_limits, 0},
    {22, "cleanups loop", in_a_cleanup, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, short_limits, 0},
    {22, "cleanups are stopped", in_a_cleanup, BIRTHS, W_ALL, 0, WAY_STOP, short_limits, 0},
    {22, "cleanups ignore SIGTERM", in_a_cleanup, BIRTHS, W_ALL, 0, FAULT_DEAF_TERM, short_limits, 0},
    {23, "128 MiB", cancel_in_flight, BIRTHS, W_ALL, CALLBACK, 32, NULL, 0},
    {23, "what has not begun, while workers are killed", cancel_what_has_not_begun, BIRTHS, W_ALL, CALLBACK, 0, NULL,
     0},
    {23, "what has not begun, while items kill", cancel_what_has_not_begun, BIRTHS, W_ALL, CALLBACK, 4, NULL, 0},
    {24, "by the worker's death", grandchildren, BIRTHS, W_ALL, CALLBACK, FAULT_GRANDCHILD_DIES, NULL, 0},
    {24, "by a timeout", grandchildren, BIRTHS, W_ALL, CALLBACK, FAULT_GRANDCHILD_LOOPS, NULL, 0},
    {24, "by the shutdown", grandchildren, BIRTHS, W_ALL, CALLBACK, FAULT_GRANDCHILD, NULL, 0},
    {24, "by recycling", grandchildren, BIRTHS, W_ALL, 0, FAULT_GRANDCHILD, recycled_at_once, 0},
    {24, "that left the process group", escaped, BIRTHS, W2 | W5, 0, 0, NULL, 0},
    {77, "in an item that loops", asked_before, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, signalled, 0},
    {77, "in an item that is deaf", asked_before, BIRTHS, W_ALL, CALLBACK, WAY_LOOP_DEAF, signalled, 0},
    {77, "in an item that is stopped", asked_before, BIRTHS, W_ALL, 0, WAY_STOP, signalled, 0},
    {77, "until the pool is destroyed", until_destroyed, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, signalled, 0},
    {77, "until the pool is destroyed, deaf", until_destroyed, BIRTHS, W_ALL, 0, WAY_LOOP_DEAF, signalled, 0},
};
TABLE(hangs);
