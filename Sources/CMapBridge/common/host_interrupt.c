/* host_interrupt.c - how a signal handler finds a pool, and ends the waits on it
 *
 * A handler may run in the middle of anything, so here is no lock, and nothing of the engine: a list of what has to be woken. Its members
 * are never freed, and used again by later pools. A handler that is in one counts itself, and the pool's end waits for it.
 */
#include "CMapBridge.h"

#include <errno.h>
#include <stdlib.h>

/* No handle has this value. */
#define TAKEN ((void *)1)

static mapb_interrupts *first;

mapb_interrupts *mapb_interrupts_open(uint32_t *word, int bell, int notifier) {
    mapb_interrupts *it = __atomic_load_n(&first, __ATOMIC_ACQUIRE);
    for (; it; it = it->next) {
        void *none = NULL;
        if (__atomic_compare_exchange_n(&it->handle, &none, TAKEN, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) break;
    }
    if (!it) {
        it = calloc(1, sizeof *it);
        if (!it) return NULL;
        it->handle = TAKEN;
        it->next = __atomic_load_n(&first, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&first, &it->next, it, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {}
    }
    it->word = word;
    it->bell = bell;
    it->notifier = notifier;
    it->seen = __atomic_load_n(&it->count, __ATOMIC_RELAXED);
    return it;
}

void mapb_interrupts_name(mapb_interrupts *it, void *handle) {
    __atomic_store_n(&it->handle, handle ? handle : TAKEN, __ATOMIC_SEQ_CST);
}

void mapb_interrupts_close(mapb_interrupts *it) {
    mapb_interrupts_name(it, NULL);
    /* One that a thread left in the middle, by a jump out of a handler that ran there, does not come back. */
    for (int naps = 0; naps < 100 && __atomic_load_n(&it->calls, __ATOMIC_SEQ_CST) != 0; naps++) mapb_nap();
    __atomic_store_n(&it->calls, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&it->handle, NULL, __ATOMIC_SEQ_CST);
}

int mapb_interrupt(void *handle) {
    if (mapb_is_worker()) return MAPE_E_IN_WORKER;
    if (mapb_is_forked_child()) return MAPE_E_FORKED;
    int error = errno, status = MAPE_E_HANDLE;
    mapb_interrupts *it = __atomic_load_n(&first, __ATOMIC_ACQUIRE);
    if (handle == NULL || handle == TAKEN) return MAPE_E_HANDLE;
    for (; it && status != MAPE_OK; it = it->next) {
        if (__atomic_load_n(&it->handle, __ATOMIC_SEQ_CST) != handle) continue;
        __atomic_add_fetch(&it->calls, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&it->handle, __ATOMIC_SEQ_CST) == handle) {
            __atomic_add_fetch(&it->count, 1, __ATOMIC_SEQ_CST);
            /* Those who follow compare the counter and sleep in one step; the leader finds its bell rung. */
            __atomic_add_fetch(it->word, 1, __ATOMIC_SEQ_CST);
            mapb_word_wake_local(it->word);
            mapb_bell_ring(it->bell);
            if (it->notifier >= 0) mapb_notifier_notify(it->notifier);
            status = MAPE_OK;
        }
        __atomic_sub_fetch(&it->calls, 1, __ATOMIC_SEQ_CST);
    }
    errno = error;
    return status;
}
