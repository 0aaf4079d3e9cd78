/* worker_shared.c - worker functions that meet the test on a shared page (struct shared).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "workers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 500 * 1000}, NULL); }

/** Waits for the gate, but not beyond the life of the worker's parent: nothing of a test may outlive it. */
static void wait_for_gate(struct shared *shared) {
    pid_t parent = getppid();
    while (atomic_load(&shared->gate) == 0 && getppid() == parent) nap();
}

/** Data: the page's path, with its NUL. */
int setup_shared(mape_task *task, const void *data, size_t size, void **out_state) {
    if (size == 0 || ((const char *)data)[size - 1] != '\0') return mape_task_fail(task, 91, "data is not a path");
    int fd = open(data, O_RDWR | O_CLOEXEC);
    if (fd < 0) return mape_task_fail(task, 92, "the shared page cannot be opened");
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared == MAP_FAILED) return mape_task_fail(task, 93, "the shared page cannot be mapped");
    uint32_t slot = atomic_fetch_add(&shared->setups, 1);
    if (slot < SHARED_SLOTS) atomic_store(&shared->setup_pids[slot], getpid());
    *out_state = shared;
    return 0;
}

void cleanup_shared(mape_task *task, void *state) {
    (void)task;
    struct shared *shared = state;
    uint32_t slot = atomic_fetch_add(&shared->cleanups, 1);
    if (slot < SHARED_SLOTS) atomic_store(&shared->cleanup_pids[slot], getpid());
}

static uint64_t note(struct shared *shared, const void *input, size_t size) {
    uint64_t value = 0;
    memcpy(&value, input, size < sizeof value ? size : sizeof value);
    uint32_t slot = atomic_fetch_add(&shared->noted, 1);
    if (slot < SHARED_ORDER) atomic_store(&shared->order[slot], value);
    atomic_fetch_add(&shared->entered, 1);
    return value;
}

static int answer(mape_task *task, uint64_t value) {
    uint64_t *output = mape_task_output(task, sizeof value);
    if (output != NULL) *output = value;
    return 0;
}

int run_noted(mape_task *task, void *state, const void *input, size_t size) {
    uint64_t value = note(state, input, size);
    return answer(task, value * value);
}

int run_gated(mape_task *task, void *state, const void *input, size_t size) {
    uint64_t value = note(state, input, size);
    wait_for_gate(state);
    return answer(task, value * value);
}

/** The same for a range, item by item. */
int run_gated_items(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL) return 0;
        uint64_t value = note(state, item, size);
        wait_for_gate(state);
        answer(task, value * value);
    }
    return 0;
}

/** How many cleanups there were. */
int run_echo_cleanups(mape_task *task, void *state, const void *input, size_t size) {
    (void)input, (void)size;
    uint32_t *output = mape_task_output(task, sizeof *output);
    if (output != NULL) *output = atomic_load(&((struct shared *)state)->cleanups);
    return 0;
}

/** Item 0 waits for the gate; the others do not. */
int run_gated_first(mape_task *task, void *state, const void *input, size_t size) {
    uint64_t value = note(state, input, size);
    if (mape_task_index(task) == 0) wait_for_gate(state);
    return answer(task, value * value);
}

int run_gated_progress(mape_task *task, void *state, const void *input, size_t size) {
    uint64_t value = note(state, input, size);
    mape_task_progress(task, 0.5);
    wait_for_gate(state);
    return answer(task, value * value);
}

int run_polls_cancel(mape_task *task, void *state, const void *input, size_t size) {
    pid_t parent = getppid();
    note(state, input, size);
    while (!mape_task_cancelled(task) && getppid() == parent) nap();
    return 42;
}

/** Begins items slowly, until mape_task_begin says that the job was cancelled. */
int run_begins_until_cancelled(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL) {
            atomic_store(&((struct shared *)state)->gate, 7);
            return 0;
        }
        answer(task, note(state, item, size));
        nap();
    }
    return 0;
}

int run_ignores_cancel(mape_task *task, void *state, const void *input, size_t size) {
    (void)task;
    pid_t parent = getppid();
    note(state, input, size);
    while (getppid() == parent) nap();
    return 0;
}

/** Leaves a child of its own behind, which holds whatever descriptors it inherited, then ends as the item says. */
int run_spawns_then(mape_task *task, void *state, const void *input, size_t size) {
    struct shared *shared = state;
    pid_t child = fork();
    if (child == 0) {
        for (;;) pause();
    }
    if (child < 0) return 1;
    uint32_t slot = atomic_fetch_add(&shared->spawned, 1);
    if (slot < SHARED_SLOTS) atomic_store(&shared->grandchildren[slot], child);
    return run_fault(task, state, input, size);
}

/** Notes which process had the item last, and which ones went astray; then ends as the item says. */
int run_fault_owned(mape_task *task, void *state, const void *input, size_t size) {
    struct shared *shared = state;
    const struct fault_item *item = input;
    if (item->way != WAY_WELL) {
        uint32_t slot = atomic_fetch_add(&shared->spawned, 1);
        if (slot < SHARED_SLOTS) atomic_store(&shared->astray[slot], getpid());
    }
    if (item->value < SHARED_ORDER) atomic_store(&shared->order[item->value], (uint64_t)getpid());
    return run_fault(task, state, input, size);
}

/** Dies the first time that any worker comes here, then works. */
int run_dies_once(mape_task *task, void *state, const void *input, size_t size) {
    struct shared *shared = state;
    uint32_t before = atomic_fetch_add(&shared->entered, 1);
    if (before == 0) raise(SIGKILL);
    return run_square(task, NULL, input, size);
}

int setup_shared_then_fails(mape_task *task, const void *data, size_t size, void **out_state) {
    setup_shared(task, data, size, out_state);
    return mape_task_fail(task, 17, "no licence");
}

int setup_shared_then_crashes(mape_task *task, const void *data, size_t size, void **out_state) {
    setup_shared(task, data, size, out_state);
    raise(SIGKILL);
    return 0;
}

int setup_crashes_first_time(mape_task *task, const void *data, size_t size, void **out_state) {
    int status = setup_shared(task, data, size, out_state);
    struct shared *shared = *out_state;
    if (status == 0 && atomic_fetch_add(&shared->entered, 1) == 0) raise(SIGKILL);
    return status;
}

int setup_waits_but_first(mape_task *task, const void *data, size_t size, void **out_state) {
    int status = setup_shared(task, data, size, out_state);
    struct shared *shared = *out_state;
    if (status == 0 && atomic_load(&shared->setup_pids[0]) != getpid()) wait_for_gate(shared);
    return status;
}

int setup_kills_zygote(mape_task *task, const void *data, size_t size, void **out_state) {
    int status = setup_shared(task, data, size, out_state);
    if (status == 0 && getppid() > 1) {
        kill(getppid(), SIGKILL);
        pause(); /* Until the kernel does the same with this process. */
    }
    return status;
}

void cleanup_crashes(mape_task *task, void *state) {
    (void)task, (void)state;
    raise(SIGSEGV);
}

void cleanup_exits(mape_task *task, void *state) {
    (void)task, (void)state;
    _exit(77);
}

void cleanup_hangs(mape_task *task, void *state) {
    (void)task, (void)state;
    pid_t parent = getppid();
    while (getppid() == parent) nap();
}
