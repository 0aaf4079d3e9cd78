/* test_pieces.c - items of several pieces: in maps and streams, copied and in buffers, after crashes and in a replay.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_replay.h"

#include <fcntl.h>
#include <signal.h>

#define MOST 17

static const size_t sizes[] = {0, 1, 8, 63, 64, 65, 1000, 4096, 100000};

/** Items for a test: which pieces, in the host's memory and in a buffer. */
struct work {
    size_t count;
    mape_pieces *items;
    mape_span *spans;
    unsigned char *own;
    unsigned char *shared;
    size_t room;
};

static unsigned next_number(unsigned *state) { return (*state = *state * 1103515245u + 12345u) / 65536u; }

/** Makes items of 0 to MOST pieces; every other piece lies in the buffer, if there is one. */
static struct work work_made(size_t count, void *buffer, size_t buffer_size) {
    struct work work = {.count = count, .shared = buffer, .room = buffer ? buffer_size : 200000};
    work.items = calloc(count, sizeof *work.items);
    work.spans = calloc(count * MOST, sizeof *work.spans);
    work.own = malloc(work.room);
    unsigned state = 7;
    for (size_t i = 0; i < work.room; i++) {
        work.own[i] = (unsigned char)(i % 97);
        if (work.shared) work.shared[i] = (unsigned char)(i % 89 + 1);
    }
    for (size_t i = 0; i < count; i++) {
        mape_span *spans = work.spans + i * MOST;
        size_t pieces = next_number(&state) % (MOST + 1);
        for (size_t k = 0; k < pieces; k++) {
            size_t size = sizes[next_number(&state) % (COUNT(sizes) - (i % 50 != 0))];
            unsigned char *from = work.shared && next_number(&state) % 2 ? work.shared : work.own;
            spans[k].size = size;
            spans[k].data = size == 0 && i % 2 ? NULL : from + next_number(&state) % (work.room - size + 1);
        }
        work.items[i] = (mape_pieces){.pieces = pieces > 0 ? spans : NULL, .count = pieces};
    }
    return work;
}

static void work_done_with(struct work *work) {
    free(work->items);
    free(work->spans);
    free(work->own);
}

static void pieces_are_right(const mape_result *result, const mape_pieces *item, const struct work *work,
                             uint64_t index) {
    const struct seen_pieces *seen = result->data;
    if (result->state != MAPE_ITEM_OK)
        fail_msg("item %llu: state %u, %s", (unsigned long long)index, result->state, result->message);
    if (result->size != sizeof *seen + item->count * sizeof seen->pieces[0] || seen->count != item->count)
        fail_msg("item %llu has %zu bytes of result for %zu pieces", (unsigned long long)index, result->size,
                 item->count);
    for (size_t k = 0; k < item->count; k++) {
        const mape_span *piece = item->pieces + k;
        const unsigned char *bytes = piece->data;
        uint64_t sum = 0;
        for (size_t i = 0; i < piece->size; i++) sum += (uint64_t)bytes[i] * (i % 251 + 1);
        bool in_place = work && work->shared && bytes >= work->shared && bytes < work->shared + work->room;
        if (seen->pieces[k].size != piece->size || seen->pieces[k].sum != sum)
            fail_msg("piece %zu of item %llu: %llu bytes for %zu", k, (unsigned long long)index,
                     (unsigned long long)seen->pieces[k].size, piece->size);
        if (piece->size == 0) continue;
        if (in_place ? seen->pieces[k].place != (uintptr_t)bytes % 4096 : seen->pieces[k].place % 64 != 0)
            fail_msg("piece %zu of item %llu lies at %llu", k, (unsigned long long)index,
                     (unsigned long long)seen->pieces[k].place);
    }
}

static mape_items items_of(const mape_pieces *pieces, uint64_t count) {
    mape_items items = MAPE_ITEMS_INIT;
    items.count = count;
    items.pieces = pieces;
    return items;
}

static mape_job *pieces_mapped(mape_pool *pool, mape_function_id function, const mape_pieces *pieces, uint64_t count,
                               const mape_job_config *config) {
    mape_items items = items_of(pieces, count);
    mape_job *job = NULL;
    is_ok(pool, mape_map(&job, pool, function, &items, config));
    return job;
}

static void pieces_arrive_copied_and_in_place(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    const mape_function_id functions[] = {registered(pool, run_pieces), registered_range(pool, run_pieces_each)};
    for (size_t f = 0; f < COUNT(functions); f++) {
        for (int with_buffer = 0; with_buffer < 2; with_buffer++) {
            void *data = NULL;
            uint64_t before = stats_of(pool).input_bytes;
            mape_buffer *buffer = with_buffer ? buffer_filled(pool, 300000, 0, &data) : NULL;
            struct work work = work_made(700, data, 300000);
            mape_job *job = pieces_mapped(pool, functions[f], work.items, work.count, NULL);
            wait_for(job);
            for (uint64_t i = 0; i < work.count; i++) {
                mape_result result = result_of(job, i);
                pieces_are_right(&result, work.items + i, &work, i);
            }
            is_ok(pool, mape_job_release(job));
            is_ok(pool, mape_buffer_release(buffer));
            assert_int_equal(stats_of(pool).input_bytes, before);
            work_done_with(&work);
        }
    }
    pool_close(pool);
}

static void an_item_without_pieces_is_one(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id function = registered(pool, run_pieces);
    uint64_t value = 12345;
    mape_span span = {&value, sizeof value};
    mape_pieces item = {&span, 1}, none = {NULL, 0};
    mape_job *job = applied(pool, function, &value, sizeof value);
    wait_for(job);
    mape_result result = result_of(job, 0);
    pieces_are_right(&result, &item, NULL, 0);
    mape_job *empty = pieces_mapped(pool, function, &none, 1, NULL),
             *nothing = pieces_mapped(pool, function, &none, 0, NULL);
    wait_for(empty), wait_for(nothing);
    result = result_of(empty, 0);
    pieces_are_right(&result, &none, NULL, 0);
    pool_close(pool);
}

static void a_hundred_thousand_items_of_three(uint32_t birth) {
    enum { N = 100000 };
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered(pool, run_pieces);
    static uint64_t numbers[N][3];
    mape_span *spans = calloc(3 * N, sizeof *spans);
    mape_pieces *items = calloc(N, sizeof *items);
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < 3; k++) {
            numbers[i][k] = i * 3 + k;
            spans[3 * i + k] = (mape_span){&numbers[i][k], sizeof numbers[i][k] - k};
        }
        numbers[i][0] &= ~(uint64_t)0xff;
        items[i] = (mape_pieces){spans + 3 * i, 3};
    }
    mape_job *job = pieces_mapped(pool, function, items, N, NULL);
    wait_for(job);
    for (uint64_t i = 0; i < N; i++) {
        mape_result result = result_of(job, i);
        pieces_are_right(&result, items + i, NULL, i);
    }
    free(spans);
    free(items);
    pool_close(pool);
}

static void a_stream_takes_items_of_pieces_and_others(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered(pool, run_pieces);
    void *data = NULL;
    buffer_filled(pool, 300000, 0, &data);
    struct work work = work_made(600, data, 300000);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.window = 150;
    config.ordered = 1;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, function, &config));
    /* Each item of pieces is followed by a plain one. */
    size_t pushed = 0, seen = 0;
    uint64_t plain = 77;
    mape_span plain_span = {&plain, sizeof plain};
    mape_pieces plain_item = {&plain_span, 1};
    bool owes = false, is_done = false;
    while (!is_done) {
        while (pushed < work.count) {
            if (owes) {
                int status = mape_stream_push(NULL, stream, &plain_span, 1);
                if (status == MAPE_E_AGAIN) break;
                is_ok(pool, status);
                owes = false;
            }
            size_t accepted = 99;
            int status = mape_stream_push_pieces(&accepted, stream, work.items + pushed, 1);
            assert_true(status == MAPE_OK ? accepted == 1 : status == MAPE_E_AGAIN && accepted == 0);
            if (status != MAPE_OK) break;
            pushed++;
            owes = true;
        }
        if (pushed == work.count && !owes) is_ok(pool, mape_stream_finish(stream));
        if (pushed == work.count && owes && mape_stream_push(NULL, stream, &plain_span, 1) == MAPE_OK) owes = false;
        mape_event event = MAPE_EVENT_INIT;
        is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
        if (event.type == MAPE_EVENT_DONE) {
            is_done = true;
        } else if (event.type == MAPE_EVENT_ITEM) {
            assert_int_equal(event.index, seen);
            pieces_are_right(&event.result, seen % 2 ? &plain_item : work.items + seen / 2, &work, seen);
            seen++;
        }
    }
    assert_int_equal(seen, 2 * work.count);
    is_ok(pool, mape_job_release(stream));
    work_done_with(&work);
    pool_close(pool);
}

static void many_at_once_are_accepted_up_to_the_window_or_the_first_wrong_one(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id function = registered(pool, run_pieces);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.window = 200;
    config.deliver = MAPE_DELIVER_ITEMS;
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, function, &config));
    char bytes[300];
    memset(bytes, 1, sizeof bytes);
    mape_span spans[2] = {{bytes, 100}, {bytes, 300}}, wrong[2] = {{bytes, 100}, {NULL, 5}};
    mape_pieces items[300];
    for (size_t i = 0; i < COUNT(items); i++) items[i] = (mape_pieces){i == 130 ? wrong : spans, 2};
    size_t accepted = 0;
    is_status(pool, MAPE_E_ARGUMENT, mape_stream_push_pieces(&accepted, stream, items, COUNT(items)));
    assert_int_equal(accepted, 130);
    assert_non_null(strstr(message_of(pool), "items[130].pieces[1].data"));
    items[130].pieces = spans;
    is_status(pool, MAPE_E_AGAIN, mape_stream_push_pieces(&accepted, stream, items, COUNT(items)));
    assert_int_equal(accepted, 70);
    for (int i = 0; i < 200; i++) {
        mape_event event = MAPE_EVENT_INIT;
        is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
        pieces_are_right(&event.result, items, NULL, event.index);
    }
    is_ok(pool, mape_job_cancel(stream));
    is_status(pool, MAPE_E_CLOSED, mape_stream_push_pieces(&accepted, stream, items, 1));
    assert_int_equal(accepted, 0);
    pool_close(pool);
}

static void crashes_cost_their_item_and_are_tried_again(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered(pool, run_pieces);
    void *data = NULL;
    mape_buffer *buffer = buffer_filled(pool, 4096, 3, &data);
    unsigned char bytes[100], crash[10];
    memset(bytes, 1, sizeof bytes);
    memset(crash, PIECE_CRASHES, sizeof crash);
    mape_span spans[3] = {{bytes, 100}, {data, 4096}, {bytes, 7}}, bad[2] = {{crash, 10}, {data, 1}};
    mape_pieces items[100];
    for (size_t i = 0; i < COUNT(items); i++) items[i] = i % 40 == 20 ? (mape_pieces){bad, 2} : (mape_pieces){spans, 3};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 2;
    mape_job *job = pieces_mapped(pool, function, items, COUNT(items), &config);
    /* The job keeps it. */
    is_ok(pool, mape_buffer_release(buffer));
    buffer_filled(pool, 4096, 9, NULL);
    unsigned char as_it_was[4096];
    memset(as_it_was, 3, sizeof as_it_was);
    wait_for(job);
    spans[1].data = as_it_was;
    for (uint64_t i = 0; i < COUNT(items); i++) {
        mape_result result = result_of(job, i);
        if (i % 40 == 20) {
            assert_int_equal(result.state, MAPE_ITEM_CRASHED);
            assert_int_equal(result.attempts, 2);
        } else {
            pieces_are_right(&result, items + i, NULL, i);
        }
    }
    pool_close(pool);
}

static void a_crash_file_has_the_pieces_and_a_replay_runs_them(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.crash_dir = folder_made();
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_pieces);
    void *data = NULL;
    buffer_filled(pool, 20000, 5, &data);
    unsigned char crash[10], more[70];
    memset(crash, PIECE_CRASHES, sizeof crash);
    memset(more, 6, sizeof more);
    mape_span spans[4] = {{crash, 10}, {(char *)data + 123, 9000}, {NULL, 0}, {more, 70}};
    mape_pieces item = {spans, 4};
    mape_job *job = pieces_mapped(pool, function, &item, 1, NULL);
    wait_for(job);
    assert_int_equal(result_of(job, 0).state, MAPE_ITEM_CRASHED);
    pool_close(pool); /* Its end has written the file. */
    char result_path[100];
    snprintf(result_path, sizeof result_path, "%s/result", folder);
    struct replay replay = replayed(only_file(), result_path);
    ended_by(&replay, SIGSEGV);
    setenv("PIECES_SPARED", "1", 1);
    replay = replayed(only_file(), result_path);
    unsetenv("PIECES_SPARED");
    exited(&replay, 0, "");
    _Alignas(8) char bytes[1000];
    int file = open(result_path, O_RDONLY);
    assert_true(file >= 0);
    mape_result result = MAPE_RESULT_INIT;
    result.state = MAPE_ITEM_OK;
    result.data = bytes;
    result.size = (size_t)read(file, bytes, sizeof bytes);
    close(file);
    static unsigned char fives[9000];
    memset(fives, 5, sizeof fives);
    spans[1].data = fives;
    const struct seen_pieces *seen = result.data;
    assert_true(result.size > sizeof *seen);
    assert_int_equal(seen->pieces[1].place, 123);
    ((struct seen_pieces *)bytes)->pieces[1].place = 0;
    pieces_are_right(&result, &item, NULL, 0);
    folder_removed();
}

static void what_is_wrong_is_named_and_changes_nothing(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id function = registered(pool, run_pieces), typed = 0;
    mape_function native = MAPE_FUNCTION_INIT;
    native.library = "libm.so.6";
    native.prototype = "double cbrt(double x)";
    is_ok(pool, mape_function_register(&typed, pool, &native));
    mape_buffer *buffer = NULL, *gone = NULL;
    void *data = NULL, *old = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 4096));
    is_ok(pool, mape_buffer_data(&data, NULL, buffer));
    is_ok(pool, mape_buffer_create(&gone, pool, 4096));
    is_ok(pool, mape_buffer_data(&old, NULL, gone));
    is_ok(pool, mape_buffer_release(gone));
    uint64_t before = stats_of(pool).input_bytes, value = 1;
    mape_span good = {&value, 8}, here = {data, 4096};
    const struct {
        mape_span wrong;
        size_t count;
        int status;
        const char *word;
    } cases[] = {
        {{NULL, 1}, 2, MAPE_E_ARGUMENT, "items.pieces[1].pieces[1].data"},
        {{&value, SIZE_MAX}, 2, MAPE_E_OVERFLOW, "items.pieces[1].pieces[1].size"},
        {{&value, (size_t)1 << 62}, 2, MAPE_E_OVERFLOW, "items.pieces[1].pieces[1].size"},
        {{old, 8}, 2, MAPE_E_ARGUMENT, "items.pieces[1].pieces[1].data"},
        {{(char *)data + 1, 4096}, 2, MAPE_E_ARGUMENT, "items.pieces[1].pieces[1].data"},
        {{&value, 8}, SIZE_MAX, MAPE_E_OVERFLOW, "items.pieces[1].count"},
        {{&value, 8}, (size_t)1 << 58, MAPE_E_OVERFLOW, "items.pieces[1].count"},
    };
    mape_job *job = NULL;
    for (size_t c = 0; c < COUNT(cases); c++) {
        mape_span spans[2] = {here, cases[c].wrong};
        mape_pieces pieces[2] = {{&good, 1}, {spans, cases[c].count}};
        mape_items items = items_of(pieces, 2);
        stage("case %zu", c);
        is_status(pool, cases[c].status, mape_map(&job, pool, function, &items, NULL));
        assert_null(job);
        if (strstr(message_of(pool), cases[c].word) == NULL) fail_msg("case %zu: %s", c, message_of(pool));
    }
    mape_pieces null = {NULL, 1}, fine = {&good, 1};
    mape_items items = items_of(&null, 1);
    is_status(pool, MAPE_E_ARGUMENT, mape_map(&job, pool, function, &items, NULL));
    items = items_of(&fine, 1);
    items.base = &value;
    is_status(pool, MAPE_E_ARGUMENT, mape_map(&job, pool, function, &items, NULL));
    items = items_of(&fine, 1);
    items.spans = &good;
    is_status(pool, MAPE_E_ARGUMENT, mape_map(&job, pool, function, &items, NULL));
    items = items_of(&fine, (uint64_t)1 << 60);
    is_status(pool, MAPE_E_OVERFLOW, mape_map(&job, pool, function, &items, NULL));
    items = items_of(&fine, 1);
    is_status(pool, MAPE_E_STATE, mape_map(&job, pool, typed, &items, NULL));
    is_status(pool, MAPE_E_FUNCTION, mape_map(&job, pool, 99, &items, NULL));
    assert_int_equal(stats_of(pool).input_bytes, before);
    mape_job *stream = NULL;
    size_t accepted = 9;
    is_ok(pool, mape_stream_open(&stream, pool, typed, NULL));
    is_status(pool, MAPE_E_STATE, mape_stream_push_pieces(&accepted, stream, &fine, 1));
    assert_int_equal(accepted, 0);
    is_ok(pool, mape_job_release(stream));
    is_ok(pool, mape_stream_open(&stream, pool, function, NULL));
    is_status(pool, MAPE_E_ARGUMENT, mape_stream_push_pieces(NULL, stream, &fine, 2));
    is_status(pool, MAPE_E_ARGUMENT, mape_stream_push_pieces(&accepted, stream, NULL, 1));
    is_status(pool, MAPE_E_OVERFLOW, mape_stream_push_pieces(&accepted, stream, &fine, SIZE_MAX));
    is_ok(pool, mape_stream_push_pieces(NULL, stream, &fine, 1));
    is_ok(pool, mape_stream_push_pieces(&accepted, stream, NULL, 0));
    pool_close(pool);
}

int main(void) {
    static const struct abi_test tests[] = {
        BOTH(pieces_arrive_copied_and_in_place),
        BOTH(an_item_without_pieces_is_one),
        EXEC_ONLY(a_hundred_thousand_items_of_three),
        BOTH(a_stream_takes_items_of_pieces_and_others),
        BOTH(many_at_once_are_accepted_up_to_the_window_or_the_first_wrong_one),
        BOTH(crashes_cost_their_item_and_are_tried_again),
        BOTH(a_crash_file_has_the_pieces_and_a_replay_runs_them),
        EXEC_ONLY(what_is_wrong_is_named_and_changes_nothing),
    };
    return run_abi_tests("pieces", tests, COUNT(tests));
}
