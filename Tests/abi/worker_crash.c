/* worker_crash.c - worker functions that crash, each in a function whose name the report must tell.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "workers.h"

#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int always = 1;
static volatile int zero = 0;

/* Not inlined, and not at the end of the caller, so that each has a frame of its own. */
/* What they do is undefined on purpose. */
#define CRASHES __attribute__((noinline, no_sanitize("undefined"))) void

CRASHES crash_by_segv(void) {
    (void)*(volatile int *)(uintptr_t)(8 * always);
    zero = 0;
}

CRASHES crash_by_bus(void) {
    int fd = memfd_create("abi-test", MFD_CLOEXEC);
    char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    (void)*(volatile char *)page;
    zero = 0;
}

CRASHES crash_by_fpe(void) {
#if defined(__x86_64__)
    always = always / zero;
#else
    raise(SIGFPE);
#endif
    zero = 0;
}

CRASHES crash_by_ill(void) {
#if defined(__x86_64__)
    __asm__ volatile("ud2");
#else
    __asm__ volatile("udf #0");
#endif
    zero = 0;
}

CRASHES crash_by_abrt(void) {
    if (always) abort();
    zero = 0;
}

CRASHES crash_by_sys(void) {
    raise(SIGSYS);
    zero = 0;
}

CRASHES crash_by_trap(void) {
#if defined(__x86_64__)
    __asm__ volatile("int3");
#else
    __asm__ volatile("brk #0");
#endif
    zero = 0;
}

__attribute__((noinline)) int crash_by_overflow(volatile char *above) {
    volatile char frame[1024];
    frame[0] = above[0];
    return always ? crash_by_overflow(frame) + frame[0] : 0;
}

CRASHES crash_by_call(uintptr_t address) {
    void (*volatile nowhere)(void) = (void (*)(void))address;
    nowhere();
    zero = 0;
}

/* An address inside a function whose frame is found by a register, so that an unwinder that believes it reads what the register
 * points to. */
static void *inside;

static __attribute__((noinline)) void note_caller(char *unused) {
    inside = __builtin_return_address(0);
    *unused = 0;
}

static __attribute__((noinline)) void with_register(size_t size) {
    char *room = __builtin_alloca(size);
    note_caller(room);
    zero = room[0];
}

CRASHES crash_by_smashed_stack(void) {
    void *volatile here[2];
    with_register((size_t)(64 * always));
    /* Up over the callers' frames. The engine's are among them, so there are more than enough bytes. */
    for (int i = 0; i < 64 * always; i++) *(void *volatile *)(here + i) = inside;
    (void)*(volatile int *)(uintptr_t)(8 * always);
    zero = 0;
}

CRASHES crash_in_engine(mape_task *task) {
    mape_task_log(task, MAPE_LOG_INFO, (const char *)(uintptr_t)(16 * always));
    zero = 0;
}

static void *in_thread(void *unused) {
    (void)unused;
    crash_by_segv();
    return NULL;
}

static void in_child(void) {
    pid_t child = fork();
    if (child == 0) {
        crash_by_segv();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV) _exit(77);
}

static _Atomic int held;

static int hold_lock(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)info, (void)size, (void)unused;
    atomic_store(&held, 1);
    while (always) pause();
    return 1;
}

static void *in_loader(void *unused) {
    dl_iterate_phdr(hold_lock, unused);
    return NULL;
}

static void own_handler(int number) { _exit(number == SIGSEGV ? 42 : 43); }

/** Finds this worker's output memory and writes into the place of the crash record. */
static void scribble_record(uint32_t seed) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long start = 0, found = 0;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (strstr(line, "memfd:mapengine-output") != NULL && sscanf(line, "%lx", &start) == 1) found = start;
    }
    if (maps != NULL) fclose(maps);
    if (found == 0) _exit(78);
    unsigned char *record = (unsigned char *)found + 24576;
    for (int i = 0; i < 8192; i++) record[i] = (unsigned char)((seed = seed * 1664525u + 1013904223u) >> 24);
    /* State, signal, and now and then counts that fit. */
    memcpy(record, (uint32_t[]){2, SIGSEGV}, 8);
    if (seed & 0x100) memcpy(record + 44, (uint32_t[]){48, 16, 5760}, 12);
}

static void crash(mape_task *task, const struct crash_item *item) {
    struct rlimit none = {0, 0};
    pthread_t thread;
    setrlimit(RLIMIT_CORE, &none);
    switch (item->way) {
    case CRASH_SEGV: crash_by_segv(); break;
    case CRASH_BUS: crash_by_bus(); break;
    case CRASH_FPE: crash_by_fpe(); break;
    case CRASH_ILL: crash_by_ill(); break;
    case CRASH_ABRT: crash_by_abrt(); break;
    case CRASH_SYS: crash_by_sys(); break;
    case CRASH_TRAP: crash_by_trap(); break;
    case CRASH_OVERFLOW: zero = crash_by_overflow((volatile char *)"x"); break;
    case CRASH_NULL_CALL: crash_by_call(0); break;
    case CRASH_WILD_CALL: crash_by_call(0x123456789abc); break;
    case CRASH_SMASHED: crash_by_smashed_stack(); break;
    case CRASH_IN_ENGINE: crash_in_engine(task); break;
    case CRASH_IN_THREAD:
        pthread_create(&thread, NULL, in_thread, NULL);
        pthread_join(thread, NULL);
        break;
    case CRASH_IN_CHILD: in_child(); break;
    case CRASH_IN_LOADER:
        pthread_create(&thread, NULL, in_loader, NULL);
        while (!atomic_load(&held)) {}
        crash_by_segv();
        break;
    case CRASH_HANDLED:
        signal(SIGSEGV, own_handler);
        crash_by_segv();
        break;
    case CRASH_SCRIBBLED:
        signal(SIGSEGV, SIG_DFL);
        scribble_record(item->value);
        crash_by_segv();
        break;
    case CRASH_FIRST_TIME:
        if (access(item->path, F_OK) == 0) break;
        close(open(item->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        crash_by_segv();
        break;
    case CRASH_WRITES_INPUT: *(volatile uint32_t *)(uintptr_t)&item->value = 1; break;
    default: break;
    }
}

int run_crash(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    if (size != sizeof(struct crash_item)) return 1;
    if (((const struct crash_item *)input)->way != CRASH_NOT) crash(task, input);
    void *output = mape_task_output(task, size);
    if (output != NULL) memcpy(output, input, size);
    return 0;
}

int run_crash_each(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL) return 0;
        run_crash(task, state, item, size);
    }
    return 0;
}

int run_crash_all(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    struct crash_item *output = mape_task_output_range(task, sizeof *output);
    for (size_t i = 0; output != NULL && i < range->count; i++) {
        /* By range->base, which a replay must give as well. */
        const struct crash_item *item = (const void *)((const char *)range->base + i * range->stride);
        if (item->way != CRASH_NOT) crash(task, item);
        output[i] = *item;
    }
    return 0;
}

/** Crashes the first time. Then tells all it can see as text: index, worker, state (made by setup_crash out of its data), the global
 *  "scale", the environment, the input. */
int run_crash_surroundings(mape_task *task, void *state, const void *input, size_t size) {
    size_t global_size = 0;
    const char *global = mape_task_global(&global_size, task, "scale");
    const struct crash_item *item = input;
    if (size != sizeof *item) return 1;
    crash(task, item);
    mape_task_log(task, MAPE_LOG_INFO, "the item is well this time");
    mape_task_progress(task, 0.5);
    char text[512];
    int length = snprintf(
        text, sizeof text, "index %llu worker %u state %u global %.*s environment %s cancelled %d value %u",
        (unsigned long long)mape_task_index(task), mape_task_worker(task),
        state != NULL ? ((struct crash_item *)state)->value : 0, (int)global_size, global != NULL ? global : "",
        getenv("ABI_CRASH") != NULL ? getenv("ABI_CRASH") : "none", mape_task_cancelled(task), item->value);
    char *output = mape_task_output(task, (size_t)length);
    if (output != NULL) memcpy(output, text, (size_t)length);
    return 0;
}

/** Crashes as its data say, if they are told to by value 1; else keeps them as state. */
int setup_crash(mape_task *task, const void *data, size_t size, void **out_state) {
    const struct crash_item *item = data;
    if (size != sizeof *item) return mape_task_fail(task, 5, "wrong data");
    if (item->value == 1) crash(task, item);
    *out_state = malloc(size);
    memcpy(*out_state, data, size);
    return 0;
}

/** Crashes as the state says, if it is told to by value 2. */
void cleanup_crash(mape_task *task, void *state) {
    const struct crash_item *item = state;
    if (item->value == 2) crash(task, item);
    free(state);
}
