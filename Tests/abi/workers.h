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
    _Atomic uint32_t gate;     /**< run_gated returns once this is not 0. */
    _Atomic uint32_t noted;    /**< Used entries of `order`. */
    _Atomic uint32_t spawned;  /**< Used entries of `grandchildren` or `astray`. */
    _Atomic int32_t setup_pids[SHARED_SLOTS];
    _Atomic int32_t cleanup_pids[SHARED_SLOTS];
    _Atomic int32_t grandchildren[SHARED_SLOTS];
    _Atomic int32_t astray[SHARED_SLOTS]; /**< Workers in which run_fault_owned did not go well. */
    _Atomic uint64_t order[SHARED_ORDER]; /**< The items' values in the order in which they were begun. */
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
    uint32_t handled;    /**< Signals with a handler, among the standard ones. */
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

/* Plain work: worker_functions.c */
int run_square(mape_task *task, void *state, const void *input, size_t size);
int run_square_all(mape_task *task, void *state, const mape_range *range);  /* output_range */
int run_square_each(mape_task *task, void *state, const mape_range *range); /* begin */
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

/* Work that meets the test on the shared page: worker_shared.c */
int setup_shared(mape_task *task, const void *data, size_t size, void **out_state);
void cleanup_shared(mape_task *task, void *state);
int run_noted(mape_task *task, void *state, const void *input, size_t size);
int run_gated(mape_task *task, void *state, const void *input, size_t size);
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
int setup_crashes_first_time(mape_task *task, const void *data, size_t size, void **out_state);
void cleanup_crashes(mape_task *task, void *state);
void cleanup_exits(mape_task *task, void *state);
void cleanup_hangs(mape_task *task, void *state);

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

#endif
