/* host_wait.c - threads of the host that wait for a lock, sleep until something has come, or call back
 *
 * A cancel request acts in `sleep` alone. What the thread holds then stands in its mapb_wait, and mapb_wait_left releases it.
 */
#include "CMapBridge.h"
#include "process.h"

#include <stddef.h>
#include <string.h>

/* ---- the lock ---- */

/* A thread that has waited so long is hungry. Long against what the lock is held for, short against a frame of a screen. */
#define PATIENCE_NS 300000

void mapb_lock_wait(mapb_lock *lock) {
    int64_t since = mapb_clock();
    int hungry = 0;
    uint32_t others;
    /* Only on the way in: one that slept below was woken in place of a hungry one, perhaps, and must not turn away. */
    while ((others = __atomic_load_n(&lock->hungry, __ATOMIC_RELAXED)) != 0)
        mapb_word_wait_local(&lock->hungry, others, -1);
    while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE) != 0) {
        mapb_word_wait_local(&lock->state, 2, -1);
        if (!hungry && mapb_clock() - since > PATIENCE_NS) {
            hungry = 1;
            __atomic_add_fetch(&lock->hungry, 1, __ATOMIC_RELAXED);
        }
    }
    if (hungry && __atomic_sub_fetch(&lock->hungry, 1, __ATOMIC_RELAXED) == 0) mapb_word_wake_local(&lock->hungry);
}

void mapb_lock_wake(mapb_lock *lock) { mapb_word_wake_local_one(&lock->state); }

/* ---- sleep ---- */

static void left(void *of) {
    mapb_wait *wait = of;
    if (wait->signals) mapb_signals_let(wait->signals);
    mapb_wait_left(wait);
}

/* The same, until a signal's handler has run. */
static void sleep_lightly(mapb_wait *wait, int64_t rest) {
    int has_run = wait->bell >= 0 ? mapb_signals_wait_readable(wait->signals, wait->bell, rest)
                                  : mapb_signals_wait_changes(wait->signals, wait->word, wait->seen, rest);
    if (has_run) wait->signalled = 1;
}

/* Waits for the bell or the counter. */
static void sleep_once(mapb_wait *wait) {
    int type = PTHREAD_CANCEL_DEFERRED;
    int64_t rest = -1;
    if (wait->deadline != INT64_MAX) {
        rest = wait->deadline - mapb_clock();
        if (rest < 0) rest = 0;
    }
    if (wait->signals && wait->bell < 0) mapb_signals_prepare(wait->signals, wait->notifier);
    pthread_cleanup_push(left, wait);
    /* The sleep is no cancellation point by itself everywhere: between these lines a request acts at once, and nothing but the sleep happens.
     * The last of them waits for a request that is under way. */
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    pthread_setcancelstate(mapb_cancel_state(wait->cancel), NULL);
    if (wait->signals) sleep_lightly(wait, rest);
    else if (wait->bell >= 0) mapb_wait_readable(wait->bell, rest);
    else mapb_word_wait_local(wait->word, wait->seen, rest);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_setcanceltype(type, NULL);
    mapb_await_cancel();
    pthread_cleanup_pop(0);
}

int mapb_wait_run(mapb_wait *wait) {
    while (mapb_wait_step(wait)) sleep_once(wait);
    return wait->status;
}

static int wait_for(mapb_wait *wait, void *handle) {
    mapb_signals signals;
    wait->cancel = mapb_hold_cancel();
    if (mapb_wait_begin(wait, handle)) {
        if (wait->interruptible) {
            mapb_signals_hold(&signals);
            wait->signals = &signals;
        }
        mapb_wait_run(wait);
        if (wait->signals) mapb_signals_let(&signals);
    }
    mapb_let_cancel(wait->cancel);
    return wait->status;
}

int mapb_wait_for(uint32_t kind, void *handle, int64_t timeout_ns) {
    mapb_wait wait;
    memset(&wait, 0, offsetof(mapb_wait, event));
    wait.kind = kind;
    wait.timeout = timeout_ns;
    return wait_for(&wait, handle);
}

int mapb_wait_events(void *pool, int64_t timeout_ns, mape_event *out, uint64_t capacity, size_t *out_count) {
    mapb_wait wait;
    memset(&wait, 0, offsetof(mapb_wait, event));
    wait.kind = MAPB_WAIT_EVENT;
    wait.timeout = timeout_ns;
    wait.events = out;
    wait.capacity = capacity;
    int status = wait_for(&wait, pool);
    if (out_count) *out_count = (size_t)wait.count;
    return status;
}

/* ---- dispatch ---- */

/* Calls back for items that lie side by side. Here, because the callback may not come back. */
static void deliver_items(mapb_delivery *t) {
    const uint32_t *process = mapb_process_word();
    for (;;) {
        __atomic_store_n(t->begun, t->delivered + 1, __ATOMIC_RELAXED);
        t->callback(t->context, &t->event);
        /* The child of a fork in the callback. */
        if (__atomic_load_n(process, __ATOMIC_RELAXED) != t->process) return;
        t->delivered++;
        /* A callback may have released the job: the engine looks, under its lock. */
        if (t->delivered == t->count || __atomic_load_n(t->releases, __ATOMIC_ACQUIRE) != t->released) return;
        if (t->end != INT64_MAX && mapb_clock() >= t->end) return;
        t->event.index++;
        if (!t->is_plain) mapb_deliver_item(t);
        else if (t->event.result.data) t->event.result.data = (const char *)t->event.result.data + t->size;
    }
}

int mapb_dispatch(void *handle, uint32_t max_events, int64_t budget_ns) {
    mapb_delivery delivery;
    int64_t handled = 0;
    delivery.cancel = mapb_hold_cancel();
    delivery.limit = max_events == 0 || max_events > INT32_MAX ? INT32_MAX : max_events;
    delivery.process = mapb_process_number();
    delivery.mark = mapb_mark_frame(&delivery.seal);
    int status = mapb_deliver_begin(&delivery, handle, budget_ns);
    if (status == MAPE_OK) {
        while (delivery.limit > 0 && mapb_deliver_next(&delivery)) {
            if (delivery.callback) {
                mapb_let_cancel(delivery.cancel);
                if (delivery.is_items) deliver_items(&delivery);
                else delivery.callback(delivery.context, &delivery.event);
                mapb_hold_cancel();
                /* This is a child, which the callback has forked: the pool is not its own, and somebody may have held its lock. */
                if (mapb_process_number() != delivery.process) {
                    status = mapb_is_worker() ? MAPE_E_IN_WORKER : MAPE_E_FORKED;
                    break;
                }
            }
            int64_t delivered = mapb_delivered(&delivery);
            if (delivered < 0) break;
            handled += delivered;
            delivery.limit -= (uint64_t)delivered;
            if (delivery.end != INT64_MAX && mapb_clock() >= delivery.end) break;
        }
        if (status == MAPE_OK) {
            mapb_deliver_end(&delivery);
            status = (int)handled;
        }
    }
    mapb_unmark_frame(&delivery.seal);
    mapb_let_cancel(delivery.cancel);
    return status;
}

void mapb_call_hook(void *its) {
    mapb_seal seal;
    void (*hook)(void *) = NULL;
    void *context = NULL;
    mapb_mark mark = mapb_mark_frame(&seal);
    if (mapb_hook_begins(its, mark, &hook, &context)) {
        hook(context);
        mapb_hook_ends(its, mark);
    }
    mapb_unmark_frame(&seal);
}
