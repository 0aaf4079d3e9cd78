/* scale.c - recycling, many workers, many items. Cases 49 to 53.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <pthread.h>
#include <signal.h>

/* ---- cases 49 and 50 ---- */

static void short_lives(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->items_per_worker = 7;
    config->restarts = 100000;
}

struct killer {
    mape_pool *pool;
    uint32_t workers, seed, slowest; /**< Milliseconds between two kills, at most. */
    _Atomic int stop;
    _Atomic uint64_t kills;
};

/** Kills a worker every few milliseconds. A pid is read and used at once; the pool replaces workers, not the test. */
static void *kill_workers(void *context) {
    struct killer *self = context;
    uint32_t seed = self->seed;
    while (!atomic_load(&self->stop)) {
        mape_worker_info worker = MAPE_WORKER_INFO_INIT;
        seed = seed * 1664525u + 1013904223u;
        if (mape_pool_worker(&worker, self->pool, (seed >> 16) % self->workers) == MAPE_OK && worker.pid > 1)
            self->kills += kill(worker.pid, SIGKILL) == 0;
        usleep(1000 + (seed >> 8) % (self->slowest * 1000));
    }
    return NULL;
}

static void recycling(const struct row *row) {
    const bool kills = row->fault->number == 50;
    struct plan plan = plan_of();
    plan.cleanup_way = FAULT_SLOW, plan.cleanup_times = UINT32_MAX;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, &plan);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct killer killer = {.pool = pool, .workers = row->workers, .seed = row_seed(), .slowest = 10};
    pthread_t thread;
    if (kills) assert_int_equal(pthread_create(&thread, NULL, kill_workers, &killer), 0);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 200;
    config.chunk = row->fault->value;
    struct work works[4];
    for (int k = 0; k < 4; k++) works[k] = work_begun(pool, function, well_items(300), 300, &config);
    int status = MAPE_OK;
    for (int k = 0; k < 4 && status == MAPE_OK; k++) {
        stage("job %d of 4, %s", k, kills ? "under kills" : "");
        status = mape_job_wait(works[k].job, 2 * PATIENCE);
    }
    atomic_store(&killer.stop, 1);
    if (kills) pthread_join(thread, NULL);
    is_ok(pool, status);
    if (works[0].hears)
        works[0].hears = works[1].hears = works[2].hears = works[3].hears = false; /* Events are mixed. */
    for (int k = 0; k < 4; k++) {
        work_wait(&works[k]);
        work_check(&works[k], KILLED, 0);
        work_end(&works[k]);
    }
    if (!kills) assert_int_equal(stats_of(pool).workers_died, 0);
    if (!kills) assert_int_equal(atomic_load(&shared_page()->entered), 1200);
    mape_stats stats = stats_of(pool);
    assert_true(stats.workers_started > row->workers);
    row_note("%llu workers started, %llu died", (unsigned long long)stats.workers_started,
             (unsigned long long)stats.workers_died);
    pool_works(pool);
}

/* ---- case 51 ---- */

static void two_hundred(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->workers = 200;
}

static void many_workers(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    struct fault_item *items = well_items(1000);
    for (uint64_t i = 0; i < 1000; i++) items[i].way = i == 500 ? (uint32_t)WAY_SEGFAULT : (uint32_t)FAULT_SLOW;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    struct work work = work_begun(pool, planned(pool, NULL), items, 1000, &config);
    work_wait(&work);
    work_check(&work, ending_of(WAY_SEGFAULT), 1);
    work_end(&work);
    wait_until(stats_of(pool).workers_ready == 200);
}

/* ---- case 52 ---- */

static void any_restarts(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->restarts = 1000000;
}

static void kills_among_a_million(const struct row *row) {
    const uint64_t count = row->fault->value;
    mape_pool *pool = row_pool();
    mape_function_id function = registered(pool, run_square);
    struct killer killer = {.pool = pool, .workers = row->workers, .seed = row_seed(), .slowest = 6};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_workers, &killer), 0);
    uint64_t *values = numbers(count), done = 0;
    uint32_t *told = calloc(count, sizeof *told);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 1000;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    mape_items items = items_at(values, count, sizeof *values);
    mape_job *job = NULL;
    uint64_t wrong = 0, dones = 0;
    int status = mape_map(&job, pool, function, &items, &config);
    stage("hearing of %llu items under kills", (unsigned long long)count);
    while (status == MAPE_OK && dones == 0) {
        mape_event event = MAPE_EVENT_INIT;
        status = mape_pool_next_event(&event, pool, 2 * PATIENCE);
        if (event.type == MAPE_EVENT_DONE) dones++;
        if (event.type != MAPE_EVENT_ITEM) continue;
        done++;
        if (event.index >= count || event.result.state != MAPE_ITEM_OK || event.result.size != sizeof *values) wrong++;
        else {
            told[event.index]++;
            uint64_t value = values[event.index], square;
            memcpy(&square, event.result.data, sizeof square);
            wrong += square != value * value;
        }
    }
    atomic_store(&killer.stop, 1);
    pthread_join(thread, NULL);
    is_ok(pool, status);
    assert_int_equal(wrong, 0);
    assert_int_equal(done, count);
    for (uint64_t i = 0; i < count; i++)
        if (told[i] != 1) fail_msg("item %llu was told %u times", (unsigned long long)i, told[i]);
    squares_are_right(job, values, count);
    row_note("%llu kills, %llu deaths", (unsigned long long)killer.kills,
             (unsigned long long)stats_of(pool).workers_died);
    is_ok(pool, mape_job_release(job));
    free(values);
    free(told);
    pool_works(pool);
}

/* ---- case 53 ---- */

struct stream_sums {
    uint64_t heard, wrong;
};

static void hear(void *context, const mape_event *event) {
    struct stream_sums *sums = context;
    uint64_t square = 0;
    if (event->result.size == sizeof square) memcpy(&square, event->result.data, sizeof square);
    sums->wrong +=
        event->result.state != MAPE_ITEM_OK || event->index != sums->heard || square != event->index * event->index;
    sums->heard++;
}

static void a_long_stream(const struct row *row) {
    const uint64_t count = row->fault->value;
    enum { BATCH = 512 };
    mape_pool *pool = row_pool();
    struct stream_sums sums = {0};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.ordered = 1;
    config.window = 32768;
    config.on_item = hear;
    config.context = &sums;
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, registered(pool, run_square), &config));
    uint64_t values[BATCH], pushed = 0, early = 0, most_shared = 0;
    mape_span spans[BATCH];
    for (int64_t moved = now_ns(); sums.heard < count;) {
        size_t some = count - pushed < BATCH ? (size_t)(count - pushed) : BATCH, accepted = 0;
        for (size_t i = 0; i < some; i++) {
            values[i] = pushed + i;
            spans[i] = (mape_span){&values[i], sizeof values[i]};
        }
        int status = some > 0 ? mape_stream_push(&accepted, stream, spans, some) : MAPE_OK;
        if (status != MAPE_E_AGAIN) is_ok(pool, status);
        pushed += accepted;
        int handled = mape_pool_dispatch(pool, 0, 0);
        assert_true(handled >= 0);
        if (accepted > 0 || handled > 0) moved = now_ns();
        else if (now_ns() - moved > PATIENCE) fail_msg("the stream stands still at %llu", (unsigned long long)pushed);
        else usleep(50);
        if (pushed % 65536 < BATCH) {
            mape_stats stats = stats_of(pool);
            stage("%llu of %llu", (unsigned long long)sums.heard, (unsigned long long)count);
            if (stats.input_bytes + stats.output_bytes > most_shared)
                most_shared = stats.input_bytes + stats.output_bytes;
            if (early == 0 && pushed > count / 4) early = (uint64_t)proc_status(getpid(), "VmRSS:");
        }
    }
    uint64_t late = (uint64_t)proc_status(getpid(), "VmRSS:");
    assert_int_equal(sums.wrong, 0);
    is_ok(pool, mape_stream_finish(stream));
    wait_for(stream);
    mape_pool_dispatch(pool, 0, 0);
    assert_int_equal(sums.heard, count);
    assert_int_equal(progress_of(stream).ok, count);
    /* The last three quarters of the stream cost no memory, but for what the allocator may keep. */
    assert_true(late < early + 16384);
    assert_true(most_shared < 64u << 20);
    row_note("resident %llu KiB at a quarter, %llu KiB at the end; shared memory %llu KiB at most",
             (unsigned long long)early, (unsigned long long)late, (unsigned long long)most_shared >> 10);
    is_ok(pool, mape_job_release(stream));
    pool_works(pool);
}

static const struct fault scale[] = {
    {49, "ranges of one item", recycling, BIRTHS, W_ALL, CALLBACK, 1, short_lives, 120},
    {49, "ranges chosen by the pool", recycling, BIRTHS, W_ALL, 0, 0, short_lives, 120},
    {50, "at any moment", recycling, BIRTHS, W_ALL, CALLBACK, 1, short_lives, 120},
    {51, "one with a crash among them", many_workers, BIRTHS, 0, CALLBACK, 0, two_hundred, 120},
    {52, "1,000,000 items", kills_among_a_million, BIRTHS, W_ALL, 0, 1000000, any_restarts, 300},
    {53, "3,000,000 items", a_long_stream, BIRTHS, W2 | W5, 0, 3000000, NULL, 120},
    {53, "100,000,000 items", a_long_stream, BIRTHS, W2, WHOLE, 100000000, NULL, 1500},
};
TABLE(scale);
