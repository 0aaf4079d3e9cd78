/* host.h - hosts with habits: each a function of its own process, in which it opens the library, uses it, and fails if anything is
 * not as it should be.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HOST_H
#define HOST_H

#include "engine.h"

struct habit {
    const char *name;
    void (*host)(struct engine *engine, uint32_t birth);
    const char *title;
};

/** Opens the library. */
void host_opens(struct engine *engine);
/** Runs `body` in a thread, and waits for its end. */
void in_thread(void *(*body)(void *), void *context);

/* host_children.c: what hosts do with children and signals */
void host_reaps(struct engine *engine, uint32_t birth);
void host_ignores_sigchld(struct engine *engine, uint32_t birth);
void host_wants_no_zombies(struct engine *engine, uint32_t birth);
void host_dies_of_sigpipe(struct engine *engine, uint32_t birth);
void host_blocks_all_signals(struct engine *engine, uint32_t birth);
void host_forks_in_jobs(struct engine *engine, uint32_t birth);
void host_runs_programs(struct engine *engine, uint32_t birth);
void host_is_a_daemon(struct engine *engine, uint32_t birth);

/* host_surroundings.c: what hosts have and change */
void host_has_no_standard_files(struct engine *engine, uint32_t birth);
void host_has_few_descriptors(struct engine *engine, uint32_t birth);
void host_changes_between(struct engine *engine, uint32_t birth);
void host_drops_privileges(struct engine *engine, uint32_t birth);
void host_changes_its_environment(struct engine *engine, uint32_t birth);
void host_is_busy_at_the_start(struct engine *engine, uint32_t birth);

/* host_stack.c: threads */
void host_thread_has_a_small_stack(struct engine *engine, uint32_t birth);
void host_thread_that_created_ends(struct engine *engine, uint32_t birth);

#endif
