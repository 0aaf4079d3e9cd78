/* support_trace.h - what the tests of traces share: events that were read, and what holds for all of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SUPPORT_TRACE_H
#define SUPPORT_TRACE_H

#include "support_native.h"

#define MOST 20000
static mape_trace_event events[MOST];
static size_t read_events; /**< How many of `events` are filled. */

/** Reads what there is, behind what was read before in this test. Returns how many events were lost. */
static inline uint64_t read_on(mape_pool *pool) {
    uint64_t lost = 0, all = 0;
    size_t count = 1;
    while (count > 0) {
        events[read_events].struct_size = sizeof *events;
        is_ok(pool, mape_pool_trace_read(&events[read_events], MOST - read_events, &count, &lost, pool));
        read_events += count, all += lost;
    }
    return all;
}

static inline uint64_t read_all(mape_pool *pool) {
    read_events = 0;
    return read_on(pool);
}

/** How many events there are of a kind; with a job's number, of that job. */
static inline size_t count_of(uint32_t kind, uint64_t job) {
    size_t count = 0;
    for (size_t i = 0; i < read_events; i++) count += events[i].kind == kind && (job == 0 || events[i].job == job);
    return count;
}

/** The only event of a kind, or the first in a state. */
static inline const mape_trace_event *find(uint32_t kind, int state) {
    for (size_t i = 0; i < read_events; i++)
        if (events[i].kind == kind && (state < 0 || events[i].state == (uint32_t)state)) return &events[i];
    return NULL;
}

static inline const mape_trace_event *found(uint32_t kind, int state) {
    const mape_trace_event *event = find(kind, state);
    if (event == NULL) fail_msg("there is no event of kind %u in state %d", kind, state);
    return event;
}

/** What holds for all events: times within the trace, texts that can be read, and workers that do one thing at a time. */
static inline void are_sound(int64_t most) {
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

static inline mape_pool *traced(uint32_t birth, uint32_t workers) {
    mape_pool *pool = pool_open(birth, workers);
    is_ok(pool, mape_pool_trace_start(pool, NULL));
    return pool;
}

static inline mape_function_id named(mape_pool *pool, mape_run_fn run, const char *name) {
    mape_function function = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    function.run = run, function.name = name;
    is_ok(pool, mape_function_register(&id, pool, &function));
    return id;
}

#endif
