/* worker.c - the function that workers run: it calls functions of Python
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The zygote is an interpreter. It calls mapengine_python_main, which offers one function to the host, "python", and becomes the
 * zygote. Workers are forked with the interpreter as it is then. In a worker the interpreter's lock is free while there is nothing to do, so
 * that threads which a function has left behind go on.
 *
 * Calls and elements come as format.h says. Before each element the engine is told (mape_task_begin), so that it knows whom to
 * blame for a death, and can take away elements that have not begun.
 */
#include "format.h"
#include "python.h"
#include "result.h"

#include <mapengine/worker.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* Of _worker.py, in the order in which mapengine_python_main gets them. */
static struct {
    PyObject *after_fork;    /* () -> None: in a new worker. */
    PyObject *setup;         /* (data: bytes, report_fd: int) -> None, or the text of what failed. */
    PyObject *cleanup;       /* () -> None. */
    PyObject *load_function; /* (spec: bytes) -> callable. */
    PyObject *encode;        /* (value) -> bytes, or (pickle, buffer, ...). */
    PyObject *encode_error;  /* (exception) -> (message: bytes, data: bytes). */
    PyObject *loads;         /* pickle.loads. */
    PyObject *loads_with;    /* (pickle, [address, size, ...]) -> value. */
    PyObject *end_buffers;   /* () -> bool: whether buffers of the last loads_with are in use. */
    PyObject *flush;         /* () -> None: writes out what was printed. */
    PyObject *activate;      /* (key: bytes) -> None: the worker turns to another function. */
} py;

static PyObject *functions; /* By key: what load_function has made. */
enum { MOST_FUNCTIONS = 256 };

static uint8_t active[16]; /* The key of the function that ran last. */

static mape_task *running; /* The task of the call that runs, for mapengine_python_log and the like. */

/* The elements of the chunk that was unpickled last. */
static struct {
    uint64_t block, index;
    PyObject *items; /* A list; NULL: none. */
} kept;

static void drop(PyObject **place) {
    PyObject *object = *place;
    *place = NULL;
    if (object) Py_DecRef(object);
}

/* Fails the running item with the exception that is set. */
static void fail(mape_task *task, struct result *out) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback) PyException_SetTraceback(value, traceback);
    PyObject *encoded = value ? call_one(py.encode_error, value) : NULL;
    char *message = NULL, *data = NULL;
    Py_ssize_t length = 0, size = 0;
    out->at = NULL;
    if (encoded && PyBytes_AsStringAndSize(PyTuple_GetItem(encoded, 0), &message, &length) == 0 &&
        PyBytes_AsStringAndSize(PyTuple_GetItem(encoded, 1), &data, &size) == 0) {
        result_put_bytes(task, out, data, (size_t)size, TAG_ERROR);
        mape_task_fail(task, 1, message);
    } else {
        PyErr_Clear();
        mape_task_fail(task, 1, "an exception that cannot be described");
    }
    drop(&encoded);
    drop(&type);
    drop(&value);
    drop(&traceback);
}

/* The function of a spec: a reference of `functions`. */
static PyObject *function_of(mape_task *task, const struct spec *spec, const void *bytes) {
    PyObject *key = PyBytes_FromStringAndSize((const char *)spec->key, sizeof spec->key);
    if (!key) return NULL;
    PyObject *found = PyDict_GetItemWithError(functions, key);
    if (!found && !PyErr_Occurred()) {
        size_t size = spec->size;
        if (!size) {
            char name[2 * sizeof spec->key + 1];
            for (size_t i = 0; i < sizeof spec->key; i++) sprintf(name + 2 * i, "%02x", spec->key[i]);
            bytes = mape_task_global(&size, task, name);
        }
        PyObject *copy = bytes ? PyBytes_FromStringAndSize(bytes, (Py_ssize_t)size) : PyBytes_FromStringAndSize("", 0);
        if (copy) found = call_one(py.load_function, copy);
        drop(&copy);
        if (found) {
            if (PyDict_Size(functions) >= MOST_FUNCTIONS) PyDict_Clear(functions);
            if (PyDict_SetItem(functions, key, found) != 0) drop(&found);
        }
        if (found) Py_DecRef(found); /* The dict has it. */
    }
    if (found && memcmp(active, spec->key, sizeof active) != 0) {
        PyObject *none = call_one(py.activate, key);
        if (none) memcpy(active, spec->key, sizeof active);
        else found = NULL;
        drop(&none);
    }
    Py_DecRef(key);
    return found;
}

static PyObject *view_of(const void *bytes, size_t size) {
    return PyMemoryView_FromMemory((char *)(uintptr_t)bytes, (Py_ssize_t)size, PY_BUF_READ);
}

/* Unpickles, with the further pieces of the running item as buffers. */
static PyObject *unpickle(mape_task *task, const void *bytes, size_t size, size_t pieces) {
    PyObject *view = view_of(bytes, size), *value = NULL;
    if (!view) return NULL;
    if (pieces <= 1) {
        value = call_one(py.loads, view);
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
        if (status == 0) value = PyObject_CallFunctionObjArgs(py.loads_with, view, places, NULL);
        drop(&places);
    }
    Py_DecRef(view);
    return value;
}

/* Puts the value, or the exception if it is NULL. Takes the value. */
static void finish(mape_task *task, struct result *out, PyObject *value, uint32_t flags) {
    int status = value ? result_put(task, out, value, py.encode, (flags & CALL_MARSHAL) != 0) : -1;
    drop(&value);
    if (status < 0) fail(task, out);
}

/* Ends the buffers that an item had, and notes whether somebody still looks at one: the function has kept an array, say. */
static void finish_buffers(mape_task *task, struct result *out, size_t pieces) {
    if (pieces <= 1) return;
    PyObject *in_use = PyObject_CallFunctionObjArgs(py.end_buffers, NULL);
    if (!in_use) PyErr_Clear();
    if (in_use == the_true) result_mark_kept(task, out);
    drop(&in_use);
}

static PyObject *call_element(PyObject *function, PyObject *element, uint32_t flags) {
    if (!(flags & CALL_STAR)) return call_one(function, element);
    if (type_of(element) == type_tuple) return PyObject_Call(function, element, NULL);
    PyObject *arguments = PySequence_Tuple(element);
    PyObject *value = arguments ? PyObject_Call(function, arguments, NULL) : NULL;
    drop(&arguments);
    return value;
}

static int is_zero(const uint8_t key[16]) {
    uint64_t words[2];
    memcpy(words, key, sizeof words);
    return !(words[0] | words[1]);
}

/* One call: args, kwargs and, without a spec, the function come by its pickle. */
static void run_call(mape_task *task, const void *input, size_t size) {
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
    finish(task, &out, value, head.spec.flags);
    finish_buffers(task, &out, pieces);
    drop(&function);
}

enum { PICKLE = 0x80 }; /* The first byte of one. */

/* The elements of a chunk, as a borrowed list. NULL with an exception. */
static PyObject *chunk_of(const struct block_head *head, const uint8_t *data, uint64_t index) {
    if (kept.items && kept.block == head->number && kept.index == index) return kept.items;
    drop(&kept.items);
    uint64_t bounds[2];
    memcpy(bounds, data + head->table + index * 8, sizeof bounds);
    const uint8_t *bytes = data + bounds[0];
    PyObject *view = NULL, *items = NULL;
    if (*bytes != PICKLE)
        items = PyMarshal_ReadObjectFromString((const char *)bytes, (Py_ssize_t)(bounds[1] - bounds[0]));
    else if ((view = view_of(bytes, bounds[1] - bounds[0]))) items = call_one(py.loads, view);
    drop(&view);
    if (items && type_of(items) != type_list) {
        PyObject *list = PySequence_List(items);
        Py_DecRef(items);
        items = list;
    }
    kept.block = head->number;
    kept.index = index;
    return kept.items = items;
}

/* An element of a chunk, for which a new reference is returned. NULL with an exception. */
static PyObject *element_at(const struct block_head *head, const uint8_t *data, uint64_t at) {
    uint64_t index = at / head->chunk_items;
    PyObject *items = chunk_of(head, data, index);
    PyObject *element = items ? PyList_GetItem(items, (Py_ssize_t)(at - index * head->chunk_items)) : NULL;
    if (element) Py_IncRef(element);
    return element;
}

/* Elements of a map. The function is loaded within the first one, so that one is to blame if that ends the worker. */
static void run_block(mape_task *task, const mape_range *range, const uint8_t *data) {
    struct block_head head;
    memcpy(&head, data, sizeof head);
    PyObject *function = NULL;
    size_t size;
    const void *input;
    for (size_t i = 0; i < range->count && (input = mape_task_begin(&size, task, i)); i++) {
        struct result out = {NULL, 0};
        PyObject *element = NULL, *value = NULL;
        size_t pieces = head.spec.flags & CALL_OWN ? mape_task_pieces(task) : 1;
        if (!function && (function = function_of(task, &head.spec, data + sizeof head))) Py_IncRef(function);
        if (!function) {
        } else if (head.spec.flags & CALL_OWN) {
            element = unpickle(task, input, size, pieces);
        } else {
            element = element_at(&head, data, range->first + i);
        }
        if (element) value = call_element(function, element, head.spec.flags);
        drop(&element);
        finish(task, &out, value, head.spec.flags);
        finish_buffers(task, &out, pieces);
    }
    if (head.chunk_items && (range->first + range->count) % head.chunk_items == 0) drop(&kept.items);
    drop(&function);
}

static void call_none(PyObject *function) {
    PyObject *done = PyObject_CallFunctionObjArgs(function, NULL);
    if (!done) PyErr_Clear();
    drop(&done);
}

static int run(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    int gil = PyGILState_Ensure();
    running = task;
    const uint8_t *data = mape_task_job_data(NULL, task);
    if (data) {
        run_block(task, range, data);
    } else {
        size_t size;
        const void *input;
        for (size_t i = 0; i < range->count && (input = mape_task_begin(&size, task, i)); i++)
            run_call(task, input, size);
    }
    running = NULL;
    call_none(py.flush);
    PyGILState_Release(gil);
    return 0;
}

static int setup(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)out_state;
    int gil = PyGILState_Ensure(), code = 0;
    running = task;
    PyObject *bytes = PyBytes_FromStringAndSize(data ? data : "", (Py_ssize_t)size);
    PyObject *report = PyLong_FromLongLong(mape_task_report_fd(task));
    PyObject *text = bytes && report ? PyObject_CallFunctionObjArgs(py.setup, bytes, report, NULL) : NULL;
    const char *message = text && text != the_none ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (!text || message) code = mape_task_fail(task, 1, message ? message : "the worker cannot be set up");
    PyErr_Clear();
    drop(&text);
    drop(&bytes);
    drop(&report);
    running = NULL;
    call_none(py.flush);
    PyGILState_Release(gil);
    return code;
}

static void cleanup(mape_task *task, void *state) {
    (void)state;
    int gil = PyGILState_Ensure();
    running = task;
    drop(&kept.items);
    call_none(py.cleanup);
    call_none(py.flush);
    running = NULL;
    PyGILState_Release(gil);
}

/* What the interpreter wants done around a fork. */
static int hook_gil;

static void before_fork(void *context) {
    (void)context;
    hook_gil = PyGILState_Ensure();
    PyOS_BeforeFork();
}

static void after_fork_in_zygote(void *context) {
    (void)context;
    PyOS_AfterFork_Parent();
    PyGILState_Release(hook_gil);
}

static void after_fork_in_worker(void *context) {
    (void)context;
    PyOS_AfterFork_Child();
    call_none(py.after_fork);
    PyGILState_Release(hook_gil);
}

/* Offers the function, with `place` having the address of a tuple of what `py` has. NULL, or what is missing. Called without the GIL. */
static const char *offer(PyObject *const *place) {
    const char *missing = find_python();
    if (missing) return missing;
    int gil = PyGILState_Ensure();
    PyObject **places[] = {&py.after_fork,  &py.setup,        &py.cleanup, &py.load_function,
                           &py.encode,      &py.encode_error, &py.loads,   &py.loads_with,
                           &py.end_buffers, &py.flush,        &py.activate};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        *places[i] = PyTuple_GetItem(*place, (Py_ssize_t)i);
        Py_IncRef(*places[i]);
    }
    functions = PyDict_New();
    PyGILState_Release(gil);
    mape_zygote_function function = MAPE_ZYGOTE_FUNCTION_INIT;
    function.name = "python";
    function.run_range = run;
    function.setup = setup;
    function.cleanup = cleanup;
    mape_zygote_hooks hooks = MAPE_ZYGOTE_HOOKS_INIT;
    hooks.before = before_fork;
    hooks.after_in_zygote = after_fork_in_zygote;
    hooks.after_in_worker = after_fork_in_worker;
    return mape_zygote_offer(&function) == MAPE_OK && mape_zygote_set_hooks(&hooks) == MAPE_OK ? NULL
                                                                                               : "place for a function";
}

/* The zygote's program: does not return before the pool ends. Called without the GIL. */
EXPORT int mapengine_python_main(PyObject *const *place) {
    const char *missing = offer(place);
    if (missing) {
        fprintf(stderr, "mapengine: this interpreter has no %s\n", missing);
        return 69;
    }
    return mape_zygote_main(0, NULL);
}

/* A pool of copies of this process. The engine's thread, of which the interpreter knows nothing, makes the first copy: so it holds the GIL
 * meanwhile, as os.fork() does, and goes on in the copy as the interpreter's only thread. */
static volatile int is_starting; /* Between mapengine_python_fork(1) and (0). */
static int fork_is_ours, fork_gil;

static void before_copy(void) {
    fork_is_ours = is_starting && !PyGILState_GetThisThreadState();
    if (!fork_is_ours) return;
    fork_gil = PyGILState_Ensure();
    PyOS_BeforeFork();
}

static void after_copy_in_host(void) {
    if (!fork_is_ours) return;
    fork_is_ours = 0;
    PyOS_AfterFork_Parent();
    PyGILState_Release(fork_gil);
}

static void after_copy_in_copy(void) {
    if (!fork_is_ours) return;
    fork_is_ours = is_starting = 0;
    PyOS_AfterFork_Child();
    PyEval_SaveThread(); /* This thread has a state from now on, with which hooks and calls get the GIL. */
}

/* Prepares this process for pools that start by a fork: once. NULL, or what is missing. Called without the GIL. */
EXPORT const char *mapengine_python_prepare(PyObject *const *place) {
    static int is_prepared;
    if (is_prepared) return NULL;
    const char *missing = offer(place);
    if (!missing && pthread_atfork(before_copy, after_copy_in_host, after_copy_in_copy) != 0) missing = "memory";
    is_prepared = !missing;
    return missing;
}

/* Said before and after such a start. */
EXPORT void mapengine_python_fork(int starting) { is_starting = starting; }

/* In the host: whether marshal writes the value as it is. Called with the GIL, after
 * mapengine_python_find. */
EXPORT int mapengine_python_is_plain(PyObject *value) { return is_plain(value); }

/* Finds the interpreter's functions for that. 1 when all are there. Called without the GIL. */
EXPORT int mapengine_python_find(void) { return find_python() == NULL; }

/* For Python code in a worker, which holds the GIL. Without a running call they do nothing. */
EXPORT void mapengine_python_log(int level, const char *text) {
    if (running) mape_task_log(running, level, text);
}

EXPORT int mapengine_python_progress(double fraction) {
    if (running) mape_task_progress(running, fraction);
    return running != NULL;
}

EXPORT int mapengine_python_cancelled(void) { return running ? mape_task_cancelled(running) : 0; }

EXPORT int mapengine_python_worker(void) { return running ? (int)mape_task_worker(running) : -1; }
