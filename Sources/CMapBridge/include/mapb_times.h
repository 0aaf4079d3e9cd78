/* mapb_times.h - when a worker was on what, for traces: a part of its output memory */
#ifndef MAPB_TIMES_H
#define MAPB_TIMES_H

#include "mapb_base.h"

#define MAPB_TIMES_OFFSET 1024u /* In the output memory: behind mapb_outbox, in the same page. */

/** When a worker was on a request, by the monotonic clock: beside the replies, one for each place of theirs. Written by the worker, while the
 *  pool is traced; `begin` before the request runs, so that it stands there when the worker dies in it. */
typedef struct mapb_times {
    uint32_t ticket; /* Low half of the request's. */
    uint32_t
        slowest; /* The item that took longest, counted from the request's first; or the first of the lap that did. */
    int64_t begin;
    uint64_t took; /* 0: it has not ended. */
    uint64_t lap;  /* How long that lap took << 16 | how many items it had, at most 65535; 0: not known. */
} mapb_times;

_Static_assert(sizeof(mapb_times) == 32, "half of a cache line");

#endif
