/* call.c - a single call, and what it is unpickled from
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker.h"

#include <string.h>

PyObject *view_of(const void *bytes, size_t size) {
    return PyMemoryView_FromMemory((char *)(uintptr_t)bytes, (Py_ssize_t)size, PY_BUF_READ);
}

PyObject *unpickle(mape_task *task, const void *bytes, size_t size, size_t pieces) {
    PyObject *view = view_of(bytes, size), *value = NULL;
    if (!view) return NULL;
    if (pieces <= 1) {
        value = call_one(helpers.loads, view);
    } else {
        PyObject *places = PyList_New(0); /* Address, size, address, size, ... */
        int status = places ? 0 : -1;
        for (size_t i = 1; i < pieces && status == 0; i++) {
            size_t length;
            const void *piece = mape_task_piece(&length, task, i);
            const long long numbers[2] = {(long long)(uintptr_t)piece, (long long)length};
            for (int k = 0; k < 2 && status == 0; k++) {
                PyObject *number = PyLong_FromLongLong(numbers[k]);
                status = number ? PyList_Append(places, number) : -1;
                drop(&number);
            }
        }
        if (status == 0) value = PyObject_CallFunctionObjArgs(helpers.loads_with, view, places, NULL);
        drop(&places);
    }
    Py_DecRef(view);
    return value;
}

static int is_zero(const uint8_t key[16]) {
    uint64_t words[2];
    memcpy(words, key, sizeof words);
    return !(words[0] | words[1]);
}

/* One call: args, kwargs and, without a spec, the function come by its pickle. */
void run_call(mape_task *task, const void *input, size_t size) {
    struct call_head head;
    struct result out = {NULL, 0};
    PyObject *value = NULL, *function = NULL, *call = NULL;
    size_t pieces = mape_task_pieces(task);
    memcpy(&head, input, sizeof head);
    const uint8_t *spec = (const uint8_t *)input + sizeof head, *pickle = spec + head.spec.size;
    int has_spec = !is_zero(head.spec.key);
    if (!has_spec || (function = function_of(task, &head.spec, spec))) {
        if (function) Py_IncRef(function);
        call = unpickle(task, pickle, size - sizeof head - head.spec.size, pieces);
    }
    if (call) {
        Py_ssize_t at = has_spec ? 0 : 1;
        PyObject *keywords = PyTuple_GetItem(call, at + 1);
        value = PyObject_Call(has_spec ? function : PyTuple_GetItem(call, 0), PyTuple_GetItem(call, at),
                              keywords == the_none ? NULL : keywords);
    }
    drop(&call); /* Nothing but the function itself may now hold on to the input. */
    finish(task, &out, value, head.spec.flags, NULL);
    finish_buffers(task, &out, pieces);
    drop(&function);
}
