/* limits.c - counts, sizes and strides that cannot be. Case 31.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#define HUGE_SIZE (SIZE_MAX / 2)
#define MANY      ((uint64_t)1 << 60)

/** Each is refused, with nothing changed, or (where it could be true) answered as out of memory. */
static const struct {
    const char *name;
    uint64_t count;
    size_t stride, size;
} impossible[] = {
    {"2^64 - 1 items of 1 byte", UINT64_MAX, 1, 1},
    {"2^64 - 1 items of 8 bytes", UINT64_MAX, 8, 8},
    {"count times stride is 2^64", (uint64_t)1 << 32, (size_t)1 << 32, 8},
    {"count times stride is 2^64 + 8", ((uint64_t)1 << 61) + 1, 8, 8},
    {"count times size passes 2^64", ((uint64_t)1 << 61) + 1, 0, 8},
    {"the last item passes 2^64", 3, SIZE_MAX / 2, 8},
    {"a stride of 2^64 - 1", 2, SIZE_MAX, 8},
    {"one item of 2^63 bytes", 1, 0, (size_t)1 << 63},
    {"one item of 2^64 - 1 bytes", 1, 0, SIZE_MAX},
    {"one item of 2^64 - 8 bytes", 1, 0, SIZE_MAX - 7},
    {"2^60 items at stride 0 of 64 bytes", MANY, 0, 64},
};

static void maps(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_function_id function = registered(pool, run_square);
    mape_stats before = stats_of(pool);
    static const uint64_t value = 7;
    for (size_t i = 0; i < COUNT(impossible); i++) {
        mape_items items = MAPE_ITEMS_INIT;
        items.base = &value;
        items.count = impossible[i].count;
        items.stride = impossible[i].stride;
        items.item_size = impossible[i].size;
        mape_job *job = (mape_job *)(uintptr_t)1;
        stage("%s", impossible[i].name);
        int status = mape_map(&job, pool, function, &items, NULL);
        if (status != MAPE_E_OVERFLOW && status != MAPE_E_ARGUMENT && status != MAPE_E_MEMORY)
            fail_msg("%s: answered %d", impossible[i].name, status);
        assert_null(job);
        assert_string_not_equal(message_of(pool), "");
    }
    assert_int_equal(stats_of(pool).jobs, before.jobs);
    assert_int_equal(stats_of(pool).input_bytes, before.input_bytes);
    pool_works(pool);
}

static void one_is_refused(mape_pool *pool, int status, const char *what) {
    if (status != MAPE_E_OVERFLOW && status != MAPE_E_ARGUMENT && status != MAPE_E_MEMORY)
        fail_msg("%s: answered %d", what, status);
    assert_string_not_equal(message_of(pool), "");
}

static void other_calls(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_function_id function = registered(pool, run_square);
    static const uint64_t value = 7;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4095, HUGE_SIZE, (size_t)1 << 62};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        mape_job *job = NULL, *stream = NULL;
        mape_buffer *buffer = NULL;
        size_t accepted = 77;
        stage("size %zu", sizes[i]);
        one_is_refused(pool, mape_apply(&job, pool, function, &value, sizes[i], NULL), "apply");
        assert_null(job);
        one_is_refused(pool, mape_buffer_create(&buffer, pool, sizes[i]), "buffer");
        assert_null(buffer);
        one_is_refused(pool, mape_pool_set_global(pool, "name", &value, sizes[i]), "global");
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id id = 0;
        description.run = run_square;
        description.data = &value;
        description.data_size = sizes[i];
        one_is_refused(pool, mape_function_register(&id, pool, &description), "data of a function");
        assert_int_equal(id, 0);
        is_ok(pool, mape_stream_open(&stream, pool, function, NULL));
        mape_span span = {&value, sizes[i]};
        one_is_refused(pool, mape_stream_push(&accepted, stream, &span, 1), "push");
        assert_int_equal(accepted, 0);
        mape_items items = MAPE_ITEMS_INIT;
        mape_span two[2] = {{&value, sizes[i]}, {&value, sizes[i]}};
        items.spans = two, items.count = 2;
        one_is_refused(pool, mape_map(&job, pool, function, &items, NULL), "spans");
        mape_pieces pieces[2] = {{two, 2}, {two, sizes[i]}};
        items.spans = NULL, items.pieces = pieces;
        one_is_refused(pool, mape_map(&job, pool, function, &items, NULL), "pieces");
        two[0].size = two[1].size = 8;
        one_is_refused(pool, mape_map(&job, pool, function, &items, NULL), "a count of pieces");
        accepted = 77;
        one_is_refused(pool, mape_stream_push_pieces(&accepted, stream, pieces + 1, 1), "push of pieces");
        assert_int_equal(accepted, 0);
        is_ok(pool, mape_job_release(stream));
    }
    pool_works(pool);
}

/** A destination that is too small, or too large to be. */
static void gathering(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    uint64_t *values = numbers(100), out[100];
    mape_job *job = mapped(pool, registered(pool, run_square), values, 100, sizeof *values, NULL);
    wait_for(job);
    memset(out, 0x77, sizeof out);
    is_status(pool, MAPE_E_OVERFLOW, mape_job_gather(out, sizeof out - 1, 8, NULL, job));
    is_status(pool, MAPE_E_OVERFLOW, mape_job_gather(out, sizeof out, 7, NULL, job));
    is_status(pool, MAPE_E_OVERFLOW, mape_job_gather(out, sizeof out, SIZE_MAX, NULL, job));
    is_status(pool, MAPE_E_OVERFLOW, mape_job_gather(out, sizeof out, SIZE_MAX / 100 + 1, NULL, job));
    is_status(pool, MAPE_E_OVERFLOW, mape_job_gather(out, 0, 8, NULL, job));
    for (int i = 0; i < 100; i++) assert_int_equal(out[i], 0x7777777777777777u);
    squares_are_right(job, values, 100);
    mape_result result = MAPE_RESULT_INIT;
    is_status(pool, MAPE_E_INDEX, mape_job_result(&result, job, 100));
    is_status(pool, MAPE_E_INDEX, mape_job_result(&result, job, UINT64_MAX));
    free(values);
}

/** Results that a worker asks too much memory for. */
static void outputs(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX - 63, UINT64_MAX / 2, (uint64_t)1 << 50, 8};
    mape_job *job = mapped(pool, registered(pool, run_make_bytes), sizes, COUNT(sizes), sizeof sizes[0], NULL);
    wait_for(job);
    for (uint64_t i = 0; i + 1 < COUNT(sizes); i++)
        result_ended(job, i, MAPE_ITEM_FAILED, MAPE_CAUSE_MEMORY, result_of(job, i).code);
    assert_int_equal(result_of(job, COUNT(sizes) - 1).state, MAPE_ITEM_OK);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_works(pool);
}

static const struct fault limits[] = {
    {31, "in maps", maps, BIRTHS, W2, CALLBACK, 0, NULL, 0},
    {31, "in applies, buffers, globals, data, streams, spans and pieces", other_calls, BIRTHS, W2, CALLBACK, 0, NULL,
     0},
    {31, "in gathering and reading", gathering, BIRTHS, W2, CALLBACK, 0, NULL, 0},
    {31, "in results", outputs, BIRTHS, W1 | W5, CALLBACK, 0, NULL, 0},
};
TABLE(limits);
