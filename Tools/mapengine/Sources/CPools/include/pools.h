/* pools.h - how `mapengine top` reaches the pools of other processes: by /proc, and by the layout that they share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The tool knows of the engine its header alone, but for this: mapb_layout.h is included on purpose, and pools of another MAPB_PROTOCOL are
 * refused. Nothing here maps another process's memory: what is read with pread(2) can be cut short or change, and raises no signal.
 */
#ifndef MAPENGINE_TOOL_POOLS_H
#define MAPENGINE_TOOL_POOLS_H

#include <stddef.h>
#include <stdint.h>

#include "../../../../../Sources/CMapBridge/include/mapb_layout.h"

#define POOLS_INPUT  "/memfd:mapengine-input"
#define POOLS_OUTPUT "/memfd:mapengine-output"

/* A descriptor of another process. */
struct pools_place {
    int32_t pid, fd;
};

/* Which processes of this user have descriptors of memory by that name. @return how many there are; the first `most` are in `out`. */
size_t pools_find(const char *name, struct pools_place *out, size_t most);
/* The same of one process: the lowest descriptor, or -1. */
int pools_find_in(int pid, const char *name);

struct pools_file {
    uint64_t device, inode, size;
    uint64_t used; /* Bytes that have pages. */
};

/* Opens what another process has open, to read. @return a descriptor, or a negative errno; -ESTALE: it is no sealed memory of this user. */
int pools_open(int pid, int fd, struct pools_file *out);
/* The memory's size and pages now. @return 0 or an errno. */
int pools_look(int fd, struct pools_file *out);
/* Reads all of it or nothing. @return 0 or an errno. */
int pools_read(int fd, void *to, size_t size, uint64_t offset);

struct pools_process {
    uint64_t ticks; /* Of processor time, in clock ticks (sysconf). */
    uint64_t resident;
    uint64_t started; /* Tells it from another one that gets its number. */
    int32_t parent;
    char state;
};

/* @return 0; an errno when there is no such process of this user. */
int pools_process_of(int pid, struct pools_process *out);
/* A file of /proc/PID as it is, NULs and all. @return its size, at most `most`; 0 when it cannot be read. */
size_t pools_text(int pid, const char *file, char *to, size_t most);
/* A process's number in its own namespace, which memory of that process names; 0: not known. */
int pools_inner_pid(int pid);
/* Whether it counts processes as this one does. */
int pools_same_namespace(int pid);
/* Ends a process, unless its number is another's by now. @return 0 or an errno. */
int pools_end(int pid, uint64_t started);
/* Nanoseconds, of CLOCK_MONOTONIC as pools use it. */
int64_t pools_clock(void);
/* How many descriptors this process may have from now on: as many as it can be allowed. */
void pools_more_descriptors(void);

#endif
