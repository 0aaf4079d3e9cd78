/* worker_faults.c - worker functions that die, hang, and attack what they can reach.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "workers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static volatile int always = 1;
static volatile int zero = 0;

static void no_core(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

static int deeper(volatile char *above) {
    volatile char frame[4096];
    if (!always) return 0;
    frame[0] = above[0];
    return deeper(frame) + frame[0];
}

static void be_deaf(void) {
    sigset_t all;
    sigfillset(&all);
    for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
    sigprocmask(SIG_BLOCK, &all, NULL);
}

static uint64_t random_word(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/** Overwrites some bytes of [start, end): densely at both ends, here and there between. The reserve of a mapping is many
 *  gigabytes of nothing, so not each page can be touched. */
static void scribble_over(unsigned char *start, unsigned char *end, uint64_t *seed) {
    size_t size = (size_t)(end - start);
    size_t dense = size < (1u << 20) ? size : (1u << 20);
    for (size_t i = 0; i + 8 <= dense; i += 8) memcpy(start + i, &(uint64_t){random_word(seed)}, 8);
    if (size == dense) return;
    for (size_t i = 0; i < 64 * 1024; i += 8) memcpy(end - 64 * 1024 + i, &(uint64_t){random_word(seed)}, 8);
    for (int i = 0; i < 200; i++) memcpy(start + random_word(seed) % (size - 8), &(uint64_t){random_word(seed)}, 8);
}

/** Finds the writable shared mappings of memfds and overwrites them. Returns how many there were. */
static int scribble(uint64_t seed) {
    struct {
        unsigned char *start, *end;
    } found[64];
    int count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) return 0;
    while (count < 64 && fgets(line, sizeof line, maps) != NULL) {
        unsigned long start, end;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3) continue;
        if (rights[1] != 'w' || rights[3] != 's' || strstr(line, "memfd:") == NULL) continue;
        if (strstr(line, "memfd:abi-test") != NULL) continue;
        found[count].start = (unsigned char *)start;
        found[count].end = (unsigned char *)end;
        count++;
    }
    fclose(maps);
    for (int i = 0; i < count; i++) scribble_over(found[i].start, found[i].end, &seed);
    return count;
}

/** Ends as the item says; returns only for the ways that end well or fail. Its faults are meant: no sanitizer is to tell of them. */
__attribute__((no_sanitize("undefined"))) static int end_by(mape_task *task, const struct fault_item *item) {
    switch (item->way) {
    case WAY_SEGFAULT:
        no_core();
        (void)*(volatile int *)(uintptr_t)(8 * always);
        break;
    case WAY_ABORT: no_core(); abort();
    case WAY_DIVIDE: no_core(); return always / zero;
    case WAY_OVERFLOW: no_core(); return deeper((volatile char *)"x");
    case WAY_EXIT_0: _exit(0);
    case WAY_EXIT_99: _exit(99);
    case WAY_EXIT_NORMAL: exit(5);
    case WAY_EXEC: execl("/bin/false", "false", (char *)NULL); _exit(98);
    case WAY_KILL: raise(SIGKILL); break;
    case WAY_OUTPUT_DIES: {
        char *output = mape_task_output(task, 100000);
        if (output != NULL) memset(output, 0xee, 50000);
        raise(SIGKILL);
        break;
    }
    case WAY_FAIL: return mape_task_fail(task, (int)(item->value & 0xffff), "said no");
    case WAY_RETURN: return -12345;
    case WAY_LOOP_DEAF: be_deaf(); /* fall through */
    case WAY_LOOP:
        while (always) {}
        break;
    case WAY_STOP:
        raise(SIGSTOP);
        for (;;) pause();
    case WAY_SLEEP:
        for (;;) pause();
    case WAY_WRITE_INPUT:
        no_core();
        *(volatile uint64_t *)(uintptr_t)&item->value = 1;
        break;
    case WAY_SCRIBBLE: scribble(item->value | 1); break;
    case WAY_SCRIBBLE_DIE: scribble(item->value | 1); _exit(3);
    case WAY_SCRIBBLE_LONG:
        for (uint64_t round = 1; round < 40; round++) {
            scribble(round * 0x9E3779B97F4A7C15u);
            nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
        }
        break;
    default: break;
    }
    return 0;
}

int run_fault(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    const struct fault_item *item = input;
    if (size != sizeof *item) return 1;
    uint64_t value = item->value;
    int status = item->way == WAY_WELL ? 0 : end_by(task, item);
    if (status != 0) return status;
    uint64_t *output = mape_task_output(task, sizeof *output);
    if (output != NULL) *output = value * value;
    return 0;
}

int run_fault_each(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL) return 0;
        int status = run_fault(task, state, item, size);
        if (status != 0) mape_task_fail(task, status, "said no");
    }
    return 0;
}

int run_fault_all(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    uint64_t *output = mape_task_output_range(task, sizeof *output);
    if (output == NULL) return 1;
    for (size_t i = 0; i < range->count; i++) {
        const struct fault_item *item = mape_task_item(NULL, task, i);
        if (item->way != WAY_WELL) end_by(task, item);
        output[i] = item->value * item->value;
    }
    return 0;
}

/** Tries to make its input writable. Output: 1 when that went through (and the input was then written to), 0 when it was
 *  refused. */
int run_write_input_by_mprotect(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    uintptr_t page = (uintptr_t)input & ~(uintptr_t)4095;
    unsigned char through = mprotect((void *)page, 4096, PROT_READ | PROT_WRITE) == 0;
    if (through) *(volatile unsigned char *)(uintptr_t)input = 0xAA;
    unsigned char *output = mape_task_output(task, 1);
    if (output != NULL) *output = through;
    return 0;
}

/** Tries to cut every memfd that it holds open. Output: how many could be cut. */
int run_attack_files(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    uint32_t cut = 0;
    for (int fd = 3; fd < 1024; fd++) {
        char link[64], name[256];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, name, sizeof name - 1);
        if (length < 0) continue;
        name[length] = '\0';
        if (strncmp(name, "/memfd:", 7) != 0 || strstr(name, "abi-test") != NULL) continue;
        cut += ftruncate(fd, 4096) == 0;
    }
    uint32_t *output = mape_task_output(task, sizeof *output);
    if (output != NULL) *output = cut;
    return 0;
}

static void do_nothing(void *context) { (void)context; }

/** Calls the host's functions from inside a worker. Output: HOST_CALLS statuses. */
int run_call_host(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    struct host_handles host;
    if (size != sizeof host) return 1;
    memcpy(&host, input, sizeof host);
    mape_pool *pool = NULL;
    mape_job *job = NULL;
    mape_buffer *buffer = NULL;
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_square;
    mape_function_id function = 0;
    mape_stats stats = MAPE_STATS_INIT;
    mape_worker_info worker = MAPE_WORKER_INFO_INIT;
    mape_result result = MAPE_RESULT_INIT;
    mape_progress progress = MAPE_PROGRESS_INIT;
    mape_event event = MAPE_EVENT_INIT;
    uint64_t value = 3;
    mape_items items = MAPE_ITEMS_INIT;
    items.count = 1, items.base = &value, items.item_size = sizeof value;
    mape_span span = {&value, sizeof value};
    void *data = NULL;
    int fd = -1;
    size_t accepted = 0;
    int32_t statuses[HOST_CALLS] = {
        mape_pool_create(&pool, NULL),
        mape_pool_start(host.pool, 0),
        mape_pool_shutdown(host.pool, MAPE_SHUTDOWN_CANCEL, 0),
        mape_pool_stats(&stats, host.pool),
        mape_pool_worker(&worker, host.pool, 0),
        mape_function_register(&function, host.pool, &description),
        mape_pool_set_global(host.pool, "name", &value, sizeof value),
        mape_buffer_create(&buffer, host.pool, 4096),
        mape_buffer_data(&data, NULL, host.buffer),
        mape_buffer_release(host.buffer),
        mape_apply(&job, host.pool, host.function, &value, sizeof value, NULL),
        mape_map(&job, host.pool, host.function, &items, NULL),
        mape_stream_open(&job, host.pool, host.function, NULL),
        mape_stream_push(&accepted, host.stream, &span, 1),
        mape_stream_finish(host.stream),
        mape_job_wait(host.job, 0),
        mape_job_result(&result, host.job, 0),
        mape_job_gather(&value, sizeof value, sizeof value, NULL, host.job),
        mape_job_progress(&progress, host.job),
        mape_job_cancel(host.job),
        mape_pool_dispatch(host.pool, 0, 0),
        mape_pool_next_event(&event, host.pool, 0),
        mape_pool_event_fd(&fd, host.pool),
        mape_pool_set_wakeup(host.pool, do_nothing, NULL),
    };
    if (mape_pool_release(pool) != MAPE_OK) return 3;
    if (mape_version() != MAPE_VERSION || mape_status_string(MAPE_OK) == NULL) return 2;
    void *output = mape_task_output(task, sizeof statuses);
    if (output != NULL) memcpy(output, statuses, sizeof statuses);
    return 0;
}

int setup_fails(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)data, (void)size, (void)out_state;
    return mape_task_fail(task, 17, "no licence");
}

int setup_fails_silently(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)task, (void)data, (void)size, (void)out_state;
    return 18;
}

int setup_crashes(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)task, (void)data, (void)size, (void)out_state;
    raise(SIGKILL);
    return 0;
}

int setup_exits(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)task, (void)data, (void)size, (void)out_state;
    _exit(0);
}

int setup_hangs(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)task, (void)data, (void)size, (void)out_state;
    while (always) {}
    return 0;
}
