/* test_results.c - results large and small, failures of functions, gathering, and buffers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

static bool is_pattern(const mape_result *result, size_t count) {
    const unsigned char *bytes = result->data;
    if (result->state != MAPE_ITEM_OK || result->size != count) return false;
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != (unsigned char)(i ^ (i >> 8) ^ (i >> 16) ^ count)) return false;
    return true;
}

static void one_result_of_200_megabytes_is_read_in_place(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    uint64_t size = 200u << 20;
    mape_job *job = applied(pool, registered(pool, run_make_bytes), &size, sizeof size);
    wait_for(job);
    mape_result result = result_of(job, 0);
    assert_true(is_pattern(&result, size));
    pool_close(pool);
}

static void inputs_of_many_megabytes_arrive_whole(uint32_t birth) {
    enum { SIZE = 64 << 20, PIECE = 4 << 20 };
    mape_pool *pool = pool_open(birth, 2);
    unsigned char *bytes = malloc(SIZE);
    uint64_t sum = 0, piece_sums[SIZE / PIECE] = {0};
    for (size_t i = 0; i < SIZE; i++) bytes[i] = (unsigned char)(i ^ (i >> 11));
    for (size_t i = 0; i < SIZE; i++) sum += bytes[i], piece_sums[i / PIECE] += bytes[i];
    mape_function_id function = registered(pool, run_sum);
    mape_job *whole = applied(pool, function, bytes, SIZE);
    mape_job *pieces = mapped(pool, function, bytes, SIZE / PIECE, PIECE, NULL);
    free(bytes);
    wait_for(whole);
    wait_for(pieces);
    result_is(whole, 0, &sum, sizeof sum);
    for (uint64_t i = 0; i < SIZE / PIECE; i++) result_is(pieces, i, &piece_sums[i], sizeof piece_sums[i]);
    pool_close(pool);
}

static void results_of_all_sizes_lie_side_by_side_unharmed(uint32_t birth) {
    enum { ITEMS = 4000 };
    mape_pool *pool = pool_open(birth, 2);
    uint64_t sizes[ITEMS];
    for (uint64_t i = 0; i < ITEMS; i++) sizes[i] = i % 97 == 0 ? 100000 + i : (i * 7919) % 3000;
    mape_job *job = mapped(pool, registered(pool, run_make_bytes), sizes, ITEMS, sizeof sizes[0], NULL);
    wait_for(job);
    for (uint64_t i = 0; i < ITEMS; i++) {
        mape_result result = result_of(job, i);
        if (!is_pattern(&result, sizes[i])) fail_msg("result %llu is wrong", (unsigned long long)i);
    }
    pool_close(pool);
}

static void results_stay_while_later_jobs_come_and_go(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered(pool, run_make_bytes);
    uint64_t sizes[50];
    for (uint64_t i = 0; i < 50; i++) sizes[i] = 20000 + i;
    mape_job *kept = mapped(pool, function, sizes, 50, sizeof sizes[0], NULL);
    wait_for(kept);
    const void *places[50];
    for (uint64_t i = 0; i < 50; i++) places[i] = result_of(kept, i).data;
    for (int round = 0; round < 20; round++) {
        mape_job *job = mapped(pool, function, sizes, 50, sizeof sizes[0], NULL);
        wait_for(job);
        is_ok(pool, mape_job_release(job));
    }
    for (uint64_t i = 0; i < 50; i++) {
        mape_result result = result_of(kept, i);
        assert_ptr_equal(result.data, places[i]);
        assert_true(is_pattern(&result, sizes[i]));
    }
    pool_close(pool);
}

static void output_keeps_what_was_written_when_it_grows(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    uint64_t last = 8 << 20;
    mape_job *job = applied(pool, registered(pool, run_grow_output), &last, sizeof last);
    wait_for(job);
    mape_result result = result_of(job, 0);
    assert_int_equal(result.state, MAPE_ITEM_OK);
    assert_int_equal(result.size, last);
    const unsigned char *bytes = result.data;
    for (size_t i = 0; i < last; i++)
        if (bytes[i] != (unsigned char)(i * 7)) fail_msg("byte %zu is wrong", i);
    pool_close(pool);
}

static void output_is_aligned_to_what_divides_its_size(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    uint64_t sizes[200];
    for (uint64_t i = 0; i < 200; i++) sizes[i] = i + 1;
    mape_job *job = mapped(pool, registered(pool, run_output_alignment), sizes, 200, sizeof sizes[0], NULL);
    wait_for(job);
    for (uint64_t i = 0; i < 200; i++) {
        mape_result result = result_of(job, i);
        if (result.state != MAPE_ITEM_OK) fail_msg("size %llu: %s", (unsigned long long)sizes[i], result.message);
    }
    pool_close(pool);
}

static void input_is_aligned_as_laid_out_or_to_sixteen(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered(pool, run_describe);
    char *base = aligned_alloc(64, 64 * 100);
    mape_span spans[100];
    for (int i = 0; i < 100; i++) spans[i] = (mape_span){base + i * 3 + 1, (size_t)i};
    mape_items items = items_at(base, 100, 10), spanned = MAPE_ITEMS_INIT;
    items.stride = 64;
    spanned.count = 100;
    spanned.spans = spans;
    mape_job *laid_out = NULL, *scattered = NULL;
    is_ok(pool, mape_map(&laid_out, pool, function, &items, NULL));
    is_ok(pool, mape_map(&scattered, pool, function, &spanned, NULL));
    mape_job *single = applied(pool, function, base + 1, 5);
    wait_for(laid_out);
    wait_for(scattered);
    wait_for(single);
    for (uint64_t i = 0; i < 100; i++) {
        const struct view *view = result_of(laid_out, i).data;
        assert_int_equal(view->input_address % 64, 0);
        assert_int_equal(view->index, i);
        assert_true(view->worker < 2);
        view = result_of(scattered, i).data;
        assert_int_equal(view->input_address % 16, 0);
        assert_int_not_equal(view->input_address, 0);
    }
    assert_int_equal(((const struct view *)result_of(single, 0).data)->input_address % 16, 0);
    free(base);
    pool_close(pool);
}

static void failures_carry_code_and_text_and_touch_no_other_item(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    struct fault_item items[90];
    const uint32_t ways[3] = {WAY_WELL, WAY_FAIL, WAY_RETURN};
    for (uint64_t i = 0; i < 90; i++) items[i] = (struct fault_item){i, ways[i % 3], 0};
    const mape_function_id functions[] = {registered(pool, run_fault), registered_range(pool, run_fault_each)};
    for (size_t f = 0; f < COUNT(functions); f++) {
        mape_job *job = mapped(pool, functions[f], items, 90, sizeof items[0], NULL);
        wait_for(job);
        for (uint64_t i = 0; i < 90; i++) {
            uint64_t square = i * i;
            if (i % 3 == 0) {
                result_is(job, i, &square, sizeof square);
                continue;
            }
            result_ended(job, i, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, i % 3 == 1 ? (int32_t)i : -12345);
            if (i % 3 == 1) assert_string_equal(result_of(job, i).message, "said no");
            assert_int_equal(result_of(job, i).attempts, 1);
        }
        uint64_t places[90], missing = 0;
        memset(places, 0xcc, sizeof places);
        is_ok(pool, mape_job_gather(places, sizeof places, sizeof places[0], &missing, job));
        assert_int_equal(missing, 60);
        for (uint64_t i = 0; i < 90; i++) assert_true(places[i] == (i % 3 == 0 ? i * i : 0xccccccccccccccccu));
        mape_progress progress = progress_of(job);
        assert_int_equal(progress.failed, 60);
        assert_int_equal(progress.ok, 30);
        assert_int_equal(progress.done, 90);
    }
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void task_fail_counts_in_each_of_its_forms(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    int32_t codes[] = {7, -1, INT32_MAX, INT32_MIN};
    mape_job *texts = mapped(pool, registered(pool, run_fail_text), codes, 4, sizeof codes[0], NULL);
    mape_job *zero = applied(pool, registered(pool, run_fail_then_zero), NULL, 0);
    mape_job *code_zero = applied(pool, registered(pool, run_fail_code_zero), NULL, 0);
    mape_job *long_text = applied(pool, registered(pool, run_fail_long_text), NULL, 0);
    wait_for(texts);
    wait_for(zero);
    wait_for(code_zero);
    wait_for(long_text);
    for (uint64_t i = 0; i < 4; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "no surface, code %d", codes[i]);
        result_ended(texts, i, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, codes[i]);
        assert_string_equal(result_of(texts, i).message, expected);
    }
    result_ended(zero, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 21);
    result_ended(code_zero, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 1);
    result_ended(long_text, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 22);
    const char *message = result_of(long_text, 0).message;
    assert_int_equal(strlen(message), 4999);
    assert_int_equal(strspn(message, "m"), 4999);
    pool_close(pool);
}

static void a_range_that_returns_a_code_fails_only_what_has_no_result(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    uint64_t values[20];
    for (uint64_t i = 0; i < 20; i++) values[i] = i;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 20;
    mape_job *half = mapped(pool, registered_range(pool, run_stops_halfway), values, 20, sizeof values[0], &config);
    mape_job *wrong = mapped(pool, registered_range(pool, run_begins_wrongly), values, 20, sizeof values[0], &config);
    wait_for(half);
    wait_for(wrong);
    for (uint64_t i = 0; i < 9; i++) result_is(half, i, &(uint64_t){i * i}, sizeof values[0]);
    for (uint64_t i = 10; i < 20; i++) result_ended(half, i, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 5);
    for (uint64_t i = 0; i < 20; i++) result_ended(wrong, i, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 9);
    pool_close(pool);
}

static void a_result_beyond_the_output_memory_fails_with_the_cause_memory(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.output_reserve = 64 << 20;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_too_much_output);
    const uint64_t sizes[] = {1u << 30, (uint64_t)1 << 46, UINT64_MAX, UINT64_MAX - 4095};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        mape_job *job = applied(pool, function, &sizes[i], sizeof sizes[i]);
        wait_for(job);
        mape_result result = result_of(job, 0);
        if (result.state != MAPE_ITEM_FAILED || result.cause != MAPE_CAUSE_MEMORY)
            fail_msg("%#llx bytes: state %u, cause %u", (unsigned long long)sizes[i], result.state, result.cause);
    }
    uint64_t small = 1000;
    mape_job *job = applied(pool, registered(pool, run_make_bytes), &small, sizeof small);
    wait_for(job);
    mape_result result = result_of(job, 0);
    assert_true(is_pattern(&result, small));
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void buffers_are_aligned_and_read_by_workers(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id square = registered(pool, run_square), sum = registered(pool, run_sum);
    for (int round = 0; round < 3; round++) {
        mape_buffer *buffer = NULL;
        void *data = NULL;
        size_t size = 0;
        is_ok(pool, mape_buffer_create(&buffer, pool, 800000));
        is_ok(pool, mape_buffer_data(&data, &size, buffer));
        assert_int_equal(size, 800000);
        assert_int_equal((uintptr_t)data % 4096, 0);
        uint64_t *values = data, total = 0;
        for (uint64_t i = 0; i < 100000; i++) values[i] = i + (uint64_t)round;
        mape_job *job = mapped(pool, square, values, 100000, sizeof *values, NULL);
        mape_job *part = mapped(pool, square, values + 50, 1000, sizeof *values, NULL);
        mape_job *single = applied(pool, sum, (char *)data + 7, 100);
        mape_span spans[2] = {{values + 3, 8}, {values + 99999, 8}};
        mape_items items = MAPE_ITEMS_INIT;
        items.count = 2;
        items.spans = spans;
        mape_job *spanned = NULL;
        is_ok(pool, mape_map(&spanned, pool, square, &items, NULL));
        for (int i = 7; i < 107; i++) total += ((unsigned char *)data)[i];
        wait_for(job), wait_for(part), wait_for(single), wait_for(spanned);
        squares_are_right(job, values, 100000);
        squares_are_right(part, values + 50, 1000);
        result_is(single, 0, &total, sizeof total);
        result_is(spanned, 1, &(uint64_t){values[99999] * values[99999]}, 8);
        is_ok(pool, mape_buffer_release(buffer));
        is_status(NULL, MAPE_E_HANDLE, mape_buffer_release(buffer));
    }
    pool_close(pool);
}

static void a_buffer_destroyed_under_a_running_job_is_read_to_the_end(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL);
    mape_buffer *buffer = NULL, *other = NULL;
    void *data = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 1000 * sizeof(uint64_t)));
    is_ok(pool, mape_buffer_data(&data, NULL, buffer));
    uint64_t *values = numbers(1000);
    memcpy(data, values, 1000 * sizeof *values);
    mape_job *job = mapped(pool, gated, data, 1000, sizeof *values, NULL);
    wait_until(atomic_load(&shared->entered) > 0);
    is_ok(pool, mape_buffer_release(buffer));
    is_ok(pool, mape_buffer_create(&other, pool, 1000 * sizeof(uint64_t)));
    is_ok(pool, mape_buffer_data(&data, NULL, other));
    memset(data, 0xff, 1000 * sizeof *values);
    atomic_store(&shared->gate, 1);
    wait_for(job);
    squares_are_right(job, values, 1000);
    free(values);
    pool_close(pool);
}

static void unfinished_and_unfitting_results_are_refused_without_harm(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL);
    uint64_t *values = numbers(10), squares[10] = {0};
    mape_job *job = mapped(pool, gated, values, 10, sizeof *values, NULL);
    mape_result result = MAPE_RESULT_INIT;
    is_status(pool, MAPE_E_AGAIN, mape_job_result(&result, job, 9));
    assert_int_equal(result.state, MAPE_ITEM_PENDING);
    is_status(pool, MAPE_E_INDEX, mape_job_result(&result, job, 10));
    is_status(pool, MAPE_E_INDEX, mape_job_result(&result, job, UINT64_MAX));
    is_status(pool, MAPE_E_AGAIN, mape_job_gather(squares, sizeof squares, 8, NULL, job));
    is_status(pool, MAPE_E_AGAIN, mape_job_wait(job, 0));
    is_status(pool, MAPE_E_TIMEOUT, mape_job_wait(job, MAPE_MILLISECONDS(1)));
    atomic_store(&shared->gate, 1);
    wait_for(job);
    is_status(pool, MAPE_E_OVERFLOW, mape_job_gather(squares, sizeof squares - 1, 8, NULL, job));
    is_status(pool, MAPE_E_OVERFLOW, mape_job_gather(squares, sizeof squares, 7, NULL, job));
    is_status(pool, MAPE_E_OVERFLOW, mape_job_gather(squares, sizeof squares, SIZE_MAX, NULL, job));
    for (int i = 0; i < 10; i++) assert_int_equal(squares[i], 0);
    squares_are_right(job, values, 10);
    free(values);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(one_result_of_200_megabytes_is_read_in_place),
        BOTH(inputs_of_many_megabytes_arrive_whole),
        BOTH(results_of_all_sizes_lie_side_by_side_unharmed),
        BOTH(results_stay_while_later_jobs_come_and_go),
        BOTH(output_keeps_what_was_written_when_it_grows),
        BOTH(output_is_aligned_to_what_divides_its_size),
        BOTH(input_is_aligned_as_laid_out_or_to_sixteen),
        BOTH(failures_carry_code_and_text_and_touch_no_other_item),
        BOTH(task_fail_counts_in_each_of_its_forms),
        BOTH(a_range_that_returns_a_code_fails_only_what_has_no_result),
        BOTH(a_result_beyond_the_output_memory_fails_with_the_cause_memory),
        BOTH(buffers_are_aligned_and_read_by_workers),
        BOTH(a_buffer_destroyed_under_a_running_job_is_read_to_the_end),
        BOTH(unfinished_and_unfitting_results_are_refused_without_harm),
    };
    return run_abi_tests("results", tests, COUNT(tests));
}
