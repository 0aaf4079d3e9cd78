/* job.pml - a job's items, and what the host and the ghosts know of each.
 *
 * Ghosts are what no program could know, and what the properties are about: how often an item was begun, and how often its worker was
 * lost on it. They are never read by a step of the protocol.
 */

#define OK        1
#define CRASHED   2
#define CANCELLED 3
#define TIMED_OUT 4

byte endedAs[ITEMS]; /* How each item ended; 0: not yet. */
byte crashes[ITEMS]; /* LostItems.crashes */
byte next;           /* Unstarted.next */
byte running;        /* Tally.running */
byte ended;          /* Tally.ended */
bool ending;         /* Job.ending, and the word `cancel` of the job's record, which workers read. */

/* Unstarted.again: ranges that wait to be run again, taken from the end. */
byte agains;
byte againFirst[ITEMS];
byte againCount[ITEMS];

/* Ghosts. */
byte begun[ITEMS];  /* How often the item was begun. */
byte lostOn[ITEMS]; /* How often its worker was lost on it: the item was blamed, or stood where the worker was. */

#define HAS_WAITING (agains > 0 || next < ITEMS)

byte f, c, x, n; /* Temporaries of the host's steps; 0 between them. */

/* Job.end: an item ends exactly once, and only while it runs. */
inline endItem(item, how) {
    assert(endedAs[item] == 0);
    assert(running > 0);
    endedAs[item] = how;
    running--;
    ended++
}

/* Job.nextRange: up to `most` items to run, in f and c. */
inline nextRange(most) {
    if
    :: agains > 0 ->
        f = againFirst[agains - 1];
        c = againCount[agains - 1];
        if
        :: c > most ->
            againFirst[agains - 1] = f + most;
            againCount[agains - 1] = c - most;
            c = most
        :: else ->
            agains--;
            againFirst[agains] = 0;
            againCount[agains] = 0
        fi
    :: else ->
        f = next;
        c = (most < ITEMS - next -> most : ITEMS - next);
        next = next + c
    fi;
    running = running + c
}

/* Core+Pump.requeue: items that did not run: again, or as their job ends. */
inline requeue(first, count) {
    if
    :: (count) == 0
    :: (count) > 0 && ending ->
        n = 0;
        do
        :: n < (count) -> endItem((first) + n, CANCELLED); n++
        :: else -> break
        od;
        n = 0
    :: (count) > 0 && !ending ->
        /* Job.requeue */
        assert(running >= (count));
        assert(agains < ITEMS);
        running = running - (count);
        againFirst[agains] = (first);
        againCount[agains] = (count);
        agains++
    fi
}

/* Core+Jobs.end with Job.endWaiting: what no worker was given ends now. */
inline cancelJob() {
    ending = 1;
    do
    :: HAS_WAITING ->
        nextRange(ITEMS);
        n = 0;
        do
        :: n < c -> endItem(f + n, CANCELLED); n++
        :: else -> break
        od
    :: else -> break
    od;
    n = 0; f = 0; c = 0
}
