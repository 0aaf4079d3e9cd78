/* resizes.c - pools that change their size while something goes wrong. Case 90.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <sys/resource.h>

/** Whether the pool has this many workers, all ready, and no other process of a worker. */
static bool has_workers(mape_pool *pool, uint32_t count) {
    mape_worker_info worker = MAPE_WORKER_INFO_INIT;
    uint32_t alive = 0;
    for (uint32_t i = 0; mape_pool_worker(&worker, pool, i) == MAPE_OK; i++) alive += worker.state != MAPE_WORKER_NONE;
    return alive == count && stats_of(pool).workers_ready == count;
}

/** One more worker comes, gets an item, and is made to leave in the middle of it: then it dies, by its own hand or another's. */
static void a_leaving_one_dies(const struct row *row) {
    struct shared *shared = shared_page();
    mape_pool *pool = row_pool();
    is_ok(pool, mape_pool_resize(pool, row->workers + 1));
    mape_function_id function = planned(pool, NULL);
    struct fault_item *items = well_items(row->workers + 1);
    for (uint64_t i = 0; i <= row->workers; i++) items[i].way = FAULT_GATE;
    wait_until(has_workers(pool, row->workers + 1));
    struct work work = work_begun(pool, function, items, row->workers + 1, NULL);
    wait_until(atomic_load(&shared->entered) == row->workers + 1);
    uint64_t before = stats_of(pool).workers_died;
    is_ok(pool, mape_pool_resize(pool, row->workers));
    kill_process(pid_of_worker(pool, row->workers));
    wait_until(stats_of(pool).workers_died == before + 1);
    /* It is blamed for its item, and nobody takes its place. */
    atomic_store(&shared->gate, 1);
    work_wait(&work);
    assert_int_equal(work_check_some(&work, KILLED), 1);
    work_end(&work);
    wait_until(has_workers(pool, row->workers));
    pool_works(pool);
}

static void short_cleanups(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->cleanup_timeout_ns = MAPE_MILLISECONDS(200);
}

/** The cleanups of those that leave hang, or end them. */
static void in_cleanup(const struct row *row) {
    struct plan plan = plan_of();
    plan.cleanup_way = row->fault->value;
    plan.cleanup_times = 3;
    mape_pool *pool = row_pool_unstarted();
    planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    is_ok(pool, mape_pool_resize(pool, row->workers + 3));
    wait_until(has_workers(pool, row->workers + 3));
    is_ok(pool, mape_pool_resize(pool, row->workers));
    wait_until(has_workers(pool, row->workers));
    pool_works(pool);
    is_ok(pool, mape_pool_resize(pool, row->workers + 3));
    wait_until(has_workers(pool, row->workers + 3));
    pool_works(pool);
}

/** The zygote dies when it has been asked for many workers. */
static void zygote_dies(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    is_ok(pool, mape_pool_resize(pool, row->workers + 30));
    kill_process(stats_of(pool).zygote_pid);
    struct work work = work_begun(pool, function, well_items(200), 200, NULL);
    work_wait(&work);
    if (row->birth == MAPE_START_EXEC) {
        work_check(&work, KILLED, 0);
        work_end(&work);
        wait_until(has_workers(pool, row->workers + 30));
        is_ok(pool, mape_pool_resize(pool, row->workers));
        wait_until(has_workers(pool, row->workers));
        pool_works(pool);
        return;
    }
    assert_true(work_check_some(&work, (struct ending){MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, MAPE_E_WORKERS}) <= 200);
    work_end(&work);
    wait_until(stats_of(pool).is_closed ==
               1); /* The workers may have done all items before the engine heard of the death. */
    is_status(pool, MAPE_E_WORKERS, mape_pool_resize(pool, 1));
}

/** The host has no address space for the output memory of new workers: those that there are go on, the others come later. */
static void no_address_space(const struct row *row) {
    struct rlimit before, now;
    long pages = 0;
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    getrlimit(RLIMIT_AS, &before);
    sscanf(proc_text(getpid(), "statm"), "%ld", &pages);
    now = before, now.rlim_cur = (rlim_t)pages * 4096 + (64u << 20);
    setrlimit(RLIMIT_AS, &now);
    int status = mape_pool_resize(pool, row->workers + 20);
    struct work work = work_begun(pool, function, well_items(50), 50, NULL);
    work_wait(&work);
    uint32_t ready = stats_of(pool).workers_ready;
    setrlimit(RLIMIT_AS, &before);
    is_ok(pool, status);
    work_check(&work, KILLED, 1);
    work_end(&work);
    assert_in_range(ready, 1, row->workers + 19);
    wait_until(has_workers(pool, row->workers + 20));
    is_ok(pool, mape_pool_resize(pool, row->workers));
    wait_until(has_workers(pool, row->workers));
    pool_works(pool);
}

static void rests(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->idle_shrink_ns = MAPE_MILLISECONDS(50);
    config->min_workers = 0;
}

/** All workers rest; then the zygote dies, or the first that comes back dies in its setup. */
static void while_all_rest(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool_unstarted();
    struct plan plan = plan_of();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    wait_until(has_workers(pool, 0));
    uint64_t zygotes = stats_of(pool).zygotes_started;
    kill_process(stats_of(pool).zygote_pid);
    wait_until(stats_of(pool).zygotes_started == zygotes + 1);
    assert_true(has_workers(pool, 0));
    struct work work = work_begun(pool, function, well_items(50), 50, NULL);
    work_wait(&work);
    work_check(&work, KILLED, 1);
    work_end(&work);
    wait_until(has_workers(pool, 0));
}

static const struct fault resizes[] = {
    {78, "a leaving worker dies", a_leaving_one_dies, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    {78, "leaving workers hang in their cleanup", in_cleanup, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, short_cleanups, 0},
    {78, "leaving workers crash in their cleanup", in_cleanup, BIRTHS, W_ALL, 0, WAY_SEGFAULT, short_cleanups, 0},
    {78, "the zygote dies during growth", zygote_dies, BIRTHS, W_ALL, 0, 0, NULL, 0},
    {78, "growth without address space", no_address_space, BIRTHS, W_ALL, 0, 0, NULL, 0},
    {78, "the zygote dies while all rest", while_all_rest, IN_EXEC, W_ALL, 0, 0, rests, 0},
};
TABLE(resizes);
