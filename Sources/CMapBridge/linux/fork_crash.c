/* fork_crash.c - a worker's last words: which signal, where, and how it came there
 *
 * Handlers of the signals that broken code raises. They run on a stack of their own, write a mapb_crash into the worker's output
 * memory, and let the signal happen: the wait status and the core dump are what they would be without them.
 *
 *   on_crash ─► basics ─► walk ─► walk_from_caller ─► find_modules ─► find_symbols ─► re-raise, return
 *                  each step may fault in turn: the nested signal jumps to the next step
 *                  all of them together have MAPB_CRASH_SECONDS: the timer's signal jumps to the end
 *
 * Each step writes what it finds into shared memory at once, so what is found before a step breaks is kept.
 *
 * Nothing here is called before a crash but mapb_crash_watch and mapb_crash_prepare. After it, this process has nothing to lose:
 * functions that are not on the list of signal-safety(7) (the unwinder, libbacktrace, dl_iterate_phdr) can at worst fault or hang, and
 * both have an end. See docs/architecture.md for why these were chosen.
 *
 * Here are the handlers; fork_crash_steps.c has the steps.
 */
#include "fork_crash.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unwind.h>

#define MAPB_CRASH_SECONDS 3 /* Reading symbols takes milliseconds, of the largest libraries about a second. */
#define MAPB_CRASH_STACK                                                                                               \
    (256u << 10) /* The registers of one signal can take 11 KiB; the unwinder and libbacktrace a few more. */

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
#define CRASH_SIGNALS (sizeof crash_signals / sizeof crash_signals[0])

enum step { STEP_WALK, STEP_WALK_FROM_CALLER, STEP_MODULES, STEP_SYMBOLS, STEP_END };

struct mapb_crashing mapb_crashing;

/* ---- the handlers ---- */

/* The signal once more, with its default action. Blocked while the handler runs, it strikes when that returns, with the registers of
 * the crash in place: the core dump shows the function, not this file. */
static void raise_again(int signal, siginfo_t *info, int32_t thread) {
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigaction(signal, &plain, NULL);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    sigprocmask(SIG_BLOCK, &one, NULL);
    if (syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, signal, info) != 0) kill(getpid(), signal);
}

static void end_of_time(int signal) {
    (void)signal;
    if ((int32_t)syscall(SYS_gettid) == mapb_crashing.thread) {
        mapb_crashing.step = STEP_END - 1;
        mapb_crashing.record->head.flags |= MAPB_CRASH_BROKEN_SYMBOLS;
        if (mapb_crashing.can_jump) siglongjmp(mapb_crashing.back, 1);
    }
    /* Another thread: ends the one that hangs. */
    raise_again(mapb_crashing.signal, &mapb_crashing.info, mapb_crashing.thread);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, mapb_crashing.signal);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void limit_time(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = end_of_time;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    sigaction(SIGALRM, &action, NULL);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    struct itimerval limit = {.it_value = {.tv_sec = MAPB_CRASH_SECONDS}};
    setitimer(ITIMER_REAL, &limit, NULL);
}

static void describe(int signal, const siginfo_t *info, ucontext_t *context) {
    mapb_crash *r = mapb_crashing.record;
    const uint64_t pc = *register_pc(context), sp = *register_sp(context);
    r->head.signal = signal;
    r->head.code = info->si_code;
    r->head.sender = info->si_code <= 0 ? info->si_pid : 0;
    r->head.address = info->si_code <= 0 ? 0
                      : signal == SIGSYS ? (uint64_t)info->si_call_addr
                                         : (uint64_t)info->si_addr;
    r->head.pc = pc;
    r->head.sp = sp;
    r->head.thread = mapb_crashing.thread;
    r->head.frames = r->head.modules = r->head.flags = 0;
    r->text[0] = 0;
    r->head.text_size = 1;
    mapb_crash_add_frame(pc);
    mapb_store32(&r->head.state, MAPB_CRASH_BEGUN);
    limit_time();
    static void (*const steps[])(void) = {mapb_crash_walk, mapb_crash_walk_from_caller, mapb_crash_find_modules,
                                          mapb_crash_find_symbols};
    mapb_crashing.step = -1;
    if (sigsetjmp(mapb_crashing.back, 0) != 0 && mapb_crashing.step < STEP_END)
        r->head.flags |= mapb_crashing.step < STEP_MODULES ? MAPB_CRASH_BROKEN_STACK : MAPB_CRASH_BROKEN_SYMBOLS;
    mapb_crashing.can_jump = 1;
    while (++mapb_crashing.step < STEP_END) steps[mapb_crashing.step]();
    mapb_crashing.can_jump = 0;
    /* walk_from_caller may have changed them. */
    *register_pc(context) = pc;
    *register_sp(context) = sp;
    mapb_store32(&r->head.state, MAPB_CRASH_DONE);
}

static void on_crash(int signal, siginfo_t *info, void *context) {
    const int32_t thread = (int32_t)syscall(SYS_gettid);
    if (getpid() != mapb_crashing.pid) {
        raise_again(signal, info, thread);
        return;
    }
    if (__atomic_fetch_add(&mapb_crashing.depth, 1, __ATOMIC_SEQ_CST) == 0) {
        mapb_crashing.thread = thread;
        mapb_crashing.signal = signal;
        mapb_crashing.info = *info;
        mapb_crashing.context = context;
        describe(signal, info, context);
        raise_again(signal, info, thread);
        return;
    }
    /* Two threads at once: the other's handler ends the process. */
    while (thread != mapb_crashing.thread) pause();
    if (mapb_crashing.can_jump) siglongjmp(mapb_crashing.back, 1);
    /* Nothing can go on: the process ends with the first signal. */
    raise_again(mapb_crashing.signal, &mapb_crashing.info, thread);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, mapb_crashing.signal);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + mapb_crashing.signal);
}

static _Unwind_Reason_Code on_first_frame(struct _Unwind_Context *context, void *unused) {
    (void)unused;
    int is_exact;
    return _Unwind_GetIPInfo(context, &is_exact) ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

void mapb_crash_prepare(void) { _Unwind_Backtrace(on_first_frame, NULL); }

void mapb_crash_watch(uint8_t *output) {
    mapb_crashing.record = (mapb_crash *)(output + MAPB_CRASH_OFFSET);
    mapb_crashing.pid = getpid();
    mapb_crashing.base = (uintptr_t)__builtin_frame_address(0);
    /* A page that cannot be touched lies below it. */
    char *memory =
        mmap(NULL, MAPB_CRASH_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    long page = sysconf(_SC_PAGESIZE);
    mprotect(memory, (size_t)page, PROT_NONE);
    stack_t stack = {.ss_sp = memory + page, .ss_size = MAPB_CRASH_STACK - (size_t)page};
    if (sigaltstack(&stack, NULL) != 0) return;
    struct sigaction action, before;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_crash;
    /* Not deferred: a fault inside the handler is to come back to it, and not to end the process with another signal. */
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (size_t i = 0; i < CRASH_SIGNALS; i++) {
        if (sigaction(crash_signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(crash_signals[i], &action, NULL);
    }
}
