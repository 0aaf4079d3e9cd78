/* mapengine/base.h - handles, statuses, time, the version
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_BASE_H
#define MAPENGINE_BASE_H

#include <stddef.h>
#include <stdint.h>

/** @file base.h
 *  @brief What host and workers both use: handles, statuses, time, the version. */

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup version Version
 *  @{ */

#define MAPE_VERSION_MAJOR 0 /**< Grows with an incompatible change of the interface; while it is 0, MINOR grows then. */
#define MAPE_VERSION_MINOR 2 /**< Grows with an addition. */
#define MAPE_VERSION_PATCH 0 /**< Grows with a repair. */
#define MAPE_ABI_VERSION 2   /**< The soname's number: `libmapengine.so.2`. */
/** The header's version as one number: major * 1000000 + minor * 1000 + patch. */
#define MAPE_VERSION (MAPE_VERSION_MAJOR * 1000000 + MAPE_VERSION_MINOR * 1000 + MAPE_VERSION_PATCH)

/** @brief The version of the loaded library. @return it, as #MAPE_VERSION counts. Any thread, also in workers. */
uint32_t mape_version(void);

/** @} */

/** @defgroup basics Handles, statuses, time
 *  @{ */

typedef struct mape_pool mape_pool;     /**< A pool of workers (handle). */
typedef struct mape_job mape_job;       /**< A job or stream (handle). */
typedef struct mape_buffer mape_buffer; /**< Memory that workers read without a copy (handle). */
typedef struct mape_task mape_task;     /**< What a worker function sees of its call; valid during the call. */
typedef uint32_t mape_function_id;      /**< A registered function; 0 is none. */

#define MAPE_FOREVER ((int64_t)-1)                              /**< Timeout: no end. In configs: none. */
#define MAPE_MICROSECONDS(n) ((int64_t)(n) * (int64_t)1000)       /**< n microseconds in nanoseconds. */
#define MAPE_MILLISECONDS(n) ((int64_t)(n) * (int64_t)1000000)    /**< n milliseconds in nanoseconds. */
#define MAPE_SECONDS(n) ((int64_t)(n) * (int64_t)1000000000)      /**< n seconds in nanoseconds. */

/** What a call returns. Negative means failure; a call that failed has changed nothing unless its comment says so. */
enum mape_status {
    MAPE_OK = 0,             /**< Done. */
    MAPE_E_ARGUMENT = -1,    /**< An argument is NULL or has a value it may not have. */
    MAPE_E_HANDLE = -2,      /**< The handle was released, or never was one of that kind. */
    MAPE_E_SIZE = -3,        /**< `struct_size` is not the size of the structure. */
    MAPE_E_OVERFLOW = -4,    /**< A count, size or stride is too large, or passes the end of the address space; or a destination is too small. */
    MAPE_E_MEMORY = -5,      /**< Out of memory or of reserved address space. */
    MAPE_E_SYSTEM = -6,      /**< A system call failed; the message names it and its errno, and which calls a filter denies. */
    MAPE_E_CLOSED = -7,      /**< The pool was shut down, or the stream finished. */
    MAPE_E_AGAIN = -8,       /**< Not now: the window is full, or nothing has happened yet. */
    MAPE_E_TIMEOUT = -9,     /**< The time was over first. */
    MAPE_E_BUSY = -10,       /**< Already in progress: a dispatch inside a dispatch, for example. */
    MAPE_E_FUNCTION = -11,   /**< No such function id, or one that workers cannot reach. */
    MAPE_E_LOAD = -12,       /**< A library, module or symbol could not be loaded in the workers. */
    MAPE_E_SETUP = -13,      /**< A `setup` failed, crashed or ran out of time. */
    MAPE_E_WORKERS = -14,    /**< The pool failed: its workers or its zygote could not be kept alive. */
    MAPE_E_STATE = -15,      /**< The call does not fit the object: pushing to a map, for example. */
    MAPE_E_INDEX = -16,      /**< No item, worker or entry with that index. */
    MAPE_E_IN_WORKER = -17,  /**< In a worker: the handle is its host's, or it may make no more pools. */
    MAPE_E_FORKED = -18,     /**< In a forked child: the handle is its parent's. */
    MAPE_E_UNSUPPORTED = -19, /**< This kernel or machine cannot do it; the message says what is missing. */
    MAPE_E_INTERRUPTED = -20 /**< A signal, or #mape_pool_interrupt, ended the wait before what it waited for had come. */
};

/** @brief The general meaning of a status, in English.
 *  @param status any number.
 *  @return static text, never NULL, "unknown status" for an unknown number; do not free it. Any thread, also in workers. */
const char *mape_status_string(int status);

/** Levels of #MAPE_EVENT_LOG and #mape_task_log. */
enum mape_log_level {
    MAPE_LOG_DEBUG = 0,   /**< For those who look for a mistake. */
    MAPE_LOG_INFO = 1,    /**< Good to know. */
    MAPE_LOG_WARNING = 2, /**< Something did not go as it should, and the pool or function goes on. */
    MAPE_LOG_ERROR = 3    /**< Something failed. */
};

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_BASE_H */
