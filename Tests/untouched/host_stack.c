/* host_stack.c - threads of the host: small stacks, and a creator that ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/** What the header promises is enough, guard page, thread-local data and the host's own frames included. */
#define SMALL_STACK (64u << 10)
#define LARGE_STACK (1u << 20)
#define PAINT       0xa5

struct small {
    const struct engine *engine;
    uint32_t birth;
};

static void on_event(void *context, const mape_event *event) { *(int *)context += event->type == MAPE_EVENT_ITEM; }

/** Every kind of call, also those that move data and notice deaths. */
static void *calls(void *context) {
    struct small *self = context;
    const struct engine *engine = self->engine;
    struct functions functions;
    mape_pool *pool = engine_pool(engine, self->birth, 2, &functions);
    OK(engine, pool, engine->mape_pool_start(pool, PATIENCE));
    engine_maps(engine, pool, &functions, 2000);
    engine_crashes(engine, pool, &functions);
    OK(engine, pool, engine->mape_pool_set_global(pool, "name", "value", 5));
    mape_buffer *buffer = NULL;
    void *bytes = NULL;
    OK(engine, pool, engine->mape_buffer_create(&buffer, pool, 10000));
    OK(engine, pool, engine->mape_buffer_data(&bytes, NULL, buffer));
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    int heard = 0, fd = -1;
    config.on_item = on_event;
    config.context = &heard;
    mape_job *stream = NULL;
    uint64_t value = 3;
    mape_span item = {&value, sizeof value};
    OK(engine, pool, engine->mape_stream_open(&stream, pool, functions.square, &config));
    for (int i = 0; i < 100; i++) OK(engine, pool, engine->mape_stream_push(NULL, stream, &item, 1));
    OK(engine, pool, engine->mape_stream_finish(stream));
    OK(engine, pool, engine->mape_pool_event_fd(&fd, pool));
    stage("dispatching");
    while (heard < 100)
        if (engine->mape_pool_dispatch(pool, 0, 0) == 0) nap();
    mape_event event = MAPE_EVENT_INIT;
    int status = engine->mape_pool_next_event(&event, pool, 0);
    if (status != MAPE_OK) check(engine, pool, status, MAPE_E_AGAIN, "mape_pool_next_event");
    char why[100];
    if (engine->mape_apply(&stream, pool, 999, NULL, 0, NULL) == MAPE_OK) fail("a function that is none");
    if (engine->mape_message(why, sizeof why, pool) == 0) fail("no message");
    OK(engine, pool, engine->mape_buffer_release(buffer));
    OK(engine, pool, engine->mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    OK(engine, NULL, engine->mape_pool_release(pool));
    return NULL;
}

/** Runs `body` on a stack of so many bytes that was painted before. Returns how many were used. */
static size_t used_by(void *(*body)(void *), void *context, size_t size) {
    unsigned char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) fail("mmap");
    memset(stack, PAINT, size);
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, stack, size) != 0) fail("pthread_attr_setstack");
    if (pthread_create(&thread, &attributes, body, context) != 0) fail("pthread_create");
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    size_t untouched = 0;
    while (untouched < size && stack[untouched] == PAINT) untouched++;
    munmap(stack, size);
    return size - untouched;
}

void host_thread_has_a_small_stack(struct engine *engine, uint32_t birth) {
    host_opens(engine);
    struct small self = {engine, birth};
    size_t used = used_by(calls, &self, LARGE_STACK);
    printf("calls used %zu bytes of stack, thread-local data and the test's own frames included\n", used);
    if (used > SMALL_STACK - 16384) fail("calls used %zu bytes of stack: the header promises fewer", used);
    used_by(calls, &self, SMALL_STACK);
}

struct creation {
    const struct engine *engine;
    uint32_t birth;
    struct functions functions;
    mape_pool *pool;
};

static void *create_and_start(void *context) {
    struct creation *self = context;
    self->pool = engine_pool(self->engine, self->birth, 2, &self->functions);
    OK(self->engine, self->pool, self->engine->mape_pool_start(self->pool, PATIENCE));
    return NULL;
}

void host_thread_that_created_ends(struct engine *engine, uint32_t birth) {
    host_opens(engine);
    struct creation self = {.engine = engine, .birth = birth};
    in_thread(create_and_start, &self);
    for (int i = 0; i < 200; i++) nap(); /* The kernel would send a signal of a parent's death at once. */
    if (engine_stats(engine, self.pool).workers_died != 0) fail("workers have died with the thread");
    engine_maps(engine, self.pool, &self.functions, 1000);
    engine_crashes(engine, self.pool, &self.functions);
    OK(engine, NULL, engine->mape_pool_release(self.pool));
}
