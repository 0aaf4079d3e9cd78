/* ranges.pml - the life of ranges: assign, publish, run with the blame word, reply, pump, death at every step, cancel, take back,
 * replacement.
 *
 * The host is one process: whoever has the pool's lock. Each of its steps is what happens under the lock without a look at memory that a
 * worker may change meanwhile; where it looks twice, there are two steps. Before the lock is left, Core+FollowUp.followUp assigns, then fills
 * empty places, then publishes. Here each of these may happen at any time after that, so the code's order is one of those that are searched.
 *
 * Set from outside (scripts/model.sh): KIND, ITEMS, WORKERS, RING, BUFFER, STEP, DEATHS, KILLS, ATTEMPTS, CANCEL, RECLAIMS, BAD.
 *
 * KIND LANE is a worker whose ranges run on other machines: Core+Lanes.
 *
 * Properties: the assertions here and in the files below; no end but with every item ended; no execution goes on for ever.
 */
#define NONE  0
#define READY 1
#define DYING 2

byte state[WORKERS];     /* Worker.state */
byte published[WORKERS]; /* Worker.published */
byte answered[WORKERS];  /* Worker.answered */
byte verdict[WORKERS];   /* Worker.verdict: TIMED_OUT or 0 */
byte seenWord[WORKERS];  /* Worker.seen: its word */
bool killAsked[WORKERS]; /* A KILL is on its way to the zygote. */

/* Worker.assigned */
byte assignedFirst[WORKERS * RING];
byte assignedCount[WORKERS * RING];
bool reclaimed[WORKERS * RING]; /* Assignment.wasReclaimed */

byte deaths = DEATHS; /* How many more workers may die of what nobody foresaw, */
byte kills = KILLS;   /* be killed by the pool for a time limit. */
byte reclaims = RECLAIMS;
bool mayCancel = CANCEL;
byte mark, how, at, half, seen; /* Temporaries of the host, 0 between steps. */

#include "job.pml"
#include "worker.pml"

inline clearAssigned(w, ticket) {
    assignedFirst[SLOT(w, ticket)] = 0;
    assignedCount[SLOT(w, ticket)] = 0;
    reclaimed[SLOT(w, ticket)] = 0
}

/* Core+Pump.acceptReplies, WorkerLink+Replies.accept, Core+Pump.acceptRange, Worker.finish: every reply that was published. */
inline acceptReplies(w) {
    do
    :: outboxTail[w] > answered[w] ->
        answered[w] = answered[w] + 1;
        f = assignedFirst[SLOT(w, answered[w])];
        c = assignedCount[SLOT(w, answered[w])];
        x = replyDone[SLOT(w, answered[w])];
        /* A worker that does as it should is never taken for a hostile one. */
        assert(x <= c && x <= replyHolds[SLOT(w, answered[w])]);
        /* Items are left over only if it was told to stop. */
        assert(x == c || ending || reclaimed[SLOT(w, answered[w])]);
        n = 0;
        do
        :: n < x -> endItem(f + n, OK); n++
        :: else -> break
        od;
        n = 0;
        requeue(f + x, c - x);
#ifdef BUG_REPLY_STAYS_GIVEN
        answered[w] = answered[w] - 1;
        break
#else
        clearAssigned(w, answered[w])
#endif
    :: else -> break
    od;
    f = 0; c = 0; x = 0
}

#include "deaths.pml"

/* Core+Assign.assignRange and Worker.assign: up to `most` items into a worker's inbox. Any size: the code's choice is one of them. */
inline give(w, most) {
    nextRange(most);
    published[w] = published[w] + 1;
    assignedFirst[SLOT(w, published[w])] = f;
    assignedCount[SLOT(w, published[w])] = c;
    reclaimed[SLOT(w, published[w])] = 0;
    requestFirst[SLOT(w, published[w])] = f;
    requestCount[SLOT(w, published[w])] = c;
    f = 0; c = 0
}

/* Core+Assign.mayRun */
#define TAKES(w) (state[w] == READY && published[w] - answered[w] < RING && published[w] < 15 && HAS_WAITING)

#define WORKS(w) (published[w] > answered[w])
#define LAST(w) SLOT(w, published[w])
/* Core+Reclaim.mayReclaim */
#define MAY_RECLAIM(w) (state[w] == READY && WORKS(w) && !reclaimed[LAST(w)] && \
    (published[w] - answered[w] > 1 || assignedCount[LAST(w)] > 1 || KIND == LANE))
#define IS_IDLE(w) (WORKERS == 1 || (state[w] == READY && !WORKS(w)))

/* Worker.reclaim and BlameMark.begun, after WorkerLink.stand has looked: one request. `x` holds outbox.tail, `seen` holds outbox.current. */
inline reclaimFrom(w, ticket) {
    reclaimed[SLOT(w, ticket)] = 1;
    if
    :: ticket > x ->
        at = 0;
        mark = (TICKET_OF(seen) == ticket -> MARK_OF(seen) : 0);
        if
        :: mark >= MARK_RANGE -> at = mark - MARK_RANGE + STEP
        :: mark < MARK_RANGE -> at = mark
        fi;
        c = assignedCount[SLOT(w, ticket)];
        if
        :: at < c ->
            assignedCount[SLOT(w, ticket)] = at;
            requeue(assignedFirst[SLOT(w, ticket)] + at, c - at)
        :: else
        fi
    :: else
    fi;
    at = 0; mark = 0; c = 0
}

#define HOST_GIVES(w, most) :: d_step { TAKES(w) -> give(w, most) }

#define HOST_SERVES(w, other) \
    HOST_GIVES(w, 1) \
    HOST_GIVES(w, 2) \
    HOST_GIVES(w, ITEMS) \
    :: d_step { inboxTail[w] != published[w] && state[w] != NONE -> inboxTail[w] = published[w] } /* Core+Assign.publish and WorkerLink.publish, by Core+FollowUp.followUp */ \
    :: d_step { state[w] == READY && outboxTail[w] != answered[w] -> acceptReplies(w) } /* Core+Pump.pump */ \
    :: d_step { gone[w] -> died(w) } /* Core+Zygote.receiveControl */ \
    :: d_step { state[w] == NONE -> spawn(w) } /* Core+Recycle.refill, by Core+FollowUp.followUp */ \
    :: d_step { kills > 0 && state[w] == READY && WORKS(w) -> checkTime(w) } \
    :: atomic { reclaims > 0 && MAY_RECLAIM(w) && IS_IDLE(other) -> reclaims-- }; reclaim(w)

/* Core+Start.spawn */
inline spawn(w) {
    published[w] = 0;
    answered[w] = 0;
    inboxTail[w] = 0;
    outboxTail[w] = 0; /* A new output memory. */
    current[w] = 0;
    yield[w] = 0;
    state[w] = READY;
    forked[w] = 1
}

/* Core+Deadlines.checkTime: time goes by without a step, or it seems so. Core+Deaths.kill, and Core+Deaths.sendKill. */
inline checkTime(w) {
    if
    :: current[w] != seenWord[w] -> seenWord[w] = current[w]
    :: else ->
        kills--;
        state[w] = DYING;
        verdict[w] = TIMED_OUT;
        killAsked[w] = 1
    fi
}

/* Core+Reclaim.reclaim, WorkerLink.askToYield, WorkerLink.stand */
inline reclaim(w) {
    yield[w] = published[w];
#if !defined(BUG_NO_BARRIER) && KIND != LANE
    /* A lane makes its half of the barrier itself. host_waiting.mapb_barrier: the worker's processor has no store left in its buffer. */
    d_step { drain(w, x, n); x = 0; n = 0 }
#endif
#ifdef BUG_TAIL_FIRST
    x = outboxTail[w];
    seen = current[w];
#else
    seen = current[w];
    x = outboxTail[w];
#endif
    d_step {
        if
        :: published[w] - answered[w] > 1 -> reclaimFrom(w, published[w] - 1)
        :: else
        fi;
        reclaimFrom(w, published[w]);
        x = 0;
        seen = 0
    }
}

proctype host() {
    do
    HOST_SERVES(0, WORKERS - 1)
#if WORKERS > 1
    HOST_SERVES(1, 0)
#endif
#if WORKERS == 1
    /* Another worker, which never dies, runs an item. */
    :: d_step { reclaims < RECLAIMS && HAS_WAITING -> nextRange(1); assert(begun[f] <= lostOn[f]); begun[f] = begun[f] + 1; endItem(f, OK); f = 0; c = 0 }
#endif
    :: d_step { mayCancel && ended < ITEMS -> mayCancel = 0; cancelJob() }
    :: d_step { ended == ITEMS -> assert(running == 0 && !HAS_WAITING) } -> break
    od
}

/* What nobody foresaw: a SIGKILL, the kernel out of memory. And Zygote.zygoteReceive, which kills when the host asks. */
proctype fate() {
end:
    do
    :: d_step { deaths > 0 && ended < ITEMS && forked[0] && !killed[0] -> deaths--; killed[0] = 1 }
    :: d_step { killAsked[0] && forked[0] -> killAsked[0] = 0; killed[0] = 1 }
#if WORKERS > 1
    :: d_step { deaths > 0 && ended < ITEMS && forked[1] && !killed[1] -> deaths--; killed[1] = 1 }
    :: d_step { killAsked[1] && forked[1] -> killAsked[1] = 0; killed[1] = 1 }
#endif
    od
}

init {
    atomic {
        run worker(0);
#if BUFFER > 0
        run storeBuffer(0);
#endif
#if WORKERS > 1
        run worker(1);
#if BUFFER > 0
        run storeBuffer(1);
#endif
#endif
        run fate();
        run host()
    }
}
