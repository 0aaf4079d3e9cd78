/* checks.c - what rows have in common: works whose every event is counted, and functions that fail as planned.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <signal.h>

struct fault_item *well_items(uint64_t count) {
    struct fault_item *items = calloc(count + 1, sizeof *items);
    assert_non_null(items);
    for (uint64_t i = 0; i < count; i++) items[i].value = i;
    return items;
}

static void hear(struct work *work, const mape_event *event) {
    if (event->job != work->job) return;
    if (event->type == MAPE_EVENT_DONE) work->done_told++;
    if (event->type != MAPE_EVENT_ITEM) return;
    assert_in_range(event->count, 1, work->count - event->index);
    assert_int_equal(work->done_told, 0); /* DONE is the last. */
    for (uint64_t i = event->index; i < event->index + event->count; i++) work->told[i]++;
    assert_int_equal(event->result.state, result_of(work->job, event->index).state);
}

/** Each second work is told of its items by the range. */
struct work work_begun(mape_pool *pool, mape_function_id function, struct fault_item *items, uint64_t count,
                       const mape_job_config *config) {
    struct work work = {.pool = pool, .items = items, .count = count};
    work.told = calloc(count + 1, sizeof *work.told);
    mape_job_config own = MAPE_JOB_CONFIG_INIT;
    if (config != NULL) own = *config;
    static unsigned begun;
    own.deliver = (begun++ % 2 && !own.drop ? MAPE_DELIVER_RANGES : MAPE_DELIVER_ITEMS) | MAPE_DELIVER_DONE;
    work.job = mapped(pool, function, items, count, sizeof *items, &own);
    mape_event event = MAPE_EVENT_INIT;
    work.hears = mape_pool_next_event(&event, pool, 0) != MAPE_E_BUSY;
    hear(&work, &event);
    return work;
}

void work_wait(struct work *work) {
    stage("waiting for a job of %llu items", (unsigned long long)work->count);
    is_ok(work->pool, mape_job_wait(work->job, 2 * PATIENCE));
    mape_progress progress = progress_of(work->job);
    assert_int_equal(progress.is_done, 1);
    assert_int_equal(progress.done, work->count);
    assert_int_equal(progress.ok + progress.failed + progress.crashed + progress.timed_out + progress.cancelled +
                         progress.abandoned,
                     work->count);
    if (!work->hears) return;
    for (;;) {
        mape_event event = MAPE_EVENT_INIT;
        int status = mape_pool_next_event(&event, work->pool, 0);
        if (status == MAPE_E_AGAIN) break;
        is_ok(work->pool, status);
        if (event.type == MAPE_EVENT_LOG) fprintf(stderr, "pool: %s\n", event.text); /* Read when the row fails. */
        hear(work, &event);
    }
    assert_int_equal(work->done_told, 1);
    for (uint64_t i = 0; i < work->count; i++)
        if (work->told[i] != 1) fail_msg("item %llu was told %u times", (unsigned long long)i, work->told[i]);
}

static void item_is_right(struct work *work, uint64_t i) {
    if (work->items[i].way == FAULT_BIG_OUTPUT) {
        mape_result result = result_of(work->job, i);
        assert_int_equal(result.state, MAPE_ITEM_OK);
        assert_int_equal(result.size, 1u << 20);
        const unsigned char *bytes = result.data;
        for (size_t at = 0; at < result.size; at += 511) assert_int_equal(bytes[at], work->items[i].value & 0xff);
        return;
    }
    uint64_t square = work->items[i].value * work->items[i].value;
    result_is(work->job, i, &square, sizeof square);
}

static bool goes_well(uint32_t way) {
    return way == WAY_WELL ||
           (way >= FAULT_GATE && way != FAULT_GRANDCHILD_DIES && way != FAULT_GRANDCHILD_LOOPS &&
            way != FAULT_ESCAPED_DIES && way != FAULT_HUNGRY && way != FAULT_DEAF_TERM && way != FAULT_KILL_ZYGOTE);
}

void work_check(struct work *work, struct ending ending, uint32_t attempts) {
    for (uint64_t i = 0; i < work->count; i++) {
        if (goes_well(work->items[i].way)) {
            item_is_right(work, i);
            continue;
        }
        result_ended(work->job, i, ending.state, ending.cause, ending.code);
        if (attempts > 0) assert_int_equal(result_of(work->job, i).attempts, attempts);
        assert_string_not_equal(result_of(work->job, i).message, "");
    }
}

uint64_t work_check_some(struct work *work, struct ending ending) {
    uint64_t lost = 0;
    for (uint64_t i = 0; i < work->count; i++) {
        mape_result result = result_of(work->job, i);
        if (result.state == MAPE_ITEM_OK) item_is_right(work, i);
        else {
            result_ended(work->job, i, ending.state, ending.cause, ending.code);
            lost++;
        }
    }
    return lost;
}

void work_end(struct work *work) {
    is_ok(work->pool, mape_job_release(work->job));
    free(work->told);
    free(work->items);
    memset(work, 0, sizeof *work);
}

void pool_works(mape_pool *pool) {
    uint64_t *values = numbers(3000);
    mape_job *job = mapped(pool, registered(pool, run_square), values, 3000, sizeof *values, NULL);
    stage("waiting for a job after the fault");
    is_ok(pool, mape_job_wait(job, PATIENCE));
    squares_are_right(job, values, 3000);
    is_ok(pool, mape_job_release(job));
    free(values);
    wait_until(stats_of(pool).workers_ready == stats_of(pool).workers);
}

void cleanups_began(const struct row *row) {
    int64_t cleanups = atomic_load(&shared_page()->cleanups);
    if (row->fault->value == WAY_LOOP) assert_in_range(cleanups, 1, row->workers);
    else assert_int_equal(cleanups, row->workers);
}

/* ---- functions that fail as planned ---- */

struct plan plan_of(void) {
    struct plan plan = {.setup_way = WAY_WELL};
    snprintf(plan.path, sizeof plan.path, "%s", shared_path());
    return plan;
}

static mape_function_id with_plan(mape_pool *pool, const struct plan *plan, mape_run_fn run, mape_run_range_fn range) {
    struct plan none = plan_of();
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.name = "planned";
    description.run = run;
    description.run_range = range;
    description.setup = setup_planned;
    description.cleanup = cleanup_planned;
    description.data = plan != NULL ? plan : &none;
    description.data_size = sizeof none;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

mape_function_id planned(mape_pool *pool, const struct plan *plan) { return with_plan(pool, plan, run_planned, NULL); }
mape_function_id planned_run(mape_pool *pool, mape_run_fn run) { return with_plan(pool, NULL, run, NULL); }
mape_function_id planned_range(mape_pool *pool, const struct plan *plan, mape_run_range_fn run) {
    return with_plan(pool, plan, NULL, run);
}

struct ending ending_of(uint32_t way) {
    struct ending ending = {MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, 0};
    switch (way) {
    case WAY_SEGFAULT:
    case WAY_OVERFLOW:
    case WAY_WRITE_INPUT:
    case FAULT_HUNGRY: ending.code = SIGSEGV; break;
    case WAY_ABORT: ending.code = SIGABRT; break;
    case WAY_DIVIDE: ending.code = SIGFPE; break;
    case WAY_KILL:
    case WAY_OUTPUT_DIES:
    case FAULT_GRANDCHILD_DIES:
    case FAULT_ESCAPED_DIES: ending.code = SIGKILL; break;
    case WAY_EXIT_0: ending = (struct ending){MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 0}; break;
    case WAY_EXIT_99: ending = (struct ending){MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 99}; break;
    case WAY_EXIT_NORMAL: ending = (struct ending){MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 5}; break;
    case WAY_EXEC: ending = (struct ending){MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 1}; break;
    default: fail_msg("way %u is no death", way);
    }
    return ending;
}

pid_t runner_of(uint64_t value) { return (pid_t)(atomic_load(&shared_page()->order[value]) >> 32); }
