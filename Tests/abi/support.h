/* support.h - what the ABI's tests have in common: the table of tests, a watchdog, pools that are checked when they go,
 * and looks at the process from outside.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>
#include <mapengine.h>

#include "workers.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- the table of tests ---- */

enum births { IN_EXEC = 1, IN_FORK = 2 };

/** One test. Its body runs once per birth, and says in its name what it proves. */
struct abi_test {
    const char *name;
    void (*body)(uint32_t birth);
    int births;
    int seconds; /**< The watchdog's patience; 0: 60 s. Never a statement on speed. */
};
#define ONCE(f)                                                                                                        \
    { #f, f, 0, 0 }
#define BOTH(f)                                                                                                        \
    { #f, f, IN_EXEC | IN_FORK, 0 }
#define EXEC_ONLY(f)                                                                                                   \
    { #f, f, IN_EXEC, 0 }
#define FORK_ONLY(f)                                                                                                   \
    { #f, f, IN_FORK, 0 }
#define PATIENT(f, births, seconds)                                                                                    \
    { #f, f, births, seconds }

/** Runs the tests under cmocka, and returns main's status. The environment variable ABI_FILTER (a pattern with * and ?) chooses
 *  tests by name, ABI_SKIP (several, with colons between them) leaves some out. */
int run_abi_tests(const char *group, const struct abi_test *tests, size_t count);

/** Tells the watchdog where the test is. */
void stage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- checks ---- */

/** Fails the test when `got` is not `expected`, with the pool's message. */
void check_status(int got, int expected, mape_pool *pool, const char *call, const char *file, int line);
#define is_status(pool, expected, call) check_status((call), (expected), (pool), #call, __FILE__, __LINE__)
#define is_ok(pool, call)               is_status(pool, MAPE_OK, call)

/** Waits for a condition that must come about. PATIENCE is no statement on speed: it turns a hang into a failure of one test
 *  before the watchdog ends the whole program. */
#define PATIENCE_SECONDS 20
#define PATIENCE         MAPE_SECONDS(PATIENCE_SECONDS)
#define wait_until(condition)                                                                                          \
    do {                                                                                                               \
        stage("%s:%d: waiting until %s", __FILE__, __LINE__, #condition);                                              \
        for (int64_t begun = now_ns(); !(condition); short_nap())                                                      \
            if (now_ns() - begun > PATIENCE) {                                                                         \
                pools_described();                                                                                     \
                fail_msg("%s: never came about", #condition);                                                          \
            }                                                                                                          \
    } while (0)
int64_t now_ns(void);
void short_nap(void);
/** Prints the state of the test's pools and of their processes: for a test that fails because something does not come. */
void pools_described(void);

/** The message of the last failed call on a pool (NULL: of calls that found none); in one of a few static buffers. */
const char *message_of(mape_pool *pool);

/** Whether a text holds one of the words in a list separated by '|'. */
bool names_one_of(const char *text, const char *words);

/* ---- pools ---- */

/** Makes a pool; the test's end destroys what is still open. */
mape_pool *pool_open(uint32_t birth, uint32_t workers);
mape_pool *pool_open_with(const mape_pool_config *config);
mape_pool_config config_of(uint32_t birth, uint32_t workers);
/** pool_open and mape_pool_start. */
mape_pool *pool_started(uint32_t birth, uint32_t workers);
/** Destroys the pool and sees that its zygote and workers are gone. */
void pool_close(mape_pool *pool);
/** Takes in a pool that the test made in its own way. */
void pool_adopt(mape_pool *pool);
/** Whether the test has left a pool open; and destroys such pools. */
bool pools_are_open(void);
void pools_destroyed(void);
/** Forgets a pool that the test destroyed in its own way. */
void pool_forget(mape_pool *pool);

mape_function_id registered(mape_pool *pool, mape_run_fn run);
mape_function_id registered_range(mape_pool *pool, mape_run_range_fn run_range);
/** A function whose setup is given the path of the shared page. */
mape_function_id registered_shared(mape_pool *pool, mape_run_fn run, mape_setup_fn setup, mape_cleanup_fn cleanup);

/** A new buffer, filled with a byte. */
mape_buffer *buffer_filled(mape_pool *pool, size_t size, int byte, void **out_data);

mape_stats stats_of(mape_pool *pool);
mape_worker_info worker_of(mape_pool *pool, uint32_t index);
mape_progress progress_of(mape_job *job);
mape_result result_of(mape_job *job, uint64_t index);

/** Items for `count` things of `size` bytes side by side. */
mape_items items_at(const void *base, uint64_t count, size_t size);
mape_job *mapped(mape_pool *pool, mape_function_id function, const void *base, uint64_t count, size_t size,
                 const mape_job_config *config);
mape_job *applied(mape_pool *pool, mape_function_id function, const void *input, size_t size);
void wait_for(mape_job *job);
/** Fails the test when result `index` is not MAPE_ITEM_OK with these bytes. */
void result_is(mape_job *job, uint64_t index, const void *bytes, size_t size);
/** Fails the test when the result is not in this state with this cause and code. */
void result_ended(mape_job *job, uint64_t index, uint32_t state, uint32_t cause, int32_t code);
/** Runs one item. Fails the test when it does not end in these bytes. */
void item_gives(mape_pool *pool, mape_function_id function, const void *input, size_t size, const void *bytes,
                size_t bytes_size);
/** Runs one item. Fails the test when it does not fail with this cause and code, and a text with the words. */
void item_fails(mape_pool *pool, mape_function_id function, const void *input, size_t size, uint32_t cause,
                int32_t code, const char *words);
/** Checks that item i of the job, of `count`, is the square of values[i]. */
void squares_are_right(mape_job *job, const uint64_t *values, uint64_t count);
/** New array of count values, of which each square differs. Free it. */
uint64_t *numbers(uint64_t count);
/** Runs dispatch until the job is done. */
void dispatch_until_done(mape_pool *pool, mape_job *job);

/* ---- the shared page ---- */

/** The test's shared page, made at first use, gone when the test ends. */
struct shared *shared_page(void);
const char *shared_path(void);

/* ---- the process from outside ---- */

/** What of the process must be as before. */
struct snapshot {
    int descriptors, children, threads, memfd_mappings;
};
struct snapshot snapshot_taken(void);
/** Waits until the process is as in the snapshot (threads and children need a moment to vanish); the watchdog limits. */
void snapshot_comes_back(const struct snapshot *before);

/** Whether a process is gone, or a zombie. */
bool process_gone(pid_t pid);
/** Ids of the threads of a process; returns how many there are. */
int thread_ids(pid_t pid, pid_t *out, int limit);
/** Ids of the children of this process; returns how many there are. */
int child_ids(pid_t *out, int limit);
/** Collects the ids of a pool's workers and zygote; returns how many. */
int pool_pids(mape_pool *pool, pid_t *out, int limit);
/** SIGKILLs a process of the pool. Never pid 0 or less, which would be a whole group: the test's own, for one. */
void kill_process(pid_t pid);
/** The pid of a worker, once it has one. */
pid_t pid_of_worker(mape_pool *pool, uint32_t index);
/** Waits until all these are gone. */
void wait_gone(const pid_t *pids, int count);

#endif
