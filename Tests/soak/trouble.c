/* trouble.c - the soak's killer and its watchdog.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "soak.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/** With no item ended for so long, something hangs. No statement on speed. */
#define PATIENCE_SECONDS 90

/** SIGKILL to a process of the pool, unless it was sent one before: that one counts once. Its number is read and used at once. */
static bool kill_once(int32_t pid, int32_t *last) {
    if (pid <= 1 || pid == *last || kill(pid, SIGKILL) != 0) return false;
    *last = pid;
    return true;
}

void *soak_killer(void *context) {
    struct soak *soak = context;
    const struct soak_options *options = &soak->options;
    int32_t last_zygote = 0, *last = calloc(options->workers, sizeof *last);
    uint64_t random = options->seed * 2654435761u + 1;
    if (last == NULL) abort();
    while (atomic_load(&soak->stop) == 0) {
        usleep(options->kill_least_us + soak_random(&random, options->kill_most_us - options->kill_least_us + 1));
        if (options->resize_every > 0 && soak_random(&random, options->resize_every) == 0) {
            uint32_t most = options->workers * 2 <= 1024 ? options->workers * 2 : 1024;
            mape_pool_resize(soak->pool, 1 + soak_random(&random, most));
            continue;
        }
        if (options->zygote_every > 0 && soak_random(&random, options->zygote_every) == 0) {
            /* Not before it has brought up a worker: zygotes that are killed while they start are given up, and rightly; how long a start
             * takes depends on the machine. */
            mape_stats stats = MAPE_STATS_INIT;
            if (mape_pool_stats(&stats, soak->pool) == MAPE_OK && stats.workers_ready > 0 &&
                kill_once(stats.zygote_pid, &last_zygote))
                soak->figures.zygote_kills++;
            continue;
        }
        mape_worker_info worker = MAPE_WORKER_INFO_INIT;
        uint32_t slot = soak_random(&random, options->workers);
        if (mape_pool_worker(&worker, soak->pool, slot) == MAPE_OK && kill_once(worker.pid, &last[slot]))
            soak->figures.worker_kills++;
    }
    free(last);
    return NULL;
}

/** Ends the program when it hangs: a hang has no other way out. */
void *soak_watchdog(void *context) {
    struct soak *soak = context;
    uint64_t seen = 0;
    int64_t since = soak_now();
    while (atomic_load(&soak->stop) < 2) {
        usleep(50 * 1000);
        uint64_t now = soak->figures.ended + soak->figures.submitted;
        if (now != seen) since = soak_now();
        seen = now;
        if (soak_now() - since < MAPE_SECONDS(PATIENCE_SECONDS)) continue;
        printf("\nsoak: HUNG in %s: no item has ended for %d s\n", soak->stage, PATIENCE_SECONDS);
        fflush(stdout);
        soak_tell(soak);
        fflush(stdout);
        abort();
    }
    return NULL;
}
