/* worker.c - the function that workers run: it calls functions of Python
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * In a worker the interpreter's lock is free while there is nothing to do, so that threads which a function has left behind go on.
 *
 * Calls and elements come as format.h says. Before each element the engine is told (mape_task_begin), so that it knows whom to
 * blame for a death, and can take away elements that have not begun.
 */
#include "worker.h"

static mape_task *running; /* The task of the call that runs, for mapengine_python_log and the like. */

void call_none(PyObject *function) {
    PyObject *done = PyObject_CallFunctionObjArgs(function, NULL);
    if (!done) PyErr_Clear();
    drop(&done);
}

int worker_run(mape_task *task, void *state, const mape_range *range) {
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
    call_none(helpers.flush);
    PyGILState_Release(gil);
    return 0;
}

int worker_setup(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)out_state;
    int gil = PyGILState_Ensure(), code = 0;
    running = task;
    PyObject *bytes = PyBytes_FromStringAndSize(data ? data : "", (Py_ssize_t)size);
    PyObject *report = PyLong_FromLongLong(mape_task_report_fd(task));
    PyObject *text = bytes && report ? PyObject_CallFunctionObjArgs(helpers.setup, bytes, report, NULL) : NULL;
    const char *message = text && text != the_none ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (!text || message) code = mape_task_fail(task, 1, message ? message : "the worker cannot be set up");
    PyErr_Clear();
    drop(&text);
    drop(&bytes);
    drop(&report);
    running = NULL;
    call_none(helpers.flush);
    PyGILState_Release(gil);
    return code;
}

void worker_cleanup(mape_task *task, void *state) {
    (void)state;
    int gil = PyGILState_Ensure();
    running = task;
    forget_chunk();
    call_none(helpers.cleanup);
    call_none(helpers.flush);
    running = NULL;
    PyGILState_Release(gil);
}

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
