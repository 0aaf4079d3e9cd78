/* death_moments.c - deaths at exact instructions: while taking a range, while publishing a result, after publishing it and before
 * the host is notified. Cases 8, 9 and 11.
 *
 * A worker is killed after its n-th instruction of such a stretch, for one n after another: in the whole grid for every n, in the
 * small one for every k-th, with a start chosen by the seed. What has to come out does not depend on how the engine does it:
 *
 *   - No item is begun twice, as each has one attempt. No other item is touched.
 *   - Taking: the item is made by another worker, or it has crashed, if the worker had said that it begins it.
 *   - Publishing: it has crashed, or from some instruction on its result counts: then it is neither lost nor made again.
 *
 * The same n is not always the same instruction: the C library's clock, for one, loops. So the outcomes near a border may mix.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <signal.h>

enum stretch {
    TAKING,    /**< From the sleep of an idle worker to the first instruction of the function. */
    BETWEEN,   /**< From the last instruction of an item to the first of the next one of its range. */
    PUBLISHING /**< From the last instruction of a range's last item on, until the worker waits for more. */
};

#define ITEMS     3
#define LONGEST   60000 /* Instructions: a stretch that is longer hangs. */
#define PUBLISHED 1500  /* After so many instructions beyond the function's end a result is published. */
#define NOTIFIED  250   /* After so many more the host has been notified. */

enum outcome { MADE_BY_ANOTHER = 0, CRASHED = 1, MADE_BY_THE_DEAD = 2 };

struct death {
    enum outcome outcome;
    uint64_t steps; /**< Instructions it made: fewer than it was to, when it came to the end of the stretch. */
    bool ended;
};

/** One worker is traced through a job of three items, of which `item` is the one the stretch belongs to; and is killed. */
static struct death death_after(mape_pool *pool, mape_function_id function, enum stretch stretch, uint64_t steps) {
    struct shared *shared = shared_page();
    const uint64_t item = stretch == TAKING ? 0 : stretch == BETWEEN ? 1 : ITEMS - 1;
    wait_until(stats_of(pool).workers_ready == stats_of(pool).workers);
    wait_until(worker_of(pool, 0).state == MAPE_WORKER_IDLE);
    pid_t victim = pid_of_worker(pool, 0);
    const uint64_t died = stats_of(pool).workers_died;
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
    death.steps = trace_steps(victim, steps, &death.ended);
    trace_kill(victim);
    wait_until(stats_of(pool).workers_died == died + 1);
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

static void sweep(mape_pool *pool, mape_function_id function, enum stretch stretch, uint64_t from, uint64_t to) {
    const uint64_t samples = 24, stride = whole_grid() || to - from <= samples ? 1 : (to - from) / samples;
    const enum outcome never = stretch == PUBLISHING ? MADE_BY_ANOTHER : MADE_BY_THE_DEAD;
    uint64_t outcomes[3] = {0, 0, 0};
    for (uint64_t n = from + row_seed() % stride; n < to; n += stride) {
        struct death death = death_after(pool, function, stretch, n);
        if (stretch != BETWEEN && death.outcome == never)
            fail_msg("killed after %llu instructions the item was made by %s", (unsigned long long)n,
                     never == MADE_BY_ANOTHER ? "another worker, once more" : "the worker that had not begun it");
        outcomes[death.outcome]++;
    }
    row_note("instructions %llu to %llu: %llu deaths, %llu of them cost an item", (unsigned long long)from,
             (unsigned long long)to, (unsigned long long)(outcomes[0] + outcomes[1] + outcomes[2]),
             (unsigned long long)outcomes[CRASHED]);
    assert_true(outcomes[0] + outcomes[1] + outcomes[2] > 0);
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
    assert_int_equal(death_after(pool, function, TAKING, 0).outcome, MADE_BY_ANOTHER);
    sweep(pool, function, TAKING, 0, all.steps);
    pool_works(pool);
}

static void between_two_items(const struct row *row) {
    (void)row;
    mape_pool *pool;
    mape_function_id function;
    begun(&pool, &function);
    struct death all = death_after(pool, function, BETWEEN, LONGEST);
    assert_true(all.ended);
    sweep(pool, function, BETWEEN, 0, all.steps);
    pool_works(pool);
}

/** The first instruction after which a result counts, or one near it. */
static uint64_t published_at(mape_pool *pool, mape_function_id function) {
    uint64_t low = 0, high = PUBLISHED;
    assert_int_equal(death_after(pool, function, PUBLISHING, low).outcome, CRASHED);
    assert_int_equal(death_after(pool, function, PUBLISHING, high).outcome, MADE_BY_THE_DEAD);
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        if (death_after(pool, function, PUBLISHING, middle).outcome == CRASHED) low = middle;
        else high = middle;
    }
    return high;
}

static void publishing_a_result(const struct row *row) {
    (void)row;
    mape_pool *pool;
    mape_function_id function;
    begun(&pool, &function);
    uint64_t published = published_at(pool, function);
    sweep(pool, function, PUBLISHING, 0, published + 1);
    pool_works(pool);
}

static void after_publishing(const struct row *row) {
    (void)row;
    mape_pool *pool;
    mape_function_id function;
    begun(&pool, &function);
    uint64_t published = published_at(pool, function);
    sweep(pool, function, PUBLISHING, published, published + NOTIFIED);
    pool_works(pool);
}

static void many_restarts(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->restarts = 1000;
}

/* One worker, so that it is the one that is given the items; its replacement does what it has not begun. */
static const struct fault death_moments[] = {
    {8, "at instructions of taking it", taking_a_range, BIRTHS, W1, CALLBACK, 0, many_restarts, 400},
    {8, "at instructions between two items", between_two_items, BIRTHS, W1, 0, 0, many_restarts, 400},
    {9, "at instructions of publishing it", publishing_a_result, BIRTHS, W1, CALLBACK, 0, many_restarts, 400},
    {11, "at instructions after publishing it", after_publishing, BIRTHS, W1, CALLBACK, 0, many_restarts, 400},
};
TABLE(death_moments);
