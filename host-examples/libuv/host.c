/* host.c - a program with libuv's loop, in which a pool's callbacks run
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * mape_uv_attach makes the loop dispatch the pool's events. The loop never waits for workers: a timer that ticks every 5 ms shows it.
 */
#include "work.h"

#include <mapengine.h>
#include <mapengine/uv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 400 };

static int crash = -1, cancel_at = -1, quit_at = -1, idle;
static uv_thread_t main_thread;
static uv_timer_t ticker, idle_end;
static mape_pool *pool;
static mape_job *job;
static mape_uv attached;
static unsigned items, elsewhere, wrong;
static uint64_t last_tick, longest_gap;

static void check(int status, const char *what) {
    if (status >= 0) return;
    char why[512];
    mape_message(why, sizeof why, pool);
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void on_item(void *context, const mape_event *event) {
    const uv_thread_t self = uv_thread_self();
    (void)context;
    if (!uv_thread_equal(&self, &main_thread)) elsewhere++;
    if (event->result.state == MAPE_ITEM_OK) {
        uint32_t result;
        memcpy(&result, event->result.data, sizeof result);
        if (result != (uint32_t)(event->index * event->index)) wrong++;
    } else if (event->result.state == MAPE_ITEM_CRASHED) {
        printf("item %d: %s\n", (int)event->index, event->result.message);
    }
    items++;
    if ((int)items == cancel_at) mape_job_cancel(job);
    if ((int)items == quit_at) exit(0); /* Workers end with the program, however it ends. */
}

/* The loop ends when no handle is left. */
static void on_done(void *context, const mape_event *event) {
    const mape_progress *p = &event->progress;
    (void)context;
    printf("%d items: %d ok, %d crashed, %d cancelled\n", (int)p->total, (int)p->ok, (int)p->crashed,
           (int)p->cancelled);
    mape_job_release(job);
    mape_uv_detach(&attached, NULL); /* Before the pool goes. */
    uv_close((uv_handle_t *)&ticker, NULL);
}

static void on_tick(uv_timer_t *timer) {
    const uint64_t now = uv_hrtime();
    (void)timer;
    if (last_tick != 0 && now - last_tick > longest_gap) longest_gap = now - last_tick;
    last_tick = now;
}

static void on_idle_end(uv_timer_t *timer) {
    uv_close((uv_handle_t *)timer, NULL);
    uv_close((uv_handle_t *)&ticker, NULL);
}

static void submit(void) {
    mape_function function = MAPE_FUNCTION_INIT;
    mape_function_id id;
    function.library = WORK_LIBRARY;
    function.run_symbol = "run_work";
    check(mape_function_register(&id, pool, &function), "cannot register the function");
    static struct work works[COUNT];
    for (int i = 0; i < COUNT; i++) works[i] = (struct work){(uint32_t)i, i == crash};
    mape_items list = MAPE_ITEMS_INIT;
    list.base = works, list.count = COUNT, list.item_size = sizeof works[0];
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.drop = 1; /* Each result goes after its callback; workers are at most 64 items ahead of the loop. */
    config.window = 64;
    config.on_item = on_item;
    config.on_done = on_done;
    check(mape_map(&job, pool, id, &list, &config), "cannot submit the work");
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (sscanf(argv[i], "--crash=%d", &crash) == 1 || sscanf(argv[i], "--cancel-at=%d", &cancel_at) == 1 ||
            sscanf(argv[i], "--quit-at=%d", &quit_at) == 1)
            continue;
        if (strcmp(argv[i], "--idle") != 0) {
            fprintf(stderr, "usage: host [--crash=N] [--cancel-at=N] [--quit-at=N] [--idle]\n");
            return 64;
        }
        idle = 1;
    }
    uv_loop_t *loop = uv_default_loop();
    main_thread = uv_thread_self();
    uv_timer_init(loop, &ticker);
    uv_timer_start(&ticker, on_tick, 5, 5);
    if (idle) {
        uv_timer_init(loop, &idle_end);
        uv_timer_start(&idle_end, on_idle_end, 1000, 0);
    } else {
        mape_pool_config settings = MAPE_POOL_CONFIG_INIT; /* As many workers as cores. */
        settings.nice = 5;                                 /* The main loop comes first. */
        check(mape_pool_create(&pool, &settings), "cannot make a pool");
        check(mape_uv_attach(&attached, pool, loop, MAPE_MILLISECONDS(5)), "cannot watch the pool");
        submit();
    }
    uv_run(loop, UV_RUN_DEFAULT);
    printf("libuv %s: off the main thread %u, wrong %u, the longest gap between two ticks of 5 ms was %.1f ms\n",
           uv_version_string(), elsewhere, wrong, (double)longest_gap * 1e-6);
    mape_pool_release(pool);
    return uv_loop_close(loop) != 0;
}
