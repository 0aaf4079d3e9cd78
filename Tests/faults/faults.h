/* faults.h - the fault catalogue: what a row is, what the harness gives it, and the checks that rows have in common.
 *
 * A *fault* is a line of a table: a case of the catalogue, a stage, and the function that brings it about. It is run as *rows*,
 * one per birth, count of workers, and place (plain, or from inside a callback). Each row is a host process of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "../abi/support.h"
#include "fault_workers.h"

/* ---- tables ---- */

/** Counts of workers a fault is run with; none: it does not depend on them. */
enum counts { W1 = 1, W2 = 2, W5 = 4, W13 = 8, W_MANY = W2 | W5 | W13, W_ALL = W1 | W_MANY };

enum fault_flags {
    CALLBACK = 1, /**< Once more from inside a callback of the same pool. */
    WHOLE = 2,    /**< In the whole grid alone: it is long, or large. */
    NOT_AGAIN = 4 /**< Not among the rows of case 61: it counts zygotes, or cannot be registered late. */
};

/** How a fault of another case is run once more, in an EXEC pool. */
enum again {
    NOT_AT_ALL = 0,
    AFTER_A_ZYGOTE = 61,     /**< The pool's zygote was killed, and another has taken its place. */
    WITH_ZYGOTE_THREADS = 62 /**< The pool's zygote is a program with four threads beside its own. */
};

#define BIRTHS (IN_EXEC | IN_FORK)

struct row;

struct fault {
    int number;        /**< The case's. */
    const char *stage; /**< When it happens, and how: "in an item, by SIGKILL". */
    void (*act)(const struct row *row);
    unsigned births, workers, flags;
    uint32_t value; /**< For `act`: a way of dying, a limit, a stage. */
    void (*configure)(mape_pool_config *config, const struct row *row); /**< Of the row's pool; NULL: defaults. */
    int seconds;                                                        /**< The watchdog's patience; 0: 60. */
};

struct row {
    const struct fault *fault;
    uint32_t birth, workers;
    bool in_callback;
    int again; /**< An enum again: the number of the case then. */
};

struct fault_table {
    const struct fault *faults;
    size_t count;
};
#define TABLE(name) const struct fault_table name##_table = {name, COUNT(name)}
extern const struct fault_table death_ways_table, death_moments_table, death_pool_table, hangs_table, resources_table,
    limits_table, host_table, host_ends_table, hostile_table, scale_table, identity_table, worker_ends_table,
    leftovers_table, loading_table, zygotes_table, waits_table, cancels_table, surroundings_table, denials_table,
    extents_table, paths_table, texts_table, resizes_table, unregister_table, nested_table, starts_table;

/** A case of the catalogue. */
struct fault_case {
    int number;
    const char *group, *title;
    const char *asserted; /**< Beyond what the harness asserts of every row. */
};
extern const struct fault_case fault_cases[];
extern const size_t fault_case_count;

/* ---- what the harness gives a row ---- */

/** The row's pool, started; made at the first call. From inside a callback it is the pool that calls back. */
mape_pool *row_pool(void);
/** The same, not started by this call. */
mape_pool *row_pool_unstarted(void);
/** Workers of the row's pool that have died since the row got it. */
uint64_t row_deaths(mape_pool *pool);
/** Kills the pool's zygote, and waits until another has taken its place with all workers. */
void zygote_replaced(mape_pool *pool);
/** The row has destroyed its pool itself. */
void row_pool_gone(void);
/** Ends the row as skipped: this machine cannot do it. */
_Noreturn void row_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** A text that is printed behind the row's verdict. */
void row_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The row's body and checks are through. */
void row_came_to_its_end(void);
/** The seed of random choices; printed with a row that fails, chosen by FAULTS_SEED. */
uint32_t row_seed(void);
/** True in the whole grid. */
bool whole_grid(void);

/* ---- checks that rows have in common: checks.c ---- */

/** A job over fault_items whose every event is counted. */
struct work {
    mape_pool *pool;
    mape_job *job;
    struct fault_item *items;
    uint64_t count;
    uint32_t *told;     /**< ITEM events per item. */
    uint32_t done_told; /**< DONE events. */
    bool hears;         /**< Events can be fetched: not from inside a callback. */
};

/** How the items that do not end well have to end. */
struct ending {
    uint32_t state, cause;
    int32_t code;
};
#define KILLED ((struct ending){MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, 9})

/** `count` items with the values 0, 1, 2 ... that go well. */
struct fault_item *well_items(uint64_t count);
/** Submits them; `items` belongs to the work from then on. */
struct work work_begun(mape_pool *pool, mape_function_id function, struct fault_item *items, uint64_t count,
                       const mape_job_config *config);
/** Waits for it, hears its events, and checks that each item was told exactly once, DONE once. */
void work_wait(struct work *work);
/** Each item that works is right; each other one ended as said, after `attempts` (0: any number). */
void work_check(struct work *work, struct ending ending, uint32_t attempts);
/** The same, for any item that is allowed to be lost: returns how many ended so. Everything else is right. */
uint64_t work_check_some(struct work *work, struct ending ending);
void work_end(struct work *work);
/** The pool works: a job of its own over `count` items is right. The pool's workers are all ready in the end. */
void pool_works(mape_pool *pool);
/** Each worker's cleanup has begun, once. One that is to hang may not have: a worker that gets no processor within the short limit of such a row is
 *  killed before. */
void cleanups_began(const struct row *row);

/** A function that counts its items, with setups and cleanups that go wrong as planned. */
mape_function_id planned(mape_pool *pool, const struct plan *plan);
mape_function_id planned_run(mape_pool *pool, mape_run_fn run);
mape_function_id planned_range(mape_pool *pool, const struct plan *plan, mape_run_range_fn run);
/** Empty but for the path of the shared page. */
struct plan plan_of(void);

/** How the way of dying is told. */
struct ending ending_of(uint32_t way);

/** The worker whose process runs item `value` of run_planned. */
pid_t runner_of(uint64_t value);

/* ---- processes: processes.c ---- */

/** Runs this program again as "--NAME arguments", with its standard output in *out (not NULL: the parent reads there). */
pid_t helper_started(FILE **out, const char *name, const char *first, const char *second, const char *third);
/** Its exit status as of waitpid; fails when it does not end. */
int helper_ended(pid_t pid);
/** Reads a file of /proc whole into a static buffer, "" when there is none. */
const char *proc_text(pid_t pid, const char *name);
/** A number behind "Name:" in /proc/PID/status; -1 without. */
long proc_status(pid_t pid, const char *name);
/** Descendants of a process; returns how many. */
int descendants_of(pid_t root, pid_t *out, int limit);

/* ---- deaths at exact instructions: tracer.c ---- */

/** Stops a worker, which from now on is run by this thread. False: the kernel does not allow it. */
bool trace_begin(pid_t pid);
/** Lets it go on until it stops itself (see FAULT_STEP_BEGIN), at most so many steps; single steps of processor instructions.
 *  Returns the steps made; *stopped says whether it stopped itself. */
uint64_t trace_steps(pid_t pid, uint64_t limit, bool *stopped);
/** Lets it run until it stops itself. False: it ended instead. */
bool trace_run(pid_t pid);
/** Kills it where it is. */
void trace_kill(pid_t pid);
/** Lets it go. */
void trace_end(pid_t pid);

/* ---- forks that fail: fault_fork.c ---- */

/** Makes forks number `first` to `last` (from 1) fail in zygotes; 0, 0: none. Counts from 1 again with each call. Returns the setting of
 *  the environment by which a zygote that is a program of its own finds the plan. */
const char *forks_fail(uint32_t first, uint32_t last);
/** These forks go well, and the child exits with this code at once. */
void forked_ones_exit(uint32_t code);
/** How many forks zygotes have tried since then. */
uint32_t forks_tried(void);
/** No plan any more: its descriptor and mapping go. */
void forks_end(void);

/* ---- where it hung, what was left: watch.c ---- */

/** Prints where a process and all that it started are: stacks, system calls, states. */
void print_where(pid_t root, const char *stage, FILE *out);

#endif
