/* test_failures.c - what a failed item keeps, how far a dead one was, and what a function says of its own death.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

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
    BOTH(a_failed_item_keeps_its_bytes),
    BOTH(events_of_failed_items_have_their_bytes),
    BOTH(texts_of_failures_may_be_long),
    BOTH(where_output_memory_is_full_a_long_text_is_cut),
    BOTH(a_setup_may_fail_with_a_long_text),
    BOTH(a_dead_item_names_its_last_mark),
    BOTH(an_item_that_a_cancel_kills_names_its_last_mark),
    BOTH(what_a_function_says_of_its_death_is_in_the_report),
};

int main(void) { return run_abi_tests("test_failures", tests, COUNT(tests)); }
