/* copies.c - two copies of the library in one host, as when two plugins each bring their own. Both work at once, on two threads,
 * with crashes; neither knows of the other.
 *
 *   copies OTHER_LIBRARY exec|fork local|first|second      which of the two is opened with RTLD_GLOBAL
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine.h"
#include "snapshot.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct counted snapshot_counts[] = {{NULL, 0}};

static const struct allowed table[] = {
    {1, "map.*/lib*.so.*", 26, "both copies stay (-z nodelete), and parts of the C library"}};

struct side {
    struct engine engine;
    uint32_t birth;
};

static void *lives(void *context) {
    struct side *side = context;
    for (int i = 0; i < 5; i++) engine_life(&side->engine, side->birth);
    return NULL;
}

/** A handle of one copy is none in the other: its pools are its own. */
static void know_nothing_of_each_other(struct side *sides) {
    struct functions functions[2];
    mape_pool *pools[2];
    for (int i = 0; i < 2; i++) {
        pools[i] = engine_pool(&sides[i].engine, sides[i].birth, 1, &functions[i]);
        OK(&sides[i].engine, pools[i], sides[i].engine.mape_pool_start(pools[i], PATIENCE));
    }
    for (int i = 0; i < 2; i++) engine_maps(&sides[i].engine, pools[i], &functions[i], 100);
    int32_t zygotes[2] = {engine_stats(&sides[0].engine, pools[0]).zygote_pid,
                          engine_stats(&sides[1].engine, pools[1]).zygote_pid};
    if (zygotes[0] == zygotes[1] || zygotes[0] <= 0 || zygotes[1] <= 0) fail("the copies share a zygote");
    OK(&sides[0].engine, NULL, sides[0].engine.mape_pool_release(pools[0]));
    engine_crashes(&sides[1].engine, pools[1], &functions[1]);
    OK(&sides[1].engine, NULL, sides[1].engine.mape_pool_release(pools[1]));
}

static int copies(int argc, char **argv) {
    if (argc != 4) return 2;
    struct side sides[2];
    struct snapshot before = snapshot_taken();
    for (int i = 0; i < 2; i++) {
        bool global = strcmp(argv[3], i == 0 ? "first" : "second") == 0;
        sides[i].birth = strcmp(argv[2], "fork") == 0 ? MAPE_START_FORK : MAPE_START_EXEC;
        engine_open(&sides[i].engine, i == 0 ? library_path : argv[1], RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL));
    }
    if (sides[0].engine.mape_pool_create == sides[1].engine.mape_pool_create) fail("there is one copy only");
    know_nothing_of_each_other(sides);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, lives, &sides[i]) != 0) fail("pthread_create");
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    engine_close(&sides[0].engine);
    lives(&sides[1]);
    engine_close(&sides[1].engine);
    for (int tries = 0;; tries++) {
        struct snapshot now = snapshot_taken();
        int wrong = snapshot_differences(&before, &now, 1, table, 1, tries == 3000 ? "afterwards" : NULL);
        snapshot_freed(&now);
        if (wrong == 0) return 0;
        if (tries == 3000) fail("%d differences", wrong);
        nap();
    }
}

int main(int argc, char **argv) { return watched(200, copies, argc, argv); }
