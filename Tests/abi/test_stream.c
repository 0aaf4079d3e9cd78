/* test_stream.c - streams: bounded, ordered when asked for, ended by finish, cancel or shutdown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

/** What a callback has seen; checks come later, outside of it. */
struct seen {
    uint64_t items, ok, cancelled, wrong, out_of_order, next, done;
    mape_job *stream;
    uint64_t pushed, limit;
};

static uint64_t value_of(uint64_t index) { return index * 5 + 2; }

static void see_item(void *context, const mape_event *event) {
    struct seen *seen = context;
    seen->items++;
    if (seen->done > 0) seen->wrong++;
    if (event->index != seen->next++) seen->out_of_order++;
    if (event->result.state == MAPE_ITEM_CANCELLED) seen->cancelled++;
    if (event->result.state != MAPE_ITEM_OK) return;
    uint64_t square = value_of(event->index) * value_of(event->index);
    seen->ok++;
    if (event->result.size != sizeof square || memcmp(event->result.data, &square, sizeof square) != 0) seen->wrong++;
}

static void see_done(void *context, const mape_event *event) {
    struct seen *seen = context;
    seen->done++;
    if (event->progress.is_done != 1) seen->wrong++;
}

static mape_job_config seeing(struct seen *seen) {
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.ordered = 1;
    config.context = seen;
    config.on_item = see_item;
    config.on_done = see_done;
    return config;
}

static mape_job *opened(mape_pool *pool, mape_function_id function, const mape_job_config *config) {
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, function, config));
    assert_non_null(stream);
    return stream;
}

/** Pushes items [from, to), as many as are taken, and returns the next to push. */
static uint64_t push_some(mape_pool *pool, mape_job *stream, uint64_t from, uint64_t to) {
    uint64_t values[64];
    mape_span spans[64];
    size_t count = to - from < 64 ? to - from : 64, accepted = 99;
    for (size_t i = 0; i < count; i++) {
        values[i] = value_of(from + i);
        spans[i] = (mape_span){&values[i], sizeof values[i]};
    }
    int status = mape_stream_push(&accepted, stream, spans, count);
    assert_true(accepted <= count);
    is_status(pool, accepted == count ? MAPE_OK : MAPE_E_AGAIN, status);
    return from + accepted;
}

static void push_all(mape_pool *pool, mape_job *stream, uint64_t count) {
    stage("pushing %llu items", (unsigned long long)count);
    for (uint64_t next = 0; next < count;) {
        uint64_t before = next;
        next = push_some(pool, stream, next, count);
        if (mape_pool_dispatch(pool, 0, 0) == 0 && next == before) short_nap();
    }
}

static void many_items_come_back_in_order_through_callbacks(uint32_t birth) {
    enum { ITEMS = 100000 };
    mape_pool *pool = pool_open(birth, 2);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    mape_job *stream = opened(pool, registered(pool, run_square), &config);
    push_all(pool, stream, ITEMS);
    assert_int_equal(seen.done, 0);
    is_ok(pool, mape_stream_finish(stream));
    dispatch_until_done(pool, stream);
    assert_int_equal(seen.items, ITEMS);
    assert_int_equal(seen.ok, ITEMS);
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(seen.out_of_order, 0);
    assert_int_equal(seen.done, 1);
    assert_int_equal(progress_of(stream).total, ITEMS);
    assert_int_equal(progress_of(stream).ok, ITEMS);
    pool_close(pool);
}

static void two_hundred_thousand_items_are_pulled_in_bounded_memory(uint32_t birth) {
    enum { ITEMS = 200000 };
    mape_pool *pool = pool_open(birth, 2);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    config.window = 1000;
    mape_job *stream = opened(pool, registered(pool, run_square), &config);
    unsigned char *seen = calloc(ITEMS, 1);
    uint64_t next = 0, items = 0, most_input = 0, most_output = 0;
    mape_event event = MAPE_EVENT_INIT;
    stage("pulling");
    for (int64_t begun = now_ns();;) {
        if (now_ns() - begun > PATIENCE) fail_msg("%llu items pulled", (unsigned long long)items);
        while (next < ITEMS) {
            uint64_t before = next;
            if ((next = push_some(pool, stream, next, ITEMS)) == before) break;
        }
        if (next == ITEMS) is_ok(pool, mape_stream_finish(stream));
        is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
        if (event.type == MAPE_EVENT_DONE) break;
        assert_int_equal(event.type, MAPE_EVENT_ITEM);
        assert_ptr_equal(event.job, stream);
        assert_true(event.index < ITEMS);
        assert_int_equal(seen[event.index]++, 0);
        uint64_t square = value_of(event.index) * value_of(event.index);
        assert_int_equal(event.result.state, MAPE_ITEM_OK);
        assert_memory_equal(event.result.data, &square, sizeof square);
        if (++items % 1000 == 0) {
            mape_stats stats = stats_of(pool);
            if (stats.input_bytes > most_input) most_input = stats.input_bytes;
            if (stats.output_bytes > most_output) most_output = stats.output_bytes;
        }
    }
    assert_int_equal(items, ITEMS);
    assert_true(most_input < 16 << 20); /* 1,000 items of 8 bytes: far less, however it is cut. */
    assert_true(most_output < 64 << 20);
    is_status(pool, MAPE_E_AGAIN, mape_pool_next_event(&event, pool, 0));
    free(seen);
    pool_close(pool);
}

static void a_full_window_answers_again_and_takes_more_when_events_are_fetched(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    config.window = 8;
    mape_job *stream = opened(pool, registered_shared(pool, run_gated, setup_shared, NULL), &config);
    assert_int_equal(push_some(pool, stream, 0, 20), 8);
    assert_int_equal(push_some(pool, stream, 8, 20), 8);
    atomic_store(&shared->gate, 1);
    wait_until(progress_of(stream).ok == 8);
    assert_int_equal(progress_of(stream).undelivered, 8);
    assert_int_equal(push_some(pool, stream, 8, 20), 8); /* Ended, yet not delivered. */
    assert_int_equal(mape_pool_dispatch(pool, 3, 0), 3);
    assert_int_equal(push_some(pool, stream, 8, 20), 11);
    uint64_t next = 11;
    wait_until((mape_pool_dispatch(pool, 0, 0), next = push_some(pool, stream, next, 20), next == 20));
    is_ok(pool, mape_stream_finish(stream));
    dispatch_until_done(pool, stream);
    assert_int_equal(seen.ok, 20);
    assert_int_equal(seen.out_of_order + seen.wrong, 0);
    pool_close(pool);
}

static void an_endless_stream_ends_by_cancel_with_every_item_delivered(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    config.window = 50;
    mape_job *stream = opened(pool, registered_shared(pool, run_gated, setup_shared, NULL), &config);
    assert_int_equal(push_some(pool, stream, 0, 64), 50);
    wait_until(atomic_load(&shared->entered) > 0);
    is_ok(pool, mape_job_cancel(stream));
    uint64_t value = 1;
    mape_span span = {&value, sizeof value};
    is_status(pool, MAPE_E_CLOSED, mape_stream_push(NULL, stream, &span, 1));
    atomic_store(&shared->gate, 1);
    dispatch_until_done(pool, stream);
    assert_int_equal(seen.items, 50);
    assert_int_equal(seen.ok + seen.cancelled, 50);
    assert_true(seen.cancelled >= 1);
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.wrong + seen.out_of_order, 0);
    pool_close(pool);
}

static void finish_closes_and_a_second_finish_changes_nothing(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    mape_job *stream = opened(pool, registered(pool, run_square), &config);
    assert_int_equal(push_some(pool, stream, 0, 3), 3);
    is_ok(pool, mape_stream_finish(stream));
    is_ok(pool, mape_stream_finish(stream));
    uint64_t value = 1;
    mape_span span = {&value, sizeof value};
    is_status(pool, MAPE_E_CLOSED, mape_stream_push(NULL, stream, &span, 1));
    dispatch_until_done(pool, stream);
    is_ok(pool, mape_job_wait(stream, 0));
    is_ok(pool, mape_stream_finish(stream));
    assert_int_equal(seen.done, 1);
    struct seen none = {0};
    config = seeing(&none);
    mape_job *empty = opened(pool, registered(pool, run_square), &config);
    assert_int_equal(progress_of(empty).is_done, 0);
    is_ok(pool, mape_stream_finish(empty));
    dispatch_until_done(pool, empty);
    assert_int_equal(none.done, 1);
    assert_int_equal(none.items, 0);
    pool_close(pool);
}

static void results_are_dropped_and_not_to_be_read_or_gathered(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    mape_job *stream = opened(pool, registered(pool, run_square), &config);
    push_all(pool, stream, 10);
    is_ok(pool, mape_stream_finish(stream));
    dispatch_until_done(pool, stream);
    mape_result result = MAPE_RESULT_INIT;
    uint64_t places[10];
    is_status(pool, MAPE_E_STATE, mape_job_result(&result, stream, 0));
    is_status(pool, MAPE_E_STATE, mape_job_gather(places, sizeof places, 8, NULL, stream));
    pool_close(pool);
}

static void a_stream_that_nobody_listens_to_drops_results_as_they_come(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.window = 16;
    mape_job *stream = opened(pool, registered(pool, run_square), &config);
    uint64_t next = 0;
    wait_until((next = push_some(pool, stream, next, 1000)) == 1000);
    is_ok(pool, mape_stream_finish(stream));
    wait_for(stream);
    assert_int_equal(progress_of(stream).ok, 1000);
    assert_int_equal(progress_of(stream).undelivered, 0);
    pool_close(pool);
}

static void push_more_from_callback(void *context, const mape_event *event) {
    struct seen *seen = context;
    see_item(context, event);
    for (int i = 0; i < 2 && seen->pushed < seen->limit; i++) {
        uint64_t value = value_of(seen->pushed);
        mape_span span = {&value, sizeof value};
        if (mape_stream_push(NULL, seen->stream, &span, 1) == MAPE_OK) seen->pushed++;
    }
    if (seen->pushed == seen->limit && mape_stream_finish(seen->stream) != MAPE_OK) seen->wrong++;
}

static void a_stream_feeds_itself_from_its_own_callback(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    struct seen seen = {.pushed = 1, .limit = 5000};
    mape_job_config config = seeing(&seen);
    config.on_item = push_more_from_callback;
    config.window = 64;
    mape_job *stream = seen.stream = opened(pool, registered(pool, run_square), &config);
    assert_int_equal(push_some(pool, stream, 0, 1), 1);
    dispatch_until_done(pool, stream);
    assert_int_equal(seen.ok, 5000);
    assert_int_equal(seen.wrong + seen.out_of_order, 0);
    pool_close(pool);
}

static void items_that_kill_their_worker_leave_the_stream_whole(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    config.ordered = 1;
    mape_job *stream = opened(pool, registered(pool, run_fault), &config);
    for (uint64_t i = 0; i < 400; i++) {
        struct fault_item item = {i, i % 100 == 37 ? WAY_KILL : WAY_WELL, 0};
        mape_span span = {&item, sizeof item};
        is_ok(pool, mape_stream_push(NULL, stream, &span, 1));
    }
    is_ok(pool, mape_stream_finish(stream));
    mape_event event = MAPE_EVENT_INIT;
    for (uint64_t i = 0; i < 400; i++) {
        do is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
        while (event.type == MAPE_EVENT_LOG);
        assert_int_equal(event.type, MAPE_EVENT_ITEM);
        assert_int_equal(event.index, i);
        assert_int_equal(event.result.state, i % 100 == 37 ? MAPE_ITEM_CRASHED : MAPE_ITEM_OK);
        uint64_t square = i * i;
        if (event.result.state == MAPE_ITEM_OK) assert_memory_equal(event.result.data, &square, sizeof square);
    }
    pool_close(pool);
}

static void drain_counts_open_streams_as_finished(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    mape_job *stream = opened(pool, registered(pool, run_square), &config);
    assert_int_equal(push_some(pool, stream, 0, 64), 64);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    uint64_t value = 1;
    mape_span span = {&value, sizeof value};
    is_status(pool, MAPE_E_CLOSED, mape_stream_push(NULL, stream, &span, 1));
    dispatch_until_done(pool, stream);
    assert_int_equal(seen.ok, 64);
    assert_int_equal(seen.done, 1);
    pool_close(pool);
}

static void pushes_of_buffers_empty_items_and_megabytes_arrive(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS;
    config.ordered = 1;
    mape_job *stream = opened(pool, registered(pool, run_echo), &config);
    mape_buffer *buffer = NULL;
    void *shared_bytes = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 3 << 20));
    is_ok(pool, mape_buffer_data(&shared_bytes, NULL, buffer));
    char *bytes = malloc(3 << 20);
    for (int i = 0; i < 3 << 20; i++) bytes[i] = (char)(i * 11);
    memcpy(shared_bytes, bytes, 3 << 20);
    mape_span spans[4] = {{shared_bytes, 3 << 20}, {NULL, 0}, {bytes, 3 << 20}, {bytes + 5, 1}};
    is_ok(pool, mape_stream_push(&(size_t){0}, stream, spans, 4));
    mape_event event = MAPE_EVENT_INIT;
    for (uint64_t i = 0; i < 4; i++) {
        is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
        assert_int_equal(event.index, i);
        assert_int_equal(event.result.state, MAPE_ITEM_OK);
        assert_int_equal(event.result.size, spans[i].size);
        if (spans[i].size > 0) assert_memory_equal(event.result.data, i == 0 ? bytes : spans[i].data, spans[i].size);
    }
    free(bytes);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(many_items_come_back_in_order_through_callbacks),
        BOTH(two_hundred_thousand_items_are_pulled_in_bounded_memory),
        BOTH(a_full_window_answers_again_and_takes_more_when_events_are_fetched),
        BOTH(an_endless_stream_ends_by_cancel_with_every_item_delivered),
        BOTH(finish_closes_and_a_second_finish_changes_nothing),
        BOTH(results_are_dropped_and_not_to_be_read_or_gathered),
        BOTH(a_stream_that_nobody_listens_to_drops_results_as_they_come),
        BOTH(a_stream_feeds_itself_from_its_own_callback),
        BOTH(items_that_kill_their_worker_leave_the_stream_whole),
        BOTH(drain_counts_open_streams_as_finished),
        BOTH(pushes_of_buffers_empty_items_and_megabytes_arrive),
    };
    return run_abi_tests("stream", tests, COUNT(tests));
}
