/* test_tasks.c - what a job brings, what a failed item keeps, how far an item was, and what a function says of its own death.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"
#include "support_native.h"

#include <signal.h>

/* ---- data of a job ---- */

static void data_reach_items_of_every_kind(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id one = registered(pool, run_job_data), each = registered_range(pool, run_job_data_each),
                     all = registered_range(pool, run_job_data_all), aligned = registered(pool, run_job_data_alignment);
    uint64_t *values = numbers(1000);
    mape_span spans[1000];
    for (int i = 0; i < 1000; i++) spans[i] = (mape_span){&values[i], sizeof *values};
    for (size_t size = 1; size <= 1 << 20; size = size * 3 + 1) {
        uint8_t *data = malloc(size);
        memset(data, (int)(size % 251), size);
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.data = data;
        config.data_size = size;
        const uint64_t count = size > 10000 ? 3 : 1000;
        mape_items spread = MAPE_ITEMS_INIT;
        spread.spans = spans;
        spread.count = count;
        mape_job *jobs[] = {mapped(pool, one, values, count, sizeof *values, &config),
                            mapped(pool, each, values, count, sizeof *values, &config),
                            mapped(pool, all, values, count, sizeof *values, &config),
                            NULL,
                            NULL,
                            NULL};
        is_ok(pool, mape_map(&jobs[3], pool, one, &spread, &config));
        is_ok(pool, mape_apply(&jobs[4], pool, one, NULL, 0, &config));
        is_ok(pool, mape_apply(&jobs[5], pool, aligned, NULL, 0, &config));
        memset(data, 0, size); /* It was copied. */
        memset(data, (int)(size % 251), size);
        for (size_t j = 0; j < COUNT(jobs); j++) {
            wait_for(jobs[j]);
            uint64_t items = progress_of(jobs[j]).total;
            for (uint64_t i = 0; i < items; i++)
                j == 5 ? result_is(jobs[j], i, NULL, 0) : result_is(jobs[j], i, data, size);
            is_ok(pool, mape_job_release(jobs[j]));
        }
        free(data);
    }
    /* Without any. */
    mape_job *none = mapped(pool, one, values, 10, sizeof *values, NULL);
    wait_for(none);
    for (uint64_t i = 0; i < 10; i++) result_is(none, i, NULL, 0);
    free(values);
    pool_close(pool);
}

static void data_reach_streams(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.data = "of a stream";
    config.data_size = 11;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    config.window = 16;
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, registered(pool, run_job_data), &config));
    mape_event event = MAPE_EVENT_INIT;
    uint64_t heard = 0;
    for (uint64_t pushed = 0; pushed < 1000 || heard < 1000;) {
        size_t accepted = 0;
        mape_span item = {&pushed, sizeof pushed};
        if (pushed < 1000) {
            int status = mape_stream_push(&accepted, stream, &item, 1);
            if (status != MAPE_E_AGAIN) is_ok(pool, status);
        }
        pushed += accepted;
        if (pushed < 1000 && accepted == 1) continue;
        is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
        if (event.type != MAPE_EVENT_ITEM) continue;
        heard++;
        assert_int_equal(event.result.size, 11);
        assert_memory_equal(event.result.data, "of a stream", 11);
    }
    is_ok(pool, mape_stream_finish(stream));
    pool_close(pool);
}

static mape_function_id registered_typed_data(mape_pool *pool) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.prototype = "int64_t job_data_byte(int64_t i)";
    description.library = WORKERS_LIBRARY;
    description.setup_symbol = "setup_keeps_task";
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

static void data_reach_columns_and_proxies(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered_typed_data(pool);
    uint8_t data[] = {3, 1, 4};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.data = data;
    config.data_size = sizeof data;
    int64_t in[] = {2, 0, 1, 3}, out[4] = {0};
    const mape_column input = column(in, 8), output = column(out, 8);
    mape_job *job = NULL;
    is_ok(pool, mape_map_columns(&job, pool, function, 4, &input, 1, &config));
    wait_for(job);
    gathered(pool, job, &output, 1, 0);
    assert_true(out[0] == 4 && out[1] == 3 && out[2] == 1 && out[3] == -1);

    mape_native_fn proxies[2] = {NULL};
    is_ok(pool, mape_proxy_create(&proxies[0], pool, function, &config, NULL, NULL));
    is_ok(pool, mape_proxy_create(&proxies[1], pool, function, NULL, NULL, NULL));
    memset(data, 9, sizeof data); /* The proxy has its own. */
    for (int i = 0; i < 100; i++) {
        assert_true(((int64_t(*)(int64_t))proxies[0])(2) == 4);
        assert_true(((int64_t(*)(int64_t))proxies[1])(0) == -1);
    }
    is_ok(NULL, mape_proxy_release(proxies[0]));
    is_ok(NULL, mape_proxy_release(proxies[1]));
    pool_close(pool);
}

/** What data cost does not depend on how many items there are, and ends with the last of them. */
static void data_are_copied_once_and_freed_with_the_last_item(uint32_t birth) {
    enum { SIZE = 4 << 20 };
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_shared(pool, run_gated, setup_shared, NULL);
    uint8_t *data = calloc(1, SIZE);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.data = data;
    config.data_size = SIZE;
    uint64_t *values = numbers(10000);
    wait_for(applied(pool, registered(pool, run_nothing), NULL, 0));
    const uint64_t before = stats_of(pool).input_bytes;
    for (uint64_t count = 100; count <= 10000; count *= 100) {
        atomic_store(&shared->gate, 0);
        mape_job *job = mapped(pool, function, values, count, sizeof *values, &config);
        const uint64_t held = stats_of(pool).input_bytes - before - count * sizeof *values;
        assert_in_range(held, SIZE, SIZE + 4096);
        atomic_store(&shared->gate, 1);
        wait_for(job);
        assert_int_equal(stats_of(pool).input_bytes, before);
        is_ok(pool, mape_job_release(job));
    }
    free(values);
    free(data);
    pool_close(pool);
}

static void data_in_a_buffer_are_read_in_place(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_buffer *buffer = NULL;
    void *memory = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 1 << 20));
    is_ok(pool, mape_buffer_data(&memory, NULL, buffer));
    const uint64_t before = stats_of(pool).input_bytes;
    memcpy((char *)memory + 100, "in place", 8);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.data = (char *)memory + 100;
    config.data_size = 8;
    mape_job *job = NULL;
    is_ok(pool, mape_apply(&job, pool, registered(pool, run_job_data), NULL, 0, &config));
    assert_in_range(stats_of(pool).input_bytes, before, before + 4096);
    is_ok(pool, mape_buffer_release(buffer)); /* The job keeps it. */
    wait_for(job);
    result_is(job, 0, "in place", 8);
    wait_until(stats_of(pool).input_bytes + (1 << 20) <= before + 4096);
    pool_close(pool);
}

static void each_job_has_its_own_data(uint32_t birth) {
    enum { JOBS = 300 };
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_job_data);
    mape_job *jobs[JOBS];
    for (uint64_t j = 0; j < JOBS; j++) {
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.data = &j;
        config.data_size = sizeof j;
        is_ok(pool, mape_apply(&jobs[j], pool, function, NULL, 0, &config));
    }
    for (uint64_t j = 0; j < JOBS; j++) {
        wait_for(jobs[j]);
        result_is(jobs[j], 0, &j, sizeof j);
    }
    pool_close(pool);
}

static void wrong_data_are_refused_and_cost_nothing(uint32_t birth) {
    (void)birth;
    mape_pool *pool = pool_started(IN_EXEC - 1, 1);
    mape_function_id function = registered(pool, run_job_data);
    wait_for(applied(pool, function, NULL, 0));
    const uint64_t before = stats_of(pool).input_bytes;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    mape_job *job = NULL;
    config.data_size = 1;
    is_status(pool, MAPE_E_ARGUMENT, mape_apply(&job, pool, function, NULL, 0, &config));
    assert_non_null(strstr(message_of(pool), "config.data is NULL"));
    config.data = "x";
    config.data_size = SIZE_MAX;
    is_status(pool, MAPE_E_OVERFLOW, mape_apply(&job, pool, function, NULL, 0, &config));
    assert_non_null(strstr(message_of(pool), "config.data_size"));
    config.data_size = SIZE_MAX / 2;
    is_status(pool, MAPE_E_OVERFLOW, mape_apply(&job, pool, function, NULL, 0, &config));
    config.data_size = 1;
    is_status(pool, MAPE_E_FUNCTION, mape_apply(&job, pool, 99, NULL, 0, &config));
    is_status(pool, MAPE_E_ARGUMENT, mape_apply(&job, pool, function, NULL, 8, &config));
    mape_buffer *buffer = NULL;
    void *memory = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 4096));
    is_ok(pool, mape_buffer_data(&memory, NULL, buffer));
    config.data = (char *)memory + 4000;
    config.data_size = 4096;
    is_status(pool, MAPE_E_ARGUMENT, mape_apply(&job, pool, function, NULL, 0, &config));
    config.data_size = 8;
    is_status(pool, MAPE_E_FUNCTION, mape_apply(&job, pool, 99, NULL, 0, &config));
    is_ok(pool, mape_buffer_release(buffer));
    config.data = NULL;
    config.data_size = 0; /* None. */
    is_ok(pool, mape_apply(&job, pool, function, NULL, 0, &config));
    wait_for(job);
    wait_until(stats_of(pool).input_bytes == before);
    pool_close(pool);
}

/* ---- failed items ---- */

static void a_failed_item_keeps_its_bytes(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    const mape_function_id functions[] = {registered(pool, run_fail_bytes),
                                          registered_range(pool, run_fail_bytes_each)};
    struct failing items[200];
    for (uint32_t i = 0; i < 200; i++)
        items[i] = (struct failing){i % 3 == 0 ? 0 : i * 7, i % 4 == 1 ? i * 20 : 0, i % 2 ? (int32_t)i : 0};
    for (size_t f = 0; f < COUNT(functions); f++) {
        mape_job *job = mapped(pool, functions[f], items, 200, sizeof items[0], NULL);
        wait_for(job);
        uint8_t gathered_bytes[200][1400], untouched[1400];
        memset(gathered_bytes, 0xee, sizeof gathered_bytes);
        memset(untouched, 0xee, sizeof untouched);
        uint64_t missing = 0;
        is_ok(pool, mape_job_gather(gathered_bytes, sizeof gathered_bytes, 1400, &missing, job));
        assert_int_equal(missing, 100);
        for (uint32_t i = 0; i < 200; i++) {
            mape_result result = result_of(job, i);
            assert_int_equal(result.state, i % 2 ? MAPE_ITEM_FAILED : MAPE_ITEM_OK);
            assert_int_equal(result.size, items[i].bytes);
            assert_true((result.data == NULL) == (items[i].bytes == 0));
            for (uint32_t b = 0; b < items[i].bytes; b++)
                assert_int_equal(((const uint8_t *)result.data)[b], items[i].code & 0xff);
            if (i % 2) assert_memory_equal(gathered_bytes[i], untouched, 1400);
        }
        assert_int_equal(progress_of(job).failed, 100);
        is_ok(pool, mape_job_release(job));
    }
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void events_of_failed_items_have_their_bytes(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    struct failing item = {100, 5000, 3};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.drop = 1;
    config.deliver = MAPE_DELIVER_ITEMS;
    mape_job *job = mapped(pool, registered(pool, run_fail_bytes), &item, 1, sizeof item, &config);
    mape_event event = MAPE_EVENT_INIT;
    do is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
    while (event.type != MAPE_EVENT_ITEM);
    assert_int_equal(event.result.state, MAPE_ITEM_FAILED);
    assert_int_equal(event.result.size, 100);
    assert_int_equal(((const uint8_t *)event.result.data)[99], 3);
    assert_int_equal(strlen(event.result.message), 5000);
    is_ok(pool, mape_job_release(job));
    pool_close(pool);
}

static void texts_of_failures_may_be_long(uint32_t birth) {
    static const struct {
        uint32_t given, kept;
    } lengths[] = {{1, 1},
                   {1023, 1023},
                   {1024, 1024},
                   {1025, 1025},
                   {100001, 100001},
                   {(1 << 20) - 1, (1 << 20) - 1},
                   {1 << 20, 1 << 20},
                   {(1 << 20) + 1, (1 << 20) - 1}};
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id function = registered(pool, run_fail_bytes);
    for (size_t l = 0; l < COUNT(lengths); l++) {
        struct failing item = {0, lengths[l].given, 4};
        mape_job *job = mapped(pool, function, &item, 1, sizeof item, NULL);
        wait_for(job);
        const char *message = result_of(job, 0).message;
        stage("text of %u bytes", lengths[l].given);
        assert_int_equal(strlen(message), lengths[l].kept);
        if (lengths[l].kept > 1) assert_memory_equal(message, "x\xc3\xa9", 3);
    }
    /* The texts of one request up to 4 MiB; those after it are cut. */
    struct failing items[12];
    for (int i = 0; i < 12; i++) items[i] = (struct failing){0, 800001, i + 1};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 12;
    mape_job *job = mapped(pool, registered_range(pool, run_fail_bytes_each), items, 12, sizeof items[0], &config);
    wait_for(job);
    for (uint64_t i = 0; i < 12; i++) {
        size_t length = strlen(result_of(job, i).message);
        assert_true(length == 800001 || length == 1023);
        if (i == 0) assert_int_equal(length, 800001);
        assert_int_equal(result_of(job, i).code, i + 1);
    }
    pool_close(pool);
}

static void where_output_memory_is_full_a_long_text_is_cut(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.output_reserve = 1 << 20;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_fail_bytes);
    struct failing item = {1000000, 200001, 5};
    mape_job *job = mapped(pool, function, &item, 1, sizeof item, NULL);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 5);
    assert_int_equal(strlen(result_of(job, 0).message), 1023);
    assert_int_equal(result_of(job, 0).size, 1000000);
    is_ok(pool, mape_job_release(job));
    item.bytes = 10; /* There is room again. */
    job = mapped(pool, function, &item, 1, sizeof item, NULL);
    wait_for(job);
    assert_int_equal(strlen(result_of(job, 0).message), 200001);
    pool_close(pool);
}

static void a_setup_may_fail_with_a_long_text(uint32_t birth) {
    for (uint32_t length = 11; length <= 100001; length = length * 100 + 1) {
        mape_pool *pool = pool_open(birth, 1);
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id function = 0;
        description.run = run_nothing;
        description.setup = setup_fails_at_length;
        description.data = &length;
        description.data_size = sizeof length;
        is_ok(pool, mape_function_register(&function, pool, &description));
        mape_job *job = applied(pool, function, NULL, 0);
        wait_for(job);
        result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_SETUP, 6);
        const char *message = result_of(job, 0).message;
        assert_non_null(strstr(message, "failed with code 6: x\xc3\xa9"));
        assert_true(strlen(message) > length);
        pool_close(pool);
    }
}

/* ---- marks ---- */

static void ends_after_mark(mape_pool *pool, mape_job *job, uint64_t index, uint32_t state, uint64_t mark) {
    mape_result result = result_of(job, index);
    assert_int_equal(result.state, state);
    assert_int_equal(result.has_mark, mark > 0);
    assert_int_equal(result.mark, mark);
    char words[40];
    snprintf(words, sizeof words, "after mark %d", (int)mark);
    if (mark > 0) assert_non_null(strstr(result.message, words));
    else assert_null(strstr(result.message, "after mark"));
    mape_crash crash = MAPE_CRASH_INIT;
    if (mape_job_crash(&crash, job, index) != MAPE_OK) return;
    assert_int_equal(crash.has_mark, mark > 0);
    assert_int_equal(crash.mark, mark);
    if (mark > 0) assert_non_null(strstr(crash.text, words));
    (void)pool;
}

static void a_dead_item_names_its_last_mark(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    const mape_function_id functions[] = {registered(pool, run_marked), registered_range(pool, run_marked_all)};
    /* The item before has marks as well; they are not those of the next. */
    struct marked items[] = {{5, MARK_RETURN}, {17, MARK_SEGV}, {3, MARK_RETURN}, {0, MARK_SEGV},  {1000000, MARK_EXIT},
                             {2, MARK_FAIL},   {9, MARK_HANG},  {0, MARK_EXIT},   {0, MARK_RETURN}};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_MILLISECONDS(300);
    config.attempts = 2;
    for (size_t f = 0; f < COUNT(functions); f++) {
        mape_job *job = mapped(pool, functions[f], items, COUNT(items), sizeof items[0], &config);
        is_ok(pool, mape_job_wait(job, PATIENCE));
        ends_after_mark(pool, job, 0, MAPE_ITEM_OK, 0);
        ends_after_mark(pool, job, 1, MAPE_ITEM_CRASHED, 17);
        ends_after_mark(pool, job, 2, MAPE_ITEM_OK, 0);
        ends_after_mark(pool, job, 3, MAPE_ITEM_CRASHED, 0);
        ends_after_mark(pool, job, 4, MAPE_ITEM_CRASHED, 1000000);
        ends_after_mark(pool, job, 6, MAPE_ITEM_TIMED_OUT, 9);
        ends_after_mark(pool, job, 7, MAPE_ITEM_CRASHED, 0);
        ends_after_mark(pool, job, 8, MAPE_ITEM_OK, 0);
        if (f == 0) ends_after_mark(pool, job, 5, MAPE_ITEM_FAILED, 0);
        assert_int_equal(result_of(job, 1).attempts, 2);
    }
    pool_close(pool);
}

static void an_item_that_a_cancel_kills_names_its_last_mark(uint32_t birth) {
    mape_pool_config pool_config = config_of(birth, 1);
    pool_config.grace_ns = MAPE_MILLISECONDS(50);
    mape_pool *pool = pool_open_with(&pool_config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct marked item = {21, MARK_HANG};
    mape_job *job = mapped(pool, registered(pool, run_marked), &item, 1, sizeof item, NULL);
    wait_until(worker_of(pool, 0).state == MAPE_WORKER_BUSY);
    usleep(50000);
    is_ok(pool, mape_job_cancel(job));
    is_ok(pool, mape_job_wait(job, PATIENCE));
    ends_after_mark(pool, job, 0, MAPE_ITEM_CANCELLED, 21);
    assert_int_equal(result_of(job, 0).cause, MAPE_CAUSE_CANCEL);
    pool_close(pool);
}

/* ---- the report ---- */

static mape_function_id registered_report(mape_pool *pool) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run_reported;
    description.setup = setup_report;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

static uint32_t lines_with(const char *text, const char *start) {
    uint32_t count = 0;
    for (const char *at = text; (at = strstr(at, start)) != NULL; at++) count += at == text || at[-1] == '\n';
    return count;
}

static void the_report_has(mape_pool *pool, mape_function_id function, uint32_t way, const char *word, uint32_t lines) {
    uint32_t ways[] = {REPORT_NOTHING, way};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    mape_job *job = mapped(pool, function, ways, 2, sizeof ways[0], &config);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    mape_crash crash = MAPE_CRASH_INIT;
    stage("way %u: \"%s\"", way, result_of(job, 1).message);
    if (mape_job_crash(&crash, job, 1) != MAPE_OK)
        fail_msg("way %u has not died: code %d, %s", way, result_of(job, 1).code, result_of(job, 1).message);
    if (strstr(crash.text, word) == NULL) fail_msg("\"%s\" is not in:\n%s", word, crash.text);
    assert_int_equal(lines_with(crash.text, "> "), lines);
    assert_null(strstr(crash.text, "\033"));
    assert_null(strstr(crash.text, "older note"));
    is_ok(pool, mape_job_release(job));
}

static void what_a_function_says_of_its_death_is_in_the_report(uint32_t birth) {
    for (uint32_t sandbox = 0; sandbox < 2; sandbox++) {
        mape_pool_config config = config_of(birth, 1);
        config.sandbox = sandbox;
        mape_pool *pool = pool_open_with(&config);
        is_ok(pool, mape_pool_start(pool, PATIENCE));
        mape_function_id function = registered_report(pool);
        the_report_has(pool, function, REPORT_SEGV,
                       "> Fatal error: a fault\n> \n> Current stack:\n>   File \"shade.py\", line 42", 4);
        /* What ranges before it have written is not its own; and it is bounded. */
        uint32_t notes[] = {REPORT_NOTE, REPORT_NOTE};
        mape_job *job = mapped(pool, function, notes, 2, sizeof notes[0], NULL);
        is_ok(pool, mape_job_wait(job, PATIENCE));
        result_is(job, 1, NULL, 0);
        the_report_has(pool, function, REPORT_SEGV, "line 42", 4);
        the_report_has(pool, function, REPORT_FLOOD, "> ffff", 64);
        the_report_has(pool, function, REPORT_SEGV, "line 42", 4);
        uint32_t closed = REPORT_CLOSED;
        job = mapped(pool, function, &closed, 1, sizeof closed, NULL);
        is_ok(pool, mape_job_wait(job, PATIENCE));
        result_is(job, 0, NULL, 0);
        pool_close(pool);
    }
}

static const struct abi_test tests[] = {
    BOTH(data_reach_items_of_every_kind),
    BOTH(data_reach_streams),
    BOTH(data_reach_columns_and_proxies),
    BOTH(data_are_copied_once_and_freed_with_the_last_item),
    BOTH(data_in_a_buffer_are_read_in_place),
    BOTH(each_job_has_its_own_data),
    ONCE(wrong_data_are_refused_and_cost_nothing),
    BOTH(a_failed_item_keeps_its_bytes),
    BOTH(events_of_failed_items_have_their_bytes),
    BOTH(texts_of_failures_may_be_long),
    BOTH(where_output_memory_is_full_a_long_text_is_cut),
    BOTH(a_setup_may_fail_with_a_long_text),
    BOTH(a_dead_item_names_its_last_mark),
    BOTH(an_item_that_a_cancel_kills_names_its_last_mark),
    BOTH(what_a_function_says_of_its_death_is_in_the_report),
};

int main(void) { return run_abi_tests("test_tasks", tests, COUNT(tests)); }
