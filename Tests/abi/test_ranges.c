/* test_ranges.c - events of all items of a range: MAPE_DELIVER_RANGES.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fetched.h"

#define ITEMS 500

struct heard {
    mape_job *job;
    const uint64_t *values;
    uint64_t count[ITEMS]; /**< How often each item was told of. */
    uint64_t next, events, failed;
    bool ordered, done;
};

/** Looks at an event of a job whose items are told of by ranges: squares, but for those that fail. */
static void hear(void *context, const mape_event *event) {
    struct heard *self = context;
    assert_false(self->done);
    if (event->type == MAPE_EVENT_DONE) {
        self->done = true;
        assert_int_equal(event->count, 0);
        return;
    }
    assert_int_equal(event->type, MAPE_EVENT_ITEM);
    assert_in_range(event->count, 1, ITEMS - event->index);
    if (self->ordered) assert_int_equal(event->index, self->next);
    self->next = event->index + event->count;
    self->events++;
    for (uint64_t i = event->index; i < self->next; i++) {
        mape_result result = MAPE_RESULT_INIT;
        assert_int_equal(mape_job_result(&result, self->job, i), MAPE_OK);
        if (i == event->index) {
            assert_int_equal(event->result.state, result.state);
            assert_ptr_equal(event->result.data, result.data);
            assert_int_equal(event->result.attempts, result.attempts);
        }
        self->failed += result.state == MAPE_ITEM_FAILED;
        if (result.state == MAPE_ITEM_OK)
            assert_int_equal(*(const uint64_t *)result.data, self->values[i] * self->values[i]);
        self->count[i]++;
    }
}

static void each_item_was_told_once(const struct heard *heard) {
    for (uint64_t i = 0; i < ITEMS; i++) assert_int_equal(heard->count[i], 1);
    assert_true(heard->done);
}

/** Every item is in exactly one event, by calls that fetch and by callbacks; an event of many items takes one place. */
static void ranges_hold_each_item_once(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(ITEMS);
    const size_t rooms[] = {0, 1, 2, 5000}; /* 0: callbacks. */
    for (size_t r = 0; r < COUNT(rooms); r++)
        for (uint32_t ordered = 0; ordered <= 1; ordered++) {
            struct heard heard = {.values = values, .ordered = ordered};
            mape_job_config config = MAPE_JOB_CONFIG_INIT;
            config.deliver = MAPE_DELIVER_RANGES | MAPE_DELIVER_DONE;
            config.ordered = ordered;
            config.chunk = 50;
            config.context = &heard;
            if (rooms[r] == 0) config.on_item = config.on_done = hear;
            heard.job = mapped(pool, square, values, ITEMS, sizeof *values, &config);
            stage("room for %zu, ordered %u", rooms[r], ordered);
            if (rooms[r] == 0) dispatch_until_done(pool, heard.job);
            while (!heard.done) {
                if (rooms[r] == 0) {
                    mape_pool_dispatch(pool, 1, 0);
                    continue;
                }
                size_t count = fetched(pool, rooms[r], PATIENCE);
                for (size_t i = 0; i < count; i++) hear(&heard, &events[i]);
            }
            each_item_was_told_once(&heard);
            assert_in_range(heard.events, 1,
                            ITEMS / 2); /* Ten, unless the pool has taken items back from a worker that does not run. */
            mape_progress progress = MAPE_PROGRESS_INIT;
            is_ok(pool, mape_job_progress(&progress, heard.job));
            assert_int_equal(progress.undelivered, 0);
            is_ok(pool, mape_job_release(heard.job));
        }
    free(values);
    pool_close(pool);
}

/** Items that fail and items that are cancelled are in ranges as well. */
static void ranges_hold_what_has_not_ended_well(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id fails = registered(pool, run_fail_text);
    uint64_t *values = numbers(ITEMS);
    for (int cancels = 0; cancels <= 1; cancels++) {
        struct heard heard = {0};
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.deliver = MAPE_DELIVER_RANGES | MAPE_DELIVER_DONE;
        heard.job = mapped(pool, fails, values, ITEMS, sizeof *values, &config);
        if (cancels) is_ok(pool, mape_job_cancel(heard.job));
        while (!heard.done) {
            size_t count = fetched(pool, 7, PATIENCE);
            for (size_t i = 0; i < count; i++) hear(&heard, &events[i]);
        }
        each_item_was_told_once(&heard);
        if (!cancels) assert_int_equal(heard.failed, ITEMS);
        is_ok(pool, mape_job_release(heard.job));
    }
    free(values);
    pool_close(pool);
}

/** Where results are dropped with their event, only one could be read. */
static void ranges_need_results_that_stay(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id square = registered(pool, run_square);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    mape_job *job = NULL;
    uint64_t value = 3;
    config.deliver = MAPE_DELIVER_RANGES;
    is_status(pool, MAPE_E_ARGUMENT, mape_stream_open(&job, pool, square, &config));
    assert_true(names_one_of(message_of(pool), "config.deliver"));
    config.drop = 1;
    is_status(pool, MAPE_E_ARGUMENT, mape_apply(&job, pool, square, &value, sizeof value, &config));
    assert_true(names_one_of(message_of(pool), "config.deliver"));
    config.drop = 0;
    config.deliver = 2 * MAPE_DELIVER_RANGES;
    is_status(pool, MAPE_E_ARGUMENT, mape_apply(&job, pool, square, &value, sizeof value, &config));
    config.deliver = MAPE_DELIVER_RANGES;
    is_ok(pool, mape_apply(&job, pool, square, &value, sizeof value, &config));
    assert_int_equal(fetched(pool, 10, PATIENCE), 1);
    assert_int_equal(events[0].count, 1);
    is_ok(pool, mape_job_release(job));
    pool_close(pool);
}

/** Without RANGES each event is of one item. */
static void other_events_count_one_item(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    uint64_t *values = numbers(ITEMS);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS;
    config.chunk = 100;
    mape_job *job = mapped(pool, registered(pool, run_square), values, ITEMS, sizeof *values, &config);
    size_t seen = 0;
    while (seen < ITEMS) {
        size_t count = fetched(pool, seen % 2 ? 1 : 64, PATIENCE);
        for (size_t i = 0; i < count; i++) assert_int_equal(events[i].count, 1);
        seen += count;
    }
    is_ok(pool, mape_job_release(job));
    free(values);
    pool_close(pool);
}

int main(void) {
    static const struct abi_test tests[] = {
        BOTH(ranges_hold_each_item_once),
        BOTH(ranges_hold_what_has_not_ended_well),
        BOTH(ranges_need_results_that_stay),
        BOTH(other_events_count_one_item),
    };
    return run_abi_tests("ranges", tests, COUNT(tests));
}
