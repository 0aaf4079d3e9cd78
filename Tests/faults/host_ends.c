/* host_ends.c - hosts that are killed, that destroy pools with live jobs, that close the library, that have two copies of it. Cases 32,
 * 33, 40 and 41.
 *
 * The host that dies is a process of its own: this program again, as "--in-host".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

int helper_main(int argc, char **argv);
int be_on_terminal(uint32_t birth, uint32_t what);

enum host_stage {
    CREATED,
    STARTING,
    IDLE,
    IN_SETUPS,
    BUSY,
    PUBLISHING,
    LOOPING,
    STOPPED,
    IN_CALLBACK,
    DRAINING,
    IN_CLEANUPS,
    ALL_THINGS,
    HOST_STAGES
};
static const char *const stage_names[] = {"pool created",
                                          "starting",
                                          "idle",
                                          "in setups",
                                          "busy with short items",
                                          "publishing results",
                                          "in endless loops",
                                          "workers stopped",
                                          "inside a callback",
                                          "shutting down, draining",
                                          "shutting down, in cleanups",
                                          "with buffers, globals, streams and results"};
_Static_assert(COUNT(stage_names) == HOST_STAGES, "a name per stage");

static mape_pool *host_pool;

static void tell(const char *word) {
    pid_t pids[32];
    int count = pool_pids(host_pool, pids, 32);
    for (int i = 0; i < count; i++) printf("%d\n", (int)pids[i]);
    printf("0 %s\n", word);
    fflush(stdout);
}

static void stay_in_callback(void *context, const mape_event *event) {
    (void)context, (void)event;
    tell("callback");
    for (;;) pause();
}

static void *tell_in_cleanup(void *unused) {
    (void)unused;
    for (int i = 0; i < 100; i++) short_nap();
    tell("shutdown");
    return NULL;
}

#define NEED(call)                                                                                                     \
    do {                                                                                                               \
        int status_ = (call);                                                                                          \
        if (status_ != MAPE_OK) {                                                                                      \
            printf("-1 %s answered %d\n", #call, status_);                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static int be_host(uint32_t birth, enum host_stage where, const char *path) {
    mape_pool_config config = config_of(birth, 3);
    config.grace_ns = MAPE_SECONDS(100);
    config.cleanup_timeout_ns = MAPE_SECONDS(100);
    NEED(mape_pool_create(&host_pool, &config));
    mape_pool *pool = host_pool;
    struct plan plan = {.setup_way = WAY_WELL};
    snprintf(plan.path, sizeof plan.path, "%s", path);
    if (where == IN_SETUPS) plan.setup_way = WAY_SLEEP, plan.setup_times = 1000;
    if (where == IN_CLEANUPS) plan.cleanup_way = WAY_SLEEP, plan.cleanup_times = 1000;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run_planned, description.setup = setup_planned, description.cleanup = cleanup_planned;
    description.data = &plan, description.data_size = sizeof plan;
    NEED(mape_function_register(&function, pool, &description));
    if (where == CREATED) tell("created");
    if (where == CREATED)
        for (;;) pause();
    if (where == STARTING || where == IN_SETUPS) mape_pool_start(pool, 0);
    else NEED(mape_pool_start(pool, PATIENCE));
    if (where == IN_SETUPS) {
        mape_worker_info worker = MAPE_WORKER_INFO_INIT;
        for (int i = 0; i < 3; i++)
            while (mape_pool_worker(&worker, pool, (uint32_t)i) == MAPE_OK && worker.pid == 0) short_nap();
    }
    static struct fault_item items[20000];
    for (uint64_t i = 0; i < COUNT(items); i++) {
        items[i] = (struct fault_item){i, WAY_WELL, 0};
        if (where == LOOPING) items[i].way = WAY_LOOP_DEAF;
        if (where == STOPPED) items[i].way = WAY_STOP;
        if (where == DRAINING) items[i].way = FAULT_SLOW;
    }
    mape_items all = items_at(items, COUNT(items), sizeof items[0]);
    if (where == ALL_THINGS) {
        mape_buffer *buffer = NULL;
        void *data = NULL;
        mape_job *job = NULL, *stream = NULL;
        NEED(mape_buffer_create(&buffer, pool, 64u << 20));
        NEED(mape_buffer_data(&data, NULL, buffer));
        memset(data, 1, 64u << 20);
        NEED(mape_pool_set_global(pool, "name", data, 1u << 20));
        NEED(mape_map(&job, pool, function, &all, NULL));
        NEED(mape_job_wait(job, PATIENCE));
        NEED(mape_stream_open(&stream, pool, function, NULL));
    }
    if (where >= BUSY && where != IN_CALLBACK && where != IN_CLEANUPS) NEED(mape_map(NULL, pool, function, &all, NULL));
    if (where == LOOPING || where == STOPPED) {
        mape_worker_info worker = MAPE_WORKER_INFO_INIT;
        while (mape_pool_worker(&worker, pool, 0) == MAPE_OK && worker.state != MAPE_WORKER_BUSY) short_nap();
    }
    if (where == IN_CALLBACK) {
        mape_job_config own = MAPE_JOB_CONFIG_INIT;
        own.on_item = stay_in_callback;
        NEED(mape_map(NULL, pool, function, &all, &own));
        for (;; short_nap()) mape_pool_dispatch(pool, 0, 0);
    }
    if (where == IN_CLEANUPS) {
        pthread_t thread;
        pthread_create(&thread, NULL, tell_in_cleanup, NULL);
        mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, MAPE_FOREVER);
    }
    tell("ready");
    if (where == DRAINING) mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, MAPE_FOREVER);
    for (;;) {
        mape_job *job = NULL;
        if (where == BUSY || where == PUBLISHING) {
            if (mape_map(&job, pool, function, &all, NULL) == MAPE_OK) mape_job_wait(job, MAPE_FOREVER);
            mape_job_release(job);
        } else pause();
    }
}

/** Whoever the host started lets go of the standard output that it inherited: end of file, also from those whose pid nobody knew. */
static void is_ended(FILE *report, int host_stage) {
    char line[256];
    stage("%s: reading until nobody holds the host's output any more", stage_names[host_stage]);
    while (fgets(line, sizeof line, report) != NULL) {}
}

static void host_is_killed(const struct row *row) {
    FILE *report = NULL;
    char birth[8], where[8];
    snprintf(birth, sizeof birth, "%u", row->birth);
    snprintf(where, sizeof where, "%u", row->fault->value);
    int rounds = row->fault->value == PUBLISHING || row->fault->value == STARTING ? (whole_grid() ? 40 : 6) : 1;
    int64_t slowest = 0;
    for (int round = 0; round < rounds; round++) {
        pid_t host = helper_started(&report, "host", birth, where, shared_path());
        pid_t pids[64];
        int count = 0, pid = -1;
        stage("reading the pids of the host");
        while (count < 64 && fscanf(report, "%d", &pid) == 1 && pid > 0) pids[count++] = pid;
        char words[200] = "";
        if (fgets(words, sizeof words, report) == NULL || pid != 0) fail_msg("the host failed:%s", words);
        if (rounds > 1) usleep((row_seed() * 977u + (unsigned)round * 7919u) % 15000);
        if (row->fault->value != CREATED && row->fault->value != STARTING) assert_true(count >= 4);
        int64_t began = now_ns();
        kill(host, SIGKILL);
        int status = 0;
        waitpid(host, &status, 0);
        assert_true(WIFSIGNALED(status));
        wait_gone(pids, count);
        int64_t took = now_ns() - began;
        if (took > slowest) slowest = took;
        is_ended(report, (int)row->fault->value);
        fclose(report);
    }
    row_note("all gone after %lld ms", (long long)(slowest / 1000000));
}

/* ---- case 40 ---- */

static void destroyed_with_live_jobs(const struct row *row) {
    const uint32_t ways[] = {WAY_WELL, FAULT_SLOW, WAY_SLEEP, WAY_KILL};
    mape_pool *pool = row_pool();
    mape_function_id function = planned(pool, NULL);
    mape_job *jobs[8], *stream = NULL;
    static struct fault_item items[2000];
    for (int k = 0; k < 8; k++) {
        for (uint64_t i = 0; i < COUNT(items); i++) items[i] = (struct fault_item){i, ways[(i + (uint64_t)k) % 4], 0};
        jobs[k] = mapped(pool, function, items, COUNT(items), sizeof items[0], NULL);
    }
    is_ok(pool, mape_stream_open(&stream, pool, function, NULL));
    mape_span span = {items, sizeof items[0]};
    is_ok(pool, mape_stream_push(NULL, stream, &span, 1));
    for (uint32_t i = 0; i < row_seed() % 30; i++) short_nap();
    pool_close(pool);
    row_pool_gone();
    for (int k = 0; k < 8; k++) is_status(NULL, MAPE_E_HANDLE, mape_job_wait(jobs[k], 0));
    is_status(NULL, MAPE_E_HANDLE, mape_stream_finish(stream));
    is_status(NULL, MAPE_E_HANDLE, mape_pool_release(pool));
    (void)row;
}

static void short_grace(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->grace_ns = MAPE_MILLISECONDS(300);
}

/** Hosts that are not linked with the library, but open it: closing_host.c. */
static void closing_host(const struct row *row, const char *how) {
    char birth[8];
    snprintf(birth, sizeof birth, "%u", row->birth);
    fflush(NULL);
    stage("waiting for closing_host %s", how);
    pid_t host = fork();
    if (host == 0) {
        execl(CLOSING_HOST, "closing_host", how, birth, FAULT_PREFIX, SECOND_PREFIX, TEST_WORKERS, (char *)NULL);
        _exit(127);
    }
    int status = helper_ended(host);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void closed_with_pools_alive(const struct row *row) { closing_host(row, "close"); }
static void exits_with_pools_alive(const struct row *row) { closing_host(row, "exit"); }
static void two_copies(const struct row *row) { closing_host(row, "two"); }

static const struct fault host_ends[] = {
    {32, "with buffers, globals, streams and results", host_is_killed, BIRTHS, 0, 0, ALL_THINGS, NULL, 0},
    {33, "pool created", host_is_killed, BIRTHS, 0, 0, CREATED, NULL, 0},
    {33, "starting", host_is_killed, BIRTHS, 0, 0, STARTING, NULL, 0},
    {33, "idle", host_is_killed, BIRTHS, 0, 0, IDLE, NULL, 0},
    {33, "workers in setups", host_is_killed, BIRTHS, 0, 0, IN_SETUPS, NULL, 0},
    {33, "workers in short items", host_is_killed, BIRTHS, 0, 0, BUSY, NULL, 0},
    {33, "workers publishing results, at random moments", host_is_killed, BIRTHS, 0, 0, PUBLISHING, NULL, 0},
    {33, "workers in endless loops", host_is_killed, BIRTHS, 0, 0, LOOPING, NULL, 0},
    {33, "workers stopped", host_is_killed, BIRTHS, 0, 0, STOPPED, NULL, 0},
    {33, "inside a callback", host_is_killed, BIRTHS, 0, 0, IN_CALLBACK, NULL, 0},
    {33, "shutting down, draining", host_is_killed, BIRTHS, 0, 0, DRAINING, NULL, 0},
    {33, "shutting down, in cleanups", host_is_killed, BIRTHS, 0, 0, IN_CLEANUPS, NULL, 0},
    {40, "destroyed with live jobs", destroyed_with_live_jobs, BIRTHS, W_ALL, CALLBACK, 0, short_grace, 0},
    {40, "library closed with a pool alive", closed_with_pools_alive, BIRTHS, 0, 0, 0, NULL, 0},
    {40, "host exits with a pool alive", exits_with_pools_alive, BIRTHS, 0, 0, 0, NULL, 0},
    {41, "two copies of the library", two_copies, BIRTHS, 0, 0, 0, NULL, 0},
};
TABLE(host_ends);

int helper_main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--in-host") == 0)
        return be_host((uint32_t)atoi(argv[2]), (enum host_stage)atoi(argv[3]), argv[4]);
    if (argc == 4 && strcmp(argv[1], "--in-terminal") == 0)
        return be_on_terminal((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
    return 64;
}
