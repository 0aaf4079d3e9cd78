/* worker_nested.c - worker functions that make pools of their own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** Tells the host why: the step, and the library's message. */
static int fails(mape_task *task, int status, const char *step, mape_pool *pool) {
    char message[512] = "", text[700];
    mape_message(message, sizeof message, pool);
    snprintf(text, sizeof text, "%s: %d, %s: %s", step, status, mape_status_string(status), message);
    return mape_task_fail(task, status, text);
}

static int opened(mape_task *task, uint32_t birth, uint32_t workers, mape_pool **out) {
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.start = birth;
    config.workers = workers;
    config.grace_ns = MAPE_MILLISECONDS(100);
    int status = mape_pool_create(out, &config);
    return status == MAPE_OK ? 0 : fails(task, status, "mape_pool_create", NULL);
}

static int registered_in(mape_task *task, mape_pool *pool, mape_run_fn run, const struct nested_item *item,
                         mape_function_id *out) {
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run;
    if (item->path[0] != '\0') {
        description.setup = setup_shared;
        description.data = item->path;
        description.data_size = strlen(item->path) + 1;
    }
    int status = mape_function_register(out, pool, &description);
    return status == MAPE_OK ? 0 : fails(task, status, "mape_function_register", pool);
}

/** Adds up what the items of a job inside this item answer. */
static int sum_of(mape_task *task, mape_pool *pool, mape_job *job, uint64_t count, uint64_t *sum) {
    int status = mape_job_wait(job, MAPE_FOREVER);
    if (status != MAPE_OK) return fails(task, status, "mape_job_wait", pool);
    for (uint64_t i = 0; i < count; i++) {
        mape_result result = MAPE_RESULT_INIT;
        uint64_t value = 0;
        status = mape_job_result(&result, job, i);
        if (status != MAPE_OK) return fails(task, status, "mape_job_result", pool);
        if (result.state != MAPE_ITEM_OK) return mape_task_fail(task, result.code, result.message);
        memcpy(&value, result.data, sizeof value);
        *sum += value;
    }
    return 0;
}

/** The sum of the squares of 1 to `count`, each computed in a worker of its own pool, so many pools deep. */
int run_nested(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    struct nested_item item;
    memcpy(&item, input, sizeof item);
    mape_pool *pool = NULL;
    mape_job *job = NULL;
    mape_function_id function = 0;
    uint64_t sum = 0;
    int bad = opened(task, item.birth, 2, &pool);
    if (bad != 0) return bad;
    bad = registered_in(task, pool, item.depth > 1 ? run_nested : run_square, &item, &function);
    mape_task_progress(task, 0.5);
    if (bad == 0 && item.depth > 1) {
        struct nested_item inner = item;
        inner.depth--;
        int status = mape_apply(&job, pool, function, &inner, sizeof inner, NULL);
        bad = status != MAPE_OK ? fails(task, status, "mape_apply", pool) : sum_of(task, pool, job, 1, &sum);
    } else if (bad == 0) {
        uint64_t values[64];
        mape_items items = MAPE_ITEMS_INIT;
        for (uint64_t i = 0; i < item.count; i++) values[i] = i + 1;
        items.base = values, items.count = item.count, items.stride = items.item_size = sizeof *values;
        int status = mape_map(&job, pool, function, &items, NULL);
        bad = status != MAPE_OK ? fails(task, status, "mape_map", pool) : sum_of(task, pool, job, item.count, &sum);
    }
    if (bad != 0) return bad;
    if (!item.leaves) mape_pool_release(pool);
    uint64_t *output = mape_task_output(task, sizeof sum);
    if (output != NULL) *output = sum;
    return 0;
}

static void note_pid(struct shared *shared, int32_t pid) {
    uint32_t slot = atomic_fetch_add(&shared->spawned, 1);
    if (slot < SHARED_SLOTS) atomic_store(&shared->grandchildren[slot], pid);
}

/** Waits for a job of its own pool, whose items wait for the shared page's gate; notes the processes of that pool. With `polls` it
 *  looks now and then whether it was cancelled. */
int run_nested_waits(mape_task *task, void *state, const void *input, size_t size) {
    (void)size;
    struct shared *shared = state;
    struct nested_item item;
    memcpy(&item, input, sizeof item);
    mape_pool *pool = NULL;
    mape_job *job = NULL;
    mape_function_id function = 0;
    mape_stats stats = MAPE_STATS_INIT;
    uint64_t values[2] = {3, 4}, sum = 0;
    int bad = opened(task, item.birth, 2, &pool);
    if (bad == 0) bad = registered_in(task, pool, run_gated, &item, &function);
    if (bad != 0) return bad;
    int status = mape_pool_start(pool, MAPE_FOREVER);
    if (status != MAPE_OK) return fails(task, status, "mape_pool_start", pool);
    mape_pool_stats(&stats, pool);
    note_pid(shared, stats.zygote_pid);
    for (uint32_t i = 0; i < stats.workers; i++) {
        mape_worker_info worker = MAPE_WORKER_INFO_INIT;
        mape_pool_worker(&worker, pool, i);
        note_pid(shared, worker.pid);
    }
    mape_items items = MAPE_ITEMS_INIT;
    items.base = values, items.count = 2, items.stride = items.item_size = sizeof *values;
    status = mape_map(&job, pool, function, &items, NULL);
    if (status != MAPE_OK) return fails(task, status, "mape_map", pool);
    while (item.polls && (status = mape_job_wait(job, MAPE_MILLISECONDS(5))) == MAPE_E_TIMEOUT) {
        if (!mape_task_cancelled(task)) continue;
        mape_pool_release(pool);
        return mape_task_fail(task, 0, "cancelled");
    }
    bad = sum_of(task, pool, job, 2, &sum);
    mape_pool_release(pool);
    if (bad != 0) return bad;
    uint64_t *output = mape_task_output(task, sizeof sum);
    if (output != NULL) *output = sum;
    return 0;
}

/** A pool that lives as long as its worker. */
int setup_pool(mape_task *task, const void *data, size_t size, void **out_state) {
    struct nested_item item;
    if (size != sizeof item) return 1;
    memcpy(&item, data, sizeof item);
    struct nested_pool *nested = calloc(1, sizeof *nested);
    if (nested == NULL) return 1;
    *out_state = nested;
    int bad = opened(task, item.birth, 2, &nested->pool);
    return bad != 0 ? bad : registered_in(task, nested->pool, run_square, &item, &nested->square);
}

void cleanup_pool(mape_task *task, void *state) {
    (void)task;
    struct nested_pool *nested = state;
    mape_pool_release(nested->pool);
    free(nested);
}

int run_in_pool(mape_task *task, void *state, const void *input, size_t size) {
    struct nested_pool *nested = state;
    mape_job *job = NULL;
    uint64_t sum = 0;
    int status = mape_apply(&job, nested->pool, nested->square, input, size, NULL);
    if (status != MAPE_OK) return fails(task, status, "mape_apply", nested->pool);
    int bad = sum_of(task, nested->pool, job, 1, &sum);
    mape_job_release(job);
    if (bad != 0) return bad;
    uint64_t *output = mape_task_output(task, sizeof sum);
    if (output != NULL) *output = sum;
    return 0;
}

/** Makes pools until it is refused. Output: how many. */
int run_makes_pools(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    mape_pool *pools[64];
    uint64_t count = 0;
    int status = MAPE_OK;
    while (count < 64 && (status = mape_pool_create(&pools[count], NULL)) == MAPE_OK) count++;
    char message[256] = "";
    mape_message(message, sizeof message, NULL);
    int as_it_should = status == MAPE_E_IN_WORKER && strstr(message, "pools") != NULL;
    for (uint64_t i = 0; i < count; i++) mape_pool_release(pools[i]);
    /* There is room again. */
    if (mape_pool_create(&pools[0], NULL) != MAPE_OK || mape_pool_release(pools[0]) != MAPE_OK) as_it_should = 0;
    if (!as_it_should) return fails(task, status, "the last mape_pool_create", NULL);
    uint64_t *output = mape_task_output(task, sizeof count);
    if (output != NULL) *output = count;
    return 0;
}
