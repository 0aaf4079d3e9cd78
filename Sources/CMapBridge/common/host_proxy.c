/* host_proxy.c - function pointers whose calls the engine answers
 *
 * A proxy needs code of its own, because a C function pointer carries nothing but an address. libffi makes such code at run time, in
 * memory that is writable and executable, or mapped twice; systems that forbid this exist (SELinux execmem, PR_SET_MDWE, noexec
 * file systems), and Debian builds libffi without its static trampolines. So the code is here, in the library's text: MAPB_PROXIES
 * trampolines, each of which loads the address of its slot into the register that libffi's closures for Go expect (the static chain
 * of the ABI), and jumps to what the slot says. What is written at run time is data.
 *
 *   caller ──► trampoline i ──r10 = &slot[i]──► slot[i].tramp: libffi's closure entry ──► slot[i].fun = answer ──► mapb_call_begin
 */
#include "native_calls.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define MAPB_PROXIES 1024 /* As the header says. */

/** Begins as ffi_go_closure. 64 bytes. */
struct slot {
    ffi_go_closure closure;
    void *object;    /* The proxy. */
    uint32_t state;  /* 0: free, 1: in use, 2: being taken away. */
    uint32_t calls;  /* Running ones: a futex while it is taken away. */
    uint64_t number; /* The process whose it is: mapb_process_number. */
    uint64_t pad[2];
};
_Static_assert(sizeof(struct slot) == 64, "trampolines are assembled for slots of 64 bytes");
_Static_assert(offsetof(ffi_go_closure, tramp) == 0, "trampolines jump to what a slot begins with");

__attribute__((visibility("hidden"))) struct slot mapb_proxy_slots[MAPB_PROXIES];
extern const uint8_t mapb_trampolines[] __attribute__((visibility("hidden")));

#if defined(__x86_64__)
#define TRAMPOLINE_BYTES 16
__asm__(".pushsection .text\n"
        ".balign 16\n"
        ".hidden mapb_trampolines\n"
        ".globl mapb_trampolines\n"
        ".type mapb_trampolines, @function\n"
        "mapb_trampolines:\n"
        ".set mapb_slot, 0\n"
        ".rept 1024\n"
        "    endbr64\n"
        "    leaq mapb_proxy_slots+mapb_slot(%rip), %r10\n"
        "    jmpq *(%r10)\n"
        "    .balign 16\n"
        "    .set mapb_slot, mapb_slot + 64\n"
        ".endr\n"
        ".size mapb_trampolines, . - mapb_trampolines\n"
        ".popsection\n");
#elif defined(__aarch64__)
#define TRAMPOLINE_BYTES 32
__asm__(".pushsection .text\n"
        ".balign 32\n"
        ".hidden mapb_trampolines\n"
        ".globl mapb_trampolines\n"
        ".type mapb_trampolines, %function\n"
        "mapb_trampolines:\n"
        ".set mapb_slot, 0\n"
        ".rept 1024\n"
        "    hint #34\n" /* bti c */
        "    adrp x18, mapb_proxy_slots+mapb_slot\n"
        "    add x18, x18, :lo12:mapb_proxy_slots+mapb_slot\n"
        "    ldr x16, [x18]\n"
        "    br x16\n"
        "    .balign 32\n"
        "    .set mapb_slot, mapb_slot + 64\n"
        ".endr\n"
        ".size mapb_trampolines, . - mapb_trampolines\n"
        ".popsection\n");
#else
#error "proxies need trampolines for this processor"
#endif

static void count_off(struct slot *slot, uint32_t calls) {
    if (__atomic_sub_fetch(&slot->calls, calls, __ATOMIC_SEQ_CST) == 0 &&
        __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST) == 2) {
        mapb_word_wake_local(&slot->calls);
    }
}

/** A call and where it came in: for the thread's end in the middle of it. */
struct call {
    struct slot *slot;
    mapb_calling calling;
};

/* Once it is no longer reported, this call counts itself off; until then it is marked, so that no other thread takes it for one that was
 * left, and counts it off. */
static void report_over(mapb_calling *calling) {
    if (calling->in_host) mapb_call_reported(calling);
    mapb_unmark_frame(&calling->seal);
    calling->mark.number = 0;
}

static void call_over(void *of) {
    struct call *call = of;
    if (call->calling.mark.number != 0) report_over(&call->calling);
    mapb_call_over(&call->calling);
    count_off(call->slot, 1);
}

static void report(mapb_calling *calling) {
    calling->mark = mapb_mark_frame(&calling->seal);
    if (calling->in_host) mapb_call_reports(calling);
    mapb_let_cancel(calling->wait.cancel);
    calling->on_error(calling->context, &calling->failure);
    mapb_hold_cancel();
    report_over(calling);
}

/* What libffi calls for each call of a proxy. */
MAPB_CALLS_OUT static void answer(ffi_cif *cif, void *result, void **arguments, void *closure) {
    struct call call;
    (void)cif;
    int error = errno;
    memset(&call, 0, sizeof call);
    call.slot = closure;
    int cancel = call.calling.wait.cancel = mapb_hold_cancel();
    __atomic_fetch_add(&call.slot->calls, 1, __ATOMIC_SEQ_CST);
    call.calling.proxy = call.slot->object;
    int refused = call.slot->number == mapb_process_number() ? 0 : mapb_is_worker() ? MAPE_E_IN_WORKER : MAPE_E_FORKED;
    call.calling.in_host = refused == 0;
    pthread_cleanup_push(call_over, &call);
    if (mapb_call_begin(&call.calling, result, arguments, refused)) {
        mapb_wait_run(&call.calling.wait);
        mapb_call_end(&call.calling, result, arguments, &error);
    }
    if (call.calling.on_error) report(&call.calling);
    pthread_cleanup_pop(1);
    mapb_let_cancel(cancel);
    errno = error;
}

const void *mapb_proxy_frame(void) { return (const void *)answer; }

mape_native_fn mapb_proxy_make(void *prepared, void *object) {
    native_prepared *n = prepared;
    for (uint32_t i = 0; i < MAPB_PROXIES; i++) {
        struct slot *slot = &mapb_proxy_slots[i];
        uint32_t none = 0;
        if (!__atomic_compare_exchange_n(&slot->state, &none, 2, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) continue;
        slot->object = object;
        slot->number = mapb_process_number();
        slot->calls = 0;
        if (ffi_prep_go_closure(&slot->closure, &n->cif, answer) != FFI_OK) {
            __atomic_store_n(&slot->state, 0, __ATOMIC_RELEASE);
            return NULL;
        }
        __atomic_store_n(&slot->state, 1, __ATOMIC_RELEASE);
        return (mape_native_fn)(uintptr_t)(mapb_trampolines + (size_t)i * TRAMPOLINE_BYTES);
    }
    return NULL;
}

static struct slot *slot_of(mape_native_fn proxy) {
    uintptr_t distance = (uintptr_t)proxy - (uintptr_t)mapb_trampolines;
    if (distance >= MAPB_PROXIES * TRAMPOLINE_BYTES || distance % TRAMPOLINE_BYTES) return NULL;
    return &mapb_proxy_slots[distance / TRAMPOLINE_BYTES];
}

int mapb_proxy_is_foreign(mape_native_fn proxy) {
    const struct slot *slot = slot_of(proxy);
    return slot && __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != 0 && slot->number != mapb_process_number();
}

void *mapb_proxy_claim(mape_native_fn proxy) {
    struct slot *slot = slot_of(proxy);
    uint32_t used = 1;
    if (!slot || !__atomic_compare_exchange_n(&slot->state, &used, 2, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        return NULL;
    return slot->object;
}

void mapb_proxy_keep(mape_native_fn proxy) { __atomic_store_n(&slot_of(proxy)->state, 1, __ATOMIC_SEQ_CST); }

void mapb_proxy_await(mape_native_fn proxy) {
    struct slot *slot = slot_of(proxy);
    uint32_t calls;
    while ((calls = __atomic_load_n(&slot->calls, __ATOMIC_SEQ_CST)) != 0) {
        /* A call that was left in on_error does not come back to be counted. */
        uint32_t gone = mapb_calls_left(slot->object);
        if (gone > 0) count_off(slot, gone);
        else mapb_word_wait_local(&slot->calls, calls, 20000000);
    }
}

void mapb_proxy_free(mape_native_fn proxy) {
    struct slot *slot = slot_of(proxy);
    slot->object = NULL;
    __atomic_store_n(&slot->state, 0, __ATOMIC_RELEASE);
}
