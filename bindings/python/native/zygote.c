/* zygote.c - the interpreter as zygote: offers the worker's function, and does what Python wants around a fork
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The zygote is an interpreter. It calls mapengine_python_main, which offers one function to the host, "python", and becomes the zygote.
 * Workers are forked with the interpreter as it is then. In a pool of copies the host itself is the zygote's origin.
 */
#include "worker.h"

#include <pthread.h>
#include <stdio.h>

struct helpers helpers;

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
    call_none(helpers.after_fork);
    PyGILState_Release(hook_gil);
}

/* Offers the function, with `place` having the address of a tuple of the helpers. NULL, or what is missing. Called without the GIL. */
static const char *offer(PyObject *const *place) {
    const char *missing = find_python();
    if (missing) return missing;
    int gil = PyGILState_Ensure();
    PyObject **places = (PyObject **)&helpers;
    for (size_t i = 0; i < HELPERS; i++) {
        places[i] = PyTuple_GetItem(*place, (Py_ssize_t)i);
        Py_IncRef(places[i]);
    }
    PyGILState_Release(gil);
    mape_zygote_function function = MAPE_ZYGOTE_FUNCTION_INIT;
    function.name = "python";
    function.run_range = worker_run;
    function.setup = worker_setup;
    function.cleanup = worker_cleanup;
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
