/* fork_interrupt.c - the cancel signal: it reaches the item that is to stop, and no other
 *
 * The host does not send the user's signal, which could come when its item has ended. It names the item, and has the engine's signal
 * sent; that signal's handler, on the worker's own thread, sees whether this very item runs, and raises the user's signal there.
 *
 *   host     interrupt = W;  yield: nothing after W begins;  barrier;  is `current` W, and `leaving` below its ticket? ── signal ──►
 *   worker   runs W ... ends the request:  leaving = ticket;  is `interrupt` of this ticket? then wait until the signal has come
 *   handler  interrupt == current, and the function runs?  ──►  tgkill(this thread, the user's signal)
 *
 * Either the host sees that the request is being left, and sends nothing, or the worker sees that a signal is on its way, and takes it in
 * before it goes on: so neither signal comes in a later item. It costs two plain stores an item, and two words a request.
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
 */
#include "system.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

static mape_task *interrupted;

static void on_interrupt(int signal) {
    mape_task *task = interrupted;
    const int saved = errno;
    const int self = getpid();
    if (!task || self != task->pid) return; /* A process that a function has made. */
    if ((int)syscall(SYS_gettid) != self) {
        syscall(SYS_tgkill, self, self, signal); /* One of its threads. */
        errno = saved;
        return;
    }
    const uint64_t wanted = mapb_load(&task->inbox->interrupt);
    task->interrupted = wanted;
    if (wanted && __atomic_load_n(&task->in_call, __ATOMIC_RELAXED) && mapb_peek(&task->outbox->current) == wanted) {
        task->stopped_at = wanted;
        /* Its handler runs as this call returns, and may jump out of here. */
        syscall(SYS_tgkill, self, self, task->cancel_signal);
    }
    errno = saved;
}

void mapb_interrupt_watch(mape_task *task, int signal) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    /* Not deferred: whoever jumps out of it may not restore the mask. */
    action.sa_flags = SA_RESTART | SA_NODEFER | SA_ONSTACK;
    interrupted = task;
    task->cancel_signal = signal;
    sigaction(MAPB_SIGNAL_INTERRUPT, &action, NULL);
}

void mapb_interrupt_absorb(mape_task *task) {
    mapb_store(&task->outbox->leaving, task->ticket);
    uint64_t wanted = mapb_interrupt_after_leaving(task->inbox);
    const uint32_t ticket = (uint32_t)task->ticket;
    if (wanted == 0 || (uint32_t)(wanted >> 32) != ticket) return;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, MAPB_SIGNAL_INTERRUPT);
    const struct timespec millisecond = {0, 1000000};
    /* The host takes the word back when it sends nothing. If the signal never comes, it kills this worker after the grace. */
    while (mapb_interrupt_of(task->inbox) == wanted && *(volatile uint64_t *)&task->interrupted != wanted) {
        siginfo_t info;
        if (syscall(SYS_rt_sigtimedwait, &one, &info, &millisecond, (size_t)(_NSIG / 8)) == MAPB_SIGNAL_INTERRUPT)
            task->interrupted = wanted; /* A function has blocked it. */
    }
}

void mapb_interrupt_worker(int pid) {
    if (pid > 1) kill(pid, MAPB_SIGNAL_INTERRUPT);
}

/* ---- the report ---- */

int mapb_report_open(int output, uint64_t at, mapb_inode *out) {
    if (lseek(output, (off_t)at, SEEK_SET) < 0) {
        close(output);
        return -1;
    }
    const int file = mapb_far_away(output);
    mapb_file_of(file, out);
    return file;
}

void mapb_report_clear(int file, uint8_t *output, uint64_t at) {
    const off_t end = lseek(file, 0, SEEK_CUR);
    if (end <= (off_t)at || end > (off_t)(at + MAPB_REPORT_BYTES)) return;
    memset(output + at, 0, (size_t)end - (size_t)at);
    lseek(file, (off_t)at, SEEK_SET);
}
