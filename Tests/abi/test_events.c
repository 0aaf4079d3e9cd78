/* test_events.c - dispatch, pulling, the event descriptor, the wakeup hook, and the order and limits of events.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/** What callbacks have seen; checks come later, outside of them. */
struct seen {
    mape_pool *pool;
    uint64_t items, done, progress, wrong, next, out_of_order, most_done;
    unsigned char *times;
    int nested_dispatch, nested_pull;
    _Atomic int inside, leave;
};

static void see_item(void *context, const mape_event *event) {
    struct seen *seen = context;
    if (event->type != MAPE_EVENT_ITEM || event->struct_size != sizeof *event || event->context != context)
        seen->wrong++;
    if (event->result.message == NULL || seen->done > 0) seen->wrong++;
    if (event->index != seen->next++) seen->out_of_order++;
    if (seen->times != NULL) seen->times[event->index]++;
    seen->items++;
}

static void see_done(void *context, const mape_event *event) {
    struct seen *seen = context;
    if (event->type != MAPE_EVENT_DONE || event->progress.is_done != 1 || event->context != context) seen->wrong++;
    seen->done++;
}

static void see_progress(void *context, const mape_event *event) {
    struct seen *seen = context;
    const mape_progress *progress = &event->progress;
    if (event->type != MAPE_EVENT_PROGRESS || seen->done > 0) seen->wrong++;
    if (progress->done < seen->most_done || progress->done > progress->total) seen->wrong++;
    if (progress->fraction < 0 || progress->fraction > 1) seen->wrong++;
    seen->most_done = progress->done;
    seen->progress++;
}

static mape_job_config seeing(struct seen *seen) {
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.context = seen;
    config.on_item = see_item;
    config.on_done = see_done;
    return config;
}

static void every_item_is_told_once_and_done_comes_last(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 3);
    uint64_t *values = numbers(20000);
    mape_function_id function = registered(pool, run_square);
    for (uint32_t ordered = 0; ordered < 2; ordered++) {
        struct seen seen = {.times = calloc(20000, 1)};
        mape_job_config config = seeing(&seen);
        config.ordered = ordered;
        config.on_progress = see_progress;
        config.progress_interval_ns = 1;
        mape_job *job = mapped(pool, function, values, 20000, sizeof *values, &config);
        dispatch_until_done(pool, job);
        assert_int_equal(seen.items, 20000);
        assert_int_equal(seen.done, 1);
        assert_int_equal(seen.wrong, 0);
        if (ordered) assert_int_equal(seen.out_of_order, 0);
        for (int i = 0; i < 20000; i++) assert_int_equal(seen.times[i], 1);
        squares_are_right(job, values, 20000); /* Results that are not dropped stay after their event. */
        free(seen.times);
    }
    free(values);
    pool_close(pool);
}

static void dropped_results_are_gone_and_at_most_window_of_them_wait(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    uint64_t *values = numbers(3000);
    struct seen seen = {.times = calloc(3000, 1)};
    mape_job_config config = seeing(&seen);
    config.drop = 1;
    config.window = 16;
    mape_job *job = mapped(pool, registered(pool, run_square), values, 3000, sizeof *values, &config);
    wait_until(progress_of(job).undelivered > 0);
    for (int i = 0; i < 50; i++, short_nap()) assert_true(progress_of(job).undelivered <= 16);
    assert_int_equal(progress_of(job).is_done, 0);
    mape_result result = MAPE_RESULT_INIT;
    is_status(pool, MAPE_E_STATE, mape_job_result(&result, job, 0));
    dispatch_until_done(pool, job);
    assert_int_equal(seen.items, 3000);
    assert_int_equal(seen.wrong, 0);
    for (int i = 0; i < 3000; i++) assert_int_equal(seen.times[i], 1);
    is_status(pool, MAPE_E_STATE, mape_job_gather(values, 3000 * 8, 8, NULL, job));
    free(seen.times);
    free(values);
    pool_close(pool);
}

static void dispatch_handles_no_more_than_it_was_told_to(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    uint64_t *values = numbers(20);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    assert_int_equal(mape_pool_dispatch(pool, 0, 0), 0);
    mape_job *job = mapped(pool, registered(pool, run_square), values, 20, sizeof *values, &config);
    wait_for(job);
    assert_int_equal(seen.items, 0); /* Callbacks run in dispatch alone. */
    assert_int_equal(progress_of(job).undelivered, 20);
    assert_int_equal(mape_pool_dispatch(pool, 3, 0), 3);
    assert_int_equal(seen.items, 3);
    assert_int_equal(mape_pool_dispatch(pool, 0, 1), 1); /* The first callback passes a nanosecond. */
    assert_int_equal(mape_pool_dispatch(pool, 5, 1), 1);
    assert_int_equal(mape_pool_dispatch(pool, 1000, MAPE_SECONDS(1000)), 16);
    assert_int_equal(seen.items, 20);
    assert_int_equal(seen.done, 1);
    assert_int_equal(mape_pool_dispatch(pool, 0, -1), 0);
    free(values);
    pool_close(pool);
}

static void pulled_events_carry_everything_and_waiting_has_an_end(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_event event = MAPE_EVENT_INIT;
    is_status(pool, MAPE_E_AGAIN, mape_pool_next_event(&event, pool, 0));
    is_status(pool, MAPE_E_TIMEOUT, mape_pool_next_event(&event, pool, MAPE_MILLISECONDS(5)));
    int context = 0;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.context = &context;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    uint64_t value = 11, square = 121;
    mape_job *job =
        mapped(pool, registered_shared(pool, run_gated, setup_shared, NULL), &value, 1, sizeof value, &config);
    is_status(pool, MAPE_E_TIMEOUT, mape_pool_next_event(&event, pool, MAPE_MILLISECONDS(5)));
    atomic_store(&shared->gate, 1);
    is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
    assert_int_equal(event.type, MAPE_EVENT_ITEM);
    assert_ptr_equal(event.job, job);
    assert_ptr_equal(event.context, &context);
    assert_int_equal(event.index, 0);
    assert_int_equal(event.code, 0);
    assert_int_equal(event.result.state, MAPE_ITEM_OK);
    assert_int_equal(event.result.attempts, 1);
    assert_int_equal(event.result.size, sizeof square);
    assert_memory_equal(event.result.data, &square, sizeof square);
    is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
    assert_int_equal(event.type, MAPE_EVENT_DONE);
    assert_ptr_equal(event.job, job);
    assert_int_equal(event.progress.ok, 1);
    assert_int_equal(event.progress.total, 1);
    is_status(pool, MAPE_E_AGAIN, mape_pool_next_event(&event, pool, 0));
    pool_close(pool);
}

static bool readable(int fd, int milliseconds) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    return poll(&entry, 1, milliseconds) == 1 && (entry.revents & POLLIN) != 0;
}

static void event_fd_is_readable_while_there_are_events(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    int fd = -1, again = -1;
    is_ok(pool, mape_pool_event_fd(&fd, pool));
    is_ok(pool, mape_pool_event_fd(&again, pool));
    assert_true(fd >= 0);
    assert_int_equal(fd, again);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(5);
    for (int round = 0; round < 50; round++) {
        struct seen seen = {0};
        mape_job_config config = seeing(&seen);
        assert_false(readable(fd, 0));
        mape_job *job = mapped(pool, function, values, 5, sizeof *values, &config);
        stage("polling the event descriptor");
        assert_true(readable(fd, 40000));
        assert_true(readable(fd, 0)); /* Level-triggered: still, as nothing was fetched. */
        wait_for(job);
        for (int left = 6; left > 0; left--) {
            assert_true(readable(fd, 40000));
            assert_int_equal(mape_pool_dispatch(pool, 1, 0), 1);
        }
        assert_false(readable(fd, 0));
        assert_int_equal(seen.done, 1);
        is_ok(pool, mape_job_release(job));
    }
    free(values);
    pool_close(pool);
}

static void event_fd_made_after_the_events_shows_them(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    uint64_t value = 1;
    mape_job *job = mapped(pool, registered(pool, run_square), &value, 1, sizeof value, &config);
    wait_for(job);
    wait_until(progress_of(job).undelivered == 1);
    int fd = -1;
    is_ok(pool, mape_pool_event_fd(&fd, pool));
    assert_true(readable(fd, 40000));
    is_ok(pool, mape_job_release(job)); /* Its events go with it. */
    assert_int_equal(mape_pool_dispatch(pool, 0, 0), 0);
    assert_false(readable(fd, 0));
    assert_int_equal(seen.items + seen.done, 0);
    pool_close(pool);
}

static void count_wakeup(void *context) { atomic_fetch_add((_Atomic int *)context, 1); }

static void wakeup_is_called_when_events_come_after_none_and_never_after_removal(uint32_t birth) {
    _Atomic int first = 0, second = 0;
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    uint64_t value = 1;
    is_ok(pool, mape_pool_set_wakeup(pool, count_wakeup, (void *)&first));
    for (int round = 1; round <= 20; round++) {
        int before = atomic_load(&first);
        mape_job *job = mapped(pool, function, &value, 1, sizeof value, &config);
        wait_until(atomic_load(&first) > before);
        dispatch_until_done(pool, job);
    }
    is_ok(pool, mape_pool_set_wakeup(pool, count_wakeup, (void *)&second));
    int last = atomic_load(&first);
    mape_job *job = mapped(pool, function, &value, 1, sizeof value, &config);
    wait_until(atomic_load(&second) > 0);
    dispatch_until_done(pool, job);
    assert_int_equal(atomic_load(&first), last);
    is_ok(pool, mape_pool_set_wakeup(pool, NULL, NULL));
    last = atomic_load(&second);
    job = mapped(pool, function, &value, 1, sizeof value, &config);
    dispatch_until_done(pool, job);
    assert_int_equal(atomic_load(&second), last);
    pool_close(pool);
}

static void nest(void *context, const mape_event *event) {
    struct seen *seen = context;
    mape_event inner = MAPE_EVENT_INIT;
    (void)event;
    seen->nested_dispatch = mape_pool_dispatch(seen->pool, 0, 0);
    seen->nested_pull = mape_pool_next_event(&inner, seen->pool, 0);
    atomic_store(&seen->inside, 1);
    while (atomic_load(&seen->leave) == 0) short_nap();
}

static void *dispatch_once(void *context) {
    struct seen *seen = context;
    while (mape_pool_dispatch(seen->pool, 1, 0) == 0) short_nap();
    return NULL;
}

static void dispatch_inside_a_callback_or_beside_another_is_busy(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    struct seen seen = {.pool = pool};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.context = &seen;
    config.on_item = nest;
    uint64_t value = 1;
    mapped(pool, registered(pool, run_square), &value, 1, sizeof value, &config);
    pthread_t thread;
    pthread_create(&thread, NULL, dispatch_once, &seen);
    wait_until(atomic_load(&seen.inside) == 1);
    mape_event event = MAPE_EVENT_INIT;
    int beside = mape_pool_dispatch(pool, 0, 0), pulled = mape_pool_next_event(&event, pool, 0);
    mape_stats stats = MAPE_STATS_INIT;
    int other = mape_pool_stats(&stats, pool); /* Everything else may be called meanwhile. */
    atomic_store(&seen.leave, 1);
    pthread_join(thread, NULL);
    assert_int_equal(seen.nested_dispatch, MAPE_E_BUSY);
    assert_int_equal(seen.nested_pull, MAPE_E_BUSY);
    assert_int_equal(beside, MAPE_E_BUSY);
    assert_int_equal(pulled, MAPE_E_BUSY);
    assert_int_equal(other, MAPE_OK);
    assert_true(mape_pool_dispatch(pool, 0, 0) >= 0);
    pool_close(pool);
}

static void progress_of_a_running_item_is_told(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    config.on_progress = see_progress;
    config.progress_interval_ns = 1;
    uint64_t values[4] = {1, 2, 3, 4};
    mape_function_id function = registered_shared(pool, run_gated_progress, setup_shared, NULL);
    mape_job *job = mapped(pool, function, values, 4, sizeof values[0], &config);
    wait_until(progress_of(job).fraction > 0.1); /* Half of the first of four. */
    mape_progress progress = progress_of(job);
    assert_true(progress.fraction < 0.2);
    assert_int_equal(progress.total, 4);
    assert_int_equal(progress.done, 0);
    assert_true(progress.running >= 1 && progress.running <= 4);
    assert_true(progress.elapsed_ns > 0);
    assert_int_equal(progress.is_done, 0);
    atomic_store(&shared->gate, 1);
    dispatch_until_done(pool, job);
    progress = progress_of(job);
    assert_true(progress.fraction == 1.0);
    assert_int_equal(progress.done, 4);
    assert_int_equal(progress.running, 0);
    short_nap();
    assert_int_equal(progress_of(job).elapsed_ns, progress.elapsed_ns); /* Stands still. */
    assert_int_equal(seen.wrong, 0);
    pool_close(pool);
}

static void a_host_that_never_fetches_events_blocks_nothing(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered(pool, run_square);
    struct seen seen = {0};
    mape_job_config config = seeing(&seen);
    uint64_t *values = numbers(10000);
    for (int i = 0; i < 5; i++) {
        mape_job *job = mapped(pool, function, values, 10000, sizeof *values, &config);
        wait_for(job);
        squares_are_right(job, values, 10000);
    }
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_int_equal(seen.items, 0);
    free(values);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(every_item_is_told_once_and_done_comes_last),
        BOTH(dropped_results_are_gone_and_at_most_window_of_them_wait),
        BOTH(dispatch_handles_no_more_than_it_was_told_to),
        BOTH(pulled_events_carry_everything_and_waiting_has_an_end),
        BOTH(event_fd_is_readable_while_there_are_events),
        BOTH(event_fd_made_after_the_events_shows_them),
        BOTH(wakeup_is_called_when_events_come_after_none_and_never_after_removal),
        BOTH(dispatch_inside_a_callback_or_beside_another_is_busy),
        BOTH(progress_of_a_running_item_is_told),
        BOTH(a_host_that_never_fetches_events_blocks_nothing),
    };
    return run_abi_tests("events", tests, COUNT(tests));
}
