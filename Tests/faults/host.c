/* host.c - hosts that do what hosts do. Cases 34 to 39, 41 and 42.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* ---- case 34 ---- */

struct creation {
    const struct row *row;
    mape_pool *pool;
    mape_function_id function;
    mape_job *job;
    struct plan plan;
    struct fault_item items[200];
    int status;
};

static void *create_and_leave(void *context) {
    struct creation *self = context;
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.start = self->row->birth, config.workers = self->row->workers;
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_planned, description.setup = setup_planned, description.cleanup = cleanup_planned;
    description.data = &self->plan, description.data_size = sizeof self->plan;
    self->status = mape_pool_create(&self->pool, &config);
    if (self->status == MAPE_OK) self->status = mape_function_register(&self->function, self->pool, &description);
    if (self->status == MAPE_OK) self->status = mape_pool_start(self->pool, PATIENCE);
    if (self->status != MAPE_OK || self->row->fault->value == 0) return NULL;
    mape_items items = items_at(self->items, COUNT(self->items), sizeof self->items[0]);
    self->status = mape_map(&self->job, self->pool, self->function, &items, NULL);
    return NULL;
}

static void creator_exits(const struct row *row) {
    static struct creation creation;
    creation.row = row, creation.plan = plan_of();
    for (uint64_t i = 0; i < COUNT(creation.items); i++)
        creation.items[i] = (struct fault_item){i, row->fault->value == 1 ? (uint32_t)FAULT_GATE : WAY_WELL, 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, create_and_leave, &creation), 0);
    pthread_join(thread, NULL);
    pool_adopt(creation.pool);
    is_ok(creation.pool, creation.status);
    for (int i = 0; i < 50; i++) short_nap(); /* Whoever goes with the thread has gone now. */
    assert_int_equal(stats_of(creation.pool).workers_died, 0);
    atomic_store(&shared_page()->gate, 1);
    if (creation.job != NULL) {
        wait_for(creation.job);
        assert_int_equal(progress_of(creation.job).ok, COUNT(creation.items));
    }
    pool_works(creation.pool);
    assert_int_equal(stats_of(creation.pool).workers_died, 0);
    pool_close(creation.pool);
}

/* ---- case 35 ---- */

/** A pool's life with a death in it, and a replaced zygote where that can be. */
static void live(const struct row *row) {
    mape_pool *pool = row_pool();
    struct fault_item *items = well_items(100);
    items[30].way = WAY_KILL;
    struct work work = work_begun(pool, planned(pool, NULL), items, 100, NULL);
    work_wait(&work);
    work_check(&work, KILLED, 1);
    work_end(&work);
    if (row->birth == MAPE_START_EXEC) {
        kill_process(stats_of(pool).zygote_pid);
        wait_until(stats_of(pool).zygotes_started == 2);
    }
    pool_works(pool);
    pool_close(pool);
    row_pool_gone();
}

static void reap_all(int number) {
    (void)number;
    int saved = errno;
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    errno = saved;
}

static _Atomic int stop_reaping;

static void *reap_in_a_loop(void *unused) {
    (void)unused;
    while (!atomic_load(&stop_reaping))
        if (waitpid(-1, NULL, WNOHANG) <= 0) usleep(200);
    return NULL;
}

static void children_of_the_host(const struct row *row) {
    struct sigaction action = {.sa_handler = SIG_IGN}, before;
    pthread_t thread;
    if (row->fault->value == 1) action.sa_handler = SIG_DFL, action.sa_flags = SA_NOCLDWAIT;
    if (row->fault->value >= 2) action.sa_handler = reap_all, action.sa_flags = SA_RESTART;
    sigaction(SIGCHLD, &action, &before);
    if (row->fault->value == 3) assert_int_equal(pthread_create(&thread, NULL, reap_in_a_loop, NULL), 0);
    for (int i = 0; i < 3; i++) live(row);
    atomic_store(&stop_reaping, 1);
    if (row->fault->value == 3) pthread_join(thread, NULL);
    sigaction(SIGCHLD, &before, NULL);
}

/* ---- case 36 ---- */

enum child_way { CHILD_EXIT, CHILD_UNDERSCORE_EXIT, CHILD_EXEC, CHILD_QUICK_EXIT, CHILD_WAYS };

/** In the child: every call answers a status, and it ends. Its exit code tells what did not. */
static void be_child(mape_pool *pool, mape_job *job, mape_function_id function, int way) {
    mape_stats stats = MAPE_STATS_INIT;
    mape_event event = MAPE_EVENT_INIT;
    mape_job *none = NULL;
    uint64_t value = 1;
    int bad = 0;
    bad |= mape_pool_stats(&stats, pool) != MAPE_E_FORKED ? 1 : 0;
    bad |= mape_apply(&none, pool, function, &value, sizeof value, NULL) != MAPE_E_FORKED ? 2 : 0;
    bad |= mape_job_wait(job, MAPE_FOREVER) != MAPE_E_FORKED ? 4 : 0;
    bad |= mape_pool_next_event(&event, pool, MAPE_FOREVER) != MAPE_E_FORKED ? 8 : 0;
    bad |= mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, MAPE_FOREVER) != MAPE_E_FORKED ? 16 : 0;
    bad |= mape_pool_release(pool) != MAPE_E_FORKED ? 32 : 0;
    mape_pool *own = NULL;
    mape_job *own_job = NULL;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id square = 0;
    description.run = run_square;
    bool is_well = mape_pool_create(&own, NULL) == MAPE_OK &&
                   mape_function_register(&square, own, &description) == MAPE_OK &&
                   mape_apply(&own_job, own, square, &value, sizeof value, NULL) == MAPE_OK &&
                   mape_job_wait(own_job, PATIENCE) == MAPE_OK && mape_pool_release(own) == MAPE_OK;
    bad |= !is_well || mape_pool_stats(&stats, pool) != MAPE_E_FORKED ? 64 : 0;
    if (bad != 0) _exit(bad);
    if (way == CHILD_EXEC) execl("/bin/true", "true", (char *)NULL);
    if (way == CHILD_EXIT) exit(0);
    if (way == CHILD_QUICK_EXIT) quick_exit(0);
    _exit(way == CHILD_EXEC ? 127 : 0);
}

static void host_forks(const struct row *row) {
    struct shared *shared = shared_page();
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    const bool busy = row->fault->value == 1;
    struct fault_item *items = well_items(100);
    for (uint64_t i = 0; i < 100 && busy; i++) items[i].way = FAULT_GATE;
    struct work work = work_begun(pool, function, items, 100, NULL);
    if (busy) wait_until(atomic_load(&shared->entered) >= row->workers);
    else work_wait(&work);
    for (int way = 0; way < CHILD_WAYS; way++) {
        stage("a forked child that ends in way %d", way);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) be_child(pool, work.job, function, way);
        int status = helper_ended(child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    atomic_store(&shared->gate, 1);
    if (busy) work_wait(&work);
    work_check(&work, KILLED, 1);
    assert_int_equal(stats_of(pool).workers_died, 0);
    work_end(&work);
    pool_works(pool);
}

/* ---- case 37 ---- */

static _Atomic int stop_hammering;
static pthread_mutex_t hammered = PTHREAD_MUTEX_INITIALIZER;

static void *hammer(void *context) {
    const bool loader = *(const uint32_t *)context == 1;
    FILE *null = fopen("/dev/null", "we");
    for (unsigned round = 0; !atomic_load(&stop_hammering); round++) {
        void *memory[32];
        for (int i = 0; i < 32; i++) memory[i] = malloc((size_t)(round * 37 + (unsigned)i * 911) % 70000);
        if (null != NULL) fprintf(null, "%u %p %s\n", round, memory[0], "text");
        pthread_mutex_lock(&hammered);
        for (int i = 0; i < 32; i++) free(memory[i]);
        pthread_mutex_unlock(&hammered);
        if (loader && round % 16 == 0) {
            void *library = dlopen("libutil.so.1", RTLD_NOW);
            if (library != NULL) dlclose(library);
        }
    }
    if (null != NULL) fclose(null);
    return NULL;
}

static void hammering_threads(const struct row *row) {
    pthread_t threads[6];
    uint32_t what = row->fault->value;
    int well = 0, refused = 0;
    const int rounds = whole_grid() ? 60 : 15;
    for (int i = 0; i < 6; i++) assert_int_equal(pthread_create(&threads[i], NULL, hammer, &what), 0);
    int status = MAPE_OK;
    for (int round = 0; round < rounds; round++) {
        mape_pool_config config = config_of(row->birth, row->workers);
        config.setup_timeout_ns = MAPE_SECONDS(3);
        mape_pool *pool = pool_open_with(&config);
        mape_function_id function = registered(pool, run_square);
        stage("start %d beside threads that hammer", round);
        status = mape_pool_start(pool, PATIENCE);
        /* With dlopen in other threads glibc allows that a FORK worker hangs in its own dlopen (docs/architecture.md, Known limits): the
         * setup timeout then ends it with a status. Nothing else may. */
        if (status == MAPE_OK) {
            uint64_t value = 12, square = 144;
            mape_job *job = applied(pool, function, &value, sizeof value);
            wait_for(job);
            result_is(job, 0, &square, sizeof square);
            well++;
        } else if (what == 1 && row->birth == MAPE_START_FORK && status == MAPE_E_SETUP) {
            refused++;
        } else is_ok(pool, status);
        pool_close(pool);
    }
    atomic_store(&stop_hammering, 1);
    for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
    row_note("%d starts went well, %d ended with a status", well, refused);
}

/* ---- case 38 ---- */

static void never_polls(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_PROGRESS | MAPE_DELIVER_DONE;
    config.window = 1000;
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, function, &config));
    uint64_t pushed = 0, most = 0;
    int full = 0;
    stage("pushing without ever listening");
    while (full < 300 && pushed < 100000) { /* Full for 300 looks at it: nothing moves any more. */
        struct fault_item item = {pushed, WAY_WELL, 0};
        mape_span span = {&item, sizeof item};
        int status = mape_stream_push(NULL, stream, &span, 1);
        if (status == MAPE_OK) pushed++, full = 0;
        else {
            is_status(pool, MAPE_E_AGAIN, status);
            full++;
            short_nap();
        }
        uint64_t used = stats_of(pool).input_bytes + stats_of(pool).output_bytes;
        if (used > most) most = used;
    }
    assert_int_equal(pushed, 1000);
    /* Other jobs go on, also ones whose events nobody fetches. */
    for (int i = 0; i < 3; i++) {
        struct fault_item items[100];
        for (uint64_t k = 0; k < 100; k++) items[k] = (struct fault_item){k, WAY_WELL, 0};
        mape_job *job = mapped(pool, function, items, 100, sizeof items[0], &config);
        is_ok(pool, mape_job_wait(job, PATIENCE));
    }
    assert_true(most < 64u << 20);
    row_note("%llu KiB of shared memory at most", (unsigned long long)most >> 10);
    is_ok(pool, mape_job_release(stream));
    pool_works(pool);
}

/* ---- case 39 ---- */

struct script {
    mape_pool *pool;
    mape_function_id function;
    mape_job *job, *other;
    uint32_t value;
    int calls, status;
};

static void in_the_callback(void *context, const mape_event *event) {
    struct script *self = context;
    if (self->calls++ > 0) return;
    uint64_t value = 9;
    switch (self->value) {
    case 0: self->status = mape_apply(&self->other, self->pool, self->function, &value, sizeof value, NULL); break;
    case 1: self->status = mape_job_cancel(event->job); break;
    case 2: self->status = mape_job_release(event->job); break;
    case 3: self->status = mape_pool_shutdown(self->pool, MAPE_SHUTDOWN_DRAIN, PATIENCE); break;
    case 4: self->status = mape_pool_shutdown(self->pool, MAPE_SHUTDOWN_CANCEL, PATIENCE); break;
    case 5: self->status = mape_pool_release(self->pool); break;
    case 6: self->status = mape_pool_dispatch(self->pool, 0, 0) == MAPE_E_BUSY ? MAPE_OK : 1; break;
    case 7: self->status = mape_job_wait(event->job, PATIENCE); break;
    default: break;
    }
}

static void calls_in_callbacks(const struct row *row) {
    mape_pool *pool = row_pool();
    struct script script = {.pool = pool, .function = registered(pool, run_square), .value = row->fault->value};
    uint64_t *values = numbers(500), square = 81;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.on_item = in_the_callback;
    config.context = &script;
    script.job = mapped(pool, script.function, values, 500, sizeof *values, &config);
    stage("dispatching");
    for (int64_t begun = now_ns(); script.calls == 0; short_nap()) {
        assert_true(mape_pool_dispatch(pool, 0, 0) != 0 || now_ns() - begun < PATIENCE);
    }
    if (script.value == 5) {
        is_ok(NULL, script.status);
        row_pool_gone();
        is_status(NULL, MAPE_E_HANDLE, mape_job_wait(script.job, 0));
        free(values);
        return;
    }
    is_ok(pool, script.status);
    if (script.value == 2) {
        is_status(NULL, MAPE_E_HANDLE, mape_job_wait(script.job, 0));
        int calls = script.calls;
        mape_pool_dispatch(pool, 0, 0);
        assert_int_equal(script.calls, calls); /* No more is heard of it. */
    } else {
        wait_for(script.job);
        dispatch_until_done(pool, script.job);
        assert_int_equal(script.calls, 500); /* Each item once, whatever happened in the first. */
    }
    if (script.value == 0) {
        wait_for(script.other);
        result_is(script.other, 0, &square, sizeof square);
    }
    if (script.value == 3 || script.value == 4) assert_int_equal(stats_of(pool).is_closed, 1);
    else pool_works(pool);
    free(values);
}

/* ---- cases 41 and 42 ---- */

static void two_pools(const struct row *row) {
    mape_pool *first = row_pool(), *second = pool_started(row->birth == MAPE_START_EXEC, row->workers);
    struct work a = work_begun(first, planned(first, NULL), well_items(3000), 3000, NULL);
    struct work b = work_begun(second, planned(second, NULL), well_items(3000), 3000, NULL);
    struct fault_item item = {1, WAY_KILL, 0};
    wait_for(applied(first, planned(first, NULL), &item, sizeof item));
    work_wait(&b);
    work_wait(&a);
    work_check(&a, KILLED, 1);
    work_check(&b, KILLED, 1);
    assert_int_equal(stats_of(first).workers_died, 1);
    assert_int_equal(stats_of(second).workers_died, 0);
    work_end(&a);
    work_end(&b);
    pool_close(first);
    row_pool_gone();
    pool_works(second); /* The end of one is none of the other's. */
    pool_close(second);
}

/** The state of the host is compared by the harness, as in every row; here one row after another does no more than live. */
static void lives(const struct row *row) {
    shared_page(); /* The row's own. */
    struct snapshot before = snapshot_taken();
    for (int i = 0; i < 5; i++) {
        live(row);
        snapshot_comes_back(&before);
    }
}

static const struct fault host[] = {
    {34, "before any work", creator_exits, BIRTHS, W_ALL, 0, 0, NULL, 0},
    {34, "with items running", creator_exits, BIRTHS, W_ALL, 0, 1, NULL, 0},
    {35, "SIGCHLD ignored", children_of_the_host, BIRTHS, W2, 0, 0, NULL, 0},
    {35, "SA_NOCLDWAIT", children_of_the_host, BIRTHS, W2, 0, 1, NULL, 0},
    {35, "waitpid(-1) in a handler", children_of_the_host, BIRTHS, W2, 0, 2, NULL, 0},
    {35, "waitpid(-1) in a handler and a thread", children_of_the_host, BIRTHS, W2, 0, 3, NULL, 0},
    {36, "workers idle", host_forks, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    {36, "workers in items", host_forks, BIRTHS, W_ALL, CALLBACK, 1, NULL, 0},
    {37, "malloc, stdio and locks", hammering_threads, BIRTHS, W2, 0, 0, NULL, 120},
    {37, "and dlopen", hammering_threads, BIRTHS, W2, 0, 1, NULL, 300},
    {38, "streams and maps", never_polls, BIRTHS, W_ALL, CALLBACK, 0, NULL, 0},
    {39, "submit", calls_in_callbacks, BIRTHS, W_ALL, 0, 0, NULL, 0},
    {39, "cancel", calls_in_callbacks, BIRTHS, W_ALL, 0, 1, NULL, 0},
    {39, "release", calls_in_callbacks, BIRTHS, W_ALL, 0, 2, NULL, 0},
    {39, "shutdown by draining", calls_in_callbacks, BIRTHS, W_ALL, 0, 3, NULL, 0},
    {39, "shutdown by cancelling", calls_in_callbacks, BIRTHS, W_ALL, 0, 4, NULL, 0},
    {39, "destroy", calls_in_callbacks, BIRTHS, W_ALL, 0, 5, NULL, 0},
    {39, "dispatch, which is refused", calls_in_callbacks, BIRTHS, W2, 0, 6, NULL, 0},
    {39, "wait", calls_in_callbacks, BIRTHS, W_ALL, 0, 7, NULL, 0},
    {41, "two pools, one with a death, of both births", two_pools, BIRTHS, W_ALL, 0, 0, NULL, 0},
    {42, "after five lives with deaths", lives, BIRTHS, W_ALL, 0, 0, NULL, 0},
};
TABLE(host);
