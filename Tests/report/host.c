/* A map with one slow item, one crash and a long copy, traced: what a report has to name.
 *
 *     host LIBRARY TRACE WORKERS ITEMS MILLISECONDS
 *
 * Items take so many milliseconds; one at three quarters of them is the slow one. Its length follows from how long this machine takes to copy the inputs, so that each is seen beside
 * the other. */
#include <mapengine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CRASHES = 12, SIZE = 4 << 20 };

struct item {
    long sleep_ns;
    int crashes;
};

static mape_pool *pool;

static void check(int status) {
    if (status == MAPE_OK) return;
    char why[512];
    mape_message(why, sizeof why, pool);
    fprintf(stderr, "%s: %s\n", mape_status_string(status), why);
    exit(1);
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 6) return 64;
    int workers = atoi(argv[3]), count = atoi(argv[4]), slow = count / 4 * 3;
    size_t size = (size_t)count * SIZE;
    char *inputs = malloc(size), *copy = malloc(size);
    if (!inputs || !copy) return 71;
    memset(inputs, 0, size);
    long began = now();
    memcpy(copy, inputs, size);
    long length = 2 * (now() - began);
    free(copy);

    mape_pool_config settings = MAPE_POOL_CONFIG_INIT;
    settings.workers = (uint32_t)workers;
    check(mape_pool_create(&pool, &settings));
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = argv[1];
    function.run_symbol = "sleep_or_crash";
    mape_function_id id;
    check(mape_function_register(&id, pool, &function));
    check(mape_pool_start(pool, MAPE_FOREVER));

    for (int i = 0; i < count; i++) {
        struct item item = {atoi(argv[5]) * 1000000L, i == CRASHES};
        if (i == slow) item.sleep_ns = length > 1000000000 ? length : 1000000000;
        memcpy(inputs + (size_t)i * SIZE, &item, sizeof item);
    }
    mape_items items = MAPE_ITEMS_INIT;
    items.base = inputs;
    items.item_size = SIZE;
    items.count = (size_t)count;
    mape_job *job;
    check(mape_pool_trace_start(pool, NULL));
    check(mape_map(&job, pool, id, &items, NULL));
    check(mape_job_wait(job, MAPE_FOREVER));
    check(mape_pool_trace_stop(pool));
    check(mape_pool_trace_write(pool, argv[2]));
    check(mape_job_release(job));
    check(mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, MAPE_FOREVER));
    free(inputs);
    return mape_pool_release(pool);
}
