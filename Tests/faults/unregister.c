/* unregister.c - functions that are unregistered while something goes wrong (case 75), and waits that signals end (case 76).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <pthread.h>
#include <signal.h>

/* ---- case 75 ---- */

static void short_limits(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->cleanup_timeout_ns = MAPE_MILLISECONDS(300);
    config->grace_ns = MAPE_MILLISECONDS(400);
}

static void is_refused(mape_pool *pool, mape_function_id function) {
    mape_job *job = NULL;
    uint64_t value = 1;
    is_status(pool, MAPE_E_FUNCTION, mape_function_unregister(pool, function));
    is_status(pool, MAPE_E_FUNCTION, mape_apply(&job, pool, function, &value, sizeof value, NULL));
}

/** Every worker's cleanup goes wrong in this way. */
static void bad_cleanup(const struct row *row) {
    struct plan plan = plan_of();
    plan.cleanup_way = row->fault->value, plan.cleanup_times = 100000;
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct work work = work_begun(pool, function, well_items(50), 50, NULL);
    work_wait(&work);
    is_ok(pool, mape_function_unregister(pool, function));
    is_refused(pool, function);
    if (row->fault->value == WAY_WELL) wait_until(atomic_load(&shared_page()->cleanups) == row->workers);
    else wait_until(row_deaths(pool) == row->workers);
    cleanups_began(row);
    work_check(&work, KILLED, 1);
    work_end(&work);
    pool_works(pool);
}

/** Unregistered while its items run, one of which crashes: all end as they would have, then the cleanups run. */
static void while_it_runs(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    struct fault_item *items = well_items(100);
    items[3].way = FAULT_GATE;
    items[40].way = WAY_SEGFAULT;
    struct work work = work_begun(pool, function, items, 100, NULL);
    wait_until(atomic_load(&shared_page()->entered) > 0);
    is_ok(pool, mape_function_unregister(pool, function));
    is_refused(pool, function);
    atomic_store(&shared_page()->gate, 1);
    work_wait(&work);
    work_check(&work, ending_of(WAY_SEGFAULT), 1);
    wait_until(atomic_load(&shared_page()->cleanups) >= row->workers);
    work_end(&work);
    pool_works(pool);
}

static void *unregister_all(void *context) {
    mape_pool *pool = context;
    for (mape_function_id id = 1; id <= 20; id++) {
        int status = mape_function_unregister(pool, id);
        if (status != MAPE_OK && status != MAPE_E_CLOSED && status != MAPE_E_FUNCTION) return (void *)1;
    }
    return NULL;
}

static void in_a_shutdown(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id functions[8];
    for (int i = 0; i < 8; i++) functions[i] = planned(pool, NULL);
    struct work work = work_begun(pool, functions[7], well_items(200), 200, NULL);
    pthread_t thread;
    void *wrong = NULL;
    assert_int_equal(pthread_create(&thread, NULL, unregister_all, pool), 0);
    int status = mape_pool_shutdown(pool, (int)row->fault->value, PATIENCE);
    pthread_join(thread, &wrong);
    assert_null(wrong);
    assert_int_equal(status, MAPE_OK);
    work_wait(&work);
    if (row->fault->value == MAPE_SHUTDOWN_DRAIN) work_check(&work, KILLED, 1);
    else work_check_some(&work, (struct ending){MAPE_ITEM_ABANDONED, MAPE_CAUSE_SHUTDOWN, 0});
    assert_true(atomic_load(&shared_page()->cleanups) <= atomic_load(&shared_page()->setups));
    work_end(&work);
}

/** The workers, or the zygote with them, are killed while they clean up. */
static void killed_in_cleanup(const struct row *row) {
    struct plan plan = plan_of();
    plan.cleanup_way = FAULT_GATE, plan.cleanup_times = row->workers;
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    is_ok(pool, mape_function_unregister(pool, function));
    wait_until(atomic_load(&shared_page()->cleanups) == row->workers);
    pid_t pids[20];
    int count = pool_pids(pool, pids, 20);
    if (row->fault->value) kill_process(stats_of(pool).zygote_pid);
    else
        for (int i = 1; i < count; i++) kill_process(pids[i]);
    wait_gone(row->fault->value ? pids : pids + 1, row->fault->value ? count : count - 1);
    is_refused(pool, function);
    pool_works(pool);
    assert_int_equal(atomic_load(&shared_page()->cleanups), row->workers);
}

static void not_started(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, NULL);
    is_ok(pool, mape_function_unregister(pool, function));
    is_refused(pool, function);
    pool_works(pool);
    assert_int_equal(atomic_load(&shared_page()->setups), 0);
}

/* ---- case 76 ---- */

static void interruptible(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->interruptible = 1;
}

struct waiting {
    mape_job *job;
    pthread_t thread;
    _Atomic int begun;
    int status;
};

static void *wait_on(void *context) {
    struct waiting *w = context;
    atomic_store(&w->begun, 1);
    do w->status = mape_job_wait(w->job, MAPE_FOREVER);
    while (w->status == MAPE_E_INTERRUPTED);
    return NULL;
}

static _Atomic int handled;
static void handler(int number) {
    (void)number;
    atomic_fetch_add(&handled, 1);
}

/** Threads that wait are signalled, interrupted and cancelled in turn: the others wait on, and hear. */
static void signals_and_cancels(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    struct fault_item *items = well_items(200);
    items[0].way = FAULT_GATE;
    struct work work = work_begun(pool, function, items, 200, NULL);
    struct sigaction action = {.sa_handler = handler}, before;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, &before);
    struct waiting threads[6];
    for (int i = 0; i < 6; i++) {
        threads[i] = (struct waiting){.job = work.job, .status = 1};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, wait_on, &threads[i]), 0);
    }
    for (int i = 0; i < 6; i++) wait_until(atomic_load(&threads[i].begun));
    for (int round = 0; round < 60; round++) {
        if (row->fault->value == 0 || round % 2) pthread_kill(threads[3 + round % 3].thread, SIGUSR1);
        else is_ok(pool, mape_pool_interrupt(pool));
        if (round % 20 == 19) {
            pthread_cancel(threads[round / 20].thread);
            pthread_join(threads[round / 20].thread, NULL);
            /* It did not come back (glibc does not always say PTHREAD_CANCELED then). */
            assert_true(threads[round / 20].status == 1 || threads[round / 20].status == MAPE_E_INTERRUPTED);
        }
    }
    atomic_store(&shared_page()->gate, 1);
    for (int i = 3; i < 6; i++) {
        pthread_join(threads[i].thread, NULL);
        assert_int_equal(threads[i].status, MAPE_OK);
    }
    sigaction(SIGUSR1, &before, NULL);
    is_status(pool, MAPE_OK, mape_job_wait(work.job, PATIENCE));
    work_wait(&work);
    work_check(&work, KILLED, 1);
    work_end(&work);
}

static const struct fault unregister[] = {
    {75, "cleanups go well", bad_cleanup, BIRTHS, W_ALL, CALLBACK, WAY_WELL, short_limits, 0},
    {75, "cleanups segfault", bad_cleanup, BIRTHS, W_ALL, CALLBACK, WAY_SEGFAULT, short_limits, 0},
    {75, "cleanups exit", bad_cleanup, BIRTHS, W_ALL, CALLBACK, WAY_EXIT_99, short_limits, 0},
    {75, "cleanups hang", bad_cleanup, BIRTHS, W_ALL, CALLBACK, WAY_LOOP, short_limits, 0},
    {75, "while items run", while_it_runs, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    {75, "in a drain", in_a_shutdown, BIRTHS, W_ALL, 0, MAPE_SHUTDOWN_DRAIN, NULL, 0},
    {75, "in a shutdown that cancels", in_a_shutdown, BIRTHS, W_ALL, 0, MAPE_SHUTDOWN_CANCEL, NULL, 0},
    {75, "workers are killed in cleanups", killed_in_cleanup, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    {75, "the zygote is killed while they clean up", killed_in_cleanup, IN_EXEC, W_ALL, CALLBACK | NOT_AGAIN, 1, NULL,
     0},
    {75, "in a pool that is not started", not_started, BIRTHS, W2, NOT_AGAIN, 0, NULL, 0},
    {76, "by signals", signals_and_cancels, BIRTHS, W2 | W5, CALLBACK, 0, interruptible, 0},
    {76, "by interrupts and signals", signals_and_cancels, BIRTHS, W2 | W5, CALLBACK, 1, interruptible, 0},
};
TABLE(unregister);
