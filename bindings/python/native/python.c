/* python.c - finds the interpreter's functions in this process
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "python.h"

#include <dlfcn.h>

#define X(returned, name, parameters) returned(*name) parameters;
PYTHON_FUNCTIONS(X)
#undef X
PyObject *(*PyObject_Vectorcall)(PyObject *, PyObject *const *, size_t, PyObject *);

PyObject *type_int, *type_float, *type_bool, *type_str, *type_bytes, *type_tuple, *type_list, *type_dict;
PyObject *the_none, *the_true, *the_false;
PyObject **error_overflow, **error_value;
size_t type_offset;

static const char *find(void *place, const char *name) {
    *(void **)place = dlsym(RTLD_DEFAULT, name);
    return *(void **)place ? NULL : name;
}

/* 8 bytes with the GIL, 24 without: an object whose type is known tells. */
static const char *find_type_offset(void) {
    int gil = PyGILState_Ensure();
    PyObject *number = PyLong_FromLongLong(1);
    for (type_offset = 8; number && type_offset <= 32; type_offset += 8) {
        if (type_of(number) != type_int) continue;
        Py_DecRef(number);
        PyGILState_Release(gil);
        return NULL;
    }
    return "the type of an object";
}

const char *find_python(void) {
    const char *missing;
#define X(returned, name, parameters)                                                                                  \
    if ((missing = find((void *)&name, #name))) return missing;
    PYTHON_FUNCTIONS(X)
#undef X
    find((void *)&PyObject_Vectorcall, "PyObject_Vectorcall");
    const struct {
        PyObject **place;
        const char *name;
    } objects[] = {
        {&type_int, "PyLong_Type"},    {&type_float, "PyFloat_Type"},   {&type_bool, "PyBool_Type"},
        {&type_str, "PyUnicode_Type"}, {&type_bytes, "PyBytes_Type"},   {&type_tuple, "PyTuple_Type"},
        {&type_list, "PyList_Type"},   {&type_dict, "PyDict_Type"},     {&the_none, "_Py_NoneStruct"},
        {&the_true, "_Py_TrueStruct"}, {&the_false, "_Py_FalseStruct"},
    };
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        if ((missing = find((void *)objects[i].place, objects[i].name))) return missing;
    }
    if ((missing = find(&error_overflow, "PyExc_OverflowError"))) return missing;
    if ((missing = find(&error_value, "PyExc_ValueError"))) return missing;
    return find_type_offset();
}
