/* read.c - in the host: results of a job as Python's values, many at once
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What decode of _codec.py does, for results that need no code of Python's. It is called with the GIL, after mapengine_python_find.
 */
#include "worker.h"

#include <mapengine.h>
#include <string.h>

enum { MOST = 16 << 10 }; /* Bytes of a result that is read here. */

/* The value of a result; NULL, perhaps with an exception, when it is none for here. */
static PyObject *value_of(const char *bytes, size_t size, int may_marshal) {
    long long number;
    double real;
    const uint8_t tag = (uint8_t)bytes[size - 1];
    memcpy(&number, bytes, sizeof number);
    memcpy(&real, bytes, sizeof real);
    if (size == 8) return PyLong_FromLongLong(number);
    if (tag == TAG_STR) return PyUnicode_FromStringAndSize(bytes, (Py_ssize_t)size - 1);
    if (tag == TAG_BYTES) return PyBytes_FromStringAndSize(bytes, (Py_ssize_t)size - 1);
    if (tag == TAG_MARSHAL && may_marshal) return PyMarshal_ReadObjectFromString(bytes, (Py_ssize_t)size - 1);
    if (size != 9) return NULL;
    PyObject *found = tag == TAG_NONE ? the_none : tag == TAG_TRUE ? the_true : tag == TAG_FALSE ? the_false : NULL;
    if (found) Py_IncRef(found);
    if (tag == TAG_INT) return PyLong_FromLongLong(number);
    if (tag == TAG_FLOAT) return PyFloat_FromDouble(real);
    if (tag == TAG_SHORT_STR && bytes[7] >= 0 && bytes[7] < 8) return PyUnicode_FromStringAndSize(bytes, bytes[7]);
    if (tag == TAG_SHORT_BYTES && bytes[7] >= 0 && bytes[7] < 8) return PyBytes_FromStringAndSize(bytes, bytes[7]);
    return found;
}

/* Appends to a list the values of the items from `first` to before `last`, as far as they have ended. In place of one that is to be looked at
 * singly, because it has failed or is a pickle, say, it appends None, and its index to the list `others`. Returns how many, -1 with an
 * exception. */
EXPORT long long mapengine_python_read(mape_job *job, uint64_t first, uint64_t last, int may_marshal, PyObject *values,
                                       PyObject *others) {
    char copy[MOST]; /* The worker may change its memory meanwhile. */
    uint64_t index = first;
    int status = 0;
    for (; index < last && status == 0; index++) {
        mape_result result = MAPE_RESULT_INIT;
        if (mape_job_result(&result, job, index) != MAPE_OK) break;
        PyObject *value = NULL;
        if (result.state == MAPE_ITEM_OK && result.size >= 8 && result.size <= MOST) {
            memcpy(copy, result.data, result.size);
            value = value_of(copy, result.size, may_marshal);
            if (!value && PyErr_Occurred()) PyErr_Clear();
        }
        if (!value) {
            PyObject *number = PyLong_FromLongLong((long long)index);
            status = number ? PyList_Append(others, number) : -1;
            drop(&number);
        }
        if (status == 0) status = PyList_Append(values, value ? value : the_none);
        drop(&value);
    }
    return status == 0 ? (long long)(index - first) : -1;
}
