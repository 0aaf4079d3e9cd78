/* hostile.c - workers that overwrite what they can write, and lie about what they did. Cases 43 to 48.
 *
 * The liar's own item may end in any way, but it ends. Every other item is right, and so is every later job.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <signal.h>

#define ITEMS 600

static void many_restarts(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->restarts = 1000;
    config->grace_ns = MAPE_MILLISECONDS(500);
}

/* ---- case 43 ---- */

/** Whether an item was run last by a process that went astray: what lay in memory that it can write is its own loss. */
static bool of_a_liar(uint64_t item) {
    struct shared *shared = shared_page();
    uint32_t astray = atomic_load(&shared->spawned);
    if (astray > SHARED_SLOTS) astray = SHARED_SLOTS;
    for (uint32_t k = 0; k < astray; k++)
        if (atomic_load(&shared->order[item]) == (uint64_t)atomic_load(&shared->astray[k])) return true;
    return false;
}

/** What other workers did has ended well and is right; everything has ended. A liar is not believed when it says that it has not begun
 *  what it was given next, so that one item may be blamed too. Returns how many others of the liars' went wrong. */
static uint64_t check_others(mape_job *job, uint64_t chosen) {
    uint64_t beside = 0, unbegun = 0;
    assert_true(atomic_load(&shared_page()->spawned) >= 1);
    for (uint64_t i = 0; i < ITEMS; i++) {
        mape_result result = result_of(job, i);
        uint64_t square = i * i;
        assert_true(result.state >= MAPE_ITEM_OK && result.state <= MAPE_ITEM_ABANDONED);
        if (i == chosen) continue;
        if (of_a_liar(i)) beside += result.state != MAPE_ITEM_OK;
        else if (atomic_load(&shared_page()->order[i]) == 0 && result.cause == MAPE_CAUSE_REPLY) unbegun++;
        else result_is(job, i, &square, sizeof square);
    }
    assert_true(unbegun <= atomic_load(&shared_page()->spawned));
    return beside + unbegun;
}

static void forget_runners(void) {
    atomic_store(&shared_page()->spawned, 0);
    for (int i = 0; i < ITEMS; i++) atomic_store(&shared_page()->order[i], 0);
}

static void random_bytes(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = registered_shared(pool, run_fault_owned, setup_shared, NULL);
    const int rounds = whole_grid() ? 25 : 5;
    for (int round = 0; round < rounds; round++) {
        forget_runners();
        struct fault_item items[ITEMS];
        for (uint64_t i = 0; i < ITEMS; i++) items[i] = (struct fault_item){i, WAY_WELL, 0};
        uint64_t chosen = (row_seed() + (uint64_t)round * 131) % ITEMS; /* Its value is the seed of its bytes. */
        items[chosen].way = row->fault->value;
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.chunk = 10;
        config.attempts = 2;
        config.job_timeout_ns = PATIENCE;
        mape_job *job = mapped(pool, function, items, ITEMS, sizeof items[0], &config);
        stage("round %d, item %llu scribbles", round, (unsigned long long)chosen);
        is_ok(pool, mape_job_wait(job, 2 * PATIENCE));
        check_others(job, chosen);
        is_ok(pool, mape_job_release(job));
        /* A worker that lied may be found out only now. */
        uint64_t *values = numbers(3000);
        mape_job_config again = MAPE_JOB_CONFIG_INIT;
        again.attempts = 5;
        job = mapped(pool, registered(pool, run_square), values, 3000, sizeof *values, &again);
        is_ok(pool, mape_job_wait(job, PATIENCE));
        squares_are_right(job, values, 3000);
        is_ok(pool, mape_job_release(job));
        free(values);
    }
    assert_int_equal(stats_of(pool).is_closed, 0);
}

/* ---- cases 44, 45, 47 and 48 ---- */

static void lies(const struct row *row) {
    mape_pool *pool = row_pool();
    const uint32_t kind = row->fault->value;
    mape_function_id function = registered_shared(pool, run_lies, setup_shared, NULL);
    for (uint32_t round = 0; round < 3; round++) {
        forget_runners();
        struct lie items[ITEMS];
        for (uint64_t i = 0; i < ITEMS; i++) items[i] = (struct lie){i, LIE_NONE, 0};
        uint64_t chosen = round == 0 ? 0 : (row_seed() + round * 197) % ITEMS;
        items[chosen].kind = kind;
        items[chosen].seed = round;
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.chunk = round == 2 ? 8 : 1;
        config.item_timeout_ns = kind == LIE_BELLS ? 0 : MAPE_SECONDS(2); /* Liars sleep until the host acts. */
        mape_job *job = mapped(pool, function, items, ITEMS, sizeof items[0], &config);
        stage("round %u, item %llu lies", round, (unsigned long long)chosen);
        is_ok(pool, mape_job_wait(job, 2 * PATIENCE));
        uint64_t beside = check_others(job, chosen);
        mape_result result = result_of(job, chosen);
        if (kind == LIE_BELLS) { /* Noise is no lie. */
            assert_int_equal(result.state, MAPE_ITEM_OK);
            assert_int_equal(stats_of(pool).workers_died, 0);
        } else if (round == 0) {
            row_note("the liar's item: state %u, cause %u; %llu others of its worker lost", result.state, result.cause,
                     (unsigned long long)beside);
        }
        is_ok(pool, mape_job_release(job));
        pool_works(pool);
    }
    assert_int_equal(stats_of(pool).is_closed, 0);
}

/* ---- case 46 ---- */

static void files(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    uint64_t *values = numbers(1000);
    mape_function_id square = registered(pool, run_square), attacks = registered(pool, run_attacks);
    mape_job *before = mapped(pool, square, values, 1000, sizeof *values, NULL);
    wait_for(before);
    mape_job *attack = mapped(pool, attacks, values, 64, sizeof *values, NULL);
    wait_for(attack);
    for (uint64_t i = 0; i < 64; i++) {
        mape_result result = result_of(attack, i);
        /* Refused, or fatal to itself alone. */
        if (result.state == MAPE_ITEM_CRASHED) continue;
        assert_int_equal(result.state, MAPE_ITEM_OK);
        const struct attack *found = result.data;
        assert_int_equal(found->cut, 0);
        assert_int_equal(found->grown, 0);
        assert_int_equal(found->unsealed, 0);
        assert_int_equal(found->mapped, 0);
        assert_int_equal(found->written, 0);
    }
    mape_job *after = mapped(pool, square, values, 1000, sizeof *values, NULL);
    wait_for(after);
    squares_are_right(before, values, 1000);
    squares_are_right(after, values, 1000);
    free(values);
}

static void inputs(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    struct fault_item *items = well_items(100);
    items[50].way = WAY_WRITE_INPUT;
    struct work work = work_begun(pool, planned(pool, NULL), items, 100, NULL);
    work_wait(&work);
    work_check(&work, ending_of(WAY_WRITE_INPUT), 1);
    work_end(&work);
    mape_buffer *buffer = NULL;
    void *data = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 100 * sizeof(struct fault_item)));
    is_ok(pool, mape_buffer_data(&data, NULL, buffer));
    items = data;
    for (uint64_t i = 0; i < 100; i++) items[i] = (struct fault_item){i, i == 50 ? WAY_WRITE_INPUT : WAY_WELL, 0};
    mape_job *job = mapped(pool, registered(pool, run_fault), items, 100, sizeof *items, NULL);
    wait_for(job);
    result_ended(job, 50, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    assert_int_equal(progress_of(job).ok, 99);
    for (uint64_t i = 0; i < 100; i++) assert_int_equal(items[i].value, i);
    pool_works(pool);
}

#define LIE(number, text, flags, lie)                                                                                  \
    { number, text, lies, BIRTHS, W_ALL, flags, lie, many_restarts, 0 }

static const struct fault hostile[] = {
    {43, "then the item returns well", random_bytes, BIRTHS, W_MANY, CALLBACK, WAY_SCRIBBLE, many_restarts, 120},
    {43, "then the worker exits", random_bytes, BIRTHS, W_MANY, CALLBACK, WAY_SCRIBBLE_DIE, many_restarts, 120},
    {43, "again and again for a while", random_bytes, BIRTHS, W_MANY, 0, WAY_SCRIBBLE_LONG, many_restarts, 120},
    LIE(44, "a result's offset", CALLBACK, LIE_BASE),
    LIE(44, "a result's length", 0, LIE_SIZE),
    LIE(44, "an offset and length that wrap", 0, LIE_WRAP),
    LIE(44, "a result in the outbox", 0, LIE_OUTBOX),
    LIE(44, "a table's offset", 0, LIE_TABLE),
    LIE(44, "a table's line", 0, LIE_ENTRY),
    LIE(44, "the cursors", 0, LIE_CURSOR),
    LIE(44, "the message ring", 0, LIE_MESSAGES),
    LIE(44, "the count of items", 0, LIE_DONE),
    LIE(45, "by a second thread, in every word of a reply", CALLBACK, LIE_CHANGE),
    {46, "of shared files", files, BIRTHS, W1 | W5, CALLBACK, 0, many_restarts, 0},
    {46, "writes to inputs", inputs, BIRTHS, W1 | W5, CALLBACK, 0, NULL, 0},
    LIE(47, "another request's ticket", CALLBACK, LIE_TICKET),
    LIE(47, "replies nobody asked for", 0, LIE_TWICE),
    LIE(47, "replies of the past once more", 0, LIE_PAST),
    LIE(47, "blame for an item not its own, then death", 0, LIE_BLAME),
    LIE(47, "blame beyond the range, then death", 0, LIE_BLAME_RANGE),
    LIE(48, "20,000 times all bells", CALLBACK, LIE_BELLS),
};
TABLE(hostile);
