/* mapengine/config.h - what a pool, a function and a job can be told
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_CONFIG_H
#define MAPENGINE_CONFIG_H

#include "worker.h"

/** @file config.h
 *  @brief Settings of pools and jobs, and the description of a function. Zero means the default in every field. */

#ifdef __cplusplus
extern "C" {
#endif

/** @addtogroup events
 *  @{ */

typedef struct mape_event mape_event; /**< One thing that happened: events.h. */

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
 *  job released; it may fetch events, unless the proxy was called inside a callback. The hook of #mape_pool_set_wakeup may only notify,
 *  and has to return. Worker functions are no
 *  callbacks: see @ref tasks. */
typedef void (*mape_event_fn)(void *context, const mape_event *event);

/** @} */

/** @defgroup settings Settings
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

/** For `cluster_flags` of #mape_pool_config. */
enum mape_cluster_flags {
    MAPE_CLUSTER_ONLY = 1 /**< The pool has no workers on this machine: `workers` is not looked at. */
};

/** Settings of a pool. Zero means the default. */
typedef struct mape_pool_config {
    size_t struct_size;             /**< Set to sizeof(mape_pool_config), as #MAPE_POOL_CONFIG_INIT does. */

    /* Processes. */
    uint32_t workers;               /**< How many worker processes, at most 1024; 0: as many as the cores that this process
                                         may use (by affinity and cgroup quota). */
    uint32_t min_workers;           /**< How many workers stay however long they are idle, at most 1024; with 0 all may end. Counts with
                                         idle_shrink_ns alone. */
    int64_t idle_shrink_ns;         /**< A worker that is idle for longer than this runs its cleanups and ends, the highest index first, down to
                                         min_workers; it takes up to a quarter longer. When there is work that no other worker has room
                                         for, workers come back, at first as many as there are, then twice as many every 2 ms. 0 or
                                         negative: workers stay. */
    uint32_t start;                 /**< An enum #mape_start. */
    uint32_t restarts;              /**< How many worker starts in a row may fail, with no item ended in between, before
                                         the pool fails; 0: 5. */
    uint64_t items_per_worker;      /**< The pool replaces a worker after it assigned this many items to it; 0: never. */
    int32_t nice;                   /**< Added to the workers' nice value, 0 to 19. */
    uint32_t pin;                   /**< 1: worker k runs on the k-th of the cores this process may use. */

    /* What they start with. */
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

    /* Time limits. */
    int64_t zygote_timeout_ns;      /**< EXEC: limit for a zygote's start, until its program calls #mape_zygote_main; 0: 60 s;
                                         negative: none. */
    int64_t setup_timeout_ns;       /**< Limit for one module load or `setup` in a worker; 0: 60 s; negative: none. */
    int64_t cleanup_timeout_ns;     /**< Limit for one `cleanup` in a worker; 0: 5 s; negative: none. */
    int64_t grace_ns;               /**< How long a cancelled item may run on before the pool kills its worker; 0: 2 s. Also how
                                         long, at most, a shutdown goes on after its timeout to end the processes. */

    /* Containment, how items are stopped, and what is kept of a crash. */
    uint32_t sandbox;               /**< An enum #mape_sandbox. */
    int32_t cancel_signal;          /**< A signal (signal(7)) that is raised in an item, on the thread it runs on, when its job is
                                         cancelled, released or over its time, or when the item passes its item timeout. The
                                         function handles it, by a handler that its setup installs, and returns as after
                                         #mape_task_cancelled; if it has not returned after the grace, the pool kills its worker.
                                         The signal never comes outside of that item. Typed functions are not interrupted, nor
                                         is a #mape_run_range_fn that has several items and passes the item timeout without
                                         #mape_task_begin. Not possible: SIGKILL, SIGSTOP, what the library uses itself (SIGSEGV,
                                         SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGALRM, 61) or the C library does (32,
                                         33). 0: none. */
    uint64_t memory_limit;          /**< Bytes of private data memory per worker (RLIMIT_DATA, see setrlimit(2)); an
                                         allocation above it fails in the worker. 0: none. */
    uint64_t memory_growth;         /**< Bytes. The pool replaces a worker whose private memory (RssAnon and VmSwap of
                                         /proc/self/status, proc(5)) has grown by more than this since its first item began, once it
                                         has done what was assigned to it. The worker measures after a range, at most ten times a
                                         second; growth within a `setup` does not count. The kernel's figures may be off by some 100
                                         KiB per core. 0: never. */
    int32_t oom_score_adj;          /**< Added to the host's /proc/self/oom_score_adj for its workers, at most 1000 in all, so that
                                         the kernel ends them before the host when memory runs out (proc(5)). 0: 500; negative:
                                         nothing. */
    uint32_t core_dumps;            /**< 0: the kernel writes no core file of a worker that crashes, and passes none to a program (the
                                         worker's soft RLIMIT_CORE is 1 byte, see core(5)); debuggers work as ever. 1: the host's limit
                                         decides. */
    const char *crash_dir;          /**< An existing folder, which the pool keeps open. For each item whose worker crashes, or is killed
                                         for its item timeout, the pool makes a file `mapengine-<host pid>-<worker pid>-<n>.crash`
                                         in it, soon after the death, at most 32 per pool. `mapengine-zygote --replay FILE` runs that
                                         item again. The file holds the item's input, the function's data and the globals. When the
                                         pool cannot write one, it says so by #MAPE_EVENT_LOG and goes on. NULL: none. */

    /* Shared memory. */
    uint64_t input_reserve;         /**< Address space for inputs in bytes; 0: 64 GiB, or what memory (of the machine, with swap, or
                                         of the process's cgroup) and limits allow. */
    uint64_t output_reserve;        /**< Address space for results per worker in bytes; 0: 16 GiB, or half of what they allow. What
                                         all workers hold of results is to fit into memory: the kernel does not get it back
                                         by ending a worker. */

    /* Output and events. */
    uint32_t output;                /**< An enum #mape_output. */
    uint32_t interruptible;         /**< 1: a wait returns #MAPE_E_INTERRUPTED when a signal handler of the host has run in the waiting
                                         thread: see @ref waits. 0: it waits on. */
    void *context;                  /**< The first argument of on_output and on_log. */
    mape_event_fn on_output;        /**< Called for #MAPE_EVENT_OUTPUT; NULL: #mape_pool_dispatch drops these. */
    mape_event_fn on_log;           /**< Called for #MAPE_EVENT_LOG; NULL: #mape_pool_dispatch drops these. */

    /* Other machines. */
    const char *cluster;            /**< The server over which other machines take ranges of this pool's jobs, as a URL of at most 4000
                                         bytes, beside the workers of this machine; NULL: none. See @ref cluster. */
    const char *remote_path;        /**< The helper that speaks with the server, as zygote_path; NULL: `mapengine-remote`, of the folder
                                         libexec beside the library's own, or else in PATH. */
    uint32_t remote_workers;        /**< How many workers on other machines at most: each stands for room there. With those of this machine
                                         there can be 1024. 0: 64. Counts with cluster alone. */
    uint32_t cluster_flags;         /**< Bits of enum #mape_cluster_flags. */
} mape_pool_config;
/** Initialiser of #mape_pool_config: all defaults. */
#define MAPE_POOL_CONFIG_INIT                                                                                           \
    { sizeof(mape_pool_config),                                                                                         \
      0, 0, 0, 0, 0, 0, 0, 0,                                                                                           \
      NULL, NULL, NULL, NULL, NULL,                                                                                     \
      0, 0, 0, 0,                                                                                                       \
      0, 0, 0, 0, 0, 0, NULL,                                                                                           \
      0, 0,                                                                                                             \
      0, 0, NULL, NULL, NULL,                                                                                           \
      NULL, NULL, 0, 0 }

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

    /* By pointer. */
    mape_run_fn run;             /**< Called per item, or NULL. */
    mape_run_range_fn run_range; /**< Called per range, or NULL. */
    mape_setup_fn setup;         /**< NULL: none. */
    mape_cleanup_fn cleanup;     /**< NULL: none. */

    /* By library and symbols. */
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

    /* By prototype: a typed function. */
    const char *prototype;       /**< Makes a *typed function*, a C function of any type: "double pow(double x, double y)", see
                                      @ref native. NULL: workers call run or run_range. */
    mape_native_fn native;       /**< With prototype: the function. NULL: taken from library, by run_symbol or, when that is
                                      NULL, by the name in the prototype. */
    uint32_t native_flags;       /**< Bits of enum #mape_native_flags; only with prototype. */
    uint32_t reserved;           /**< 0. */

    /* For `setup`. */
    const void *data;            /**< Constant bytes of the function: copied, and passed to `setup` in every worker. */
    size_t data_size;            /**< Bytes at data. 0 with data that is not NULL passes the pointer itself, which is
                                      possible only with FORK and before the start. */
} mape_function;
/** Initialiser of #mape_function. */
#define MAPE_FUNCTION_INIT                                                                                              \
    { sizeof(mape_function), NULL,                                                                                      \
      NULL, NULL, NULL, NULL,                                                                                           \
      NULL, NULL, NULL, NULL, NULL,                                                                                     \
      NULL, NULL, 0, 0,                                                                                                 \
      NULL, 0 }

/** Which events a job has, for `deliver`. A callback that is set turns its kind on by itself. */
enum mape_deliver {
    MAPE_DELIVER_ITEMS = 1,    /**< #MAPE_EVENT_ITEM for each item. */
    MAPE_DELIVER_PROGRESS = 2, /**< #MAPE_EVENT_PROGRESS now and then. */
    MAPE_DELIVER_DONE = 4,     /**< #MAPE_EVENT_DONE once. */
    MAPE_DELIVER_RANGES = 8    /**< As ITEMS, with one #MAPE_EVENT_ITEM for all items of a range that ended together: see `count` of
                                    #mape_event. For many small items. Not for streams, and not with `drop`. */
};

/** Where a job's items run, for `where` of #mape_job_config. */
enum mape_where {
    MAPE_ANYWHERE = 0, /**< In any worker of the pool. */
    MAPE_LOCAL = 1,    /**< On this machine. */
    MAPE_REMOTE = 2    /**< On other machines: mape_pool_config.cluster. The items wait while there is none. */
};

/** Settings of a job. Zero means the default. */
typedef struct mape_job_config {
    size_t struct_size;           /**< Set to sizeof(mape_job_config), as #MAPE_JOB_CONFIG_INIT does. */

    /* Work. */
    const void *data;             /**< Constant bytes of the job, which its functions read by #mape_task_job_data: copied once, unless they
                                       lie in a #mape_buffer; for #mape_proxy_create once for all calls. NULL: none. */
    size_t data_size;             /**< Bytes at data. */
    uint64_t first_index;         /**< What #mape_task_index is for the first item, and counts on from; mape_range.first as well. For programs that
                                       run a part of somebody else's items. The host's own calls and events count from 0. Not for streams. */
    uint64_t chunk;               /**< Items per range; 0: chosen from count and measured time. Items never wait behind a
                                       long one while a worker is idle: the pool reclaims those not begun. */
    int32_t priority;             /**< A job with a higher number gets workers first; jobs with equal ones in order of submission. */
    uint32_t attempts;            /**< How many times, in all, the pool runs an item whose worker dies; 0: 1. */

    /* Time limits. */
    int64_t item_timeout_ns;      /**< Limit for one item, or for one call of a #mape_run_range_fn that does not use #mape_task_begin;
                                       the pool acts on it at most half as late again. 0 or negative: none. */
    int64_t job_timeout_ns;       /**< Limit for the whole job, from submission; 0 or negative: none. */

    /* Results. */
    uint32_t ordered;             /**< 1: ITEM events come in order of index; 0: as items end. */
    uint32_t drop;                /**< 1: the pool drops each result after its ITEM event, and at most `window` ended items wait for
                                       their event; 0: results stay until the job is released. Streams always drop. */
    uint64_t window;              /**< Streams and drop: items accepted (or ended) and not yet delivered, at most; 0: 4096. */

    /* Events. */
    uint32_t deliver;             /**< Bits of enum #mape_deliver, for hosts that pull with #mape_pool_next_event. */
    uint32_t where;               /**< An enum #mape_where: on which machines the items run. */
    int64_t progress_interval_ns; /**< At least this long between two PROGRESS events; 0: 50 ms. */
    void *context;                /**< The first argument of the callbacks, and `context` of events. */
    mape_event_fn on_item;        /**< Called per ITEM event, or NULL. */
    mape_event_fn on_progress;    /**< Called now and then, or NULL. */
    mape_event_fn on_done;        /**< Called once, last, or NULL. */
} mape_job_config;
/** Initialiser of #mape_job_config: all defaults. */
#define MAPE_JOB_CONFIG_INIT                                                                                            \
    { sizeof(mape_job_config),                                                                                          \
      NULL, 0, 0, 0, 0, 0,                                                                                              \
      0, 0,                                                                                                             \
      0, 0, 0,                                                                                                          \
      0, 0, 0, NULL, NULL, NULL, NULL }

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_CONFIG_H */
