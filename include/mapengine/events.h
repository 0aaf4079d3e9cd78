/* mapengine/events.h - what becomes of items and jobs, and how a host hears of it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_EVENTS_H
#define MAPENGINE_EVENTS_H

#include "config.h"

/** @file events.h
 *  @brief How items end, what events say, and how a host fetches them: by callback, one by one, or when a descriptor is readable. */

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup events Events
 *  @{ */

/** The state of an item. The states from #MAPE_ITEM_OK on are final; every item reaches exactly one of them. */
enum mape_item_state {
    MAPE_ITEM_PENDING = 0,   /**< Waiting for a worker, or running. */
    MAPE_ITEM_OK = 1,        /**< Done; the result holds its bytes. */
    MAPE_ITEM_FAILED = 2,    /**< The function, its setup or its loading failed; code and message say how. */
    MAPE_ITEM_CRASHED = 3,   /**< Its worker died in it, in each attempt; cause and code say how. */
    MAPE_ITEM_TIMED_OUT = 4, /**< Its item or job timeout passed; the cause says which. */
    MAPE_ITEM_CANCELLED = 5, /**< Its job was cancelled or released before it was done. */
    MAPE_ITEM_ABANDONED = 6  /**< The pool was shut down or failed before it was done. */
};

/** Why an item ended as it did. The cause decides what `code` in #mape_result means. */
enum mape_cause {
    MAPE_CAUSE_NONE = 0,         /**< It ended well. `code` is 0. */
    MAPE_CAUSE_FUNCTION = 1,     /**< The function failed; `code` is its own. */
    MAPE_CAUSE_SETUP = 2,        /**< The function's setup failed in the worker; `code` is setup's own. */
    MAPE_CAUSE_LOAD = 3,         /**< The function could not be loaded; `code` is #MAPE_E_LOAD. */
    MAPE_CAUSE_SIGNAL = 4,       /**< A signal ended the worker; `code` is its number. */
    MAPE_CAUSE_EXIT = 5,         /**< The worker exited inside the function; `code` is the exit code. */
    MAPE_CAUSE_REPLY = 6,        /**< The worker's reply was not valid (it overwrote its own memory). */
    MAPE_CAUSE_ITEM_TIMEOUT = 7, /**< `item_timeout_ns` passed. */
    MAPE_CAUSE_JOB_TIMEOUT = 8,  /**< `job_timeout_ns` passed. */
    MAPE_CAUSE_CANCEL = 9,       /**< #mape_job_cancel, #mape_job_cancel_waiting or #mape_job_release. */
    MAPE_CAUSE_SHUTDOWN = 10,    /**< #mape_pool_shutdown or #mape_pool_release. */
    MAPE_CAUSE_POOL = 11,        /**< The pool failed; `code` is #MAPE_E_WORKERS. */
    MAPE_CAUSE_MEMORY = 12       /**< The worker's output memory had no room for the result. */
};

/** How one item ended, or its present state. */
typedef struct mape_result {
    size_t struct_size;  /**< Set to sizeof(mape_result), as #MAPE_RESULT_INIT does. */
    uint32_t state;      /**< An enum #mape_item_state. */
    uint32_t cause;      /**< An enum #mape_cause. */
    int32_t code;        /**< Depends on cause. */
    uint32_t attempts;   /**< How many times a worker began the item, as far as the host saw. */
    const void *data;    /**< The result's bytes for #MAPE_ITEM_OK (NULL for an empty result). For #MAPE_ITEM_FAILED what the function
                              had written to #mape_task_output before it failed, or NULL. Else NULL. */
    size_t size;         /**< Bytes at data. */
    const char *message; /**< Text for people, never NULL, "" when there is none. */
    uint64_t mark;       /**< With has_mark: the number that the item passed to #mape_task_mark last. */
    uint32_t has_mark;   /**< 1: the item's worker died or was killed in it, and the item had passed a mark in that attempt. */
    uint32_t reserved;   /**< 0. */
} mape_result;
/** Initialiser of #mape_result. */
#define MAPE_RESULT_INIT { sizeof(mape_result), 0, 0, 0, 0, NULL, 0, NULL, 0, 0, 0 }

/** The state of a job, in numbers. */
typedef struct mape_progress {
    size_t struct_size;   /**< Set to sizeof(mape_progress), as #MAPE_PROGRESS_INIT does. */
    uint64_t total;       /**< Items of the job; of a stream, the items accepted so far. */
    uint64_t done;        /**< Items that have ended, in any state. */
    uint64_t running;     /**< Items assigned to workers and not ended. */
    uint64_t ok;          /**< Items that ended well. */
    uint64_t failed;      /**< Items that ended as failed. */
    uint64_t crashed;     /**< Items that ended as crashed. */
    uint64_t timed_out;   /**< Items that ended as timed out. */
    uint64_t cancelled;   /**< Items that ended as cancelled. */
    uint64_t abandoned;   /**< Items that ended as abandoned. */
    uint64_t undelivered; /**< Ended items whose event the host has not fetched. */
    double fraction;      /**< 0 to 1: the share of ended items, running ones counted as far as they reported by #mape_task_progress. */
    int64_t elapsed_ns;   /**< Since submission; stands still when the job is done. */
    uint32_t is_done;     /**< 1 when every item has ended (and, for a stream, no more can come). */
    uint32_t reserved;    /**< 0. */
} mape_progress;
/** Initialiser of #mape_progress. */
#define MAPE_PROGRESS_INIT { sizeof(mape_progress), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0 }

/** What an event is about. */
enum mape_event_type {
    MAPE_EVENT_NONE = 0,     /**< None: what #MAPE_EVENT_INIT sets. */
    MAPE_EVENT_ITEM = 1,     /**< An item ended: `job`, `index`, `result`, `count`. */
    MAPE_EVENT_PROGRESS = 2, /**< Items of a job have ended or reported progress: `job`, `progress`. */
    MAPE_EVENT_DONE = 3,     /**< A job is done: `job`, `progress`. Its last event. */
    MAPE_EVENT_OUTPUT = 4,   /**< A worker wrote to its standard output (code 1) or error (code 2): `worker`, `text`. */
    MAPE_EVENT_LOG = 5       /**< A message of a worker function or of the pool itself: `code` is the level. */
};

/** An event: one thing that happened. */
struct mape_event {
    size_t struct_size;     /**< Set to sizeof(mape_event), as #MAPE_EVENT_INIT does. Those of `result` and `progress` are not looked at:
                                 the library sets them. */
    uint32_t type;          /**< An enum #mape_event_type. */
    int32_t code;           /**< For OUTPUT and LOG, see there; else 0. */
    mape_job *job;          /**< The job, or NULL for events of the pool and of jobs that were submitted without a handle. */
    void *context;          /**< The job's context pointer, or the pool's. */
    uint64_t index;         /**< For ITEM, the item's index. */
    int32_t worker;         /**< For OUTPUT and LOG, the worker's index, or -1 for the pool itself and its zygote. */
    uint32_t lost;          /**< For OUTPUT and LOG, bytes of earlier events that the pool dropped because the host had not fetched them. */
    const char *text;       /**< For OUTPUT and LOG: the text, ended with NUL. Else NULL. */
    size_t text_size;       /**< Bytes of text, without the NUL. */
    mape_result result;     /**< For ITEM. */
    mape_progress progress; /**< For PROGRESS and DONE. */
    uint64_t count;         /**< For ITEM, how many items have ended, `index` being the first: 1, or with #MAPE_DELIVER_RANGES more. `result` is
                                 the first one's; #mape_job_result reads those behind it. Else 0. */
};
/** Initialiser of #mape_event. */
#define MAPE_EVENT_INIT { sizeof(mape_event), 0, 0, NULL, NULL, 0, 0, 0, NULL, 0, MAPE_RESULT_INIT, MAPE_PROGRESS_INIT, 0 }

/** @} */

/** @defgroup fetching Fetching events
 *  @{ */

/** @brief Runs callbacks for what has happened, on the calling thread. Never waits.
 *  @param pool the pool. @param max_events how many events at most; 0: no limit. @param budget_ns how long: the call stops after the
 *         callback that passes this time; 0 or negative: no limit.
 *  @return how many events were delivered, or a negative status: #MAPE_E_BUSY inside a callback or while another thread
 *          dispatches, #MAPE_E_HANDLE. Events are in order per job; DONE is a job's last. */
int mape_pool_dispatch(mape_pool *pool, uint32_t max_events, int64_t budget_ns);

/** @brief Fetches one event instead of a callback, for hosts that cannot be called back.
 *  @param out receives the event; what it points to stays valid until the next call of this function or of #mape_pool_dispatch, or
 *         until the job is released. @param pool the pool. @param timeout_ns how long to wait for one.
 *  @return #MAPE_OK; #MAPE_E_AGAIN when there is none and the timeout is 0; #MAPE_E_TIMEOUT; #MAPE_E_CLOSED when the pool was shut
 *          down, and #MAPE_E_WORKERS when it has failed, and no event is left (with a timeout of 0 #MAPE_E_AGAIN says so);
 *          #MAPE_E_BUSY as #mape_pool_dispatch; #MAPE_E_INTERRUPTED. */
int mape_pool_next_event(mape_event *out, mape_pool *pool, int64_t timeout_ns);

/** @brief Fetches several events with one call: all that are there, as many as there is room for.
 *
 *  Waits, if there is none, until the first event comes. It is the same as calling #mape_pool_next_event again and again with a timeout of
 *  0 until it returns #MAPE_E_AGAIN, at a fraction of the price. Events are in order per job. All of them count as delivered when the
 *  call returns: windows open, and a job without a handle releases itself after its DONE event.
 *  @param out receives the events. `struct_size` of the first is checked; the library sets that of all it fills, and does not look at
 *         nested ones. What they point to stays valid until the next call of this function, of #mape_pool_next_event or of #mape_pool_dispatch,
 *         or until the job is released.
 *  @param capacity how many events there is room for at out, at least 1. One call returns at most 4096.
 *  @param out_count receives how many events were fetched; 0 on failure.
 *  @param pool the pool. @param timeout_ns how long to wait for the first.
 *  @return as #mape_pool_next_event. With #MAPE_OK there is at least one event. */
int mape_pool_next_events(mape_event *out, size_t capacity, size_t *out_count, mape_pool *pool, int64_t timeout_ns);

/** @brief Ends the waits on a pool: each returns #MAPE_E_INTERRUPTED. May be called in a signal handler, and by any thread.
 *
 *  @ref waits names the calls that return for it. When no thread waits, the next wait returns at once: so a handler that runs
 *  just before a wait begins is not too early. Several calls before a wait returns count as one.
 *  @param pool the pool. A handle that is no pool's is refused, never followed.
 *  @return #MAPE_OK, #MAPE_E_HANDLE, #MAPE_E_IN_WORKER, #MAPE_E_FORKED. It sets no message, and leaves errno as it is. */
int mape_pool_interrupt(mape_pool *pool);

/** @brief Gets a descriptor that is readable while there are events, for poll, epoll, Qt, GLib, libuv.
 *
 *  It is level-triggered, made on first use, and owned by the pool. Do not read from it or close it.
 *  @param out receives the descriptor; -1 on failure. @param pool the pool.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE, #MAPE_E_SYSTEM. */
int mape_pool_event_fd(int *out, mape_pool *pool);

/** @brief Called when events come in after there were none: see #mape_pool_set_wakeup. @param context what was given to it. */
typedef void (*mape_wakeup_fn)(void *context);

/** @brief Sets a function that is called when events come in after there were none.
 *
 *  It runs on any thread, also on the library's own, possibly before this call returns. It may only notify (post to an event
 *  loop, set a flag). It must not call into this library, and must not be left by a jump or an exception: other calls would go on,
 *  but what the interrupted call held is never freed. The library does not call it again while events are left: a host
 *  that fetches only some of them has to come back by itself. When this call returns, the previous hook is not running and will
 *  not be called any more.
 *  @param pool the pool. @param wakeup the function; NULL: none. @param context the argument of wakeup.
 *  @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_pool_set_wakeup(mape_pool *pool, mape_wakeup_fn wakeup, void *context);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_EVENTS_H */
