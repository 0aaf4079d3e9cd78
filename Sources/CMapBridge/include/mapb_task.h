/* mapb_task.h - a worker and its task: what Worker/ of the engine keeps, and the only places that call a user's function */
#ifndef MAPB_TASK_H
#define MAPB_TASK_H

#include "mapb_layout.h"
#include "mapb_platform.h"

/** What a setup has left of the process's state to its function alone. */
typedef struct mapb_own mapb_own;

/** A function as a worker holds it. */
typedef struct mapb_loaded {
    void *run;
    void *cleanup;
    void *state;
    void *native; /* A typed function, prepared; or NULL. */
    uint64_t native_size;
    mapb_own *own; /* What its setup left of the process's state; NULL: what the worker began with. */
    uint32_t is_range;
    uint32_t ready;
} mapb_loaded;

/** Bits. TIMED goes with RANGE alone: the items that a range function begins are timed, so that an untimed one pays nothing for it. */
enum mapb_task_mode {
    MAPB_MODE_NONE = 0,
    MAPB_MODE_ITEM = 1,
    MAPB_MODE_RANGE = 2,
    MAPB_MODE_SETUP = 4,
    MAPB_MODE_TIMED = 8
};

/** What one call of a worker function sees, and the state of the worker: a worker process has one of it. */
struct mape_task {
    const uint32_t *alone; /* *alone is 1 in the worker, and 0 in a process that was forked from it. */
    const uint8_t *input;  /* The pool's input memory. */
    uint8_t *output;       /* This worker's output memory. */
    const mapb_pool_head *head;
    const mapb_inbox *inbox;
    mapb_outbox *outbox;
    const mapb_job *job;
    mapb_reply *reply;
    mapb_loaded **functions; /* A table per MAPB_FUNCTIONS_PER_TABLE functions, or NULL while there is none. */
    uint64_t globals;
    uint64_t hole_cursor, hole_limit;
    uint64_t frontier_cursor, frontier_limit;
    uint64_t ticket;
    int64_t crowded_at;  /* When the worker last found itself on the processor of the host's waiting thread. */
    uint64_t bell_epoch; /* The doorbell's epoch for which the worker has already rung. */
    uint64_t first;      /* The range: index of its first item, */
    uint64_t count;      /* how many, */
    uint64_t part;       /* where in the request the running range begins, */
    uint64_t part_count; /* how many items it has, */
    uint64_t position;   /* which one is running (count of those begun, in a range function), */
    uint64_t ended;      /* how many are recorded in the reply. */
    uint64_t result;     /* The running item's result: offset, */
    uint64_t result_size;
    uint32_t slot;
    uint32_t mode;
    int32_t pid;
    uint32_t is_suspect; /* A function has run long enough to have changed the process's state. */
    uint32_t entered;    /* Id of the function whose state the process is in, plus 1; 0: none's. */
    const mapb_own *own; /* That state. */
    int32_t bells[2];
    mapb_inode bell_files[2];
    int32_t report_file; /* What mape_task_report_fd returns: this output memory, at its report; -1: none. */
    uint32_t reports;    /* 1: a function has asked for it. */
    mapb_inode report_inode;
    uint32_t has_result;
    uint32_t has_range_result;
    uint32_t out_of_memory;
    uint32_t failed;
    int32_t fail_code;
    uint32_t fail_size;  /* Bytes of its text: in fail_text, */
    uint64_t fail_place; /* or there in the output memory; 0: not there. */
    uint64_t
        stopped_at; /* The blame word of the item that was told to stop, by mape_task_cancelled or by the cancel signal. */
    uint64_t interrupted;  /* The inbox.interrupt for which the engine's signal has come: written by its handler. */
    int32_t cancel_signal; /* Raised in an item that is to stop; 0: none. */
    uint32_t in_call;      /* 1: a user's function runs an item. Read by the handler. */
    uint32_t begun;        /* A range function has used mape_task_begin. */
    uint64_t growth;       /* Bytes of growth after which the worker reports to the host; 0: never. */
    uint64_t grown_from;   /* Private memory when the first item began. */
    int64_t grown_look;    /* When to check again. */
    mapb_times *times;     /* Of the running range; NULL: the pool is not traced. */
    int64_t lap_began;     /* When the running lap began, some items between two looks at the clock, */
    uint64_t lap_first;    /* its first item in the request, */
    uint64_t lap_end;      /* and the one behind its last. */
    uint64_t lap_stop;     /* where the loop over items looks next whether it is over: lap_end, or the range's end. */
    uint64_t lap_longest;  /* What the slowest item has taken, as far as laps tell. */
    uint32_t logs_here;    /* 1: mape_task_log writes to standard error, as nobody reads the message ring (a replay). */
    char fail_text[MAPB_TEXT];
};

/** Whether this is the worker, and not a process that was forked from it. A child of vfork(2) shares the worker's memory; only its
 *  process id differs. */
MAPB_FORK_SAFE static inline int mapb_is_alone(const mape_task *t) { return *t->alone != 0; }
MAPB_FORK_SAFE static inline char *mapb_task_text(mape_task *t) { return t->fail_text; }

/* A user's function is code the compiler cannot see: these are the only places that call it. */

MAPB_FORK_SAFE static inline int mapb_call_run(void *run, mape_task *task, void *state, const void *input,
                                               size_t size) {
    return ((mape_run_fn)run)(task, state, input, size);
}
MAPB_FORK_SAFE static inline int mapb_call_range(void *run, mape_task *task, void *state, const mape_range *range) {
    return ((mape_run_range_fn)run)(task, state, range);
}
MAPB_FORK_SAFE static inline int mapb_call_setup(void *setup, mape_task *task, const void *data, size_t size,
                                                 void **out) {
    return ((mape_setup_fn)setup)(task, data, size, out);
}
/* The same, where the cancel signal may be raised: only between the two stores. */
MAPB_FORK_SAFE static inline int mapb_call_run_armed(void *run, mape_task *task, void *state, const void *input,
                                                     size_t size) {
    __atomic_store_n(&task->in_call, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    int code = ((mape_run_fn)run)(task, state, input, size);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&task->in_call, 0, __ATOMIC_RELAXED);
    return code;
}
MAPB_FORK_SAFE static inline int mapb_call_range_armed(void *run, mape_task *task, void *state,
                                                       const mape_range *range) {
    __atomic_store_n(&task->in_call, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    int code = ((mape_run_range_fn)run)(task, state, range);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&task->in_call, 0, __ATOMIC_RELAXED);
    return code;
}
MAPB_FORK_SAFE static inline void mapb_call_cleanup(void *cleanup, mape_task *task, void *state) {
    ((mape_cleanup_fn)cleanup)(task, state);
}

#endif
