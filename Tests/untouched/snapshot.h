/* snapshot.h - all that a library can change about its host's process, as a list of lines "name=value", so that two of them can be
 * compared and each difference be told, allowed or not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

struct snapshot {
    char **lines; /* Sorted. */
    size_t count, room;
};

/** A difference that is all right: at most `most` names that match the pattern (fnmatch(3)) may be new, gone or have another
 *  value, in the stages whose bits are set. */
struct allowed {
    unsigned stages;
    const char *pattern;
    int most;
    const char *reason;
};

/** Reads the state of the process and of the calling thread. Changes nothing, and leaves nothing open. */
struct snapshot snapshot_taken(void);
void snapshot_freed(struct snapshot *snapshot);
/** Counts what differs and is not in the table; with a `title` tells each on standard error. */
int snapshot_differences(const struct snapshot *before, const struct snapshot *now, unsigned stage,
                         const struct allowed *table, size_t table_count, const char *title);

/** Counts that cannot be read from outside, kept by stages.c: they stand in the snapshot as count.NAME. */
struct counted {
    const char *name;
    volatile int count;
};
extern struct counted snapshot_counts[];

#endif
