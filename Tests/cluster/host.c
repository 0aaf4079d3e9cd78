/* host.c - the host of the tests of many machines
 *
 *   host same URL LIBRARY               every kind of job, locally and over the cluster: are states, codes, texts and bytes the same?
 *   host map URL LIBRARY FUNCTION COUNT [NAME=VALUE...]
 *       workers=N (0: none here)  attempts=N  timeout=MS  cancel=MS  rounds=N  idle=MS  size=BYTES  where=N  quiet=1  capture=N (texts that it waits for)
 *       texts=N (the same, but what workers print is not captured)  noted=1 (with a setup and a cleanup that leave files)
 *       until=N (cancels the map when it has heard so many texts)
 *   A round is the last when the file that MAPE_TEST_STOP names is there.
 *
 * The last line of a map is `rounds R ok N failed N crashed N timed N cancelled N wrong N lost N seconds S again N`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void fail(const char *what, const mape_pool *pool) {
    char text[2048] = "";
    mape_message(text, sizeof text, pool);
    printf("FAILED %s: %s\n", what, text);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/** Texts that have come. */
static long heard;

static void on_log(void *context, const mape_event *event) {
    (void)context;
    heard++;
    fprintf(stderr, "log %d: %s\n", event->code, event->text);
}

static void on_output(void *context, const mape_event *event) {
    (void)context;
    for (size_t i = 0; i < event->text_size; i++) heard += event->text[i] == '\n';
    printf("output %d: %.*s", event->code, (int)event->text_size, event->text);
}

static int captures;

mape_pool *open_pool(const char *url, uint32_t workers) {
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.cluster = url;
    config.workers = workers;
    if (url && !workers) config.cluster_flags = MAPE_CLUSTER_ONLY;
    config.on_log = on_log;
    config.on_output = on_output;
    config.output = captures ? MAPE_OUTPUT_CAPTURE : MAPE_OUTPUT_INHERIT;
    mape_pool *pool;
    if (mape_pool_create(&pool, &config)) fail("create", NULL);
    return pool;
}

mape_function_id registered(mape_pool *pool, mape_function function) {
    mape_function_id id;
    if (mape_function_register(&id, pool, &function)) fail("register", pool);
    return id;
}

mape_function function_of(const char *library, const char *symbol) {
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = library;
    function.run_symbol = symbol;
    return function;
}

static long option(int argc, char **argv, const char *name, long otherwise) {
    const size_t size = strlen(name);
    for (int i = 6; i < argc; i++)
        if (strncmp(argv[i], name, size) == 0 && argv[i][size] == '=') return atol(argv[i] + size + 1);
    return otherwise;
}

static int map(int argc, char **argv) {
    const char *url = argv[2], *library = argv[3], *symbol = argv[4];
    const long count = atol(argv[5]), rounds = option(argc, argv, "rounds", 1), size = option(argc, argv, "size", 8);
    const long cancel = option(argc, argv, "cancel", 0), quiet = option(argc, argv, "quiet", 0);
    captures = (int)option(argc, argv, "capture", 0);
    mape_pool *pool = open_pool(*url ? url : NULL, (uint32_t)option(argc, argv, "workers", 0));
    mape_function function = function_of(library, symbol);
    if (option(argc, argv, "noted", 0)) {
        function.setup_symbol = "noted_setup";
        function.cleanup_symbol = "noted_cleanup";
    }
    mape_function_id id = registered(pool, function);
    unsigned char *input = calloc((size_t)count, (size_t)size);
    for (long i = 0; input && i < count; i++) {
        const double value = (double)i;
        memcpy(input + i * size, &value, sizeof value);
    }
    mape_items items = MAPE_ITEMS_INIT;
    items.base = input, items.count = (uint64_t)count, items.item_size = (size_t)size;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = (uint32_t)option(argc, argv, "attempts", 1);
    config.item_timeout_ns = option(argc, argv, "timeout", 0) * 1000000;
    config.where = (uint32_t)option(argc, argv, "where", 0);
    long states[8] = {0}, wrong = 0, lost = 0;
    double seconds = 0;
    const char *stop = getenv("MAPE_TEST_STOP");
    long round = 0;
    for (; round < rounds && !(round && stop && access(stop, F_OK) == 0); round++) {
        const double began = now();
        mape_job *job;
        if (mape_map(&job, pool, id, &items, &config)) fail("map", pool);
        printf("round %ld\n", round);
        fflush(stdout);
        const long until = option(argc, argv, "until", 0);
        for (int i = 0; heard < until && i < 3000; i++) {
            mape_job_wait(job, 10000000);
            mape_pool_dispatch(pool, 0, 0);
        }
        if (until) mape_job_cancel(job);
        if (cancel) {
            mape_job_wait(job, cancel * 1000000);
            mape_job_cancel(job);
        }
        const int status = mape_job_wait(job, option(argc, argv, "limit", 60) * 1000000000);
        mape_pool_dispatch(pool, 0, 0);
        seconds += now() - began;
        if (status) {
            mape_progress progress = MAPE_PROGRESS_INIT;
            mape_job_progress(&progress, job);
            printf("FAILED wait %d: %lu of %lu done\n", status, (unsigned long)progress.done,
                   (unsigned long)progress.total);
        }
        for (long i = 0; i < count; i++) {
            mape_result result = MAPE_RESULT_INIT;
            mape_job_result(&result, job, (uint64_t)i);
            states[result.state]++;
            const double value = (double)i;
            if (result.state == MAPE_ITEM_PENDING) lost++;
            if (result.state == MAPE_ITEM_OK && strcmp(symbol, "turned") != 0 &&
                (result.size != 8 || *(const double *)result.data != value * value))
                wrong++;
            if (result.state != MAPE_ITEM_OK && !quiet && !cancel) {
                mape_crash crash = MAPE_CRASH_INIT;
                printf("item %ld state %u cause %u code %d attempts %u: %s\n", i, result.state, result.cause,
                       result.code, result.attempts, result.message);
                if (mape_job_crash(&crash, job, (uint64_t)i) == 0)
                    printf("crash %ld host %s signal %d: %s\n", i, crash.host, crash.signal, crash.text);
            }
        }
        mape_job_release(job);
        const long idle = option(argc, argv, "idle", 0);
        struct timespec pause = {idle / 1000, idle % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    const long texts = captures + option(argc, argv, "texts", 0);
    for (int i = 0; heard < texts && i < 2000; i++) {
        struct timespec pause = {0, 10000000};
        nanosleep(&pause, NULL);
        mape_pool_dispatch(pool, 0, 0);
    }
    mape_stats stats = MAPE_STATS_INIT;
    mape_pool_stats(&stats, pool);
    printf("nodes %u lanes %u helper %d\n", stats.nodes, stats.remote_ready, stats.remote_pid);
    printf(
        "rounds %ld ok %ld failed %ld crashed %ld timed %ld cancelled %ld wrong %ld lost %ld seconds %.3f again %lu\n",
        round, states[1], states[2], states[3], states[4], states[5], wrong, lost, seconds,
        (unsigned long)stats.items_again);
    mape_pool_release(pool);
    free(input);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "same") == 0) return same(argv[2], argv[3]);
    if (argc >= 6 && strcmp(argv[1], "map") == 0) return map(argc, argv);
    return 64;
}
