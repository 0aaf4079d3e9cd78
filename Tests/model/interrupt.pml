/* interrupt.pml - the cancel signal: the engine's signal comes while the item runs that it was sent for, or between items, and never in
 * a later item.
 *
 *   host:    interrupt = W;  yield;  barrier;  current == W and leaving < its ticket?  send;  else interrupt = 0    Core+Interrupt.interrupt
 *   worker:  ... W ends;  leaving = ticket;  interrupt of this ticket?  wait until it has come, or interrupt is 0   fork_interrupt.mapb_interrupt_absorb
 *
 * The worker's stores go through a store buffer, from which they reach the memory at any later time; the barrier empties it. A signal that was sent
 * comes at any later time, between two steps of the worker.
 *
 * Set from outside: REQUESTS, ITEMS, ASKS. Property: no end but with every request answered, and the assertion of the handler.
 */
#define WORD(ticket, item) ((ticket) * 8 + (item) + 1)
#define TICKET(word)       ((word) / 8)

byte current, leaving, answered; /* As they are in memory. */
byte ownCurrent;                 /* The worker's own view of the first. */
byte interrupt, yieldTo, published;
byte arrived;  /* For which word the signal has come last. */
bool inCall;
bool inFlight; /* The engine's signal is on its way, */
byte sentFor;  /* for that item. */
byte raised;   /* How often the user's signal was raised. */

mtype = { CURRENT, LEAVING, ANSWERED };
chan buffer = [4] of { mtype, byte };

inline reach() {
    if
    :: buffer?CURRENT(value) -> current = value
    :: buffer?LEAVING(value) -> leaving = value
    :: buffer?ANSWERED(value) -> answered = value
    fi;
    value = 0
}

proctype memory() {
    byte value;
end:
    do
    :: d_step { nempty(buffer) -> reach() }
    od
}

/* fork_interrupt.on_interrupt */
proctype handler() {
end:
    do
    :: d_step {
        inFlight ->
        inFlight = false;
        /* What this is all for. */
        assert(!inCall || ownCurrent == sentFor);
        arrived = interrupt;
        if
        :: interrupt != 0 && inCall && ownCurrent == interrupt -> raised = 1
        :: else
        fi
    }
    od
}

proctype host() {
    byte asks = ASKS, seen, value;
    do
    :: published < REQUESTS -> published++ /* WorkerLink.publish */
    :: asks > 0 ->
        asks--;
        seen = current; /* WorkerLink.mark */
        if
#ifndef BUG_ASK_TWICE
        :: seen != 0 && TICKET(seen) != TICKET(sentFor) ->
#else
        :: seen != 0 && seen != sentFor ->
#endif
            interrupt = seen; /* WorkerLink.ask */
#ifndef BUG_NO_YIELD
            yieldTo = published; /* Worker.reclaim */
#endif
#ifndef BUG_NO_BARRIER
            d_step { do :: nempty(buffer) -> reach() :: empty(buffer) -> break od };
#endif
            /* WorkerLink.isStill */
            if
            :: d_step { current == seen ->
                assert(!inFlight);
                skip }
#ifndef BUG_NO_LEAVING
                if
                :: leaving < TICKET(seen) -> sentFor = seen; inFlight = true
                :: else -> interrupt = 0
                fi
#else
                sentFor = seen; inFlight = true
#endif
            :: current != seen ->
#ifndef BUG_NOT_TAKEN_BACK
                interrupt = 0
#else
                skip
#endif
            fi
        :: else
        fi;
        seen = 0
    :: published == REQUESTS && asks == 0 -> break
    od
}

proctype worker() {
    byte ticket = 1, item, wanted;
    do
    :: ticket <= REQUESTS ->
        published >= ticket; /* WorkerMain.workerAwait */
        item = 0;
        /* WorkerRange.rangeLoop */
        do
        :: item < ITEMS ->
            d_step { buffer!CURRENT(WORD(ticket, item)); ownCurrent = WORD(ticket, item) }; /* WorkerRange.itemBegin */
            if
            :: yieldTo >= ticket -> break /* WorkerMain.workerYields */
            :: yieldTo < ticket
            fi;
            inCall = true;
            inCall = false;
            item++
        :: item == ITEMS -> break
        od;
#ifndef BUG_NO_ABSORB
#ifdef BUG_LOOK_BEFORE_LEAVING
        wanted = interrupt;
        buffer!LEAVING(ticket);
#else
        buffer!LEAVING(ticket);
        wanted = interrupt;
#endif
        if
        :: wanted != 0 && TICKET(wanted) == ticket -> (arrived == wanted || interrupt != wanted)
        :: else
        fi;
        wanted = 0;
#endif
        /* WorkerMain.workerPublish */
        buffer!ANSWERED(ticket);
        d_step { buffer!CURRENT(0); ownCurrent = 0 };
        ticket++
    :: ticket > REQUESTS -> break
    od
}

init {
    atomic {
        run memory();
        run handler();
        run host();
        run worker()
    }
}
