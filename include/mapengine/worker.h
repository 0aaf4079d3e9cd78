/* mapengine/worker.h - what runs inside workers, and the zygote
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_WORKER_H
#define MAPENGINE_WORKER_H

#include "base.h"

/** @file worker.h
 *  @brief What a library of worker functions, or a zygote program, needs: the types of functions that run in workers, what they may call,
 *         and the zygote's main function. */

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup worker_functions Functions that run in workers
 *  @{ */

/** @brief Runs one item, in a worker process, on its only thread.
 *  @param task  for the mape_task_ functions; valid during the call.
 *  @param state what `setup` made, or NULL.
 *  @param input the item's bytes, read-only; aligned as in the host's array for a map over base and stride, and to
 *               16 bytes for apply, spans and streams. Never NULL.
 *  @param size  bytes at input.
 *  @return 0: done, the result is what the function wrote to #mape_task_output (empty without it); else the item failed with this
 *          code. */
typedef int (*mape_run_fn)(mape_task *task, void *state, const void *input, size_t size);

/** A range of items, for #mape_run_range_fn. */
typedef struct mape_range {
    uint64_t first;    /**< Index of the first item in the job. */
    size_t count;      /**< Items in the range. */
    const void *base;  /**< The first item's bytes when the items lie at a fixed stride; else NULL: use #mape_task_item. */
    size_t stride;     /**< Bytes from one item to the next. */
    size_t item_size;  /**< Bytes per item. */
} mape_range;

/** @brief Runs a range of items, for functions that vectorise.
 *
 *  The function makes its results with #mape_task_output_range, all of one size; or it goes item by item with #mape_task_begin and
 *  then #mape_task_output and #mape_task_fail, as a #mape_run_fn would. When a worker dies inside a range and the function does not
 *  use #mape_task_begin, the pool halves the range and runs the halves again until it has found the item: such a function must have
 *  no side effects.
 *  @param task as for #mape_run_fn. @param state what `setup` made, or NULL. @param range the items.
 *  @return 0, or a code with which every item of the range that has no result yet failed. */
typedef int (*mape_run_range_fn)(mape_task *task, void *state, const mape_range *range);

/** @brief Runs once in each worker before the function's first item.
 *  @param task for #mape_task_global, #mape_task_fail and #mape_task_log. @param data the descriptor's data, read-only.
 *  @param size bytes at data. @param out_state receives the state that `run` and `cleanup` get; NULL before the call.
 *  @return 0; or a code, with which the items of this function then fail, and #mape_pool_start returns #MAPE_E_SETUP. */
typedef int (*mape_setup_fn)(mape_task *task, const void *data, size_t size, void **out_state);

/** @brief Runs once in each worker that the pool asks to end, after its last item; not in one that dies or is killed.
 *  @param task as for #mape_setup_fn. @param state what `setup` made. */
typedef void (*mape_cleanup_fn)(mape_task *task, void *state);

/** @} */

/** @defgroup tasks Inside a worker
 *
 *  For worker functions only, on the thread they were called on.
 *
 *  **Processes.** A function may start processes. A process that it forks can read the function's inputs, task and globals, and pass on
 *  what it computes, by a pipe for example; it has to end by `_exit` or `exec`. It has no memory for results: writing to what
 *  #mape_task_output returned before the fork, or returns in it, is a SIGSEGV. The library drops what it reports by #mape_task_log and
 *  #mape_task_progress. When it returns from the function instead, the library ends it with exit code 70, and the item goes on as
 *  if it had ended by itself. A child of vfork(2) that returns has overwritten its parent's stack, so the worker ends with it, as
 *  crashed by signal 9; the pool finds the item by running parts of its range again.
 *
 *  **What a function leaves behind** in its process does not reach other functions, except for what the guide lists (docs/guide.md): a
 *  function finds rounding, signals, timers, limits, working directory, umask and locale as its own setup left them. A worker that
 *  cannot restore these, or whose doorbells a function has closed, ends between two requests, and a new one replaces it. No item is
 *  blamed for that, and a #MAPE_EVENT_LOG says why.
 *
 *  **Exits.** exit(3), quick_exit(3) and pthread_exit(3) in a worker run the handlers that were registered in it, write out the streams
 *  of its functions, and end it: the item has crashed, with that exit code (pthread_exit: 0). Handlers of the host and of a zygote
 *  program do not run. The streams that these have open are empty in workers: fflush(NULL) writes nothing of theirs.
 *  @{ */

/** @brief The index of the item in its job. @param task the task. @return the index. */
uint64_t mape_task_index(const mape_task *task);

/** @brief The index of the worker in its pool. @param task the task. @return the index, from 0; below the largest number of workers
 *  that the pool ever was to have. */
uint32_t mape_task_worker(const mape_task *task);

/** @brief Allocates memory for the item's result, shared with the host: the library does not copy what is written there.
 *
 *  The memory's start is aligned to the largest power of two, at most 64, that divides size. A second call changes the size: what was
 *  written before stays, the address may change. The memory is not zeroed.
 *  @param task the task. @param size bytes of the result. @return the memory, or NULL when size is 0 or the output memory
 *         is full; an item that goes on to return 0 then ends as failed, with #MAPE_CAUSE_MEMORY. Processes that the function
 *         forks do not have this memory. */
void *mape_task_output(mape_task *task, size_t size);

/** @brief In a #mape_run_range_fn: allocates memory for the results of all items of the range, side by side.
 *  @param task the task. @param item_size bytes per result. @return count * item_size bytes, or NULL as #mape_task_output. */
void *mape_task_output_range(mape_task *task, size_t item_size);

/** @brief In a #mape_run_range_fn: begins item i, ending the one before.
 *  @param out_size receives the item's size in bytes; may be NULL. @param task the task. @param i index in the range, each one more
 *         than the last; the first is 0.
 *  @return the item's bytes; NULL when i is not the next one,
 *         or when the worker is to stop (the job was cancelled, or another worker runs the rest): return then. When the worker is to
 *         stop, the item before has ended with what it has, whatever the function returns. */
const void *mape_task_begin(size_t *out_size, mape_task *task, size_t i);

/** @brief In a #mape_run_range_fn: the bytes of item i, without beginning it.
 *  @param out_size receives its size in bytes; may be NULL. @param task the task. @param i index in the range.
 *  @return the bytes; NULL when i is not in the range. */
const void *mape_task_item(size_t *out_size, const mape_task *task, size_t i);

/** @brief How many pieces the running item has, in a #mape_run_range_fn the one that was begun last.
 *  @param task the task. @return the count given in #mape_pieces; 1 for an item that was given without pieces; 0 when no item runs. */
size_t mape_task_pieces(const mape_task *task);

/** @brief A piece of the running item, in a #mape_run_range_fn of the one that was begun last.
 *  @param out_size receives the piece's size in bytes, 0 without one; may be NULL. @param task the task. @param k which piece, from 0. Of an
 *         item that was given without pieces, 0 is its input.
 *  @return the piece's bytes, read-only, aligned to 64 when the library copied it; not NULL for an empty piece. NULL when there is no such
 *          piece, or no item runs. */
const void *mape_task_piece(size_t *out_size, const mape_task *task, size_t k);

/** @brief Fails the item (or the setup) with a code and a text. Also when the function then returns 0.
 *
 *  What the item has written to #mape_task_output stays: the host finds it in `data` of #mape_result. A later call replaces code and text.
 *  @param task the task. @param code any number; 0 counts as 1. @param message text, copied; may be NULL. It is cut, between characters,
 *         to at most 1 MiB; to at most 1023 bytes when the output memory has no room, or the texts before it in its request (consecutive
 *         items that travel together) have 4 MiB already. Put what is longer into #mape_task_output.
 *  @return code, so that one can write `return mape_task_fail(task, 7, "no surface");`. */
int mape_task_fail(mape_task *task, int code, const char *message);

/** @brief Reads a global as it was when the job was submitted.
 *  @param out_size receives the global's size in bytes; may be NULL. @param task the task. @param name the global's name.
 *  @return the global's bytes, read-only, valid during the call, aligned to 64; NULL when there is none of that name. */
const void *mape_task_global(size_t *out_size, const mape_task *task, const char *name);

/** @brief Reads the data of the job that the running item is of: `data` of #mape_job_config.
 *  @param out_size receives their size in bytes, 0 when there are none; may be NULL. @param task the task.
 *  @return the bytes, read-only, valid during the call, aligned to 64 (in a #mape_buffer as they lie there); NULL when there are none, and
 *          in setup and cleanup. */
const void *mape_task_job_data(size_t *out_size, const mape_task *task);

/** @brief Whether the job was cancelled or is over its time, and the function should return soon. Cheap.
 *
 *  With `cancel_signal` of #mape_pool_config also whether the item is over its item timeout.
 *
 *  A function that was told so, or was interrupted by that signal, has three ways to end its item. It returns 0: the item has ended
 *  well. It calls #mape_task_fail: the item
 *  has failed. It returns another number without #mape_task_fail: the item ends as its job does, mostly as #MAPE_ITEM_CANCELLED, or as
 *  #MAPE_ITEM_TIMED_OUT when it was over its own time.
 *  @param task the task. @return 1 when it should; else 0. */
int mape_task_cancelled(const mape_task *task);

/** @brief Notes how far this item is, for whoever has to find out where it broke off. Two stores.
 *
 *  When the item's worker crashes, or is killed for a time limit or a cancel, `mark` of #mape_result and #mape_crash is the last number
 *  noted in the item, and their texts end with "after mark 17". Each item, and each attempt, begins without a mark. In a
 *  #mape_run_range_fn that does not use #mape_task_begin the mark is that of the range.
 *  @param task the task. @param n any number: how many elements are done, a line, an address. */
void mape_task_mark(mape_task *task, uint64_t n);

/** @brief A descriptor whose bytes become part of the report when the worker dies: for what a language knows of its own stack.
 *
 *  Give it to Python's `faulthandler.enable(file=fd)` in setup, or write to it in a signal handler. What was written since the range of the
 *  dead item began, at most 64 KiB, stands in `text` of #mape_crash and in the log: made printable, each line after "> ". After 64 KiB
 *  writing fails with EPERM. Writes of ranges that end well are dropped. The descriptor stays the same as long as the worker lives, is
 *  there in the sandbox, and is not inherited by programs. Do not close it, and do not move its position.
 *  @param task the task; also in setup. @return the descriptor; -1 when a function has closed it, or in a process that was forked. */
int mape_task_report_fd(const mape_task *task);

/** @brief Reports how far this item is, for the job's progress. Cheap. @param task the task. @param fraction the done part, 0 to 1. */
void mape_task_progress(mape_task *task, double fraction);

/** @brief Sends a text to the host, where it is an #MAPE_EVENT_LOG. Never blocks; the worker drops and counts texts that
 *         the host has no room for. @param task the task. @param level an enum #mape_log_level. @param message text, cut to at most 1023
 *         bytes. */
void mape_task_log(mape_task *task, int level, const char *message);

/** @} */

/** @defgroup zygote The zygote
 *
 *  A program of your own, or an interpreter, can be the zygote of EXEC pools (zygote_path). It loads what all workers are to have, offers
 *  functions, if it has any of its own, and calls #mape_zygote_main. Workers are forked in the thread that made that call, by the C
 *  library's fork(), of whichever definition the program has: handlers of pthread_atfork(3) run, and so do the hooks of
 *  #mape_zygote_set_hooks. The library makes no worker in another way.
 *
 *  **Threads.** A zygote may have other threads. A worker is forked with a copy of all memory, and with the one thread that forks: what
 *  another thread was doing at that moment stays half done in the worker, and a mutex that it held stays locked for ever. The C library
 *  itself is in order in the worker: fork() waits for those who are in malloc or stdio, and makes its locks free again; after a fork in the
 *  middle of another thread's dlopen(3) or dlclose(3), loading may hang. All else is the program's: the locks of an interpreter, of a
 *  library, of C++ statics. Take these in a handler or hook `before`, and give them back in
 *  both after it; or have threads start work when #mape_zygote_main has no part in it. A worker that waits for a lock which nobody gives
 *  back ends by setup_timeout_ns, item_timeout_ns or the pool's grace, as any other that hangs. A #MAPE_EVENT_LOG says how many threads
 *  a zygote has: of level INFO when its program has given hooks, else WARNING. Threads that end, or that are made later, are no
 *  concern of the library; when one of them ends the process, the zygote has died.
 *  @{ */

/** A function that a zygote's program offers. What `run` and the others are is said at #mape_run_fn. */
typedef struct mape_zygote_function {
    size_t struct_size;          /**< Set to sizeof(mape_zygote_function), as #MAPE_ZYGOTE_FUNCTION_INIT does. */
    const char *name;            /**< 1 to 255 bytes, copied. The host registers the function by it. */
    mape_run_fn run;             /**< Called per item; NULL: run_range is given. */
    mape_run_range_fn run_range; /**< Called per range; NULL: run is given. */
    mape_setup_fn setup;         /**< NULL: none. It gets the data of the host's #mape_function. */
    mape_cleanup_fn cleanup;     /**< NULL: none. */
} mape_zygote_function;
/** Initialiser of #mape_zygote_function. */
#define MAPE_ZYGOTE_FUNCTION_INIT { sizeof(mape_zygote_function), NULL, NULL, NULL, NULL, NULL }

/** @brief Offers a function to the hosts of this zygote, which register it with `library` #MAPE_ZYGOTE. Call it before
 *         #mape_zygote_main; from any thread.
 *
 *  The pointers may be of any code of this process that a forked child has as well: of the program itself, or made by an interpreter.
 *  A program that replaces a zygote which has died offers again. With #MAPE_START_FORK workers have what the host itself has offered
 *  before its start. A replay of a crash file has the function when it is run by the same program, which passes its arguments on:
 *  `my-zygote --replay FILE`.
 *  @param function the function, copied.
 *  @return #MAPE_OK; #MAPE_E_ARGUMENT, also when a function of that name was offered before; #MAPE_E_SIZE; #MAPE_E_MEMORY when 1024
 *          functions are offered; #MAPE_E_IN_WORKER once #mape_zygote_main was called, and in workers. #mape_message of NULL has the
 *          particulars. */
int mape_zygote_offer(const mape_zygote_function *function);

/** A hook of a zygote's program. @param context that of #mape_zygote_hooks. */
typedef void (*mape_zygote_hook_fn)(void *context);

/** What a zygote's program does around each fork of a worker; each may be NULL. They run in the thread that called #mape_zygote_main:
 *  `before` ahead of the handlers of pthread_atfork(3), the others after these. */
typedef struct mape_zygote_hooks {
    size_t struct_size;                   /**< Set to sizeof(mape_zygote_hooks), as #MAPE_ZYGOTE_HOOKS_INIT does. */
    mape_zygote_hook_fn before;           /**< In the zygote, before the fork. */
    mape_zygote_hook_fn after_in_zygote;  /**< In the zygote, after the fork, also after one that failed. */
    mape_zygote_hook_fn after_in_worker;  /**< In the worker, before its modules and setups; standard output and error are the worker's
                                               already, a sandbox is entered afterwards. What it leaves is as a setup's. */
    void *context;                        /**< Passed to each. */
} mape_zygote_hooks;
/** Initialiser of #mape_zygote_hooks. */
#define MAPE_ZYGOTE_HOOKS_INIT { sizeof(mape_zygote_hooks), NULL, NULL, NULL, NULL }

/** @brief Sets what this program does around forks of workers. Call it before #mape_zygote_main; a second call replaces the first.
 *
 *  A hook may do what the program may: take and give back locks, end and make threads, reseed a generator. It returns, and makes no call of
 *  this library. One that crashes or ends the process in the zygote is a death of the zygote; one that is there for longer than
 *  setup_timeout_ns has its process killed. In the worker it is a start of the worker that has failed. Either ends in the pool's failure
 *  when it comes again and again, and the messages name the hook. With #MAPE_START_FORK the hooks are those that the host itself has
 *  set before its start.
 *  @param hooks the hooks, copied; NULL: none.
 *  @return #MAPE_OK; #MAPE_E_SIZE; #MAPE_E_IN_WORKER once #mape_zygote_main was called, and in workers. */
int mape_zygote_set_hooks(const mape_zygote_hooks *hooks);

/** @brief The main function of a zygote, for a program named by `zygote_path`: call it from `main`, and return what it returns. Best
 *         before making any thread: see above.
 *  @param argc the argc of main. @param argv the argv of main.
 *
 *  With the arguments `--replay FILE [--output RESULT]`, FILE made by `crash_dir` of #mape_pool_config, it runs that file's
 *  setup, item and cleanup in this process instead, and prints how the item ended.
 *  @return an exit code; does not return before the pool ends. Returns 64 at once, with a message on standard error, when the
 *          process was not started as a zygote. After a replay: 0 the item ended well, 1 the item or its setup failed, 65 FILE is
 *          no valid crash file, 66 FILE cannot be read, 69 the item cannot run here, 73 RESULT cannot be written; a crash ends the
 *          process by its signal. */
int mape_zygote_main(int argc, char **argv);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_WORKER_H */
