/* workers.h - the functions that the soak runs in workers, and what they share with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOAK_WORKERS_H
#define SOAK_WORKERS_H

#include <mapengine.h>
#include <stdatomic.h>

/** Items that one soak can number. The pages that count them are touched only as far as items go. */
#define SOAK_CAPACITY (1ull << 28)

/** An item. Its number is its own in the whole soak, so that a result in the wrong place is known as such. */
struct soak_item {
    uint64_t number;
    uint32_t spin_ns; /**< How long it works at least. */
    uint32_t extra;   /**< Bytes of its result beyond the head, so that results differ in size. */
};

/** A result's head. After it come `extra` bytes, each soak_byte of its place. */
struct soak_result {
    uint64_t number;
    uint64_t value; /**< soak_value of the number. */
};

/** What the workers and the host share: how often each item was begun, told by the workers themselves. Each entry has many
 *  writers, one after another: an item is with one worker at a time. */
struct soak_page {
    _Atomic uint8_t begun[SOAK_CAPACITY];
};

/** What setup is given. */
struct soak_setup {
    char path[64];     /**< Of the page. */
    uint32_t setup_us; /**< How long the setup takes. */
    uint32_t reserved;
};

static inline uint64_t soak_value(uint64_t number) {
    uint64_t x = number + 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint8_t soak_byte(uint64_t number, uint32_t place) { return (uint8_t)(soak_value(number) >> 8) + place; }

int soak_setup(mape_task *task, const void *data, size_t size, void **out_state);
int soak_run(mape_task *task, void *state, const void *input, size_t size);
int soak_run_each(mape_task *task, void *state, const mape_range *range); /* item by item, with mape_task_begin */
int soak_run_all(mape_task *task, void *state, const mape_range *range);  /* the range as a whole; extra is 0 */

#endif
