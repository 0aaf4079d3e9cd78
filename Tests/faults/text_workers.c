/* text_workers.c - functions that say what they are given. Case 73.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fault_workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *text_of(const void *bytes, size_t size) {
    char *text = calloc(1, size + 1);
    if (text) memcpy(text, bytes, size);
    return text;
}

int run_fails_saying(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    char *text = text_of(input, size);
    int code = mape_task_fail(task, 5, text);
    free(text);
    return code;
}

int set_up_fails_saying(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)out_state;
    return run_fails_saying(task, NULL, data, size);
}

int run_writes(mape_task *task, void *state, const void *input, size_t size) {
    (void)task, (void)state;
    for (size_t done = 0; done < size;) {
        ssize_t wrote = write(1, (const char *)input + done, size - done);
        if (wrote < 0) return 1;
        done += (size_t)wrote;
    }
    return 0;
}
