/* offering_zygote.c - a zygote program with functions of its own, hooks, and ways of not starting; test_zygotes.c is its host.
 *
 *   offering_zygote [--count FILE] MODE [--replay FILE ...]
 *
 * With --count it adds a byte to the file each time that it is started.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <mapengine.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "offering_zygote.h"

/* ---- what it offers ---- */

static int run_twice(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    uint64_t value, *out = mape_task_output(task, sizeof *out);
    if (size != sizeof value || out == NULL) return 1;
    memcpy(&value, input, sizeof value);
    *out = 2 * value;
    return 0;
}

static int run_thrice(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    uint64_t *out = mape_task_output_range(task, sizeof *out);
    if (out == NULL) return 1;
    for (size_t i = 0; i < range->count; i++) {
        uint64_t value;
        memcpy(&value, mape_task_item(NULL, task, i), sizeof value);
        out[i] = 3 * value;
    }
    return 0;
}

static int setup_keeps(mape_task *task, const void *data, size_t size, void **out_state) {
    if (size == 0) return mape_task_fail(task, 5, "no data");
    char *kept = calloc(1, size + 1);
    memcpy(kept, data, size);
    *out_state = kept;
    return 0;
}

static int run_kept(mape_task *task, void *state, const void *input, size_t size) {
    (void)input, (void)size;
    memcpy(mape_task_output(task, strlen(state)), state, strlen(state));
    return 0;
}

static void cleanup_tells(mape_task *task, void *state) {
    mape_task_log(task, MAPE_LOG_INFO, "cleanup of what the zygote offers");
    free(state);
}

static int run_crash(mape_task *task, void *state, const void *input, size_t size) {
    (void)task, (void)state, (void)input, (void)size;
    *(volatile int *)8 = 1;
    return 0;
}

static void must(int condition, const char *what) {
    if (condition) return;
    char text[512];
    mape_message(text, sizeof text, NULL);
    fprintf(stderr, "not as it must be: %s (%s)\n", what, text);
    _exit(9);
}

static int offered(const char *name, mape_run_fn run, mape_run_range_fn run_range, mape_setup_fn setup,
                   mape_cleanup_fn cleanup) {
    mape_zygote_function function = MAPE_ZYGOTE_FUNCTION_INIT;
    function.name = name;
    function.run = run, function.run_range = run_range, function.setup = setup, function.cleanup = cleanup;
    return mape_zygote_offer(&function);
}

static void offer_all(void) {
    char name[] = "twice"; /* Copied. */
    must(offered(name, run_twice, NULL, NULL, NULL) == MAPE_OK, "twice is offered");
    memset(name, 'x', sizeof name - 1);
    must(offered("thrice", NULL, run_thrice, NULL, NULL) == MAPE_OK, "thrice is offered");
    must(offered("kept", run_kept, NULL, setup_keeps, cleanup_tells) == MAPE_OK, "kept is offered");
    must(offered("crash", run_crash, NULL, NULL, NULL) == MAPE_OK, "crash is offered");
}

static void is_refused(void) {
    char longest[300];
    memset(longest, 'n', sizeof longest);
    longest[256] = '\0';
    must(offered("twice", run_twice, NULL, NULL, NULL) == MAPE_E_ARGUMENT, "a name twice");
    must(offered(NULL, run_twice, NULL, NULL, NULL) == MAPE_E_ARGUMENT, "no name");
    must(offered("", run_twice, NULL, NULL, NULL) == MAPE_E_ARGUMENT, "an empty name");
    must(offered(longest, run_twice, NULL, NULL, NULL) == MAPE_E_ARGUMENT, "a name of 256 bytes");
    must(offered("none", NULL, NULL, NULL, NULL) == MAPE_E_ARGUMENT, "no run");
    must(offered("both", run_twice, run_thrice, NULL, NULL) == MAPE_E_ARGUMENT, "run and run_range");
    must(mape_zygote_offer(NULL) == MAPE_E_ARGUMENT, "NULL");
    mape_zygote_function small = MAPE_ZYGOTE_FUNCTION_INIT;
    small.struct_size--;
    must(mape_zygote_offer(&small) == MAPE_E_SIZE, "a wrong size");
    mape_zygote_hooks hooks = MAPE_ZYGOTE_HOOKS_INIT;
    hooks.struct_size++;
    must(mape_zygote_set_hooks(&hooks) == MAPE_E_SIZE, "hooks of a wrong size");
    must(mape_zygote_set_hooks(NULL) == MAPE_OK, "no hooks");
    longest[255] = '\0';
    must(offered(longest, run_twice, NULL, NULL, NULL) == MAPE_OK, "a name of 255 bytes");
    int count = 5;
    for (int status = MAPE_OK; status == MAPE_OK; count++) {
        snprintf(longest, sizeof longest, "number %d", count);
        status = offered(longest, run_twice, NULL, NULL, NULL);
        must(status == MAPE_OK || status == MAPE_E_MEMORY, "many");
    }
    must(count == 1024 + 1, "1024 functions");
}

/* ---- around forks ---- */

static struct fork_counts counts;

static void prepare(void) { counts.prepare++; }
static void parent(void) { counts.parent++; }
static void child(void) { counts.child++; }
static void before(void *context) {
    must(context == &counts, "the context");
    must(counts.before == counts.prepare, "before runs before the handlers");
    counts.before++;
}
static void after_in_zygote(void *context) {
    must(context == &counts && counts.parent == counts.after_in_zygote + 1, "after_in_zygote runs after the handlers");
    counts.after_in_zygote++;
}
static void after_in_worker(void *context) {
    must(context == &counts && counts.child == 1, "after_in_worker runs after the handlers");
    must(offered("late", run_twice, NULL, NULL, NULL) == MAPE_E_IN_WORKER, "an offer in a worker");
    counts.after_in_worker++;
    puts("in the hook");
    fflush(stdout);
}

static int run_counts(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    memcpy(mape_task_output(task, sizeof counts), &counts, sizeof counts);
    return 0;
}

static void crash(void *context) {
    (void)context;
    *(volatile int *)8 = 1;
}
static void count(void *context) {
    (void)context;
    counts.before++;
}
/** In the first four workers of a zygote. */
static void crash_at_first(void *context) {
    if (counts.before <= 4) crash(context);
}
static void hang(void *context) {
    (void)context;
    for (;;) pause();
}

static void hooks_set(mape_zygote_hook_fn first, mape_zygote_hook_fn second, mape_zygote_hook_fn third) {
    mape_zygote_hooks hooks = MAPE_ZYGOTE_HOOKS_INIT;
    hooks.before = first, hooks.after_in_zygote = second, hooks.after_in_worker = third, hooks.context = &counts;
    must(mape_zygote_set_hooks(&hooks) == MAPE_OK, "hooks");
}

/* ---- ways of not starting ---- */

static void print_much(void) {
    for (int i = 0; i < 30000; i++) fputs("\xc3\xa9", stderr);
    fputs("\xff\xfe bytes that are no text\nthe very last line\n\n", stderr);
}

static int is(const char *mode, const char *name) { return strcmp(mode, name) == 0; }

int main(int argc, char **argv) {
    if (argc > 2 && is(argv[1], "--count")) {
        int file = open(argv[2], O_WRONLY | O_APPEND);
        must(file >= 0 && write(file, "x", 1) == 1, "the count");
        close(file);
        argv += 2, argc -= 2;
    }
    const char *mode = argc > 1 ? argv[1] : "";
    if (is(mode, "exits-0")) return 0;
    if (is(mode, "exits-7")) return fputs("no module named \"well\"\n", stderr), 7;
    if (is(mode, "prints-much")) return print_much(), 1;
    if (is(mode, "prints-nothing")) return 1;
    if (is(mode, "crashes")) raise(SIGKILL);
    if (is(mode, "hangs")) {
        fputs("importing\n", stderr);
        if (fork() == 0)
            for (;;) pause(); /* Nor does this one stay. */
        for (;;) pause();
    }
    if (is(mode, "warns")) fputs("a warning at the start\n", stderr);
    if (is(mode, "refused")) offer_all(), is_refused();
    else offer_all();
    if (is(mode, "hooks")) {
        must(pthread_atfork(prepare, parent, child) == 0, "pthread_atfork");
        must(offered("counts", run_counts, NULL, NULL, NULL) == MAPE_OK, "counts");
        hooks_set(before, after_in_zygote, after_in_worker);
    }
    if (is(mode, "before-crashes")) hooks_set(crash, NULL, NULL);
    if (is(mode, "after-crashes")) hooks_set(NULL, crash, NULL);
    if (is(mode, "worker-crashes")) hooks_set(NULL, NULL, crash);
    if (is(mode, "worker-crashes-4")) hooks_set(count, NULL, crash_at_first);
    if (is(mode, "before-hangs")) hooks_set(hang, NULL, NULL);
    if (is(mode, "after-hangs")) hooks_set(NULL, hang, NULL);
    if (is(mode, "worker-hangs")) hooks_set(NULL, NULL, hang);
    /* What follows the mode are the arguments of mape_zygote_main. */
    return mape_zygote_main(argc - 1, argv + 1);
}
