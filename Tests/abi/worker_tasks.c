/* worker_tasks.c - functions that use what a task offers: data of the job, marks, bytes of failed items, the report, the cancel signal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "workers.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* ---- data of a job ---- */

int run_job_data(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    size_t bytes = 77;
    const void *data = mape_task_job_data(&bytes, task);
    if (data == NULL) return bytes == 0 ? 0 : mape_task_fail(task, 2, "no data, but a size");
    if (mape_task_job_data(NULL, task) != data) return mape_task_fail(task, 3, "twice, and not the same");
    memcpy(mape_task_output(task, bytes), data, bytes);
    return 0;
}

int run_crashes_by_data(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    size_t bytes = 0;
    const void *data = mape_task_job_data(&bytes, task);
    if (bytes == 13 && memcmp(data, "crash by this", 13) == 0) *(volatile int *)8 = 1;
    return 1;
}

int run_job_data_alignment(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    return (int)((uintptr_t)mape_task_job_data(NULL, task) % 64);
}

int run_job_data_each(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        const void *input = mape_task_begin(NULL, task, i);
        if (input == NULL) return 0;
        int code = run_job_data(task, state, input, 0);
        if (code != 0) return code;
    }
    return 0;
}

int run_job_data_all(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    size_t bytes = 0;
    const uint8_t *data = mape_task_job_data(&bytes, task);
    uint8_t *out = mape_task_output_range(task, bytes);
    if (bytes > 0 && out == NULL) return 1;
    for (size_t i = 0; i < range->count && bytes > 0; i++) memcpy(out + i * bytes, data, bytes);
    return 0;
}

static mape_task *kept;

/** There is one task in a worker: a typed function can keep it. */
int setup_keeps_task(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)data, (void)size, (void)out_state;
    size_t bytes = 77;
    if (mape_task_job_data(&bytes, task) != NULL || bytes != 0) return mape_task_fail(task, 4, "data of no job");
    kept = task;
    return 0;
}

int64_t job_data_byte(int64_t i) {
    size_t bytes = 0;
    const uint8_t *data = mape_task_job_data(&bytes, kept);
    return i < (int64_t)bytes ? data[i] : -1;
}

/* ---- failed items ---- */

/** Two-byte characters behind one of a single byte, so that each even length cuts one. */
static char *text_of(uint32_t length) {
    char *text = malloc((size_t)length + 2);
    for (uint32_t i = 0; i < length; i++) text[i] = i == 0 ? 'x' : i % 2 ? '\xc3' : '\xa9';
    text[length] = 0;
    return text;
}

int run_fail_bytes(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    const struct failing *item = input;
    if (item->bytes > 0) {
        void *out = mape_task_output(task, item->bytes);
        if (out != NULL) memset(out, (int)(item->code & 0xff), item->bytes);
    }
    if (item->code == 0) return 0;
    if (item->text == 0) return item->code;
    char *text = text_of(item->text);
    int code = mape_task_fail(task, item->code, text);
    free(text);
    return code;
}

int run_fail_bytes_each(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        const void *input = mape_task_begin(NULL, task, i);
        if (input == NULL) return 0;
        int code = run_fail_bytes(task, state, input, 0);
        if (code != 0 && ((const struct failing *)input)->text == 0) mape_task_fail(task, code, NULL);
    }
    return 0;
}

int setup_fails_at_length(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)size, (void)out_state;
    uint32_t length;
    memcpy(&length, data, sizeof length);
    char *text = text_of(length);
    int code = mape_task_fail(task, 6, text);
    free(text);
    return code;
}

/* ---- marks ---- */

int run_marked(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    const struct marked *item = input;
    for (uint32_t i = 1; i <= item->marks; i++) mape_task_mark(task, i);
    switch (item->end) {
    case MARK_SEGV: *(volatile int *)8 = 1; break;
    case MARK_EXIT: _exit(3);
    case MARK_HANG:
        for (;;) pause();
    case MARK_FAIL: return mape_task_fail(task, 5, "marked");
    default: break;
    }
    return 0;
}

int run_marked_all(mape_task *task, void *state, const mape_range *range) {
    const struct marked *items = range->base;
    for (size_t i = 0; i < range->count; i++) run_marked(task, state, &items[i], sizeof *items);
    return 0;
}

/* ---- asked to stop ---- */

int run_obeys(mape_task *task, void *state, const void *input, size_t size) {
    (void)size;
    const struct obeying *item = input;
    struct shared *shared = state;
    atomic_fetch_add(&shared->entered, 1);
    while (!mape_task_cancelled(task)) usleep(500);
    if (item->bytes > 0) memset(mape_task_output(task, item->bytes), 1, item->bytes);
    return item->fails ? mape_task_fail(task, item->code, "failed") : item->code;
}

int run_obeys_all(mape_task *task, void *state, const mape_range *range) {
    struct shared *shared = state;
    atomic_fetch_add(&shared->entered, 1);
    while (!mape_task_cancelled(task)) usleep(500);
    (void)range;
    return 7;
}

/* ---- the report ---- */

static int report = -1;

static void write_report(int signal) {
    static const char text[] = "Fatal error: a fault\n\nCurrent stack:\n  File \"shade.py\", line 42 in \033[1mshade\n";
    ssize_t written = write(report, text, sizeof text - 1);
    (void)written;
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigaction(signal, &plain, NULL);
    raise(signal);
}

int setup_report(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)data, (void)size, (void)out_state;
    report = mape_task_report_fd(task);
    if (report < 0 || report != mape_task_report_fd(task)) return mape_task_fail(task, 8, "no report");
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = write_report;
    return sigaction(SIGSEGV, &action, NULL);
}

int run_reported(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    const uint32_t way = *(const uint32_t *)input;
    if (way == REPORT_NOTE) {
        if (write(report, "an older note\n", 14) != 14) return mape_task_fail(task, errno, "cannot write");
    } else if (way == REPORT_FLOOD) {
        char line[1024];
        memset(line, 'f', sizeof line);
        line[1023] = '\n';
        int wrote = 0;
        while (write(report, line, sizeof line) == (ssize_t)sizeof line) wrote++;
        if (wrote != 64 || errno != EPERM) return mape_task_fail(task, wrote, strerror(errno));
        _exit(4);
    } else if (way == REPORT_SEGV) {
        *(volatile int *)8 = 1;
    } else if (way == REPORT_CLOSED) {
        close(report);
        return mape_task_report_fd(task) == -1 ? 0 : 1;
    }
    return 0;
}

/* ---- the cancel signal ---- */

static volatile sig_atomic_t hits, strays, inside, innocent, jumps;
static sigjmp_buf out_of_it;

static void on_cancel(int signal) {
    (void)signal;
    if (innocent) strays++;
    hits++;
    if (inside && jumps) siglongjmp(out_of_it, 1);
}

int setup_cancel_signal(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)task;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_cancel;
    sigaction(SIGUSR1, &action, NULL);
    return setup_shared(task, data, size, out_state);
}

/** Loops until it is signalled, or for some time, and never asks. */
int run_until_signal(mape_task *task, void *state, const void *input, size_t size) {
    (void)size;
    struct shared *shared = state;
    const struct signalled *item = input;
    hits = 0;
    jumps = item->way == SIGNALLED_JUMPS;
    if (sigsetjmp(out_of_it, 1) != 0) {
        inside = 0;
        return 9;
    }
    inside = 1;
    atomic_fetch_add(&shared->entered, 1);
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do {
        if (item->way == SIGNALLED_WELL && hits) break;
        if (item->way == SIGNALLED_FLAG && hits) {
            inside = 0;
            return 9;
        }
        if (item->way == SIGNALLED_FAILS && hits) {
            inside = 0;
            return mape_task_fail(task, 9, "interrupted");
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (item->for_ns == 0 ||
             (now.tv_sec - begun.tv_sec) * 1000000000 + now.tv_nsec - begun.tv_nsec < item->for_ns);
    inside = 0;
    return 0;
}

/** Says which of its worker's items were hit by a signal that was not theirs: by the handler, or by a sleep that was cut short. */
int run_innocent(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    const uint64_t *ns = input;
    uint32_t *out = mape_task_output(task, 2 * sizeof *out);
    struct timespec time = {0, (long)*ns};
    innocent = 1;
    out[1] = nanosleep(&time, NULL) != 0 ? 1 : 0;
    innocent = 0;
    out[0] = (uint32_t)strays;
    return 0;
}

/* ---- items that take as long as they are told, at least ---- */

int64_t naps(int64_t milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (milliseconds > 0 && nanosleep(&left, &left) != 0) {}
    return milliseconds;
}

int run_naps(mape_task *task, void *state, const void *input, size_t size) {
    (void)task, (void)state, (void)size;
    naps(*(const int64_t *)input);
    return 0;
}

int run_naps_each(mape_task *task, void *state, const mape_range *range) {
    (void)state;
    const void *input;
    for (size_t i = 0; i < range->count && (input = mape_task_begin(NULL, task, i)) != NULL; i++)
        naps(*(const int64_t *)input);
    return 0;
}
