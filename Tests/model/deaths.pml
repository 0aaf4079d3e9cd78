/* deaths.pml - what the host does when a worker has died: Core+Deaths and Postmortem. All of it is one step: the pool's lock is held, and what the dead
 * worker wrote does not change any more.
 */

/* Core+Deaths.keepFinished, WorkerLink+Replies.finished: the first items of a range that was lost. They must stand in the reply; the host cannot know. */
inline keepFinished(w, ticket, first, count) {
    assert((count) <= replyHolds[SLOT(w, ticket)]);
    n = 0;
    do
    :: n < (count) -> endItem((first) + n, OK); n++
    :: else -> break
    od;
    n = 0
}

/* Core+Deaths.blame: again, when it has attempts left. */
inline blame(item, how) {
    lostOn[item] = lostOn[item] + 1;
    if
    :: ending -> endItem(item, CANCELLED)
    :: !ending && how == TIMED_OUT -> endItem(item, TIMED_OUT)
    :: !ending && how != TIMED_OUT ->
        /* Nobody is blamed for the loss of a machine. */
        assert(KIND != LANE);
        crashes[item] = crashes[item] + 1;
        /* With an item that kills and no other deaths, none but that one is blamed. */
        assert(BAD >= ITEMS || DEATHS > 0 || KILLS > 0 || (item) == BAD);
        if
        :: crashes[item] < ATTEMPTS -> requeue(item, 1)
        :: else -> endItem(item, CRASHED)
        fi
    fi
}

/* Postmortem.search, Postmortem.halves: one item is blamed, more are halved and run again. */
inline search(first, count, how) {
    if
    :: (count) == 0
    :: (count) == 1 -> blame(first, how)
#ifdef BUG_BLAME_FIRST
    :: (count) > 1 ->
        blame((first), how);
        requeue((first) + 1, (count) - 1)
#else
    :: (count) > 1 ->
        n = 0;
        do
        :: n < (count) -> lostOn[(first) + n] = lostOn[(first) + n] + 1; n++
        :: else -> break
        od;
        n = 0;
        half = (count) / 2;
        requeue((first) + half, (count) - half);
        requeue((first), half)
#endif
    fi
}

/* Postmortem.isBystander: it was killed for something that it had left behind when the signal came. */
#define IS_BYSTANDER(w, word) (verdict[w] == TIMED_OUT && (word) != seenWord[w])

/* BlameMark.point, Postmortem.postmortem, Core+Deaths.lostRange: the range a worker was on when it died. */
inline lostRange(w, ticket, first, count) {
    mark = (TICKET_OF(current[w]) == ticket -> MARK_OF(current[w]) : 0);
    how = (verdict[w] == TIMED_OUT -> TIMED_OUT : CRASHED);
    at = (mark >= MARK_RANGE -> mark - MARK_RANGE : mark - 1);
    if
#if KIND == LANE && !defined(BUG_LANE_IS_BLAMED)
    :: true ->
        /* Core+Lanes.laneDied, Postmortem.lostOnLane: whatever the mark says. An answer that was here, and not published, is lost. */
        x = 0;
        do
        :: x < count && mark != 0 -> lostOn[first + x] = lostOn[first + x] + 1; x++
        :: else -> break
        od;
        requeue(first, count)
#else
    :: mark == 0 ->
        /* Postmortem.notBegun */
        requeue(first, count)
#ifndef BUG_RECLAIM_NOT_SEEN
    :: mark != 0 && reclaimed[SLOT(w, ticket)] && at == count ->
        /* The next was taken back: all that the worker still had is done. */
        keepFinished(w, ticket, first, count)
#endif
    :: else ->
        if
        :: IS_BYSTANDER(w, current[w]) ->
            /* BlameMark.finished */
            if
            :: at >= count -> at = 0
            :: else
            fi;
            keepFinished(w, ticket, first, at);
            x = at;
            do
            :: x < count && (x == at || (mark >= MARK_RANGE && x < at + STEP)) -> lostOn[first + x] = lostOn[first + x] + 1; x++
            :: else -> break
            od;
            requeue(first + at, count - at)
        :: !IS_BYSTANDER(w, current[w]) && mark >= MARK_RANGE ->
            if
            :: at < count ->
                keepFinished(w, ticket, first, at);
                x = (STEP < count - at -> STEP : count - at);
                requeue(first + at + x, count - at - x);
                search(first + at, x, how)
            :: else -> search(first, count, how)
            fi
        :: !IS_BYSTANDER(w, current[w]) && mark < MARK_RANGE ->
            if
            :: at < count ->
                keepFinished(w, ticket, first, at);
                /* Blame is exact. */
                assert(on[w] == first + at + 1);
#ifdef BUG_REQUEUE_BLAMED
                x = at;
#else
                x = at + 1;
#endif
                blame(first + at, how);
                requeue(first + x, count - x)
            :: else ->
                /* A worker that overwrote its own memory: none of ours does. */
                assert(count == 0 || KIND == RANGE_FUNCTION);
                search(first, count, how)
            fi
        fi
#endif
    fi;
    mark = 0; how = 0; at = 0; half = 0; x = 0
}

/* Core+Deaths.died: takes what it had finished, blames, runs the rest elsewhere. */
inline died(w) {
#ifndef BUG_NO_REPLIES_OF_THE_DEAD
    acceptReplies(w);
#endif
    x = 0;
    do
    :: answered[w] < published[w] ->
        answered[w] = answered[w] + 1;
        f = assignedFirst[SLOT(w, answered[w])];
        c = assignedCount[SLOT(w, answered[w])];
        if
        :: x == 0 -> lostRange(w, answered[w], f, c)
        :: else -> requeue(f, c)
        fi;
        clearAssigned(w, answered[w]);
        x = 1
    :: else -> break
    od;
    x = 0; f = 0; c = 0;
    gone[w] = 0;
    killAsked[w] = 0;
    verdict[w] = 0;
    seenWord[w] = 0;
    on[w] = 0;
    state[w] = NONE
}
