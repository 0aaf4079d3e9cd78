/* measure.h - what measure.py asks of a host, for hosts that speak C. The host brings its loop:
 *
 *     measure_open(&measure, mode, work, quit);
 *     measure.descriptor         to be watched: mape_pool_dispatch(measure.pool, 0, 0) when it is readable; -1 without MapEngine
 *     measure_tick(&measure);    on a timer of the host
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <mapengine.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MEASURE_COUNT = 400, MEASURE_HALF = 200, MEASURE_CRASH = 100, MEASURE_ENDLESS = 390 };

struct measure {
    const char *mode;
    void (*quit)(void); /* Ends the host as its users do. */
    mape_pool *pool;
    mape_function_id square;
    mape_job *job;
    pthread_t main;
    int descriptor, ended;
    const char *phase;
    unsigned seen, right, on_main;
    int64_t began, last, gap;
    char crashed[64];
};

static void measure_check(const struct measure *measure, int status) {
    char text[1024];
    if (status >= 0) return;
    mape_message(text, sizeof text, measure->pool);
    fprintf(stderr, "%s: %s\n", mape_status_string(status), text);
    exit(1);
}

static int64_t measure_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void measure_submit(struct measure *measure, const char *phase);

static void measure_item(void *context, const mape_event *event) {
    struct measure *measure = context;
    const mape_result *result = &event->result;
    measure->seen++;
    measure->on_main += pthread_equal(pthread_self(), measure->main) != 0;
    if (result->state == MAPE_ITEM_OK)
        measure->right += *(const double *)result->data == (double)(event->index * event->index);
    if (result->state == MAPE_ITEM_CRASHED)
        snprintf(measure->crashed, sizeof measure->crashed, " item=%d signal=%d", (int)event->index, (int)result->code);
    if (measure->seen != MEASURE_HALF) return;
    if (strcmp(measure->phase, "cancel") == 0) measure_check(measure, mape_job_cancel(measure->job));
    if (strcmp(measure->phase, "quit") == 0) {
        puts("quit in the middle");
        fflush(stdout);
        measure->ended = 1;
        measure->quit();
    }
}

static void measure_done(void *context, const mape_event *event) {
    struct measure *measure = context;
    const mape_progress *progress = &event->progress;
    if (measure->ended) return;
    printf("%s ok=%d right=%u main=%u failed=%d crashed=%d cancelled=%d gap=%.1f%s\n", measure->phase,
           (int)progress->ok, measure->right, measure->on_main, (int)progress->failed, (int)progress->crashed,
           (int)progress->cancelled, (double)measure->gap / 1e6, measure->crashed);
    fflush(stdout);
    measure_check(measure, mape_job_release(measure->job));
    if (strcmp(measure->phase, "map") == 0) {
        measure_submit(measure, "cancel");
    } else if (strcmp(measure->phase, "cancel") == 0) {
        measure_submit(measure, "crash");
    } else {
        measure->ended = 1;
        measure->quit();
    }
}

/* The next job: "map"; "cancel" and "quit", whose last items never end; "crash". */
static void measure_submit(struct measure *measure, const char *phase) {
    static double values[MEASURE_COUNT];
    const int is_endless = strcmp(phase, "cancel") == 0 || strcmp(phase, "quit") == 0;
    mape_items items = MAPE_ITEMS_INIT;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    for (int i = 0; i < MEASURE_COUNT; i++) values[i] = is_endless && i >= MEASURE_ENDLESS ? 1e6 : i;
    if (strcmp(phase, "crash") == 0) values[MEASURE_CRASH] = -1;
    measure->phase = phase;
    measure->seen = measure->right = measure->on_main = 0;
    measure->last = measure->gap = 0;
    measure->crashed[0] = 0;
    items.base = values;
    items.count = MEASURE_COUNT;
    items.item_size = sizeof *values;
    config.context = measure;
    config.on_item = measure_item;
    config.on_done = measure_done;
    measure_check(measure, mape_map(&measure->job, measure->pool, measure->square, &items, &config));
}

/* mode: "beside", a second without MapEngine; "run", the three jobs; "quit", an end in the middle of one. work: the library of work.c. */
static inline void measure_open(struct measure *measure, const char *mode, const char *work, void (*quit)(void)) {
    memset(measure, 0, sizeof *measure);
    measure->mode = mode;
    measure->quit = quit;
    measure->descriptor = -1;
    measure->main = pthread_self();
    measure->began = measure_now();
    if (strcmp(mode, "beside") == 0) return;
    mape_pool_config settings = MAPE_POOL_CONFIG_INIT;
    mape_function function = MAPE_FUNCTION_INIT;
    settings.workers = 2;
    function.library = work;
    function.run_symbol = "work_square";
    measure_check(measure, mape_pool_create(&measure->pool, &settings));
    measure_check(measure, mape_function_register(&measure->square, measure->pool, &function));
    measure_check(measure, mape_pool_start(measure->pool, MAPE_FOREVER));
    measure_check(measure, mape_pool_event_fd(&measure->descriptor, measure->pool));
    measure_submit(measure, strcmp(mode, "run") == 0 ? "map" : "quit");
}

/* Notes the longest time between two ticks. */
static inline void measure_tick(struct measure *measure) {
    const int64_t now = measure_now();
    if (measure->last != 0 && now - measure->last > measure->gap) measure->gap = now - measure->last;
    measure->last = now;
    if (strcmp(measure->mode, "beside") == 0 && now - measure->began >= INT64_C(1000000000) && !measure->ended) {
        measure->ended = 1;
        printf("beside gap=%.1f\n", (double)measure->gap / 1e6);
        fflush(stdout);
        measure->quit();
    }
}

#endif /* MEASURE_H */
