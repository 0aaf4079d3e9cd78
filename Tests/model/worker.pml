/* worker.pml - a worker process: takes requests from its inbox, runs their items, publishes replies. It can die before each of its steps.
 *
 * What it stores into `current` and `tail` goes through a store buffer (first in, first out, as on x86-64), from which it reaches the
 * memory at any later time. Replies are stored directly: the host reads them only after `tail`, or after the death, when the buffer is
 * empty; the order of stores is all that matters then.
 */

/* A range function says which item it is on (mape_task_begin); a range function that does not; a function per item. */
#define ITEM_FUNCTION  1
#define BEGIN_FUNCTION 2
#define RANGE_FUNCTION 3
/* No worker but a lane: the items run on another machine, and have begun when their answer is here. */
#define LANE           4

#define MARK_RANGE  8  /* MAPB_MARK_RANGE */
#define MARK_ANSWER 15 /* MAPB_MARK_ANSWER */
#define WORD(ticket, mark) ((ticket) * 16 + (mark))
#define TICKET_OF(word) ((word) / 16)
#define MARK_OF(word) ((word) % 16)
#define SLOT(w, ticket) ((w) * RING + ((ticket) - 1) % RING)

/* What the host writes. */
byte inboxTail[WORKERS];
byte yield[WORKERS];
byte requestFirst[WORKERS * RING];
byte requestCount[WORKERS * RING];

/* What the worker writes. */
byte outboxTail[WORKERS];
byte current[WORKERS];
byte replyDone[WORKERS * RING];
byte replyHolds[WORKERS * RING]; /* How many items of the request are recorded in the reply, in base and size or in its table. */

/* The process. */
bool forked[WORKERS]; /* Lives. */
bool killed[WORKERS]; /* Takes no further step. */
bool gone[WORKERS];   /* Was reaped, its DIED is on its way. */

/* Ghost: the item a worker is on, plus 1: marked last, and not left for another one. */
byte on[WORKERS];

#define CURRENT 1
#define TAIL    2

#if BUFFER > 0
chan buffer[WORKERS] = [BUFFER] of { byte, byte };
#define STORE_CURRENT(v) buffer[w]!CURRENT, v
#define STORE_TAIL(v) buffer[w]!TAIL, v
#define FENCE empty(buffer[w])

/* One store leaves the buffer. */
inline drainOne(w, place, value) {
    buffer[w]?place, value;
    if
    :: place == CURRENT -> current[w] = value
    :: else -> outboxTail[w] = value
    fi;
    place = 0;
    value = 0
}

inline drain(w, place, value) {
    do
    :: nempty(buffer[w]) -> drainOne(w, place, value)
    :: empty(buffer[w]) -> break
    od
}

/* The processor: stores become visible at some time. */
proctype storeBuffer(byte w) {
    byte p, v;
end:
    do
    :: d_step { nempty(buffer[w]) -> drainOne(w, p, v) }
    od
}
#else
#define STORE_CURRENT(v) current[w] = v
#define STORE_TAIL(v) outboxTail[w] = v
#define FENCE skip
inline drain(w, place, value) { skip }
#endif

/* An item begins. That it had begun before is right only if a worker was lost on it. */
#define BEGIN_ITEM(item) \
    assert(begun[item] <= lostOn[item]); \
    begun[item] = begun[item] + 1; \
    if \
    :: (item) == BAD -> killed[w] = 1 \
    :: else \
    fi

/* WorkerMain.workerYields, and the look at the job's word `cancel`. */
#define MUST_STOP (ending || yield[w] >= ticket)

proctype worker(byte w) {
    byte ticket, i, first, count, k, p, v;
end_unborn:
    do
    :: forked[w] ->
        {
            do
            :: ticket++;
end_idle:
                /* WorkerMain.workerAwait; see sleep.pml for how it sleeps. WorkerMain.workerAnswer: the reply is begun. */
                atomic {
                    inboxTail[w] >= ticket ->
                    first = requestFirst[SLOT(w, ticket)];
                    count = requestCount[SLOT(w, ticket)];
                    replyHolds[SLOT(w, ticket)] = 0;
                    i = 0
                }
#if KIND == ITEM_FUNCTION
                /* WorkerRange.rangeLoop */
                do
                :: i < count ->
                    /* WorkerRange.itemBegin: WorkerMain.workerMark */
                    atomic { STORE_CURRENT(WORD(ticket, i + 1)) -> on[w] = first + i + 1 }
                    if
                    :: atomic { MUST_STOP -> break }
                    :: atomic { !MUST_STOP -> BEGIN_ITEM(first + i) }
                    fi;
                    /* WorkerRange.itemEnd */
                    atomic { replyHolds[SLOT(w, ticket)] = i + 1; i++ }
                :: i == count -> break
                od;
#endif
#if KIND == BEGIN_FUNCTION
                /* WorkerRange.rangeCall, of one part; i: how many were begun */
                STORE_CURRENT(WORD(ticket, MARK_RANGE));
                if
                :: MUST_STOP
                :: !MUST_STOP ->
                    do
                    :: i < count ->
                        /* TaskABI.mape_task_begin */
#ifndef BUG_MARK_BEFORE_RECORD
                        if
                        :: i > 0 -> replyHolds[SLOT(w, ticket)] = i
                        :: i == 0
                        fi;
#endif
                        atomic { STORE_CURRENT(WORD(ticket, i + 1)) -> on[w] = first + i + 1 }
                        if
                        :: atomic { MUST_STOP ->
                            /* A crash before the function returns is that of the one before. */
                            STORE_CURRENT(WORD(ticket, (i > 0 -> i : MARK_RANGE)));
                            on[w] = (i > 0 -> first + i : 0);
                            break
                            }
                        :: !MUST_STOP
                        fi;
#ifdef BUG_MARK_BEFORE_RECORD
                        if
                        :: i > 0 -> replyHolds[SLOT(w, ticket)] = i
                        :: i == 0
                        fi;
#endif
                        atomic { BEGIN_ITEM(first + i); i++ }
                    :: i == count -> break
                    od
                fi;
                /* The item that was begun last ends with the call. */
                replyHolds[SLOT(w, ticket)] = i;
#endif
#if KIND == RANGE_FUNCTION
                /* WorkerRange.rangeCalls: STEP items at a time */
                do
                :: i < count ->
                    /* WorkerRange.rangeCall */
                    STORE_CURRENT(WORD(ticket, MARK_RANGE + i));
                    if
                    :: atomic { MUST_STOP -> break }
                    :: atomic { !MUST_STOP ->
                        k = i;
                        do
                        :: k < count && k < i + STEP -> BEGIN_ITEM(first + k); k++
                        :: else -> break
                        od
                        }
                    fi;
                    /* WorkerRange.rangeEnd */
                    atomic { replyHolds[SLOT(w, ticket)] = k; i = k; k = 0 }
                :: i == count -> break
                od;
#endif
#if KIND == LANE
                /* The answer comes, at any time. docs/cluster.md has the helper's half; lanes.MAPB_MARK_ANSWER. */
#ifdef BUG_LANE_LOOKS_FIRST
                k = yield[w] >= ticket;
#endif
#ifdef BUG_LANE_MARKS_AN_ITEM
                STORE_CURRENT(WORD(ticket, 1));
#else
                STORE_CURRENT(WORD(ticket, MARK_ANSWER));
#endif
#ifndef BUG_LANE_NO_FENCE
                FENCE;
#endif
                atomic {
#ifdef BUG_LANE_LOOKS_NOT
                    k = 0;
#else
#ifndef BUG_LANE_LOOKS_FIRST
                    k = yield[w] >= ticket;
#endif
#endif
                    do
                    :: !k && i < count -> BEGIN_ITEM(first + i); i++
                    :: k || i == count -> break
                    od;
                    replyHolds[SLOT(w, ticket)] = i;
                    k = 0
                }
#endif
                replyDone[SLOT(w, ticket)] = i;
                /* WorkerMain.workerPublish */
#ifdef BUG_CLEAR_BEFORE_PUBLISH
                STORE_CURRENT(0);
                STORE_TAIL(ticket);
#else
#ifdef BUG_PUBLISH_BEFORE_FILLING
                atomic { replyDone[SLOT(w, ticket)] = 0; STORE_TAIL(ticket) }
                replyDone[SLOT(w, ticket)] = i;
#else
                STORE_TAIL(ticket);
#endif
                STORE_CURRENT(0);
#endif
                /* WorkerMain.workerNotify begins with a fence. */
                FENCE
            od
        } unless { killed[w] };
        /* A process that enters the kernel to die has no store left in its buffer. Zygote.zygoteReap: reaps it and sends DIED. */
        d_step {
            drain(w, p, v);
            forked[w] = 0;
            killed[w] = 0;
            gone[w] = 1;
            ticket = 0; i = 0; first = 0; count = 0; k = 0
        }
    od
}
