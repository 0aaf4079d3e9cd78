/* A host that does what its standard input says, a line at a time, and answers each with a line: what `mapengine top` is held against.
 *
 *     map FUNCTION COUNT     begins a job                                  -> "map"
 *     stats                  the pool's own figures                        -> JSON
 *     wait                   waits for the job's end                       -> how each item ended, as "STATE:SIGNAL ..."
 *     cancel                 cancels the job, waits for it, and releases it -> "cancel"
 *     close                  shuts the pool down                           -> "close"
 */
#include <mapengine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Until its job is cancelled. */
static int until_cancelled(const mape_task *task) {
    while (!mape_task_cancelled(task)) usleep(1000);
    return 1;
}

static int quick(mape_task *task, void *state, const void *input, size_t size) {
    (void)task, (void)state, (void)input, (void)size;
    return 0;
}

static int stay(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    mape_task_progress(task, 0.25);
    return until_cancelled(task);
}

/* Some milliseconds of work, each item its own. */
static int busy(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    for (volatile uint64_t i = 0; i < 2000 * (300 + mape_task_index(task) * 7919 % 1000); i++) {}
    return 0;
}

static int crash(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    if (mape_task_index(task) == 3) raise(SIGSEGV);
    return 0;
}

static int whole(mape_task *task, void *state, const mape_range *range) {
    (void)state, (void)range;
    return until_cancelled(task);
}

static void check(int status, const char *what, mape_pool *pool) {
    char text[1024];
    if (status >= 0) return;
    mape_message(text, sizeof text, pool);
    fprintf(stderr, "%s: %s\n", what, text);
    exit(1);
}

static void print_stats(mape_pool *pool) {
    mape_stats s = MAPE_STATS_INIT;
    check(mape_pool_stats(&s, pool), "stats", pool);
    printf("{\"workers\":%u,\"jobs\":%llu,\"items\":%llu,\"ranges\":%llu,\"workers_started\":%llu,\"workers_died\":%"
           "llu,\"workers_killed\":%llu,"
           "\"zygotes_started\":%llu,\"zygote_pid\":%d,\"each\":[",
           s.workers, (unsigned long long)s.jobs, (unsigned long long)s.items, (unsigned long long)s.ranges,
           (unsigned long long)s.workers_started, (unsigned long long)s.workers_died,
           (unsigned long long)s.workers_killed, (unsigned long long)s.zygotes_started, s.zygote_pid);
    for (uint32_t i = 0; i < s.workers; i++) {
        mape_worker_info w = MAPE_WORKER_INFO_INIT;
        check(mape_pool_worker(&w, pool, i), "worker", pool);
        printf("%s{\"pid\":%d,\"items\":%llu,\"starts\":%llu}", i ? "," : "", w.pid, (unsigned long long)w.items,
               (unsigned long long)w.starts);
    }
    printf("]}\n");
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        mape_run_fn run;
        mape_run_range_fn range;
    } functions[] = {{"quick", quick, NULL},
                     {"stay", stay, NULL},
                     {"crash", crash, NULL},
                     {"busy", busy, NULL},
                     {"whole", NULL, whole}};
    enum { COUNT = sizeof functions / sizeof functions[0] };
    uint32_t ids[COUNT];
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    mape_pool *pool = NULL;
    mape_job *job = NULL;
    config.workers = argc > 1 ? (uint32_t)atoi(argv[1]) : 2;
    config.start = MAPE_START_FORK;
    check(mape_pool_create(&pool, &config), "create", NULL);
    for (int i = 0; i < COUNT; i++) {
        mape_function function = MAPE_FUNCTION_INIT;
        function.name = functions[i].name, function.run = functions[i].run, function.run_range = functions[i].range;
        check(mape_function_register(&ids[i], pool, &function), "register", pool);
    }
    check(mape_pool_start(pool, -1), "start", pool);
    puts("ready");
    fflush(stdout);
    char line[256], name[64];
    unsigned count = 0;
    for (; fgets(line, sizeof line, stdin); fflush(stdout)) {
        if (sscanf(line, "map %63s %u", name, &count) == 2) {
            int which = 0;
            while (which < COUNT && strcmp(functions[which].name, name) != 0) which++;
            if (which == COUNT) return 2;
            if (job) mape_job_release(job);
            mape_items items = MAPE_ITEMS_INIT;
            items.count = count;
            check(mape_map(&job, pool, ids[which], &items, NULL), "map", pool);
            puts("map");
        } else if (strncmp(line, "stats", 5) == 0) {
            print_stats(pool);
        } else if (strncmp(line, "wait", 4) == 0) {
            check(mape_job_wait(job, -1), "wait", pool);
            for (unsigned i = 0; i < count; i++) {
                mape_result result = MAPE_RESULT_INIT;
                mape_crash report = MAPE_CRASH_INIT;
                check(mape_job_result(&result, job, i), "result", pool);
                if (mape_job_crash(&report, job, i) != MAPE_OK) report.signal = 0;
                printf("%s%u:%d", i ? " " : "", result.state, report.signal);
            }
            puts("");
        } else if (strncmp(line, "cancel", 6) == 0) {
            mape_job_cancel(job);
            check(mape_job_wait(job, -1), "wait", pool);
            mape_job_release(job);
            job = NULL;
            puts("cancel");
        } else if (strncmp(line, "close", 5) == 0) {
            if (job) mape_job_release(job);
            job = NULL;
            check(mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, -1), "shutdown", pool);
            puts("close");
        } else {
            return 2;
        }
    }
    mape_pool_release(pool);
    return 0;
}
