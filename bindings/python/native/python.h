/* python.h - the functions of the interpreter that workers call, found while it runs
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One binary serves every CPython from 3.9 on: it is not compiled against one, and finds in the process what it calls. All of it is in the
 * stable interface, or has not changed since 3.9. Whoever calls one of these holds the GIL.
 */
#ifndef MAPENGINE_PYTHON_H
#define MAPENGINE_PYTHON_H

#include <stddef.h>
#include <stdint.h>

typedef struct python_object PyObject; /* Never looked into, but for its type: see type_of. */
typedef ptrdiff_t Py_ssize_t;

/* As CPython has it since 3.0. */
typedef struct {
    void *buf;
    PyObject *obj;
    Py_ssize_t len, itemsize;
    int readonly, ndim;
    char *format;
    Py_ssize_t *shape, *strides, *suboffsets;
    void *internal;
} Py_buffer;

#define PY_BUF_SIMPLE                  0
#define PY_BUF_READ                    0x100
#define PY_VECTORCALL_ARGUMENTS_OFFSET ((size_t)1 << (8 * sizeof(size_t) - 1))

/* X(returned, name, parameters): what there has to be. */
#define PYTHON_FUNCTIONS(X)                                                                                            \
    X(int, PyGILState_Ensure, (void))                                                                                  \
    X(void, PyGILState_Release, (int))                                                                                 \
    X(void *, PyGILState_GetThisThreadState, (void))                                                                   \
    X(void *, PyEval_SaveThread, (void))                                                                               \
    X(void, PyOS_BeforeFork, (void))                                                                                   \
    X(void, PyOS_AfterFork_Parent, (void))                                                                             \
    X(void, PyOS_AfterFork_Child, (void))                                                                              \
    X(void, Py_IncRef, (PyObject *))                                                                                   \
    X(void, Py_DecRef, (PyObject *))                                                                                   \
    X(PyObject *, PyObject_Call, (PyObject *, PyObject *, PyObject *))                                                 \
    X(PyObject *, PyObject_CallFunctionObjArgs, (PyObject *, ...))                                                     \
    X(PyObject *, PyObject_Type, (PyObject *))                                                                         \
    X(int, PyObject_GetBuffer, (PyObject *, Py_buffer *, int))                                                         \
    X(void, PyBuffer_Release, (Py_buffer *))                                                                           \
    X(PyObject *, PyMemoryView_FromMemory, (char *, Py_ssize_t, int))                                                  \
    X(PyObject *, PyMarshal_WriteObjectToString, (PyObject *, int))                                                    \
    X(PyObject *, PyMarshal_ReadObjectFromString, (const char *, Py_ssize_t))                                          \
    X(long long, PyLong_AsLongLongAndOverflow, (PyObject *, int *))                                                    \
    X(unsigned long long, PyLong_AsUnsignedLongLong, (PyObject *))                                                     \
    X(PyObject *, PyNumber_Index, (PyObject *))                                                                        \
    X(int, PyObject_IsTrue, (PyObject *))                                                                              \
    X(PyObject *, PyLong_FromLongLong, (long long))                                                                    \
    X(PyObject *, PyFloat_FromDouble, (double))                                                                        \
    X(PyObject *, PyUnicode_FromStringAndSize, (const char *, Py_ssize_t))                                             \
    X(double, PyFloat_AsDouble, (PyObject *))                                                                          \
    X(const char *, PyUnicode_AsUTF8AndSize, (PyObject *, Py_ssize_t *))                                               \
    X(PyObject *, PyBytes_FromStringAndSize, (const char *, Py_ssize_t))                                               \
    X(int, PyBytes_AsStringAndSize, (PyObject *, char **, Py_ssize_t *))                                               \
    X(Py_ssize_t, PyList_Size, (PyObject *))                                                                           \
    X(PyObject *, PyList_GetItem, (PyObject *, Py_ssize_t))                                                            \
    X(PyObject *, PyList_New, (Py_ssize_t))                                                                            \
    X(int, PyList_Append, (PyObject *, PyObject *))                                                                    \
    X(PyObject *, PySequence_List, (PyObject *))                                                                       \
    X(PyObject *, PySequence_Tuple, (PyObject *))                                                                      \
    X(Py_ssize_t, PyTuple_Size, (PyObject *))                                                                          \
    X(PyObject *, PyTuple_GetItem, (PyObject *, Py_ssize_t))                                                           \
    X(PyObject *, PyDict_New, (void))                                                                                  \
    X(int, PyDict_Next, (PyObject *, Py_ssize_t *, PyObject **, PyObject **))                                          \
    X(PyObject *, PyDict_GetItemWithError, (PyObject *, PyObject *))                                                   \
    X(int, PyDict_SetItem, (PyObject *, PyObject *, PyObject *))                                                       \
    X(Py_ssize_t, PyDict_Size, (PyObject *))                                                                           \
    X(void, PyDict_Clear, (PyObject *))                                                                                \
    X(PyObject *, PyErr_Occurred, (void))                                                                              \
    X(void, PyErr_SetString, (PyObject *, const char *))                                                               \
    X(void, PyErr_Clear, (void))                                                                                       \
    X(void, PyErr_Fetch, (PyObject **, PyObject **, PyObject **))                                                      \
    X(void, PyErr_NormalizeException, (PyObject **, PyObject **, PyObject **))                                         \
    X(int, PyException_SetTraceback, (PyObject *, PyObject *))

#define X(returned, name, parameters) extern returned(*name) parameters;
PYTHON_FUNCTIONS(X)
#undef X

/* NULL before 3.11. */
extern PyObject *(*PyObject_Vectorcall)(PyObject *, PyObject *const *, size_t, PyObject *);

/* Types whose exact instances have encodings of their own, and three objects. */
extern PyObject *type_int, *type_float, *type_bool, *type_str, *type_bytes, *type_tuple, *type_list, *type_dict;
extern PyObject *the_none, *the_true, *the_false;

/* Where the interpreter has two of its exceptions. */
extern PyObject **error_overflow, **error_value;

/* Finds all of it in this process, whose GIL the caller does not have. Returns NULL, or the name of what is missing. */
const char *find_python(void);

/* Where the type stands in an object, in bytes: not the same in builds with and without the GIL. */
extern size_t type_offset;

static inline PyObject *type_of(PyObject *object) { return *(PyObject **)((char *)object + type_offset); }

/* Calls with one argument. */
static inline PyObject *call_one(PyObject *function, PyObject *argument) {
    if (!PyObject_Vectorcall) return PyObject_CallFunctionObjArgs(function, argument, NULL);
    PyObject *arguments[2] = {NULL, argument};
    return PyObject_Vectorcall(function, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

#endif
