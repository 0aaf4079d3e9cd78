/* worker.c - the functions of libhostile.so: honest work, with attacks in between.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "attacks.h"
#include "workers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/** Tells the test who has this item, and that it is not to be trusted any more. */
static void sign(struct shared *shared, const struct hostile_item *item) {
    if (item->seed != 0) {
        uint32_t slot = atomic_fetch_add(&shared->spawned, 1);
        if (slot < SHARED_SLOTS) atomic_store(&shared->astray[slot], getpid());
    }
    if (item->owner < SHARED_ORDER) atomic_store(&shared->order[item->owner], (uint64_t)getpid());
}

static int honest(mape_task *task, uint64_t value) {
    if (hostile_fails(value)) return mape_task_fail(task, HOSTILE_CODE, "not this one");
    size_t count = hostile_words(value);
    uint64_t *words = mape_task_output(task, count * sizeof *words);
    for (size_t i = 0; words != NULL && i < count; i++) words[i] = hostile_word(value, i);
    return 0;
}

int run_hostile(mape_task *task, void *state, const void *input, size_t size) {
    struct hostile_item item;
    if (size != sizeof item) return 1;
    memcpy(&item, input, sizeof item);
    sign(state, &item);
    uint64_t seed = item.seed;
    if (seed == 0) return honest(task, item.value);
    /* Before, in the middle of, or after its own work; or each. */
    uint64_t when = 1 + hostile_random(&seed) % 7;
    if (when & 1) attack(item.attack, hostile_random(&seed));
    int code = honest(task, item.value);
    if (when & 2) attack(item.attack, hostile_random(&seed));
    if (when & 4) mape_task_log(task, MAPE_LOG_INFO, "all is well");
    return code;
}

int run_hostile_range(mape_task *task, void *state, const mape_range *range) {
    for (size_t i = 0; i < range->count; i++) {
        size_t size = 0;
        const void *item = mape_task_begin(&size, task, i);
        if (item == NULL) return 0;
        int code = run_hostile(task, state, item, size);
        if (code != 0) mape_task_fail(task, code, "not this one");
    }
    return 0;
}

/** Tries to have a memory file cut or its seals changed. */
static int can_be_cut(int fd) { return ftruncate(fd, 4096) == 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0; }

int run_reach(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    struct reach found = {0, 0, 0, 0, 0};
    struct {
        uint8_t *start, *end;
    } inputs[64];
    int count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) return 1;
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long start, end;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3) continue;
        if (strstr(line, "memfd:mapengine-output") != NULL) found.outputs += rights[1] == 'w';
        if (strstr(line, "memfd:mapengine-input") != NULL && count < 64) {
            found.inputs_writable += rights[1] == 'w';
            inputs[count].start = (uint8_t *)start;
            inputs[count++].end = (uint8_t *)end;
        }
    }
    fclose(maps);
    for (int i = 0; i < count; i++) {
        size_t length = (size_t)(inputs[i].end - inputs[i].start);
        found.inputs_writable += mprotect(inputs[i].start, length, PROT_READ | PROT_WRITE) == 0;
        /* A second mapping of the same pages is no more writable than the first. */
        void *again = mremap(inputs[i].start, 0, 4096, MREMAP_MAYMOVE);
        if (again != MAP_FAILED) found.inputs_writable += mprotect(again, 4096, PROT_READ | PROT_WRITE) == 0;
    }
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return 2;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[256];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, name, sizeof name - 1);
        if (length < 0) continue;
        name[length] = '\0';
        int fd = atoi(entry->d_name);
        if (fd > 2 && (strncmp(name, "pipe:", 5) == 0 || strstr(name, "[eventfd]") != NULL))
            found.readable_bells += (fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY;
        if (strstr(name, "memfd:mapengine") == NULL) continue;
        found.memory_files++;
        found.unsealed += (uint32_t)can_be_cut(fd);
    }
    closedir(folder);
    /* Its own output once more, through the list of mappings: a file that can be written to, but not cut. */
    folder = opendir("/proc/self/map_files");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char name[256];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, name, sizeof name - 1);
        if (length < 0) continue;
        name[length] = '\0';
        if (strstr(name, "memfd:mapengine-output") == NULL) continue;
        int fd = openat(dirfd(folder), entry->d_name, O_RDWR | O_CLOEXEC);
        if (fd < 0) continue;
        found.unsealed += (uint32_t)can_be_cut(fd);
        close(fd);
    }
    if (folder != NULL) closedir(folder);
    void *out = mape_task_output(task, sizeof found);
    if (out != NULL) memcpy(out, &found, sizeof found);
    return 0;
}
