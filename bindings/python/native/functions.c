/* functions.c - the functions that a worker has made, by their specs
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker.h"

#include <stdio.h>
#include <string.h>

static PyObject *functions; /* By key: what load_function has made. Made with the first. */
enum { MOST_FUNCTIONS = 256 };

static uint8_t active[16]; /* The key of the function that ran last. */

PyObject *function_of(mape_task *task, const struct spec *spec, const void *bytes) {
    PyObject *key = PyBytes_FromStringAndSize((const char *)spec->key, sizeof spec->key);
    if (!key) return NULL;
    if (!functions && !(functions = PyDict_New())) {
        Py_DecRef(key);
        return NULL;
    }
    PyObject *found = PyDict_GetItemWithError(functions, key);
    if (!found && !PyErr_Occurred()) {
        size_t size = spec->size;
        if (!size) {
            char name[2 * sizeof spec->key + 1];
            for (size_t i = 0; i < sizeof spec->key; i++) sprintf(name + 2 * i, "%02x", spec->key[i]);
            bytes = mape_task_global(&size, task, name);
        }
        PyObject *copy = bytes ? PyBytes_FromStringAndSize(bytes, (Py_ssize_t)size) : PyBytes_FromStringAndSize("", 0);
        if (copy) found = call_one(helpers.load_function, copy);
        drop(&copy);
        if (found) {
            if (PyDict_Size(functions) >= MOST_FUNCTIONS) PyDict_Clear(functions);
            if (PyDict_SetItem(functions, key, found) != 0) drop(&found);
        }
        if (found) Py_DecRef(found); /* The dict has it. */
    }
    if (found && memcmp(active, spec->key, sizeof active) != 0) {
        PyObject *none = call_one(helpers.activate, key);
        if (none) memcpy(active, spec->key, sizeof active);
        else found = NULL;
        drop(&none);
    }
    Py_DecRef(key);
    return found;
}
