/* mapb_lanes.h - what host and lanes share beside what host and workers do: mapb_layout.h
 *
 * A *lane* is a worker of the helper for other machines (mapengine-remote, docs/cluster.md): what it is assigned runs elsewhere. To the host it is
 * a process with an output memory like any other, which is trusted no more.
 */
#ifndef MAPB_LANES_H
#define MAPB_LANES_H

#include "mapb_base.h"

/** In outbox.current: any item of the request may have begun. A lane writes it once the request's answer is here, then makes a full fence,
 *  then reads inbox.yield: a request that is to end early it answers with STOPPED and no item done, and the answer is dropped. */
#define MAPB_MARK_ANSWER 0xffffffffu

/* outbox.fraction of a lane is how many items have ended elsewhere, of the request whose ticket is in outbox.marked; running ones count as far as
 * they are. */

/** Behind a job's record in pools that have a cluster: what a lane must know beside it. Written by the host. */
typedef struct mapb_job_remote {
    uint64_t serial;         /* Counts the pool's jobs. */
    int64_t item_timeout;    /* Nanoseconds; 0: none. */
    uint64_t globals_serial; /* Counts the changes of the pool's globals: which table `globals` is. */
    uint32_t attempts;
    uint32_t where; /* An enum mape_where. */
    uint8_t pad[32];
} mapb_job_remote;

/** An item that has ended its worker on another machine, or was ended there: the lane goes on. Texts without NUL. */
typedef struct mapb_item_end {
    uint32_t state; /* MAPE_ITEM_CRASHED, MAPE_ITEM_TIMED_OUT or MAPE_ITEM_FAILED */
    uint32_t cause; /* An enum mape_cause. */
    int32_t code;
    uint32_t attempts;  /* How often it was begun there. */
    uint64_t mark;      /* mape_task_mark, */
    uint32_t has_mark;  /* if this is 1. */
    uint32_t text_size; /* mape_result.message */
    uint64_t text;
    uint64_t report; /* mape_crash.text */
    uint32_t report_size;
    int32_t signal; /* mape_crash.signal, code, pid, address, frames */
    int32_t signal_code;
    int32_t pid;
    uint64_t address;
    uint32_t frames;
    uint32_t host_size; /* The machine's name. */
    uint64_t host;
} mapb_item_end;

#define MAPB_HOST_NAME 256u /* Longest name of a machine, NUL included. */

_Static_assert(sizeof(mapb_job_remote) == 64 && sizeof(mapb_item_end) == 88, "layout");

#endif
