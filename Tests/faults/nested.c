/* nested.c - pools inside workers, while somebody of either pool dies. Case 91.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <signal.h>

enum who { OUTER_WORKER, OUTER_ZYGOTE, INNER_WORKER, INNER_ZYGOTE };

/** One item whose function waits for a pool of its own: see run_nested_waits. The processes of that pool are in `pids`: its zygote and
 *  two workers, each in an item. */
static mape_job *waiting(mape_pool *pool, uint32_t birth, pid_t *pids) {
    struct shared *shared = shared_page();
    struct nested_item item = {.birth = birth};
    snprintf(item.path, sizeof item.path, "%s", shared_path());
    mape_job *job = applied(pool, registered_shared(pool, run_nested_waits, setup_shared, NULL), &item, sizeof item);
    wait_until(atomic_load(&shared->entered) == 2);
    for (int i = 0; i < 3; i++) pids[i] = atomic_load(&shared->grandchildren[i]);
    return job;
}

static void one_dies(const struct row *row) {
    struct shared *shared = shared_page();
    const uint32_t who = row->fault->value & 3, inner = row->fault->value >> 2;
    mape_pool *pool = row_pool();
    pid_t pids[3];
    mape_job *job = waiting(pool, inner, pids);
    pid_t outer = 0;
    for (uint32_t i = 0; i < row->workers; i++)
        if (worker_of(pool, i).state == MAPE_WORKER_BUSY) outer = worker_of(pool, i).pid;
    assert_true(outer > 1);
    atomic_store(&shared->entered, 0);
    const uint64_t sum = 25;
    switch (who) {
    case OUTER_WORKER:
        kill_process(outer);
        wait_for(job);
        result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGKILL);
        break;
    case OUTER_ZYGOTE: /* The item runs again from its beginning, with a pool anew. */
        kill_process(stats_of(pool).zygote_pid);
        wait_gone(pids, 3);
        if (row->birth == MAPE_START_FORK) {
            wait_for(job);
            assert_int_equal(result_of(job, 0).state, MAPE_ITEM_ABANDONED);
            is_ok(pool, mape_job_release(job));
            return;
        }
        wait_until(atomic_load(&shared->entered) == 2);
        atomic_store(&shared->gate, 1);
        wait_for(job);
        result_is(job, 0, &sum, sizeof sum);
        break;
    case INNER_WORKER: /* Its item has crashed, which the outer function tells. */
        kill_process(pids[1]);
        wait_gone(&pids[1], 1);
        atomic_store(&shared->gate, 1);
        wait_for(job);
        assert_int_equal(result_of(job, 0).state, MAPE_ITEM_FAILED);
        break;
    default: /* Another zygote and other workers, or, from a snapshot, a pool that has failed. */
        kill_process(pids[0]);
        wait_gone(pids, 3);
        atomic_store(&shared->gate, 1);
        wait_for(job);
        if (inner == MAPE_START_EXEC) result_is(job, 0, &sum, sizeof sum);
        else assert_int_equal(result_of(job, 0).state, MAPE_ITEM_FAILED);
    }
    wait_gone(pids, who == INNER_WORKER ? 2 : 3);
    is_ok(pool, mape_job_release(job));
    pool_works(pool);
}

#define INNER(birth, who) ((MAPE_START_##birth) << 2 | (who))
static const struct fault nested[] = {
    {79, "the outer worker dies, EXEC inside", one_dies, BIRTHS, W1 | W2, CALLBACK, INNER(EXEC, OUTER_WORKER), NULL, 0},
    {79, "the outer worker dies, FORK inside", one_dies, BIRTHS, W1 | W2, 0, INNER(FORK, OUTER_WORKER), NULL, 0},
    {79, "the outer zygote dies, EXEC inside", one_dies, BIRTHS, W1 | W2, 0, INNER(EXEC, OUTER_ZYGOTE), NULL, 0},
    {79, "the outer zygote dies, FORK inside", one_dies, BIRTHS, W1 | W2, 0, INNER(FORK, OUTER_ZYGOTE), NULL, 0},
    {79, "an inner worker dies", one_dies, BIRTHS, W1 | W2, 0, INNER(EXEC, INNER_WORKER), NULL, 0},
    {79, "the inner zygote dies, EXEC inside", one_dies, BIRTHS, W1 | W2, 0, INNER(EXEC, INNER_ZYGOTE), NULL, 0},
    {79, "the inner zygote dies, FORK inside", one_dies, BIRTHS, W1 | W2, 0, INNER(FORK, INNER_ZYGOTE), NULL, 0},
};
TABLE(nested);
