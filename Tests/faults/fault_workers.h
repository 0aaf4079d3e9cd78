/* fault_workers.h - what libfaultworkers.so offers beside libtestworkers.so: functions whose setup, items and cleanup go wrong as
 * a plan says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FAULT_WORKERS_H
#define FAULT_WORKERS_H

#include "../abi/workers.h"

/** Ways beyond those of `enum way`. */
enum fault_way {
    FAULT_GATE = 100,       /**< Waits until the shared page's gate opens, then goes well. */
    FAULT_KILL_SIBLING,     /**< Kills another worker of its pool, then goes well. */
    FAULT_LEAK,             /**< Leaks 4 MiB, touched, then goes well. */
    FAULT_GRANDCHILD,       /**< Leaves a child behind that sleeps, then goes well. */
    FAULT_GRANDCHILD_DIES,  /**< The same, then dies by SIGKILL. */
    FAULT_GRANDCHILD_LOOPS, /**< The same, then loops. */
    FAULT_ESCAPED_DIES,     /**< Leaves a child behind that left its process group, then dies by SIGKILL. */
    FAULT_STEP,             /**< Stops itself for a tracer when it begins and when it ends; see run_stepped. */
    FAULT_HUNGRY,           /**< Allocates until there is no more, and uses the NULL. */
    FAULT_BIG_OUTPUT,       /**< A result of 1 MiB. */
    FAULT_SLOW,             /**< Takes 2 ms. */
    FAULT_KILL_ZYGOTE,      /**< Kills the zygote, and waits for the end. */
    FAULT_DEAF_TERM         /**< Ignores SIGTERM and all others that can be ignored, and sleeps for ever. */
};

/** Data of setup_planned. */
struct plan {
    char path[64]; /**< The shared page's. */
    uint32_t setup_way;
    uint32_t setup_times; /**< The first so many setups go that way, in whatever worker. */
    uint32_t cleanup_way;
    uint32_t cleanup_times;
};

int setup_planned(mape_task *task, const void *data, size_t size, void **out_state);
void cleanup_planned(mape_task *task, void *state);

/** Items: struct fault_item. Counts how often each value was begun (order[value], high half: the process), then ends by its way. */
int run_planned(mape_task *task, void *state, const void *input, size_t size);
int run_planned_each(mape_task *task, void *state, const mape_range *range);
/** The same without telling which item it is on. */
int run_planned_whole(mape_task *task, void *state, const mape_range *range);
/** Stops itself for a tracer where its value begins and ends, if it is the process that `gate` names. */
int run_stepped(mape_task *task, void *state, const void *input, size_t size);
/** Echoes its input, of any size; counted by `entered`; dies at every item whose first byte is 1 as often as `gate` says. */
int run_echo_or_die(mape_task *task, void *state, const void *input, size_t size);
/** Result: this process's resident kilobytes. Leaks 1 MiB before. */
int run_leaks(mape_task *task, void *state, const void *input, size_t size);

/* text_workers.c: say what they are given. */
int run_fails_saying(mape_task *task, void *state, const void *input, size_t size);
int set_up_fails_saying(mape_task *task, const void *data, size_t size, void **out_state);
int run_writes(mape_task *task, void *state, const void *input, size_t size);

/* Lies of a worker about its own work: fault_liars.c. Each overwrites its worker's own output memory, laid out as
 * mapb_layout.h says. */
struct lie {
    uint64_t value;
    uint32_t kind; /**< An enum lie_kind; others go well. */
    uint32_t seed;
};
enum lie_kind {
    LIE_NONE = 0,
    LIE_BASE,        /**< The result lies at an offset beyond the memory. */
    LIE_SIZE,        /**< A result longer than the memory. */
    LIE_WRAP,        /**< Offset plus size pass the end of 64 bits. */
    LIE_OUTBOX,      /**< The result lies in the outbox itself. */
    LIE_TABLE,       /**< The table of results lies beyond the memory. */
    LIE_ENTRY,       /**< A line of the table names bytes beyond the memory. */
    LIE_CURSOR,      /**< The cursors of used memory stand beyond their limits. */
    LIE_MESSAGES,    /**< The message ring's tail is gigabytes ahead. */
    LIE_TICKET,      /**< The reply names another request. */
    LIE_TWICE,       /**< Replies are published that were never asked for. */
    LIE_PAST,        /**< The tail goes back: the past job's replies once more. */
    LIE_DONE,        /**< More items have ended than were asked for. */
    LIE_BLAME,       /**< The blame word names another item, then death. */
    LIE_BLAME_RANGE, /**< The blame word names an item far beyond the range, then death. */
    LIE_CHANGE,      /**< A second thread changes all of the reply's words again and again. */
    LIE_BELLS,       /**< The bells ring, thousands of times. */
    LIE_KINDS
};
/** State: the shared page. Notes in `order` which process had an item last, and in `astray` which ones lied. */
int run_lies(mape_task *task, void *state, const void *input, size_t size);

/** Tries to get at the shared memory: cuts it, unseals it, writes to inputs. Output: struct attack. */
struct attack {
    uint32_t cut, grown, unsealed, written, mapped, memfds;
};
int run_attacks(mape_task *task, void *state, const void *input, size_t size);

#endif
