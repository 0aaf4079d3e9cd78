/* worker_functions.c - functions that do honest work in worker processes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "workers.h"

#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t word(const void *input, size_t size) {
    uint64_t value = 0;
    memcpy(&value, input, size < sizeof value ? size : sizeof value);
    return value;
}

static int answer(mape_task *task, const void *bytes, size_t size) {
    void *output = mape_task_output(task, size);
    if (output != NULL) memcpy(output, bytes, size);
    return 0;
}

int run_square(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    uint64_t value = word(input, size);
    value *= value;
    return answer(task, &value, sizeof value);
}

/* What it sees of an item of several pieces: struct seen_pieces. The first byte of the first piece says what to do then. */
int run_pieces(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    size_t count = mape_task_pieces(task), first_size = 99;
    if (mape_task_piece(NULL, task, count) != NULL || mape_task_piece(&first_size, task, SIZE_MAX) != NULL ||
        first_size != 0)
        return mape_task_fail(task, 1, "a piece that is not there");
    const void *first = mape_task_piece(&first_size, task, 0);
    if (count > 0 ? first != input || first_size != size : input == NULL || size != 0)
        return mape_task_fail(task, 2, "the input is not the first piece");
    struct seen_pieces *seen = mape_task_output(task, sizeof *seen + count * sizeof seen->pieces[0]);
    if (seen == NULL) return 3;
    seen->count = count;
    for (size_t k = 0; k < count; k++) {
        size_t bytes = 0;
        const unsigned char *piece = mape_task_piece(&bytes, task, k);
        if (piece == NULL) return mape_task_fail(task, 4, "no piece");
        seen->pieces[k] = (struct seen_piece){.size = bytes, .place = (uintptr_t)piece % 4096, .sum = 0};
        for (size_t i = 0; i < bytes; i++) seen->pieces[k].sum += (uint64_t)piece[i] * (i % 251 + 1);
    }
    if (size > 0 && *(const unsigned char *)input == PIECE_CRASHES && getenv("PIECES_SPARED") == NULL)
        *(volatile int *)8 = 0;
    return 0;
}

int run_pieces_each(mape_task *task, void *state, const mape_range *range) {
    if (range->base != NULL && mape_task_pieces(task) != 0) return 1;
    if (mape_task_pieces(task) != 0 || mape_task_piece(NULL, task, 0) != NULL) return 2;
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0, same = 0;
        const void *ahead = mape_task_item(&same, task, i);
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL || ahead != item || same != size) return 3;
        int code = run_pieces(task, state, item, size);
        if (code != 0) return code;
    }
    return 0;
}

int run_square_all(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    uint64_t *output = mape_task_output_range(task, sizeof *output);
    if (output == NULL) return 1;
    for (size_t i = 0; i < range->count; i++) {
        size_t size = range->item_size;
        const void *item =
            range->base != NULL ? (const char *)range->base + i * range->stride : mape_task_item(&size, task, i);
        uint64_t value = word(item, size);
        output[i] = value * value;
    }
    return 0;
}

int run_square_each(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL) return 1;
        run_square(task, state, item, size);
    }
    return 0;
}

int run_echo(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    if (input == NULL) return 3; /* "Never NULL", also when there are no bytes. */
    return answer(task, input, size);
}

int run_sum(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    const unsigned char *bytes = input;
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++) sum += bytes[i];
    return answer(task, &sum, sizeof sum);
}

/** As many bytes as the input says. Byte i is a function of i, so that a piece in the wrong place shows. */
int run_make_bytes(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    size_t count = word(input, size);
    unsigned char *output = mape_task_output(task, count);
    if (output == NULL) return 0;
    for (size_t i = 0; i < count; i++) output[i] = (unsigned char)(i ^ (i >> 8) ^ (i >> 16) ^ count);
    return 0;
}

int run_nothing(mape_task *task, void *state, const void *input, size_t size) {
    (void)task, (void)state, (void)input, (void)size;
    return 0;
}

/** Asks for 8 bytes, then for ever more of them up to the input's number; the earlier ones must stay. */
int run_grow_output(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    size_t last = word(input, size);
    size_t written = 0;
    for (size_t want = 8; want <= last; want *= 2) {
        unsigned char *output = mape_task_output(task, want);
        if (output == NULL) return 1;
        for (size_t i = 0; i < written; i++)
            if (output[i] != (unsigned char)(i * 7)) return 2;
        for (; written < want; written++) output[written] = (unsigned char)(written * 7);
    }
    return 0;
}

/** Output of as many bytes as the input says; fails when its address is not aligned as the header promises. */
int run_output_alignment(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    size_t count = word(input, size);
    size_t alignment = 64;
    while (count % alignment != 0) alignment /= 2;
    char *output = mape_task_output(task, count);
    if (output == NULL) return 1;
    memset(output, 1, count);
    return (uintptr_t)output % alignment == 0 ? 0 : mape_task_fail(task, 2, "output is not aligned");
}

/** Whether a handler is the engine's own, which describes crashes. */
static bool is_engines(void (*handler)(int)) {
    Dl_info found;
    return dladdr((void *)handler, &found) != 0 && strstr(found.dli_fname, "libmapengine") != NULL;
}

int run_describe(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    struct view view = {.index = mape_task_index(task), .worker = mape_task_worker(task), .pid = getpid()};
    view.input_address = (uint64_t)(uintptr_t)input;
    view.nice_value = getpriority(PRIO_PROCESS, 0);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    view.cpus = (uint32_t)CPU_COUNT(&cpus);
    for (view.first_cpu = 0; !CPU_ISSET((size_t)view.first_cpu, &cpus); view.first_cpu++) {}
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        view.blocked += sigismember(&blocked, number) == 1;
        if (sigaction(number, NULL, &action) == 0)
            view.handled +=
                action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN && !is_engines(action.sa_handler);
    }
    struct rlimit limit;
    getrlimit(RLIMIT_DATA, &limit);
    view.data_limit = limit.rlim_cur;
    return answer(task, &view, sizeof view);
}

/** State made by setup_copies_data. */
struct copy {
    size_t size;
    char bytes[];
};

int setup_copies_data(mape_task *task, const void *data, size_t size, void **out_state) {
    if (*out_state != NULL) return mape_task_fail(task, 9, "out_state is not NULL before the call");
    struct copy *copy = malloc(sizeof *copy + size);
    copy->size = size;
    if (size > 0) memcpy(copy->bytes, data, size);
    *out_state = copy;
    return 0;
}

int run_echo_state(mape_task *task, void *state, const void *input, size_t size) {
    (void)input, (void)size;
    struct copy *copy = state;
    return answer(task, copy->bytes, copy->size);
}

int setup_keeps_pointer(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)task;
    *out_state = (void *)(uintptr_t)data;
    return size == 0 ? 0 : 9;
}

int run_echo_state_text(mape_task *task, void *state, const void *input, size_t size) {
    (void)input, (void)size;
    return answer(task, state, strlen(state));
}

int setup_reads_global(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)data, (void)size;
    size_t global_size = 0;
    const void *bytes = mape_task_global(&global_size, task, "table");
    if (bytes == NULL) return mape_task_fail(task, 8, "no table");
    return setup_copies_data(task, bytes, global_size, out_state);
}

/** Input: a global's name. Output: its bytes; code 4 when there is none. */
int run_global(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    char name[300] = {0};
    memcpy(name, input, size < sizeof name - 1 ? size : sizeof name - 1);
    size_t global_size = 0;
    const void *bytes = mape_task_global(&global_size, task, name);
    if (bytes == NULL) return mape_task_fail(task, 4, "no such global");
    return answer(task, bytes, global_size);
}

int run_global_alignment(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    const void *first = mape_task_global(NULL, task, "one");
    const void *second = mape_task_global(NULL, task, "two");
    if (first == NULL || second == NULL) return 1;
    return (uintptr_t)first % 64 != 0 || (uintptr_t)second % 64 != 0 ? 2 : 0;
}

/** Input: a variable's name. Output: its value; code 4 when it is not set. */
int run_environment(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    char name[300] = {0};
    memcpy(name, input, size < sizeof name - 1 ? size : sizeof name - 1);
    const char *value = getenv(name);
    if (value == NULL) return mape_task_fail(task, 4, "not set");
    return answer(task, value, strlen(value));
}

int run_has_module(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    char name[1024] = {0};
    memcpy(name, input, size < sizeof name - 1 ? size : sizeof name - 1);
    void *module = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
    unsigned char loaded = module != NULL;
    if (module != NULL) dlclose(module);
    return answer(task, &loaded, 1);
}

/** Maps as much private memory as the input says. Output: 1 when it was given, 0 when it was refused. */
int run_allocate(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    size_t bytes = word(input, size);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char given = memory != MAP_FAILED;
    if (given) munmap(memory, bytes);
    return answer(task, &given, 1);
}

/** Logs its input at warning level. */
int run_log(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    char *text = calloc(1, size + 1);
    memcpy(text, input, size);
    mape_task_log(task, MAPE_LOG_WARNING, text);
    free(text);
    return 0;
}

int run_log_flood(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 20000; i++) mape_task_log(task, MAPE_LOG_INFO, text);
    return 0;
}

int run_print(mape_task *task, void *state, const void *input, size_t size) {
    (void)task, (void)state;
    printf("out:%.*s\n", (int)size, (const char *)input);
    fflush(stdout);
    fprintf(stderr, "err:%.*s\n", (int)size, (const char *)input);
    fflush(stderr);
    return 0;
}

/** Says a line on each stream, a word at a time. */
int run_talks(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    static const char *const names[] = {"output", "error"}, *const words[] = {" one", " two", " three", " four", "\n"};
    for (int i = 0; i < 2; i++) {
        char start[64];
        int count = snprintf(start, sizeof start, "%s of worker %u:", names[i], mape_task_worker(task));
        if (write(i + 1, start, (size_t)count) != count) return 1;
    }
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (int i = 1; i <= 2; i++)
            if (write(i, words[w], strlen(words[w])) < 0) return 1;
    return 0;
}

/** Writes its input to standard output, as it is. */
int run_writes(mape_task *task, void *state, const void *input, size_t size) {
    (void)task, (void)state;
    for (size_t done = 0; done < size;) {
        ssize_t got = write(1, (const char *)input + done, size - done);
        if (got < 0) return 1;
        done += (size_t)got;
    }
    return 0;
}

int run_fail_text(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    char text[64];
    int code = (int)word(input, size);
    snprintf(text, sizeof text, "no surface, code %d", code);
    return mape_task_fail(task, code, text);
}

int run_fail_then_zero(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    mape_task_fail(task, 21, "failed, yet returns 0");
    return 0;
}

int run_fail_code_zero(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    mape_task_fail(task, 0, NULL);
    return 0;
}

int run_fail_long_text(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    char text[5000];
    memset(text, 'm', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    return mape_task_fail(task, 22, text);
}

/** Asks for more output than any worker has; then returns 0 as if all were well. */
int run_too_much_output(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    return mape_task_output(task, (size_t)word(input, size)) == NULL ? 0 : 1;
}

/** Reads all items out of order by mape_task_item before it begins any, and checks where the range ends. */
int run_items_by_index(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    uint64_t total = 0;
    for (size_t i = range->count; i-- > 0;) {
        size_t size = 0;
        const void *item = mape_task_item(&size, task, i);
        if (item == NULL) return 31;
        total += word(item, size);
    }
    if (mape_task_item(NULL, task, range->count) != NULL) return 32;
    uint64_t again = 0;
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL || mape_task_index(task) != range->first + i) return 33;
        again += word(item, size);
        run_square(task, NULL, item, size);
    }
    return total == again ? 0 : 34;
}

/** Ends the first half of its items, then returns a code. */
int run_stops_halfway(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count / 2; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL) return 1;
        run_square(task, state, item, size);
    }
    return 5;
}

int run_begins_wrongly(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    if (range->count < 3) return 1;
    return mape_task_begin(NULL, task, 2) == NULL ? 9 : 1;
}
