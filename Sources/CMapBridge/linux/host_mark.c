/* host_mark.c - is a call of the host's function, that a thread began, still going on?
 *
 * A callback may be left by longjmp (the errors of Lua, R, Perl and Ruby are that) or by an exception, and no code of ours runs then. So
 * a frame that calls out holds seals, and a thread that finds the pool busy checks whether they are still there. In doubt the call counts
 * as running: a dispatch inside a dispatch is refused, never allowed by mistake.
 */
#include "CMapBridge.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <unwind.h>

static __thread int own_thread;
static __thread uint32_t own_process; /* A child has the number of the thread that forked it. */

static int32_t this_thread(void) {
    const uint32_t process = mapb_process_number();
    if (own_thread == 0 || own_process != process) {
        own_thread = (int)syscall(SYS_gettid);
        own_process = process;
    }
    return own_thread;
}

mapb_mark mapb_mark_frame(mapb_seal *seal) {
    static uint32_t last;
    mapb_mark mark = {this_thread(), __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED), seal->words};
    if (mark.number == 0) mark.number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < MAPB_SEALS; i++) {
        uint64_t word = (uint64_t)(uintptr_t)&seal->words[i] * 0x9e3779b97f4a7c15u ^ mark.number;
        __atomic_store_n(&seal->words[i], word, __ATOMIC_RELAXED);
    }
    return mark;
}

void mapb_unmark_frame(mapb_seal *seal) {
    for (int i = 0; i < MAPB_SEALS; i++) __atomic_store_n(&seal->words[i], 0, __ATOMIC_RELAXED);
}

int mapb_is_mine(mapb_mark mark) { return mark.thread == this_thread(); }

/* Read by the kernel: another thread's stack may be gone at any moment. */
static int is_sealed(mapb_mark mark) {
    uint64_t words[MAPB_SEALS];
    struct iovec here = {words, sizeof words}, there = {(void *)(uintptr_t)mark.place, sizeof words};
    ssize_t got = syscall(SYS_process_vm_readv, getpid(), &here, 1ul, &there, 1ul, 0ul);
    if (got < 0 && errno == EFAULT) return 0;
    if (got != (ssize_t)sizeof words) return 1;
    for (int i = 0; i < MAPB_SEALS; i++) {
        uint64_t word = (uint64_t)(uintptr_t)&mark.place[i] * 0x9e3779b97f4a7c15u ^ mark.number;
        if (words[i] != word) return 0;
    }
    return 1;
}

/** Whose frame a place on this thread's stack lies in. */
struct walk {
    uintptr_t place, below, code;
    int found; /* 1: of a function that calls out, -1: of another one. */
};

/* Called for each frame with the lowest address of its stack; the frame reaches to that of its caller. */
static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *of) {
    struct walk *walk = of;
    uintptr_t above = _Unwind_GetCFA(context);
    if (walk->below != 0 && walk->below <= walk->place && walk->place < above) {
        const void *function = _Unwind_FindEnclosingFunction((void *)(walk->code - 1));
        int calls_out = function == NULL || function == (const void *)mapb_dispatch ||
                        function == (const void *)mapb_call_hook || function == mapb_proxy_frame();
        walk->found = calls_out ? 1 : -1;
        return _URC_NORMAL_STOP;
    }
    walk->below = above;
    walk->code = _Unwind_GetIP(context);
    return _URC_NO_REASON;
}

/* (Those three are never inlined: mapb_wait.h.) */

/* An abandoned frame may lie untouched below newer frames: the chain of callers shows it, where unwind tables are there. */
__attribute__((noinline)) static int is_called_from(mapb_mark mark) {
    struct walk walk = {(uintptr_t)mark.place, 0, 0, 0};
    _Unwind_Backtrace(look, &walk);
    return walk.found != -1;
}

/* A place below every frame of this thread, on the same stack. */
static int is_below(const uint64_t *place) {
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
    int why = pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    uintptr_t start = (uintptr_t)lowest, at = (uintptr_t)place, now = (uintptr_t)__builtin_frame_address(0);
    if (why != 0 || now - start >= size || at - start >= size) return 0;
    return at < now;
}

int mapb_goes_on(mapb_mark mark) {
    if (mark.number == 0 || mark.place == NULL) return mark.number != 0;
    if (!mapb_is_mine(mark)) {
        if (syscall(SYS_tgkill, getpid(), mark.thread, 0) != 0 && errno == ESRCH) return 0;
        return is_sealed(mark);
    }
    return is_sealed(mark) && !is_below(mark.place) && is_called_from(mark);
}
