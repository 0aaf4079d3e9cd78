/* worker.h - what the parts of the worker's function share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who calls anything here holds the GIL.
 */
#ifndef MAPENGINE_PYTHON_WORKER_H
#define MAPENGINE_PYTHON_WORKER_H

#include "format.h"
#include "python.h"
#include "result.h"

#include <mapengine/worker.h>

/* Functions of _worker.py (HELPERS), in the order in which mapengine_python_main gets them. */
struct helpers {
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
    PyObject *element;       /* (value, layout: bytes) -> an object whose buffer is an element. */
    PyObject *
        call_range; /* (function, layout: bytes, address, stride, first, count) -> an object whose buffer is count elements. */
};
extern struct helpers helpers;
enum { HELPERS = sizeof(struct helpers) / sizeof(PyObject *) };

static inline void drop(PyObject **place) {
    PyObject *object = *place;
    *place = NULL;
    if (object) Py_DecRef(object);
}

/* What a block's data begin with, and where the rest is. */
struct block {
    struct block_head head;
    const uint8_t *data;   /* All of it. */
    const uint8_t *spec;   /* head.spec.size bytes. */
    const uint8_t *layout; /* head.layout bytes. */
};

/* functions.c: the function of a spec whose bytes are these: a borrowed reference, NULL with an exception. */
PyObject *function_of(mape_task *task, const struct spec *spec, const void *bytes);

/* outcome.c */
void fail(mape_task *task, struct result *out); /* Fails the running item with the exception that is set. */
/* Fails all items of a range, none of which has begun, with it. */
void fail_range(mape_task *task, const mape_range *range);
/* Puts the value, or the exception if it is NULL. Takes the value. With a block whose results are elements, as one. */
void finish(mape_task *task, struct result *out, PyObject *value, uint32_t flags, const struct block *block);
/* Ends the buffers that an item had, and notes whether somebody still looks at one: the function has kept an array, say. */
void finish_buffers(mape_task *task, struct result *out, size_t pieces);

/* call.c: unpickles, with the further pieces of the running item as buffers. */
PyObject *view_of(const void *bytes, size_t size);
PyObject *unpickle(mape_task *task, const void *bytes, size_t size, size_t pieces);
void run_call(mape_task *task, const void *input, size_t size);

/* block.c: elements of a map. */
void run_block(mape_task *task, const mape_range *range, const uint8_t *data);
void forget_chunk(void); /* Drops the elements that were unpickled last. */

/* vector.c: elements of a map, as an array. */
void run_vector(mape_task *task, const mape_range *range, const struct block *block);

/* element.c: writes the value as an element of the caller's array. Returns as result_put. */
int element_put(mape_task *task, struct result *out, PyObject *value, const struct block *block);

/* worker.c */
int worker_run(mape_task *task, void *state, const mape_range *range);
int worker_setup(mape_task *task, const void *data, size_t size, void **out_state);
void worker_cleanup(mape_task *task, void *state);
void call_none(PyObject *function); /* Calls it without arguments; what it raises is dropped. */

#define EXPORT __attribute__((visibility("default")))

#endif
