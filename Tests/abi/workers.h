/* workers.h - what libtestworkers.so offers: functions that run inside worker processes, and the data they share with
 * the tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef WORKERS_H
#define WORKERS_H

#include <mapengine.h>
#include <stdatomic.h>

#define SHARED_SLOTS 1024
#define SHARED_ORDER 4096

/** A page that the test and its workers share by a path in the baked-in data: how calls in workers are counted, and
 *  how a test holds a worker inside an item for as long as it needs. */
struct shared {
    _Atomic uint32_t setups;   /**< setup_shared calls. */
    _Atomic uint32_t cleanups; /**< cleanup_shared calls. */
    _Atomic uint32_t entered;  /**< Items begun by functions that use this page. */
    _Atomic uint32_t left;     /**< Items ended by run_sleeps. */
    _Atomic uint32_t gate;     /**< run_gated returns once this is not 0. */
    _Atomic uint32_t noted;    /**< Used entries of `order`. */
    _Atomic uint32_t spawned;  /**< Used entries of `grandchildren` or `astray`. */
    _Atomic int32_t setup_pids[SHARED_SLOTS];
    _Atomic int32_t cleanup_pids[SHARED_SLOTS];
    _Atomic int32_t grandchildren[SHARED_SLOTS];
    _Atomic int32_t
        astray[SHARED_SLOTS]; /**< Workers in which run_fault_owned did not go well; those of run_strays_then. */
    _Atomic uint64_t order[SHARED_ORDER]; /**< The items' values in the order in which they were begun. */
};

/** A first piece that begins with this crashes run_pieces, unless the environment has PIECES_SPARED. */
#define PIECE_CRASHES 0xee

/** The output of run_pieces. */
struct seen_piece {
    uint64_t size, place, sum; /**< Its bytes; its address within a page; the sum of byte i * (i % 251 + 1). */
};
struct seen_pieces {
    uint64_t count;
    struct seen_piece pieces[];
};

/** How an item of run_fault ends. */
enum way {
    WAY_WELL = 0,     /**< Result: value squared. */
    WAY_SEGFAULT,     /**< Reads from address 8. */
    WAY_ABORT,        /**< abort(). */
    WAY_DIVIDE,       /**< SIGFPE by the processor. */
    WAY_OVERFLOW,     /**< Runs out of stack. */
    WAY_EXIT_0,       /**< _exit(0): looks like success. */
    WAY_EXIT_99,      /**< _exit(99). */
    WAY_EXIT_NORMAL,  /**< exit(5), with exit handlers. */
    WAY_EXEC,         /**< Becomes /bin/false. */
    WAY_KILL,         /**< SIGKILL to itself. */
    WAY_OUTPUT_DIES,  /**< Takes output memory, fills half of it, dies by SIGKILL. */
    WAY_FAIL,         /**< mape_task_fail(value & 0xffff, text). */
    WAY_RETURN,       /**< Returns a code, without a text. */
    WAY_LOOP,         /**< Loops without a system call. */
    WAY_LOOP_DEAF,    /**< The same, with every signal that can be ignored ignored and blocked. */
    WAY_STOP,         /**< SIGSTOP to itself. */
    WAY_SLEEP,        /**< Sleeps for ever. */
    WAY_WRITE_INPUT,  /**< Writes to its input. */
    WAY_SCRIBBLE,     /**< Random bytes over all shared memory it can write, then returns well. */
    WAY_SCRIBBLE_DIE, /**< The same, then _exit(3). */
    WAY_SCRIBBLE_LONG /**< The same again and again for a while, then returns well. */
};

/** An item of the run_fault functions. */
struct fault_item {
    uint64_t value;
    uint32_t way; /**< An enum way. */
    uint32_t pad;
};

/** What run_describe finds out about its surroundings. */
struct view {
    uint64_t index;
    uint64_t input_address;
    uint32_t worker;
    int32_t pid;
    int32_t nice_value;
    uint32_t cpus;       /**< Cores this process may run on. */
    int32_t first_cpu;   /**< The lowest of them. */
    uint32_t blocked;    /**< Signals blocked, among the standard ones. */
    uint32_t handled;    /**< Signals with a handler that is not the engine's, among the standard ones. */
    uint64_t data_limit; /**< RLIMIT_DATA. */
};

/** How many calls run_call_host makes. */
#define HOST_CALLS 24
/** An item of run_call_host: live handles of the host. */
struct host_handles {
    mape_pool *pool;
    mape_job *job;
    mape_job *stream;
    mape_buffer *buffer;
    mape_function_id function;
};

/** What run_attempt tries. */
enum what {
    TRY_OPEN_WRITE,
    TRY_OPEN_READ_WRITE,
    TRY_OPEN_TRUNCATE,
    TRY_OPEN_CREATE,
    TRY_OPEN_TEMPORARY,
    TRY_FOPEN_APPEND,
    TRY_OPENAT2,
    TRY_UNLINK,
    TRY_RENAME,
    TRY_MKDIR,
    TRY_RMDIR,
    TRY_SYMLINK,
    TRY_LINK,
    TRY_MKNOD,
    TRY_TRUNCATE,
    TRY_CHMOD,
    TRY_FCHMOD,
    TRY_CHOWN,
    TRY_FCHOWN,
    TRY_TIMES,
    TRY_XATTR,
    TRY_FILE_FLAGS,
    TRY_OWNER_OF_SIGNALS,
    TRY_TYPE_INTO_TERMINAL,
    TRY_SOCKET_INET,
    TRY_SOCKET_UNIX,
    TRY_SOCKET_NETLINK,
    TRY_PAIR_DATAGRAM,
    TRY_CONNECT,
    TRY_BIND,
    TRY_SEND_TO,
    TRY_SHARED_MEMORY,
    TRY_MESSAGE_QUEUE,
    TRY_FORK,
    TRY_SPAWN,
    TRY_EXEC,
    TRY_CLONE3,
    TRY_UNSHARE,
    TRY_SETNS,
    TRY_KILL_HOST,
    TRY_KILL_GROUP,
    TRY_KILL_ALL,
    TRY_TGKILL_HOST,
    TRY_QUEUE_TO_HOST,
    TRY_PIDFD,
    TRY_LIMIT_OF_HOST,
    TRY_PRIORITY_OF_HOST,
    TRY_READ_HOST,
    TRY_WRITE_HOST,
    TRY_TRACE_HOST,
    TRY_NEW_GROUP,
    TRY_OUTLIVE,
    TRY_MEMORY_OF_HOST,
    TRY_ENVIRONMENT_OF_HOST,
    TRY_MOUNT,
    TRY_UNMOUNT,
    TRY_CHROOT,
    TRY_SWAP,
    TRY_REBOOT,
    TRY_HOST_NAME,
    TRY_CLOCK,
    TRY_MODULE,
    TRY_KERNEL_LOG,
    TRY_BPF,
    TRY_PERF,
    TRY_USERFAULT,
    TRY_IO_URING,
    TRY_KEYS,
    TRY_UNKNOWN_CALL,
    TRY_OLD_FORK,
    TRY_X32,
    MAY_READ,
    MAY_LIST,
    MAY_STAT,
    MAY_LOAD,
    MAY_THREAD,
    MAY_EXECUTABLE_MEMORY,
    MAY_MEMORY_FILE,
    MAY_STREAM_PAIR,
    MAY_PIPE,
    MAY_SIGNAL_ITSELF,
    MAY_LIMIT_ITSELF,
    MAY_PIN_ITSELF,
    MAY_PRINT,
    MAY_LOOK_AT_TERMINAL,
    MAY_RANDOM,
    MAY_SLEEP,
};

/** An item of run_attempt. */
struct attempt {
    uint32_t what;    /**< An enum what. */
    int32_t host;     /**< The host's process id. */
    char folder[248]; /**< A folder that holds a file "file", and none "none". */
};

/** What run_look_at_limits finds. */
struct limits {
    uint64_t core_soft, core_hard;
    int32_t oom_score_adj;
    int32_t dumpable, seccomp, no_new_privs;
    int32_t seccomp_at_load;     /**< prctl(PR_GET_SECCOMP) when the library was loaded. */
    int32_t foreign_descriptors; /**< Descriptors above 2 that are no eventfds. */
};

/** An item of run_fail_bytes: bytes of output, then the code, and a text of that length, unless it is 0. */
struct failing {
    uint32_t bytes, text;
    int32_t code;
};

/** An item of run_marked: marks 1 to `marks`, then the end. */
enum marked_end { MARK_RETURN, MARK_SEGV, MARK_EXIT, MARK_HANG, MARK_FAIL };
struct marked {
    uint32_t marks, end;
};

/** An item of run_obeys: what it does once it is told to stop. */
struct obeying {
    uint32_t bytes, fails;
    int32_t code;
};

/** What an item of run_reported does. */
enum reported { REPORT_NOTHING, REPORT_NOTE, REPORT_SEGV, REPORT_FLOOD, REPORT_CLOSED };

/** An item of run_until_signal: what it does when the signal comes, and how long it waits for that; 0: for ever. */
enum signalled_way { SIGNALLED_FLAG, SIGNALLED_JUMPS, SIGNALLED_WELL, SIGNALLED_FAILS, SIGNALLED_DEAF };
struct signalled {
    uint32_t way;
    int64_t for_ns;
};

/* Plain work: worker_functions.c */
int run_square(mape_task *task, void *state, const void *input, size_t size);
int run_square_all(mape_task *task, void *state, const mape_range *range);  /* output_range */
int run_square_each(mape_task *task, void *state, const mape_range *range); /* begin */
int run_pieces(mape_task *task, void *state, const void *input, size_t size);
int run_pieces_each(mape_task *task, void *state, const mape_range *range); /* begin */
int run_echo(mape_task *task, void *state, const void *input, size_t size);
int run_sum(mape_task *task, void *state, const void *input, size_t size);
int run_make_bytes(mape_task *task, void *state, const void *input, size_t size);
int run_nothing(mape_task *task, void *state, const void *input, size_t size);
int run_grow_output(mape_task *task, void *state, const void *input, size_t size);
int run_output_alignment(mape_task *task, void *state, const void *input, size_t size);
int run_describe(mape_task *task, void *state, const void *input, size_t size);
int run_echo_state(mape_task *task, void *state, const void *input, size_t size);
int run_echo_state_text(mape_task *task, void *state, const void *input, size_t size);
int run_global(mape_task *task, void *state, const void *input, size_t size);
int run_global_alignment(mape_task *task, void *state, const void *input, size_t size);
int run_environment(mape_task *task, void *state, const void *input, size_t size);
int run_has_module(mape_task *task, void *state, const void *input, size_t size);
int run_allocate(mape_task *task, void *state, const void *input, size_t size);
int run_log(mape_task *task, void *state, const void *input, size_t size);
int run_log_flood(mape_task *task, void *state, const void *input, size_t size);
int run_print(mape_task *task, void *state, const void *input, size_t size);
int run_talks(mape_task *task, void *state, const void *input, size_t size);
int run_writes(mape_task *task, void *state, const void *input, size_t size);
int run_fail_text(mape_task *task, void *state, const void *input, size_t size);
int run_fail_then_zero(mape_task *task, void *state, const void *input, size_t size);
int run_fail_code_zero(mape_task *task, void *state, const void *input, size_t size);
int run_fail_long_text(mape_task *task, void *state, const void *input, size_t size);
int run_too_much_output(mape_task *task, void *state, const void *input, size_t size);
int run_items_by_index(mape_task *task, void *state, const mape_range *range);
int run_stops_halfway(mape_task *task, void *state, const mape_range *range);
int run_begins_wrongly(mape_task *task, void *state, const mape_range *range);
int setup_copies_data(mape_task *task, const void *data, size_t size, void **out_state);
int setup_keeps_pointer(mape_task *task, const void *data, size_t size, void **out_state);
int setup_reads_global(mape_task *task, const void *data, size_t size, void **out_state);

/* What a task offers: worker_tasks.c */
int run_job_data(mape_task *task, void *state, const void *input, size_t size);
int run_crashes_by_data(mape_task *task, void *state, const void *input, size_t size);
int run_job_data_alignment(mape_task *task, void *state, const void *input, size_t size);
int run_job_data_each(mape_task *task, void *state, const mape_range *range);
int run_job_data_all(mape_task *task, void *state, const mape_range *range);
int setup_keeps_task(mape_task *task, const void *data, size_t size, void **out_state);
int64_t job_data_byte(int64_t i);
int run_fail_bytes(mape_task *task, void *state, const void *input, size_t size);
int run_fail_bytes_each(mape_task *task, void *state, const mape_range *range);
int setup_fails_at_length(mape_task *task, const void *data, size_t size, void **out_state);
int run_marked(mape_task *task, void *state, const void *input, size_t size);
int run_marked_all(mape_task *task, void *state, const mape_range *range);
int run_obeys(mape_task *task, void *state, const void *input, size_t size);
int run_obeys_all(mape_task *task, void *state, const mape_range *range);
int setup_report(mape_task *task, const void *data, size_t size, void **out_state);
int run_reported(mape_task *task, void *state, const void *input, size_t size);
int setup_cancel_signal(mape_task *task, const void *data, size_t size, void **out_state);
int run_until_signal(mape_task *task, void *state, const void *input, size_t size);
int run_innocent(mape_task *task, void *state, const void *input, size_t size);
int run_naps(mape_task *task, void *state, const void *input, size_t size); /* int64_t: milliseconds */
int run_naps_each(mape_task *task, void *state, const mape_range *range);   /* begin */
int64_t naps(int64_t milliseconds);

/* Work that meets the test on the shared page: worker_shared.c */
int setup_shared(mape_task *task, const void *data, size_t size, void **out_state);
void cleanup_shared(mape_task *task, void *state);
int run_noted(mape_task *task, void *state, const void *input, size_t size);
int run_gated(mape_task *task, void *state, const void *input, size_t size);
int run_gated_items(mape_task *task, void *state, const mape_range *range);
int run_echo_cleanups(mape_task *task, void *state, const void *input, size_t size); /* uint32_t */
int run_gated_first(mape_task *task, void *state, const void *input, size_t size);
int run_gated_progress(mape_task *task, void *state, const void *input, size_t size);
int run_polls_cancel(mape_task *task, void *state, const void *input, size_t size);
int run_begins_until_cancelled(mape_task *task, void *state, const mape_range *range);
int run_ignores_cancel(mape_task *task, void *state, const void *input, size_t size);
int run_spawns_then(mape_task *task, void *state, const void *input, size_t size); /* struct fault_item */
int run_fault_owned(mape_task *task, void *state, const void *input, size_t size); /* struct fault_item */
int run_dies_once(mape_task *task, void *state, const void *input, size_t size);
int setup_shared_then_fails(mape_task *task, const void *data, size_t size, void **out_state);
int setup_shared_then_crashes(mape_task *task, const void *data, size_t size, void **out_state);
int setup_waits_but_first(mape_task *task, const void *data, size_t size, void **out_state); /* for the gate */
int setup_kills_zygote(mape_task *task, const void *data, size_t size, void **out_state);
int setup_crashes_first_time(mape_task *task, const void *data, size_t size, void **out_state);
void cleanup_crashes(mape_task *task, void *state);
void cleanup_exits(mape_task *task, void *state);
void cleanup_hangs(mape_task *task, void *state);

/* Work that takes a known time, at least: worker_times.c */
int setup_shared_slowly(mape_task *task, const void *data, size_t size, void **out_state);
int run_sleeps(mape_task *task, void *state, const void *input, size_t size); /* int64_t, nanoseconds */

/* Work that goes wrong: worker_faults.c */
int run_fault(mape_task *task, void *state, const void *input, size_t size);
int run_fault_each(mape_task *task, void *state, const mape_range *range); /* begin */
int run_fault_all(mape_task *task, void *state, const mape_range *range);  /* output_range, no begin */
int run_write_input_by_mprotect(mape_task *task, void *state, const void *input, size_t size);
int run_attack_files(mape_task *task, void *state, const void *input, size_t size);
int run_call_host(mape_task *task, void *state, const void *input, size_t size);
int setup_fails(mape_task *task, const void *data, size_t size, void **out_state);
int setup_fails_silently(mape_task *task, const void *data, size_t size, void **out_state);
int setup_crashes(mape_task *task, const void *data, size_t size, void **out_state);
int setup_exits(mape_task *task, const void *data, size_t size, void **out_state);
int setup_hangs(mape_task *task, const void *data, size_t size, void **out_state);

/* What a contained worker may do: worker_containment.c */
int run_look_at_limits(mape_task *task, void *state, const void *input, size_t size);
int run_leak(mape_task *task, void *state, const void *input, size_t size); /* uint64_t */
int setup_takes_memory(mape_task *task, const void *data, size_t size, void **out_state);
int run_strays_then(mape_task *task, void *state, const void *input, size_t size); /* struct fault_item */
int run_attempt(mape_task *task, void *state, const void *input, size_t size);

/* Work that makes pools of its own: worker_nested.c */

/** An item of run_nested and run_nested_waits; data of setup_pool. */
struct nested_item {
    uint32_t birth;  /**< Of the inner pools. */
    uint32_t depth;  /**< How many pools one inside another. */
    uint64_t count;  /**< Items of the innermost, at most 64. */
    uint32_t polls;  /**< Looks whether it is cancelled. */
    uint32_t leaves; /**< Does not destroy its pool. */
    char path[96];   /**< Of the shared page. */
};
struct nested_pool {
    mape_pool *pool;
    mape_function_id square;
};

int run_nested(mape_task *task, void *state, const void *input, size_t size);
int run_nested_waits(mape_task *task, void *state, const void *input, size_t size);
int run_in_pool(mape_task *task, void *state, const void *input, size_t size);
int run_makes_pools(mape_task *task, void *state, const void *input, size_t size);
int setup_pool(mape_task *task, const void *data, size_t size, void **out_state);
void cleanup_pool(mape_task *task, void *state);

/* Work that crashes: worker_crash.c */

/** How an item of the run_crash functions ends. Those that crash do so in a function `crash_by_...` of their own. */
enum crash_way {
    CRASH_NOT = 0,   /**< Result: the item's bytes. */
    CRASH_SEGV,      /**< Reads from address 8. */
    CRASH_BUS,       /**< Reads beyond the end of a mapped file. */
    CRASH_FPE,       /**< Divides by zero. */
    CRASH_ILL,       /**< An instruction that there is not. */
    CRASH_ABRT,      /**< abort(). */
    CRASH_SYS,       /**< raise(SIGSYS). */
    CRASH_TRAP,      /**< A breakpoint. */
    CRASH_SIGNALS,   /**< How many of these there are, plus 1. */
    CRASH_OVERFLOW,  /**< Recursion without end. */
    CRASH_NULL_CALL, /**< Calls address 0. */
    CRASH_WILD_CALL, /**< Calls an address that is not mapped. */
    CRASH_SMASHED,   /**< Overwrites its stack, then reads from address 8. */
    CRASH_IN_ENGINE, /**< Gives mape_task_log a pointer to nothing. */
    CRASH_IN_THREAD, /**< A thread that it made reads from address 8. */
    CRASH_IN_CHILD,  /**< A process that it forked does; it goes on, and ends well. */
    CRASH_IN_LOADER, /**< While another thread holds the loader's lock for ever. */
    CRASH_HANDLED,   /**< Has a handler of its own, which ends the process with code 42. */
    CRASH_SCRIBBLED, /**< Fills its crash record with random bytes that look like one, and dies without the engine's handler. */
    CRASH_FIRST_TIME,  /**< Reads from address 8, unless the file at `path` is there, which it makes before. */
    CRASH_WRITES_INPUT /**< Writes to its input. */
};

struct crash_item {
    uint32_t way; /**< An enum crash_way. */
    uint32_t value;
    char path[120];
};

int run_crash(mape_task *task, void *state, const void *input, size_t size);
int run_crash_each(mape_task *task, void *state, const mape_range *range); /* begin */
int run_crash_all(mape_task *task, void *state, const mape_range *range);  /* no begin */
int run_crash_surroundings(mape_task *task, void *state, const void *input, size_t size);
int setup_crash(mape_task *task, const void *data, size_t size, void **out_state);
void cleanup_crash(mape_task *task, void *state);

#endif
