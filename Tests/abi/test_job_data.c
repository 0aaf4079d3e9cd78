/* test_job_data.c - data that a job brings, for all its items.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"
#include "support_native.h"

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

static const struct abi_test tests[] = {
    BOTH(data_reach_items_of_every_kind),          BOTH(data_reach_streams),
    BOTH(data_reach_columns_and_proxies),          BOTH(data_are_copied_once_and_freed_with_the_last_item),
    BOTH(data_in_a_buffer_are_read_in_place),      BOTH(each_job_has_its_own_data),
    ONCE(wrong_data_are_refused_and_cost_nothing),
};

int main(void) { return run_abi_tests("test_job_data", tests, COUNT(tests)); }
