/* test_bad_input.c - each function with each argument wrong: a defined status, a message that names the argument, and a
 * pool that works as before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

/** A refused call answers one of up to three statuses, and the pool's message names the argument (one of the words). */
static void check_refused(int got, int first, int second, int third, mape_pool *pool, const char *words,
                          const char *call, int line) {
    if (got != first && got != second && got != third) {
        print_error("%s\n  answered %d (%s), not %d (%s)\n", call, got, mape_status_string(got), first,
                    mape_status_string(first));
        _fail(__FILE__, line);
    }
    if (!names_one_of(message_of(pool), words)) {
        print_error("%s\n  the message \"%s\" does not name %s\n", call, message_of(pool), words);
        _fail(__FILE__, line);
    }
}
/** The header says exactly which status. */
#define refused(pool, status, words, call) check_refused((call), status, status, status, pool, words, #call, __LINE__)
/** The header leaves the choice between two. */
#define refused_by(pool, status, other, words, call)                                                                   \
    check_refused((call), status, other, other, pool, words, #call, __LINE__)
/** A handle that is none. For NULL the header allows both "an argument is NULL" and "never was one of that kind". */
#define refused_null(words, call) refused_by(NULL, MAPE_E_HANDLE, also_allowed, words, call)
static int also_allowed = MAPE_E_HANDLE;

/** The pool still does what it should. */
static void pool_works(mape_pool *pool) {
    uint64_t *values = numbers(500);
    mape_job *job = mapped(pool, registered(pool, run_square), values, 500, sizeof *values, NULL);
    wait_for(job);
    squares_are_right(job, values, 500);
    is_ok(pool, mape_job_release(job));
    free(values);
}

static void hook(void *context) { (void)context; }

/** Every function that takes a pool, given `pool`, which is none. */
static void no_pool_function_takes(mape_pool *pool) {
    mape_stats stats = MAPE_STATS_INIT;
    mape_worker_info worker = MAPE_WORKER_INFO_INIT;
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_square;
    mape_function_id function = 77;
    mape_buffer *buffer = (mape_buffer *)8;
    mape_job *job = (mape_job *)8;
    mape_items items = MAPE_ITEMS_INIT;
    mape_event event = MAPE_EVENT_INIT;
    int fd = 5;
    also_allowed = pool == NULL ? MAPE_E_ARGUMENT : MAPE_E_HANDLE;
    refused_null("pool", mape_pool_start(pool, 0));
    refused_null("pool", mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, 0));
    refused_null("pool", mape_pool_stats(&stats, pool));
    refused_null("pool", mape_pool_worker(&worker, pool, 0));
    refused_null("pool", mape_function_register(&function, pool, &description));
    assert_int_equal(function, 0);
    refused_null("pool", mape_pool_set_global(pool, "name", "x", 1));
    refused_null("pool", mape_buffer_create(&buffer, pool, 10));
    assert_null(buffer);
    refused_null("pool", mape_apply(&job, pool, 1, NULL, 0, NULL));
    assert_null(job);
    job = (mape_job *)8;
    refused_null("pool", mape_map(&job, pool, 1, &items, NULL));
    assert_null(job);
    refused_null("pool", mape_stream_open(&job, pool, 1, NULL));
    refused_null("pool", mape_pool_dispatch(pool, 0, 0));
    refused_null("pool", mape_pool_next_event(&event, pool, 0));
    refused_null("pool", mape_pool_event_fd(&fd, pool));
    assert_int_equal(fd, -1);
    refused_null("pool", mape_pool_set_wakeup(pool, hook, NULL));
    mape_prototype_info prototype = MAPE_PROTOTYPE_INFO_INIT;
    mape_parameter_info parameter = MAPE_PARAMETER_INFO_INIT;
    mape_column column = MAPE_COLUMN_INIT;
    mape_native_fn proxy = (mape_native_fn)hook;
    job = (mape_job *)8;
    refused_null("pool", mape_function_prototype(&prototype, pool, 1));
    refused_null("pool", mape_function_parameter(&parameter, pool, 1, 0));
    refused_null("pool", mape_map_columns(&job, pool, 1, 1, &column, 1, NULL));
    assert_null(job);
    refused_null("pool", mape_proxy_create(&proxy, pool, 1, NULL, NULL, NULL));
    assert_null(proxy);
}

/** Every function that takes a job or stream, given `job`, which is none. */
static void no_job_function_takes(mape_job *job) {
    mape_result result = MAPE_RESULT_INIT;
    mape_progress progress = MAPE_PROGRESS_INIT;
    mape_span span = {"x", 1};
    uint64_t place = 0;
    also_allowed = job == NULL ? MAPE_E_ARGUMENT : MAPE_E_HANDLE;
    refused_null("stream|job", mape_stream_push(NULL, job, &span, 1));
    refused_null("stream|job", mape_stream_finish(job));
    refused_null("job", mape_job_wait(job, 0));
    refused_null("job", mape_job_result(&result, job, 0));
    refused_null("job", mape_job_gather(&place, sizeof place, 8, NULL, job));
    mape_column column = MAPE_COLUMN_INIT;
    refused_null("job", mape_job_gather_columns(&column, 1, NULL, job));
    refused_null("job", mape_job_progress(&progress, job));
    refused_null("job", mape_job_cancel(job));
    uint64_t count = 5;
    refused_null("job", mape_job_cancel_waiting(&count, job));
    assert_int_equal(count, 0);
}

static void null_handles_are_refused_or_ignored_as_documented(uint32_t birth) {
    (void)birth;
    void *data = NULL;
    no_pool_function_takes(NULL);
    no_job_function_takes(NULL);
    also_allowed = MAPE_E_ARGUMENT;
    refused_null("buffer", mape_buffer_data(&data, NULL, NULL));
    is_ok(NULL, mape_pool_release(NULL));
    is_ok(NULL, mape_job_release(NULL));
    is_ok(NULL, mape_buffer_release(NULL));
}

static void released_handles_and_handles_of_another_kind_are_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1), *gone = pool_open(birth, 1);
    uint64_t value = 2;
    void *data = NULL;
    mape_job *job = applied(pool, registered(pool, run_square), &value, sizeof value);
    mape_buffer *buffer = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 64));
    wait_for(job);
    no_pool_function_takes((mape_pool *)job);
    no_pool_function_takes((mape_pool *)buffer);
    no_job_function_takes((mape_job *)pool);
    no_job_function_takes((mape_job *)buffer);
    is_status(NULL, MAPE_E_HANDLE, mape_pool_release((mape_pool *)job));
    is_status(NULL, MAPE_E_HANDLE, mape_job_release((mape_job *)buffer));
    is_status(NULL, MAPE_E_HANDLE, mape_buffer_release((mape_buffer *)pool));
    is_status(NULL, MAPE_E_HANDLE, mape_buffer_data(&data, NULL, (mape_buffer *)job));
    pool_close(gone);
    is_ok(pool, mape_job_release(job));
    is_ok(pool, mape_buffer_release(buffer));
    no_pool_function_takes(gone);
    no_job_function_takes(job);
    is_status(NULL, MAPE_E_HANDLE, mape_pool_release(gone));
    is_status(NULL, MAPE_E_HANDLE, mape_job_release(job));
    is_status(NULL, MAPE_E_HANDLE, mape_buffer_release(buffer));
    is_status(NULL, MAPE_E_HANDLE, mape_buffer_data(&data, NULL, buffer));
    pool_works(pool);
    pool_close(pool);
}

static void numbers_that_were_never_handles_are_refused(uint32_t birth) {
    (void)birth;
    mape_pool *pool = pool_started(MAPE_START_EXEC, 1);
    int local = 0;
    uintptr_t own = (uintptr_t)pool;
    const uintptr_t chosen[] = {1,
                                2,
                                8,
                                4096,
                                0xdeadbeef,
                                UINTPTR_MAX,
                                UINTPTR_MAX - 1,
                                (uintptr_t)1 << 63,
                                (uintptr_t)&local,
                                (uintptr_t)&mape_version,
                                own + 1,
                                own - 1,
                                own + 8,
                                own ^ ((uintptr_t)1 << 32),
                                ~own};
    for (size_t i = 0; i < COUNT(chosen); i++) {
        no_pool_function_takes((mape_pool *)chosen[i]);
        no_job_function_takes((mape_job *)chosen[i]);
    }
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 3000; i++) {
        mape_stats stats = MAPE_STATS_INIT;
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        is_status(NULL, MAPE_E_HANDLE, mape_pool_stats(&stats, (mape_pool *)(uintptr_t)random));
        is_status(NULL, MAPE_E_HANDLE, mape_job_wait((mape_job *)(uintptr_t)random, 0));
        is_status(NULL, MAPE_E_HANDLE, mape_job_release((mape_job *)(uintptr_t)random));
        is_status(NULL, MAPE_E_HANDLE, mape_buffer_release((mape_buffer *)(uintptr_t)random));
    }
    pool_works(pool);
    pool_close(pool);
}

static void a_handle_used_again_and_again_is_never_mistaken_for_a_later_one(uint32_t birth) {
    (void)birth;
    mape_pool *pool = pool_started(MAPE_START_EXEC, 1);
    mape_function_id function = registered(pool, run_square);
    uint64_t value = 5;
    mape_job *first = applied(pool, function, &value, sizeof value);
    wait_for(first);
    is_ok(pool, mape_job_release(first));
    for (int i = 0; i < 2000; i++) {
        mape_job *job = applied(pool, function, &value, sizeof value);
        assert_ptr_not_equal(job, first);
        is_status(NULL, MAPE_E_HANDLE, mape_job_cancel(first));
        is_status(NULL, MAPE_E_HANDLE, mape_job_cancel_waiting(NULL, first));
        wait_for(job);
        is_ok(pool, mape_job_release(job));
    }
    pool_close(pool);
}

static void create_refuses_settings_that_cannot_be(uint32_t birth) {
    (void)birth;
    mape_pool *pool = (mape_pool *)8;
    refused(NULL, MAPE_E_ARGUMENT, "out", mape_pool_create(NULL, NULL));
    const struct {
        size_t offset;
        uint32_t value;
        const char *words;
    } table[] = {{offsetof(mape_pool_config, start), 2, "start"},
                 {offsetof(mape_pool_config, start), UINT32_MAX, "start"},
                 {offsetof(mape_pool_config, output), 4, "output"},
                 {offsetof(mape_pool_config, interruptible), 2, "interruptible"},
                 {offsetof(mape_pool_config, workers), 1025, "workers"},
                 {offsetof(mape_pool_config, workers), UINT32_MAX, "workers"},
                 {offsetof(mape_pool_config, nice), 20, "nice"},
                 {offsetof(mape_pool_config, nice), (uint32_t)-1, "nice"}};
    for (size_t i = 0; i < COUNT(table); i++) {
        mape_pool_config config = MAPE_POOL_CONFIG_INIT;
        memcpy((char *)&config + table[i].offset, &table[i].value, sizeof table[i].value);
        pool = (mape_pool *)8;
        refused(NULL, MAPE_E_ARGUMENT, table[i].words, mape_pool_create(&pool, &config));
        assert_null(pool);
    }
    const size_t sizes[] = {0, 1, sizeof(mape_pool_config) - 1, sizeof(mape_pool_config) + 1, 1u << 20, SIZE_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        mape_pool_config config = MAPE_POOL_CONFIG_INIT;
        config.struct_size = sizes[i];
        refused(NULL, MAPE_E_SIZE, "struct_size|config", mape_pool_create(&pool, &config));
        assert_null(pool);
    }
}

static void every_structure_of_a_wrong_size_is_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square), other = 0;
    uint64_t value = 3;
    mape_job *job = applied(pool, function, &value, sizeof value), *another = NULL;
    wait_for(job);
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_square;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    mape_items items = items_at(&value, 1, sizeof value);
    mape_stats stats = MAPE_STATS_INIT;
    mape_worker_info worker = MAPE_WORKER_INFO_INIT;
    mape_result result = MAPE_RESULT_INIT;
    mape_progress progress = MAPE_PROGRESS_INIT;
    mape_event event = MAPE_EVENT_INIT;
    size_t *const fields[] = {&description.struct_size, &config.struct_size, &items.struct_size,    &stats.struct_size,
                              &worker.struct_size,      &result.struct_size, &progress.struct_size, &event.struct_size};
    const size_t wrong[] = {0, 3, 7, SIZE_MAX, 123456};
    for (size_t w = 0; w < COUNT(wrong); w++) {
        for (size_t f = 0; f < COUNT(fields); f++) *fields[f] = wrong[w];
        refused(pool, MAPE_E_SIZE, "struct_size|function", mape_function_register(&other, pool, &description));
        refused(pool, MAPE_E_SIZE, "struct_size|config", mape_apply(&another, pool, function, &value, 8, &config));
        refused(pool, MAPE_E_SIZE, "struct_size|config", mape_stream_open(&another, pool, function, &config));
        refused(pool, MAPE_E_SIZE, "struct_size|items", mape_map(&another, pool, function, &items, NULL));
        refused(pool, MAPE_E_SIZE, "struct_size|out", mape_pool_stats(&stats, pool));
        refused(pool, MAPE_E_SIZE, "struct_size|out", mape_pool_worker(&worker, pool, 0));
        refused(pool, MAPE_E_SIZE, "struct_size|out", mape_job_result(&result, job, 0));
        refused(pool, MAPE_E_SIZE, "struct_size|out", mape_job_progress(&progress, job));
        refused(pool, MAPE_E_SIZE, "struct_size|out", mape_pool_next_event(&event, pool, 0));
    }
    pool_works(pool);
    pool_close(pool);
}

static void null_outputs_and_contradicting_arguments_are_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square), id = 9;
    uint64_t value = 3;
    char long_name[300];
    memset(long_name, 'n', sizeof long_name);
    long_name[256] = '\0';
    mape_buffer *buffer = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 100));
    mape_job *job = applied(pool, function, &value, sizeof value);
    wait_for(job);
    mape_function empty = MAPE_FUNCTION_INIT, no_symbol = MAPE_FUNCTION_INIT, no_data = MAPE_FUNCTION_INIT;
    no_symbol.library = "libm.so.6";
    no_data.run = run_square;
    no_data.data_size = 10;
    refused(pool, MAPE_E_ARGUMENT, "function", mape_function_register(&id, pool, NULL));
    assert_int_equal(id, 0);
    refused(pool, MAPE_E_ARGUMENT, "run", mape_function_register(&id, pool, &empty));
    refused(pool, MAPE_E_ARGUMENT, "run_symbol|run_range_symbol|symbol", mape_function_register(&id, pool, &no_symbol));
    refused(pool, MAPE_E_ARGUMENT, "data", mape_function_register(&id, pool, &no_data));
    empty.run = run_square;
    refused(pool, MAPE_E_ARGUMENT, "out", mape_function_register(NULL, pool, &empty));
    refused(pool, MAPE_E_ARGUMENT, "how", mape_pool_shutdown(pool, 2, 0));
    refused(pool, MAPE_E_ARGUMENT, "how", mape_pool_shutdown(pool, -1, 0));
    refused(pool, MAPE_E_ARGUMENT, "out", mape_pool_stats(NULL, pool));
    refused(pool, MAPE_E_ARGUMENT, "out", mape_pool_worker(NULL, pool, 0));
    mape_worker_info worker = MAPE_WORKER_INFO_INIT;
    refused(pool, MAPE_E_INDEX, "index", mape_pool_worker(&worker, pool, 1));
    refused(pool, MAPE_E_INDEX, "index", mape_pool_worker(&worker, pool, UINT32_MAX));
    refused(pool, MAPE_E_ARGUMENT, "name", mape_pool_set_global(pool, NULL, "x", 1));
    refused(pool, MAPE_E_ARGUMENT, "name", mape_pool_set_global(pool, long_name, "x", 1));
    refused(pool, MAPE_E_ARGUMENT, "data", mape_pool_set_global(pool, "name", NULL, 1));
    refused(pool, MAPE_E_ARGUMENT, "out", mape_buffer_create(NULL, pool, 10));
    mape_buffer *none = (mape_buffer *)8;
    refused(pool, MAPE_E_ARGUMENT, "size", mape_buffer_create(&none, pool, 0));
    assert_null(none);
    refused_by(pool, MAPE_E_MEMORY, MAPE_E_OVERFLOW, "size|memory", mape_buffer_create(&none, pool, SIZE_MAX));
    refused_by(pool, MAPE_E_MEMORY, MAPE_E_OVERFLOW, "size|memory", mape_buffer_create(&none, pool, (size_t)1 << 60));
    refused(pool, MAPE_E_ARGUMENT, "out_data", mape_buffer_data(NULL, NULL, buffer));
    refused(pool, MAPE_E_ARGUMENT, "out", mape_job_result(NULL, job, 0));
    refused(pool, MAPE_E_ARGUMENT, "dst", mape_job_gather(NULL, 8, 8, NULL, job));
    refused(pool, MAPE_E_ARGUMENT, "out", mape_job_progress(NULL, job));
    refused(pool, MAPE_E_ARGUMENT, "out", mape_pool_next_event(NULL, pool, 0));
    refused(pool, MAPE_E_ARGUMENT, "out", mape_pool_event_fd(NULL, pool));
    pool_works(pool);
    pool_close(pool);
}

static void submissions_that_cannot_be_are_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square);
    uint64_t value = 3;
    mape_job *job = (mape_job *)8;
    mape_items items = MAPE_ITEMS_INIT;
    const mape_function_id unknown[] = {0, function + 1, 12345, UINT32_MAX};
    for (size_t i = 0; i < COUNT(unknown); i++) {
        refused(pool, MAPE_E_FUNCTION, "function", mape_apply(&job, pool, unknown[i], &value, 8, NULL));
        assert_null(job);
        refused(pool, MAPE_E_FUNCTION, "function", mape_map(&job, pool, unknown[i], &items, NULL));
        refused(pool, MAPE_E_FUNCTION, "function", mape_stream_open(&job, pool, unknown[i], NULL));
    }
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = 16;
    refused(pool, MAPE_E_ARGUMENT, "deliver", mape_apply(&job, pool, function, &value, 8, &config));
    refused(pool, MAPE_E_ARGUMENT, "input", mape_apply(&job, pool, function, NULL, 1, NULL));
    check_refused(mape_apply(&job, pool, function, &value, SIZE_MAX, NULL), MAPE_E_MEMORY, MAPE_E_OVERFLOW,
                  MAPE_E_ARGUMENT, pool, "size|memory", "mape_apply of SIZE_MAX bytes", __LINE__);
    assert_null(job);
    refused(pool, MAPE_E_ARGUMENT, "items", mape_map(&job, pool, function, NULL, NULL));
    items.count = 1;
    items.item_size = 8;
    refused(pool, MAPE_E_ARGUMENT, "base|spans", mape_map(&job, pool, function, &items, NULL));
    refused(pool, MAPE_E_ARGUMENT, "out", mape_stream_open(NULL, pool, function, NULL));
    const struct {
        uint64_t count;
        size_t stride, size;
    } table[] = {{UINT64_MAX, 8, 8}, {UINT64_MAX / 8 + 1, 8, 8}, {UINT64_MAX, 1, 1},     {3, SIZE_MAX / 2, 8},
                 {2, 8, SIZE_MAX},   {2, SIZE_MAX, 8},           {UINT64_MAX / 2, 2, 2}, {(uint64_t)1 << 61, 0, 8}};
    for (size_t i = 0; i < COUNT(table); i++) {
        items = items_at(&value, table[i].count, table[i].size);
        items.stride = table[i].stride;
        job = (mape_job *)8;
        refused(pool, MAPE_E_OVERFLOW, "count|stride|size", mape_map(&job, pool, function, &items, NULL));
        assert_null(job);
    }
    mape_span huge[3] = {{&value, SIZE_MAX / 2}, {&value, SIZE_MAX / 2}, {&value, SIZE_MAX / 2}};
    mape_span null[2] = {{&value, 8}, {NULL, 1}};
    items = (mape_items)MAPE_ITEMS_INIT;
    items.count = 3;
    items.spans = huge;
    refused_by(pool, MAPE_E_OVERFLOW, MAPE_E_MEMORY, "spans|size|memory", mape_map(&job, pool, function, &items, NULL));
    items.count = UINT64_MAX / 8;
    refused_by(pool, MAPE_E_OVERFLOW, MAPE_E_MEMORY, "count|spans|size|memory",
               mape_map(&job, pool, function, &items, NULL));
    items.count = 2;
    items.spans = null;
    refused(pool, MAPE_E_ARGUMENT, "spans|data", mape_map(&job, pool, function, &items, NULL));
    pool_works(pool);
    pool_close(pool);
}

static void pushes_that_cannot_be_are_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square);
    uint64_t value = 3;
    mape_job *map = mapped(pool, function, &value, 1, 8, NULL), *stream = NULL;
    mape_span spans[2] = {{&value, 8}, {NULL, 5}};
    size_t accepted = 7;
    is_ok(pool, mape_stream_open(&stream, pool, function, NULL));
    refused(pool, MAPE_E_STATE, "stream", mape_stream_push(NULL, map, spans, 1));
    refused(pool, MAPE_E_STATE, "stream", mape_stream_finish(map));
    refused(pool, MAPE_E_ARGUMENT, "items", mape_stream_push(&accepted, stream, NULL, 1));
    refused(pool, MAPE_E_ARGUMENT, "items|data|span", mape_stream_push(&accepted, stream, spans + 1, 1));
    refused(pool, MAPE_E_ARGUMENT, "out_accepted", mape_stream_push(NULL, stream, spans, 2));
    assert_int_equal(progress_of(stream).total, 0); /* Nothing was changed. */
    is_ok(pool, mape_stream_finish(stream));
    wait_for(stream);
    wait_for(map);
    pool_works(pool);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        ONCE(null_handles_are_refused_or_ignored_as_documented),
        BOTH(released_handles_and_handles_of_another_kind_are_refused),
        ONCE(numbers_that_were_never_handles_are_refused),
        ONCE(a_handle_used_again_and_again_is_never_mistaken_for_a_later_one),
        ONCE(create_refuses_settings_that_cannot_be),
        BOTH(every_structure_of_a_wrong_size_is_refused),
        BOTH(null_outputs_and_contradicting_arguments_are_refused),
        BOTH(submissions_that_cannot_be_are_refused),
        BOTH(pushes_that_cannot_be_are_refused),
    };
    return run_abi_tests("bad_input", tests, COUNT(tests));
}
