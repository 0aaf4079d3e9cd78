/* mapengine.h - run C functions over many inputs in worker processes
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_H
#define MAPENGINE_H

#include <stddef.h>
#include <stdint.h>

/**
 * @file mapengine.h
 * @brief The whole interface of libmapengine.
 *
 * @section model The model
 *
 * A host application makes a *pool* of *worker* processes, registers C functions with it and submits *jobs*. A job
 * runs one function over one or many *items*, each a buffer of bytes. The pool assigns *ranges* of items to workers. A
 * worker calls the function and returns one result per item: a buffer of bytes, or a failure with code and message.
 *
 * Workers are processes, so a function that crashes, loops or exits costs its own item and nothing else. The library names
 * that item, the others complete, and a new worker replaces the lost one.
 *
 * @section threads Threads
 *
 * Every function of this header may be called from any thread of the host, unless its comment says otherwise. A fair lock
 * serialises the calls on one pool. The library does not hold it while it copies bytes of the host, so a call that copies
 * much delays no other call. Only one thread at a time may be in #mape_pool_dispatch, #mape_pool_next_event or #mape_pool_next_events; a second
 * one gets #MAPE_E_BUSY. The library runs one thread of its own per started pool; it blocks all signals and never calls into the
 * host, except for the wakeup hook (#mape_pool_set_wakeup), which may only notify.
 *
 * @section callbacks Callbacks
 *
 * Callbacks run inside #mape_pool_dispatch, on the thread that called it. They may call everything in this header but
 * #mape_pool_dispatch, #mape_pool_next_event and #mape_pool_next_events: submit, cancel, release, shut down, and destroy the pool they were called for.
 * A callback may be left by longjmp, by an exception, or by the end of its thread: see #mape_event_fn.
 *
 * @section waits Waits
 *
 * A call that waits returns when what it waits for has come, when its timeout is over, and when the pool is shut down,
 * fails or is destroyed by another thread. A thread may be cancelled (pthread_cancel) while it waits in #mape_job_wait,
 * #mape_pool_next_event, #mape_pool_start or the call of a proxy: it ends there, and other threads wait on. A thread that is cancelled
 * in any other call, also in #mape_pool_shutdown or #mape_pool_release, finishes the call first; it ends at its next
 * cancellation point.
 *
 * #mape_job_wait, #mape_pool_next_event, #mape_pool_next_events, #mape_pool_start and #mape_pool_shutdown return #MAPE_E_INTERRUPTED
 * before that when #mape_pool_interrupt is called; with `interruptible` of #mape_pool_config also when a signal handler of the host
 * has run in the waiting thread, whatever its SA_RESTART says. Nothing is lost by it: call again to wait on. While such a thread moves
 * data, for microseconds, signals are held back until it sleeps (not SIGSEGV and its like). A signal that the kernel gives to another
 * thread interrupts no wait: block it in other threads, or call #mape_pool_interrupt in its handler. A handler must not leave a wait
 * by longjmp. A shutdown can be interrupted as long as it waits for jobs; the pool then takes no jobs any more, and the next call goes
 * on with the shutdown. Calls of proxies and #mape_pool_release are not interrupted.
 *
 * @section ownership Ownership
 *
 * The library copies what the host passes in before the call returns, unless it lies in a #mape_buffer of the same pool,
 * which workers read in place. What the library hands out belongs to the library; each comment says for how long it stays
 * valid. Handles (`mape_pool *`, `mape_job *`, `mape_buffer *`) are not pointers to memory: a call with a released handle
 * returns #MAPE_E_HANDLE.
 *
 * @section errors Errors
 *
 * Functions return #MAPE_OK (0) or a negative status. #mape_status_string gives its general meaning; #mape_message gives
 * the particulars of the last failed call on a pool, and names the argument at fault. Nothing lives in thread-local
 * storage. Before the library touches memory that the host describes by address, count, stride and size, it compares the range with
 * the addresses that a process can have: a range that passes their end is #MAPE_E_OVERFLOW. The library cannot know whether the
 * memory is mapped.
 *
 * @section texts Texts
 *
 * Texts of the host (paths, variables, names), texts of functions and output of workers are bytes, and the library passes them on
 * unchanged. Two names are equal when their bytes are. A text that is too long is cut between two characters of UTF-8. Messages of the
 * library are UTF-8; other bytes in them become U+FFFD. The library refuses a name or path that is "".
 *
 * @section process What the library does to the host's process
 *
 * It installs no signal handler, changes no signal mask of the host's threads, and changes no environment
 * variable, locale, working directory or limit of the host. It waits for no child but its own helper (the zygote), by
 * pidfd. The end of that one child raises SIGCHLD in the host, as the end of any child does. All descriptors are
 * close-on-exec, and none gets the number of a standard file that the host has closed. The library reads the environment in the call
 * that starts the pool, and at no other time; all workers get that environment. A call needs less than 48 KiB of its thread's stack.
 * A host that locks its memory before it makes a pool (mlockall(2), MCL_FUTURE) locks no reserve: pages become resident as they are
 * used. A host that calls mlockall with MCL_CURRENT and without MCL_ONFAULT while a pool exists makes all reserves resident: set
 * `input_reserve` and `output_reserve` small then.
 * Children that the host forks inherit none of the library's shared memory, and libc's fork(2) closes its descriptors in them (but that of
 * #mape_pool_event_fd). A child may
 * make pools of its own. The handles and proxies of its parent are refused there with #MAPE_E_FORKED. The child of vfork(2) can make
 * no call. A worker may make pools as well, which end with it: at most three pools one inside another, 16 in a worker at once, none in a
 * sandbox and none in a process that a function has forked. The handles of its host are refused there with #MAPE_E_IN_WORKER. The library
 * writes nothing to the file system unless `crash_dir` of #mape_pool_config is set, and none of its processes survives the host,
 * however the host dies.
 *
 * @section structs Structures
 *
 * Every structure that the host fills or receives starts with `struct_size`, and has an initialiser:
 * `mape_job_config config = MAPE_JOB_CONFIG_INIT;`. A field that is zero means the default. A call returns
 * #MAPE_E_SIZE for a size that no version of this header ever had.
 *
 * @section time Time
 *
 * All times are nanoseconds in `int64_t`: `MAPE_MILLISECONDS(200)`. With a timeout of 0 a call looks and does not wait; with a
 * negative one (#MAPE_FOREVER) it waits without end. In configurations 0 means the default, and negative means none.
 *
 * @section versions Versions
 *
 * #MAPE_ABI_VERSION is the number in the soname. It changes when a program built against an older header would break.
 */

#define MAPE_VERSION_MAJOR 0 /**< Grows with an incompatible change of the interface. */
#define MAPE_VERSION_MINOR 1 /**< Grows with an addition. */
#define MAPE_VERSION_PATCH 0 /**< Grows with a repair. */
#define MAPE_ABI_VERSION 1   /**< The soname's number: `libmapengine.so.1`. */
/** The header's version as one number: major * 1000000 + minor * 1000 + patch. */
#define MAPE_VERSION (MAPE_VERSION_MAJOR * 1000000 + MAPE_VERSION_MINOR * 1000 + MAPE_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

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
    MAPE_E_SIZE = -3,        /**< `struct_size` matches no version of the structure. */
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

/** @brief The version of the loaded library. @return it, as #MAPE_VERSION counts. Any thread, also in workers. */
uint32_t mape_version(void);

/** @brief The general meaning of a status, in English.
 *  @param status any number.
 *  @return static text, never NULL, "unknown status" for an unknown number; do not free it. Any thread, also in workers. */
const char *mape_status_string(int status);

/** @brief Copies the particulars of the last failed call: which argument, what was wrong, what to do.
 *
 *  Each pool keeps the message of the last failed call on it, or on one of its jobs and buffers. With a pool of NULL, or one
 *  that is no live handle, this function copies the message of the last failed call that found no pool: of #mape_pool_create, or
 *  of a call with a NULL or released handle.
 *  @param pool   the pool, or NULL.
 *  @param buffer receives the text, cut between characters to fit, and always ended with NUL; may be NULL when size is 0.
 *  @param size   bytes in buffer.
 *  @return the length of the whole message in bytes, without the NUL; 0 when there is none. */
size_t mape_message(char *buffer, size_t size, const mape_pool *pool);

/** @} */

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
    MAPE_CAUSE_CANCEL = 9,       /**< #mape_job_cancel or #mape_job_release. */
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
    MAPE_EVENT_ITEM = 1,     /**< An item ended: `job`, `index`, `result`. */
    MAPE_EVENT_PROGRESS = 2, /**< Items of a job have ended or reported progress: `job`, `progress`. */
    MAPE_EVENT_DONE = 3,     /**< A job is done: `job`, `progress`. Its last event. */
    MAPE_EVENT_OUTPUT = 4,   /**< A worker wrote to its standard output (code 1) or error (code 2): `worker`, `text`. */
    MAPE_EVENT_LOG = 5       /**< A message of a worker function or of the pool itself: `code` is the level. */
};

/** Levels of #MAPE_EVENT_LOG and #mape_task_log. */
enum mape_log_level { MAPE_LOG_DEBUG = 0, MAPE_LOG_INFO = 1, MAPE_LOG_WARNING = 2, MAPE_LOG_ERROR = 3 };

/** An event: one thing that happened. */
typedef struct mape_event {
    size_t struct_size;     /**< Set to sizeof(mape_event), as #MAPE_EVENT_INIT does. Those of `result` and `progress` are not looked at:
                                 the library sets them. */
    uint32_t type;          /**< An enum #mape_event_type. */
    int32_t code;           /**< For OUTPUT and LOG, see there; else 0. */
    mape_job *job;          /**< The job, or NULL for events of the pool. */
    void *context;          /**< The job's context pointer, or the pool's. */
    uint64_t index;         /**< For ITEM, the item's index. */
    int32_t worker;         /**< For OUTPUT and LOG, the worker's index, or -1 for the pool itself and its zygote. */
    uint32_t lost;          /**< For OUTPUT and LOG, bytes of earlier events that the pool dropped because the host had not fetched them. */
    const char *text;       /**< For OUTPUT and LOG: the text, ended with NUL. Else NULL. */
    size_t text_size;       /**< Bytes of text, without the NUL. */
    mape_result result;     /**< For ITEM. */
    mape_progress progress; /**< For PROGRESS and DONE. */
} mape_event;
/** Initialiser of #mape_event. */
#define MAPE_EVENT_INIT                                                                                                  \
    { sizeof(mape_event), 0, 0, NULL, NULL, 0, 0, 0, NULL, 0, MAPE_RESULT_INIT, MAPE_PROGRESS_INIT }

/** @brief A callback of the host. #mape_pool_dispatch calls it, on the thread that called #mape_pool_dispatch.
 *  @param context the job's (or pool's) context pointer.
 *  @param event   valid, with all it points to, until the callback returns.
 *
 *  **What it may do.** Everything but fetch events (see @ref callbacks), for as long as it likes: no lock is held, and other threads, the
 *  workers and other pools go on meanwhile. It runs with the caller's signal mask and cancellation state.
 *
 *  **How it may end.** By returning; by longjmp (the errors of Lua, R, Perl and Ruby are that); by a C++ exception that is caught outside
 *  of #mape_pool_dispatch, which passes through it, running destructors of the host's frames on the way; by pthread_exit or a cancelled thread.
 *  Where nobody catches it, an exception ends the program by std::terminate, as anywhere. However it was left, the event counts as
 *  delivered, and the dispatch as over: the next call that fetches delivers the remaining events, each once, and what the event pointed to
 *  is gone when that call begins.
 *
 *  **What leaving costs.** Nothing when a callback returns but four words that each call of #mape_pool_dispatch writes. After one that was left
 *  the pool keeps the event's memory until the next call that fetches. That call notices that the callback was left when it comes from the same
 *  thread, or when that thread has ended or has used its stack otherwise; it reads that thread's stack by a system call for that, or walks up
 *  its own, some microseconds. Until then another thread gets #MAPE_E_BUSY. On a stack that the host made itself (a coroutine's) the
 *  library notices it when that stack is used again.
 *
 *  **Other callbacks.** `on_error` of #mape_proxy_create may do the same, and end in the same ways: the call of the proxy is over then, and its
 *  job released; it may fetch events, unless the proxy was called inside a callback. The hook of #mape_pool_set_wakeup may only notify, and has to return. Worker functions are no
 *  callbacks: see @ref tasks. */
typedef void (*mape_event_fn)(void *context, const mape_event *event);

/** @} */

/** @defgroup pools Pools
 *  @{ */

/** How the pool makes the zygote, the process that all workers are forked from. */
enum mape_start {
    /** A clean program, started with posix_spawn. It costs the host nothing, whatever the host's size. Functions must lie in
     *  shared libraries, which the zygote loads before it forks workers; see mape_function.library. */
    MAPE_START_EXEC = 0,
    /** A snapshot of the host at the moment of the start. Any function pointer and any data of that moment works. It costs the
     *  host a stall that grows with its resident memory, and a copy of each page that it writes to later. Workers keep the
     *  host's open descriptors, except those marked close-on-exec; they keep none of its signal handlers, exit handlers and
     *  unwritten stdio data. */
    MAPE_START_FORK = 1
};

/** Where the standard output and error of workers go. */
enum mape_output {
    MAPE_OUTPUT_INHERIT = 0, /**< To the standard output and error of the host. */
    MAPE_OUTPUT_CAPTURE = 1, /**< To the host, as #MAPE_EVENT_OUTPUT. */
    MAPE_OUTPUT_DISCARD = 2, /**< Nowhere. */
    MAPE_OUTPUT_LINES = 3    /**< To the host, as #MAPE_EVENT_OUTPUT, in whole lines: each event has one or more of one stream of one
                                  worker, with their line feeds. A line without a line feed is delivered when it has reached 16,384
                                  bytes, and when its worker has ended or closed the stream. */
};

/** What the kernel denies to workers. See mape_pool_config.sandbox. */
enum mape_sandbox {
    MAPE_SANDBOX_NONE = 0, /**< Nothing: a worker may do whatever the user may. */
    /** Everything but computing. A worker can read files, load libraries, allocate memory, make threads, and write to its standard output
     *  and error. The kernel refuses the rest with an errno, so that code which tries gets an error and goes on:
     *  - EACCES: opening a file for writing; making, removing, renaming, linking and truncating files; changing their mode, owner,
     *    times or attributes; sockets, but for a stream pair (socketpair(2)), and recvmsg(2) on it; System V and POSIX queues,
     *    semaphores and shared memory; execve(2).
     *  - EPERM: new processes and namespaces; signals to other processes, their limits, priorities and scheduling; ptrace(2),
     *    process_vm_readv(2), pidfds, bpf(2), perf_event_open(2), userfaultfd(2), io_uring(7), io_setup(2), keys, mounts, modules,
     *    clocks, reboot(2), the kernel's log; ioctl(2), but for reading the state of terminals and files; fcntl(2), but for
     *    descriptors and their flags: no locks, leases, watches or signals on files.
     *  - ENOSYS: openat2(2) and clone3(2), instead of which the C library then uses openat(2) and clone(2); flock(2); calls of other
     *    interfaces of the machine (x32, 32-bit), and those newer than this library.
     *
     *  Standard input, output and error are open files of the host. A worker can write to them as to a pipe, look at them, close them and
     *  replace them. It cannot truncate, map or allocate them (EACCES), write at a position or move the position (pwrite(2), lseek(2):
     *  ESPIPE), make them non-blocking (EPERM), or duplicate them to a number above 2 (EPERM). Where one is a connection, a worker
     *  can neither shut it down nor change its options (EACCES).
     *
     *  The sandbox holds in all threads of a worker, from before it loads the first of your libraries until it ends. It is made of
     *  no_new_privs, a filter of system calls (seccomp(2)), without which #mape_pool_create returns #MAPE_E_UNSUPPORTED, and Landlock
     *  (landlock(7)), where the kernel has it. A #MAPE_EVENT_LOG of level INFO at the start says what the kernel lacks of Landlock.
     *  Only Landlock refuses /proc/PID/mem of other processes, with EACCES. Workers of root keep the right to read any file, and no
     *  other (capabilities(7)).
     *
     *  The sandbox does not limit what a worker reads, be it files, pipes or terminals; its memory and time (see memory_limit and
     *  mape_job_config); what it writes to standard output and error, which on a terminal can be control sequences; on which
     *  processors other processes of the user run (sched_setaffinity(2) names threads and processes alike); and with
     *  #MAPE_START_FORK the host's memory as of the start, including what the host shares with other processes. With a sandbox
     *  workers load libraries themselves, not the zygote, so they do not share the libraries' pages. */
    MAPE_SANDBOX_COMPUTE = 1
};

/** Settings of a pool. Zero means the default. */
typedef struct mape_pool_config {
    size_t struct_size;             /**< Set to sizeof(mape_pool_config), as #MAPE_POOL_CONFIG_INIT does. */
    uint32_t workers;               /**< How many worker processes, at most 1024; 0: as many as the cores that this process
                                         may use (by affinity and cgroup quota). */
    uint32_t start;                 /**< An enum #mape_start. */
    uint32_t output;                /**< An enum #mape_output. */
    uint32_t restarts;              /**< How many worker starts in a row may fail, with no item ended in between, before
                                         the pool fails; 0: 5. */
    const char *zygote_path;        /**< EXEC: the program to start as zygote; NULL: the one installed with the library. A path; a
                                         relative one starts at the working directory of #mape_pool_create. A name without a slash
                                         is looked for in PATH, as execvp(3) does, in the workers' environment as of the start. */
    const char *const *zygote_argv; /**< EXEC: its arguments, [0] included, ended with NULL; NULL: its path from the root alone, as
                                         it was found. A program of your own must call #mape_zygote_main. Many interpreters look
                                         for their modules by [0]: give them the path from the root. */
    const char *const *env_set;     /**< "NAME=value" texts to set in workers, ended with NULL; NULL: none. */
    const char *const *env_unset;   /**< Names to unset in workers, ended with NULL; NULL: none. */
    const char *const *modules;     /**< Shared libraries that each worker loads when it starts, ended with NULL; NULL: none. Each is a
                                         path, as zygote_path, or a name without a slash, as for dlopen(3). #mape_pool_start returns
                                         #MAPE_E_LOAD when one cannot be loaded, ends the workers that load it (restarts times in a
                                         row, with no item ended in between), or takes longer than setup_timeout_ns; workers go on
                                         without it. */
    int64_t setup_timeout_ns;       /**< Limit for one module load or `setup` in a worker; 0: 60 s; negative: none. */
    int64_t cleanup_timeout_ns;     /**< Limit for one `cleanup` in a worker; 0: 5 s; negative: none. */
    int64_t grace_ns;               /**< How long a cancelled item may run on before the pool kills its worker; 0: 2 s. Also how
                                         long, at most, a shutdown goes on after its timeout to end the processes. */
    uint64_t items_per_worker;      /**< The pool replaces a worker after it assigned this many items to it; 0: never. */
    uint64_t memory_limit;          /**< Bytes of private data memory per worker (RLIMIT_DATA, see setrlimit(2)); an
                                         allocation above it fails in the worker. 0: none. */
    int32_t nice;                   /**< Added to the workers' nice value, 0 to 19. */
    uint32_t pin;                   /**< 1: worker k runs on the k-th of the cores this process may use. */
    uint64_t input_reserve;         /**< Address space for inputs in bytes; 0: 64 GiB, or what memory (of the machine, with swap, or
                                         of the process's cgroup) and limits allow. */
    uint64_t output_reserve;        /**< Address space for results per worker in bytes; 0: 16 GiB, or half of what they allow. What
                                         all workers hold of results is to fit into memory: the kernel does not get it back
                                         by ending a worker. */
    void *context;                  /**< The first argument of on_output and on_log. */
    mape_event_fn on_output;        /**< Called for #MAPE_EVENT_OUTPUT; NULL: #mape_pool_dispatch drops these. */
    mape_event_fn on_log;           /**< Called for #MAPE_EVENT_LOG; NULL: #mape_pool_dispatch drops these. */
    uint32_t core_dumps;            /**< 0: the kernel writes no core file of a worker that crashes, and passes none to a program (the
                                         worker's soft RLIMIT_CORE is 1 byte, see core(5)); debuggers work as ever. 1: the host's limit
                                         decides. */
    int32_t oom_score_adj;          /**< Added to the host's /proc/self/oom_score_adj for its workers, at most 1000 in all, so that
                                         the kernel ends them before the host when memory runs out (proc(5)). 0: 500; negative:
                                         nothing. */
    uint64_t memory_growth;         /**< Bytes. The pool replaces a worker whose private memory (RssAnon and VmSwap of
                                         /proc/self/status, proc(5)) has grown by more than this since its first item began, once it
                                         has done what was assigned to it. The worker measures after a range, at most ten times a
                                         second; growth within a `setup` does not count. The kernel's figures may be off by some 100
                                         KiB per core. 0: never. */
    uint32_t sandbox;               /**< An enum #mape_sandbox. */
    uint32_t reserved;              /**< 0. */
    const char *crash_dir;          /**< An existing folder, which the pool keeps open. For each item whose worker crashes, or is killed
                                         for its item timeout, the pool makes a file `mapengine-<host pid>-<worker pid>-<n>.crash`
                                         in it, soon after the death, at most 32 per pool. `mapengine-zygote --replay FILE` runs that
                                         item again. The file holds the item's input, the function's data and the globals. When the
                                         pool cannot write one, it says so by #MAPE_EVENT_LOG and goes on. NULL: none. */
    int64_t zygote_timeout_ns;      /**< EXEC: limit for a zygote's start, until its program calls #mape_zygote_main; 0: 60 s;
                                         negative: none. */
    uint32_t min_workers;           /**< How many workers stay however long they are idle, at most 1024; with 0 all may end. Counts with
                                         idle_shrink_ns alone. */
    uint32_t interruptible;         /**< 1: a wait returns #MAPE_E_INTERRUPTED when a signal handler of the host has run in the waiting
                                         thread: see @ref waits. 0: it waits on. */
    int64_t idle_shrink_ns;         /**< A worker that is idle for longer than this runs its cleanups and ends, the highest index first, down to
                                         min_workers; it takes up to a quarter longer. When there is work that no other worker has room
                                         for, workers come back, at first as many as there are, then twice as many every 2 ms. 0 or
                                         negative: workers stay. */
    int32_t cancel_signal;          /**< A signal (signal(7)) that is raised in an item, on the thread it runs on, when its job is
                                         cancelled, released or over its time, or when the item passes its item timeout. The
                                         function handles it, by a handler that its setup installs, and returns as after
                                         #mape_task_cancelled; if it has not returned after the grace, the pool kills its worker.
                                         The signal never comes outside of that item. Typed functions are not interrupted, nor
                                         is a #mape_run_range_fn that has several items and passes the item timeout without
                                         #mape_task_begin. Not possible: SIGKILL, SIGSTOP, what the library uses itself (SIGSEGV,
                                         SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGALRM, 61) or the C library does (32,
                                         33). 0: none. */
    uint32_t reserved2;             /**< 0. */
} mape_pool_config;
/** Initialiser of #mape_pool_config: all defaults. */
#define MAPE_POOL_CONFIG_INIT                                                                                            \
    { sizeof(mape_pool_config), 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, \
      0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0 }

/** @brief Makes a pool. The library starts no process and makes no thread before #mape_pool_start.
 *
 *  In a program, in a forked child of one, and in a worker (see above).
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
 *  @param workers how many worker processes, 1 to 1024; 0: as many as the cores that this process may use now.
 *  @return #MAPE_OK; #MAPE_E_ARGUMENT; #MAPE_E_HANDLE; #MAPE_E_CLOSED after a shutdown; #MAPE_E_WORKERS when the pool has failed. Any
 *          thread, also from inside a callback. */
int mape_pool_resize(mape_pool *pool, uint32_t workers);

/** Figures of a pool. */
typedef struct mape_stats {
    size_t struct_size;       /**< Set to sizeof(mape_stats), as #MAPE_STATS_INIT does. */
    uint32_t workers;         /**< Workers the pool is to have: as mape_pool_config.workers or the last #mape_pool_resize says, those
                                   included that have ended for being idle. */
    uint32_t workers_ready;   /**< Workers alive that have run their setups. More than `workers` while some are leaving. */
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
    uint32_t reserved;        /**< 0. */
} mape_stats;
/** Initialiser of #mape_stats. */
#define MAPE_STATS_INIT { sizeof(mape_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** @brief Reads a pool's figures.
 *  @param pool the pool. @param out receives them. @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE, #MAPE_E_SIZE. */
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
    int32_t pid;        /**< Process id, 0 when there is none. */
    uint32_t state;     /**< An enum #mape_worker_state. */
    uint64_t items;     /**< Items this process has completed. */
    uint64_t starts;    /**< Processes this worker has had, this one included. */
} mape_worker_info;
/** Initialiser of #mape_worker_info. */
#define MAPE_WORKER_INFO_INIT { sizeof(mape_worker_info), 0, 0, 0, 0 }

/** @brief Reads one worker's figures.
 *  @param pool the pool.
 *  @param index 0 to mape_stats.workers - 1. After the pool was made smaller, those that had higher indices can still be asked for:
 *              they are leaving, or have no process.
 *  @param out  receives them.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE, #MAPE_E_SIZE; #MAPE_E_INDEX from the largest number of workers on that the pool
 *          ever was to have. */
int mape_pool_worker(mape_worker_info *out, mape_pool *pool, uint32_t index);

/** @} */

/** @defgroup functions Functions that run in workers
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

/** A C function of any type, cast to this one. The prototype says its real type. */
typedef void (*mape_native_fn)(void);

/** For `native_flags` of #mape_function. */
enum mape_native_flags {
    MAPE_NATIVE_ERRNO = 1 /**< errno, set to 0 before each call, is the last output of a call: see #mape_job_gather_columns. */
};

/** For `library` of #mape_function: the function is one that the zygote's program offers (#mape_zygote_offer). run_symbol is the name of
 *  an offered run, run_range_symbol that of an offered run_range; setup and cleanup come with the offer, so that there are no symbols
 *  for them. When the zygote offers no such function, items fail with #MAPE_CAUSE_LOAD, and the message lists what it offers. */
#define MAPE_ZYGOTE "zygote:"

/** Describes a function to #mape_function_register. Give either pointers (run or run_range), or a library and symbol names; or a
 *  prototype, with a pointer (native) or a library: see @ref native. */
typedef struct mape_function {
    size_t struct_size;          /**< Set to sizeof(mape_function), as #MAPE_FUNCTION_INIT does. */
    const char *name;            /**< For messages; NULL: the symbol, or "function N". */
    mape_run_fn run;             /**< Called per item, or NULL. */
    mape_run_range_fn run_range; /**< Called per range, or NULL. */
    mape_setup_fn setup;         /**< NULL: none. */
    mape_cleanup_fn cleanup;     /**< NULL: none. */
    const char *library;         /**< #MAPE_ZYGOTE, for a function that the zygote's program brings. Else the
                                      path or soname of a shared library, for the symbols below; the host need not have it
                                      loaded. NULL: the pointers above are used. A relative path starts at the working
                                      directory of #mape_function_register. A path means the file that lies there at the registration,
                                      known by its build id, or else by inode, size and time. When another file replaces it, later
                                      registrations get the new file. This registration keeps the old code as long as the zygote
                                      or a worker that has loaded it lives; afterwards its items fail with #MAPE_CAUSE_LOAD. A
                                      file that is overwritten while it is loaded changes the code that runs, and cannot be
                                      registered anew: replace libraries by renaming. Each process that loads a soname looks
                                      for it by itself. */
    const char *run_symbol;      /**< With library: a #mape_run_fn, or NULL. */
    const char *run_range_symbol; /**< With library: a #mape_run_range_fn, or NULL. */
    const char *setup_symbol;    /**< With library: a #mape_setup_fn, or NULL. */
    const char *cleanup_symbol;  /**< With library: a #mape_cleanup_fn, or NULL. */
    const void *data;            /**< Constant bytes of the function: copied, and passed to `setup` in every worker. */
    size_t data_size;            /**< Bytes at data. 0 with data that is not NULL passes the pointer itself, which is
                                      possible only with FORK and before the start. */
    const char *prototype;       /**< Makes a *typed function*, a C function of any type: "double pow(double x, double y)", see
                                      @ref native. NULL: workers call run or run_range. */
    mape_native_fn native;       /**< With prototype: the function. NULL: taken from library, by run_symbol or, when that is
                                      NULL, by the name in the prototype. */
    uint32_t native_flags;       /**< Bits of enum #mape_native_flags; only with prototype. */
    uint32_t reserved;           /**< 0. */
} mape_function;
/** Initialiser of #mape_function. */
#define MAPE_FUNCTION_INIT                                                                                               \
    { sizeof(mape_function), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, 0 }

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
 *  @param pool         the pool.
 *  @param function     the description, copied.
 *  @param out_function receives the id for #mape_apply, #mape_map and #mape_stream_open; 0 on failure.
 *  @return #MAPE_OK; #MAPE_E_FUNCTION when workers cannot reach the pointer; #MAPE_E_ARGUMENT, for a prototype with the column
 *          of what is wrong in it; #MAPE_E_UNSUPPORTED for a prototype that this machine's calls cannot do; #MAPE_E_CLOSED;
 *          #MAPE_E_SIZE; #MAPE_E_OVERFLOW; #MAPE_E_MEMORY. */
int mape_function_register(mape_function_id *out_function, mape_pool *pool, const mape_function *function);

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
 *  **Pages.** Memory of destroyed buffers, and of inputs that are no longer needed, keeps its pages for the next ones: making, filling and
 *  destroying a buffer for each job costs no more than having the inputs copied. Pages that are kept count in the process's cgroup as
 *  those in use do. At most 64 MiB per pool, and no more than an eighth of `input_reserve`, are kept for good. What is more goes back to
 *  the kernel once a job or buffer was given back and no other has been for a second; at once, when it is more than an eighth of
 *  `input_reserve`, or when the pool is not started or is shut down.
 *  @param out receives the buffer; NULL on failure. @param pool the pool. @param size bytes, at least 1. The memory is aligned to
 *         4096 bytes. It is not zeroed: like that of malloc it may hold what the host has put into the pool's memory before, for other
 *         jobs too.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_OVERFLOW, #MAPE_E_MEMORY, #MAPE_E_CLOSED. */
int mape_buffer_create(mape_buffer **out, mape_pool *pool, size_t size);

/** @brief Where a buffer lies in the host.
 *  @param buffer the buffer. @param out_data receives its address, valid until #mape_buffer_release. @param out_size receives its
 *         size in bytes; may be NULL.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE. */
int mape_buffer_data(void **out_data, size_t *out_size, mape_buffer *buffer);

/** @brief Destroys a buffer. Jobs that still read it keep its memory until they are done; the host must not use it any more.
 *  @param buffer the buffer; NULL is ignored. @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_buffer_release(mape_buffer *buffer);

/** @} */

/** @defgroup jobs Jobs
 *  @{ */

/** Which events a job has, for `deliver`. A callback that is set turns its kind on by itself. */
enum mape_deliver {
    MAPE_DELIVER_ITEMS = 1,    /**< #MAPE_EVENT_ITEM for each item. */
    MAPE_DELIVER_PROGRESS = 2, /**< #MAPE_EVENT_PROGRESS now and then. */
    MAPE_DELIVER_DONE = 4      /**< #MAPE_EVENT_DONE once. */
};

/** Settings of a job. Zero means the default. */
typedef struct mape_job_config {
    size_t struct_size;           /**< Set to sizeof(mape_job_config), as #MAPE_JOB_CONFIG_INIT does. */
    uint64_t chunk;               /**< Items per range; 0: chosen from count and measured time. Items never wait behind a
                                       long one while a worker is idle: the pool reclaims those not begun. */
    int32_t priority;             /**< A job with a higher number gets workers first; jobs with equal ones in order of submission. */
    uint32_t attempts;            /**< How many times, in all, the pool runs an item whose worker dies; 0: 1. */
    int64_t item_timeout_ns;      /**< Limit for one item, or for one call of a #mape_run_range_fn that does not use #mape_task_begin;
                                       the pool acts on it at most half as late again. 0 or negative: none. */
    int64_t job_timeout_ns;       /**< Limit for the whole job, from submission; 0 or negative: none. */
    uint32_t ordered;             /**< 1: ITEM events come in order of index; 0: as items end. */
    uint32_t drop;                /**< 1: the pool drops each result after its ITEM event, and at most `window` ended items wait for
                                       their event; 0: results stay until the job is released. Streams always drop. */
    uint32_t deliver;             /**< Bits of enum #mape_deliver, for hosts that pull with #mape_pool_next_event. */
    uint32_t reserved;            /**< 0. */
    uint64_t window;              /**< Streams and drop: items accepted (or ended) and not yet delivered, at most; 0: 4096. */
    int64_t progress_interval_ns; /**< At least this long between two PROGRESS events; 0: 50 ms. */
    void *context;                /**< The first argument of the callbacks, and `context` of events. */
    mape_event_fn on_item;        /**< Called per item, or NULL. */
    mape_event_fn on_progress;    /**< Called now and then, or NULL. */
    mape_event_fn on_done;        /**< Called once, last, or NULL. */
    const void *data;             /**< Constant bytes of the job, which its functions read by #mape_task_job_data: copied once, unless they
                                       lie in a #mape_buffer; for #mape_proxy_create once for all calls. NULL: none. */
    size_t data_size;             /**< Bytes at data. */
} mape_job_config;
/** Initialiser of #mape_job_config: all defaults. */
#define MAPE_JOB_CONFIG_INIT                                                                                             \
    { sizeof(mape_job_config), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0 }

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
 *  @param pool the pool. @param function a registered function. @param input the item's bytes, copied unless in a #mape_buffer;
 *         NULL only with size 0. @param size bytes at input. @param config settings; NULL: defaults. @param out_job receives the job; NULL
 *         on failure. With out_job NULL you keep no handle: the job then releases itself after its DONE event.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_SIZE, #MAPE_E_OVERFLOW, #MAPE_E_FUNCTION, #MAPE_E_CLOSED, #MAPE_E_MEMORY,
 *          #MAPE_E_WORKERS. */
int mape_apply(mape_job **out_job, mape_pool *pool, mape_function_id function, const void *input, size_t size,
               const mape_job_config *config);

/** @brief Submits a call per item.
 *  @param pool the pool. @param function a registered function. @param items the items; their bytes are copied, unless in a
 *         #mape_buffer. @param config settings; NULL: defaults. @param out_job as for #mape_apply.
 *  @return as #mape_apply; #MAPE_E_OVERFLOW when count, stride and sizes pass the end of the address space; #MAPE_E_STATE for items of
 *          pieces and a typed function. */
int mape_map(mape_job **out_job, mape_pool *pool, mape_function_id function, const mape_items *items,
             const mape_job_config *config);

/** @brief Opens a stream: a map whose items come one by one and may never end.
 *
 *  The library numbers items from 0 as they are pushed. It drops a result after its ITEM event, or at once when the stream has no
 *  ITEM events.
 *  @param pool the pool. @param function a registered function. @param config settings; NULL: defaults. @param out_job receives the
 *         stream, for the job functions and the two below. @return as #mape_apply. */
int mape_stream_open(mape_job **out_job, mape_pool *pool, mape_function_id function, const mape_job_config *config);

/** @brief Adds items to a stream. Never waits for room. The stream accepts pushes of several threads one after another, each whole.
 *  @param stream the stream. @param items count items, copied unless in a #mape_buffer. @param count how many.
 *  @param out_accepted receives how many items were accepted, from the front; may be NULL when count is 1.
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
 *  @param job   the job. @param index 0 to total - 1.
 *  @param out   receives the item's state and result; data and message stay valid until the job is released or the pool destroyed.
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
} mape_crash;
/** Initialiser of #mape_crash. */
#define MAPE_CRASH_INIT { sizeof(mape_crash), 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0 }

/** @brief Reads what is known about the crash that ended an item: signal, address, backtrace.
 *
 *  The worker itself wrote the report before it ended. It comes from broken code: the library has checked it and made it printable, but
 *  it may be wrong. Only a #MAPE_EVENT_LOG reports the crash of an item that succeeded in a later attempt.
 *  @param job the job. @param index 0 to total - 1. @param out receives the report; text stays valid until the job is released or the
 *         pool destroyed.
 *  @return #MAPE_OK for an item that ended as crashed, or timed out by its own limit; #MAPE_E_AGAIN for one that has not ended;
 *          #MAPE_E_STATE for one that ended otherwise, or when the job drops its results; #MAPE_E_INDEX; #MAPE_E_HANDLE;
 *          #MAPE_E_ARGUMENT; #MAPE_E_SIZE. */
int mape_job_crash(mape_crash *out, mape_job *job, uint64_t index);

/** @brief Copies the results of a job that is done into an array of the host.
 *
 *  The result of item i goes to dst + i * stride. The places of items that did not end well stay as they are; what failed items wrote
 *  is read by #mape_job_result.
 *  @param job         the job. @param dst the array. @param dst_size its size in bytes. @param stride bytes from one place to the next,
 *                     no less than the largest result.
 *  @param out_missing receives how many items did not end well; may be NULL.
 *  @return #MAPE_OK; #MAPE_E_AGAIN when the job is not done; #MAPE_E_OVERFLOW when the array is too small for the items, or the
 *          stride for a result, or its size passes the end of the address space; #MAPE_E_STATE; #MAPE_E_HANDLE; #MAPE_E_ARGUMENT. */
int mape_job_gather(void *dst, size_t dst_size, size_t stride, uint64_t *out_missing, mape_job *job);

/** @brief Reads the state of a job.
 *  @param job the job. @param out receives the state. @return #MAPE_OK, #MAPE_E_HANDLE, #MAPE_E_ARGUMENT, #MAPE_E_SIZE. */
int mape_job_progress(mape_progress *out, mape_job *job);

/** @brief Cancels a job: items not begun end as cancelled at once; running ones see #mape_task_cancelled, and after the pool's
 *         grace the pool kills their worker. A running item that ends before that ends as #mape_task_cancelled says.
 *         Returns without waiting. A job that is done stays as it is.
 *  @param job the job. @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_job_cancel(mape_job *job);

/** @brief Releases a job, its results, and its events that were not delivered. Cancels the job first when it is not done. Safe inside
 *         the job's callbacks; returns without waiting.
 *  @param job the job; NULL is ignored. @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_job_release(mape_job *job);

/** @} */

/** @defgroup native C functions of any type
 *
 *  A function with a prototype needs no code of its own for workers: they call it through libffi (https://sourceware.org/libffi/). The
 *  prototype is C, with lengths where C has none; docs/prototypes.md has the grammar and docs/types.md the types.
 *
 *      double pow(double x, double y)                                  numbers: every integer, _Bool, float, double, long double
 *      int sum(const double *v [n], size_t n, double *out [1])         const T * is read, T * is written; the length is a
 *                                                                      constant or a parameter; also as C has it: double out[1]
 *      void sort(inout int v[8])                                       read and written
 *      int atoi(const char *text)                                      a text, ended with NUL
 *      const char *[64] strerror(int code)                             a returned text, copied, of at most 63 bytes
 *      uint32_t crc(const void *data [size], size_t size)              bytes
 *      {int quot, rem;} div(int numer, int denom)                      structures by value, nested and with arrays
 *      struct v {double x, y;}; double dot(struct v a, struct v b)     declared before (typedef as well)
 *      int snprintf(char *out [64], size_t n, const char *format, ..., double x, int i)
 *                                                                      variadic: what is passed stands behind the dots
 *
 *  Memory that a function writes to is zero before the call. The library refuses other pointers: an address of the host means nothing in a
 *  worker.
 *
 *  The *inputs* of a call are the parameters that are read, in their order. Its *outputs* are what the function returns, the
 *  parameters that are written, in their order, and errno if #MAPE_NATIVE_ERRNO asks for it. The host makes calls over columns
 *  (#mape_map_columns), by a function pointer (#mape_proxy_create), or by #mape_apply, #mape_map and streams. For the last three an item is the
 *  inputs and a result the outputs, each laid out as a C structure that has them as members; a #mape_native_span replaces a
 *  text or an array whose length is a parameter.
 *
 *  An item fails with #MAPE_CAUSE_FUNCTION and the code #MAPE_E_ARGUMENT or #MAPE_E_OVERFLOW when the call cannot be made (a length
 *  beyond what is there) or a returned text is too long. Whatever the function returns, its item has ended well.
 *  @{ */

/** The type of a parameter: a number, a structure, a text, bytes. `char` is INT8 or UINT8, `long` INT64, `size_t` UINT64, as the machine
 *  has them. */
enum mape_type {
    MAPE_TYPE_NONE = 0,                 /**< In columns: not checked. */
    MAPE_TYPE_BOOL = 1,                 /**< `_Bool`. */
    MAPE_TYPE_INT8 = 2,                 /**< 8 bits, signed. */
    MAPE_TYPE_UINT8 = 3,                /**< 8 bits, unsigned. */
    MAPE_TYPE_INT16 = 4,                /**< 16 bits, signed. */
    MAPE_TYPE_UINT16 = 5,               /**< 16 bits, unsigned. */
    MAPE_TYPE_INT32 = 6,                /**< 32 bits, signed. */
    MAPE_TYPE_UINT32 = 7,               /**< 32 bits, unsigned. */
    MAPE_TYPE_INT64 = 8,                /**< 64 bits, signed. */
    MAPE_TYPE_UINT64 = 9,               /**< 64 bits, unsigned. */
    MAPE_TYPE_FLOAT = 10,               /**< `float`. */
    MAPE_TYPE_DOUBLE = 11,              /**< `double`. */
    MAPE_TYPE_LONG_DOUBLE = 12,         /**< `long double`. */
    MAPE_TYPE_COMPLEX_FLOAT = 13,       /**< `float _Complex`. */
    MAPE_TYPE_COMPLEX_DOUBLE = 14,      /**< `double _Complex`. */
    MAPE_TYPE_COMPLEX_LONG_DOUBLE = 15, /**< `long double _Complex`. */
    MAPE_TYPE_STRUCT = 16,              /**< A structure. */
    MAPE_TYPE_STRING = 17,              /**< A text, ended with NUL: in columns a `const char *`; a returned one a `char[]`. */
    MAPE_TYPE_BYTE = 18                 /**< What `void` is in `void *data [size]`. */
};

/** Whether a parameter is read or written, as bits. */
enum mape_direction {
    MAPE_DIRECTION_IN = 1,  /**< Read: an input. */
    MAPE_DIRECTION_OUT = 2, /**< Written: an output. */
    MAPE_DIRECTION_INOUT = 3 /**< Both. */
};

/** In packed items and results: a text, or an array whose length is a parameter. */
typedef struct mape_native_span {
    uint64_t offset; /**< Where it begins, in bytes from the start of the item or result; in an item 0 passes NULL. */
    uint64_t size;   /**< Its bytes, the NUL of a text included. */
} mape_native_span;

/** The inputs and outputs of a typed function. */
typedef struct mape_prototype_info {
    size_t struct_size;   /**< Set to sizeof(mape_prototype_info), as #MAPE_PROTOTYPE_INFO_INIT does. */
    const char *name;     /**< The name in the prototype; valid until the function is unregistered or the pool destroyed. */
    uint32_t parameters;  /**< How many parameters, those behind the dots included. */
    uint32_t fixed;       /**< How many stand before the dots; `parameters` when the function is not variadic. */
    uint32_t is_variadic; /**< 1 with dots. */
    uint32_t inputs;      /**< How many columns #mape_map_columns takes. */
    uint32_t outputs;     /**< How many columns #mape_job_gather_columns fills. */
    uint32_t reserved;    /**< 0. */
    size_t item_size;     /**< Bytes of a packed item, without what spans refer to. */
    size_t result_size;   /**< Bytes of a result, without what spans refer to. */
} mape_prototype_info;
/** Initialiser of #mape_prototype_info. */
#define MAPE_PROTOTYPE_INFO_INIT { sizeof(mape_prototype_info), NULL, 0, 0, 0, 0, 0, 0, 0, 0 }

#define MAPE_PARAMETER_RETURN UINT32_MAX       /**< For #mape_function_parameter: what the function returns. */
#define MAPE_PARAMETER_ERRNO  (UINT32_MAX - 1) /**< For #mape_function_parameter: errno. */

/** One parameter of a typed function. */
typedef struct mape_parameter_info {
    size_t struct_size;       /**< Set to sizeof(mape_parameter_info), as #MAPE_PARAMETER_INFO_INIT does. */
    const char *name;         /**< Its name, "" when the prototype gives none; "return" and "errno" for these. Like type_name
                                   valid until the function is unregistered or the pool destroyed. */
    const char *type_name;    /**< Its type as C has it, without length: "const double *", "{double x; double y;}". */
    uint32_t type;            /**< An enum #mape_type: its own, or that of an array's elements; NONE: nothing is returned. */
    uint32_t direction;       /**< An enum #mape_direction. */
    uint32_t is_array;        /**< 1: an array; its elements have this type. */
    int32_t length_parameter; /**< The parameter that has an array's length; -1: none. */
    uint64_t length;          /**< Elements of an array; with length_parameter, so many for each that it counts. Of a returned text,
                                   its place's bytes. Else 1. */
    size_t element_size;      /**< Bytes of the value, or of an array's element; 1 for a text. */
    int32_t input;            /**< Which column of #mape_map_columns it is; -1: none. */
    int32_t output;           /**< Which column of #mape_job_gather_columns it is; -1: none. */
    size_t input_offset;      /**< Where it lies in a packed item, in bytes. */
    size_t output_offset;     /**< Where it lies in a result, in bytes. */
} mape_parameter_info;
/** Initialiser of #mape_parameter_info. */
#define MAPE_PARAMETER_INFO_INIT { sizeof(mape_parameter_info), NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** @brief Describes the inputs and outputs of a typed function.
 *  @param pool the pool. @param function a typed function. @param out receives the description.
 *  @return #MAPE_OK; #MAPE_E_FUNCTION for an id that is none; #MAPE_E_STATE when it has no prototype; #MAPE_E_ARGUMENT;
 *          #MAPE_E_SIZE; #MAPE_E_HANDLE. */
int mape_function_prototype(mape_prototype_info *out, mape_pool *pool, mape_function_id function);

/** @brief Describes one parameter of a typed function.
 *  @param pool the pool. @param function a typed function. @param index 0 to parameters - 1, #MAPE_PARAMETER_RETURN or
 *         #MAPE_PARAMETER_ERRNO. @param out receives the description.
 *  @return as #mape_function_prototype, and #MAPE_E_INDEX when there is no such parameter (or errno was not asked for). */
int mape_function_parameter(mape_parameter_info *out, mape_pool *pool, mape_function_id function, uint32_t index);

/** The values of one input, or the places for one output, of all calls. */
typedef struct mape_column {
    size_t struct_size; /**< Set to sizeof(mape_column), as #MAPE_COLUMN_INIT does. */
    void *base;         /**< The first call's value or place. The library only reads inputs. Outputs: NULL when you do not want it. */
    ptrdiff_t stride;   /**< Bytes from one call's to the next's; may be negative. Inputs: with 0 all calls get the first value. */
    size_t size;        /**< Bytes per call that may be used there; 0: as many as the prototype says. Needed for an array
                             whose length is a parameter and whose elements lie here themselves. */
    uint32_t type;      /**< An enum #mape_type, compared with the prototype; NONE: not checked. */
    uint32_t pointers;  /**< 1: for inputs that are arrays: base has pointers to them; NULL is passed as NULL. Texts always have
                             pointers, returned ones never. */
} mape_column;
/** Initialiser of #mape_column. */
#define MAPE_COLUMN_INIT { sizeof(mape_column), NULL, 0, 0, 0, 0 }

/** @brief Submits a call per row of some columns, as a NumPy ufunc works on arrays.
 *
 *  Call i gets from each column what lies at base + i * stride. The library copies columns, unless they lie in a #mape_buffer and hold
 *  no pointers. The host reads results as those of any job, a record of all outputs per item, or all at once by
 *  #mape_job_gather_columns.
 *  @param pool the pool. @param function a typed function. @param count how many calls; 0 is allowed: the job is done at once.
 *  @param columns one per input. @param column_count how many: as many as the function has inputs.
 *  @param config settings; NULL: defaults. @param out_job as for #mape_apply.
 *  @return as #mape_map; #MAPE_E_ARGUMENT names the parameter whose column is missing, NULL or of another type or size;
 *          #MAPE_E_STATE when the function has no prototype. */
int mape_map_columns(mape_job **out_job, mape_pool *pool, mape_function_id function, uint64_t count, const mape_column *columns,
                     size_t column_count, const mape_job_config *config);

/** @brief Copies the outputs of a typed function's job that is done into columns of the host.
 *
 *  The outputs of call i go to base + i * stride of each column. The places of calls that did not end well stay as they are, and so
 *  does what lies behind the last element of an array whose length is a parameter. The rest of a text's place is filled with NULs.
 *  The library writes nothing when an output does not fit.
 *  @param job the job: of #mape_map_columns, #mape_map or #mape_apply. @param columns one per output. @param column_count how many: as
 *         many as the function has outputs. @param out_missing receives how many calls did not end well; may be NULL.
 *  @return #MAPE_OK; #MAPE_E_AGAIN when the job is not done; #MAPE_E_OVERFLOW when an output is larger than its place, or places pass
 *          the end of the address space;
 *          #MAPE_E_ARGUMENT as #mape_map_columns; #MAPE_E_STATE when the job drops its results or its function has no prototype;
 *          #MAPE_E_HANDLE. */
int mape_job_gather_columns(const mape_column *columns, size_t column_count, uint64_t *out_missing, mape_job *job);

/** @brief Called when a proxied call fails, on the thread that called the proxy, before the call returns zero.
 *  @param context the context of #mape_proxy_create. @param result how the call ended, valid during the call; for one that reached no worker the
 *         state is #MAPE_ITEM_ABANDONED, the cause #MAPE_CAUSE_POOL and the code a status: #MAPE_E_CLOSED, #MAPE_E_FORKED and so on.
 *
 *  What it may do, and how it may end: see #mape_event_fn. It must not destroy its own proxy (#MAPE_E_BUSY). */
typedef void (*mape_proxy_error_fn)(void *context, const mape_result *result);

/** @brief Makes a function pointer whose calls run in a worker: a function that may crash keeps its signature and leaves the
 *         process.
 *
 *  Cast the pointer to the function's type. A call waits for its result; it may be made from any thread, also from several at once
 *  and inside callbacks. When the call ends well, the library copies the outputs to the caller's memory, and sets errno if
 *  #MAPE_NATIVE_ERRNO asks for it. When the call fails, or the pool is shut down or destroyed, the library calls `on_error`, outputs
 *  stay as they are, and the call returns zero. The library makes no memory executable for proxies. A process can have 1024 proxies at a time.
 *  @param pool the pool. @param function a typed function that returns no text. @param config time limits, priority and attempts of each
 *         call; its callbacks and `deliver` are ignored; NULL: defaults. @param on_error the function to call when a call fails; NULL: none.
 *  @param context the first argument of on_error.
 *  @param out_proxy receives the pointer, valid until #mape_proxy_release; NULL on failure.
 *  @return #MAPE_OK; #MAPE_E_STATE when the function has no prototype; #MAPE_E_UNSUPPORTED when it returns a text;
 *          #MAPE_E_MEMORY when there are too many; #MAPE_E_FUNCTION; #MAPE_E_ARGUMENT; #MAPE_E_SIZE; #MAPE_E_CLOSED. */
int mape_proxy_create(mape_native_fn *out_proxy, mape_pool *pool, mape_function_id function, const mape_job_config *config, mape_proxy_error_fn on_error,
               void *context);

/** @brief Destroys a proxy. Calls that are running end as cancelled, and this function waits until they have returned; inside the
 *         proxy's `on_error` it returns #MAPE_E_BUSY instead. It does not wait for an `on_error` that was left by a jump, or with its
 *         thread. Calling the pointer afterwards is an error of the caller that the library cannot notice. Destroy proxies also after
 *         the pool was destroyed.
 *  @param proxy the pointer that #mape_proxy_create made; NULL is ignored. @return #MAPE_OK; #MAPE_E_HANDLE when it is no proxy; #MAPE_E_BUSY. */
int mape_proxy_release(mape_native_fn proxy);

/** @} */

/** @defgroup hearing Events: callbacks and fetching
 *  @{ */

/** @brief Runs callbacks for what has happened, on the calling thread. Never waits.
 *  @param pool the pool. @param max_events how many events at most; 0: no limit. @param budget_ns how long: the call stops after the
 *         callback that passes this time; 0 or negative: no limit.
 *  @return how many events were delivered, or a negative status: #MAPE_E_BUSY inside a callback or while another thread
 *          dispatches, #MAPE_E_HANDLE. Events are in order per job; DONE is a job's last. */
int mape_pool_dispatch(mape_pool *pool, uint32_t max_events, int64_t budget_ns);

/** @brief Fetches one event instead of a callback, for hosts that cannot be called back.
 *  @param pool the pool. @param out receives the event; what it points to stays valid until the next call of this function or of
 *         #mape_pool_dispatch, or until the job is released. @param timeout_ns how long to wait for one.
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
 *  @param pool the pool. @param out_fd receives the descriptor; -1 on failure.
 *  @return #MAPE_OK, #MAPE_E_ARGUMENT, #MAPE_E_HANDLE, #MAPE_E_SYSTEM. */
int mape_pool_event_fd(int *out_fd, mape_pool *pool);

/** @brief Sets a function that is called when events come in after there were none.
 *
 *  It runs on any thread, also on the library's own, possibly before this call returns. It may only notify (post to an event
 *  loop, set a flag). It must not call into this library, and must not be left by a jump or an exception: other calls would go on,
 *  but what the interrupted call held is never freed. The library does not call it again while events are left: a host
 *  that fetches only some of them has to come back by itself. When this call returns, the previous hook is not running and will
 *  not be called any more.
 *  @param pool the pool. @param wakeup the function; NULL: none. @param context the argument of wakeup.
 *  @return #MAPE_OK, #MAPE_E_HANDLE. */
int mape_pool_set_wakeup(mape_pool *pool, void (*wakeup)(void *context), void *context);

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
 *  @param task the task. @param i index in the range, each one more than the last; the first is 0.
 *  @param out_size receives the item's size in bytes; may be NULL. @return the item's bytes; NULL when i is not the next one,
 *         or when the worker is to stop (the job was cancelled, or another worker runs the rest): return then. When the worker is to
 *         stop, the item before has ended with what it has, whatever the function returns. */
const void *mape_task_begin(size_t *out_size, mape_task *task, size_t i);

/** @brief In a #mape_run_range_fn: the bytes of item i, without beginning it. @param task the task. @param i index in the range.
 *  @param out_size receives its size in bytes; may be NULL. @return the bytes; NULL when i is not in the range. */
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
 *  @param task the task. @param name the global's name. @param out_size receives the global's size in bytes; may be NULL.
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
 *  A function that was told so, or was interrupted by that signal, has three ways to end its item. It returns 0: the item has ended well. It calls #mape_task_fail: the item
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
 *         the host has no room for. @param task the task. @param level an enum #mape_log_level. @param message text, cut to at most 1023 bytes. */
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
 *  middle of another thread's dlopen(3) or dlclose(3), loading may hang. All else is the program's: the locks of an interpreter, of a library, of C++ statics. Take these in a handler or hook `before`, and give them back in
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

#endif /* MAPENGINE_H */
