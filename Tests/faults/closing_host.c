/* closing_host.c - a host that opens the library with dlopen: closes it with a pool alive, exits with a pool alive, or has two copies
 * of it open at once.
 *
 *   closing_host close|exit|two BIRTH PREFIX SECOND_PREFIX libtestworkers.so
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <mapengine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct copy {
    void *library;
    mape_pool *pool;
    mape_function_id square, fault;
    __typeof__(&mape_pool_create) create;
    __typeof__(&mape_function_register) register_function;
    __typeof__(&mape_pool_start) start;
    __typeof__(&mape_map) map;
    __typeof__(&mape_job_wait) wait;
    __typeof__(&mape_job_result) result;
    __typeof__(&mape_pool_release) release;
};

/** An item of run_fault: workers.h. */
struct fault_item {
    uint64_t value;
    uint32_t way, pad;
};
enum { WAY_WELL = 0, WAY_SEGFAULT = 1, WAY_SLEEP = 16 };

static int failed(const char *what, int status) {
    const char *why = dlerror();
    fprintf(stderr, "closing_host: %s (%d) %s\n", what, status, why != NULL ? why : "");
    return 1;
}

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int status_ = (call);                                                                                          \
        if (status_ != MAPE_OK) return failed(#call, status_);                                                         \
    } while (0)
#define FIND(copy, field, name) ((copy)->field = (__typeof__((copy)->field))dlsym((copy)->library, #name))

static int opened(struct copy *copy, const char *prefix, uint32_t birth, const char *workers) {
    char path[4096];
    snprintf(path, sizeof path, "%s/lib/libmapengine.so", prefix);
    copy->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (copy->library == NULL) return failed(path, 0);
    FIND(copy, create, mape_pool_create);
    FIND(copy, register_function, mape_function_register);
    FIND(copy, start, mape_pool_start);
    FIND(copy, map, mape_map);
    FIND(copy, wait, mape_job_wait);
    FIND(copy, result, mape_job_result);
    FIND(copy, release, mape_pool_release);
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = 2;
    config.start = birth;
    TRY(copy->create(&copy->pool, &config));
    mape_function description = MAPE_FUNCTION_INIT;
    description.library = workers;
    description.run_symbol = "run_square";
    TRY(copy->register_function(&copy->square, copy->pool, &description));
    description.run_symbol = "run_fault";
    TRY(copy->register_function(&copy->fault, copy->pool, &description));
    TRY(copy->start(copy->pool, MAPE_SECONDS(40)));
    return 0;
}

/** 1,000 squares, and an item that crashes. */
static int used(struct copy *copy) {
    static uint64_t values[1000];
    for (uint64_t i = 0; i < 1000; i++) values[i] = i;
    struct fault_item items[3] = {{1, WAY_WELL, 0}, {2, WAY_SEGFAULT, 0}, {3, WAY_WELL, 0}};
    mape_items squares = MAPE_ITEMS_INIT, faults = MAPE_ITEMS_INIT;
    squares.base = values, squares.count = 1000, squares.item_size = sizeof values[0];
    faults.base = items, faults.count = 3, faults.item_size = sizeof items[0];
    mape_job *first = NULL, *second = NULL;
    TRY(copy->map(&first, copy->pool, copy->square, &squares, NULL));
    TRY(copy->map(&second, copy->pool, copy->fault, &faults, NULL));
    TRY(copy->wait(first, MAPE_SECONDS(40)));
    TRY(copy->wait(second, MAPE_SECONDS(40)));
    for (uint64_t i = 0; i < 1000; i++) {
        mape_result result = MAPE_RESULT_INIT;
        TRY(copy->result(&result, first, i));
        if (result.size != 8 || *(const uint64_t *)result.data != i * i) return failed("wrong result", (int)i);
    }
    for (uint64_t i = 0; i < 3; i++) {
        mape_result result = MAPE_RESULT_INIT;
        TRY(copy->result(&result, second, i));
        if (result.state != (i == 1 ? MAPE_ITEM_CRASHED : MAPE_ITEM_OK))
            return failed("wrong state", (int)result.state);
    }
    return 0;
}

/** Items that never end keep the workers. */
static int left_busy(struct copy *copy) {
    static struct fault_item items[10];
    for (int i = 0; i < 10; i++) items[i].way = WAY_SLEEP;
    mape_items all = MAPE_ITEMS_INIT;
    all.base = items, all.count = 10, all.item_size = sizeof items[0];
    TRY(copy->map(NULL, copy->pool, copy->fault, &all, NULL));
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 6) return 64;
    uint32_t birth = (uint32_t)atoi(argv[2]);
    static struct copy first, second;
    if (opened(&first, argv[3], birth, argv[5]) != 0 || used(&first) != 0) return 1;
    if (strcmp(argv[1], "two") == 0) {
        if (opened(&second, argv[4], birth, argv[5]) != 0) return 1;
        if (first.create == second.create) return failed("the second copy is the first", 0);
        for (int round = 0; round < 3; round++)
            if (used(&second) != 0 || used(&first) != 0) return 1;
        TRY(first.release(first.pool));
        if (used(&second) != 0) return 1;
        TRY(second.release(second.pool));
        if (second.release(first.pool) != MAPE_E_HANDLE) return failed("a handle of the other copy was taken", 0);
        return 0;
    }
    if (left_busy(&first) != 0) return 1;
    if (strcmp(argv[1], "close") == 0) {
        if (dlclose(first.library) != 0) return failed("dlclose", 0);
        /* And opened again: what was closed is of no harm to it. */
        if (opened(&second, argv[3], birth, argv[5]) != 0 || used(&second) != 0) return 1;
        TRY(second.release(second.pool));
    }
    return 0; /* With its pool alive. */
}
