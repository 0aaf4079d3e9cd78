/* sleep.pml - how a worker without requests sleeps, and is woken (Dekker's pattern: announce, then look again).
 *
 *   host:    inbox.tail = n;        fence;   look at outbox.sleeping;   wake       WorkerLink.publish
 *   worker:  outbox.sleeping = 1;   fence;   look at inbox.tail;        sleep      WorkerMain.workerAwait
 *
 * Each side's stores go through a store buffer, from which they reach the memory at any later time; a fence waits until it is empty. Of
 * futex(2) only what its manual promises: the word is compared and the sleep begun in one step. It is not taken to be a fence.
 *
 * Set from outside: REQUESTS. Property: no end but with every request answered.
 */
byte inboxTail;
bool sleeping;
bool asleep; /* In futex_wait. */
byte answered;

chan hostBuffer = [2] of { byte };
chan workerBuffer = [2] of { bool };

/* The processors: a store becomes visible at some time. */
proctype memory() {
end:
    do
    :: d_step { nempty(hostBuffer) -> hostBuffer?inboxTail }
    :: d_step { nempty(workerBuffer) -> workerBuffer?sleeping }
    od
}

proctype host() {
    byte published;
    do
    :: published < REQUESTS ->
        /* WorkerLink.assign: one, or all at once. */
        if
        :: published = published + 1
        :: published = REQUESTS
        fi;
        /* WorkerLink.publish */
        hostBuffer!published;
#ifndef BUG_NO_FENCE_HOST
        empty(hostBuffer);
#endif
        if
        :: sleeping ->
#ifndef BUG_NO_WAKE
            asleep = false /* host_waiting.mapb_word_wake */
#else
            skip
#endif
        :: !sleeping
        fi
    :: published == REQUESTS -> break
    od
}

proctype worker() {
    byte ticket = 1, seen;
    do
    :: ticket <= REQUESTS ->
        /* WorkerMain.workerAwait */
        do
        :: inboxTail >= ticket -> break
        :: inboxTail < ticket ->
            /* It has looked long enough. */
            workerBuffer!1;
#ifndef BUG_NO_FENCE_WORKER
            empty(workerBuffer);
#endif
            seen = inboxTail;
            if
            :: seen < ticket ->
                /* fork_processes.mapb_word_wait */
#ifndef BUG_SLEEP_WITHOUT_COMPARING
                atomic { if :: inboxTail == seen -> asleep = true :: else fi };
#else
                asleep = true;
#endif
                !asleep
            :: seen >= ticket
            fi;
            workerBuffer!0;
            seen = 0
        od;
        /* WorkerMain.workerAnswer */
        answered = ticket;
        ticket++
    :: ticket > REQUESTS -> break
    od
}

init {
    atomic {
        run memory();
        run host();
        run worker()
    }
}
