/* test_trace.c - the timeline: each kind of event, where it must come; sums that are those of the API.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_trace.h"

#include <signal.h>

/** The sums of the events are the figures of the API: items, ranges, failures, per job as well. */
static void sums_are_those_of_the_api(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 3);
    mape_function_id square = named(pool, run_square, "square"), fault = named(pool, run_fault, "fault");
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    int64_t begun = now_ns();
    is_ok(pool, mape_pool_trace_start(pool, NULL));
    uint64_t *values = numbers(5000);
    struct fault_item faults[60];
    for (uint32_t i = 0; i < COUNT(faults); i++)
        faults[i] = (struct fault_item){i, i % 3 == 0 ? WAY_FAIL : WAY_WELL, 0};
    mape_job *first = mapped(pool, square, values, 5000, sizeof *values, NULL);
    mape_job *second = mapped(pool, fault, faults, COUNT(faults), sizeof *faults, NULL);
    mape_job *third = applied(pool, square, values, sizeof *values);
    wait_for(first), wait_for(second), wait_for(third);
    is_ok(pool, mape_pool_trace_stop(pool));
    assert_int_equal(read_all(pool), 0);
    are_sound(now_ns() - begun);
    uint64_t items = 0, failed = 0, by_job[4] = {0};
    for (size_t i = 0; i < read_events; i++) {
        if (events[i].kind != MAPE_TRACE_RANGE) continue;
        items += events[i].items, failed += events[i].failed;
        assert_true(events[i].job >= 1 && events[i].job <= 3);
        by_job[events[i].job] += events[i].items;
        assert_true(events[i].pid > 0 && events[i].worker >= 0 && events[i].worker < 3);
        assert_string_equal(events[i].name, events[i].job == 2 ? "fault" : "square");
    }
    assert_int_equal(items, stats_of(pool).items);
    assert_int_equal(failed, 20);
    assert_int_equal(by_job[1], 5000);
    assert_int_equal(by_job[2], 60);
    assert_int_equal(by_job[3], 1);
    assert_int_equal(count_of(MAPE_TRACE_JOB, 0), 3);
    for (size_t i = 0; i < read_events; i++) {
        if (events[i].kind != MAPE_TRACE_JOB) continue;
        assert_int_equal(events[i].items, by_job[events[i].job]);
        assert_int_equal(events[i].assigned, by_job[events[i].job]);
        assert_int_equal(events[i].failed, events[i].job == 2 ? 20 : 0);
        assert_int_equal(events[i].state, events[i].job == 2 ? MAPE_TRACE_FAILED : MAPE_TRACE_OK);
    }
    free(values);
    pool_close(pool);
}

/** The slowest item is named, and how long it took, for a function per item, per range, and a typed one. */
static void the_slowest_item_is_named(uint32_t birth) {
    mape_pool *pool = traced(birth, 1);
    mape_function_id functions[3] = {registered(pool, run_naps), registered_range(pool, run_naps_each),
                                     typed(pool, "int64_t naps(int64_t ms)", naps, 0)};
    int64_t items[40] = {[17] = 1000};
    for (int i = 0; i < 3; i++) {
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.chunk = COUNT(items);
        mape_job *job = mapped(pool, functions[i], items, COUNT(items), sizeof *items, &config);
        stage("function %d", i);
        is_ok(pool, mape_job_wait(job, PATIENCE));
    }
    read_all(pool);
    are_sound(INT64_MAX);
    uint64_t slowest[4] = {0};
    for (size_t i = 0; i < read_events; i++)
        if (events[i].kind == MAPE_TRACE_RANGE && events[i].slowest_ns >= MAPE_MILLISECONDS(1000)) {
            // Short items are timed together: it is one of those.
            assert_true(events[i].slowest <= 17 && 17 < events[i].slowest + events[i].slowest_of);
            slowest[events[i].job]++;
        }
    for (int job = 1; job <= 3; job++) assert_int_equal(slowest[job], 1);
    pool_close(pool);
}

/** A function that takes its range as a whole says nothing of its items: they are counted, and none is called the slowest. */
static void a_whole_range_has_no_slowest_item(uint32_t birth) {
    mape_pool *pool = traced(birth, 1);
    uint64_t values[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    wait_for(mapped(pool, registered_range(pool, run_square_all), values, COUNT(values), sizeof *values, NULL));
    read_all(pool);
    uint64_t items = 0;
    for (size_t i = 0; i < read_events; i++)
        if (events[i].kind == MAPE_TRACE_RANGE) {
            assert_int_equal(events[i].slowest_ns, 0);
            items += events[i].items;
        }
    assert_int_equal(items, COUNT(values));
    pool_close(pool);
}

static void a_crash_is_told(uint32_t birth) {
    mape_pool *pool = traced(birth, 1);
    mape_function_id crash = registered(pool, run_crash);
    struct crash_item items[3] = {{.way = CRASH_NOT}, {.way = CRASH_SEGV}, {.way = CRASH_NOT}};
    wait_for(mapped(pool, crash, items, 3, sizeof *items, NULL));
    read_all(pool);
    are_sound(INT64_MAX);
    const mape_trace_event *death = found(MAPE_TRACE_DEATH, -1), *range = found(MAPE_TRACE_RANGE, MAPE_TRACE_CRASHED);
    assert_int_equal(count_of(MAPE_TRACE_DEATH, 0), 1);
    assert_int_equal(death->code, SIGSEGV);
    assert_string_equal(death->name, "SIGSEGV");
    assert_int_equal(death->items, 1);
    assert_int_equal(death->first, 1);
    assert_int_equal(death->job, 1);
    assert_non_null(strstr(death->symbol, "crash_by_segv in libtestworkers.so"));
    assert_non_null(strstr(death->text, "item 1 of job 1"));
    assert_int_equal(range->crashed, 1);
    assert_int_equal(range->pid, death->pid);
    // Of the range that was lost the first item had ended, unless it was one of its own.
    uint64_t ended = 0;
    for (size_t i = 0; i < read_events; i++)
        if (events[i].kind == MAPE_TRACE_RANGE) ended += events[i].items;
    assert_int_equal(ended, 3);
    const mape_trace_event *job = found(MAPE_TRACE_JOB, -1);
    assert_int_equal(job->crashed, 1);
    assert_int_equal(job->items, 3);
    pool_close(pool);
}

static void a_timeout_and_an_exit_are_told(uint32_t birth) {
    mape_pool *pool = traced(birth, 1);
    mape_function_id fault = registered(pool, run_fault);
    struct fault_item items[2] = {{1, WAY_LOOP, 0}, {2, WAY_EXIT_99, 0}};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_MILLISECONDS(50);
    mape_job *job = mapped(pool, fault, items, 2, sizeof *items, &config);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    read_all(pool);
    are_sound(INT64_MAX);
    const mape_trace_event *late = found(MAPE_TRACE_RANGE, MAPE_TRACE_TIMED_OUT);
    assert_int_equal(late->timed_out, 1);
    assert_true(late->end_ns - late->begin_ns >= MAPE_MILLISECONDS(50));
    found(MAPE_TRACE_RANGE, MAPE_TRACE_CRASHED);
    assert_int_equal(count_of(MAPE_TRACE_DEATH, 0), 2);
    bool exited = false;
    for (size_t i = 0; i < read_events; i++)
        if (events[i].kind == MAPE_TRACE_DEATH && events[i].code == -99) {
            assert_string_equal(events[i].name, "exit 99");
            assert_int_equal(events[i].first, 1);
            exited = true;
        }
    assert_true(exited);
    pool_close(pool);
}

/** Items behind one that takes long are taken back, and run in the other worker. */
static void what_is_taken_back_is_told(uint32_t birth) {
    mape_pool *pool = traced(birth, 2);
    mape_function_id gated = registered_shared(pool, run_gated_first, setup_shared, cleanup_shared);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t *values = numbers(200);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 100;
    mape_job *job = mapped(pool, gated, values, 200, sizeof *values, &config);
    wait_until(progress_of(job).ok == 199);
    atomic_store(&shared_page()->gate, 1);
    wait_for(job);
    read_all(pool);
    are_sound(INT64_MAX);
    uint64_t back = 0, items = 0;
    for (size_t i = 0; i < read_events; i++) {
        if (events[i].kind == MAPE_TRACE_RECLAIM) back += events[i].items;
        if (events[i].kind == MAPE_TRACE_RANGE) items += events[i].items;
    }
    assert_true(back >= 1);
    assert_int_equal(items, 200);
    free(values);
    pool_close(pool);
}

/** Each worker's setup and cleanup; waits for the host; and that the trace goes on to the end of a shutdown. */
static void setups_waits_and_cleanups_are_told(uint32_t birth) {
    mape_pool *pool = traced(birth, 2);
    mape_function_id gated = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t *values = numbers(40);
    // One item after the other: behind each the worker waits for the next one, which the host has to assign.
    for (int i = 0; i < 40; i++) {
        mape_job *job = applied(pool, gated, &values[i], sizeof *values);
        wait_for(job);
        is_ok(pool, mape_job_release(job));
    }
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_int_equal(read_all(pool), 0);
    are_sound(INT64_MAX);
    assert_int_equal(count_of(MAPE_TRACE_SETUP, 0), 2);
    assert_int_equal(count_of(MAPE_TRACE_CLEANUP, 0), 2);
    assert_int_equal(count_of(MAPE_TRACE_JOB, 0), 40);
    assert_true(count_of(MAPE_TRACE_WAIT, 0) >= 1);
    for (size_t i = 0; i < read_events; i++) {
        if (events[i].kind == MAPE_TRACE_SETUP || events[i].kind == MAPE_TRACE_CLEANUP) {
            assert_int_equal(events[i].function, gated);
            assert_int_equal(events[i].state, MAPE_TRACE_OK);
        }
        if (events[i].kind == MAPE_TRACE_WAIT) assert_true(events[i].end_ns > events[i].begin_ns);
    }
    is_status(pool, MAPE_E_STATE, mape_pool_trace_stop(pool));
    is_status(pool, MAPE_E_CLOSED, mape_pool_trace_start(pool, NULL));
    free(values);
    pool_close(pool);
}

static void a_setup_that_fails_or_crashes_is_told(uint32_t birth) {
    mape_pool *pool = traced(birth, 1);
    mape_function bad = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    bad.run = run_square, bad.setup = setup_fails;
    is_ok(pool, mape_function_register(&id, pool, &bad));
    mape_pool_start(pool, PATIENCE);
    read_all(pool);
    assert_int_equal(found(MAPE_TRACE_SETUP, MAPE_TRACE_FAILED)->function, id);
    bad.setup = setup_crashes;
    is_ok(pool, mape_function_register(&id, pool, &bad));
    uint64_t value = 3;
    mape_job *job = applied(pool, id, &value, sizeof value);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    read_on(pool);
    assert_int_equal(found(MAPE_TRACE_SETUP, MAPE_TRACE_CRASHED)->function, id);
    const mape_trace_event *death = found(MAPE_TRACE_DEATH, -1);
    assert_int_equal(death->function, id);
    assert_int_equal(death->items, 0);
    pool_close(pool);
}

static void copies_are_told(uint32_t birth) {
    mape_pool *pool = traced(birth, 2);
    mape_function_id sum = named(pool, run_sum, "sum");
    size_t size = 5 << 20;
    uint8_t *bytes = calloc(1, size);
    void *data;
    mape_buffer *buffer = buffer_filled(pool, size, 1, &data);
    mape_job *copied = mapped(pool, sum, bytes, size / 4096, 4096, NULL);
    mape_job *shared = mapped(pool, sum, data, size / 4096, 4096, NULL);
    mape_span spans[2] = {{bytes, 1000}, {data, 500}};
    mape_items items = MAPE_ITEMS_INIT;
    items.spans = spans, items.count = 2;
    mape_job *both = NULL;
    is_ok(pool, mape_map(&both, pool, sum, &items, NULL));
    wait_for(copied), wait_for(shared), wait_for(both);
    read_all(pool);
    are_sound(INT64_MAX);
    uint64_t sums[4][2] = {{0}};
    for (size_t i = 0; i < read_events; i++) {
        const mape_trace_event *e = &events[i];
        if (e->kind == MAPE_TRACE_COPY) sums[e->job][0] += e->bytes, sums[e->job][1] += e->shared_bytes;
        if (e->kind == MAPE_TRACE_COPY) assert_int_equal(e->worker, -1);
        if (e->job > 0) assert_string_equal(e->name, "sum");
    }
    assert_int_equal(sums[1][0], size);
    assert_int_equal(sums[1][1], 0);
    assert_int_equal(sums[2][0], 0);
    assert_int_equal(sums[2][1], size);
    assert_true(sums[3][0] >= 1000 && sums[3][0] < 1100);
    assert_int_equal(sums[3][1], 500);
    is_ok(pool, mape_buffer_release(buffer));
    free(bytes);
    pool_close(pool);
}

static void counts(void *context, const mape_event *event) {
    (void)event;
    ++*(int *)context;
}

static void callbacks_are_told(uint32_t birth) {
    mape_pool *pool = traced(birth, 2);
    uint64_t *values = numbers(100);
    int calls = 0;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.on_item = counts, config.on_done = counts, config.context = &calls;
    mape_job *job = mapped(pool, registered(pool, run_square), values, 100, sizeof *values, &config);
    dispatch_until_done(pool, job);
    while (mape_pool_dispatch(pool, 0, 0) > 0) {}
    assert_int_equal(calls, 101);
    read_all(pool);
    uint64_t told = 0;
    for (size_t i = 0; i < read_events; i++)
        if (events[i].kind == MAPE_TRACE_CALLBACK) told += events[i].items;
    assert_int_equal(told, 101);
    free(values);
    pool_close(pool);
}

/** Jobs and ranges that go on when a trace is stopped are in it, as far as they have come. */
static void what_runs_is_told_at_the_stop(uint32_t birth) {
    mape_pool *pool = traced(birth, 1);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, cleanup_shared);
    uint64_t value = 5;
    mape_job *job = applied(pool, gated, &value, sizeof value);
    wait_until(atomic_load(&shared_page()->entered) == 1);
    is_ok(pool, mape_pool_trace_stop(pool));
    read_all(pool);
    assert_int_equal(found(MAPE_TRACE_RANGE, MAPE_TRACE_RUNNING)->assigned, 1);
    assert_int_equal(found(MAPE_TRACE_JOB, MAPE_TRACE_RUNNING)->job, 1);
    atomic_store(&shared_page()->gate, 1);
    wait_for(job);
    // Nothing is recorded behind the stop.
    assert_int_equal(read_all(pool), 0);
    assert_int_equal(read_events, 0);
    pool_close(pool);
}

int main(void) {
    static const struct abi_test tests[] = {
        BOTH(sums_are_those_of_the_api),
        BOTH(the_slowest_item_is_named),
        EXEC_ONLY(a_whole_range_has_no_slowest_item),
        BOTH(a_crash_is_told),
        BOTH(a_timeout_and_an_exit_are_told),
        BOTH(what_is_taken_back_is_told),
        BOTH(setups_waits_and_cleanups_are_told),
        EXEC_ONLY(a_setup_that_fails_or_crashes_is_told),
        EXEC_ONLY(copies_are_told),
        EXEC_ONLY(callbacks_are_told),
        EXEC_ONLY(what_runs_is_told_at_the_stop),
    };
    return run_abi_tests("trace", tests, COUNT(tests));
}
