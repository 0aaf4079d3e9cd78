/* fork_exit.c - how a worker exits: with what it did itself, and with nothing that is the host's
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
 *
 * A worker is a copy of its zygote, and with MAPE_START_FORK of the host: it has their exit handlers, and what they have not yet
 * written of their streams. Neither is its own:
 *
 *   streams    are emptied in the child, so that what a later flush writes is what the worker wrote
 *   handlers   on_exit(3) runs what was registered last first. Ours is registered in the worker, before any code of the user: what
 *              the user's code registers runs, then ours flushes and ends the process, and older ones never run
 *   threads    the end of the worker's thread (pthread_exit) does not end a process that has others; the destructor of a key does
 */
#include "CMapBridge.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- streams ---- */

/* All open streams, linked by _chain: exported by glibc for programs of old, and so it will stay. Its type is a larger structure that
 * begins with a FILE. */
extern FILE *_IO_list_all;

/* glibc's fork() has made the locks of streams free; those that another thread of the host was just using may be in any state, so
 * what is done is as little as can be: __fpurge sets pointers. A stream in memory (fileno -1) is the process's own. */
void mapb_purge_streams(void) {
    for (FILE *stream = _IO_list_all; stream; stream = stream->_chain) {
        if (stream->_fileno == -1) continue;
        __fpurge(stream);
        stream->_IO_write_ptr = stream->_IO_write_base; /* The bytes of a wide stream as well. */
        stream->_IO_read_ptr =
            stream
                ->_IO_read_end; /* Otherwise the C library would return what was read ahead by moving the host's position. */
    }
}

/* fflush(NULL) would wait for a stream that another thread of a function is reading from, for as long as it does. */
void mapb_flush_streams(void) {
    for (FILE *stream = _IO_list_all; stream; stream = stream->_chain) {
        if (ftrylockfile(stream) != 0) continue;
        if (__fpending(stream) > 0) fflush(stream);
        funlockfile(stream);
    }
}

void mapb_worker_exit(int code) {
    mapb_flush_streams();
    _exit(code);
}

/* ---- handlers ---- */

static void on_worker_exit(int code, void *unused) {
    (void)unused;
    mapb_worker_exit(code);
}

/* Called with the code as its second argument, as handlers of __cxa_atexit are (glibc, stdlib/exit.c, since 2.10). */
static void on_quick_exit(void *unused, int code) {
    (void)unused;
    mapb_worker_exit(code);
}

static void on_thread_end(void *unused) {
    (void)unused;
    mapb_worker_exit(0);
}

/* The lock of glibc's list of exit handlers is not made free by fork(): one that a thread of the host held at the snapshot stays
 * held. Then exit hangs in workers whatever is done here, and registering must not. */
static int exits_hang;
static sigjmp_buf back;

static void give_up(int signal) {
    (void)signal;
    siglongjmp(back, 1);
}

int mapb_exit_prepare(void) {
    struct sigaction action, before;
    struct itimerval limit = {.it_value = {.tv_sec = 1}}, none;
    memset(&none, 0, sizeof none);
    memset(&action, 0, sizeof action);
    action.sa_handler = give_up;
    sigaction(SIGALRM, &action, &before);
    if (sigsetjmp(back, 1) == 0) {
        setitimer(ITIMER_REAL, &limit, NULL);
        on_exit(on_worker_exit, NULL); /* In the zygote itself too: a library's constructor may exit. */
    } else {
        exits_hang = 1;
    }
    setitimer(ITIMER_REAL, &none, NULL);
    sigaction(SIGALRM, &before, NULL);
    return exits_hang;
}

void mapb_exit_watch(void) {
    pthread_key_t key;
    mapb_purge_streams();
    if (pthread_key_create(&key, on_thread_end) == 0) pthread_setspecific(key, &exits_hang); /* Any address but NULL. */
    if (exits_hang) return;
    on_exit(on_worker_exit, NULL);
    at_quick_exit((void (*)(void))(void *)on_quick_exit);
}
