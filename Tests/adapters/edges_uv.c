/* edges_uv.c - mapengine/uv.h: what it refuses, and detaching in a callback
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <mapengine/uv.h>

#include <stdio.h>
#include <stdlib.h>

static int items, detached;

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("line %d: %s\n", __LINE__, #condition);                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static void on_detached(mape_uv *uv) {
    detached++;
    free(uv);
}

static void on_item(void *context, const mape_event *event) {
    mape_uv *uv = context;
    (void)event;
    items++;
    if (uv == NULL) return;
    mape_pool *pool = uv->pool;
    mape_uv_detach(uv, on_detached);
    mape_pool_release(pool);
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
    config.context = context;
    list.base = numbers, list.count = 10, list.item_size = sizeof numbers[0];
    REQUIRE(mape_map(&job, pool, id, &list, &config) == MAPE_OK);
    return pool;
}

int main(void) {
    uv_loop_t loop;
    mape_uv own;
    REQUIRE(uv_loop_init(&loop) == 0);
    mape_pool *pool = pool_with_work(NULL);
    REQUIRE(mape_uv_attach(NULL, pool, &loop, 0) == MAPE_E_ARGUMENT &&
            mape_uv_attach(&own, pool, NULL, 0) == MAPE_E_ARGUMENT);
    REQUIRE(mape_uv_attach(&own, NULL, &loop, 0) < 0);
    mape_pool_release(pool);
    REQUIRE(mape_uv_attach(&own, pool, &loop, 0) == MAPE_E_HANDLE);

    /* The first callback detaches, and releases its pool: no other one comes, and the loop ends. */
    for (int round = 1; round <= 10; round++) {
        mape_uv *uv = malloc(sizeof *uv);
        REQUIRE(uv != NULL);
        pool = pool_with_work(uv);
        REQUIRE(mape_uv_attach(uv, pool, &loop, MAPE_MILLISECONDS(5)) == MAPE_OK);
        REQUIRE(uv_run(&loop, UV_RUN_DEFAULT) == 0);
        REQUIRE(items == round && detached == round && mape_pool_release(pool) == MAPE_E_HANDLE);
    }
    /* One that is not to keep the loop alive. */
    items = 0;
    pool = pool_with_work(NULL);
    REQUIRE(mape_uv_attach(&own, pool, &loop, 0) == MAPE_OK);
    while (items < 10) uv_run(&loop, UV_RUN_ONCE);
    uv_unref((uv_handle_t *)&own.poll);
    REQUIRE(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    mape_uv_detach(&own, NULL);
    mape_pool_release(pool);
    REQUIRE(uv_run(&loop, UV_RUN_DEFAULT) == 0 && uv_loop_close(&loop) == 0);
    return 0;
}
