/* waits.c - threads of the host that copy, wait, are cancelled, or leave a callback by a jump. Cases 63 to 66.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <pthread.h>
#include <signal.h>

/* ---- case 63: the main thread beside one that copies without end ---- */

enum copies { MAPS, GATHERS, PUSHES };

struct copying {
    mape_pool *pool;
    mape_function_id function;
    enum copies what;
    size_t bytes;
    char *memory;
    mape_job *done, *stream;
    _Atomic int copies;
    _Atomic bool ends;
    int status;
};

static void copy_once(struct copying *c) {
    mape_items items = items_at(c->memory, c->bytes / 4096, 4096);
    mape_span span = {c->memory, c->bytes};
    mape_job *job = NULL;
    switch (c->what) {
    case MAPS:
        c->status = mape_map(&job, c->pool, c->function, &items, NULL);
        mape_job_release(job);
        break;
    case GATHERS: c->status = mape_job_gather(c->memory, c->bytes, 4096, NULL, c->done); break;
    case PUSHES:
        c->status = mape_stream_push(NULL, c->stream, &span, 1);
        if (c->status == MAPE_E_AGAIN || c->status == MAPE_E_MEMORY) c->status = MAPE_OK;
        break;
    }
    atomic_fetch_add(&c->copies, 1);
}

static void *copy_for_ever(void *context) {
    struct copying *c = context;
    while (!atomic_load(&c->ends) && c->status == MAPE_OK) copy_once(c);
    atomic_store(&c->ends, true);
    return NULL;
}

static int64_t longest_of[5];
static void measured(int which, int64_t begun) {
    int64_t took = now_ns() - begun;
    if (took > longest_of[which]) longest_of[which] = took;
}

/** One thread copies again and again; the main thread makes its calls. As it stood still for a whole copy once, and starved besides, it
 *  came to less than one round for each. No clock: how often each comes to its turn is what is compared. */
static void main_thread_beside_copies(const struct row *row) {
    static struct copying c;
    c.what = (enum copies)row->fault->value, c.pool = row_pool();
    c.bytes = (size_t)(whole_grid() ? 256 : 64) << 20, c.memory = calloc(1, c.bytes);
    assert_non_null(c.memory);
    memset(c.memory, 1, c.bytes);
    c.function = registered(c.pool, c.what == GATHERS ? run_echo : run_nothing);
    if (c.what == GATHERS) {
        c.done = mapped(c.pool, c.function, c.memory, c.bytes / 4096, 4096, NULL);
        wait_for(c.done);
    }
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    if (c.what == PUSHES) is_ok(c.pool, mape_stream_open(&c.stream, c.pool, c.function, &config));
    uint64_t value = 3;
    mape_job *watched = applied(c.pool, c.function, &value, sizeof value);
    wait_for(watched);
    memset(longest_of, 0, sizeof longest_of);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, copy_for_ever, &c), 0);
    uint64_t rounds = 0;
    int64_t began = now_ns();
    while (!atomic_load(&c.ends)) {
        stage("round %llu beside %d copies", (unsigned long long)rounds, atomic_load(&c.copies));
        mape_event event = MAPE_EVENT_INIT;
        mape_progress progress = MAPE_PROGRESS_INIT;
        mape_job *job = NULL;
        int64_t t = now_ns();
        mape_pool_dispatch(c.pool, 0, 0);
        measured(0, t), t = now_ns();
        mape_pool_next_event(&event, c.pool, 0);
        measured(1, t), t = now_ns();
        mape_job_progress(&progress, watched);
        measured(2, t);
        mape_apply(&job, c.pool, c.function, &value, sizeof value, NULL);
        t = now_ns();
        mape_job_cancel(job);
        measured(3, t);
        mape_job_release(job);
        rounds++;
        if (atomic_load(&c.copies) >= 20 || rounds > 3000000) atomic_store(&c.ends, true);
    }
    int64_t all = now_ns() - began;
    pthread_join(thread, NULL);
    assert_int_equal(c.status, MAPE_OK);
    row_note("%llu rounds beside %d copies of %.1f ms; longest: dispatch %.2f ms, next_event %.2f, progress %.2f, "
             "cancel %.2f",
             (unsigned long long)rounds, c.copies, (double)all / 1e6 / (c.copies ? c.copies : 1),
             (double)longest_of[0] / 1e6, (double)longest_of[1] / 1e6, (double)longest_of[2] / 1e6,
             (double)longest_of[3] / 1e6);
    assert_true(rounds >= 20u * (unsigned)c.copies);
    int64_t before = now_ns();
    is_ok(c.pool, mape_job_release(watched));
    if (c.done) is_ok(c.pool, mape_job_release(c.done));
    if (c.stream) is_ok(c.pool, mape_job_release(c.stream));
    measured(4, before);
    free(c.memory);
    pool_works(c.pool);
}

/* ---- cases 64 and 66: threads that wait ---- */

struct waiting {
    mape_pool *pool;
    mape_job *job;
    bool events, async;
    int status;
    _Atomic bool inside;
};

static void *wait_for_ever(void *context) {
    struct waiting *w = context;
    if (w->async) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    atomic_store(&w->inside, true);
    mape_event event = MAPE_EVENT_INIT;
    if (!w->events) w->status = mape_job_wait(w->job, MAPE_FOREVER);
    else do
            w->status = mape_pool_next_event(&event, w->pool, MAPE_FOREVER);
        while (w->status == MAPE_OK);
    return NULL;
}

/** Threads wait for a job of which every fifth item kills its worker, and are cancelled; nobody else hears of it. */
static void waiting_threads_are_cancelled(const struct row *row) {
    mape_pool *pool = row_pool();
    struct fault_item *items = well_items(200);
    for (int i = 0; i < 200; i += 5) items[i].way = WAY_KILL;
    struct work work = work_begun(pool, planned(pool, NULL), items, 200, NULL);
    struct waiting waiters[4];
    for (int round = 0; round < 3; round++) {
        pthread_t threads[COUNT(waiters)];
        for (size_t i = 0; i < COUNT(waiters); i++) {
            /* Events would be lost with the thread that has fetched them. */
            waiters[i] = (struct waiting){pool, work.job, false, row->fault->value != 0, 0, false};
            assert_int_equal(pthread_create(&threads[i], NULL, wait_for_ever, &waiters[i]), 0);
        }
        for (size_t i = 0; i < COUNT(waiters); i++) {
            short_nap();
            pthread_cancel(threads[i]);
        }
        stage("joining in round %d", round);
        for (size_t i = 0; i < COUNT(waiters); i++) pthread_join(threads[i], NULL);
    }
    work_wait(&work);
    work_check(&work, KILLED, 1);
    work_end(&work);
    pool_works(pool);
}

/** Threads wait for items that do not end, and for events; the pool ends. */
static void pool_ends_while_threads_wait(const struct row *row) {
    static struct waiting waiters[3];
    mape_pool *pool = row_pool();
    mape_function_id function = registered(pool, run_fault);
    struct fault_item sleeps = {0, WAY_SLEEP, 0};
    mape_job *job = mapped(pool, function, &sleeps, 1, sizeof sleeps, NULL);
    wait_until(progress_of(job).running > 0);
    pthread_t threads[COUNT(waiters)];
    for (size_t i = 0; i < COUNT(waiters); i++) {
        waiters[i] = (struct waiting){pool, job, i == 0, false, 0, false};
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_ever, &waiters[i]), 0);
        wait_until(atomic_load(&waiters[i].inside));
    }
    for (int i = 0; i < 30; i++) short_nap();
    switch (row->fault->value) {
    case 0: mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, 0); break;
    case 1: kill_process(stats_of(pool).zygote_pid); break;
    default: row_pool_gone(); pool_close(pool);
    }
    stage("joining");
    for (size_t i = 0; i < COUNT(waiters); i++) pthread_join(threads[i], NULL);
    int events = waiters[0].status;
    assert_true(row->fault->value == 1 ? events == MAPE_E_WORKERS : events == MAPE_E_CLOSED || events == MAPE_E_HANDLE);
    for (size_t i = 1; i < COUNT(waiters); i++)
        assert_true(waiters[i].status == MAPE_OK || (row->fault->value == 2 && waiters[i].status == MAPE_E_HANDLE));
}

/* ---- case 65: a callback that does not come back ---- */

static jmp_buf out;
static uint32_t told[200];

static void leaving_item(void *context, const mape_event *event) {
    told[event->index]++;
    if (event->index % 7 != 3) return;
    if (context) pthread_exit(NULL);
    longjmp(out, 1);
}

static void *dispatch_once(void *pool) {
    mape_pool_dispatch(pool, 0, 0);
    return NULL;
}

static void callbacks_are_left(const struct row *row) {
    mape_pool *pool = row_pool();
    struct fault_item *items = well_items(200);
    for (int i = 0; i < 200; i += 9) items[i].way = WAY_KILL;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.on_item = leaving_item;
    config.context = row->fault->value ? pool : NULL;
    memset(told, 0, sizeof told);
    mape_job *job = mapped(pool, planned(pool, NULL), items, 200, sizeof *items, &config);
    for (volatile uint64_t left = 200; left > 0;) {
        stage("%llu items are still to be told", (unsigned long long)left);
        if (row->fault->value) {
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, dispatch_once, pool), 0);
            pthread_join(thread, NULL);
        } else if (setjmp(out) == 0) {
            int status = mape_pool_dispatch(pool, 0, 0);
            if (status < 0) fail_msg("%s", message_of(pool));
        }
        uint64_t untold = 0;
        for (int i = 0; i < 200; i++) untold += told[i] == 0;
        left = untold;
    }
    for (int i = 0; i < 200; i++)
        if (told[i] != 1) fail_msg("item %d was told %u times", i, told[i]);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    assert_int_equal(progress_of(job).ok, 200 - 23);
    is_ok(pool, mape_job_release(job));
    free(items);
    assert_true(mape_pool_dispatch(pool, 0, 0) >= 0);
    pool_works(pool);
}

static void short_grace(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->grace_ns = MAPE_MILLISECONDS(100);
}

static void roomy(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->grace_ns = MAPE_MILLISECONDS(100);
    config->input_reserve = (size_t)4 << 30;
    config->output_reserve = (size_t)1 << 30;
}

static const struct fault waits[] = {
    {63, "maps", main_thread_beside_copies, BIRTHS, W2, 0, MAPS, roomy, 300},
    {63, "gathers", main_thread_beside_copies, BIRTHS, W2, 0, GATHERS, roomy, 300},
    {63, "pushes to a stream", main_thread_beside_copies, BIRTHS, W2, 0, PUSHES, roomy, 300},
    {64, "deferred", waiting_threads_are_cancelled, BIRTHS, W_ALL, 0, 0, NULL, 0},
    {64, "asynchronous", waiting_threads_are_cancelled, BIRTHS, W_ALL, 0, 1, NULL, 0},
    {65, "by longjmp", callbacks_are_left, BIRTHS, W_ALL, 0, 0, NULL, 0},
    {65, "by the end of its thread", callbacks_are_left, BIRTHS, W2, 0, 1, NULL, 0},
    {66, "by a shutdown", pool_ends_while_threads_wait, BIRTHS, W_ALL, 0, 0, short_grace, 0},
    {66, "by the zygote's death", pool_ends_while_threads_wait, IN_FORK, W_ALL, 0, 1, short_grace, 0},
    {66, "by destroying it", pool_ends_while_threads_wait, BIRTHS, W_ALL, 0, 2, short_grace, 0},
};
TABLE(waits);
