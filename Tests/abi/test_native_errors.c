/* test_native_errors.c - typed functions that go wrong: crashes, wrong descriptions and columns, no memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "native_functions.h"
#include "support.h"
#include "support_native.h"

#include <signal.h>

/** A refused call, and what its message has to say. */
#define refused(pool, status, words, call)                                                                             \
    do {                                                                                                               \
        is_status(pool, status, call);                                                                                 \
        if (!strstr(message_of(pool), words)) fail_msg("\"%s\" does not say \"%s\"", message_of(pool), words);         \
    } while (0)

static void a_function_that_crashes_exits_or_loops_costs_its_own_call(uint32_t birth) {
    for (uint32_t workers = 1; workers <= 2; workers++) {
        mape_pool *pool = pool_open(birth, workers);
        mape_function_id act = typed(pool, "int native_act(int what, int value)", native_act, 0);
        enum { COUNT_OF_CALLS = 3000 };
        static int what[COUNT_OF_CALLS], value[COUNT_OF_CALLS], results[COUNT_OF_CALLS];
        memset(what, 0, sizeof what);
        for (int i = 0; i < COUNT_OF_CALLS; i++) value[i] = i, results[i] = -1;
        what[0] = ACT_NULL, what[700] = ACT_EXIT, what[701] = ACT_ABORT, what[1500] = ACT_LOOP, what[2999] = ACT_NULL;
        value[700] = 0;
        mape_column in[] = {column(what, 4), column(value, 4)}, out = column(results, 4);
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.item_timeout_ns = MAPE_MILLISECONDS(300);
        mape_job *job = NULL;
        is_ok(pool, mape_map_columns(&job, pool, act, COUNT_OF_CALLS, in, 2, &config));
        is_ok(pool, mape_job_wait(job, PATIENCE));
        result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
        result_ended(job, 700, MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 0);
        result_ended(job, 701, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGABRT);
        assert_int_equal(result_of(job, 1500).cause, MAPE_CAUSE_ITEM_TIMEOUT);
        result_ended(job, 2999, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
        gathered(pool, job, &out, 1, 5);
        for (int i = 0; i < COUNT_OF_CALLS; i++) assert_int_equal(results[i], what[i] ? -1 : 3 * value[i]);
        pool_close(pool);
    }
}

static void wrong_descriptions_and_columns_are_refused(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    description.prototype = "double native_half(double x,)";
    description.native = (mape_native_fn)native_half;
    refused(pool, MAPE_E_ARGUMENT, "function.prototype, column 29", mape_function_register(&id, pool, &description));
    description.prototype = "double native_half(double x)";
    description.library = "libm.so.6";
    refused(pool, MAPE_E_ARGUMENT, "function.native", mape_function_register(&id, pool, &description));
    description.library = NULL;
    description.run = run_square;
    refused(pool, MAPE_E_ARGUMENT, "function.prototype", mape_function_register(&id, pool, &description));
    description.run = NULL;
    description.native_flags = 6;
    refused(pool, MAPE_E_ARGUMENT, "function.native_flags", mape_function_register(&id, pool, &description));
    description.native_flags = 0;
    description.prototype = NULL;
    refused(pool, MAPE_E_ARGUMENT, "function.prototype", mape_function_register(&id, pool, &description));
    description.native = NULL;
    description.prototype = "double native_half(double x)";
    refused(pool, MAPE_E_ARGUMENT, "function.native", mape_function_register(&id, pool, &description));

    mape_function_id sum = typed(pool, "int native_sum(const double *v [n], size_t n, double *out [1])", native_sum, 0);
    double values[4] = {1, 2, 3, 4};
    size_t n = 4;
    mape_job *job = (mape_job *)8;
    mape_column good[] = {column(values, 0), column(&n, 0)};
    good[0].size = sizeof values;
    mape_column bad[2];
    refused(pool, MAPE_E_ARGUMENT, "column_count is 1; the function has 2 inputs",
            mape_map_columns(&job, pool, sum, 1, good, 1, NULL));
    assert_null(job);
    refused(pool, MAPE_E_ARGUMENT, "columns is NULL", mape_map_columns(&job, pool, sum, 1, NULL, 2, NULL));
#define with(change, status, words)                                                                                    \
    memcpy(bad, good, sizeof bad);                                                                                     \
    change;                                                                                                            \
    refused(pool, status, words, mape_map_columns(&job, pool, sum, 9, bad, 2, NULL))
    with(bad[1].base = NULL, MAPE_E_ARGUMENT, "columns[1], for parameter 2, \"n\" (size_t): base is NULL");
    with(bad[0].type = MAPE_TYPE_FLOAT, MAPE_E_ARGUMENT, "\"v\" (const double *): type is float, but it takes double");
    with(bad[0].type = 77, MAPE_E_ARGUMENT, "no enum mape_type");
    with(bad[1].size = 4, MAPE_E_ARGUMENT, "\"n\" (size_t): size is 4, but the parameter has 8 bytes");
    with(bad[0].size = 0, MAPE_E_ARGUMENT, "\"v\"");
    with(bad[1].pointers = 1, MAPE_E_ARGUMENT, "\"n\"");
    with(bad[1].pointers = 2, MAPE_E_ARGUMENT, "pointers is 2");
    with(bad[1].struct_size = 3, MAPE_E_SIZE, "columns[1]");
    with(bad[1].stride = PTRDIFF_MAX, MAPE_E_OVERFLOW, "stride");
    with(bad[1].stride = PTRDIFF_MIN, MAPE_E_OVERFLOW, "stride");
    with(bad[0].size = SIZE_MAX, MAPE_E_OVERFLOW, "\"v\"");
    with((bad[0].size = SIZE_MAX / 2, bad[0].stride = 8), MAPE_E_OVERFLOW, "memory");
    refused(pool, MAPE_E_OVERFLOW, "count", mape_map_columns(&job, pool, sum, UINT64_MAX, good, 2, NULL));
    refused(pool, MAPE_E_STATE, "without a prototype",
            mape_map_columns(&job, pool, registered(pool, run_square), 1, good, 2, NULL));

    double result = -1;
    mape_column out[] = {column(NULL, 0), column(&result, 8)};
    job = called(pool, sum, 3, good, 2);
    refused(pool, MAPE_E_ARGUMENT, "column_count", mape_job_gather_columns(out, 3, NULL, job));
    refused(pool, MAPE_E_OVERFLOW, "output 2, \"out\" (double *): stride is 4",
            (out[1].stride = 4, mape_job_gather_columns(out, 2, NULL, job)));
    refused(pool, MAPE_E_OVERFLOW, "memory", (out[1].stride = PTRDIFF_MAX, mape_job_gather_columns(out, 2, NULL, job)));
    refused(pool, MAPE_E_ARGUMENT, "it takes double",
            (out[1].type = MAPE_TYPE_INT8, mape_job_gather_columns(out, 2, NULL, job)));
    refused(pool, MAPE_E_OVERFLOW, "size is 7",
            (out[1].type = 0, out[1].size = 7, mape_job_gather_columns(out, 2, NULL, job)));
    assert_true(result == -1);
    double results[3];
    out[1] = column(&results[2], -8);
    gathered(pool, job, out, 2, 0);
    for (int i = 0; i < 3; i++) assert_true(results[i] == 10);
    job = mapped(pool, registered(pool, run_square), &(uint64_t){3}, 1, 8, NULL);
    wait_for(job);
    refused(pool, MAPE_E_STATE, "without a prototype", mape_job_gather_columns(out, 2, NULL, job));
    pool_close(pool);
}

static void what_cannot_be_loaded_says_what_the_loader_said(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id symbol = typed_in(pool, "double no_such_function(double x)", "libm.so.6");
    refused(pool, MAPE_E_LOAD, "undefined symbol: no_such_function", mape_pool_start(pool, PATIENCE));
    mape_function_id library = typed_in(pool, "double f(double x)", "libno-such-library.so.7");
    mape_column in = column(&(double){1}, 0);
    mape_job *job = called(pool, library, 2, &in, 1);
    result_ended(job, 1, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
    assert_non_null(strstr(result_of(job, 1).message, "libno-such-library.so.7: cannot open shared object file"));
    job = called(pool, symbol, 1, &in, 1);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
    pool_close(pool);
}

static void long_ranges_are_yielded_cancelled_and_short_of_memory(uint32_t birth) {
    mape_pool_config settings = config_of(birth, 2);
    settings.output_reserve = 2 << 20;
    mape_pool *pool = pool_open_with(&settings);
    mape_function_id wait = typed(pool, "long native_wait(long milliseconds)", native_wait, 0);
    mape_function_id fill = typed(
        pool, "void native_repeat(char c, unsigned short n, char *out [60000], int *twice [1])", native_repeat, 0);
    /* One long call before many short ones in a range: they are run elsewhere. */
    long *times = calloc(64, sizeof *times), results[64];
    times[0] = 200;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 64;
    mape_column in[] = {column(times, sizeof *times), column(NULL, 0)}, out = column(results, sizeof *results);
    mape_job *job = NULL;
    is_ok(pool, mape_map_columns(&job, pool, wait, 64, in, 1, &config));
    is_ok(pool, mape_job_wait(job, PATIENCE));
    gathered(pool, job, &out, 1, 0);
    for (int i = 0; i < 64; i++) assert_int_equal(results[i], times[i]);
    for (int i = 0; i < 64; i++) times[i] = 50;
    is_ok(pool, mape_map_columns(&job, pool, wait, 64, in, 1, &config));
    is_ok(pool, mape_job_cancel(job));
    is_ok(pool, mape_job_wait(job, PATIENCE));
    assert_true(progress_of(job).cancelled >= 60);
    is_ok(pool, mape_job_release(job));
    /* A hundred results of 60 kB do not fit into two workers' 2 MiB: those that do are there, the others say so. */
    in[0] = column("z", 0);
    in[1] = column(&(unsigned short){60000}, 0);
    job = called(pool, fill, 100, in, 2);
    mape_progress progress = progress_of(job);
    assert_true(progress.ok >= 20 && progress.ok < 100 && progress.ok + progress.failed == 100);
    for (uint64_t i = 0; i < 100; i++) {
        mape_result result = result_of(job, i);
        if (result.state == MAPE_ITEM_OK) assert_int_equal(((const char *)result.data)[59999], 'z');
        else assert_int_equal(result.cause, MAPE_CAUSE_MEMORY);
    }
    is_ok(pool, mape_job_release(job));
    free(times);
    pool_close(pool);
}

static void what_a_worker_writes_about_its_outputs_is_not_believed(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id scribble =
        typed(pool, "void native_scribble(int n, uint64_t offset, uint64_t size, char *out [n])", native_scribble, 0);
    const uint64_t offsets[] = {0, 1 << 20, 16, UINT64_MAX, 8, 33}, sizes[] = {0, 8, UINT64_MAX, 8, 8, 0};
    char places[6][16];
    memset(places, '-', sizeof places);
    mape_column in[] = {column(&(int){10}, 0), column(offsets, 8), column(sizes, 8)}, out = column(places, 16);
    out.size = 16;
    mape_job *job = called(pool, scribble, 6, in, 3);
    assert_int_equal(progress_of(job).ok, 6);
    gathered(pool, job, &out, 1, 4);
    assert_memory_equal(places[0], "oooooooooo------", 16);
    for (int i = 1; i < 6; i++) {
        if (i != 4) assert_memory_equal(places[i], "----------------", 16);
    }
    /* A proxy's caller gets what there is room for, or nothing. */
    mape_native_fn proxy = NULL;
    is_ok(pool, mape_proxy_create(&proxy, pool, scribble, NULL, NULL, NULL));
    void (*call)(int, uint64_t, uint64_t, char *) = (void (*)(int, uint64_t, uint64_t, char *))proxy;
    for (int i = 1; i < 6; i++) {
        if (i != 4) call(10, offsets[i], sizes[i], places[i]);
        if (i != 4) assert_memory_equal(places[i], "----------------", 16);
    }
    call(10, 0, 0, places[5]);
    assert_memory_equal(places[5], "oooooooooo------", 16);
    is_ok(pool, mape_proxy_release(proxy));
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(a_function_that_crashes_exits_or_loops_costs_its_own_call),
        EXEC_ONLY(wrong_descriptions_and_columns_are_refused),
        EXEC_ONLY(what_cannot_be_loaded_says_what_the_loader_said),
        BOTH(what_a_worker_writes_about_its_outputs_is_not_believed),
        BOTH(long_ranges_are_yielded_cancelled_and_short_of_memory),
    };
    return run_abi_tests("native errors", tests, COUNT(tests));
}
