/* attacks.h - what libhostile.so offers: a worker function whose items attack the memory that their worker shares with the host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ATTACKS_H
#define ATTACKS_H

#include <mapengine.h>

/** Ways to attack. Each is driven by a seed, so that a failure can be run again. */
enum attack {
    ATTACK_NONE = 0,
    ATTACK_WORDS,       /**< Random words anywhere. */
    ATTACK_BITS,        /**< Some bits of what the worker itself has written. */
    ATTACK_REPLIES,     /**< Replies that look right, but for some fields. */
    ATTACK_TABLES,      /**< Tables of results and failures with wrong kinds, places and sizes. */
    ATTACK_COUNTERS,    /**< Counters and flags at the edges of their ranges. */
    ATTACK_MESSAGES,    /**< Wrong heads in the message ring, floods of messages. */
    ATTACK_BELLS,       /**< Floods of doorbells. */
    ATTACK_BLAME,       /**< Another item named as the running one, then death. */
    ATTACK_FLICKER,     /**< A second thread changes words to and fro, between the host's check and its use. */
    ATTACK_MAPPINGS,    /**< Its own shared memory cut, emptied, protected, unmapped. */
    ATTACK_DESCRIPTORS, /**< Every descriptor it has: read, written, changed, closed. */
    ATTACK_TIMES,       /**< A second thread lies about when requests ran, and which items were slow. */
    ATTACK_ALL,         /**< Some of all of the above, by the seed. */
    ATTACKS
};

/** An item of run_hostile. */
struct hostile_item {
    uint64_t value;
    uint64_t seed;   /**< 0: an honest item. */
    uint32_t attack; /**< An enum attack. */
    uint32_t owner;  /**< Which entry of shared.order is told this worker's id. */
};

#define HOSTILE_CODE 7 /**< What honest items fail with that fail. */

/** Whether the honest item of this value fails. */
static inline int hostile_fails(uint64_t value) { return value % 37 == 5; }
/** The words of its result, */
static inline size_t hostile_words(uint64_t value) { return value % 11 == 3 ? value % 64 : 2; }
/** and the i-th of them. */
static inline uint64_t hostile_word(uint64_t value, size_t i) { return (value + 1) * 0x9E3779B97F4A7C15u + i; }

/** SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t hostile_random(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/** Both need setup_shared of Tests/abi. */
int run_hostile(mape_task *task, void *state, const void *input, size_t size);
int run_hostile_range(mape_task *task, void *state, const mape_range *range);
/** Tries what is to be impossible. Output: a struct reach. */
int run_reach(mape_task *task, void *state, const void *input, size_t size);

/** What run_reach found. */
struct reach {
    uint32_t outputs;         /**< Writable mappings of output memory. */
    uint32_t inputs_writable; /**< Writable mappings of input memory, after mprotect and mremap were tried on all. */
    uint32_t memory_files;    /**< Descriptors of memory files: its own output memory, for mape_task_report_fd. */
    uint32_t readable_bells;  /**< Pipes and event descriptors it could read, and so take a ring from others. */
    uint32_t unsealed; /**< Of these and of what /proc/self/map_files shows, how many could be cut or unsealed. */
};

/** Carries out an attack; may not return. */
void attack(uint32_t which, uint64_t seed);

#endif
