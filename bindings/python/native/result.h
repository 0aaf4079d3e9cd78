/* result.h - how a value becomes the result of an item
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_RESULT_H
#define MAPENGINE_RESULT_H

#include "python.h"

#include <mapengine/worker.h>

/* Where the result of the running item was put, so that it can still be marked. */
struct result {
    uint8_t *at;
    size_t size;
};

/* Writes the value to the item's output. `encode` is _codec.encode, for what has no encoding of its own here.
 * Returns 0; 1 when there is no room (the engine says so); -1 with an exception. */
int result_put(mape_task *task, struct result *out, PyObject *value, PyObject *encode, int may_marshal);

/* Whether the value consists of builtins alone, exactly these types, so that marshal writes it as it is. */
int is_plain(PyObject *value);

/* Writes these bytes and the tag. Returns as result_put. */
int result_put_bytes(mape_task *task, struct result *out, const void *bytes, size_t size, uint8_t tag);

/* Notes in a result that was put that the function kept a view of its input. */
void result_mark_kept(mape_task *task, struct result *result);

#endif
