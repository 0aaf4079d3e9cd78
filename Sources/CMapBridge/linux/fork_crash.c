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
 */
#include "CMapBridge.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

/* libbacktrace (in gcc's own folder, where only gcc finds its header). Its dl_iterate_phdr is renamed to mapb_crash_objects when the
 * library is built (scripts/setup.sh), so that it reads only the files that frames lie in, not all that a host has loaded. */
struct backtrace_state;
struct backtrace_state *backtrace_create_state(const char *filename, int threaded,
                                               void (*error)(void *data, const char *message, int number), void *data);
int backtrace_pcinfo(struct backtrace_state *state, uintptr_t pc,
                     int (*found)(void *data, uintptr_t pc, const char *file, int line, const char *function),
                     void (*error)(void *data, const char *message, int number), void *data);
int backtrace_syminfo(struct backtrace_state *state, uintptr_t pc,
                      void (*found)(void *data, uintptr_t pc, const char *name, uintptr_t value, uintptr_t size),
                      void (*error)(void *data, const char *message, int number), void *data);
int mapb_crash_objects(int (*each)(struct dl_phdr_info *, size_t, void *), void *data);

#define MAPB_CRASH_SECONDS 3 /* Reading symbols takes milliseconds, of the largest libraries about a second. */
#define MAPB_CRASH_STACK                                                                                               \
    (256u << 10) /* The registers of one signal can take 11 KiB; the unwinder and libbacktrace a few more. */

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
#define CRASH_SIGNALS (sizeof crash_signals / sizeof crash_signals[0])

enum step { STEP_WALK, STEP_WALK_FROM_CALLER, STEP_MODULES, STEP_SYMBOLS, STEP_END };

/** All there is to know of the crash that is being handled. */
static struct {
    mapb_crash *record;
    int32_t pid; /* The worker's: a child that it forks has the handlers, but not the record. */
    int32_t thread;
    uint32_t depth; /* Handlers that have begun. */
    volatile int step;
    volatile int can_jump;
    int signal;
    siginfo_t info;
    ucontext_t *context;
    uintptr_t base; /* Frames of the worker's thread at or above it are not the user's. */
    sigjmp_buf back;
    uintptr_t target; /* The walk counts from the frame at this pc. */
    int is_seen;
    int skipped;
} crash;

/* ---- texts ---- */

/* Adds a text to the record, or finds it there. @return its offset; 0 when there is no room. */
static uint16_t put_text(const char *text) {
    mapb_crash *r = crash.record;
    if (!text || !*text) return 0;
    size_t length = mapb_length(text, 400);
    for (uint32_t at = 1; at < r->head.text_size; at += (uint32_t)strnlen(r->text + at, r->head.text_size - at) + 1) {
        if (strncmp(r->text + at, text, length) == 0 && r->text[at + length] == 0) return (uint16_t)at;
    }
    uint32_t at = r->head.text_size;
    if (length + 1 > sizeof r->text - at) return 0;
    memcpy(r->text + at, text, length);
    r->text[at + length] = 0;
    r->head.text_size = at + (uint32_t)length + 1;
    return (uint16_t)at;
}

/* ---- registers ---- */

#if defined(__x86_64__)
static uint64_t *register_pc(ucontext_t *u) { return (uint64_t *)&u->uc_mcontext.gregs[REG_RIP]; }
static uint64_t *register_sp(ucontext_t *u) { return (uint64_t *)&u->uc_mcontext.gregs[REG_RSP]; }
/* As if the function that was called had returned at once: a call pushes where it came from. */
static void return_at_once(ucontext_t *u) {
    uint64_t *sp = register_sp(u);
    *register_pc(u) = *(const uint64_t *)*sp;
    *sp += 8;
}
#elif defined(__aarch64__)
static uint64_t *register_pc(ucontext_t *u) { return (uint64_t *)&u->uc_mcontext.pc; }
static uint64_t *register_sp(ucontext_t *u) { return (uint64_t *)&u->uc_mcontext.sp; }
static void return_at_once(ucontext_t *u) { *register_pc(u) = u->uc_mcontext.regs[30]; }
#else
#error "no way to read the registers of this processor"
#endif

/* ---- the steps ---- */

static void add_frame(uintptr_t pc) {
    mapb_crash *r = crash.record;
    memset(&r->frame[r->head.frames], 0, sizeof r->frame[0]);
    r->frame[r->head.frames].pc = pc;
    r->head.frames++;
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *unused) {
    (void)unused;
    int is_exact = 0;
    uintptr_t pc = _Unwind_GetIPInfo(context, &is_exact);
    if (!crash.is_seen) {
        /* Frames of the handler come first. */
        if (pc != crash.target) return ++crash.skipped > 64 ? _URC_NORMAL_STOP : _URC_NO_REASON;
        crash.is_seen = 1;
        if (crash.record->head.frames == 1 && pc == crash.record->head.pc) return _URC_NO_REASON;
        is_exact = 0;
    }
    if (pc == 0 || (crash.thread == crash.pid && _Unwind_GetCFA(context) >= crash.base)) return _URC_NORMAL_STOP;
    if (crash.record->head.frames >= MAPB_CRASH_FRAMES) {
        crash.record->head.flags |= MAPB_CRASH_MORE_FRAMES;
        return _URC_NORMAL_STOP;
    }
    /* A return address may already belong to the next function: what is looked up is the call. The first frame's is exact. */
    add_frame(is_exact ? pc : pc - 1);
    return _URC_NO_REASON;
}

static void walk(void) {
    crash.is_seen = 0;
    crash.skipped = 0;
    crash.target = *register_pc(crash.context);
    _Unwind_Backtrace(on_frame, NULL);
}

/* A call of a wild pointer has no frame that the unwinder knows: goes on at the caller. */
static void walk_from_caller(void) {
    if (crash.record->head.frames > 1) return;
    return_at_once(crash.context);
    walk();
}

static int holds(const struct dl_phdr_info *info, uintptr_t address) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && address - (info->dlpi_addr + p->p_vaddr) < p->p_memsz) return 1;
    }
    return 0;
}

static int on_object(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    mapb_crash *r = crash.record;
    int number = -1;
    int is_engine = holds(info, (uintptr_t)&mapb_crash_watch);
    for (uint32_t i = 0; i < r->head.frames; i++) {
        if (r->frame[i].module || !holds(info, r->frame[i].pc)) continue;
        if (number < 0) {
            if (r->head.modules >= MAPB_CRASH_MODULES) return 0;
            mapb_crash_module *m = &r->module[r->head.modules];
            memset(m, 0, sizeof *m);
            m->base = info->dlpi_addr;
            if (info->dlpi_name && *info->dlpi_name) {
                m->path = put_text(info->dlpi_name);
            } else {
                char path[512];
                ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
                path[length > 0 ? length : 0] = 0;
                m->path = put_text(path);
            }
            number = (int)r->head.modules++;
            m->build_id_size = mapb_read_build_id(info, m->build_id);
        }
        r->frame[i].module = (uint16_t)(number + 1);
        if (is_engine) r->frame[i].flags |= MAPB_CRASH_FRAME_ENGINE;
    }
    return 0;
}

static void find_modules(void) {
    mapb_crash *r = crash.record;
    dl_iterate_phdr(on_object, NULL);
    /* Of the frames of this library that called the function, one is enough. */
    while (r->head.frames > 2 &&
           r->frame[r->head.frames - 1].flags & r->frame[r->head.frames - 2].flags & MAPB_CRASH_FRAME_ENGINE)
        r->head.frames--;
}

/* Files of which the loader's names are enough: this library, and the C library, whose debug information, where it is installed,
 * takes ten times as long to read as the rest. */
static int is_plain(const mapb_crash_frame *frame) {
    static const char *const names[] = {"libc.so", "libm.so", "libpthread.so", "ld-linux"};
    if (!frame->module || frame->flags & MAPB_CRASH_FRAME_ENGINE) return 1;
    const char *path = crash.record->text + crash.record->module[frame->module - 1].path, *name = path;
    for (const char *c = path; *c; c++) {
        if (*c == '/') name = c + 1;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0) return 1;
    }
    return 0;
}

/* For libbacktrace: the objects that frames lie in. */
struct relay {
    int (*each)(struct dl_phdr_info *, size_t, void *);
    void *data;
};

static int pass_on(struct dl_phdr_info *info, size_t size, void *context) {
    const struct relay *relay = context;
    const mapb_crash *r = crash.record;
    for (uint32_t i = 0; i < r->head.frames; i++) {
        if (is_plain(&r->frame[i]) || !holds(info, r->frame[i].pc)) continue;
        return relay->each(info, size, relay->data);
    }
    return 0;
}

int mapb_crash_objects(int (*each)(struct dl_phdr_info *, size_t, void *), void *data) {
    struct relay relay = {each, data};
    return dl_iterate_phdr(pass_on, &relay);
}

static void on_error(void *data, const char *message, int number) { (void)data, (void)message, (void)number; }

static void on_symbol(void *data, uintptr_t pc, const char *name, uintptr_t value, uintptr_t size) {
    (void)size;
    mapb_crash_frame *frame = data;
    if (!name) return;
    frame->symbol = put_text(name);
    frame->symbol_offset = pc - value;
}

/* Called for each function that is inlined at the place, innermost first: that one is the one to tell. */
static int on_line(void *data, uintptr_t pc, const char *file, int line, const char *function) {
    (void)pc;
    mapb_crash_frame *frame = data;
    if (file && line > 0) {
        frame->file = put_text(file);
        frame->line = (uint32_t)line;
    }
    uint16_t name = put_text(function);
    if (name != frame->symbol) frame->function = name;
    return 1;
}

static void find_symbols(void) {
    mapb_crash *r = crash.record;
    /* What the loader knows costs nothing, and is there when a file cannot be read. */
    for (uint32_t i = 0; i < r->head.frames; i++) {
        Dl_info found;
        mapb_crash_frame *frame = &r->frame[i];
        if (!frame->module) continue;
        if (!dladdr((const void *)frame->pc, &found) || !found.dli_sname) continue;
        on_symbol(frame, frame->pc, found.dli_sname, (uintptr_t)found.dli_saddr, 0);
    }
    struct backtrace_state *state = backtrace_create_state("/proc/self/exe", 0, on_error, NULL);
    for (uint32_t i = 0; state && i < r->head.frames; i++) {
        mapb_crash_frame *frame = &r->frame[i];
        if (is_plain(frame)) continue;
        backtrace_syminfo(state, frame->pc, on_symbol, on_error, frame);
        backtrace_pcinfo(state, frame->pc, on_line, on_error, frame);
    }
}

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
    if ((int32_t)syscall(SYS_gettid) == crash.thread) {
        crash.step = STEP_END - 1;
        crash.record->head.flags |= MAPB_CRASH_BROKEN_SYMBOLS;
        if (crash.can_jump) siglongjmp(crash.back, 1);
    }
    /* Another thread: ends the one that hangs. */
    raise_again(crash.signal, &crash.info, crash.thread);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, crash.signal);
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
    mapb_crash *r = crash.record;
    const uint64_t pc = *register_pc(context), sp = *register_sp(context);
    r->head.signal = signal;
    r->head.code = info->si_code;
    r->head.sender = info->si_code <= 0 ? info->si_pid : 0;
    r->head.address = info->si_code <= 0 ? 0
                      : signal == SIGSYS ? (uint64_t)info->si_call_addr
                                         : (uint64_t)info->si_addr;
    r->head.pc = pc;
    r->head.sp = sp;
    r->head.thread = crash.thread;
    r->head.frames = r->head.modules = r->head.flags = 0;
    r->text[0] = 0;
    r->head.text_size = 1;
    add_frame(pc);
    mapb_store32(&r->head.state, MAPB_CRASH_BEGUN);
    limit_time();
    static void (*const steps[])(void) = {walk, walk_from_caller, find_modules, find_symbols};
    crash.step = -1;
    if (sigsetjmp(crash.back, 0) != 0 && crash.step < STEP_END)
        r->head.flags |= crash.step < STEP_MODULES ? MAPB_CRASH_BROKEN_STACK : MAPB_CRASH_BROKEN_SYMBOLS;
    crash.can_jump = 1;
    while (++crash.step < STEP_END) steps[crash.step]();
    crash.can_jump = 0;
    /* walk_from_caller may have changed them. */
    *register_pc(context) = pc;
    *register_sp(context) = sp;
    mapb_store32(&r->head.state, MAPB_CRASH_DONE);
}

static void on_crash(int signal, siginfo_t *info, void *context) {
    const int32_t thread = (int32_t)syscall(SYS_gettid);
    if (getpid() != crash.pid) {
        raise_again(signal, info, thread);
        return;
    }
    if (__atomic_fetch_add(&crash.depth, 1, __ATOMIC_SEQ_CST) == 0) {
        crash.thread = thread;
        crash.signal = signal;
        crash.info = *info;
        crash.context = context;
        describe(signal, info, context);
        raise_again(signal, info, thread);
        return;
    }
    /* Two threads at once: the other's handler ends the process. */
    while (thread != crash.thread) pause();
    if (crash.can_jump) siglongjmp(crash.back, 1);
    /* Nothing to go on with: the first signal is what this process ends with. */
    raise_again(crash.signal, &crash.info, thread);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, crash.signal);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(128 + crash.signal);
}

static _Unwind_Reason_Code on_first_frame(struct _Unwind_Context *context, void *unused) {
    (void)unused;
    int is_exact;
    return _Unwind_GetIPInfo(context, &is_exact) ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

void mapb_crash_prepare(void) { _Unwind_Backtrace(on_first_frame, NULL); }

void mapb_crash_watch(uint8_t *output) {
    crash.record = (mapb_crash *)(output + MAPB_CRASH_OFFSET);
    crash.pid = getpid();
    crash.base = (uintptr_t)__builtin_frame_address(0);
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
