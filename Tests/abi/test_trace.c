/* test_trace.c - the timeline: each kind of event, where it must come; sums that are those of the API; a ring that overflows; the file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_native.h"

#include <fcntl.h>
#include <signal.h>

#define MOST 20000
static mape_trace_event events[MOST];
static size_t read_events; /**< How many of `events` are filled. */

/** Reads what there is, behind what was read before in this test. Returns how many events were lost. */
static uint64_t read_on(mape_pool *pool) {
    uint64_t lost = 0, all = 0;
    size_t count = 1;
    while (count > 0) {
        events[read_events].struct_size = sizeof *events;
        is_ok(pool, mape_pool_trace_read(&events[read_events], MOST - read_events, &count, &lost, pool));
        read_events += count, all += lost;
    }
    return all;
}

static uint64_t read_all(mape_pool *pool) {
    read_events = 0;
    return read_on(pool);
}

/** How many events there are of a kind; with a job's number, of that job. */
static size_t count_of(uint32_t kind, uint64_t job) {
    size_t count = 0;
    for (size_t i = 0; i < read_events; i++) count += events[i].kind == kind && (job == 0 || events[i].job == job);
    return count;
}

/** The only event of a kind, or the first in a state. */
static const mape_trace_event *find(uint32_t kind, int state) {
    for (size_t i = 0; i < read_events; i++)
        if (events[i].kind == kind && (state < 0 || events[i].state == (uint32_t)state)) return &events[i];
    return NULL;
}

static const mape_trace_event *found(uint32_t kind, int state) {
    const mape_trace_event *event = find(kind, state);
    if (event == NULL) fail_msg("there is no event of kind %u in state %d", kind, state);
    return event;
}

/** What holds for all events: times within the trace, texts that can be read, and workers that do one thing at a time. */
static void are_sound(int64_t most) {
    for (size_t i = 0; i < read_events; i++) {
        const mape_trace_event *e = &events[i];
        assert_int_equal(e->struct_size, sizeof *e);
        assert_true(e->kind >= MAPE_TRACE_RANGE && e->kind <= MAPE_TRACE_JOB);
        assert_true(e->state <= MAPE_TRACE_RUNNING);
        assert_true(e->begin_ns >= 0 && e->begin_ns <= e->end_ns && e->end_ns <= most);
        assert_true(strlen(e->name) + strlen(e->host) + strlen(e->symbol) < 4096 && strlen(e->text) < 65536);
        assert_true(e->failed + e->crashed + e->timed_out + e->cancelled <= e->items);
        if (e->kind == MAPE_TRACE_RANGE)
            assert_true(e->items <= e->assigned && e->slowest_ns <= e->end_ns - e->begin_ns);
    }
    for (size_t i = 0; i < read_events; i++)
        for (size_t k = i + 1; k < read_events && k < i + 200; k++) {
            if (events[i].worker < 0 || events[i].worker != events[k].worker) continue;
            if (events[i].begin_ns == events[i].end_ns || events[k].begin_ns == events[k].end_ns) continue;
            assert_true(events[k].begin_ns >= events[i].end_ns || events[k].end_ns <= events[i].begin_ns);
        }
}

static mape_pool *traced(uint32_t birth, uint32_t workers) {
    mape_pool *pool = pool_open(birth, workers);
    is_ok(pool, mape_pool_trace_start(pool, NULL));
    return pool;
}

static mape_function_id named(mape_pool *pool, mape_run_fn run, const char *name) {
    mape_function function = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    function.run = run, function.name = name;
    is_ok(pool, mape_function_register(&id, pool, &function));
    return id;
}

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
        EXEC_ONLY(an_overflow_is_counted),
        EXEC_ONLY(a_file_is_written),
        ONCE(arguments_are_checked),
    };
    return run_abi_tests("trace", tests, COUNT(tests));
}
