/* death_moments.c - deaths at exact instructions: while taking a range, while publishing a result, after publishing it and before
 * the host is notified. Cases 8, 9 and 11; and the same moments for case 1.
 *
 * A worker is killed after its n-th instruction of such a stretch, for one n after another (in the small grid for every k-th, with a
 * start chosen by the seed). What has to come out does not depend on how the engine does it:
 *
 *   - No item is begun twice, as each has one attempt, and all others are right.
 *   - An item that was not begun is not to blame... once the worker has said that it begins, it may be.
 *   - From some instruction of the publishing on the result counts, and it is never lost or made again.
 *
 * So the outcomes of the killed item over n are: ok, made by another worker; then crashed; then ok, made by the one that died.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <signal.h>

enum stretch {
    TAKING,    /**< From the sleep of an idle worker to the first instruction of the function. */
    BETWEEN,   /**< From the last instruction of an item to the first of the next one of its range. */
    PUBLISHING /**< From the last instruction of a range's last item until the job is done. */
};

#define ITEMS 3
#define LONGEST 60000 /* Instructions; a stretch that is longer hangs. */

enum outcome { MADE_BY_ANOTHER = 0, CRASHED = 1, MADE_BY_THE_DEAD = 2 };

struct death {
    enum outcome outcome;
    uint64_t steps; /**< Instructions it made, when fewer than it was to be killed after. */
    bool ended;     /**< It came to the end of the stretch before. */
};

/** One worker is traced through a job of three items, of which `item` is the one the stretch belongs to; and is killed. */
static struct death death_after(mape_pool *pool, mape_function_id function, enum stretch stretch, uint64_t steps) {
    struct shared *shared = shared_page();
    const uint64_t item = stretch == TAKING ? 0 : stretch == BETWEEN ? 1 : ITEMS - 1;
    wait_until(stats_of(pool).workers_ready == stats_of(pool).workers);
    wait_until(worker_of(pool, 0).state == MAPE_WORKER_IDLE);
    pid_t victim = pid_of_worker(pool, 0);
    for (int i = 0; i < ITEMS; i++) atomic_store(&shared->order[i], 0);
    atomic_store(&shared->gate, (uint32_t)victim);
    stage("tracing worker %d, %llu instructions", (int)victim, (unsigned long long)steps);
    if (!trace_begin(victim)) row_skip("ptrace(2) is not allowed here");
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = ITEMS;
    struct fault_item *items = well_items(ITEMS);
    items[item].way = FAULT_STEP;
    if (stretch == BETWEEN) items[0].way = FAULT_STEP;
    struct work work = work_begun(pool, function, items, ITEMS, &config);
    struct death death = {.ended = false};
    bool reached = true;
    if (stretch != TAKING) reached = trace_run(victim) && trace_run(victim);
    assert_true(reached);
    bool stopped = false;
    while (death.steps < steps && !death.ended) {
        uint64_t some = stretch == PUBLISHING && steps - death.steps > 64 ? 64 : steps - death.steps;
        uint64_t made = trace_steps(victim, some, &stopped);
        death.steps += made;
        if (stopped) death.ended = true;
        if (stretch == PUBLISHING && mape_job_wait(work.job, 0) == MAPE_OK) death.ended = true;
        if (death.steps > LONGEST) fail_msg("the stretch does not end");
    }
    trace_kill(victim);
    work_wait(&work);
    work_check_some(&work, KILLED);
    for (uint64_t i = 0; i < ITEMS; i++) {
        uint64_t begun = atomic_load(&shared->order[i]) & 0xffffffff;
        mape_result result = result_of(work.job, i);
        if (begun > 1)
            fail_msg("item %llu was begun %llu times, with one attempt; the worker was killed after %llu instructions",
                     (unsigned long long)i, (unsigned long long)begun, (unsigned long long)death.steps);
        if (result.state == MAPE_ITEM_OK) assert_int_equal(begun, 1);
        else if (i != item && !(stretch == BETWEEN && i == 0)) fail_msg("item %llu is blamed", (unsigned long long)i);
    }
    mape_result result = result_of(work.job, stretch == BETWEEN ? 0 : item);
    if (result.state != MAPE_ITEM_OK) death.outcome = CRASHED;
    else death.outcome = runner_of(stretch == BETWEEN ? 0 : item) == victim ? MADE_BY_THE_DEAD : MADE_BY_ANOTHER;
    work_end(&work);
    return death;
}

/** The first n in (low, high] whose outcome is no longer that of `low`. */
static uint64_t first_change(mape_pool *pool, mape_function_id function, enum stretch stretch, uint64_t low,
                             uint64_t high, enum outcome of_low) {
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        if (death_after(pool, function, stretch, middle).outcome == of_low) low = middle;
        else high = middle;
    }
    return high;
}

static void sweep(mape_pool *pool, mape_function_id function, enum stretch stretch, uint64_t from, uint64_t to,
                  uint64_t samples) {
    uint64_t stride = whole_grid() || to - from <= samples ? 1 : (to - from) / samples;
    enum outcome last = MADE_BY_ANOTHER;
    uint64_t deaths = 0;
    for (uint64_t n = from + row_seed() % stride; n < to; n += stride, deaths++) {
        struct death death = death_after(pool, function, stretch, n);
        if (death.ended) break;
        if (death.outcome < last)
            fail_msg("killed after %llu instructions the item %s, though one killed before had %s",
                     (unsigned long long)n, death.outcome == CRASHED ? "crashed" : "was made by another worker",
                     last == CRASHED ? "crashed" : "been published");
        last = death.outcome;
    }
    assert_true(deaths > 0);
    row_note("%llu deaths in %llu instructions", (unsigned long long)deaths, (unsigned long long)(to - from));
}

static void begun(mape_pool **pool, mape_function_id *function) {
    *pool = row_pool();
    *function = planned_run(*pool, run_stepped);
    pool_works(*pool);
}

static void taking_a_range(const struct row *row) {
    (void)row;
    mape_pool *pool;
    mape_function_id function;
    begun(&pool, &function);
    struct death all = death_after(pool, function, TAKING, LONGEST);
    assert_true(all.ended);
    sweep(pool, function, TAKING, 0, all.steps, 24);
    pool_works(pool);
}

static void between_two_items(const struct row *row) {
    (void)row;
    mape_pool *pool;
    mape_function_id function;
    begun(&pool, &function);
    struct death all = death_after(pool, function, BETWEEN, LONGEST);
    assert_true(all.ended);
    sweep(pool, function, BETWEEN, 0, all.steps, 24);
    pool_works(pool);
}

/** Where publishing ends: the first instruction after which the result counts. */
static uint64_t published_at(mape_pool *pool, mape_function_id function, uint64_t *out_all) {
    struct death all = death_after(pool, function, PUBLISHING, LONGEST);
    assert_true(all.ended);
    assert_int_equal(all.outcome, MADE_BY_THE_DEAD);
    *out_all = all.steps;
    assert_int_equal(death_after(pool, function, PUBLISHING, 0).outcome, CRASHED);
    return first_change(pool, function, PUBLISHING, 0, all.steps, CRASHED);
}

static void publishing_a_result(const struct row *row) {
    (void)row;
    mape_pool *pool;
    mape_function_id function;
    uint64_t all = 0;
    begun(&pool, &function);
    uint64_t published = published_at(pool, function, &all);
    sweep(pool, function, PUBLISHING, 0, published + 1, 24);
    pool_works(pool);
}

static void after_publishing(const struct row *row) {
    (void)row;
    mape_pool *pool;
    mape_function_id function;
    uint64_t all = 0;
    begun(&pool, &function);
    uint64_t published = published_at(pool, function, &all);
    for (uint64_t n = published; n < all && n < published + 4; n++)
        assert_int_equal(death_after(pool, function, PUBLISHING, n).outcome, MADE_BY_THE_DEAD);
    sweep(pool, function, PUBLISHING, published, all, 24);
    pool_works(pool);
}

static void many_restarts(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->restarts = 1000;
}

/* Workers other than the traced one would take the items: it is worker 0, which is given work first when all are idle. */
static const struct fault death_moments[] = {
    {8, "at instructions of taking it", taking_a_range, BIRTHS, W1, CALLBACK, 0, many_restarts, 400},
    {8, "at instructions between two items", between_two_items, BIRTHS, W1, 0, 0, many_restarts, 400},
    {9, "at instructions of publishing it", publishing_a_result, BIRTHS, W1, CALLBACK, 0, many_restarts, 400},
    {11, "at instructions after publishing it", after_publishing, BIRTHS, W1, CALLBACK, 0, many_restarts, 400},
};
TABLE(death_moments);
