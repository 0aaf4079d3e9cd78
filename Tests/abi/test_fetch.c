/* test_fetch.c - events fetched many at a time, and captured output in whole lines.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fetched.h"

#define ITEMS 500

/** Every item once, in order, with its own result, whatever the room; DONE last; with results that stay and that are dropped. */
static void batches_hold_each_event_once_in_order(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(ITEMS);
    const size_t rooms[] = {1, 2, 3, 64, 499, 500, 501, 5000};
    for (size_t r = 0; r < COUNT(rooms); r++)
        for (uint32_t drop = 0; drop <= 1; drop++) {
            mape_job_config config = MAPE_JOB_CONFIG_INIT;
            config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
            config.ordered = 1;
            config.drop = drop;
            config.window = drop ? 100 : 0;
            config.context = &config;
            mape_job *job = mapped(pool, square, values, ITEMS, sizeof *values, &config);
            uint64_t next = 0;
            bool done = false;
            stage("room for %zu, drop %u", rooms[r], drop);
            while (!done) {
                size_t count = fetched(pool, rooms[r], PATIENCE);
                for (size_t i = 0; i < count; i++) {
                    assert_int_equal(events[i].struct_size, sizeof(mape_event));
                    assert_ptr_equal(events[i].job, job);
                    assert_ptr_equal(events[i].context, &config);
                    assert_false(done);
                    done = events[i].type == MAPE_EVENT_DONE;
                    if (done) continue;
                    assert_int_equal(events[i].type, MAPE_EVENT_ITEM);
                    assert_int_equal(events[i].index, next);
                    assert_int_equal(events[i].result.attempts, 1);
                    uint64_t squared = values[next] * values[next];
                    assert_int_equal(events[i].result.size, sizeof squared);
                    assert_memory_equal(events[i].result.data, &squared, sizeof squared);
                    next++;
                }
            }
            assert_int_equal(next, ITEMS);
            assert_int_equal(fetched(pool, 10, 0), 0);
            is_ok(pool, mape_job_release(job));
        }
    free(values);
    pool_close(pool);
}

/** What a batch points to stays until the next call, also of a job that dropped it, was released by itself, or ended as failed. */
static void a_batch_lives_until_the_next_call(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id echo = registered(pool, run_echo), fails = registered(pool, run_fail_text);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    for (int round = 0; round < 50; round++) {
        char text[64];
        size_t seen = 0;
        uint64_t before = stats_of(pool).items;
        for (int i = 0; i < 20; i++) {
            snprintf(text, sizeof text, "round %d, item %d", round, i);
            is_ok(pool, mape_apply(NULL, pool, i % 2 ? fails : echo, text, strlen(text) + 1, &config));
        }
        stage("round %d", round);
        wait_until(stats_of(pool).items == before + 20);
        while (seen < 40) {
            size_t count = fetched(pool, 100, PATIENCE);
            seen += count;
            uint64_t value = 3; /* Other results may come where these lie, if they were given back. */
            mape_job *other = applied(pool, echo, &value, sizeof value);
            wait_for(other);
            is_ok(pool, mape_job_release(other));
            for (size_t i = 0; i < count; i++) {
                assert_null(events[i].job);
                if (events[i].type != MAPE_EVENT_ITEM) continue;
                if (events[i].result.state == MAPE_ITEM_OK)
                    assert_int_equal(strncmp(events[i].result.data, "round ", 6), 0);
                else assert_true(strlen(events[i].result.message) > 0);
            }
        }
    }
    pool_close(pool);
}

static void bad_arguments_are_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    size_t count = 7;
    mape_event event = MAPE_EVENT_INIT, two[2] = {MAPE_EVENT_INIT};
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_next_events(NULL, 1, &count, pool, 0));
    assert_true(names_one_of(message_of(pool), "out"));
    assert_int_equal(count, 0);
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_next_events(&event, 0, &count, pool, 0));
    assert_true(names_one_of(message_of(pool), "capacity"));
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_next_events(&event, 1, NULL, pool, 0));
    assert_true(names_one_of(message_of(pool), "out_count"));
    is_status(pool, MAPE_E_OVERFLOW, mape_pool_next_events(&event, SIZE_MAX, &count, pool, 0));
    is_status(pool, MAPE_E_OVERFLOW, mape_pool_next_events(&event, SIZE_MAX / sizeof event, &count, pool, 0));
    is_status(NULL, MAPE_E_ARGUMENT, mape_pool_next_events(&event, 1, &count, NULL, 0));
    is_status(NULL, MAPE_E_HANDLE, mape_pool_next_events(&event, 1, &count, (mape_pool *)3, 0));
    event.struct_size--;
    is_status(pool, MAPE_E_SIZE, mape_pool_next_events(&event, 1, &count, pool, 0));
    /* Only the first says a size, and nested ones are not looked at: here as in mape_pool_next_event. */
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    uint64_t value = 4;
    is_ok(pool, mape_apply(NULL, pool, registered(pool, run_square), &value, sizeof value, &config));
    wait_until(stats_of(pool).items == 1);
    two[0].result.struct_size = 7;
    two[0].progress.struct_size = 1000000;
    two[1].struct_size = 3;
    is_ok(pool, mape_pool_next_events(two, 2, &count, pool, PATIENCE));
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(two[i].struct_size, sizeof(mape_event));
        assert_int_equal(two[i].result.struct_size, sizeof(mape_result));
        assert_int_equal(two[i].progress.struct_size, sizeof(mape_progress));
    }
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    while (mape_pool_next_events(two, 2, &count, pool, PATIENCE) == MAPE_OK) two[0].struct_size = sizeof(mape_event);
    is_status(pool, MAPE_E_CLOSED, mape_pool_next_events(two, 2, &count, pool, PATIENCE));
    pool_close(pool);
}

struct inner {
    mape_pool *pool;
    int status;
};

static void fetching_item(void *context, const mape_event *event) {
    struct inner *self = context;
    mape_event inside = MAPE_EVENT_INIT;
    size_t count = 0;
    (void)event;
    self->status = mape_pool_next_events(&inside, 1, &count, self->pool, 0);
}

static void a_callback_cannot_fetch(uint32_t birth) {
    struct inner inner = {pool_started(birth, 1), 1};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.context = &inner;
    config.on_item = fetching_item;
    uint64_t value = 4;
    mape_job *job = NULL;
    is_ok(inner.pool, mape_apply(&job, inner.pool, registered(inner.pool, run_square), &value, sizeof value, &config));
    dispatch_until_done(inner.pool, job);
    assert_int_equal(inner.status, MAPE_E_BUSY);
    pool_close(inner.pool);
}

/* ---- whole lines ---- */

struct said {
    char *text[2][4]; /**< By stream and worker. */
    size_t size[2][4];
    int pieces, broken; /**< Events, and those that end inside a line. */
};

static void take(struct said *said, const mape_event *event) {
    if (event->type != MAPE_EVENT_OUTPUT) return;
    int stream = event->code - 1, worker = event->worker;
    assert_in_range(worker, 0, 3);
    assert_int_equal(event->lost, 0);
    char **text = &said->text[stream][worker];
    size_t *size = &said->size[stream][worker];
    *text = realloc(*text, *size + event->text_size + 1);
    memcpy(*text + *size, event->text, event->text_size + 1);
    *size += event->text_size;
    said->pieces++;
    said->broken += event->text[event->text_size - 1] != '\n';
}

static void take_all(struct said *said, mape_pool *pool) {
    for (size_t count; (count = fetched(pool, 1000, 0)) > 0;)
        for (size_t i = 0; i < count; i++) take(said, &events[i]);
}

static mape_pool *pool_with_lines(uint32_t birth, uint32_t workers) {
    mape_pool_config config = config_of(birth, workers);
    config.output = MAPE_OUTPUT_LINES;
    return pool_open_with(&config);
}

/** Three workers at once write words to both streams, a write(2) each: every event is lines, and no two workers' lines mix. */
static void output_comes_in_whole_lines(uint32_t birth) {
    struct said said = {0};
    mape_pool *pool = pool_with_lines(birth, 3);
    mape_function_id talks = registered(pool, run_talks);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t *values = numbers(60);
    mape_job *job = mapped(pool, talks, values, 60, sizeof *values, NULL);
    wait_for(job);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    take_all(&said, pool);
    assert_int_equal(said.broken, 0);
    int lines = 0;
    for (int stream = 0; stream < 2; stream++)
        for (int worker = 0; worker < 3; worker++)
            for (char *line = said.text[stream][worker]; line && *line;) {
                char expected[64];
                char *end = strchr(line, '\n');
                assert_non_null(end);
                *end = 0;
                snprintf(expected, sizeof expected, "%s of worker %d: one two three four", stream ? "error" : "output",
                         worker);
                assert_string_equal(line, expected);
                line = end + 1;
                lines++;
            }
    assert_int_equal(lines, 60 * 2);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 4; k++) free(said.text[i][k]);
    free(values);
    pool_close(pool);
}

/** A line that is not ended is told when its worker ends; one that is too long before. */
static void a_line_that_is_not_ended_is_told_at_the_end(uint32_t birth) {
    struct said said = {0};
    mape_pool *pool = pool_with_lines(birth, 1);
    mape_function_id prints = registered(pool, run_writes), crashes = registered(pool, run_fault);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    wait_for(applied(pool, prints, "half a line", 11));
    wait_for(applied(pool, prints, ", and more", 10));
    for (int i = 0; i < 20; i++) short_nap();
    take_all(&said, pool);
    assert_int_equal(said.pieces, 0);
    struct fault_item item = {1, WAY_SEGFAULT, 0};
    wait_for(applied(pool, crashes, &item, sizeof item));
    wait_until((take_all(&said, pool), said.pieces > 0));
    assert_string_equal(said.text[0][0], "half a line, and more");
    assert_int_equal(said.pieces, 1);

    char *line = malloc(100000);
    memset(line, 'x', 100000);
    wait_for(applied(pool, prints, line, 100000));
    wait_until((take_all(&said, pool), said.size[0][0] >= 21 + 16384));
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    take_all(&said, pool);
    assert_int_equal(said.size[0][0], 21 + 100000);
    free(line);
    free(said.text[0][0]);
    free(said.text[1][0]);
    pool_close(pool);
}

int main(void) {
    static const struct abi_test tests[] = {
        BOTH(batches_hold_each_event_once_in_order),
        BOTH(a_batch_lives_until_the_next_call),
        BOTH(bad_arguments_are_refused),
        BOTH(a_callback_cannot_fetch),
        BOTH(output_comes_in_whole_lines),
        BOTH(a_line_that_is_not_ended_is_told_at_the_end),
    };
    return run_abi_tests("fetch", tests, COUNT(tests));
}
