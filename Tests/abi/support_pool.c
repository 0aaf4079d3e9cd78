/* support_pool.c - pools that are checked when they go, and short ways to jobs and their results.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

static mape_pool *open_pools[64];

mape_pool_config config_of(uint32_t birth, uint32_t workers) {
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.start = birth;
    config.workers = workers;
    return config;
}

mape_pool *pool_open_with(const mape_pool_config *config) {
    mape_pool *pool = NULL;
    is_ok(NULL, mape_pool_create(&pool, config));
    assert_non_null(pool);
    pool_adopt(pool);
    return pool;
}

void pool_adopt(mape_pool *pool) {
    for (size_t i = 0; i < COUNT(open_pools); i++) {
        if (open_pools[i] != NULL) continue;
        open_pools[i] = pool;
        return;
    }
    fail_msg("too many pools");
}

mape_pool *pool_open(uint32_t birth, uint32_t workers) {
    mape_pool_config config = config_of(birth, workers);
    return pool_open_with(&config);
}

mape_pool *pool_started(uint32_t birth, uint32_t workers) {
    mape_pool *pool = pool_open(birth, workers);
    stage("starting a pool");
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    return pool;
}

void pool_forget(mape_pool *pool) {
    for (size_t i = 0; i < COUNT(open_pools); i++)
        if (open_pools[i] == pool) open_pools[i] = NULL;
}

bool pools_are_open(void) {
    for (size_t i = 0; i < COUNT(open_pools); i++)
        if (open_pools[i] != NULL) return true;
    return false;
}

/** What a process does, as the kernel says: its state, and where it waits. */
static void process_described(const char *who, pid_t pid) {
    char path[64], state[64] = "gone", place[64] = "";
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    for (char line[256]; file != NULL && fgets(line, sizeof line, file) != NULL;)
        sscanf(line, "State: %63[^\n]", state);
    if (file != NULL) fclose(file);
    snprintf(path, sizeof path, "/proc/%d/wchan", (int)pid);
    file = fopen(path, "re");
    if (file != NULL && fgets(place, sizeof place, file) == NULL) place[0] = '\0';
    if (file != NULL) fclose(file);
    print_error("    %s %d: %s, in %s\n", who, (int)pid, state, place);
}

void pools_described(void) {
    for (size_t i = 0; i < COUNT(open_pools); i++) {
        mape_stats s = MAPE_STATS_INIT;
        if (open_pools[i] == NULL || mape_pool_stats(&s, open_pools[i]) != MAPE_OK) continue;
        print_error(
            "  a pool: %u of %u workers ready, %llu started, %llu died, %llu zygotes, %llu jobs, %llu items%s%s\n",
            s.workers_ready, s.workers, (unsigned long long)s.workers_started, (unsigned long long)s.workers_died,
            (unsigned long long)s.zygotes_started, (unsigned long long)s.jobs, (unsigned long long)s.items,
            s.is_started ? "" : ", not started", s.is_closed ? ", closed" : "");
        if (s.zygote_pid > 0) process_described("zygote", s.zygote_pid);
        for (uint32_t k = 0; k < s.workers && k < 16; k++) {
            mape_worker_info worker = MAPE_WORKER_INFO_INIT;
            char who[64];
            if (mape_pool_worker(&worker, open_pools[i], k) != MAPE_OK) continue;
            snprintf(who, sizeof who, "worker %u, in state %u,", k, worker.state);
            process_described(who, worker.pid);
        }
    }
}

void pools_destroyed(void) {
    for (size_t i = 0; i < COUNT(open_pools); i++) {
        if (open_pools[i] != NULL) mape_pool_release(open_pools[i]);
        open_pools[i] = NULL;
    }
}

int pool_pids(mape_pool *pool, pid_t *out, int limit) {
    mape_stats stats = stats_of(pool);
    int count = 0;
    if (stats.zygote_pid > 0 && count < limit) out[count++] = stats.zygote_pid;
    for (uint32_t i = 0; i < stats.workers; i++) {
        mape_worker_info worker = worker_of(pool, i);
        if (worker.pid > 0 && count < limit) out[count++] = worker.pid;
    }
    return count;
}

void pool_close(mape_pool *pool) {
    pid_t pids[1100];
    int count = pool_pids(pool, pids, (int)COUNT(pids));
    stage("destroying a pool");
    pool_forget(pool);
    is_ok(NULL, mape_pool_release(pool));
    wait_gone(pids, count);
}

mape_function_id registered(mape_pool *pool, mape_run_fn run) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run;
    is_ok(pool, mape_function_register(&function, pool, &description));
    assert_int_not_equal(function, 0);
    return function;
}

mape_function_id registered_range(mape_pool *pool, mape_run_range_fn run_range) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run_range = run_range;
    is_ok(pool, mape_function_register(&function, pool, &description));
    assert_int_not_equal(function, 0);
    return function;
}

mape_function_id registered_shared(mape_pool *pool, mape_run_fn run, mape_setup_fn setup, mape_cleanup_fn cleanup) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run;
    description.setup = setup;
    description.cleanup = cleanup;
    description.data = shared_path();
    description.data_size = strlen(shared_path()) + 1;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

/* ---- jobs and results ---- */

mape_buffer *buffer_filled(mape_pool *pool, size_t size, int byte, void **out_data) {
    mape_buffer *buffer = NULL;
    void *data = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, size));
    is_ok(pool, mape_buffer_data(&data, NULL, buffer));
    memset(data, byte, size);
    if (out_data) *out_data = data;
    return buffer;
}

mape_stats stats_of(mape_pool *pool) {
    mape_stats stats = MAPE_STATS_INIT;
    is_ok(pool, mape_pool_stats(&stats, pool));
    return stats;
}

mape_worker_info worker_of(mape_pool *pool, uint32_t index) {
    mape_worker_info worker = MAPE_WORKER_INFO_INIT;
    is_ok(pool, mape_pool_worker(&worker, pool, index));
    return worker;
}

mape_progress progress_of(mape_job *job) {
    mape_progress progress = MAPE_PROGRESS_INIT;
    is_ok(NULL, mape_job_progress(&progress, job));
    return progress;
}

mape_result result_of(mape_job *job, uint64_t index) {
    mape_result result = MAPE_RESULT_INIT;
    is_ok(NULL, mape_job_result(&result, job, index));
    assert_non_null(result.message);
    return result;
}

mape_items items_at(const void *base, uint64_t count, size_t size) {
    mape_items items = MAPE_ITEMS_INIT;
    items.base = base;
    items.count = count;
    items.item_size = size;
    return items;
}

mape_job *mapped(mape_pool *pool, mape_function_id function, const void *base, uint64_t count, size_t size,
                 const mape_job_config *config) {
    mape_items items = items_at(base, count, size);
    mape_job *job = NULL;
    is_ok(pool, mape_map(&job, pool, function, &items, config));
    assert_non_null(job);
    return job;
}

mape_job *applied(mape_pool *pool, mape_function_id function, const void *input, size_t size) {
    mape_job *job = NULL;
    is_ok(pool, mape_apply(&job, pool, function, input, size, NULL));
    assert_non_null(job);
    return job;
}

void wait_for(mape_job *job) {
    stage("waiting for a job");
    is_ok(NULL, mape_job_wait(job, PATIENCE));
}

void result_is(mape_job *job, uint64_t index, const void *bytes, size_t size) {
    mape_result result = result_of(job, index);
    if (result.state != MAPE_ITEM_OK)
        fail_msg("item %llu: state %u, cause %u, code %d, \"%s\"", (unsigned long long)index, result.state,
                 result.cause, result.code, result.message);
    assert_int_equal(result.cause, MAPE_CAUSE_NONE);
    assert_int_equal(result.code, 0);
    assert_int_equal(result.size, size);
    if (size > 0) assert_memory_equal(result.data, bytes, size);
    else assert_null(result.data);
}

void result_ended(mape_job *job, uint64_t index, uint32_t state, uint32_t cause, int32_t code) {
    mape_result result = result_of(job, index);
    if (result.state != state || result.cause != cause || result.code != code)
        fail_msg("item %llu: state %u, cause %u, code %d, \"%s\"; expected state %u, cause %u, code %d",
                 (unsigned long long)index, result.state, result.cause, result.code, result.message, state, cause,
                 code);
    if (state != MAPE_ITEM_OK && state != MAPE_ITEM_FAILED) assert_null(result.data);
}

void item_gives(mape_pool *pool, mape_function_id function, const void *input, size_t size, const void *bytes,
                size_t bytes_size) {
    mape_job *job = applied(pool, function, input, size);
    wait_for(job);
    result_is(job, 0, bytes, bytes_size);
    is_ok(pool, mape_job_release(job));
}

void item_fails(mape_pool *pool, mape_function_id function, const void *input, size_t size, uint32_t cause,
                int32_t code, const char *words) {
    mape_job *job = applied(pool, function, input, size);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_FAILED, cause, code);
    const char *message = result_of(job, 0).message;
    if (strstr(message, words) == NULL) fail_msg("no \"%s\" in \"%s\"", words, message);
    is_ok(pool, mape_job_release(job));
}

void squares_are_right(mape_job *job, const uint64_t *values, uint64_t count) {
    uint64_t *squares = calloc(count + 1, sizeof *squares);
    uint64_t missing = 77;
    stage("gathering");
    is_ok(NULL, mape_job_gather(squares, count * sizeof *squares, sizeof *squares, &missing, job));
    for (uint64_t i = 0; i < count && missing > 0; i++) {
        mape_result result = result_of(job, i);
        if (result.state != MAPE_ITEM_OK)
            fail_msg("%llu of %llu are missing; item %llu: state %u, cause %u, code %d, \"%s\"",
                     (unsigned long long)missing, (unsigned long long)count, (unsigned long long)i, result.state,
                     result.cause, result.code, result.message);
    }
    assert_int_equal(missing, 0);
    for (uint64_t i = 0; i < count; i++)
        if (squares[i] != values[i] * values[i]) fail_msg("item %llu is wrong", (unsigned long long)i);
    free(squares);
}

uint64_t *numbers(uint64_t count) {
    uint64_t *values = malloc((count + 1) * sizeof *values);
    for (uint64_t i = 0; i < count; i++) values[i] = i * 3 + 1;
    return values;
}

void dispatch_until_done(mape_pool *pool, mape_job *job) {
    stage("dispatching until the job is done");
    for (int64_t begun = now_ns();;) {
        int handled = mape_pool_dispatch(pool, 0, 0);
        assert_true(handled >= 0);
        if (now_ns() - begun > PATIENCE) fail_msg("the job is never done");
        mape_progress progress = progress_of(job);
        if (handled == 0 && progress.is_done && progress.undelivered == 0) return;
        if (handled == 0) short_nap();
    }
}
