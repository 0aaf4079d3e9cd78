/* test_trace_file.c - a ring of events that overflows; a trace's file; and calls that are wrong.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_trace.h"

#include <fcntl.h>

/** A ring that is full loses the oldest events, and says how many; another trace begins anew. */
static void an_overflow_is_counted(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id square = registered(pool, run_square);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_trace_config small = MAPE_TRACE_CONFIG_INIT;
    small.capacity = 10;
    is_ok(pool, mape_pool_trace_start(pool, &small));
    uint64_t value = 7;
    for (int i = 0; i < 50; i++) wait_for(applied(pool, square, &value, sizeof value));
    uint64_t lost = read_all(pool);
    assert_int_equal(read_events, 10);
    assert_true(lost >= 90); // A range and a job each, and copies.
    assert_int_equal(found(MAPE_TRACE_JOB, -1)->items, 1);
    for (int i = 0; i < 2; i++) wait_for(applied(pool, square, &value, sizeof value));
    lost = read_all(pool);
    assert_int_equal(lost, 0);
    assert_int_equal(count_of(MAPE_TRACE_JOB, 0), 2);
    is_ok(pool, mape_pool_trace_stop(pool));
    is_ok(pool, mape_pool_trace_start(pool, NULL));
    assert_int_equal(read_all(pool), 0);
    assert_int_equal(read_events, 0);
    pool_close(pool);
}

/** The whole text of a file. Free it. */
static char *contents(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) fail_msg("%s cannot be read", path);
    char *text = calloc(1, 1 << 22);
    size_t size = fread(text, 1, (1 << 22) - 1, file);
    fclose(file);
    assert_true(size > 0 && size < (1 << 22) - 1);
    return text;
}

static void is_in(const char *text, const char *part) {
    if (strstr(text, part) == NULL) fail_msg("\"%s\" is not in:\n%.4000s", part, text);
}

/** A file is written while a trace goes on and behind its end, whatever was read, by path and by descriptor; after the shutdown as well. */
static void a_file_is_written(uint32_t birth) {
    mape_pool *pool = traced(birth, 2);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, cleanup_shared);
    mape_function_id square = named(pool, run_square, "a \"name\"\n\x01 of bytes \xff");
    uint64_t *values = numbers(100);
    mape_job *job = mapped(pool, square, values, 100, sizeof *values, NULL);
    wait_for(job);
    char path[] = "/tmp/mapengine-trace-XXXXXX", at[64];
    int file = mkstemp(path);
    mape_job *running = applied(pool, gated, values, sizeof *values);
    wait_until(atomic_load(&shared_page()->entered) == 1);
    is_ok(pool, mape_pool_trace_write(pool, path));
    char *text = contents(path);
    is_in(text, "{\"displayTimeUnit\":\"ms\",\n\"traceEvents\":[\n{");
    is_in(text, "\"name\":\"a \\\"name\\\"\\n\xef\xbf\xbd of bytes \xef\xbf\xbd\"");
    is_in(text, "\"state\":\"running\"");
    is_in(text, "\"mapengine\":{\"schema\":1,");
    is_in(text, "\"lost\":0,");
    free(text);
    read_all(pool);
    assert_true(read_events > 0);
    atomic_store(&shared_page()->gate, 1);
    wait_for(running);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_int_equal(ftruncate(file, 0), 0);
    snprintf(at, sizeof at, "/dev/fd/%d", file);
    is_ok(pool, mape_pool_trace_write(pool, at));
    text = contents(path);
    is_in(text, "\"items\":100,\"ok\":100,");
    assert_null(strstr(text, "\"state\":\"running\""));
    free(text);
    is_status(pool, MAPE_E_SYSTEM, mape_pool_trace_write(pool, "/no/such/folder/trace.json"));
    is_in(message_of(pool), "/no/such/folder/trace.json");
    is_status(pool, MAPE_E_SYSTEM, mape_pool_trace_write(pool, "/dev/full"));
    close(file);
    unlink(path);
    free(values);
    pool_close(pool);
}

static void arguments_are_checked(uint32_t birth) {
    (void)birth;
    mape_pool *pool = pool_open(IN_EXEC, 1);
    size_t count = 7;
    uint64_t lost = 7;
    mape_trace_event event = MAPE_TRACE_EVENT_INIT;
    mape_trace_config config = MAPE_TRACE_CONFIG_INIT;
    is_status(pool, MAPE_E_STATE, mape_pool_trace_stop(pool));
    is_status(pool, MAPE_E_STATE, mape_pool_trace_read(&event, 1, &count, &lost, pool));
    assert_true(count == 0 && lost == 0);
    is_status(pool, MAPE_E_STATE, mape_pool_trace_write(pool, "/tmp/never-traced.json"));
    assert_int_not_equal(access("/tmp/never-traced.json", F_OK), 0);
    config.capacity = (1 << 22) + 1;
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_trace_start(pool, &config));
    config.capacity = UINT64_MAX;
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_trace_start(pool, &config));
    config.struct_size--;
    is_status(pool, MAPE_E_SIZE, mape_pool_trace_start(pool, &config));
    is_ok(pool, mape_pool_trace_start(pool, NULL));
    is_status(pool, MAPE_E_STATE, mape_pool_trace_start(pool, NULL));
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_trace_read(NULL, 1, &count, &lost, pool));
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_trace_read(&event, 0, &count, &lost, pool));
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_trace_read(&event, 1, NULL, &lost, pool));
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_trace_write(pool, NULL));
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_trace_write(pool, ""));
    event.struct_size--;
    is_status(pool, MAPE_E_SIZE, mape_pool_trace_read(&event, 1, &count, &lost, pool));
    event.struct_size++;
    is_ok(pool, mape_pool_trace_read(&event, 1, &count, NULL, pool));
    is_status(NULL, MAPE_E_ARGUMENT, mape_pool_trace_start(NULL, NULL));
    is_ok(pool, mape_pool_trace_stop(pool));
    is_status(pool, MAPE_E_STATE, mape_pool_trace_stop(pool));
    pool_close(pool);
    is_status(NULL, MAPE_E_HANDLE, mape_pool_trace_start(pool, NULL));
    is_status(NULL, MAPE_E_HANDLE, mape_pool_trace_write(pool, "/tmp/never-traced.json"));
}

int main(void) {
    static const struct abi_test tests[] = {
        EXEC_ONLY(an_overflow_is_counted),
        EXEC_ONLY(a_file_is_written),
        ONCE(arguments_are_checked),
    };
    return run_abi_tests("trace files", tests, COUNT(tests));
}
