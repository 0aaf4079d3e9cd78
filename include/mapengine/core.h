/* mapengine/core.h - pools, functions, jobs, buffers
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_CORE_H
#define MAPENGINE_CORE_H

#include "events.h"

/**
 * @file core.h
 * @brief What a host needs. The rules that hold for all calls are in mapengine.h.
 *
 *     #include <mapengine.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         double in[100], out[100];
 *         for (int i = 0; i < 100; i++) in[i] = i;
 *         mape_items items = MAPE_ITEMS_INIT;
 *         items.base = in, items.count = 100, items.item_size = sizeof *in;
 *         mape_function function = MAPE_FUNCTION_INIT;
 *         function.library = "libm.so.6", function.prototype = "double cbrt(double x)";
 *         mape_pool *pool = NULL;
 *         mape_function_id id;
 *         mape_job *job;
 *         int status = mape_pool_create(&pool, NULL);                           // As many workers as cores.
 *         if (!status) status = mape_function_register(&id, pool, &function);
 *         if (!status) status = mape_map(&job, pool, id, &items, NULL);         // A call per item, in the workers.
 *         if (!status) status = mape_job_wait(job, MAPE_FOREVER);
 *         if (!status) status = mape_job_gather(out, sizeof out, sizeof *out, NULL, job);
 *         printf("%s, %g\n", mape_status_string(status), status ? 0 : out[27]); // "done, 3"
 *         return mape_pool_release(pool) || status;
 *     }
 *
 * These six calls are all that a host needs. In place of mape_job_gather, #mape_job_result reads one item, also when it failed. Functions
 * written for workers (#mape_run_fn) take bytes of any size and return bytes; then config.h has time limits, attempts after a crash, and
 * callbacks.
 */

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup messages Messages
 *  @{ */

/** @brief Copies the particulars of the last failed call: which argument, what was wrong, what to do.
 *
 *  Each pool keeps the message of the last failed call on it, or on one of its jobs and buffers. With a pool of NULL, or one
 *  that is no live handle, this function copies the message of the last failed call that found no pool: of #mape_pool_create, or
 *  of a call with a NULL or released handle.
 *  @param buffer receives the text, cut between characters to fit, and always ended with NUL; may be NULL when size is 0. @param size
 *         bytes in buffer. @param pool the pool, or NULL.
 *  @return the length of the whole message in bytes, without the NUL; 0 when there is none. */
size_t mape_message(char *buffer, size_t size, const mape_pool *pool);

/** @} */

/** @defgroup pools Pools
 *  @{ */

/** @brief Makes a pool. The library starts no process and makes no thread before #mape_pool_start.
 *
 *  In a program, in a forked child of one, and in a worker: see @ref process.
 *  @param out    receives the pool; set to NULL on failure.
 *  @param config settings, copied, texts included; NULL: all defaults.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_SIZE, #MAPE_E_SYSTEM; #MAPE_E_MEMORY, also when the process's limits (RLIMIT_FSIZE,
 *          RLIMIT_AS) leave no room for shared memory; #MAPE_E_UNSUPPORTED when the kernel lacks what config.sandbox needs;
 *          #MAPE_E_IN_WORKER in a worker that may make no pool, or no more (#mape_message says why); #MAPE_E_FORKED in the child of
 *          vfork(2). */
int mape_pool_create(mape_pool **out, const mape_pool_config *config);

/** @brief Starts the workers, and waits until each has loaded its modules and run every registered `setup`.
 *
 *  The first submission starts the pool by itself, without waiting. Starting a started pool only waits.
 *  With #MAPE_START_FORK this call takes the snapshot of the host.
 *
 *  A zygote program that exits before it calls #mape_zygote_main, or does not call it within zygote_timeout_ns, is not started again:
 *  the pool has failed at once. #mape_message, the items and a #MAPE_EVENT_LOG say how it ended, and have the last 4096 bytes that it
 *  wrote to its standard error, as UTF-8. (One that a signal ends there is started five times, and so is one in the place of a
 *  zygote that had begun.) Until it calls #mape_zygote_main, a zygote's standard error is a pipe, from which the library's thread
 *  copies to the host's; with #MAPE_OUTPUT_CAPTURE it is one as long as it lives, and the text comes as #MAPE_EVENT_OUTPUT.
 *
 *  Workers, and the library's thread, inherit from the thread that makes this call what the kernel passes on: nice value, I/O
 *  priority, processors (affinity), timer slack, memory policy and scheduling class. They get no real-time class: SCHED_FIFO,
 *  SCHED_RR and SCHED_DEADLINE become SCHED_OTHER. A thread of SCHED_DEADLINE can start a pool only with SCHED_FLAG_RESET_ON_FORK.
 *  Workers inherit the cgroup, session and limits of the host's process. In a worker all signals have their default action and none
 *  is blocked. SIGTTOU and SIGTTIN are the exception: a worker, and each program that it runs, ignores them. Its process group is in
 *  the background, so printing on a terminal (stty tostop) would stop it for ever; reading from one fails with EIO.
 *  @param pool       the pool.
 *  @param timeout_ns how long to wait for the workers; 0: start them and do not wait.
 *  @return #MAPE_OK when all are ready; #MAPE_E_TIMEOUT when the time was over first (the start goes on);
 *          #MAPE_E_LOAD or #MAPE_E_SETUP when a function cannot be used (the others can); #MAPE_E_WORKERS when workers or
 *          zygote cannot be kept alive; #MAPE_E_CLOSED; #MAPE_E_SYSTEM; #MAPE_E_INTERRUPTED (the start goes on). */
int mape_pool_start(mape_pool *pool, int64_t timeout_ns);

/** What #mape_pool_shutdown does with unfinished jobs. */
enum mape_shutdown {
    MAPE_SHUTDOWN_DRAIN = 0, /**< Lets them finish, as long as the timeout lasts; open streams count as finished. */
    MAPE_SHUTDOWN_CANCEL = 1 /**< Ends their items as abandoned; running ones see #mape_task_cancelled. */
};

/** @brief Ends all work, runs every `cleanup`, ends all processes and the library's thread.
 *
 *  Afterwards the host can still read finished results and fetch events; everything else on the pool returns #MAPE_E_CLOSED. May be
 *  called twice, and from inside a callback. When several threads call it at the same time the strictest call counts: a cancel ends
 *  another call's drain, the earliest timeout applies to all, and each call returns when the pool is shut down. The shutdown ends as
 *  soon as the work does; when a `cleanup` hangs or items do not stop, it ends at the latest the pool's grace after the timeout.
 *  @param pool       the pool.
 *  @param how        an enum #mape_shutdown.
 *  @param timeout_ns how long to wait for jobs and cleanups before processes are killed.
 *  @return #MAPE_OK; #MAPE_E_TIMEOUT when something had to be killed or abandoned (the pool is shut down all the same);
 *          #MAPE_E_INTERRUPTED while it waited for jobs: they run on, new ones are refused, and the next call goes on with the shutdown. */
int mape_pool_shutdown(mape_pool *pool, int how, int64_t timeout_ns);

/** @brief Shuts the pool down if that was not done (cancelling, within the grace), and frees everything.
 *
 *  All handles of the pool, its jobs and its buffers are released; memory handed out for them is gone. From inside a
 *  callback, what the running event points to stays valid until the callback returns.
 *  @param pool the pool; NULL is ignored.
 *  @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_pool_release(mape_pool *pool);

/** @brief Changes how many workers the pool is to have.
 *
 *  Returns at once; workers come and go afterwards. New ones get the next indices. When there are to be fewer, those with the highest
 *  indices leave: what a leaving worker has not begun runs in others, what it is on it finishes, and then it runs its cleanups. It
 *  leaves when it has done that, within the time limits of its items and cleanups. A later call that wants it back finds it in its place
 *  if it was not asked to end yet; otherwise another starts there once it has ended. Workers that have ended for being idle
 *  (mape_pool_config.idle_shrink_ns) stay ended until there is work.
 *
 *  Before the start it sets what the start starts. When new workers cannot be started, the pool tries again after a pause, and the log
 *  says why, as for replacements.
 *  @param pool    the pool.
 *  @param workers how many worker processes, 1 to 1024 (less mape_pool_config.remote_workers in a pool that has a cluster); 0: as many as the
 *         cores that this process may use now. A pool without workers on this machine (#MAPE_CLUSTER_ONLY) gets some.
 *  @return #MAPE_OK; #MAPE_E_ARGUMENT; #MAPE_E_HANDLE; #MAPE_E_CLOSED after a shutdown; #MAPE_E_WORKERS when the pool has failed. Any
 *          thread, also from inside a callback. */
int mape_pool_resize(mape_pool *pool, uint32_t workers);

/** Figures of a pool. */
typedef struct mape_stats {
    size_t struct_size;       /**< Set to sizeof(mape_stats), as #MAPE_STATS_INIT does. */
    uint32_t workers;         /**< Workers the pool is to have: as mape_pool_config.workers or the last #mape_pool_resize says, those
                                   included that have ended for being idle. */
    uint32_t workers_ready;   /**< Workers alive that have run their setups. More than `workers` while some are leaving. Those on other
                                   machines do not count. */
    uint64_t workers_started; /**< Worker processes started, replacements included. */
    uint64_t workers_died;    /**< Worker processes that the pool had not asked to end. */
    uint64_t workers_killed;  /**< Of these, the ones the pool killed (timeouts, cancels, replies that were not valid). */
    uint64_t zygotes_started; /**< Zygotes started, replacements included. */
    uint64_t jobs;            /**< Jobs submitted. */
    uint64_t items;           /**< Items that have ended. */
    uint64_t ranges;          /**< Ranges that workers have completed; one that was divided among workers counts as its parts. */
    uint64_t input_bytes;     /**< Bytes of the input memory in use; free memory that keeps its pages does not count. */
    uint64_t output_bytes;    /**< Bytes of all output memory in use. */
    uint32_t is_started;      /**< 1 after the start. */
    uint32_t is_closed;       /**< 1 after the shutdown, or when the pool has failed. */
    int32_t zygote_pid;       /**< Process id of the zygote; 0 when there is none. */
    int32_t remote_pid;       /**< Process id of the helper for other machines; 0 when there is none. */
    uint32_t nodes;           /**< Machines that serve the pool now. */
    uint32_t remote_ready;    /**< Workers on other machines that can be given ranges. */
    uint64_t bytes_sent;      /**< Bytes that went to other machines, */
    uint64_t bytes_received;  /**< and that came from them, since the helper's start. */
    uint64_t items_again;     /**< Items that were begun on another machine, and run again because their answer did not come, or not in time. */
} mape_stats;
/** Initialiser of #mape_stats. */
#define MAPE_STATS_INIT { sizeof(mape_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** @brief Reads a pool's figures.
 *  @param out receives them. @param pool the pool.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE, #MAPE_E_SIZE. */
int mape_pool_stats(mape_stats *out, mape_pool *pool);

/** The state of a worker. */
enum mape_worker_state {
    MAPE_WORKER_NONE = 0,     /**< No process. */
    MAPE_WORKER_STARTING = 1, /**< Being forked, loading modules, in setup. */
    MAPE_WORKER_IDLE = 2,     /**< Ready, nothing to do. */
    MAPE_WORKER_BUSY = 3,     /**< Has ranges to work on. */
    MAPE_WORKER_STOPPING = 4  /**< In cleanup, or being killed. */
};

/** Figures of one worker. */
typedef struct mape_worker_info {
    size_t struct_size; /**< Set to sizeof(mape_worker_info), as #MAPE_WORKER_INFO_INIT does. */
    int32_t pid;        /**< Process id, 0 when there is none, or when it is on another machine. */
    uint32_t state;     /**< An enum #mape_worker_state. */
    uint64_t items;     /**< Items this process has completed. */
    uint64_t starts;    /**< Processes this worker has had, this one included. */
    const char *host;   /**< The machine that answered last, never NULL; "": this one, or none has yet. Valid until the pool is released. */
    int64_t round_trip_ns; /**< To that machine and back; 0: this one, or not known. */
    uint32_t is_remote; /**< 1: a worker on another machine. It stands for room there, and its ranges may run on any machine. */
    uint32_t reserved;  /**< 0. */
    int64_t busy_ns;    /**< Nanoseconds that this worker, with all processes it has had, was on items: as its replies say, and no more than
                             the host's clock allows. Until it died, for an item that ended it. What runs counts once its range has ended;
                             so does what follows. */
    int64_t setup_ns;   /**< In starts of its processes, modules, setups and cleanups. */
    int64_t idle_ns;    /**< With nothing to do. */
    int64_t waiting_ns; /**< With nothing, although a job had items that no worker had: it waited for the host, which was late to look
                             (stopped, or without a processor), copied inputs, or held items back because its window was full. */
} mape_worker_info;
/** Initialiser of #mape_worker_info. */
#define MAPE_WORKER_INFO_INIT { sizeof(mape_worker_info), 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0 }

/** @brief Reads one worker's figures.
 *  @param out receives them. @param pool the pool. @param index 0 to mape_stats.workers - 1. After the pool was made smaller, those that
 *         had higher indices can still be asked for: they are leaving, or have no process. Workers on other machines have the indices
 *         from 1024 - mape_pool_config.remote_workers to 1023.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE, #MAPE_E_SIZE; #MAPE_E_INDEX from the largest number of workers on that the pool
 *          ever was to have. */
int mape_pool_worker(mape_worker_info *out, mape_pool *pool, uint32_t index);

/** @} */

/** @defgroup functions Functions
 *  @{ */

/** @brief Registers a function, before or after the start.
 *
 *  In a started pool workers load it, and run its `setup`, before anything submitted later; failures then show in its
 *  items. Pointers given to an EXEC pool (or to a FORK pool after its start) must lie in a shared library; it is found
 *  by file and offset, so the function need not be exported. The kernel says which file that is, whatever name it was loaded
 *  by; #mape_function_register returns #MAPE_E_FUNCTION when the file was removed since.
 *
 *  The zygote of an EXEC pool loads libraries once for all workers. Each worker loads a library itself, as always with FORK and in a
 *  sandbox, when the library starts a thread or a process as it is loaded, changes the signals SIGCHLD, SIGCONT or the signal mask,
 *  ends the zygote by its constructor, or takes longer than setup_timeout_ns there. If such a library ends workers as well (restarts
 *  times in a row), or takes too long in one, its functions fail with #MAPE_CAUSE_LOAD, and no others. Workers load a library that
 *  is registered after the start before the zygote does, so it never costs other functions the zygote.
 *  @param out receives the id for #mape_apply, #mape_map and #mape_stream_open; 0 on failure. @param pool the pool. @param function
 *         the description, copied.
 *  @return #MAPE_OK; #MAPE_E_FUNCTION when workers cannot reach the pointer; #MAPE_E_ARGUMENT, for a prototype with the column
 *          of what is wrong in it; #MAPE_E_UNSUPPORTED for a prototype that this machine's calls cannot do; #MAPE_E_CLOSED;
 *          #MAPE_E_SIZE; #MAPE_E_OVERFLOW; #MAPE_E_MEMORY. */
int mape_function_register(mape_function_id *out, mape_pool *pool, const mape_function *function);

/** @brief Unregisters a function, before or after the start. Does not wait.
 *
 *  The id is refused from now on with #MAPE_E_FUNCTION, also when a proxy is called, and is never given to another function. Jobs and
 *  streams that were submitted before run on to their end. After the last of them each worker that has run the function's `setup` runs
 *  its `cleanup`, before the next range that it gets, within cleanup_timeout_ns; a worker whose cleanup takes longer, or crashes, is
 *  replaced, and a #MAPE_EVENT_LOG says so. Workers that start later do not load the function. The library then frees its copy of the
 *  function's data. Libraries stay loaded. To register the same function again gives a new id, and runs its `setup` anew.
 *  @param pool the pool. @param function the function's id.
 *  @return #MAPE_OK; #MAPE_E_FUNCTION for an id that is none, or no longer; #MAPE_E_CLOSED; #MAPE_E_WORKERS; #MAPE_E_HANDLE. */
int mape_function_unregister(mape_pool *pool, mape_function_id function);

/** @brief Gives a function another name: an id of its own, for jobs that are to be shown and counted apart.
 *
 *  Jobs submitted by it run the same function, with the same state in each worker; workers hear nothing of the name, so it costs nothing
 *  there. #mape_function_stats, traces and `mapengine top` name and count these jobs by it. For a function that stands for many: the
 *  interpreter of a scripting language gives each function of a user's its name.
 *
 *  Without a name it is a group of jobs: they are counted apart by the new id, counted by `function` as well, and shown under its name.
 *  @param out receives the id; 0 on failure. @param pool the pool. @param function the function, or another name of it. @param name the
 *         name, copied, need not be the only one of that text; NULL: none.
 *  @return #MAPE_OK; #MAPE_E_FUNCTION; #MAPE_E_ARGUMENT; #MAPE_E_MEMORY when there are as many as there can be; #MAPE_E_CLOSED;
 *          #MAPE_E_WORKERS. #mape_function_unregister takes the name back; that of the function itself takes back all its names. */
int mape_function_alias(mape_function_id *out, mape_pool *pool, mape_function_id function, const char *name);

/** @brief Sets a named block of bytes that workers read without a copy (#mape_task_global).
 *
 *  A job sees the globals as they were when it was submitted; jobs submitted later see the new ones.
 *  @param pool the pool. @param name the global's name, 1 to 255 bytes. @param data the bytes, copied; NULL with size 0 removes
 *              the global.
 *  @param size bytes at data.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_OVERFLOW, #MAPE_E_CLOSED, #MAPE_E_MEMORY. */
int mape_pool_set_global(mape_pool *pool, const char *name, const void *data, size_t size);

/** @} */

/** @defgroup buffers Buffers
 *  @{ */

/** @brief Makes memory that host and workers share: the host writes, workers only read.
 *
 *  The library does not copy input that lies in it. Do not change those bytes while a job that reads them is running.
 *
 *  **Pages.** Memory of released buffers, and of inputs that are no longer needed, keeps its pages for the next ones: making, filling and
 *  releasing a buffer for each job costs no more than having the inputs copied. Pages that are kept count in the process's cgroup as
 *  those in use do. At most 64 MiB per pool, and no more than an eighth of `input_reserve`, are kept for good. What is more goes back to
 *  the kernel once a job or buffer was given back and no other has been for a second; at once, when it is more than an eighth of
 *  `input_reserve`, or when the pool is not started or is shut down.
 *  @param out receives the buffer; NULL on failure. @param pool the pool. @param size bytes, at least 1. The memory is aligned to
 *         4096 bytes. It is not zeroed: like that of malloc it may hold what the host has put into the pool's memory before, for other
 *         jobs too.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_OVERFLOW, #MAPE_E_MEMORY, #MAPE_E_CLOSED. */
int mape_buffer_create(mape_buffer **out, mape_pool *pool, size_t size);

/** @brief Where a buffer lies in the host.
 *  @param out_data receives its address, valid until #mape_buffer_release. @param out_size receives its size in bytes; may be NULL.
 *         @param buffer the buffer.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE. */
int mape_buffer_data(void **out_data, size_t *out_size, mape_buffer *buffer);

/** @brief Releases a buffer. Jobs that still read it keep its memory until they are done; the host must not use it any more.
 *  @param buffer the buffer; NULL is ignored. @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_buffer_release(mape_buffer *buffer);

/** @} */

/** @defgroup jobs Jobs
 *  @{ */

/** One item given by address and size. */
typedef struct mape_span {
    const void *data; /**< The item's bytes; NULL only when size is 0. */
    size_t size;      /**< Bytes at data. */
} mape_span;

/** One item of several pieces, of a header and arrays for example, which need not lie side by side. */
typedef struct mape_pieces {
    const mape_span *pieces; /**< Its pieces; NULL only when count is 0. A piece is copied to a multiple of 64 bytes, or read where it lies
                                  in a #mape_buffer; its size may be 0. */
    size_t count;            /**< How many. Of an item with none the function gets an empty input. */
} mape_pieces;

/** The items of a map: an array with a stride, or spans, or items of several pieces. */
typedef struct mape_items {
    size_t struct_size;     /**< Set to sizeof(mape_items), as #MAPE_ITEMS_INIT does. */
    uint64_t count;         /**< Items. 0 is allowed: the job is done at once. */
    const void *base;       /**< The first item, when the items lie at a stride; else NULL. */
    size_t stride;          /**< Bytes from one item to the next; 0: item_size. */
    size_t item_size;       /**< Bytes per item. */
    const mape_span *spans; /**< count spans, when base is NULL. */
    const mape_pieces *pieces; /**< count items of several pieces each, when base and spans are NULL. The function gets the first piece as
                                    its input, and all by #mape_task_piece. Not for typed functions. */
} mape_items;
/** Initialiser of #mape_items. */
#define MAPE_ITEMS_INIT { sizeof(mape_items), 0, NULL, 0, 0, NULL, NULL }

/** @brief Submits one call. An item of several pieces is submitted by a map of one.
 *  @param out_job receives the job; NULL on failure. With out_job NULL you keep no handle: the job then releases itself after its
 *         DONE event. @param pool the pool. @param function a registered function. @param input the item's bytes, copied unless
 *         in a #mape_buffer; NULL only with size 0. @param size bytes at input. @param config settings; NULL: defaults.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_SIZE, #MAPE_E_OVERFLOW, #MAPE_E_FUNCTION, #MAPE_E_CLOSED, #MAPE_E_MEMORY,
 *          #MAPE_E_WORKERS. */
int mape_apply(mape_job **out_job, mape_pool *pool, mape_function_id function, const void *input, size_t size,
               const mape_job_config *config);

/** @brief Submits a call per item.
 *  @param out_job as for #mape_apply. @param pool the pool. @param function a registered function. @param items the items; their
 *         bytes are copied, unless in a #mape_buffer. @param config settings; NULL: defaults.
 *  @return as #mape_apply; #MAPE_E_OVERFLOW when count, stride and sizes pass the end of the address space; #MAPE_E_STATE for items of
 *          pieces and a typed function. */
int mape_map(mape_job **out_job, mape_pool *pool, mape_function_id function, const mape_items *items,
             const mape_job_config *config);

/** @brief Opens a stream: a map whose items come one by one and may never end.
 *
 *  The library numbers items from 0 as they are pushed. It drops a result after its ITEM event, or at once when the stream has no
 *  ITEM events.
 *  @param out receives the stream, for the job functions and the two below. @param pool the pool. @param function a registered
 *         function. @param config settings; NULL: defaults.
 *  @return as #mape_apply. */
int mape_stream_open(mape_job **out, mape_pool *pool, mape_function_id function, const mape_job_config *config);

/** @brief Adds items to a stream. Never waits for room. The stream accepts pushes of several threads one after another, each whole.
 *  @param out_accepted receives how many items were accepted, from the front; may be NULL when count is 1. @param stream the stream.
 *         @param items count items, copied unless in a #mape_buffer. @param count how many.
 *  @return #MAPE_OK when all were accepted; #MAPE_E_AGAIN when the window is full: fetch events, or wait for some, then push the
 *          rest; #MAPE_E_CLOSED after finish, cancel or shutdown; #MAPE_E_STATE when it is no stream; #MAPE_E_ARGUMENT,
 *          #MAPE_E_OVERFLOW or #MAPE_E_MEMORY for the first item that was not accepted. */
int mape_stream_push(size_t *out_accepted, mape_job *stream, const mape_span *items, size_t count);

/** @brief Adds items of several pieces to a stream. One stream may have such items and others.
 *  @param out_accepted as for #mape_stream_push.
 *  @param stream the stream. @param items count items; their pieces are copied unless in a #mape_buffer. @param count how many.
 *  @return as #mape_stream_push; #MAPE_E_STATE also for a typed function. */
int mape_stream_push_pieces(size_t *out_accepted, mape_job *stream, const mape_pieces *items, size_t count);

/** @brief Marks a stream as complete: no more items come. The stream is done when its last item has ended. A second call changes nothing.
 *  @param stream the stream. @return #MAPE_OK; #MAPE_E_STATE when it is no stream; #MAPE_E_HANDLE. */
int mape_stream_finish(mape_job *stream);

/** @brief Waits until every item of a job has ended.
 *
 *  The calling thread moves the job's data meanwhile, so that a round trip needs no other thread. A job that drops its results
 *  ends only when its events are fetched: by another thread, or by #mape_pool_dispatch instead of this call.
 *  @param job the job. @param timeout_ns how long to wait. @return #MAPE_OK, #MAPE_E_TIMEOUT, #MAPE_E_HANDLE; #MAPE_E_AGAIN for a timeout
 *         of 0 when it is not done; #MAPE_E_INTERRUPTED. */
int mape_job_wait(mape_job *job, int64_t timeout_ns);

/** @brief Reads how an item ended, and its result in place.
 *  @param out receives the item's state and result; data and message stay valid until the job or its pool is released. @param job the
 *         job. @param index 0 to total - 1.
 *  @return #MAPE_OK for an item that has ended; #MAPE_E_AGAIN for one that has not (out says pending); #MAPE_E_INDEX;
 *          #MAPE_E_STATE when the job drops its results; #MAPE_E_HANDLE. */
int mape_job_result(mape_result *out, mape_job *job, uint64_t index);

/** What is known about the death of a worker, for the item that caused it. */
typedef struct mape_crash {
    size_t struct_size;        /**< Set to sizeof(mape_crash), as #MAPE_CRASH_INIT does. */
    int32_t signal;            /**< The signal that ended the worker; 0 when it exited. */
    int32_t code;              /**< The signal's si_code (sigaction(2)), 0 when it is not known; the exit code when it exited. */
    uint64_t address;          /**< The address at fault (si_addr), 0 when there is none. */
    uint32_t worker;           /**< The worker's index in the pool. */
    int32_t pid;               /**< The id that the worker's process had. */
    mape_function_id function; /**< The function that the item ran. */
    uint32_t frames;           /**< Frames of the backtrace in text; 0 when there is none. */
    const char *text;          /**< The whole report: lines, each with a line feed; those of the backtrace begin with a number sign, those
                                    that the function wrote to #mape_task_report_fd with "> ". */
    uint64_t mark;             /**< With has_mark: the number that the item passed to #mape_task_mark last. */
    uint32_t has_mark;         /**< 1: the item had passed a mark. */
    uint32_t reserved;         /**< 0. */
    const char *host;          /**< The machine that it was on, never NULL; "": this one. On another one, pid is that machine's. */
} mape_crash;
/** Initialiser of #mape_crash. */
#define MAPE_CRASH_INIT { sizeof(mape_crash), 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0, NULL }

/** @brief Reads what is known about the crash that ended an item: signal, address, backtrace.
 *
 *  The worker itself wrote the report before it ended. It comes from broken code: the library has checked it and made it printable, but
 *  it may be wrong. Only a #MAPE_EVENT_LOG reports the crash of an item that succeeded in a later attempt.
 *  @param out receives the report; text stays valid until the job or its pool is released. @param job the job. @param index 0 to
 *         total - 1.
 *  @return #MAPE_OK for an item that ended as crashed, or timed out by its own limit; #MAPE_E_AGAIN for one that has not ended;
 *          #MAPE_E_STATE for one that ended otherwise, or when the job drops its results; #MAPE_E_INDEX; #MAPE_E_HANDLE;
 *          #MAPE_E_ARGUMENT; #MAPE_E_SIZE. */
int mape_job_crash(mape_crash *out, mape_job *job, uint64_t index);

/** @brief Copies the results of a job that is done into an array of the host.
 *
 *  The result of item i goes to dst + i * stride. The places of items that did not end well stay as they are; what failed items wrote
 *  is read by #mape_job_result.
 *  @param dst the array. @param dst_size its size in bytes. @param stride bytes from one place to the next, no less than the largest
 *         result. @param out_missing receives how many items did not end well; may be NULL. @param job the job.
 *  @return #MAPE_OK; #MAPE_E_AGAIN when the job is not done; #MAPE_E_OVERFLOW when the array is too small for the items, or the
 *          stride for a result, or its size passes the end of the address space; #MAPE_E_STATE; #MAPE_E_HANDLE; #MAPE_E_ARGUMENT. */
int mape_job_gather(void *dst, size_t dst_size, size_t stride, uint64_t *out_missing, mape_job *job);

/** @brief Reads the state of a job.
 *  @param out receives the state. @param job the job.
 *  @return #MAPE_OK, #MAPE_E_HANDLE, #MAPE_E_ARGUMENT, #MAPE_E_SIZE. */
int mape_job_progress(mape_progress *out, mape_job *job);

/** @brief Cancels a job: items not begun end as cancelled at once; running ones see #mape_task_cancelled, and after the pool's
 *         grace the pool kills their worker. A running item that ends before that ends as #mape_task_cancelled says.
 *         Returns without waiting. A job that is done stays as it is.
 *  @param job the job. @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_job_cancel(mape_job *job);

/** @brief Cancels those items of a job that have not begun: they end as cancelled at once. Those that run go on, and end as they would
 *         have without this call: their workers are not killed, and #mape_task_cancelled does not tell them. Returns without waiting.
 *
 *  No item of the job begins after this call. That holds for items that wait for a worker; for those behind the item that a worker is on,
 *  which are taken back from it; and for those that would begin again: an item whose worker dies has the outcome of its last attempt, one
 *  that the death of the zygote or of another item has interrupted ends as cancelled. A function that takes a range as a whole (run_range
 *  without #mape_task_begin) ends it. Where the kernel does not let the pool make a barrier (membarrier(2)), a worker ends all that it was
 *  given already.
 *
 *  A stream is finished by it. A job that is done, or that was cancelled before, stays as it is; #mape_job_cancel afterwards ends what
 *  runs as well. Any thread may call it, also inside the job's callbacks.
 *  @param out_count receives how many items have ended as cancelled when the call returns, 0 when all had begun. Each worker may stand
 *         before one more, which it does not begin. May be NULL.
 *  @param job the job. @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_job_cancel_waiting(uint64_t *out_count, mape_job *job);

/** @brief Releases a job, its results, and its events that were not delivered. Cancels the job first when it is not done. Safe inside
 *         the job's callbacks; returns without waiting.
 *  @param job the job; NULL is ignored. @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_job_release(mape_job *job);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_CORE_H */
