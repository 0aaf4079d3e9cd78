/* mape_r.c - MapEngine for R, by .Call: what mape.R calls. R CMD SHLIB makes a library of it (README.md).
 *
 * R runs on one thread, and its errors are longjmps. Events are fetched one by one in C and handed to R afterwards, so that no frame of
 * the library is left by them; a callback's error is reported, and the events behind it come all the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>

#include <R.h>
#include <R_ext/eventloop.h>
#include <Rinternals.h>

/* What stands behind R's external pointer. */
struct pool {
    mape_pool *handle;
    InputHandler *handler;
    SEXP on_event; /* The function of mape.R that is told of events. */
};

static void fail(mape_pool *handle, int status) {
    char text[1024];
    mape_message(text, sizeof text, handle);
    Rf_error("%s: %s", mape_status_string(status), text);
}

static struct pool *pool_of(SEXP pointer) {
    struct pool *pool = R_ExternalPtrAddr(pointer);
    if (pool == NULL) Rf_error("the pool was released");
    return pool;
}

static void release(SEXP pointer) {
    struct pool *pool = R_ExternalPtrAddr(pointer);
    if (pool == NULL) return;
    R_ClearExternalPtr(pointer);
    if (pool->handler != NULL) removeInputHandler(&R_InputHandlers, pool->handler);
    mape_pool_release(pool->handle);
    R_ReleaseObject(pool->on_event);
    free(pool);
}

/* on_event(job, type, index, ok, value, message, progress) for one event. value is a number, as the functions here return. */
static SEXP call_of(SEXP function, const mape_event *event) {
    const mape_result *result = &event->result;
    const mape_progress *progress = &event->progress;
    const int is_item = event->type == MAPE_EVENT_ITEM,
              has_value = is_item && result->state == MAPE_ITEM_OK && result->size == sizeof(double);
    const char *names[] = {"ok", "failed", "crashed", "cancelled"};
    const double counts[] = {(double)progress->ok, (double)progress->failed, (double)progress->crashed,
                             (double)progress->cancelled};
    SEXP arguments[7], call, labels;
    arguments[0] = PROTECT(Rf_ScalarInteger((int)(intptr_t)event->context));
    arguments[1] = PROTECT(Rf_mkString(is_item ? "item" : "done"));
    arguments[2] = PROTECT(Rf_ScalarReal((double)event->index + 1)); /* R counts from 1. */
    arguments[3] = PROTECT(Rf_ScalarLogical(is_item && result->state == MAPE_ITEM_OK));
    arguments[4] = PROTECT(Rf_ScalarReal(has_value ? *(const double *)result->data : NA_REAL));
    arguments[5] = PROTECT(Rf_mkString(is_item ? result->message : ""));
    arguments[6] = PROTECT(Rf_allocVector(REALSXP, 4));
    labels = PROTECT(Rf_allocVector(STRSXP, 4));
    for (int i = 0; i < 4; i++) {
        REAL(arguments[6])[i] = is_item ? NA_REAL : counts[i];
        SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
    }
    Rf_setAttrib(arguments[6], R_NamesSymbol, labels);
    call = R_NilValue;
    for (int i = 6; i >= 0; i--) {
        call = Rf_cons(arguments[i], call);
        PROTECT(call);
    }
    call = PROTECT(Rf_lcons(function, call));
    UNPROTECT(16);
    return call;
}

/* Hands what has come to R, without waiting. */
static void deliver(struct pool *pool, SEXP pointer) {
    mape_event event = MAPE_EVENT_INIT;
    while (R_ExternalPtrAddr(pointer) == pool) {
        int failed = 0;
        const int status = mape_pool_next_event(&event, pool->handle, 0);
        if (status == MAPE_E_AGAIN) return;
        if (status != MAPE_OK) fail(pool->handle, status);
        if (event.type != MAPE_EVENT_ITEM && event.type != MAPE_EVENT_DONE) continue;
        R_tryEval(PROTECT(call_of(pool->on_event, &event)), R_GlobalEnv, &failed);
        UNPROTECT(1);
        if (event.type == MAPE_EVENT_DONE && R_ExternalPtrAddr(pointer) == pool) mape_job_release(event.job);
    }
}

/* R calls it when the descriptor is readable: at the prompt, and in Sys.sleep. */
static void readable(void *pointer) { deliver(pool_of(pointer), pointer); }

SEXP mape_r_pool(SEXP workers, SEXP on_event) {
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    mape_pool *handle = NULL;
    int status, descriptor = -1;
    config.workers = (uint32_t)Rf_asInteger(workers);
    status = mape_pool_create(&handle, &config);
    if (status == MAPE_OK) status = mape_pool_event_fd(&descriptor, handle);
    if (status != MAPE_OK) fail(handle, status);
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) Rf_error("out of memory");
    SEXP pointer = PROTECT(R_MakeExternalPtr(pool, R_NilValue, R_NilValue));
    pool->handle = handle;
    pool->on_event = on_event;
    R_PreserveObject(on_event);
    R_RegisterCFinalizerEx(pointer, release, TRUE);
    pool->handler = addInputHandler(R_InputHandlers, descriptor, readable, 100);
    pool->handler->userData = pointer;
    UNPROTECT(1);
    return pointer;
}

SEXP mape_r_start(SEXP pointer) {
    struct pool *pool = pool_of(pointer);
    int status = mape_pool_start(pool->handle, MAPE_FOREVER);
    if (status != MAPE_OK) fail(pool->handle, status);
    return R_NilValue;
}

/* With a prototype a C function of any library; without one a worker function that was written for it. */
SEXP mape_r_function(SEXP pointer, SEXP library, SEXP prototype, SEXP symbol) {
    struct pool *pool = pool_of(pointer);
    mape_function function = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    int status;
    function.library = CHAR(Rf_asChar(library));
    if (!Rf_isNull(prototype)) function.prototype = CHAR(Rf_asChar(prototype));
    if (!Rf_isNull(symbol)) function.run_symbol = CHAR(Rf_asChar(symbol));
    status = mape_function_register(&id, pool->handle, &function);
    if (status != MAPE_OK) fail(pool->handle, status);
    return Rf_ScalarReal(id);
}

/* A call for each number of a vector. `number` tells the job's events from others'. */
SEXP mape_r_map(SEXP pointer, SEXP function, SEXP values, SEXP number) {
    struct pool *pool = pool_of(pointer);
    mape_items items = MAPE_ITEMS_INIT;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    mape_job *job = NULL;
    int status;
    items.base = REAL(values);
    items.count = (uint64_t)XLENGTH(values);
    items.item_size = sizeof(double);
    config.context = (void *)(intptr_t)Rf_asInteger(number);
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    status = mape_map(&job, pool->handle, (mape_function_id)Rf_asReal(function), &items, &config);
    if (status != MAPE_OK) fail(pool->handle, status);
    return R_MakeExternalPtr(job, R_NilValue, R_NilValue);
}

SEXP mape_r_cancel(SEXP job) { return Rf_ScalarInteger(mape_job_cancel(R_ExternalPtrAddr(job))); }

SEXP mape_r_release(SEXP pointer) {
    release(pointer);
    return R_NilValue;
}
