/* result.c - how a value becomes the result of an item
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "result.h"
#include "format.h"

#include <string.h>

#define MARSHAL_VERSION 4
#define MARSHAL_DEPTH   24

int result_put_bytes(mape_task *task, struct result *out, const void *bytes, size_t size, uint8_t tag) {
    size_t pad = size < 8 ? 8 - size : 0;
    out->size = size + pad + 1;
    out->at = mape_task_output(task, out->size);
    if (!out->at) return 1;
    memcpy(out->at, bytes, size);
    memset(out->at + size, 0, pad);
    out->at[out->size - 1] = tag;
    return 0;
}

/* A text or bytes: what is too short to be told from a number says how long it is. */
static int put_text(mape_task *task, struct result *out, const void *bytes, size_t size, uint8_t tag,
                    uint8_t short_tag) {
    int status = result_put_bytes(task, out, bytes, size, size < 8 ? short_tag : tag);
    if (!status && size < 8) out->at[7] = (uint8_t)size;
    return status;
}

static int put_word(mape_task *task, struct result *out, const void *word, uint8_t tag) {
    out->size = tag ? 9 : 8;
    out->at = mape_task_output(task, out->size);
    if (!out->at) return 1;
    memcpy(out->at, word, 8);
    if (tag) out->at[8] = tag;
    return 0;
}

/* Whether the value consists of builtins alone, exactly these types. marshal itself writes what has a buffer, such as an array within a
 * list, as if it were bytes. */
static int is_plain_within(PyObject *value, int depth) {
    PyObject *type = type_of(value);
    if (type == type_str || type == type_int || type == type_float || type == type_bytes || value == the_none ||
        type == type_bool)
        return 1;
    if (depth == 0) return 0;
    if (type == type_dict) {
        Py_ssize_t position = 0;
        PyObject *key, *item;
        while (PyDict_Next(value, &position, &key, &item)) {
            if (!is_plain_within(key, depth - 1) || !is_plain_within(item, depth - 1)) return 0;
        }
        return 1;
    }
    if (type == type_list) {
        for (Py_ssize_t i = 0, n = PyList_Size(value); i < n; i++) {
            if (!is_plain_within(PyList_GetItem(value, i), depth - 1)) return 0;
        }
        return 1;
    }
    if (type == type_tuple) {
        for (Py_ssize_t i = 0, n = PyTuple_Size(value); i < n; i++) {
            if (!is_plain_within(PyTuple_GetItem(value, i), depth - 1)) return 0;
        }
        return 1;
    }
    return 0;
}

int is_plain(PyObject *value) { return is_plain_within(value, MARSHAL_DEPTH); }

static size_t rounded(size_t size) { return (size + 63) & ~(size_t)63; }

/* encoded: a tuple of the pickle and of memoryviews, contiguous bytes. */
static int put_buffers(mape_task *task, struct result *out, PyObject *encoded) {
    enum { MOST = 256 };
    Py_buffer buffers[MOST];
    Py_ssize_t count = PyTuple_Size(encoded), taken = 0;
    if (count > MOST) return -1;
    size_t total = 0;
    int status = 0;
    for (; taken < count; taken++) {
        if (PyObject_GetBuffer(PyTuple_GetItem(encoded, taken), &buffers[taken], PY_BUF_SIMPLE) != 0) {
            status = -1;
            break;
        }
        if (taken) total += rounded((size_t)buffers[taken].len);
    }
    if (!status) {
        struct result_tail tail = {.sizes = total, .count = (uint64_t)count - 1, .tag = TAG_BUFFERS};
        tail.pickle = tail.sizes + tail.count * 8;
        tail.pickle_size = (uint64_t)buffers[0].len;
        out->size = rounded(tail.pickle + tail.pickle_size + sizeof tail);
        out->at = mape_task_output(task, out->size);
        if (!out->at) status = 1;
        if (!status) {
            size_t at = 0;
            for (Py_ssize_t i = 1; i < count; i++) {
                uint64_t size = (uint64_t)buffers[i].len;
                memcpy(out->at + at, buffers[i].buf, size);
                memcpy(out->at + tail.sizes + (size_t)(i - 1) * 8, &size, 8);
                at += rounded(size);
            }
            memcpy(out->at + tail.pickle, buffers[0].buf, tail.pickle_size);
            memcpy(out->at + out->size - sizeof tail, &tail, sizeof tail);
        }
    }
    while (taken > 0) PyBuffer_Release(&buffers[--taken]);
    return status;
}

static int put_object(mape_task *task, struct result *out, PyObject *value, PyObject *encode) {
    PyObject *encoded = call_one(encode, value);
    if (!encoded) return -1;
    int status = -1;
    char *bytes;
    Py_ssize_t size;
    if (type_of(encoded) == type_tuple) {
        status = put_buffers(task, out, encoded);
    } else if (PyBytes_AsStringAndSize(encoded, &bytes, &size) == 0) {
        status = result_put_bytes(task, out, bytes, (size_t)size, TAG_PICKLE);
    }
    Py_DecRef(encoded);
    return status;
}

int result_put(mape_task *task, struct result *out, PyObject *value, PyObject *encode, int may_marshal) {
    static const uint64_t nothing = 0;
    PyObject *type = type_of(value);
    if (type == type_int) {
        int overflow;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (!overflow) return put_word(task, out, &number, 0);
    } else if (type == type_float) {
        double number = PyFloat_AsDouble(value);
        return put_word(task, out, &number, TAG_FLOAT);
    } else if (value == the_none) {
        return put_word(task, out, &nothing, TAG_NONE);
    } else if (value == the_true || value == the_false) {
        return put_word(task, out, &nothing, value == the_true ? TAG_TRUE : TAG_FALSE);
    } else if (type == type_str) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(value, &size);
        if (text) return put_text(task, out, text, (size_t)size, TAG_STR, TAG_SHORT_STR);
        PyErr_Clear(); /* Half a surrogate pair. */
    } else if (type == type_bytes) {
        char *bytes;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(value, &bytes, &size) != 0) return -1;
        return put_text(task, out, bytes, (size_t)size, TAG_BYTES, TAG_SHORT_BYTES);
    }
    if (may_marshal && is_plain(value)) {
        PyObject *encoded = PyMarshal_WriteObjectToString(value, MARSHAL_VERSION);
        char *bytes;
        Py_ssize_t size;
        if (encoded && PyBytes_AsStringAndSize(encoded, &bytes, &size) == 0) {
            int status = result_put_bytes(task, out, bytes, (size_t)size, TAG_MARSHAL);
            Py_DecRef(encoded);
            return status;
        }
        PyErr_Clear();
    }
    return put_object(task, out, value, encode);
}

void result_mark_kept(mape_task *task, struct result *result) {
    if (!result->at) return;
    if (result->size == 8) {
        result->at = mape_task_output(task, 9);
        if (!result->at) return;
        result->size = 9;
        result->at[8] = TAG_INT;
    }
    result->at[result->size - 1] |= TAG_KEPT;
}
