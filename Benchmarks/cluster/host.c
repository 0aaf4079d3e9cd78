/* host.c - the host of the measurements of many machines
 *
 *   host URL LIBRARY FUNCTION WORKERS NODES COUNT SIZE ROUNDS
 *
 * URL "": this machine alone. WORKERS: here; 0: none. Waits until NODES are there and each can be given something, runs a map of COUNT items of SIZE bytes
 * that does not count, says `ready` and waits for a line; runs ROUNDS maps, says `done`, and waits for a line. Then `value S`, the median of
 * their seconds, `first S`, those of the one before, and `start S`, from the pool's creation until a lane was ready.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <mapengine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what, const mape_pool *pool) {
    char text[1024] = "";
    mape_message(text, sizeof text, pool);
    fprintf(stderr, "%s: %s\n", what, text);
    exit(1);
}

static void pause_for(long nanoseconds) {
    const struct timespec time = {0, nanoseconds};
    nanosleep(&time, NULL);
}

/** Says where it is, and waits until the driver has looked. */
static void tell(const char *word) {
    char line[16];
    printf("%s\n", word);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(1);
}

struct run {
    mape_pool *pool;
    mape_function_id function;
    mape_items items;
};

/** Seconds from submit until each result is in the host's hands, checked. */
static double map_once(struct run *run) {
    const double began = now();
    mape_job *job;
    if (mape_map(&job, run->pool, run->function, &run->items, NULL)) fail("map", run->pool);
    if (mape_job_wait(job, MAPE_SECONDS(100))) fail("wait", run->pool);
    const double seconds = now() - began;
    for (uint64_t i = 0; i < run->items.count; i++) {
        mape_result result = MAPE_RESULT_INIT;
        if (mape_job_result(&result, job, i) || result.state != MAPE_ITEM_OK) {
            fprintf(stderr, "item %lu: state %u: %s\n", (unsigned long)i, result.state, result.message);
            exit(1);
        }
        const double value = (double)i;
        if (run->items.item_size == sizeof value ? *(const double *)result.data != value * value
                                                 : memcmp(result.data, &value, sizeof value) != 0) {
            fprintf(stderr, "item %lu: a wrong result\n", (unsigned long)i);
            exit(1);
        }
    }
    mape_job_release(job);
    return seconds;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 9) return 64;
    const long workers = atol(argv[4]), nodes = atol(argv[5]), count = atol(argv[6]), size = atol(argv[7]),
               rounds = atol(argv[8]);
    struct run run;
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = (uint32_t)workers;
    if (*argv[1]) config.cluster = argv[1];
    if (!workers) config.cluster_flags = MAPE_CLUSTER_ONLY;
    const double created = now();
    if (mape_pool_create(&run.pool, &config)) fail("create", NULL);
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = argv[2];
    function.run_symbol = argv[3];
    if (mape_function_register(&run.function, run.pool, &function)) fail("register", run.pool);
    if (workers && mape_pool_start(run.pool, MAPE_SECONDS(30))) fail("start", run.pool);
    double start = 0;
    mape_stats stats = MAPE_STATS_INIT;
    // A pool without work of its own begins with its first call.
    if (!workers) mape_pool_start(run.pool, 0);
    while (nodes && (stats.nodes < (uint32_t)nodes || !stats.remote_ready)) {
        if (now() - created > 60) fail("no nodes", run.pool);
        pause_for(200000);
        if (mape_pool_stats(&stats, run.pool)) fail("stats", run.pool);
        if (!start && stats.remote_ready) start = now() - created;
    }
    if (nodes && !start) start = now() - created;
    unsigned char *input = calloc((size_t)count, (size_t)size);
    for (long i = 0; input && i < count; i++) {
        const double value = (double)i;
        memcpy(input + i * size, &value, sizeof value);
    }
    run.items = (mape_items)MAPE_ITEMS_INIT;
    run.items.base = input, run.items.count = (uint64_t)count, run.items.item_size = (size_t)size;
    const double first = map_once(&run);
    double *seconds = calloc((size_t)rounds, sizeof *seconds);
    tell("ready");
    for (long i = 0; i < rounds; i++) seconds[i] = map_once(&run);
    tell("done");
    qsort(seconds, (size_t)rounds, sizeof *seconds, by_size);
    printf("value %.9f\nfirst %.9f\nstart %.9f\n", seconds[rounds / 2], first, start);
    mape_pool_release(run.pool);
    free(seconds);
    free(input);
    return 0;
}
