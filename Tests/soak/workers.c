/* workers.c - what runs in the soak's workers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "workers.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int soak_setup(mape_task *task, const void *data, size_t size, void **out_state) {
    const struct soak_setup *told = data;
    if (size != sizeof *told) return mape_task_fail(task, 91, "the data are no struct soak_setup");
    int fd = open(told->path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return mape_task_fail(task, 92, "the page cannot be opened");
    struct soak_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    if (page == MAP_FAILED) return mape_task_fail(task, 93, "the page cannot be mapped");
    if (told->setup_us > 0) usleep(told->setup_us);
    *out_state = page;
    return 0;
}

static void begin(struct soak_page *page, const struct soak_item *item) {
    if (item->number >= SOAK_CAPACITY) return;
    uint8_t before = atomic_load_explicit(&page->begun[item->number], memory_order_relaxed);
    if (before < UINT8_MAX) atomic_store_explicit(&page->begun[item->number], before + 1, memory_order_relaxed);
}

static void work(const struct soak_item *item) {
    if (item->spin_ns == 0) return;
    int64_t end = now_ns() + item->spin_ns;
    while (now_ns() < end) {}
}

static int answer(mape_task *task, const struct soak_item *item) {
    struct soak_result *result = mape_task_output(task, sizeof *result + item->extra);
    if (result == NULL) return mape_task_fail(task, 94, "no output memory");
    result->number = item->number;
    result->value = soak_value(item->number);
    uint8_t *extra = (uint8_t *)(result + 1);
    for (uint32_t i = 0; i < item->extra; i++) extra[i] = soak_byte(item->number, i);
    return 0;
}

int soak_run(mape_task *task, void *state, const void *input, size_t size) {
    const struct soak_item *item = input;
    if (size != sizeof *item) return mape_task_fail(task, 95, "the input is no struct soak_item");
    begin(state, item);
    work(item);
    return answer(task, item);
}

int soak_run_each(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *input = mape_task_begin(&size, task, i);
        if (input == NULL) return 0;
        int code = soak_run(task, state, input, size);
        if (code != 0) return code;
    }
    return 0;
}

int soak_run_all(mape_task *task, void *state, const mape_range *range) {
    struct soak_result *results = mape_task_output_range(task, sizeof *results);
    if (results == NULL) return mape_task_fail(task, 94, "no output memory");
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const struct soak_item *item = mape_task_item(&size, task, i);
        if (item == NULL || size != sizeof *item) return mape_task_fail(task, 95, "the input is no struct soak_item");
        begin(state, item);
        work(item);
        results[i] = (struct soak_result){item->number, soak_value(item->number)};
    }
    return 0;
}
