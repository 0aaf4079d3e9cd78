/* support_native.h - what the tests of typed functions share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SUPPORT_NATIVE_H
#define SUPPORT_NATIVE_H

#include "support.h"

int native_set_up(mape_task *task, const void *data, size_t size, void **out_state);

static inline mape_function_id typed(mape_pool *pool, const char *prototype, void *native, uint32_t flags) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.prototype = prototype;
    description.native = (mape_native_fn)native;
    description.native_flags = flags;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

static inline mape_function_id typed_in(mape_pool *pool, const char *prototype, const char *library) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.prototype = prototype;
    description.library = library;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

static inline mape_column column(const void *base, ptrdiff_t stride) {
    mape_column c = MAPE_COLUMN_INIT;
    c.base = (void *)base;
    c.stride = stride;
    return c;
}

static inline mape_job *called(mape_pool *pool, mape_function_id function, uint64_t count, const mape_column *columns,
                               size_t n) {
    mape_job *job = NULL;
    is_ok(pool, mape_map_columns(&job, pool, function, count, columns, n, NULL));
    is_ok(pool, mape_job_wait(job, PATIENCE));
    return job;
}

/** Gathers, expects so many calls without result, and releases. */
static inline void gathered(mape_pool *pool, mape_job *job, const mape_column *columns, size_t n, uint64_t missing) {
    uint64_t got = 99;
    is_ok(pool, mape_job_gather_columns(columns, n, &got, job));
    assert_int_equal(got, missing);
    is_ok(pool, mape_job_release(job));
}

#endif
