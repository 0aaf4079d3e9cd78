/* host_same.c - every kind of job, here and over the cluster: are states, codes, texts and bytes the same?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

/** A job to run in either pool. */
struct trial {
    const char *name;
    mape_job *(*submit)(mape_pool *pool, const char *library);
    uint64_t count;
};

static mape_job *mapped(mape_pool *pool, mape_function_id id, mape_items *items, mape_job_config *config) {
    mape_job *job;
    if (mape_map(&job, pool, id, items, config)) fail("map", pool);
    return job;
}

static double numbers[1000];
static mape_items even(uint64_t count) {
    for (int i = 0; i < 1000; i++) numbers[i] = i * 1.25;
    mape_items items = MAPE_ITEMS_INIT;
    items.base = numbers, items.count = count, items.item_size = sizeof *numbers;
    return items;
}

static mape_job *submit_square(mape_pool *pool, const char *library) {
    mape_items items = even(1000);
    return mapped(pool, registered(pool, function_of(library, "square")), &items, NULL);
}
static mape_job *submit_stride(mape_pool *pool, const char *library) {
    mape_items items = even(300);
    items.stride = 3 * sizeof(double);
    return mapped(pool, registered(pool, function_of(library, "square")), &items, NULL);
}
static mape_job *submit_various(mape_pool *pool, const char *library) {
    static unsigned char bytes[5000];
    static mape_span spans[700];
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * i + i / 7);
    for (unsigned i = 0; i < 700; i++) spans[i] = (mape_span){bytes + i * 3, i % 37};
    mape_items items = MAPE_ITEMS_INIT;
    items.spans = spans, items.count = 700;
    return mapped(pool, registered(pool, function_of(library, "various")), &items, NULL);
}
static mape_job *submit_pieces(mape_pool *pool, const char *library) {
    static const char text[] = "pieces of a text that goes over the net";
    static mape_span parts[300];
    static mape_pieces all[100];
    for (unsigned i = 0; i < 300; i++) parts[i] = (mape_span){text + i % 11, i % 13};
    for (unsigned i = 0; i < 100; i++) all[i] = (mape_pieces){parts + i * 3, i % 4};
    mape_items items = MAPE_ITEMS_INIT;
    items.pieces = all, items.count = 100;
    return mapped(pool, registered(pool, function_of(library, "pieces")), &items, NULL);
}
static mape_job *submit_scale(mape_pool *pool, const char *library) {
    static const double factor = 3, data[2] = {0.5, 7};
    const double offset = 100;
    mape_function function = function_of(library, "scale");
    function.setup_symbol = "factor_setup", function.cleanup_symbol = "factor_cleanup";
    function.data = &factor, function.data_size = sizeof factor;
    mape_function_id id = registered(pool, function);
    if (mape_pool_set_global(pool, "offset", &offset, sizeof offset)) fail("global", pool);
    if (mape_pool_set_global(pool, "unused", "x", 1)) fail("global", pool);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.data = data, config.data_size = sizeof data;
    mape_items items = even(500);
    return mapped(pool, id, &items, &config);
}
static mape_job *submit_without_globals(mape_pool *pool, const char *library) {
    static const double factor = 2;
    mape_pool_set_global(pool, "offset", NULL, 0);
    mape_function function = function_of(library, "scale");
    function.setup_symbol = "factor_setup", function.cleanup_symbol = "factor_cleanup";
    function.data = &factor, function.data_size = sizeof factor;
    mape_items items = even(500);
    return mapped(pool, registered(pool, function), &items, NULL);
}
static mape_job *submit_bad_setup(mape_pool *pool, const char *library) {
    mape_function function = function_of(library, "square");
    function.setup_symbol = "bad_setup";
    mape_items items = even(20);
    return mapped(pool, registered(pool, function), &items, NULL);
}
static mape_job *submit_range(mape_pool *pool, const char *library) {
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = library, function.run_range_symbol = "range_square";
    mape_items items = even(1000);
    return mapped(pool, registered(pool, function), &items, NULL);
}
static mape_job *submit_chunk(mape_pool *pool, const char *library) {
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = library, function.run_range_symbol = "range_begins";
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 5;
    mape_items items = even(100);
    return mapped(pool, registered(pool, function), &items, &config);
}
static mape_job *submit_indexed(mape_pool *pool, const char *library) {
    mape_items items = even(700);
    return mapped(pool, registered(pool, function_of(library, "indexed")), &items, NULL);
}
static mape_job *submit_from(mape_pool *pool, const char *library) {
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = library, function.run_range_symbol = "range_indexed";
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.first_index = 1000000000000;
    mape_items items = even(700);
    return mapped(pool, registered(pool, function), &items, &config);
}
static mape_job *submit_large(mape_pool *pool, const char *library) {
    enum { size = 1 << 20, count = 12 };
    unsigned char *bytes = malloc((size_t)size * count);
    for (size_t i = 0; bytes && i < (size_t)size * count; i++) bytes[i] = (unsigned char)(i * 7 + i / 1000);
    mape_items items = MAPE_ITEMS_INIT;
    items.base = bytes, items.count = count, items.item_size = size;
    mape_job *job = mapped(pool, registered(pool, function_of(library, "turned")), &items, NULL);
    free(bytes);
    return job;
}
static mape_job *submit_buffer(mape_pool *pool, const char *library) {
    mape_buffer *buffer;
    void *at;
    if (mape_buffer_create(&buffer, pool, 4096)) fail("buffer", pool);
    mape_buffer_data(&at, NULL, buffer);
    for (int i = 0; i < 512; i++) ((double *)at)[i] = i / 3.0;
    mape_items items = MAPE_ITEMS_INIT;
    items.base = at, items.count = 512, items.item_size = sizeof(double);
    mape_job *job = mapped(pool, registered(pool, function_of(library, "square")), &items, NULL);
    mape_buffer_release(buffer);
    return job;
}
static mape_job *submit_stream(mape_pool *pool, const char *library) {
    mape_job *stream;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS, config.window = 10000;
    if (mape_stream_open(&stream, pool, registered(pool, function_of(library, "square")), &config))
        fail("stream", pool);
    for (int i = 0; i < 300; i++) {
        const double value = i;
        const mape_span span = {&value, sizeof value};
        if (mape_stream_push(NULL, stream, &span, 1)) fail("push", pool);
    }
    mape_stream_finish(stream);
    return stream;
}
static mape_job *submit_columns(mape_pool *pool, const char *library) {
    static double values[200][4];
    static int counts[200];
    static const double *arrays[200];
    static const char *names[200];
    static const char *const words[] = {"one", NULL, "", "four"};
    static const double at[2] = {2, 5};
    for (int i = 0; i < 200; i++) {
        for (int k = 0; k < 4; k++) values[i][k] = i + k * 0.125;
        counts[i] = i % 5;
        arrays[i] = i % 5 ? values[i] : NULL;
        names[i] = words[i % 4];
    }
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = library;
    function.prototype =
        "double weighted(int count, const double *values[count], const char *name, {double x; double y;} at)";
    mape_function_id id = registered(pool, function);
    mape_column columns[4] = {MAPE_COLUMN_INIT, MAPE_COLUMN_INIT, MAPE_COLUMN_INIT, MAPE_COLUMN_INIT};
    columns[0].base = counts, columns[0].stride = sizeof *counts;
    columns[1].base = arrays, columns[1].stride = sizeof *arrays, columns[1].pointers = 1;
    columns[2].base = names, columns[2].stride = sizeof *names, columns[2].pointers = 1;
    columns[3].base = (void *)at;
    mape_job *job;
    if (mape_map_columns(&job, pool, id, 200, columns, 4, NULL)) fail("columns", pool);
    return job;
}

static const struct trial trials[] = {
    {"square", submit_square, 1000},     {"stride", submit_stride, 300},
    {"various", submit_various, 700},    {"pieces", submit_pieces, 100},
    {"scale", submit_scale, 500},        {"without globals", submit_without_globals, 500},
    {"bad setup", submit_bad_setup, 20}, {"range", submit_range, 1000},
    {"chunk", submit_chunk, 100},        {"indexed", submit_indexed, 700},
    {"from", submit_from, 700},          {"large", submit_large, 12},
    {"buffer", submit_buffer, 512},      {"columns", submit_columns, 200},
};

/** A message without the machine's name in front, which only the one over the net can have. */
static const char *without_machine(const char *text) {
    const char *end = strncmp(text, "on machine \"", 12) == 0 ? strstr(text, "\": ") : NULL;
    return end ? end + 3 : text;
}

int same(const char *url, const char *library) {
    mape_pool *local = open_pool(NULL, 2), *remote = open_pool(url, 0);
    for (size_t t = 0; t < sizeof trials / sizeof *trials; t++) {
        mape_job *jobs[2] = {trials[t].submit(local, library), trials[t].submit(remote, library)};
        for (int k = 0; k < 2; k++)
            if (mape_job_wait(jobs[k], 30000000000)) fail(trials[t].name, k ? remote : local);
        mape_pool_dispatch(remote, 0, 0);
        uint64_t wrong = 0;
        for (uint64_t i = 0; i < trials[t].count; i++) {
            mape_result a = MAPE_RESULT_INIT, b = MAPE_RESULT_INIT;
            if (mape_job_result(&a, jobs[0], i) || mape_job_result(&b, jobs[1], i)) fail("result", remote);
            if (a.state == b.state && a.cause == b.cause && a.code == b.code && a.size == b.size &&
                (a.size == 0 || memcmp(a.data, b.data, a.size) == 0) &&
                strcmp(a.message, without_machine(b.message)) == 0)
                continue;
            if (wrong++ < 3)
                printf("    item %lu: state %u/%u cause %u/%u code %d/%d size %zu/%zu '%s'/'%s'\n", (unsigned long)i,
                       a.state, b.state, a.cause, b.cause, a.code, b.code, a.size, b.size, a.message, b.message);
        }
        printf("%s %s\n", wrong ? "FAILED" : "same", trials[t].name);
        failures += wrong > 0;
        mape_job_release(jobs[0]);
        mape_job_release(jobs[1]);
    }
    mape_job *stream = submit_stream(remote, library);
    uint64_t ok = 0;
    for (int left = 300; left > 0;) {
        mape_event event = MAPE_EVENT_INIT;
        if (mape_pool_next_event(&event, remote, 30000000000)) fail("event", remote);
        if (event.type != MAPE_EVENT_ITEM) continue;
        left--;
        ok += event.result.state == MAPE_ITEM_OK && event.result.size == 8 &&
              *(const double *)event.result.data == (double)event.index * (double)event.index;
    }
    printf("%s stream\n", ok == 300 ? "same" : "FAILED");
    failures += ok != 300;
    mape_job_release(stream);
    mape_pool_release(local);
    mape_pool_release(remote);
    return failures > 0;
}
