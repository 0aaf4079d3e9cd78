/* outcome.c - how an item ends: with a value, or with an exception
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker.h"

/* What the host is told of an exception; the texts lie in `encoded`. */
struct told {
    PyObject *encoded;
    char *message, *data;
    Py_ssize_t size;
};

/* Takes the exception that is set. */
static struct told take_exception(void) {
    struct told told = {NULL, NULL, NULL, 0};
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback) PyException_SetTraceback(value, traceback);
    told.encoded = value ? call_one(helpers.encode_error, value) : NULL;
    Py_ssize_t length;
    if (!told.encoded || PyBytes_AsStringAndSize(PyTuple_GetItem(told.encoded, 0), &told.message, &length) != 0 ||
        PyBytes_AsStringAndSize(PyTuple_GetItem(told.encoded, 1), &told.data, &told.size) != 0) {
        PyErr_Clear();
        told.message = "an exception that cannot be described";
        told.data = NULL;
    }
    drop(&type);
    drop(&value);
    drop(&traceback);
    return told;
}

static void fail_with(mape_task *task, struct result *out, const struct told *told) {
    out->at = NULL;
    if (told->data) result_put_bytes(task, out, told->data, (size_t)told->size, TAG_ERROR);
    mape_task_fail(task, 1, told->message);
}

void fail(mape_task *task, struct result *out) {
    struct told told = take_exception();
    fail_with(task, out, &told);
    drop(&told.encoded);
}

void fail_range(mape_task *task, const mape_range *range) {
    struct told told = take_exception();
    struct result out;
    size_t size;
    for (size_t i = 0; i < range->count && mape_task_begin(&size, task, i); i++) {
        if (i == 0) {
            fail_with(task, &out, &told);
        } else {
            /* The exception itself is told once. */
            result_put_bytes(task, &out, &range->first, sizeof range->first, TAG_SAME);
            mape_task_fail(task, 1, NULL);
        }
    }
    drop(&told.encoded);
}

void finish(mape_task *task, struct result *out, PyObject *value, uint32_t flags, const struct block *block) {
    int status = -1;
    if (value && block && block->head.element) status = element_put(task, out, value, block);
    else if (value) status = result_put(task, out, value, helpers.encode, (flags & CALL_MARSHAL) != 0);
    drop(&value);
    if (status < 0) fail(task, out);
}

void finish_buffers(mape_task *task, struct result *out, size_t pieces) {
    if (pieces <= 1) return;
    PyObject *in_use = PyObject_CallFunctionObjArgs(helpers.end_buffers, NULL);
    if (!in_use) PyErr_Clear();
    if (in_use == the_true) result_mark_kept(task, out);
    drop(&in_use);
}
