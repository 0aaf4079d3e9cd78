/* mapb_layout.h - the memory that host and workers share
 *
 * Two kinds of memfd, both sealed against shrinking. Offsets, never pointers, cross the boundary.
 *
 *   input memory, one per pool: the host writes, every worker maps it read-only
 *   ┌────────────────┬──────────┬──────────┬─────┬─────────────────┬─────────────────────────────┐
 *   │ mapb_pool_head │ inbox 0  │ inbox 1  │ ... │ names, by       │ arena: inputs, job and      │
 *   │ mapb_figures   │          │          │     │ number          │ function records, ...       │
 *   └────────────────┴──────────┴──────────┴─────┴─────────────────┴─────────────────────────────┘
 *   output memory, one per worker process: that worker writes, the host reads and trusts nothing in it
 *   ┌────────────────┬─────────┬────────────────┬──────────────┬─────────────────────────────────┐
 *   │ outbox, times  │ replies │ message ring   │ crash record │ results                         │
 *   └────────────────┴─────────┴────────────────┴──────────────┴─────────────────────────────────┘
 *
 * Each word has one writer, known by the structure it lies in: inboxes and records by the host, outboxes by their worker.
 * The host publishes requests by a release store to inbox.tail, the worker replies by one to outbox.tail; replies come in
 * the order of requests.
 */
#ifndef MAPB_LAYOUT_H
#define MAPB_LAYOUT_H

#include "mapb_base.h"
#include "mapb_figures.h"
#include "mapb_lanes.h"
#include "mapb_times.h"

#define MAPB_PROTOCOL            9u    /* Changes with any change of this file or of the control messages. */
#define MAPB_RING                64u   /* Requests a worker can hold: a power of two. */
#define MAPB_MAX_WORKERS         1024u /* As the header says. */
#define MAPB_MAX_FUNCTIONS       (1u << 20)
#define MAPB_FUNCTIONS_PER_TABLE 1024u /* A worker makes a table when the first of so many functions comes. */
#define MAPB_BUILD_ID            32u   /* Longest build id. */
#define MAPB_TEXT                1024u /* Longest short message of a function, NUL included. */
#define MAPB_LONG_TEXT                                                                                                 \
    (1u << 20)               /* Longest of one that fails, without NUL: the host copies it under the pool's lock. */
#define MAPB_MESSAGES 16384u /* Bytes of a worker's message ring: a power of two. */

enum mapb_doorbell_target { MAPB_BELL_NONE = 0, MAPB_BELL_ENGINE = 1, MAPB_BELL_WAITER = 2 };

/** Start of the input memory. Written by the host. */
typedef struct mapb_pool_head {
    uint32_t protocol;
    uint8_t pad0[60];
    uint64_t doorbell; /* epoch << 2 | target: whom a worker wakes after a reply. It rings once per epoch. */
    uint32_t spin;     /* How many times an idle worker looks again before it sleeps. */
    uint32_t waiter;   /* Processor of the host thread that waits for replies, plus 1; 0: none. */
    uint32_t timed;    /* 1: the pool is traced, and workers write a mapb_times for each request that they begin. */
    uint8_t pad1[44];
} mapb_pool_head;

enum mapb_request_kind {
    MAPB_REQUEST_RANGE = 1, /* record: a mapb_job */
    MAPB_REQUEST_SETUP =
        2, /* record: a mapb_function; first: offset of the globals table; to a lane, count: that table's number */
    MAPB_REQUEST_CLEANUP = 3, /* record: a mapb_function; first and count as for SETUP */
    MAPB_REQUEST_MODULE = 4,  /* record: a path, ended with NUL; first: offset of its mapb_file, or 0 */
    MAPB_REQUEST_EXIT = 5
};

enum mapb_request_flags {
    MAPB_SET_HOLE = 1, /* Results go to hole_base ... hole_limit from this request on, as long as they fit. */
    MAPB_SET_FRONTIER =
        2,          /* What does not fit goes to frontier_base ... end of the output memory from this request on. */
    MAPB_SPREAD = 4 /* Other workers get work at the same time: a worker that slept moves to a processor of its own. */
};
#define MAPB_JOB_SHIFT                                                                                                 \
    8u /* In the flags of a range, from this bit on: the low bits of the job's number, for mapengine top. */

/** One request: a cache line. Written by the host. */
typedef struct mapb_request {
    uint64_t ticket; /* Counts a worker's requests from 1. */
    uint32_t kind;
    uint32_t count; /* RANGE: items. */
    uint64_t
        first; /* RANGE: index of the first item. With mape_job_config.first_index the record's places lie so many items back. */
    uint64_t record;
    uint64_t hole_base;
    uint64_t hole_limit;
    uint64_t frontier_base;
    uint32_t flags;
    uint32_t step; /* RANGE: items per range, as the job's chunk says; 0: they are one range. */
} mapb_request;

/** A worker's request ring. Written by the host. */
typedef struct mapb_inbox {
    uint64_t tail;         /* Requests published; its low half is the futex an idle worker sleeps on. */
    uint64_t message_head; /* Bytes of the message ring that the host has read. */
    uint64_t notify_at;    /* The worker does not ring the doorbell for requests before this ticket. */
    uint8_t pad0[40];
    uint64_t
        yield; /* The worker ends requests up to this ticket before their next item: the host has reclaimed the rest. */
    uint64_t interrupt; /* The blame word of the item that is asked to stop by a signal: fork_interrupt.c; 0: none. */
    uint8_t pad1[48];
    mapb_worker_line line;
    mapb_request requests[MAPB_RING];
} mapb_inbox;

#define MAPB_INBOX_BYTES 8192u

enum mapb_reply_flags {
    MAPB_REPLY_TABLE = 1,     /* Items are described by a table of mapb_entry; else by base and size alone. */
    MAPB_REPLY_STOPPED = 2,   /* Stopped early, because the job was cancelled or the rest of the range reclaimed. */
    MAPB_REPLY_NO_MEMORY = 4, /* Stopped early: item number `done` did not fit into the output memory. */
    MAPB_REPLY_GROWN = 8,     /* The worker's private memory has grown by more than it may: the host replaces it. */
    MAPB_REPLY_CHANGED = 16   /* SETUP: loading the library has left a thread or a process, or changed signals. */
};

/** One reply, filled while its range runs, so that after a crash the host finds what was done. Written by the worker. */
typedef struct mapb_reply {
    uint64_t ticket;
    uint32_t done; /* How many items ended; the others have not begun, except for NO_MEMORY. */
    uint32_t flags;
    uint64_t base; /* Without a table: item i's result is at base + i * size. For other requests: the message. */
    uint64_t size;
    uint64_t table;    /* For requests that are no range: nanoseconds that they took. */
    uint64_t hole_end; /* The cursors in the hole and at the frontier. */
    uint64_t frontier_end;
    int32_t code; /* For SETUP and MODULE: 0, or why it failed. */
    /* SETUP, MODULE: an enum mape_cause for code. RANGE: nanoseconds it took, at most 2^32 - 1; for scheduling alone. */
    uint32_t detail;
} mapb_reply;

/** STOPPED: the function was asked to stop, and has. ENDED: only from a lane. */
enum mapb_entry_kind { MAPB_ENTRY_OK = 1, MAPB_ENTRY_FAILED = 2, MAPB_ENTRY_STOPPED = 3, MAPB_ENTRY_ENDED = 4 };

/** One line of a reply's table. A failed item's bytes are a mapb_failure, an ended one's a mapb_item_end. */
typedef struct mapb_entry {
    uint64_t where; /* kind << 56 | offset */
    uint64_t size;
} mapb_entry;

typedef struct mapb_failure {
    int32_t code;
    uint32_t text_size;
    uint64_t text; /* Several items may have the same. */
    uint64_t data; /* What it had written to its output. */
    uint64_t data_size;
} mapb_failure;

/** Start of an output memory. Written by the worker. */
typedef struct mapb_outbox {
    uint64_t tail; /* Replies published. */
    uint8_t pad0[56];
    /* The blame word: low half of the ticket << 32 | index in the request + 1, or MAPB_MARK_RANGE | where a range begins; 0: on
     * nothing. Written before each begins. Cleared after the reply is published; a worker can die between the two, so the word says
     * something of the ticket it names alone. */
    uint64_t current;
    uint64_t fraction; /* mape_task_progress, as the bits of a double. */
    uint32_t yields;   /* 1: this worker reads inbox.yield. */
    uint32_t reports;  /* 1: a function may write to the report, at MAPB_REPORT_BYTES before the memory's end. */
    uint64_t mark;     /* mape_task_mark: how far the item is, */
    uint64_t marked;   /* and the blame word of that item. Written after it. */
    uint64_t leaving;  /* The last request of items that has ended: no signal is sent for it any more. */
    uint8_t pad1[16];
    uint32_t sleeping; /* 1: it sleeps on the futex inbox.tail and must be woken. */
    uint8_t pad2[60];
    uint64_t message_tail; /* Bytes written to the message ring. */
    uint64_t message_lost; /* Bytes of texts that had no room. */
    uint8_t pad3[48];
} mapb_outbox;

/** Before each text in the message ring; the texts follow, padded to 8 bytes. */
typedef struct mapb_message_head {
    uint32_t size;
    uint32_t level;
} mapb_message_head;

#define MAPB_REPLIES_OFFSET  4096u
#define MAPB_MESSAGES_OFFSET 8192u
#define MAPB_CRASH_OFFSET    24576u
#define MAPB_RESULTS_OFFSET  32768u
#define MAPB_REPORT_BYTES                                                                                              \
    65536u /* At the end of an output memory, behind all results: what mape_task_report_fd writes to. */

/** In outbox.current: a range function runs, and has not marked an item. */
#define MAPB_MARK_RANGE 0x80000000u
#define MAPB_NAME_SHIFT 16u
/** What the ranges of one job share. Written by the host. */
typedef struct mapb_job {
    uint32_t function;
    uint32_t
        cancel; /* Bit 0: stop soon. From bit MAPB_NAME_SHIFT on: the number of the name that it is shown by; 0: none. */
    uint64_t globals; /* Offset of a mapb_globals, the root, or 0. */
    uint64_t base;    /* Item i is at base + i * stride, unless there are spans. */
    uint64_t stride;  /* With spans a mask. */
    uint64_t size;
    uint64_t spans;   /* Offset of mapb_span entries, or 0: item i's is number i & stride. */
    uint64_t data;    /* Offset of a mapb_job_data, or 0. */
    uint64_t columns; /* A typed function's, in place of items: offset of a mapb_column per input; or 0. */
} mapb_job;

/** Data of a job: where, and how many bytes. */
typedef struct mapb_job_data {
    uint64_t at;
    uint64_t size;
} mapb_job_data;

/** In a job's table an item of several pieces has a span for each of them at `offset`, and MAPB_PIECES | their count as its size. */
typedef struct mapb_span {
    uint64_t offset;
    uint64_t size;
} mapb_span;

#define MAPB_PIECES 0x8000000000000000ull /* No item has as many bytes. */

/** Which file a library was when it was registered. Written by the host. */
typedef struct mapb_file {
    uint64_t device, inode, size;
    int64_t modified; /* Nanoseconds. */
    uint32_t known;   /* 0: the file was not looked up, so it may be any. */
    uint32_t build_id_size;
    uint8_t
        build_id[MAPB_BUILD_ID]; /* Decides alone when it is there: files with the same build id hold the same code. */
} mapb_file;

/** OFFERED: a part of a function that the zygote's program brings (mapb_offers.h); what it is the crash file says as well. */
enum mapb_place_kind {
    MAPB_PLACE_NONE = 0,
    MAPB_PLACE_POINTER = 1,
    MAPB_PLACE_OFFSET = 2,
    MAPB_PLACE_SYMBOL = 3,
    MAPB_PLACE_OFFERED_RUN = 5,
    MAPB_PLACE_OFFERED_RANGE = 6,
    MAPB_PLACE_OFFERED_SETUP = 7,
    MAPB_PLACE_OFFERED_CLEANUP = 8
};

/** Where a worker finds a piece of code. */
typedef struct mapb_place {
    uint32_t kind;
    uint32_t build_id_size;
    uint64_t
        value; /* The address, the offset from the library's base, or the input offset of the symbol's or function's name. */
    uint64_t library;                /* Input offset of the library's path; */
    uint64_t file;                   /* of its mapb_file, or 0. */
    uint8_t build_id[MAPB_BUILD_ID]; /* OFFSET: of the library as the host has it loaded. */
    uint64_t symbol; /* In pools that have a cluster: input offset of the symbol's name, also for an OFFSET; 0: none. */
} mapb_place;

/** In outbox.current, what a setup request does: it loads one of the function's places (0 run, 1 setup, 2 cleanup), or runs its setup. */
#define MAPB_AT_PLACE 1u
#define MAPB_AT_SETUP 4u
/** In outbox.current, beside ticket 0, before the first request: the worker is in the zygote's hook after_in_worker. */
#define MAPB_AT_HOOK 1u

typedef struct mapb_function {
    uint32_t id;
    uint32_t is_range;
    mapb_place run;
    mapb_place setup;
    mapb_place cleanup;
    uint64_t data; /* Input offset of the baked-in bytes, or the address itself with data_is_pointer. */
    uint64_t data_size;
    uint64_t data_is_pointer;
    uint64_t native; /* A typed function: input offset of its mapb_native; or 0. */
    /* For lanes. */
    uint64_t serial;    /* The host's id of it, which is never given again. */
    uint64_t prototype; /* A typed function: input offset of the text, ended with NUL; or 0. */
    uint32_t native_flags;
    uint32_t travels; /* 1: another machine can have it, as each of its places has a name. 0: no lane gets it. */
    uint64_t name;    /* Input offset of the name that it is shown by, ended with NUL; or 0. */
} mapb_function;

#define MAPB_GLOBALS_BITS  4u /* Of a name's hash that a node of a table of globals looks at; the root at the lowest. */
#define MAPB_GLOBALS_WIDTH 16u /* Its slots. */
#define MAPB_GLOBALS_NODE  1u  /* Set in a slot: it leads to a node, and not to a mapb_global. */

/** A node of a table of globals. Never changed; tables share nodes. */
typedef struct mapb_globals {
    uint64_t slots[MAPB_GLOBALS_WIDTH]; /* 0: nothing there. */
} mapb_globals;

/** A global. Its name follows, ended with NUL. */
typedef struct mapb_global {
    uint64_t hash;
    uint64_t data;
    uint64_t size;
    uint64_t next; /* Offset of another one of the same hash, or 0. */
} mapb_global;

_Static_assert(sizeof(mapb_pool_head) == 128 && offsetof(mapb_pool_head, doorbell) == 64, "layout");
_Static_assert(sizeof(mapb_file) == 72 && sizeof(mapb_job) == 64 && sizeof(mapb_failure) == 32, "layout");
_Static_assert(sizeof(mapb_request) == 64, "a request is a cache line");
_Static_assert(sizeof(mapb_reply) == 64, "a reply is a cache line");
_Static_assert(offsetof(mapb_inbox, line) == 128 && offsetof(mapb_inbox, requests) == 192 &&
                   offsetof(mapb_inbox, yield) == 64 && sizeof(mapb_inbox) <= MAPB_HOST_OFFSET &&
                   MAPB_HOST_OFFSET + MAPB_HOST_NAME <= MAPB_INBOX_BYTES,
               "layout");
_Static_assert(offsetof(mapb_outbox, current) == 64 && offsetof(mapb_outbox, sleeping) == 128, "layout");
_Static_assert(offsetof(mapb_outbox, message_tail) == 192 && sizeof(mapb_outbox) == 256, "layout");
_Static_assert(offsetof(mapb_pool_head, timed) == 80, "layout");
_Static_assert(sizeof(mapb_outbox) <= MAPB_TIMES_OFFSET &&
                   MAPB_TIMES_OFFSET + MAPB_RING * sizeof(mapb_times) <= MAPB_REPLIES_OFFSET,
               "layout");
_Static_assert(MAPB_REPLIES_OFFSET + MAPB_RING * sizeof(mapb_reply) <= MAPB_MESSAGES_OFFSET, "layout");
_Static_assert(MAPB_MESSAGES_OFFSET + MAPB_MESSAGES <= MAPB_CRASH_OFFSET, "layout");

_Static_assert(MAPB_NAMES_OFFSET == 4096 + MAPB_MAX_WORKERS * MAPB_INBOX_BYTES, "layout");
_Static_assert(MAPB_ARENA_OFFSET == MAPB_NAMES_OFFSET + 8 * MAPB_SHOWN_NAMES && MAPB_ARENA_OFFSET % 4096 == 0,
               "layout");

MAPB_FORK_SAFE static inline const mapb_inbox *mapb_inbox_at(const uint8_t *input, uint32_t worker) {
    return (const mapb_inbox *)(input + 4096 + (size_t)worker * MAPB_INBOX_BYTES);
}
MAPB_FORK_SAFE static inline const mapb_request *mapb_request_at(const mapb_inbox *inbox, uint64_t ticket) {
    return &inbox->requests[(ticket - 1) & (MAPB_RING - 1)];
}
MAPB_FORK_SAFE static inline mapb_reply *mapb_reply_at(uint8_t *output, uint64_t ticket) {
    return (mapb_reply *)(output + MAPB_REPLIES_OFFSET) + ((ticket - 1) & (MAPB_RING - 1));
}
MAPB_FORK_SAFE static inline mapb_times *mapb_times_at(uint8_t *output, uint64_t ticket) {
    return (mapb_times *)(output + MAPB_TIMES_OFFSET) + ((ticket - 1) & (MAPB_RING - 1));
}
/** Reads inbox.yield after outbox.current was written: the worker's half of an asymmetric barrier. This half orders only the compiler;
 *  the host's half, membarrier(2), orders the processor. So it costs nothing per item. */
MAPB_FORK_SAFE static inline uint64_t mapb_yield_after_mark(const mapb_inbox *inbox) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return mapb_peek(&inbox->yield);
}
/** The same place for the host, which writes there. */
static inline mapb_request *mapb_place_of_request(mapb_inbox *inbox, uint64_t ticket) {
    return &inbox->requests[(ticket - 1) & (MAPB_RING - 1)];
}
static inline mapb_inbox *mapb_inbox_of(uint8_t *input, uint32_t worker) {
    return (mapb_inbox *)(input + 4096 + (size_t)worker * MAPB_INBOX_BYTES);
}
/* Swift cannot take the address of a field behind a pointer to const. */
MAPB_FORK_SAFE static inline uint32_t mapb_spin(const mapb_pool_head *head) { return mapb_peek32(&head->spin); }
MAPB_FORK_SAFE static inline uint32_t mapb_is_timed(const mapb_pool_head *head) { return mapb_peek32(&head->timed); }
MAPB_FORK_SAFE static inline uint32_t mapb_waiter(const mapb_pool_head *head) { return mapb_peek32(&head->waiter); }
MAPB_FORK_SAFE static inline uint64_t mapb_doorbell(const mapb_pool_head *head) { return mapb_load(&head->doorbell); }
MAPB_FORK_SAFE static inline const uint64_t *mapb_inbox_tail(const mapb_inbox *inbox) { return &inbox->tail; }
MAPB_FORK_SAFE static inline uint64_t mapb_message_head_of(const mapb_inbox *inbox) {
    return mapb_load(&inbox->message_head);
}
MAPB_FORK_SAFE static inline uint64_t mapb_notify_at(const mapb_inbox *inbox) { return mapb_peek(&inbox->notify_at); }
/** Reads inbox.interrupt after outbox.leaving was written: the same barrier as for inbox.yield. */
MAPB_FORK_SAFE static inline uint64_t mapb_interrupt_after_leaving(const mapb_inbox *inbox) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return mapb_peek(&inbox->interrupt);
}
MAPB_FORK_SAFE static inline uint64_t mapb_interrupt_of(const mapb_inbox *inbox) {
    return mapb_peek(&inbox->interrupt);
}
MAPB_FORK_SAFE static inline int mapb_job_cancelled(const mapb_job *job) { return mapb_peek32(&job->cancel) & 1; }

#endif
