/* element.c - how a value becomes an element of the caller's array
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Numbers are converted as array.array does it: an integer takes what has __index__, a float what has __float__, and what does not fit is
 * an error of its element.
 */
#include "worker.h"

#include <stdio.h>
#include <string.h>

static int put(mape_task *task, struct result *out, const void *bytes, size_t size) {
    out->size = size;
    out->at = mape_task_output(task, size);
    if (!out->at) return 1;
    memcpy(out->at, bytes, size);
    return 0;
}

/* The least and the largest of an integer's type; formats as in Python's `struct`, of which the host sends these alone. */
static int bounds_of(uint32_t format, int64_t *least, uint64_t *most) {
    switch (format) {
    case 'b': *least = INT8_MIN, *most = INT8_MAX; return 1;
    case 'h': *least = INT16_MIN, *most = INT16_MAX; return 1;
    case 'i': *least = INT32_MIN, *most = INT32_MAX; return 1;
    case 'q': *least = INT64_MIN, *most = INT64_MAX; return 1;
    case 'B': *least = 0, *most = UINT8_MAX; return 1;
    case 'H': *least = 0, *most = UINT16_MAX; return 1;
    case 'I': *least = 0, *most = UINT32_MAX; return 1;
    case 'Q': *least = 0, *most = UINT64_MAX; return 1;
    default: return 0;
    }
}

static int put_integer(mape_task *task, struct result *out, PyObject *value, const struct block *block, int64_t least,
                       uint64_t most) {
    PyObject *index = type_of(value) == type_int ? NULL : PyNumber_Index(value), *number = index ? index : value;
    if (!index && type_of(value) != type_int) return -1;
    int overflow, fits;
    uint64_t bits = (uint64_t)PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow > 0 && most == UINT64_MAX) {
        bits = PyLong_AsUnsignedLongLong(number);
        fits = !PyErr_Occurred();
        if (!fits) PyErr_Clear();
    } else {
        fits = !overflow && (int64_t)bits >= least && ((int64_t)bits < 0 || bits <= most);
    }
    drop(&index);
    if (fits) return put(task, out, &bits, block->head.element); /* Little-endian: its first bytes. */
    char text[100];
    snprintf(text, sizeof text, "a result is beyond what an element of out holds (format '%c')",
             (int)block->head.format);
    PyErr_SetString(*error_overflow, text);
    return -1;
}

static int put_float(mape_task *task, struct result *out, PyObject *value, uint32_t format) {
    double number = PyFloat_AsDouble(value);
    if (number == -1 && PyErr_Occurred()) return -1;
    float narrow = (float)number;
    return format == 'f' ? put(task, out, &narrow, sizeof narrow) : put(task, out, &number, sizeof number);
}

static int put_other(mape_task *task, struct result *out, PyObject *value, const struct block *block) {
    PyObject *layout = PyBytes_FromStringAndSize((const char *)block->layout, block->head.layout);
    PyObject *made = layout ? PyObject_CallFunctionObjArgs(helpers.element, value, layout, NULL) : NULL;
    Py_buffer buffer;
    int status = -1;
    if (made && PyObject_GetBuffer(made, &buffer, PY_BUF_SIMPLE) == 0) {
        if ((uint64_t)buffer.len == block->head.element) status = put(task, out, buffer.buf, (size_t)buffer.len);
        else PyErr_SetString(*error_value, "a result has another size than an element of out");
        PyBuffer_Release(&buffer);
    }
    drop(&made);
    drop(&layout);
    return status;
}

int element_put(mape_task *task, struct result *out, PyObject *value, const struct block *block) {
    const uint32_t format = block->head.format;
    int64_t least;
    uint64_t most;
    if (format == 'd' || format == 'f') return put_float(task, out, value, format);
    if (bounds_of(format, &least, &most)) return put_integer(task, out, value, block, least, most);
    if (format != '?') return put_other(task, out, value, block);
    int is_true = PyObject_IsTrue(value);
    const uint8_t byte = is_true > 0;
    return is_true < 0 ? -1 : put(task, out, &byte, 1);
}
