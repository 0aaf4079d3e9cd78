/* fault_identity.c - functions that make processes, close descriptors, and exit: fault_identity.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "fault_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct estranged_state {
    struct shared *shared;
    struct estranged_plan plan;
    pid_t pid; /* The worker's. */
};

/** Notes that an item was begun, and whether by somebody else than the worker. */
static void note(struct estranged_state *state, uint64_t value) {
    if (value < SHARED_ORDER) atomic_fetch_add(&state->shared->order[value], 1);
    if (getpid() != state->pid) atomic_fetch_add(&state->shared->spawned, 1);
}

/* ---- children ---- */

static void collect(pid_t child) {
    int status;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
}

/** Memory wherever there is room: also where something was that a child does not have. */
static void map_everywhere(void) {
    for (size_t size = (size_t)1 << 40; size >= 4096; size >>= 1)
        while (mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) !=
               MAP_FAILED)
            if (size < (1u << 20)) break;
}

static void *fork_in_thread(void *unused) {
    (void)unused;
    collect(fork());
    return NULL;
}

static uint64_t asked(const char *command) {
    unsigned long long number = 0;
    FILE *pipe = popen(command, "re");
    if (pipe == NULL || fscanf(pipe, "%llu", &number) != 1) number = 0;
    if (pipe != NULL) pclose(pipe);
    return number;
}

extern char **environ;

static int by_system(uint64_t value, uint64_t *out) {
    char command[64];
    char *const arguments[] = {"true", NULL};
    pid_t pid = 0;
    int status = 1;
    if (system("exit 3") != 3 << 8) return 71;
    if (posix_spawnp(&pid, "true", NULL, NULL, arguments, environ) != 0 || waitpid(pid, &status, 0) != pid ||
        status != 0)
        return 72;
    snprintf(command, sizeof command, "echo $((%llu * %llu))", (unsigned long long)value, (unsigned long long)value);
    *out = asked(command);
    return 0;
}

static int by_child(uint64_t value, uint64_t *out) {
    int ends[2];
    if (pipe(ends) != 0) return 73;
    pid_t child = fork();
    if (child == 0) {
        uint64_t square = value * value;
        _exit(write(ends[1], &square, sizeof square) == sizeof square ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], out, sizeof *out);
    close(ends[0]);
    collect(child);
    return got == sizeof *out ? 0 : 74;
}

static void write_as_child(mape_task *task, uint64_t *output) {
    pid_t child = fork();
    if (child == 0) {
        mape_task_progress(task, 0.5);
        mape_task_log(task, MAPE_LOG_ERROR, "from a child");
        mape_task_fail(task, 99, "from a child");
        uint64_t *other = mape_task_output(task, 4096);
        if (other != NULL) memset(other, 0xcc, 4096);
        if (output != NULL) *output = 0xdead; /* It may not be there. */
        _exit(0);
    }
    collect(child);
}

/* ---- descriptors ---- */

static void close_up_to(int from, int end) {
    for (int fd = from; fd < end; fd++) close(fd);
}

static void cover_all(const char *path) {
    int file = open(path, O_RDWR | O_APPEND);
    for (int fd = 3; fd < 65536; fd++)
        if (fd != file && fcntl(fd, F_GETFD) >= 0) dup2(file, fd);
}

static void close_twice(const char *path) {
    close_up_to(3, 16);
    if (open(path, O_RDWR | O_APPEND) < 0) abort();
}

/* ---- ends ---- */

static void *exits(void *unused) {
    (void)unused;
    exit(33);
}

static void *waits(void *unused) {
    for (;;) pause();
    return unused;
}

static void *reads(void *stream) {
    while (fgetc(stream) != EOF) {}
    return NULL;
}

static int leave_reader(void) {
    int ends[2];
    pthread_t thread;
    if (pipe(ends) != 0) return 70;
    FILE *stream = fdopen(ends[0], "r");
    return stream == NULL || pthread_create(&thread, NULL, reads, stream) != 0 ? 70 : 0;
}

static void write_own_file(const char *path) {
    FILE *file = fopen(path, "ae");
    if (file != NULL) fprintf(file, "own\n"); /* Not closed: written when the streams are flushed. */
}

/** Returns only for ways that go well, in whatever process. */
static int go(mape_task *task, struct estranged_state *state, uint32_t way, uint64_t *output, uint64_t *square) {
    const char *file = state->plan.file;
    pthread_t thread;
    pid_t child;
    switch (way) {
    case CHILD_COMES_BACK: collect(fork()); return 0;
    case CHILD_COMES_BACK_LATE: (void)!fork(); return 0;
    case CHILD_COMES_BACK_MAPPED:
        child = fork();
        if (child == 0) map_everywhere();
        collect(child);
        return 0;
    case CHILD_OF_KERNEL: collect((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)); return 0;
    case CHILD_OF_THREAD:
        if (pthread_create(&thread, NULL, fork_in_thread, NULL) != 0) return 70;
        pthread_join(thread, NULL);
        return 0;
    case CHILD_OF_VFORK: (void)!vfork(); return 0;
    case CHILD_WRITES:
        *square *= *square;
        if (output != NULL) *output = *square;
        write_as_child(task, output);
        return 1001;
    case CHILD_CRASHES:
        child = fork();
        if (child == 0) raise(SIGSEGV);
        collect(child);
        return 0;
    case CHILD_HELPS: return by_child(*square, square) != 0 ? 75 : 1000;
    case CHILD_BY_SYSTEM: return by_system(*square, square) != 0 ? 76 : 1000;
    case CLOSES_UP_TO_1023: close_up_to(3, 1024); return 0;
    case CLOSES_RANGE: close_range(3, ~0u, 0); return 0;
    case CLOSES_ALL: close_range(0, ~0u, 0); return 0;
    case COVERS_ALL: cover_all(file); return 0;
    case CLOSES_TWICE: close_twice(file); return 0;
    case ENDS_EXIT: write_own_file(file); exit(5);
    case ENDS_QUICK_EXIT: quick_exit(6);
    case ENDS_THREAD: pthread_exit(NULL);
    case ENDS_THREAD_OF_TWO:
        if (pthread_create(&thread, NULL, waits, NULL) != 0) return 70;
        pthread_exit(NULL);
    case ENDS_EXIT_IN_THREAD:
        if (pthread_create(&thread, NULL, exits, NULL) != 0) return 70;
        for (;;) pause();
    case FLUSHES_ALL: fflush(NULL); return 0;
    case CLOSES_ALL_STREAMS: fcloseall(); return 0;
    case CHILD_EXITS:
        child = fork();
        if (child == 0) exit(3);
        collect(child);
        return 0;
    case THREAD_READS: return leave_reader();
    default: return 0;
    }
}

static int ran(mape_task *task, struct estranged_state *state, const void *input, size_t size) {
    const struct fault_item *item = input;
    if (size != sizeof *item) return 1;
    note(state, item->value);
    uint64_t *output = mape_task_output(task, sizeof *output), square = item->value;
    int status = go(task, state, item->way, output, &square);
    if (status == 0) square *= square;
    else if (status == 1001) return 0;
    else if (status != 1000) return mape_task_fail(task, status, strerror(errno));
    if (output != NULL) *output = square;
    return 0;
}

/* A child of a vfork destroys the frames that it returns from. */
__attribute__((optimize("no-omit-frame-pointer"))) int run_estranged(mape_task *task, void *state, const void *input,
                                                                     size_t size) {
    return ran(task, state, input, size);
}

int run_estranged_each(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL) return 0;
        ran(task, state, item, size);
    }
    return 0;
}

int run_estranged_all(mape_task *task, void *context, const mape_range *range) {
    struct estranged_state *state = context;
    uint64_t *outputs = mape_task_output_range(task, sizeof *outputs);
    for (size_t i = 0; outputs != NULL && i < range->count; i++) {
        const struct fault_item *item = mape_task_item(NULL, task, i);
        uint64_t square = item->value;
        note(state, item->value);
        if (go(task, state, item->way, NULL, &square) == 0) square *= square;
        outputs[i] = square;
    }
    return 0;
}

int setup_estranged(mape_task *task, const void *data, size_t size, void **out_state) {
    struct estranged_state *state = calloc(1, sizeof *state);
    if (state == NULL || size != sizeof state->plan) return mape_task_fail(task, 90, "data is not a plan");
    memcpy(&state->plan, data, size);
    int fd = open(state->plan.path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return mape_task_fail(task, 92, "the shared page cannot be opened");
    state->shared = mmap(NULL, sizeof *state->shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (state->shared == MAP_FAILED) return mape_task_fail(task, 93, "the shared page cannot be mapped");
    *out_state = state;
    state->pid = getpid();
    atomic_fetch_add(&state->shared->setups, 1);
    uint64_t square = 0;
    return go(task, state, state->plan.setup_way, NULL, &square) % 1000;
}

void cleanup_estranged(mape_task *task, void *context) {
    struct estranged_state *state = context;
    uint64_t square = 0;
    atomic_fetch_add(&state->shared->cleanups, 1);
    go(task, state, state->plan.cleanup_way, NULL, &square);
}

int run_closes_all(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    uint64_t value = *(const uint64_t *)input, *output = mape_task_output(task, sizeof *output);
    if (output != NULL) *output = value * value;
    close_range(0, ~0u, 0);
    return 0;
}
