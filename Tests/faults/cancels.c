/* cancels.c - threads that are cancelled in the very moment in which they wake. Case 64.
 *
 * pthread_cancel looks at the thread first and sends it a signal then. Between the two the thread may wake, and go on with what it waited
 * for. So here threads wake all the time while they are cancelled, and there are many of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <pthread.h>
#include <stdlib.h>

#define WAITERS 4

struct canceller {
    pthread_t threads[WAITERS];
    void *(*wait)(void *);
    unsigned seed;
    mape_job *job;
    _Atomic bool over;
};

static void *wait_for_ever(void *job) {
    mape_job_wait(job, MAPE_FOREVER);
    return NULL;
}

static void *wait_asynchronously(void *job) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    return wait_for_ever(job);
}

/** Begins waits and cancels them, again and again. */
static void *cancel_all(void *context) {
    struct canceller *c = context;
    int rounds = whole_grid() ? 2000 : 400;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < WAITERS; i++) pthread_create(&c->threads[i], NULL, c->wait, c->job);
        for (int i = 0; i < WAITERS; i++) {
            nanosleep(&(struct timespec){.tv_nsec = rand_r(&c->seed) % 200000}, NULL);
            pthread_cancel(c->threads[i]);
        }
        for (int i = 0; i < WAITERS; i++) pthread_join(c->threads[i], NULL);
    }
    atomic_store(&c->over, true);
    return NULL;
}

/** Threads wait for an item that does not end, and wake whenever another does. */
static void cancelled_as_they_wake(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = registered(pool, run_fault);
    struct fault_item sleeps = {0, WAY_SLEEP, 0};
    mape_job *job = mapped(pool, function, &sleeps, 1, sizeof sleeps, NULL);
    wait_until(progress_of(job).running > 0);
    struct canceller c = {
        .wait = row->fault->value ? wait_asynchronously : wait_for_ever, .seed = (unsigned)row_seed(), .job = job};
    pthread_t canceller;
    assert_int_equal(pthread_create(&canceller, NULL, cancel_all, &c), 0);
    for (uint64_t calls = 0; !atomic_load(&c.over); calls++) {
        stage("call %llu", (unsigned long long)calls);
        struct fault_item well = {0, WAY_WELL, 0};
        mape_job *call = applied(pool, function, &well, sizeof well);
        wait_for(call);
        is_ok(pool, mape_job_release(call));
    }
    pthread_join(canceller, NULL);
    is_ok(pool, mape_job_cancel(job));
    wait_for(job);
    is_ok(pool, mape_job_release(job));
    pool_works(pool);
}

static void short_grace(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->grace_ns = MAPE_MILLISECONDS(100);
}

static void interruptible(mape_pool_config *config, const struct row *row) {
    short_grace(config, row);
    config->interruptible = 1;
}

static const struct fault cancels[] = {
    {64, "as they wake", cancelled_as_they_wake, BIRTHS, W2, 0, 0, short_grace, 0},
    {64, "as they wake, asynchronously", cancelled_as_they_wake, BIRTHS, W2, 0, 1, short_grace, 0},
    {64, "as they wake, where signals end waits", cancelled_as_they_wake, BIRTHS, W2, 0, 0, interruptible, 0},
};
TABLE(cancels);
