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

/* One call: args and kwargs come by a pickle. */
void run_call(mape_task *task, const void *input, size_t size) {
    struct call_head head;
    struct result out = {NULL, 0};
    PyObject *value = NULL, *call = NULL;
    size_t pieces = mape_task_pieces(task);
    memcpy(&head, input, sizeof head);
    const uint8_t *spec = (const uint8_t *)input + sizeof head, *pickle = spec + head.spec.size;
    PyObject *function = function_of(task, &head.spec, spec);
    if (function) {
        Py_IncRef(function);
        call = unpickle(task, pickle, size - sizeof head - head.spec.size, pieces);
    }
    if (call) {
        PyObject *keywords = PyTuple_GetItem(call, 1);
        value = PyObject_Call(function, PyTuple_GetItem(call, 0), keywords == the_none ? NULL : keywords);
    }
    drop(&call); /* Nothing but the function itself may now hold on to the input. */
    finish(task, &out, value, head.spec.flags, NULL);
    finish_buffers(task, &out, pieces);
    drop(&function);
}
