/* mapengine/trace.h - a timeline of what a pool's workers do
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_TRACE_H
#define MAPENGINE_TRACE_H

#include "base.h"

/**
 * @file trace.h
 * @brief Where the time of a map goes: each range, setup, wait, death and copy, as events, or as a file that Perfetto opens.
 *
 * A pool that is traced records an event for each range that a worker has run, and for all else that takes time: see #mape_trace_kind.
 *
 *     mape_pool_trace_start(pool, NULL);
 *     // jobs ...
 *     mape_pool_trace_stop(pool);
 *     mape_pool_trace_write(pool, "out.json");   // for https://ui.perfetto.dev, chrome://tracing, and `mapengine report out.json`
 *
 * Workers take the times themselves, by the monotonic clock (CLOCK_MONOTONIC), which all processes of a machine share: a range that has ended
 * while nobody looked at its reply is as long as it was. The host believes none of these times beyond what it knows: each lies between
 * the end of what the worker did before and the moment at which the host saw the reply. For a worker on another machine, and for what
 * began before the trace, the host takes the times.
 *
 * A trace keeps its latest events in memory of a fixed size, made by #mape_pool_trace_start: when it is full, each new event takes the place of
 * the oldest, which is lost, and counted. A pool that is not traced records nothing, and pays for it by one branch per range.
 */

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup trace Tracing
 *  @{ */

/** What a trace event is about. */
enum mape_trace_kind {
    MAPE_TRACE_NONE = 0,     /**< None: what #MAPE_TRACE_EVENT_INIT sets. */
    MAPE_TRACE_RANGE = 1,    /**< A worker has run items of a job, or was lost with them: `job`, `first`, `items`, `assigned`, `state` … */
    MAPE_TRACE_REMOTE = 2,   /**< The same on another machine: `host`, `round_trip_ns`. From when the worker that stands for it had nothing else
                                  to do to the answer. */
    MAPE_TRACE_SETUP = 3,    /**< A worker has loaded a function and run its `setup`. */
    MAPE_TRACE_CLEANUP = 4,  /**< A worker has run the `cleanup` of a function. */
    MAPE_TRACE_MODULE = 5,   /**< A worker has loaded a module; `name` is its path. */
    MAPE_TRACE_WAIT = 6,     /**< A worker had nothing to do although items of `job` waited for one: it waited for the host. Times below a
                                  microsecond are not told. */
    MAPE_TRACE_COPY = 7,     /**< A thread of the host has copied inputs of `job`: `bytes`; `shared_bytes` lay in a #mape_buffer. */
    MAPE_TRACE_CALLBACK = 8, /**< #mape_pool_dispatch has called a callback of `job`, for `items` events. */
    MAPE_TRACE_DEATH = 9,    /**< A worker has died: `code`, `name`, `symbol`, `text`; `first` is the item that it was on, if `items` is 1. With
                                  `host`, one on another machine. An instant. */
    MAPE_TRACE_RECLAIM = 10, /**< `items` of `job`, from `first` on, were taken back from a worker that had not begun them. An instant. */
    MAPE_TRACE_JOB = 11      /**< A job, from its submission to the end of its last item. A job that had begun before the trace counts as a
                                  whole, from the trace's start on. */
};

/** How what a trace event is about has ended. */
enum mape_trace_state {
    MAPE_TRACE_OK = 0,        /**< Well. */
    MAPE_TRACE_FAILED = 1,    /**< `failed` items have failed, or the setup has. */
    MAPE_TRACE_CRASHED = 2,   /**< The worker has died, and an item, or a setup, was blamed for it. */
    MAPE_TRACE_TIMED_OUT = 3, /**< An item has passed its time limit. */
    MAPE_TRACE_LOST = 4,      /**< The worker was lost, and nobody was blamed: what had not ended runs again. */
    MAPE_TRACE_CANCELLED = 5, /**< Its job was cancelled. */
    MAPE_TRACE_RECLAIMED = 6, /**< It was taken back before its first item. */
    MAPE_TRACE_RUNNING = 7    /**< It had not ended when the trace was stopped or written. */
};

/** An event of a trace. Fields that do not belong to its kind are 0; texts are never NULL, and "" where there is none. They stay valid until
 *  the next #mape_pool_trace_start of the pool, or the pool's release. */
typedef struct mape_trace_event {
    size_t struct_size;        /**< Set to sizeof(mape_trace_event), as #MAPE_TRACE_EVENT_INIT does. */
    uint32_t kind;             /**< An enum #mape_trace_kind. */
    uint32_t state;            /**< An enum #mape_trace_state. */
    int64_t begin_ns;          /**< When it began, and */
    int64_t end_ns;            /**< when it ended, in nanoseconds since the trace's start. Equal for an instant. */
    uint64_t job;              /**< The number of the job: a pool counts its jobs from 1; 0: it is about none. */
    mape_function_id function; /**< The function, 0: it is about none. */
    int32_t worker;            /**< The worker's index; -1: it is the host's. */
    int32_t pid;               /**< The worker's process id; 0: it has none, or is on another machine. */
    int32_t code;              /**< DEATH: the signal, or less than 0: the exit code, less 1, negated. */
    uint64_t first;            /**< Index of the first item. */
    uint64_t items;            /**< Items that have ended with it. The sum over all RANGE and REMOTE events is what workers have done. */
    uint64_t assigned;         /**< RANGE, REMOTE: items that the worker was assigned; those that did not end ran, or run, elsewhere. JOB: items
                                    of the job. */
    uint64_t failed;           /**< Of `items`: those that have failed, */
    uint64_t crashed;          /**< crashed, */
    uint64_t timed_out;        /**< passed a time limit, */
    uint64_t cancelled;        /**< were cancelled or abandoned. The others have ended well. */
    uint64_t bytes;            /**< COPY, JOB: bytes of inputs that were copied, */
    uint64_t shared_bytes;     /**< and that were not, since they lay in a #mape_buffer. */
    uint64_t slowest;          /**< RANGE: the item that took longest, */
    int64_t slowest_ns;        /**< and how long; 0: not known, as of functions that take a range as a whole. */
    uint32_t slowest_of;       /**< Of short items (less than some microseconds) the clock is not read for each: the slowest is one of so many from
                                    `slowest` on, and slowest_ns is what they took together. Else 1. */
    uint32_t reserved;         /**< 0. */
    int64_t round_trip_ns;     /**< REMOTE: to the machine and back. */
    const char *name;          /**< The function's name; MODULE: the path; DEATH: the signal, or "exit" and the code. */
    const char *host;          /**< REMOTE, DEATH: the machine; "": this one, or for REMOTE one that was not known yet when the event was read. */
    const char *symbol;        /**< DEATH: the place in the code, as far as the worker's report knows it. */
    const char *text;          /**< DEATH: the first lines of the report: see #mape_job_crash. Of the first 256 deaths of a trace. */
} mape_trace_event;
/** Initialiser of #mape_trace_event. */
#define MAPE_TRACE_EVENT_INIT                                                                                           \
    { sizeof(mape_trace_event), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL }

/** Settings of a trace. Zero means the default. */
typedef struct mape_trace_config {
    size_t struct_size; /**< Set to sizeof(mape_trace_config), as #MAPE_TRACE_CONFIG_INIT does. */
    uint64_t capacity;  /**< How many events it keeps, at most 4,194,304; 0: 65,536. Each takes 192 bytes, in pages that are there once they are used. */
} mape_trace_config;
/** Initialiser of #mape_trace_config: all defaults. */
#define MAPE_TRACE_CONFIG_INIT { sizeof(mape_trace_config), 0 }

/** @brief Begins a trace of a pool, before or after its start. What an earlier trace has recorded is dropped.
 *  @param pool the pool. @param config settings, copied; NULL: defaults.
 *  @return #MAPE_OK; #MAPE_E_STATE when the pool is being traced; #MAPE_E_ARGUMENT; #MAPE_E_SIZE; #MAPE_E_MEMORY; #MAPE_E_CLOSED;
 *          #MAPE_E_HANDLE. Any thread, also in callbacks. */
int mape_pool_trace_start(mape_pool *pool, const mape_trace_config *config);

/** @brief Ends a trace. Its events can still be read and written, until the next one begins: after the pool's shutdown as well, which ends
 *         a trace by itself.
 *
 *  Jobs, and ranges that workers are on, are recorded as far as they have come, as #MAPE_TRACE_RUNNING.
 *  @param pool the pool.
 *  @return #MAPE_OK; #MAPE_E_STATE when it is not being traced; #MAPE_E_HANDLE. Any thread, also in callbacks. */
int mape_pool_trace_stop(mape_pool *pool);

/** @brief Reads the events that were recorded since the last call, oldest first; while the trace goes on, or after its end.
 *
 *  A host that reads now and then, before as many events have come as the trace keeps, misses none.
 *  @param out receives the events. `struct_size` of the first is checked; the library sets that of all it fills.
 *  @param capacity how many there is room for at out, at least 1. One call reads at most 4096.
 *  @param out_count receives how many events were read; 0: there are no more now. @param out_lost receives how many were lost since
 *         the last call, because they were not read in time; may be NULL. @param pool the pool.
 *  @return #MAPE_OK; #MAPE_E_STATE when the pool was never traced; #MAPE_E_ARGUMENT; #MAPE_E_SIZE; #MAPE_E_HANDLE. Any thread, also in
 *          callbacks. */
int mape_pool_trace_read(mape_trace_event *out, size_t capacity, size_t *out_count, uint64_t *out_lost, mape_pool *pool);

/** @brief Writes a trace to a file: all events that it keeps, whether they were read or not, while it goes on or after its end.
 *
 *  The file is JSON of Chrome's trace event format, an event per line, with one more key, "mapengine": the sums of these events per worker, function
 *  and job, the slowest items, and the crashes. docs/trace-file.md describes it. The calling thread writes, without the pool's lock:
 *  jobs go on meanwhile.
 *  @param pool the pool. @param path the file, which is made, or emptied if it is there; bytes, relative to the working directory. A name
 *         of /dev/fd/ stands for a descriptor.
 *  @return #MAPE_OK; #MAPE_E_STATE when the pool was never traced; #MAPE_E_SYSTEM when the file cannot be written, #mape_message
 *          says why; #MAPE_E_ARGUMENT; #MAPE_E_HANDLE. Any thread, also in callbacks. */
int mape_pool_trace_write(mape_pool *pool, const char *path);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_TRACE_H */
