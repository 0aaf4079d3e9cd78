/* waiting.pml - who moves the data: host threads that wait (one leads, the others follow), the engine thread, and the workers' bells.
 *
 *   worker:  outbox.tail = n;        fence;   look at the doorbell;     ring, once per epoch,  WorkerMain.workerNotify
 *                                                                       from notify_at on        layout.mapb_notify_at
 *   leader:  doorbell = own epoch;   fence;   look at outbox.tail;      sleep on the bell      Waiting.lead
 *   wake:    changes += 1;           fence;   look at sleepers;         wake                   Waiters.wake
 *   sleep:   sleepers += 1;          fence;   compare changes, sleep    (one step)             Waiters.beginSleep
 *
 * Who accepts replies notes that threads have to look again; they are woken when all replies have been accepted, once, and before the lock
 * is left (Core+FollowUp.followUp).
 *
 * Two workers with replies for two jobs, a host thread that waits for each, and the engine. A thread may also give up, its deadline
 * having passed, because it is interrupted (Core+Waits.interruption), or because it is cancelled in its sleep (Waiting.leave), which ends its lead in the same way. What is done under the pool's lock is not one step: workers and sleepers go on meanwhile. Stores go through store
 * buffers; unlocking is taken to empty the host's (a later lock of it would). Which replies are rung for is any choice that includes
 * the last one; the code's choice (Core+Doorbell.chooseNotifyPoints) is among them. A leader that goes may be expected back (Core+Doorbell.notePolling): then
 * workers wake nobody, and the engine looks by itself after a while.
 *
 * Set from outside: REPLIES per worker, THREADS (0: nobody waits, the engine alone takes replies), DEADLINE (thread 0 may give up),
 * DEPENDS (the worker of thread 0's job goes on only once thread 1 is back: no wait may end only because another one does). Properties: no end but with every reply taken and every thread
 * back; no execution goes on for ever.
 */
#define BELL_NONE   0
#define BELL_ENGINE 1
#define BELL_WAITER 2

/* Shared with the workers. */
byte outboxTail[2];
byte epoch;  /* The doorbell: epoch, */
byte target; /* and whom to wake. */
byte ringAt[2]; /* inbox.notify_at */
bool engineBell, waiterBell; /* Readable until drained. */

/* Guarded by the pool's lock. */
bool lock;
byte answered[2];
bool hasLeader, leaderSleeps;
bool wakes; /* Core+FollowUp.wakes: threads that wait have to look again. */
byte lastEpoch;
bool attended; /* Core+Doorbell.pollingUntil: the engine's sleep has an end. */

/* Waiters.word and Waiters.sleepers. */
byte changes, sleepers;
bool asleep[2];
bool back[2];

/* Store buffers: at most one store waits in each. */
bool tailWaits[2];
byte tailValue[2];
bool doorbellWaits, changesWaits, ringsWait;
byte epochValue, targetValue, changesValue;
byte ringValue[2];

#define IS_DONE(job) (answered[job] == REPLIES)

inline drainDoorbell() {
    epoch = epochValue; target = targetValue; doorbellWaits = 0; epochValue = 0; targetValue = 0
}

inline drainRings() {
    ringAt[0] = ringValue[0]; ringAt[1] = ringValue[1]; ringsWait = 0; ringValue[0] = 0; ringValue[1] = 0
}

inline drainChanges() { changes = changesValue; changesWaits = 0; changesValue = 0 }

/* The processors: stores become visible at some time. */
proctype memory() {
end:
    do
    :: d_step { tailWaits[0] -> outboxTail[0] = tailValue[0]; tailWaits[0] = 0; tailValue[0] = 0 }
    :: d_step { tailWaits[1] -> outboxTail[1] = tailValue[1]; tailWaits[1] = 0; tailValue[1] = 0 }
    :: d_step { ringsWait -> drainRings() }
    :: d_step { doorbellWaits && !ringsWait -> drainDoorbell() }
    :: d_step { changesWaits -> drainChanges() }
    od
}

/* base.mapb_fence, on a host thread */
#define HOST_FENCE (!doorbellWaits && !changesWaits && !ringsWait)

inline acquire() { atomic { !lock -> lock = 1 } }
inline leave() { atomic { HOST_FENCE -> lock = 0 } }

/* Core+Doorbell.chooseNotifyPoints: from any reply on, the last one at the latest. */
inline chooseRing(w) {
    if
#if REPLIES > 1
    :: ringValue[w] = 0
#endif
    :: ringValue[w] = REPLIES
#ifdef BUG_RING_TOO_LATE
    :: ringValue[w] = REPLIES + 1
#endif
    fi
}

/* Core+Doorbell.point */
inline point(whom) {
    atomic {
        !doorbellWaits && !ringsWait ->
        lastEpoch++;
        epochValue = lastEpoch; targetValue = whom; doorbellWaits = 1;
        if
        :: whom != BELL_NONE -> ringsWait = 1; chooseRing(0); chooseRing(1)
        :: else
        fi
    }
#ifndef BUG_NO_FENCE_HOST
    HOST_FENCE
#else
    skip
#endif
}

/* Waiters.wake, and the leader's bell */
inline wake() {
    atomic { !changesWaits -> changesValue = changes + 1; changesWaits = 1 }
#ifndef BUG_NO_FENCE_WAKE
    HOST_FENCE;
#endif
    atomic {
        if
        :: sleepers > 0 -> asleep[0] = 0; asleep[1] = 0
        :: else
        fi;
        if
        :: leaderSleeps -> waiterBell = 1
        :: else
        fi
    }
}

/* Core+Pump.acceptReplies, and Core+FollowUp.follow of a job that is done by it */
inline acceptReplies(w) {
#ifndef BUG_DONE_WITHOUT_WAKE
    wakes = wakes || (answered[w] != outboxTail[w] && outboxTail[w] == REPLIES);
#else
    /* As a reply that ends a setup once was, whose function was registered late. */
#endif
    answered[w] = outboxTail[w]
}

/* Core+Pump.pump: replies of both workers, and then what follows from them (Core+FollowUp.followUp): threads that wait look again. Leaving the
 * lock does this too (GuardedCore.leave), and has nothing left to do where pump was the last step.
 */
inline pump() {
    d_step { acceptReplies(0) };
    if
    :: atomic { outboxTail[1] == answered[1] && !wakes }
    :: atomic { outboxTail[1] != answered[1] || wakes -> acceptReplies(1) };
        if
        :: wakes -> wakes = 0; wake()
        :: !wakes
        fi
    fi
}

proctype worker(byte w) {
    byte done, bell, rung;
    do
    :: done < REPLIES && (w == 1 || !DEPENDS || back[1]) ->
        done++;
        /* WorkerMain.workerPublish */
        atomic { !tailWaits[w] -> tailValue[w] = done; tailWaits[w] = 1 }
        /* WorkerMain.workerNotify */
#ifndef BUG_NO_FENCE_WORKER
        !tailWaits[w];
#endif
        atomic {
            bell = epoch;
            if
            :: target == BELL_NONE || bell == rung || done < ringAt[w]
#ifndef BUG_RING_WITHOUT_EPOCH
            :: target == BELL_ENGINE && bell != rung && done >= ringAt[w] -> rung = bell; engineBell = 1
            :: target == BELL_WAITER && bell != rung && done >= ringAt[w] -> rung = bell; waiterBell = 1
#else
            :: target == BELL_ENGINE && bell != rung && rung == 0 -> rung = bell; engineBell = 1
            :: target == BELL_WAITER && bell != rung && rung == 0 -> rung = bell; waiterBell = 1
            :: else
#endif
            fi;
            bell = 0
        }
    :: done == REPLIES -> break
    od
}

/* A host thread that waits for a job. */
proctype thread(byte me) {
    byte seen;
    bool leads;
    bool late; /* The deadline has passed. */
    /* Waiting.wait */
again:
    acquire();
    pump();
    if
    :: IS_DONE(me) -> leave(); goto over
    :: !IS_DONE(me)
    fi;
    atomic {
        seen = changes;
        leads = !hasLeader;
        hasLeader = 1
    }
    leave();
    if
    :: DEADLINE && me == 0 -> late = 1
    :: true
    fi;
    if
    :: leads ->
        /* Waiting.lead */
        do
        :: true ->
            acquire();
            leaderSleeps = 0;
            point(BELL_NONE);
            pump();
            if
            :: IS_DONE(me) -> break
            :: !IS_DONE(me) && late -> break
            :: !IS_DONE(me) && !late
            fi;
#ifndef BUG_LOOK_BEFORE_POINTING
            point(BELL_WAITER);
            leaderSleeps = 1;
            pump();
#else
            pump();
            point(BELL_WAITER);
            leaderSleeps = 1;
#endif
            if
            :: IS_DONE(me) -> break
            :: !IS_DONE(me)
            fi;
            leave();
            /* host_waiting.mapb_wait_readable, host_waiting.mapb_bell_drain */
            if
            :: atomic { waiterBell -> waiterBell = 0 }
            :: DEADLINE && me == 0 -> late = 1
            fi
        od;
        /* Core+Doorbell.endLead, still under the lock */
        hasLeader = 0;
        leaderSleeps = 0;
        if
        :: true ->
            point(BELL_ENGINE);
            pump()
        :: true ->
            /* Core+Doorbell.notePolling, Core+FollowUp.engineMustWake */
            point(BELL_NONE);
#ifndef BUG_ATTEND_WITHOUT_END
            attended = 1
#else
            skip
#endif
        fi;
        /* GuardedCore.leave: the next one leads. */
        wake();
        leave();
        if
        :: IS_DONE(me) -> goto over
        :: !IS_DONE(me) -> goto over
        fi
    :: !leads && late
    :: !leads && !late ->
        /* Waiters.beginSleep */
        sleepers++;
        atomic {
            if
#ifndef BUG_SLEEP_WITHOUT_COMPARING
            :: changes == seen -> asleep[me] = 1
            :: changes != seen
#else
            :: true -> asleep[me] = 1
#endif
            fi
        }
        if
        :: !asleep[me]
        :: DEADLINE && me == 0 -> asleep[me] = 0; late = 1
        fi;
        sleepers--;
        goto again
    fi;
over:
    back[me] = 1
}

proctype engine() {
    bool rang; /* It was woken by its bell. */
    do
    :: true ->
        /* Core+Turn.turn; hasLeader does not change under the lock. */
        atomic {
            !lock -> lock = 1;
            /* Core+Turn.handle: the bell is drained before the first look. */
            if
            :: rang -> engineBell = 0; rang = 0
            :: else
            fi
        }
        if
        :: !hasLeader -> point(BELL_NONE)
        :: hasLeader
        fi;
        pump();
        if
        :: !hasLeader && attended /* Sleeps until Core+Doorbell.pollingUntil. */
        :: !hasLeader && !attended ->
            point(BELL_ENGINE);
#ifndef BUG_ENGINE_LOOKS_ONCE
            pump()
#endif
        :: hasLeader
        fi;
        leave();
        /* EngineThread.engineLoop */
        if
        :: engineBell -> rang = 1
        :: atomic { attended -> attended = 0 }
        :: IS_DONE(0) && IS_DONE(1) && back[0] && back[1] -> break
        fi
    od
}

init {
    atomic {
        run memory();
        run worker(0);
        run worker(1);
#if THREADS
        run thread(0);
        run thread(1);
#else
        back[0] = 1;
        back[1] = 1;
#endif
        run engine()
    }
}
