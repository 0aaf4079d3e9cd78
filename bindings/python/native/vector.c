/* vector.c - elements of a map, one call of the function for a range of them, as an array
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is told of single elements here: when the worker dies, the engine runs the halves of the range again until it has found the one
 * that is to blame. What the function raises is the error of all of the range.
 */
#include "worker.h"

#include <string.h>

static PyObject *call(PyObject *function, const mape_range *range, const struct block *block) {
    PyObject *layout = PyBytes_FromStringAndSize((const char *)block->layout, block->head.layout);
    const uint64_t values[4] = {(uint64_t)(uintptr_t)range->base, range->stride, range->first, range->count};
    PyObject *numbers[4] = {NULL}, *given = NULL;
    int made = layout != NULL;
    for (int i = 0; i < 4 && made; i++) made = (numbers[i] = PyLong_FromLongLong((long long)values[i])) != NULL;
    if (made)
        given = PyObject_CallFunctionObjArgs(helpers.call_range, function, layout, numbers[0], numbers[1], numbers[2],
                                             numbers[3], NULL);
    for (int i = 0; i < 4; i++) drop(&numbers[i]);
    drop(&layout);
    return given;
}

void run_vector(mape_task *task, const mape_range *range, const struct block *block) {
    PyObject *function = function_of(task, &block->head.spec, block->spec);
    if (function) Py_IncRef(function);
    PyObject *given = function ? call(function, range, block) : NULL;
    drop(&function);
    Py_buffer buffer;
    if (!given || PyObject_GetBuffer(given, &buffer, PY_BUF_SIMPLE) != 0) {
        drop(&given);
        fail_range(task, range);
        return;
    }
    /* helpers.call_range has seen to it that they are as many. */
    if ((uint64_t)buffer.len == (uint64_t)range->count * block->head.element) {
        void *to = mape_task_output_range(task, block->head.element);
        if (to) memcpy(to, buffer.buf, (size_t)buffer.len);
    } else {
        mape_task_fail(task, 1, "the function's array has another size than it said");
    }
    PyBuffer_Release(&buffer);
    drop(&given);
}
