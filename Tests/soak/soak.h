/* soak.h - what the parts of the soak have in common.
 *
 *   main thread     submits jobs of all kinds, fetches their events, keeps the ledger   soak.c, jobs.c
 *   killer thread   SIGKILL to workers and, now and then, to the zygote                 trouble.c
 *   watchdog thread says where the soak stands when no item has ended for long          trouble.c
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOAK_H
#define SOAK_H

#include <mapengine.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "workers.h"

/** What was asked for on the command line. */
struct soak_options {
    uint64_t items;
    uint32_t workers;
    uint32_t seed;
    uint32_t seconds;  /**< 0: as long as the items take. Else until so much time has passed, whatever the items. */
    uint32_t birth;    /**< An enum mape_start. */
    uint32_t restarts; /**< mape_pool_config.restarts. */
    uint32_t kill_least_us, kill_most_us; /**< Time from one kill to the next, at least and at most. */
    uint32_t zygote_every;                /**< One kill in so many is the zygote's; 0: none. */
    uint32_t resize_every; /**< In place of one kill in so many the pool is made larger or smaller; 0: never. */
    uint32_t spin_us;      /**< What an item takes on average. */
    uint32_t setup_us;     /**< What a setup takes. */
    bool quiet;            /**< No line of progress. */
};

/** What has happened. Written by the main thread, or where said by the killer; read by the watchdog. */
struct soak_figures {
    _Atomic uint64_t submitted, ended, jobs;
    _Atomic uint64_t worker_kills, zygote_kills; /**< By the killer. */
    _Atomic uint64_t doubled;                    /**< An item's event that had come before. */
    _Atomic uint64_t wrong;                      /**< A result that is not the item's, or an event of no item. */
    _Atomic uint64_t not_ok;                     /**< Items that ended otherwise than well. */
    _Atomic uint64_t short_jobs;                 /**< Jobs that were done without all their items' events. */
};

struct soak {
    struct soak_options options;
    struct soak_figures figures;
    mape_pool *pool;
    mape_function_id run, run_each, run_all;
    struct soak_page *page; /**< How often items were begun, by the workers. */
    uint8_t *told;          /**< How often items were told to have ended. */
    uint64_t next_number;
    uint64_t random;
    char fault[512];    /**< The first thing that was wrong, for people. */
    char logs[12][200]; /**< The last messages of the pool. */
    uint64_t log_count;
    _Atomic(const char *) stage;
    _Atomic int stop;
};

/** A number below `bound`. xorshift64*: the same from the same seed, but threads make the rest differ. */
uint32_t soak_random(uint64_t *state, uint32_t bound);
int64_t soak_now(void);
/** Keeps the first fault. */
void soak_fault(struct soak *soak, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Prints where everything stands. */
void soak_tell(struct soak *soak);

/* jobs.c */

/** Submits a job of a random kind. Returns how many items it will have; 0 when the pool has refused. */
uint64_t soak_submit(struct soak *soak, uint64_t most);
/** Goes on with open streams; fetches events in one way or another. False when the pool has refused. */
bool soak_turn(struct soak *soak);
uint32_t soak_open_jobs(void);
/** Prints the jobs that are not done. */
void soak_tell_jobs(void);

/* trouble.c */

void *soak_killer(void *soak);
void *soak_watchdog(void *soak);

#endif
