/* test_idle.c - an idle pool costs nothing: no thread of it, in any process, wakes up.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#define THREADS 64

/** Context switches of the pool's threads: of the library's in this process, and of all in workers and zygote. */
struct wakeups {
    int threads;
    pid_t pids[THREADS], tids[THREADS];
    unsigned long long voluntary[THREADS];
};

static unsigned long long voluntary_switches(pid_t pid, pid_t tid) {
    char path[96], line[256];
    unsigned long long count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL) sscanf(line, "voluntary_ctxt_switches: %llu", &count);
    fclose(file);
    return count;
}

static void add_threads(struct wakeups *wakeups, pid_t pid, const pid_t *without, int without_count) {
    pid_t tids[THREADS];
    int count = thread_ids(pid, tids, THREADS);
    for (int i = 0; i < count && i < THREADS && wakeups->threads < THREADS; i++) {
        bool skip = false;
        for (int k = 0; k < without_count; k++) skip |= tids[i] == without[k];
        if (skip) continue;
        wakeups->pids[wakeups->threads] = pid;
        wakeups->tids[wakeups->threads++] = tids[i];
    }
}

static void count_all(struct wakeups *wakeups) {
    for (int i = 0; i < wakeups->threads; i++)
        wakeups->voluntary[i] = voluntary_switches(wakeups->pids[i], wakeups->tids[i]);
}

/** Looks until nothing moves for three seconds (a deadline of the past may still be waited for, as the grace of a cancel),
 *  then five seconds more. Settling is given time; being idle is not. */
static void nothing_wakes_up(mape_pool *pool, const pid_t *host_threads, int host_count) {
    struct wakeups before = {0}, now;
    pid_t pids[8];
    int count = pool_pids(pool, pids, 8);
    add_threads(&before, getpid(), host_threads, host_count);
    assert_true(before.threads >= 1);
    for (int i = 0; i < count; i++) add_threads(&before, pids[i], NULL, 0);
    assert_true(before.threads >= 1 + count);
    for (int64_t begun = now_ns();;) {
        count_all(&before);
        usleep(3000 * 1000);
        now = before;
        count_all(&now);
        if (memcmp(&now, &before, sizeof now) == 0) break;
        if (now_ns() - begun > MAPE_SECONDS(30)) fail_msg("the pool never comes to rest");
    }
    stage("watching an idle pool for five seconds");
    count_all(&before);
    usleep(5000 * 1000);
    now = before;
    count_all(&now);
    for (int i = 0; i < now.threads; i++)
        if (now.voluntary[i] != before.voluntary[i])
            fail_msg("thread %d of process %d woke up %llu times", (int)now.tids[i], (int)now.pids[i],
                     now.voluntary[i] - before.voluntary[i]);
}

static void an_idle_pool_makes_no_wakeups(uint32_t birth) {
    pid_t host[THREADS];
    int host_count = thread_ids(getpid(), host, THREADS);
    mape_pool *pool = pool_started(birth, 2);
    uint64_t *values = numbers(10000);
    mape_job *job = mapped(pool, registered(pool, run_square), values, 10000, sizeof *values, NULL);
    wait_for(job);
    squares_are_right(job, values, 10000);
    nothing_wakes_up(pool, host, host_count);
    free(values);
    pool_close(pool);
}

/** What may leave a timer behind: timeouts that did not pass, a death, a cancelled job, an open stream, unfetched events. */
static void a_pool_that_had_timeouts_deaths_and_cancels_comes_to_rest(uint32_t birth) {
    pid_t host[THREADS];
    int host_count = thread_ids(getpid(), host, THREADS);
    mape_pool_config pool_config = config_of(birth, 2);
    pool_config.output = MAPE_OUTPUT_CAPTURE;
    mape_pool *pool = pool_open_with(&pool_config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_function_id fault = registered(pool, run_fault);
    mape_function_id polling = registered_shared(pool, run_polls_cancel, setup_shared, NULL);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_SECONDS(30);
    config.job_timeout_ns = MAPE_SECONDS(45);
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_PROGRESS | MAPE_DELIVER_DONE;
    struct fault_item items[20];
    for (uint64_t i = 0; i < 20; i++) items[i] = (struct fault_item){i, i == 10 ? WAY_KILL : WAY_WELL, 0};
    wait_for(mapped(pool, fault, items, 20, sizeof items[0], &config));
    mape_job *cancelled = applied(pool, polling, NULL, 0), *stream = NULL;
    wait_until(atomic_load(&shared_page()->entered) > 0);
    is_ok(pool, mape_job_cancel(cancelled));
    wait_for(cancelled);
    is_ok(pool, mape_stream_open(&stream, pool, fault, NULL));
    wait_until(stats_of(pool).workers_ready == 2);
    nothing_wakes_up(pool, host, host_count);
    pool_close(pool);
}

/** How many of the four are in a state: which of them stay is a matter of who had work last. */
static int workers_that_are(mape_pool *pool, uint32_t state) {
    int count = 0;
    for (uint32_t i = 0; i < 4; i++) count += worker_of(pool, i).state == state;
    return count;
}

static void a_pool_that_has_shrunk_makes_no_wakeups(uint32_t birth) {
    pid_t host[THREADS];
    int host_count = thread_ids(getpid(), host, THREADS);
    mape_pool_config config = config_of(birth, 4);
    config.min_workers = 1;
    config.idle_shrink_ns = MAPE_SECONDS(1) / 5;
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t *values = numbers(10000);
    mape_job *job = mapped(pool, registered(pool, run_square), values, 10000, sizeof *values, NULL);
    wait_for(job);
    squares_are_right(job, values, 10000);
    wait_until(workers_that_are(pool, MAPE_WORKER_NONE) == 3);
    assert_int_equal(stats_of(pool).workers_ready, 1);
    nothing_wakes_up(pool, host, host_count);
    free(values);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(a_pool_that_has_shrunk_makes_no_wakeups),
        BOTH(an_idle_pool_makes_no_wakeups),
        BOTH(a_pool_that_had_timeouts_deaths_and_cancels_comes_to_rest),
    };
    return run_abi_tests("idle", tests, COUNT(tests));
}
