/* What Swift cannot say: system calls without a wrapper, and a signal handler.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_TOOL_KERNEL_H
#define MAPENGINE_TOOL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* Each answers 0 when the kernel can do it, else errno. They change nothing in this process. */
int kernel_has_memfd_seals(void); /* memfd_create(2) with seals that hold, fcntl(2) F_ADD_SEALS */
int kernel_has_pidfd(void);       /* pidfd_open(2) */
int kernel_has_membarrier(void);  /* membarrier(2), expedited and private */
int kernel_has_futex(void);       /* futex(2) */
int kernel_has_seccomp(void);     /* seccomp(2) with filters */

/* Which system calls of those that the engine needs (wanted: that it can do without) are denied to this process, by a filter for
 * example: their names, with commas between them. Each is tried in a child, which a filter may end. Returns how many they are;
 * of how many is stored in `tried`. */
int kernel_denied_calls(int wanted, char *text, size_t size, int *tried);

/* The version of Landlock's interface, see landlock(7); negative errno when there is none. */
int kernel_landlock_version(void);

/* Which limit, see getrlimit(2). */
enum kernel_limit { LIMIT_DESCRIPTORS, LIMIT_PROCESSES, LIMIT_ADDRESS_SPACE, LIMIT_FILE_SIZE, LIMIT_LOCKED_MEMORY };

/* The limit that holds for this process; UINT64_MAX when there is none. */
uint64_t kernel_limit_of(enum kernel_limit limit);

/* How many cores this process may run on; -1 when that cannot be told. */
int kernel_cores_allowed(void);

/* From now on SIGINT, SIGTERM and SIGHUP are noted instead of ending the process; a second one ends it as ever. Those that are
 * ignored stay ignored. */
void interrupts_catch(void);

/* The number of the signal that came, or 0. */
int interrupts_noted(void);

#endif
