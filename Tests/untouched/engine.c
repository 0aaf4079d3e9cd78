/* engine.c - see engine.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../abi/workers.h"

const char *library_path = PREFIX "/lib/libmapengine.so", *workers_path = WORKERS_LIBRARY;

/* ---- telling ---- */

static char *the_stage; /* Shared with the watchdog. */

void stage(const char *format, ...) {
    if (the_stage == NULL) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(the_stage, 300, format, arguments);
    va_end(arguments);
}

void fail(const char *format, ...) {
    char text[2000];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (the_stage != NULL) snprintf(text + length, sizeof text - (size_t)length, " (stage: %s)", the_stage);
    dprintf(2, "%s\n", text);
    _exit(1);
}

void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL); }

static void *nothing(void *unused) { return unused; }

int watched(int seconds, int (*body)(int, char **), int argc, char **argv) {
    the_stage = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (the_stage == MAP_FAILED) return 1;
    stage("beginning");
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread; /* With a process's first thread glibc installs a handler of its own, for signal 33. */
        if (pthread_create(&thread, NULL, nothing, NULL) == 0) pthread_join(thread, NULL);
        exit(body(argc, argv));
    }
    int status = 0;
    for (int i = 0; i < seconds * 1000; i++) {
        if (waitpid(child, &status, WNOHANG) == child) {
            if (WIFEXITED(status)) return WEXITSTATUS(status);
            fprintf(stderr, "ended by signal %d; last stage: %s\n", WTERMSIG(status), the_stage);
            return 1;
        }
        nap();
    }
    fprintf(stderr, "HUNG; last stage: %s\n", the_stage);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 1;
}

/* ---- the library ---- */

void engine_open(struct engine *self, const char *path, int flags) {
    self->library = dlopen(path, flags);
    if (self->library == NULL) fail("dlopen: %s", dlerror());
#define FIND(name)                                                                                                     \
    self->mape_##name = (__typeof__(&mape_##name))dlsym(self->library, "mape_" #name);                                 \
    if (self->mape_##name == NULL) fail("there is no mape_" #name);
    ENGINE_FUNCTIONS(FIND)
#undef FIND
}

void engine_close(struct engine *self) {
    if (dlclose(self->library) != 0) fail("dlclose: %s", dlerror());
    self->library = NULL;
}

void check(const struct engine *self, mape_pool *pool, int got, int expected, const char *call) {
    if (got == expected) return;
    char why[1000] = "";
    self->mape_message(why, sizeof why, pool);
    fail("%s answered %d (%s), not %d: %s", call, got, self->mape_status_string(got), expected, why);
}

/* ---- pools ---- */

static mape_function_id registered(const struct engine *self, mape_pool *pool, const char *symbol) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    description.library = workers_path;
    description.run_symbol = symbol;
    OK(self, pool, self->mape_function_register(&id, pool, &description));
    return id;
}

mape_pool *engine_pool(const struct engine *self, uint32_t birth, uint32_t workers, struct functions *out) {
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    mape_pool *pool = NULL;
    config.start = birth;
    config.workers = workers;
    OK(self, NULL, self->mape_pool_create(&pool, &config));
    out->square = registered(self, pool, "run_square");
    out->fault = registered(self, pool, "run_fault");
    return pool;
}

mape_stats engine_stats(const struct engine *self, mape_pool *pool) {
    mape_stats stats = MAPE_STATS_INIT;
    OK(self, pool, self->mape_pool_stats(&stats, pool));
    return stats;
}

void engine_maps(const struct engine *self, mape_pool *pool, const struct functions *functions, uint64_t count) {
    uint64_t *values = calloc(count, sizeof *values), *squares = calloc(count, sizeof *squares), missing = 0;
    for (uint64_t i = 0; i < count; i++) values[i] = i * 3 + 1;
    mape_items items = MAPE_ITEMS_INIT;
    items.base = values;
    items.count = count;
    items.item_size = sizeof *values;
    mape_job *job = NULL;
    OK(self, pool, self->mape_map(&job, pool, functions->square, &items, NULL));
    stage("waiting for a map");
    OK(self, pool, self->mape_job_wait(job, PATIENCE));
    OK(self, pool, self->mape_job_gather(squares, count * sizeof *squares, sizeof *squares, &missing, job));
    if (missing != 0) fail("%llu of %llu items are missing", (unsigned long long)missing, (unsigned long long)count);
    for (uint64_t i = 0; i < count; i++)
        if (squares[i] != values[i] * values[i]) fail("item %llu is wrong", (unsigned long long)i);
    OK(self, pool, self->mape_job_release(job));
    free(values);
    free(squares);
}

void engine_crashes(const struct engine *self, mape_pool *pool, const struct functions *functions) {
    static const uint32_t ways[] = {WAY_KILL, WAY_ABORT, WAY_EXIT_99, WAY_SEGFAULT};
    struct fault_item values[60];
    for (uint64_t i = 0; i < 60; i++) values[i] = (struct fault_item){i, i % 15 == 7 ? ways[i / 15] : WAY_WELL, 0};
    mape_items items = MAPE_ITEMS_INIT;
    items.base = values;
    items.count = 60;
    items.item_size = sizeof values[0];
    mape_job *job = NULL;
    OK(self, pool, self->mape_map(&job, pool, functions->fault, &items, NULL));
    stage("waiting for a map that crashes workers");
    OK(self, pool, self->mape_job_wait(job, PATIENCE));
    for (uint64_t i = 0; i < 60; i++) {
        mape_result result = MAPE_RESULT_INIT;
        OK(self, pool, self->mape_job_result(&result, job, i));
        uint32_t expected = i % 15 == 7 ? MAPE_ITEM_CRASHED : MAPE_ITEM_OK;
        if (result.state != expected)
            fail("item %llu: state %u, cause %u, code %d, %s", (unsigned long long)i, result.state, result.cause,
                 result.code, result.message);
    }
    OK(self, pool, self->mape_job_release(job));
}

void engine_life(const struct engine *self, uint32_t birth) {
    struct functions functions;
    mape_pool *pool = engine_pool(self, birth, 2, &functions);
    stage("starting");
    OK(self, pool, self->mape_pool_start(pool, PATIENCE));
    engine_maps(self, pool, &functions, 500);
    engine_crashes(self, pool, &functions);
    engine_maps(self, pool, &functions, 500);
    stage("destroying");
    OK(self, NULL, self->mape_pool_release(pool));
}
