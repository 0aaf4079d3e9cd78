/* fault_workers.c - worker functions whose setup, items and cleanup go wrong as a plan says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "fault_workers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct planned_state {
    struct shared *shared;
    struct plan plan;
};

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 500 * 1000}, NULL); }

/** Waits for the gate, but not beyond the life of the worker's parent: nothing of a test may outlive it. */
static void wait_for_gate(struct shared *shared) {
    pid_t parent = getppid();
    while (atomic_load(&shared->gate) == 0 && getppid() == parent) nap();
}

/** Whether a process is a child of this one's parent: pids on the shared page may be of processes long gone. */
static int is_sibling(pid_t pid) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *after = strrchr(text, ')');
    char state = 0;
    int parent = 0;
    return after != NULL && sscanf(after + 1, " %c %d", &state, &parent) == 2 && parent == (int)getppid();
}

static void kill_sibling(struct shared *shared, uint64_t seed) {
    uint32_t known = atomic_load(&shared->setups);
    if (known > SHARED_SLOTS) known = SHARED_SLOTS;
    for (uint32_t k = 0; k < known; k++) {
        pid_t pid = atomic_load(&shared->setup_pids[(k + seed) % known]);
        if (pid <= 1 || pid == getpid() || !is_sibling(pid)) continue;
        if (kill(pid, SIGKILL) == 0) atomic_fetch_add(&shared->spawned, 1);
        return;
    }
}

static void leave_child(struct shared *shared, int escapes) {
    pid_t child = fork();
    if (child == 0) {
        if (escapes) setsid();
        for (;;) pause();
    }
    if (child < 0) return;
    uint32_t slot = atomic_fetch_add(&shared->spawned, 1);
    if (slot < SHARED_SLOTS) atomic_store(&shared->grandchildren[slot], child);
}

static void leak(size_t bytes) {
    volatile char *memory = malloc(bytes);
    for (size_t i = 0; memory != NULL && i < bytes; i += 4096) memory[i] = 1;
}

static void be_deaf(void) {
    sigset_t all;
    sigfillset(&all);
    for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
    sigprocmask(SIG_BLOCK, &all, NULL);
}

/** Goes the item's way, and returns only for those that go well or fail. */
static int go(mape_task *task, struct shared *shared, const struct fault_item *item) {
    switch (item->way) {
    case WAY_WELL: return 0;
    case FAULT_GATE: wait_for_gate(shared); return 0;
    case FAULT_KILL_SIBLING: kill_sibling(shared, item->value); return 0;
    case FAULT_LEAK: leak(4u << 20); return 0;
    case FAULT_GRANDCHILD: leave_child(shared, 0); return 0;
    case FAULT_GRANDCHILD_DIES:
        leave_child(shared, 0);
        raise(SIGKILL);
        return 0;
    case FAULT_GRANDCHILD_LOOPS:
        leave_child(shared, 0);
        for (volatile int always = 1; always;) {}
        return 0;
    case FAULT_ESCAPED_DIES:
        leave_child(shared, 1);
        for (int i = 0; i < 100; i++) nap(); /* It has to come to its setsid. */
        raise(SIGKILL);
        return 0;
    case FAULT_HUNGRY:
        for (;;) {
            volatile char *memory = malloc(1u << 20);
            for (size_t i = 0; i < (1u << 20); i += 4096) memory[i] = 1;
        }
    case FAULT_SLOW: nanosleep(&(struct timespec){.tv_nsec = 2000 * 1000}, NULL); return 0;
    case FAULT_KILL_ZYGOTE:
        kill(getppid(), SIGKILL);
        for (;;) pause();
    case FAULT_DEAF_TERM:
        be_deaf();
        for (;;) pause();
    case FAULT_BIG_OUTPUT: {
        unsigned char *output = mape_task_output(task, 1u << 20);
        if (output != NULL) memset(output, (int)(item->value & 0xff), 1u << 20);
        return 0;
    }
    default: return run_fault(task, NULL, item, sizeof *item);
    }
}

/* ---- setup and cleanup ---- */

int setup_planned(mape_task *task, const void *data, size_t size, void **out_state) {
    struct planned_state *state = calloc(1, sizeof *state);
    if (state == NULL || size != sizeof state->plan) return mape_task_fail(task, 90, "data is not a plan");
    memcpy(&state->plan, data, size);
    int fd = open(state->plan.path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return mape_task_fail(task, 92, "the shared page cannot be opened");
    state->shared = mmap(NULL, sizeof *state->shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (state->shared == MAP_FAILED) return mape_task_fail(task, 93, "the shared page cannot be mapped");
    *out_state = state;
    uint32_t number = atomic_fetch_add(&state->shared->setups, 1);
    if (number < SHARED_SLOTS) atomic_store(&state->shared->setup_pids[number], getpid());
    if (state->plan.setup_way == WAY_WELL || number >= state->plan.setup_times) return 0;
    struct fault_item item = {17, state->plan.setup_way, 0};
    return go(task, state->shared, &item);
}

void cleanup_planned(mape_task *task, void *context) {
    struct planned_state *state = context;
    uint32_t number = atomic_fetch_add(&state->shared->cleanups, 1);
    if (number < SHARED_SLOTS) atomic_store(&state->shared->cleanup_pids[number], getpid());
    if (state->plan.cleanup_way == WAY_WELL || number >= state->plan.cleanup_times) return;
    struct fault_item item = {17, state->plan.cleanup_way, 0};
    go(task, state->shared, &item);
}

/* ---- items ---- */

static void note_begun(struct shared *shared, const struct fault_item *item) {
    atomic_fetch_add(&shared->entered, 1);
    if (item->value >= SHARED_ORDER) return;
    uint64_t before = atomic_load(&shared->order[item->value]);
    atomic_store(&shared->order[item->value], (uint64_t)getpid() << 32 | ((before & 0xffffffff) + 1));
}

static int answer_square(mape_task *task, uint64_t value) {
    uint64_t *output = mape_task_output(task, sizeof *output);
    if (output != NULL) *output = value * value;
    return 0;
}

int run_planned(mape_task *task, void *context, const void *input, size_t size) {
    struct planned_state *state = context;
    const struct fault_item *item = input;
    if (size != sizeof *item) return 1;
    note_begun(state->shared, item);
    int status = go(task, state->shared, item);
    if (status != 0 || item->way == FAULT_BIG_OUTPUT) return status;
    return answer_square(task, item->value);
}

int run_planned_each(mape_task *task, void *context, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL) return 0;
        int status = run_planned(task, context, item, size);
        if (status != 0) mape_task_fail(task, status, "said no");
    }
    return 0;
}

int run_planned_whole(mape_task *task, void *context, const mape_range *range) {
    struct planned_state *state = context;
    uint64_t *output = mape_task_output_range(task, sizeof *output);
    if (output == NULL) return 1;
    for (size_t i = 0; i < range->count; i++) {
        const struct fault_item *item = mape_task_item(NULL, task, i);
        note_begun(state->shared, item);
        go(task, state->shared, item);
        output[i] = item->value * item->value;
    }
    return 0;
}

int run_stepped(mape_task *task, void *context, const void *input, size_t size) {
    struct planned_state *state = context;
    const struct fault_item *item = input;
    if (size != sizeof *item) return 1;
    int traced = item->way == FAULT_STEP && atomic_load(&state->shared->gate) == (uint32_t)getpid();
    if (traced) raise(SIGTRAP);
    note_begun(state->shared, item);
    int status = answer_square(task, item->value);
    if (traced) raise(SIGTRAP);
    return status;
}

int run_echo_or_die(mape_task *task, void *context, const void *input, size_t size) {
    struct planned_state *state = context;
    atomic_fetch_add(&state->shared->entered, 1);
    unsigned char *output = mape_task_output(task, size);
    if (output == NULL) return mape_task_fail(task, 94, "no memory for the result");
    memcpy(output, input, size / 2);
    if (size > 0 && *(const unsigned char *)input == 1) {
        uint32_t left = atomic_load(&state->shared->gate);
        while (left > 0 && !atomic_compare_exchange_strong(&state->shared->gate, &left, left - 1)) {}
        if (left > 0) raise(SIGKILL);
    }
    memcpy(output + size / 2, (const unsigned char *)input + size / 2, size - size / 2);
    return 0;
}

int run_leaks(mape_task *task, void *context, const void *input, size_t size) {
    struct planned_state *state = context;
    (void)input, (void)size;
    atomic_fetch_add(&state->shared->entered, 1);
    leak(1u << 20);
    uint64_t *output = mape_task_output(task, sizeof *output);
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
        fclose(file);
    }
    if (output != NULL) *output = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
    return 0;
}
