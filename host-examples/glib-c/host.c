/* host.c - a program with GLib's main loop, in which a pool's callbacks run
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * mape_glib_attach makes the loop dispatch the pool's events. The loop never waits for workers: a timer that ticks every 5 ms shows it.
 */
#include "work.h"

#include <mapengine.h>
#include <mapengine/glib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 400 };

static gint crash = -1, cancel_at = -1, quit_at = -1;
static gboolean idle = FALSE;
static const GOptionEntry entries[] = {
    {"crash", 0, 0, G_OPTION_ARG_INT, &crash, "This item kills its worker", "N"},
    {"cancel-at", 0, 0, G_OPTION_ARG_INT, &cancel_at, "Cancel the job after so many items", "N"},
    {"quit-at", 0, 0, G_OPTION_ARG_INT, &quit_at, "End the program in the middle, after so many items", "N"},
    {"idle", 0, 0, G_OPTION_ARG_NONE, &idle, "No work: tick for a second, to compare", NULL},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static GMainLoop *loop;
static GThread *main_thread;
static mape_pool *pool;
static mape_job *job;
static unsigned items, elsewhere, wrong;
static gint64 last_tick, longest_gap;

static void check(int status, const char *what) {
    if (status >= 0) return;
    char why[512];
    mape_message(why, sizeof why, pool);
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void on_item(void *context, const mape_event *event) {
    (void)context;
    if (g_thread_self() != main_thread) elsewhere++;
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

static void on_done(void *context, const mape_event *event) {
    const mape_progress *p = &event->progress;
    (void)context;
    printf("%d items: %d ok, %d crashed, %d cancelled\n", (int)p->total, (int)p->ok, (int)p->crashed,
           (int)p->cancelled);
    mape_job_release(job);
    g_main_loop_quit(loop);
}

static gboolean on_tick(gpointer data) {
    const gint64 now = g_get_monotonic_time();
    (void)data;
    if (last_tick != 0) longest_gap = MAX(longest_gap, now - last_tick);
    last_tick = now;
    return G_SOURCE_CONTINUE;
}

static gboolean on_idle_end(gpointer data) {
    (void)data;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
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
    GOptionContext *options = g_option_context_new("- 400 items of 5 ms in worker processes");
    GError *error = NULL;
    g_option_context_add_main_entries(options, entries, NULL);
    if (!g_option_context_parse(options, &argc, &argv, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 64;
    }
    g_option_context_free(options);
    loop = g_main_loop_new(NULL, FALSE);
    main_thread = g_thread_self();
    g_timeout_add(5, on_tick, NULL);

    GSource *source = NULL;
    if (idle) {
        g_timeout_add(1000, on_idle_end, NULL);
    } else {
        mape_pool_config settings = MAPE_POOL_CONFIG_INIT; /* As many workers as cores. */
        settings.nice = 5;                                 /* The main loop comes first. */
        check(mape_pool_create(&pool, &settings), "cannot make a pool");
        check(mape_glib_attach(&source, pool, NULL, MAPE_MILLISECONDS(5)), "cannot watch the pool");
        submit();
    }
    g_main_loop_run(loop);
    printf("GLib %u.%u.%u: off the main thread %u, wrong %u, the longest gap between two ticks of 5 ms was %.1f ms\n",
           glib_major_version, glib_minor_version, glib_micro_version, elsewhere, wrong, (double)longest_gap / 1000);
    mape_glib_detach(source); /* Before the pool goes. */
    mape_pool_release(pool);
    g_main_loop_unref(loop);
    return 0;
}
