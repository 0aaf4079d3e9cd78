/* mapb_wait.h - the host's threads: the lock they share, their sleep, and the calls they make from inside ours
 *
 * A thread of the host may be cancelled (pthread_cancel, QThread::terminate), and a callback may be left by longjmp, by an exception
 * or by pthread_exit. Swift frames that are skipped in this way never release what they hold. So there are none where it can happen: a
 * thread sleeps, and calls callbacks, with only C frames of ours on its stack, between steps of the engine that return each time.
 *
 *   mape_job_wait ──► mapb_wait_run ──► mapb_wait_step (Swift: what is there to wait for?) ──┐
 *                          ▲ └─────────► sleep: the only place where a cancel acts           │
 *                          └───────────────────────────────────────────────────────────────┘
 */
#ifndef MAPB_WAIT_H
#define MAPB_WAIT_H

#include "mapb_layout.h"
#include "mapb_platform.h"

#include <pthread.h>

/** Marks a pointer in a structure that Swift hands on and never follows: to set it, or to look whether it is NULL, is safe. */
#define MAPB_HANDED_ON __attribute__((swift_attr("safe")))

/* ---- cancelling ---- */

#define MAPB_CANCEL_ASYNC 2

/** Every entry point holds cancel requests back: a thread that ended here would leave locks and counters behind.
 *  @return what mapb_let_cancel is to set again. */
static inline int mapb_hold_cancel(void) {
    int type = PTHREAD_CANCEL_DEFERRED, state = PTHREAD_CANCEL_ENABLE;
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    if (type != PTHREAD_CANCEL_ASYNCHRONOUS) return state;
    mapb_await_cancel();
    return state | MAPB_CANCEL_ASYNC;
}
static inline int mapb_cancel_state(int held) { return held & ~MAPB_CANCEL_ASYNC; }
static inline void mapb_let_cancel(int held) {
    if (held & MAPB_CANCEL_ASYNC) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    pthread_setcancelstate(mapb_cancel_state(held), NULL);
}

/* ---- a lock that is fair ---- */

/** A lock of this process. A thread that has waited for it long comes before threads that only now ask: a thread that takes it again and
 *  again, as one that submits in a loop does, does not starve others. */
typedef struct mapb_lock {
    uint32_t state;  /* 0: free, 1: held, 2: held, and a thread sleeps. */
    uint32_t hungry; /* How many threads have waited long: while there are some, no new thread gets the lock. */
} mapb_lock;

void mapb_lock_wait(mapb_lock *lock);
void mapb_lock_wake(mapb_lock *lock);

static inline void mapb_lock_acquire(mapb_lock *lock) {
    uint32_t free = 0;
    if (__atomic_load_n(&lock->hungry, __ATOMIC_RELAXED) != 0 ||
        !__atomic_compare_exchange_n(&lock->state, &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        mapb_lock_wait(lock);
}
static inline void mapb_lock_release(mapb_lock *lock) {
    if (__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2) mapb_lock_wake(lock);
}

/* ---- calls of the host's functions ---- */

/** Where a thread calls a function of the host, so that it and other threads can find out whether the call still runs. */
typedef struct mapb_mark {
    int32_t thread;
    uint32_t number;       /* Of the call: never 0 in a mark that is set. */
    const uint64_t *place; /* In the frame of C that calls. */
} mapb_mark;

/** A function whose frame holds a seal: it is not inlined. */
#define MAPB_CALLS_OUT __attribute__((noinline))
#define MAPB_SEALS     4
/** What lies in that frame as long as it lives. */
typedef struct mapb_seal {
    uint64_t words[MAPB_SEALS];
} mapb_seal;

/** Marks a frame. */
mapb_mark mapb_mark_frame(mapb_seal *seal);
/** Ends that: what is left on the stack is no seal. */
void mapb_unmark_frame(mapb_seal *seal);
/** Whether the call of a mark still runs; 1 when in doubt. */
int mapb_goes_on(mapb_mark mark);
/** Whether the calling thread made the mark. */
int mapb_is_mine(mapb_mark mark);

/* ---- interrupts ---- */

/** A pool as a signal handler finds it. */
typedef struct mapb_interrupts {
    struct mapb_interrupts *next;
    void *handle;     /* The pool's, by which it is found; NULL: no pool's. */
    uint32_t calls;   /* Threads that are in mapb_interrupt with it. */
    uint32_t count;   /* How many interrupts there were; */
    uint32_t seen;    /* and for how many of them waits have returned. */
    int32_t bell;     /* The bell of the thread that leads, */
    int32_t notifier; /* what wakes those who sleep lightly, negative: there are none, */
    uint32_t *word;   /* and the counter on which the others sleep. */
} mapb_interrupts;

/** @return NULL: there is no memory. */
mapb_interrupts *mapb_interrupts_open(uint32_t *word, int bell, int notifier);
/** handle: NULL: it is not found any more. */
void mapb_interrupts_name(mapb_interrupts *interrupts, void *handle);
/** Waits until nobody is in it: word and bell may go. */
void mapb_interrupts_close(mapb_interrupts *interrupts);
static inline uint32_t mapb_interrupts_count(const mapb_interrupts *interrupts) {
    return mapb_load32(&interrupts->count);
}
static inline uint32_t mapb_interrupts_seen(const mapb_interrupts *interrupts) {
    return mapb_load32(&interrupts->seen);
}
/** Ends the waits on a pool. In signal handlers as well. @return a status. */
int mapb_interrupt(void *handle);

/* ---- waiting ---- */

enum mapb_wait_kind { MAPB_WAIT_JOB = 1, MAPB_WAIT_EVENT = 2, MAPB_WAIT_START = 3, MAPB_WAIT_CALL = 4 };

/** A thread's wait, in its own frame. While it sleeps, all its references to the engine stand here. */
typedef struct mapb_wait {
    uint32_t kind;    /* An enum mapb_wait_kind. */
    int32_t status;   /* How it ended. */
    int64_t timeout;  /* As given: */
    int64_t deadline; /* and when that is over. */
    void *pool;       /* References: to the pool, and to the job or proxied call that it waits for. */
    void *object;
    mape_event *events; /* For MAPB_WAIT_EVENT: room for so many, */
    uint64_t capacity;
    uint64_t count;                       /* and how many have come. */
    uint32_t interrupts;                  /* How many there were before. */
    int32_t interruptible;                /* 1: a signal ends it. */
    MAPB_HANDED_ON mapb_signals *signals; /* What is held back then. */
    int32_t notifier;                     /* Tells of each change of the counter, where a signal ends the wait. */
    int32_t signalled;                    /* 1: a handler has run in its sleep. */
    int32_t leads;                        /* 1: this thread leads, and moves the data: Waiting.swift. */
    int32_t bell; /* The descriptor to sleep on; negative: the thread sleeps on the counter while it is `seen`. */
    MAPB_HANDED_ON const uint32_t *word;
    uint32_t seen;
    int32_t cancel;   /* What mapb_hold_cancel returned. */
    mape_event event; /* For MAPB_WAIT_EVENT with room for one: that one. Last, and not set before. */
} mapb_wait;

/** Waits to the end. Called with cancellation deferred. @return wait->status. */
int mapb_wait_run(mapb_wait *wait);
/** In Swift: checks the wait, and moves data. @return 1: sleep, then call again; 0: the wait is over and holds nothing any more. */
int mapb_wait_step(mapb_wait *wait);
/** In Swift: the thread was cancelled in its sleep. */
void mapb_wait_left(mapb_wait *wait);
/** In Swift: begins a wait. @return 1, or 0 when there is nothing to wait for: `status` says why. */
int mapb_wait_begin(mapb_wait *wait, void *handle);

/** mape_job_wait and mape_pool_start. */
int mapb_wait_for(uint32_t kind, void *handle, int64_t timeout_ns);
/** mape_pool_next_event and mape_pool_next_events. out_count: may be NULL. */
int mapb_wait_events(void *pool, int64_t timeout_ns, mape_event *out, uint64_t capacity, size_t *out_count);

/* ---- dispatch ---- */

/** A dispatch, in its thread's frame. */
typedef struct mapb_delivery {
    mapb_seal seal;
    mapb_mark mark;
    int32_t cancel;
    void *pool;     /* References, which the pool releases if the dispatch was abandoned: to the pool, */
    void *items;    /* and to the events that it delivers. */
    uint64_t limit; /* How many more events may be delivered. */
    int64_t end;    /* When the budget is over. */
    MAPB_HANDED_ON mape_event_fn callback; /* NULL: the events have no callback. */
    MAPB_HANDED_ON void *context;
    mape_event event;
    /* Items: */
    uint64_t count, delivered;
    uint64_t *begun; /* The engine's count of items passed to the callback, in case the callback does not return. */
    int32_t is_items;
    int32_t is_plain; /* 1: all results have one size, and the next lies behind this one. */
    uint64_t size;
    uint32_t process;         /* mapb_process_number when it began. */
    const uint32_t *releases; /* Changes when a job is released. */
    uint32_t released;
} mapb_delivery;

MAPB_CALLS_OUT int mapb_dispatch(void *handle, uint32_t max_events, int64_t budget_ns);
/** In Swift. @return MAPE_OK or a status. */
int mapb_deliver_begin(mapb_delivery *delivery, void *handle, int64_t budget_ns);
/** In Swift: makes the next events ready. @return 0: there are none. */
int mapb_deliver_next(mapb_delivery *delivery);
/** In Swift: fills the event of the first ready item that is not delivered. */
void mapb_deliver_item(mapb_delivery *delivery);
/** In Swift: the ready events are delivered. @return how many events that is; -1: another thread has ended this dispatch as abandoned. */
int64_t mapb_delivered(mapb_delivery *delivery);
/** In Swift: the dispatch is over. */
void mapb_deliver_end(mapb_delivery *delivery);

/* ---- the wakeup hook ---- */

/** Calls the function of a wakeup hook, if it has one. `its`: the Hook, in Swift. */
MAPB_CALLS_OUT void mapb_call_hook(void *its);
/** In Swift: the hook to call, noted as running. @return 0: there is none. */
int mapb_hook_begins(void *its, mapb_mark mark, void (**hook)(void *), void **context);
void mapb_hook_ends(void *its, mapb_mark mark);

/* ---- calls of proxies ---- */

/** A call of a proxy, in its thread's frame. */
typedef struct mapb_calling {
    void *proxy;
    mapb_wait wait;
    mapb_mark mark;                              /* Of the call of on_error, */
    mapb_seal seal;                              /* here, because this lives until the call is counted off. */
    MAPB_HANDED_ON mape_proxy_error_fn on_error; /* NULL: there is no failure to report. */
    MAPB_HANDED_ON void *context;
    mape_result failure;
    void *outcome;   /* A reference to the outcome that `told` points into. */
    int32_t in_host; /* 0: this is a forked child, which must take no lock. */
} mapb_calling;

/** The function in whose frame a proxy's calls are marked. */
const void *mapb_proxy_frame(void);

/* In Swift: */

/** Submits the call. refused: why this process can make no call, as a status; else 0. @return 1: wait for it, then mapb_call_end. */
int mapb_call_begin(mapb_calling *calling, void *result, void **arguments, int32_t refused);
/** The wait is over: writes result and outputs, or notes the failure. error: the calling thread's errno, in and out. */
void mapb_call_end(mapb_calling *calling, void *result, void **arguments, int *error);
/** on_error begins: its proxy must not be released meanwhile. */
void mapb_call_reports(mapb_calling *calling);
/** It has returned, or its thread ends in it: to be said before the frame is unmarked. */
void mapb_call_reported(mapb_calling *calling);
/** The call returns, or its thread ends. */
void mapb_call_over(mapb_calling *calling);
/** Forgets the calls of on_error that were left by a jump, or with their thread. @return how many. */
uint32_t mapb_calls_left(void *proxy);

#endif
