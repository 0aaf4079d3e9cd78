/* test_map.c - maps and applies: items of every shape, results in the right places.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <pthread.h>

#define MILLION 1000000u

static void a_million_items_are_squared_in_order_and_setup_and_cleanup_run_once_per_worker(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_open(birth, 3);
    mape_function_id function = registered_shared(pool, run_square, setup_shared, cleanup_shared);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_int_equal(atomic_load(&shared->setups), 3);
    uint64_t *values = numbers(MILLION);
    for (int round = 0; round < 2; round++) {
        mape_job *job = mapped(pool, function, values, MILLION, sizeof *values, NULL);
        wait_for(job);
        squares_are_right(job, values, MILLION);
        is_ok(pool, mape_job_release(job));
    }
    assert_int_equal(atomic_load(&shared->setups), 3);
    assert_int_equal(atomic_load(&shared->cleanups), 0);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_int_equal(atomic_load(&shared->setups), 3);
    assert_int_equal(atomic_load(&shared->cleanups), 3);
    for (int i = 0; i < 3; i++) {
        int set_up = 0, cleaned_up = 0;
        for (int j = 0; j < 3; j++) {
            set_up += shared->setup_pids[j] == shared->setup_pids[i];
            cleaned_up += shared->cleanup_pids[j] == shared->setup_pids[i];
        }
        assert_int_equal(set_up, 1);
        assert_int_equal(cleaned_up, 1);
    }
    free(values);
    pool_close(pool);
}

static void range_functions_give_the_same_results_as_item_functions(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    const mape_run_range_fn functions[] = {run_square_all, run_square_each, run_items_by_index};
    uint64_t *values = numbers(30011);
    mape_span *spans = calloc(30011, sizeof *spans);
    for (size_t i = 0; i < 30011; i++) spans[i] = (mape_span){&values[i], sizeof values[i]};
    for (size_t i = 0; i < COUNT(functions); i++) {
        mape_function_id function = registered_range(pool, functions[i]);
        stage("range function %zu", i);
        mape_job *job = mapped(pool, function, values, 30011, sizeof *values, NULL);
        mape_items items = MAPE_ITEMS_INIT;
        items.count = 30011;
        items.spans = spans;
        mape_job *spanned = NULL;
        is_ok(pool, mape_map(&spanned, pool, function, &items, NULL));
        wait_for(job);
        squares_are_right(job, values, 30011);
        wait_for(spanned);
        squares_are_right(spanned, values, 30011);
    }
    free(spans);
    free(values);
    pool_close(pool);
}

static void strides_of_input_and_of_gathering_are_kept(uint32_t birth) {
    struct wide {
        uint64_t value;
        char rest[24];
    } *wide = calloc(500, sizeof *wide);
    struct place {
        uint64_t square;
        uint32_t untouched;
        uint32_t also;
    } *places = malloc(500 * sizeof *places);
    memset(places, 0x5a, 500 * sizeof *places);
    for (uint64_t i = 0; i < 500; i++) wide[i].value = i + 3;
    mape_pool *pool = pool_open(birth, 2);
    mape_items items = items_at(wide, 500, sizeof(uint64_t));
    items.stride = sizeof *wide;
    mape_job *job = NULL;
    is_ok(pool, mape_map(&job, pool, registered(pool, run_square), &items, NULL));
    wait_for(job);
    uint64_t missing = 9;
    is_ok(pool, mape_job_gather(places, 500 * sizeof *places, sizeof *places, &missing, job));
    assert_int_equal(missing, 0);
    for (uint64_t i = 0; i < 500; i++) {
        assert_int_equal(places[i].square, (i + 3) * (i + 3));
        assert_int_equal(places[i].untouched, 0x5a5a5a5a);
        assert_int_equal(places[i].also, 0x5a5a5a5a);
    }
    free(wide);
    free(places);
    pool_close(pool);
}

static void spans_of_any_size_come_back_as_they_were(uint32_t birth) {
    enum { ITEMS = 3000 };
    mape_pool *pool = pool_open(birth, 2);
    mape_span *spans = calloc(ITEMS, sizeof *spans);
    char *bytes = malloc(20000);
    for (int i = 0; i < 20000; i++) bytes[i] = (char)(i * 13);
    for (size_t i = 0; i < ITEMS; i++) {
        size_t size = i % 10 == 0 ? 0 : (i * 37) % 5000;
        spans[i] = (mape_span){size == 0 ? NULL : bytes + i % 1000, size};
    }
    mape_items items = MAPE_ITEMS_INIT;
    items.count = ITEMS;
    items.spans = spans;
    mape_job *job = NULL;
    is_ok(pool, mape_map(&job, pool, registered(pool, run_echo), &items, NULL));
    wait_for(job);
    for (size_t i = 0; i < ITEMS; i++) result_is(job, i, spans[i].data, spans[i].size);
    free(spans);
    free(bytes);
    pool_close(pool);
}

static void items_and_results_of_no_bytes_are_items_like_others(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id echo = registered(pool, run_echo), nothing = registered(pool, run_nothing);
    char byte = 1;
    mape_job *empty = mapped(pool, echo, &byte, 100, 0, NULL);
    mape_job *silent = mapped(pool, nothing, "0123456789", 10, 1, NULL);
    mape_job *bare = applied(pool, echo, NULL, 0);
    wait_for(empty);
    wait_for(silent);
    wait_for(bare);
    for (uint64_t i = 0; i < 100; i++) result_is(empty, i, NULL, 0);
    for (uint64_t i = 0; i < 10; i++) result_is(silent, i, NULL, 0);
    result_is(bare, 0, NULL, 0);
    char untouched[10] = "untouched";
    uint64_t missing = 3;
    is_ok(pool, mape_job_gather(untouched, sizeof untouched, 1, &missing, silent));
    assert_int_equal(missing, 0);
    assert_string_equal(untouched, "untouched");
    pool_close(pool);
}

/** Callbacks note what they see; checks are for the test, as a failing check would leave by longjmp through the library. */
static void note_done(void *context, const mape_event *event) {
    *(int *)context +=
        event->type == MAPE_EVENT_DONE && event->progress.total == 0 && event->progress.is_done ? 1 : 1000;
}

static void a_map_of_no_items_is_done_at_once(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    int done = 0;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.on_done = note_done;
    config.context = &done;
    mape_items items = MAPE_ITEMS_INIT;
    mape_job *job = NULL;
    is_ok(pool, mape_map(&job, pool, registered(pool, run_square), &items, &config));
    is_ok(pool, mape_job_wait(job, 0));
    assert_int_equal(progress_of(job).is_done, 1);
    assert_int_equal(progress_of(job).total, 0);
    mape_result result = MAPE_RESULT_INIT;
    is_status(pool, MAPE_E_INDEX, mape_job_result(&result, job, 0));
    uint64_t place = 4, missing = 5;
    is_ok(pool, mape_job_gather(&place, sizeof place, sizeof place, &missing, job));
    assert_int_equal(missing, 0);
    assert_int_equal(mape_pool_dispatch(pool, 0, 0), 1);
    assert_int_equal(done, 1);
    pool_close(pool);
}

static void every_chunk_size_gives_the_same_results_in_that_many_ranges(uint32_t birth) {
    const struct {
        uint64_t chunk, ranges;
    } table[] = {{1, 1000}, {7, 143}, {999, 2}, {1000, 1}, {1001, 1}, {UINT64_MAX, 1}};
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(1000);
    for (size_t i = 0; i < COUNT(table); i++) {
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.chunk = table[i].chunk;
        uint64_t before = stats_of(pool).ranges;
        mape_job *job = mapped(pool, function, values, 1000, sizeof *values, &config);
        wait_for(job);
        squares_are_right(job, values, 1000);
        wait_until(stats_of(pool).ranges - before >= table[i].ranges);
        uint64_t ranges = stats_of(pool).ranges - before;
        /* A range that was taken back from a slow worker counts as the parts that ran. */
        if (table[i].chunk == 1 ? ranges != 1000 : ranges > table[i].ranges + 10)
            fail_msg("chunk %llu: %llu ranges, not %llu", (unsigned long long)table[i].chunk,
                     (unsigned long long)ranges, (unsigned long long)table[i].ranges);
    }
    free(values);
    pool_close(pool);
}

static void input_is_copied_before_the_call_returns(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(100000), *scratch = numbers(100000), one = 7, fortynine = 49;
    mape_job *job = mapped(pool, function, scratch, 100000, sizeof *scratch, NULL);
    memset(scratch, 0xff, 100000 * sizeof *scratch);
    free(scratch);
    mape_job *single = applied(pool, function, &one, sizeof one);
    one = 0;
    wait_for(job);
    wait_for(single);
    squares_are_right(job, values, 100000);
    result_is(single, 0, &fortynine, sizeof fortynine);
    free(values);
    pool_close(pool);
}

static void jobs_of_many_kinds_at_once_never_mix(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 3);
    mape_function_id square = registered(pool, run_square), echo = registered(pool, run_echo);
    mape_job *jobs[400];
    uint64_t values[400][5];
    for (uint64_t i = 0; i < 400; i++) {
        for (uint64_t k = 0; k < 5; k++) values[i][k] = i * 1000 + k;
        jobs[i] = mapped(pool, i % 2 == 0 ? square : echo, values[i], 5, sizeof values[i][0], NULL);
    }
    for (uint64_t i = 400; i-- > 0;) {
        wait_for(jobs[i]);
        for (uint64_t k = 0; k < 5; k++) {
            uint64_t expected = i % 2 == 0 ? values[i][k] * values[i][k] : values[i][k];
            result_is(jobs[i], k, &expected, sizeof expected);
        }
        is_ok(pool, mape_job_release(jobs[i]));
    }
    pool_close(pool);
}

struct submitter {
    mape_pool *pool;
    mape_function_id function;
    int wrong;
    uint64_t first;
};

static void *submit_and_check(void *context) {
    struct submitter *self = context;
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t values[20];
        for (uint64_t k = 0; k < 20; k++) values[k] = self->first + i * 20 + k;
        mape_items items = items_at(values, 20, sizeof values[0]);
        mape_job *job = NULL;
        uint64_t squares[20] = {0};
        if (mape_map(&job, self->pool, self->function, &items, NULL) != MAPE_OK) self->wrong++;
        if (mape_job_wait(job, PATIENCE) != MAPE_OK) self->wrong++;
        if (mape_job_gather(squares, sizeof squares, sizeof squares[0], NULL, job) != MAPE_OK) self->wrong++;
        for (int k = 0; k < 20; k++) self->wrong += squares[k] != values[k] * values[k];
        if (mape_job_release(job) != MAPE_OK) self->wrong++;
    }
    return NULL;
}

static void threads_submit_and_wait_side_by_side(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered(pool, run_square);
    struct submitter submitters[4];
    pthread_t threads[4];
    for (uint64_t i = 0; i < 4; i++) {
        submitters[i] = (struct submitter){pool, function, 0, i * 1000000};
        pthread_create(&threads[i], NULL, submit_and_check, &submitters[i]);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) assert_int_equal(submitters[i].wrong, 0);
    pool_close(pool);
}

static void higher_priority_gets_workers_first_and_equals_go_in_order(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL);
    uint64_t block = 1, low[800], high[50], highest[50];
    for (uint64_t i = 0; i < 800; i++) low[i] = 10000 + i;
    for (uint64_t i = 0; i < 50; i++) high[i] = 20000 + i, highest[i] = 30000 + i;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    mape_job *jobs[5] = {applied(pool, gated, &block, sizeof block)};
    wait_until(atomic_load(&shared->entered) == 1);
    jobs[1] = mapped(pool, gated, low, 400, sizeof low[0], &config);
    jobs[2] = mapped(pool, gated, low + 400, 400, sizeof low[0], &config);
    config.priority = 5;
    jobs[3] = mapped(pool, gated, high, 50, sizeof high[0], &config);
    config.priority = INT32_MAX;
    jobs[4] = mapped(pool, gated, highest, 50, sizeof highest[0], &config);
    atomic_store(&shared->gate, 1);
    for (int i = 0; i < 5; i++) wait_for(jobs[i]);
    assert_int_equal(atomic_load(&shared->noted), 901);
    /* A few ranges of the first job may be with the worker already when the others come. */
    uint32_t last_low = 0, last_high = 0, last_highest = 0, early_low = 0;
    uint64_t lowest_next = 10000;
    for (uint32_t i = 0; i < 901; i++) {
        uint64_t value = shared->order[i];
        if (value >= 30000) last_highest = i;
        else if (value >= 20000) last_high = i;
        else if (value >= 10000) {
            assert_int_equal(value, lowest_next++);
            last_low = i;
        }
    }
    for (uint32_t i = 0; i < last_high; i++) early_low += shared->order[i] >= 10000 && shared->order[i] < 20000;
    assert_true(last_highest < last_high && last_high < last_low);
    assert_true(early_low < 100);
    pool_close(pool);
}

/** Worker 0 or 1 is held in an item; everything submitted later is done by the other, however it was handed out. */
static void nothing_waits_behind_a_long_item_while_a_worker_is_idle(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL),
                     square = registered(pool, run_square);
    uint64_t value = 3, nine = 9;
    mape_job *held = applied(pool, gated, &value, sizeof value);
    wait_until(atomic_load(&shared->entered) == 1);
    for (int i = 0; i < 20; i++) {
        mape_job *job = applied(pool, square, &value, sizeof value);
        wait_for(job);
        result_is(job, 0, &nine, sizeof nine);
    }
    atomic_store(&shared->gate, 1);
    wait_for(held);
    pool_close(pool);
}

static void a_long_item_of_a_map_holds_up_no_other_of_it(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_gated_first, setup_shared, NULL);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    uint64_t *values = numbers(100);
    mape_job *job = mapped(pool, function, values, 100, sizeof *values, &config);
    wait_until(progress_of(job).ok == 99);
    atomic_store(&shared->gate, 1);
    wait_for(job);
    squares_are_right(job, values, 100);
    free(values);
    pool_close(pool);
}

static void calls_without_a_handle_release_themselves_after_done(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square);
    uint64_t value = 3;
    wait_for(applied(pool, function, &value, sizeof value));
    mape_stats before = stats_of(pool);
    for (int i = 0; i < 200; i++) is_ok(pool, mape_apply(NULL, pool, function, &value, sizeof value, NULL));
    wait_until(stats_of(pool).items == 201);
    wait_until((mape_pool_dispatch(pool, 0, 0), stats_of(pool).output_bytes <= before.output_bytes));
    pool_close(pool);
}

/** Each result of run_describe says an index that counts from `first`. */
static void indices_count_from(mape_job *job, uint64_t first, uint64_t count) {
    wait_for(job);
    for (uint64_t i = 0; i < count; i++) {
        const mape_result result = result_of(job, i);
        assert_int_equal(result.state, MAPE_ITEM_OK);
        assert_int_equal(((const struct view *)result.data)->index, first + i);
    }
    is_ok(NULL, mape_job_release(job));
}

static void items_count_from_the_first_index_that_the_host_gives(uint32_t birth) {
    enum { ITEMS = 3000 };
    mape_pool *pool = pool_open(birth, 2);
    const mape_function_id describe = registered(pool, run_describe), square = registered(pool, run_square);
    const mape_function_id range = registered_range(pool, run_items_by_index);
    uint64_t *values = numbers(ITEMS);
    mape_span *spans = calloc(ITEMS, sizeof *spans);
    double *doubles = calloc(ITEMS, sizeof *doubles);
    for (size_t i = 0; i < ITEMS; i++) spans[i] = (mape_span){&values[i], sizeof values[i]}, doubles[i] = -(double)i;
    mape_items spanned = MAPE_ITEMS_INIT;
    spanned.count = ITEMS, spanned.spans = spans;
    const uint64_t firsts[] = {1, 1000000007, UINT64_MAX - ITEMS};
    for (size_t k = 0; k < COUNT(firsts); k++) {
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        mape_job *job = NULL;
        config.first_index = firsts[k];
        indices_count_from(mapped(pool, describe, values, ITEMS, sizeof *values, &config), firsts[k], ITEMS);
        is_ok(pool, mape_map(&job, pool, describe, &spanned, &config));
        indices_count_from(job, firsts[k], ITEMS);
        stage("their inputs are theirs");
        const mape_function_id functions[] = {square, range};
        for (size_t f = 0; f < COUNT(functions); f++) {
            job = mapped(pool, functions[f], values, ITEMS, sizeof *values, &config);
            wait_for(job);
            squares_are_right(job, values, ITEMS);
            is_ok(pool, mape_job_release(job));
            is_ok(pool, mape_map(&job, pool, functions[f], &spanned, &config));
            wait_for(job);
            squares_are_right(job, values, ITEMS);
            is_ok(pool, mape_job_release(job));
        }
        stage("columns");
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id magnitude = 0;
        description.library = "libm.so.6", description.prototype = "double fabs(double x)";
        is_ok(pool, mape_function_register(&magnitude, pool, &description));
        mape_column column = MAPE_COLUMN_INIT;
        column.base = doubles, column.stride = sizeof *doubles;
        is_ok(pool, mape_map_columns(&job, pool, magnitude, ITEMS, &column, 1, &config));
        wait_for(job);
        for (uint64_t i = 0; i < ITEMS; i++) assert_true(*(const double *)result_of(job, i).data == (double)i);
        is_ok(pool, mape_job_release(job));
    }
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    mape_job *job = NULL;
    config.first_index = UINT64_MAX - ITEMS + 1;
    is_status(pool, MAPE_E_OVERFLOW, mape_map(&job, pool, square, &spanned, &config));
    is_status(pool, MAPE_E_ARGUMENT, mape_stream_open(&job, pool, square, &config));
    assert_non_null(strstr(message_of(pool), "first_index"));
    free(doubles);
    free(spans);
    free(values);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(a_million_items_are_squared_in_order_and_setup_and_cleanup_run_once_per_worker),
        BOTH(range_functions_give_the_same_results_as_item_functions),
        BOTH(strides_of_input_and_of_gathering_are_kept),
        BOTH(spans_of_any_size_come_back_as_they_were),
        BOTH(items_and_results_of_no_bytes_are_items_like_others),
        BOTH(a_map_of_no_items_is_done_at_once),
        BOTH(every_chunk_size_gives_the_same_results_in_that_many_ranges),
        BOTH(input_is_copied_before_the_call_returns),
        BOTH(jobs_of_many_kinds_at_once_never_mix),
        BOTH(threads_submit_and_wait_side_by_side),
        BOTH(higher_priority_gets_workers_first_and_equals_go_in_order),
        BOTH(nothing_waits_behind_a_long_item_while_a_worker_is_idle),
        BOTH(a_long_item_of_a_map_holds_up_no_other_of_it),
        BOTH(calls_without_a_handle_release_themselves_after_done),
        BOTH(items_count_from_the_first_index_that_the_host_gives),
    };
    return run_abi_tests("map", tests, COUNT(tests));
}
