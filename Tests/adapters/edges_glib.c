/* edges_glib.c - mapengine/glib.h: what it refuses, and detaching in a callback
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <mapengine/glib.h>

#include <stdio.h>
#include <stdlib.h>

static GMainLoop *loop;
static GSource *source;
static int items;

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("line %d: %s\n", __LINE__, #condition);                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static void on_item(void *context, const mape_event *event) {
    (void)event;
    items++;
    if (context == NULL) return;
    mape_glib_detach(source);
    mape_pool_release(context);
    g_main_loop_quit(loop);
}

static mape_pool *pool_with_work(void *context) {
    mape_pool *pool = NULL;
    mape_pool_config settings = MAPE_POOL_CONFIG_INIT;
    mape_function function = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    mape_job *job = NULL;
    mape_items list = MAPE_ITEMS_INIT;
    static const double numbers[10];
    settings.workers = 1;
    REQUIRE(mape_pool_create(&pool, &settings) == MAPE_OK);
    function.library = "libm.so.6", function.prototype = "double sqrt(double x)";
    REQUIRE(mape_function_register(&id, pool, &function) == MAPE_OK);
    config.on_item = on_item;
    config.context = context != NULL ? pool : NULL;
    list.base = numbers, list.count = 10, list.item_size = sizeof numbers[0];
    REQUIRE(mape_map(&job, pool, id, &list, &config) == MAPE_OK);
    return pool;
}

int main(void) {
    mape_pool *pool, *second;
    GSource *other = NULL;
    GMainContext *own = g_main_context_new();
    loop = g_main_loop_new(NULL, FALSE);
    REQUIRE(mape_glib_attach(&source, NULL, NULL, 0) < 0 && source == NULL);
    mape_glib_detach(NULL);
    pool = pool_with_work(NULL);
    REQUIRE(mape_glib_attach(NULL, pool, NULL, 0) == MAPE_E_ARGUMENT);
    mape_pool_release(pool);
    REQUIRE(mape_glib_attach(&source, pool, NULL, 0) == MAPE_E_HANDLE && source == NULL);

    /* The first callback detaches, and releases its pool: no other one comes. Ten times, as a plug-in that is opened and closed. */
    for (int round = 1; round <= 10; round++) {
        pool = pool_with_work(loop);
        REQUIRE(mape_glib_attach(&source, pool, NULL, MAPE_MILLISECONDS(5)) == MAPE_OK);
        g_main_loop_run(loop);
        while (g_main_context_iteration(NULL, FALSE)) continue;
        REQUIRE(items == round && mape_pool_release(pool) == MAPE_E_HANDLE);
    }
    /* Two pools, two contexts: each gets its own. */
    items = 0;
    pool = pool_with_work(NULL), second = pool_with_work(NULL);
    REQUIRE(mape_glib_attach(&source, pool, NULL, 0) == MAPE_OK && mape_glib_attach(&other, second, own, 0) == MAPE_OK);
    while (items < 10) g_main_context_iteration(own, TRUE);
    REQUIRE(items == 10);
    while (items < 20) g_main_context_iteration(NULL, TRUE);
    mape_glib_detach(other);
    mape_glib_detach(source);
    mape_pool_release(second);
    mape_pool_release(pool);
    g_main_context_unref(own);
    g_main_loop_unref(loop);
    return 0;
}
