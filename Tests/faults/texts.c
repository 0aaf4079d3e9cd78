/* texts.c - texts that are no UTF-8, names that only look the same, and texts that are too long. Case 73.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../abi/support_native.h"
#include "faults.h"

#include <fcntl.h>
#include <sys/stat.h>

/* "café" in Latin-1; the same two letters composed and not; a byte that never occurs in UTF-8. */
#define LATIN      "caf\xe9"
#define COMPOSED   "\xc3\xa9"
#define DECOMPOSED "e\xcc\x81"
#define NEVER      "\xff\xfe x \xc0\x80"

/** Whether bytes are whole characters of UTF-8. These tests use no others than of these lengths. */
static bool is_whole(const char *text, size_t size) {
    for (size_t i = 0; i < size;) {
        uint8_t byte = (uint8_t)text[i];
        size_t length = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        if (byte >= 0x80 && byte < 0xc2) return false;
        if (length > size - i) return false;
        for (size_t k = 1; k < length; k++)
            if (((uint8_t)text[i + k] & 0xc0) != 0x80) return false;
        i += length;
    }
    return true;
}

static void answers(mape_pool *pool, mape_function_id function, const char *input, const char *output) {
    mape_job *job = applied(pool, function, input, strlen(input));
    wait_for(job);
    result_is(job, 0, output, strlen(output));
    is_ok(pool, mape_job_release(job));
}

/** Variables of the host and of the settings, and names of globals. */
static void bytes_to_workers(const struct row *row) {
    mape_pool_config config = config_of(row->birth, row->workers);
    const char *const set[] = {"MAPE_SET=" LATIN, "MAPE_COMBINED=\xcc\x81", "MAPE_" COMPOSED "=composed",
                               "MAPE_" DECOMPOSED "=decomposed", NULL};
    const char *const unset[] = {"MAPE_HOST_" DECOMPOSED, NULL};
    assert_int_equal(setenv("MAPE_HOST", NEVER, 1), 0);
    assert_int_equal(setenv("MAPE_HOST_" COMPOSED, "kept", 1), 0);
    config.env_set = set;
    config.env_unset = unset;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id environment = registered(pool, run_environment), global = registered(pool, run_global);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    answers(pool, environment, "MAPE_HOST", NEVER);
    answers(pool, environment, "MAPE_HOST_" COMPOSED, "kept");
    answers(pool, environment, "MAPE_SET", LATIN);
    answers(pool, environment, "MAPE_COMBINED", "\xcc\x81");
    answers(pool, environment, "MAPE_" COMPOSED, "composed");
    answers(pool, environment, "MAPE_" DECOMPOSED, "decomposed");
    const char *const names[] = {LATIN, NEVER, COMPOSED, DECOMPOSED, "\xc3", "\xef\xbf\xbd"};
    for (size_t i = 0; i < COUNT(names); i++)
        is_ok(pool, mape_pool_set_global(pool, names[i], names[i], strlen(names[i])));
    for (size_t i = 0; i < COUNT(names); i++) answers(pool, global, names[i], names[i]);
    is_ok(pool, mape_pool_set_global(pool, COMPOSED, NULL, 0));
    answers(pool, global, DECOMPOSED, DECOMPOSED);
    pool_works(pool);
    pool_close(pool);
    unsetenv("MAPE_HOST");
    unsetenv("MAPE_HOST_" COMPOSED);
}

/** A library, a module and a zygote in a folder whose name is Latin-1. */
static void bytes_in_paths(const struct row *row) {
    char folder[] = "/tmp/" LATIN ".XXXXXX", library[4096], zygote[4096], command[9000];
    assert_non_null(mkdtemp(folder));
    snprintf(library, sizeof library, "%s/libplugin.so", folder);
    snprintf(zygote, sizeof zygote, "%s/zygote", folder);
    snprintf(command, sizeof command, "cp '%s' '%s' && cp '%s' '%s'", MOVING_PLUGIN, library, FAULT_ZYGOTE, zygote);
    assert_int_equal(system(command), 0);
    const char *const modules[] = {library, NULL};
    mape_pool_config config = config_of(row->birth, row->workers);
    config.modules = modules;
    config.crash_dir = folder;
    if (row->birth == MAPE_START_EXEC) config.zygote_path = zygote;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id square = typed_in(pool, "int moving_square(int x)", library);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    int value = 12, result = 0;
    mape_column in = column(&value, 0), out = column(&result, 4);
    mape_job *job = called(pool, square, 1, &in, 1);
    gathered(pool, job, &out, 1, 0);
    assert_int_equal(result, 144);
    pool_works(pool);
    pool_close(pool);
    assert_int_equal(unlink(library), 0);
    assert_int_equal(unlink(zygote), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void text_is(const char *got, const char *wanted, size_t size) {
    assert_int_equal(strlen(got), size);
    assert_memory_equal(got, wanted, size);
}

/** A text to be cut at 1,023 bytes: `before` letters, then characters of each length. */
static size_t long_text(char *text, size_t before) {
    static const char some[] = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    size_t size = before;
    memset(text, 'a', before);
    for (; size + sizeof some < 2048; size += sizeof some - 1) memcpy(text + size, some, sizeof some - 1);
    text[size] = 0;
    return size;
}

static mape_event log_of(mape_pool *pool) {
    for (;;) {
        mape_event event = MAPE_EVENT_INIT;
        is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
        if (event.type == MAPE_EVENT_LOG && event.worker >= 0) return event;
    }
}

/** What functions say: as it is, or cut between characters. */
static void said(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_function_id fails = registered(pool, run_fails_saying), logs = registered(pool, run_log);
    const char *const texts[] = {LATIN, NEVER, COMPOSED, "\xe2\x82", "\xf0\x9f\x98", "\xe9"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        mape_job *job = applied(pool, fails, texts[i], strlen(texts[i]));
        wait_for(job);
        text_is(result_of(job, 0).message, texts[i], strlen(texts[i]));
        is_ok(pool, mape_job_release(job));
        job = applied(pool, logs, texts[i], strlen(texts[i]));
        mape_event event = log_of(pool);
        text_is(event.text, texts[i], strlen(texts[i]));
        assert_int_equal(event.text_size, strlen(texts[i]));
        is_ok(pool, mape_job_release(job));
        /* And a setup's. */
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id broken = 0;
        description.run = run_fails_saying, description.setup = set_up_fails_saying;
        description.data = texts[i], description.data_size = strlen(texts[i]);
        is_ok(pool, mape_function_register(&broken, pool, &description));
        job = applied(pool, broken, "", 0);
        wait_for(job);
        result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_SETUP, 5);
        const char *message = result_of(job, 0).message;
        size_t size = strlen(message), tail = strlen(texts[i]);
        assert_true(size > tail);
        assert_memory_equal(message + size - tail, texts[i], tail);
        is_ok(pool, mape_job_release(job));
    }
    char text[2100];
    for (size_t before = 1000; before < 1024; before++) {
        size_t size = long_text(text, before);
        stage("%zu letters first", before);
        mape_job *job = applied(pool, fails, text, size);
        wait_for(job);
        const char *message = result_of(job, 0).message;
        assert_string_equal(message, text); /* Of a failure up to 1 MiB; of a line for the log 1,023 bytes. */
        is_ok(pool, mape_job_release(job));
        job = applied(pool, logs, text, strlen(text));
        mape_event event = log_of(pool);
        assert_in_range(event.text_size, 1020, 1023);
        assert_memory_equal(event.text, text, event.text_size);
        assert_true(is_whole(event.text, event.text_size));
        is_ok(pool, mape_job_release(job));
    }
    pool_works(pool);
}

static void captured(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->output = MAPE_OUTPUT_CAPTURE;
}

/** What comes out of the pipe, in pieces: `size` bytes in all. Whole characters each, when they all are. */
static void comes_out(mape_pool *pool, const char *text, size_t size, bool is_utf8) {
    for (size_t at = 0; at < size;) {
        mape_event event = MAPE_EVENT_INIT;
        is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
        if (event.type != MAPE_EVENT_OUTPUT) continue;
        assert_true(event.text_size > 0 && event.text_size <= size - at);
        assert_memory_equal(event.text, text + at, event.text_size);
        if (is_utf8) assert_true(is_whole(event.text, event.text_size));
        at += event.text_size;
    }
}

/** Output arrives in pieces, none of which ends inside a character. */
static void printed(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_function_id writes = registered(pool, run_writes);
    const size_t count = 40000;
    char *text = malloc(count * 3 + 1);
    assert_non_null(text);
    for (size_t shift = 0; shift < 3; shift++) {
        size_t size = shift;
        memset(text, 'a', shift);
        for (size_t i = 0; i < count; i++, size += 3) memcpy(text + size, "\xe2\x82\xac", 3);
        if (size > count * 3) size -= 3;
        mape_job *job = applied(pool, writes, text, size);
        comes_out(pool, text, size, true);
        wait_for(job);
        is_ok(pool, mape_job_release(job));
    }
    /* A character in two writes. */
    mape_job *first = applied(pool, writes, "a\xf0\x9f", 3);
    comes_out(pool, "a", 1, true);
    wait_for(first);
    mape_job *second = applied(pool, writes, "\x98\x80z", 3);
    comes_out(pool, "\xf0\x9f\x98\x80z", 5, true);
    wait_for(second);
    /* Bytes that are no characters; the last of them might begin one, and comes when the worker is gone. */
    mape_job *third = applied(pool, writes, "b\xff\xfe" LATIN, 7);
    comes_out(pool,
              "b\xff\xfe"
              "caf",
              6, false);
    wait_for(third);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    comes_out(pool, "\xe9", 1, false);
    free(text);
}

/** Room for a part of a message. */
static void cut_messages(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    mape_prototype_info info = MAPE_PROTOTYPE_INFO_INIT;
    description.run = run_square;
    description.name = "gr\xc3\xb6\xc3\x9f"
                       "e \xe2\x82\xac \xf0\x9f\x98\x80 \xf0\x9f\x98\x80";
    is_ok(pool, mape_function_register(&function, pool, &description));
    is_status(pool, MAPE_E_STATE, mape_function_prototype(&info, pool, function));
    char whole[256], part[256];
    size_t length = mape_message(whole, sizeof whole, pool);
    assert_true(length < sizeof whole && strstr(whole, description.name));
    for (size_t room = 1; room <= length + 1; room++) {
        memset(part, 'x', sizeof part);
        assert_int_equal(mape_message(part, room, pool), length);
        size_t size = strnlen(part, room);
        assert_true(size < room && size + 4 >= room && is_whole(part, size));
        assert_memory_equal(part, whole, size);
        assert_int_equal(part[room], 'x');
    }
    pool_works(pool);
}

static const struct fault texts[] = {
    {73, "variables and globals", bytes_to_workers, BIRTHS, W2, 0, 0, NULL, 0},
    {73, "paths", bytes_in_paths, BIRTHS, W2, 0, 0, NULL, 0},
    {73, "failures and log lines", said, BIRTHS, W1, 0, 0, NULL, 0},
    {73, "output", printed, BIRTHS, W1, 0, 0, captured, 0},
    {73, "messages of the pool", cut_messages, BIRTHS, W1, CALLBACK, 0, NULL, 0},
};
TABLE(texts);
