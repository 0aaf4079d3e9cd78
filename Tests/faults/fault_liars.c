/* fault_liars.c - workers that lie about their own work: each overwrites words of its own output memory and lets the host read them.
 *
 * A lie is published at once, as broken code in a second thread of a worker could: reply, tail and bell, while the function still
 * runs. Then the worker sleeps, so that the host is what acts next. The layout is the engine's own header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "fault_workers.h"

#include "../../Sources/CMapBridge/include/mapb_layout.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct {
    uint8_t *base;
    size_t size;
} output;

/** The one shared memfd that this process may write to, but for the test's own page. */
static int find_output(void) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    output.base = NULL;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long start, end;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3) continue;
        if (rights[1] != 'w' || rights[3] != 's' || strstr(line, "memfd:") == NULL) continue;
        if (strstr(line, "abi-test") != NULL) continue;
        output.base = (uint8_t *)start, output.size = end - start;
    }
    if (maps != NULL) fclose(maps);
    return output.base != NULL && output.size > MAPB_RESULTS_OFFSET;
}

static mapb_outbox *outbox(void) { return (mapb_outbox *)output.base; }

/** Rings every bell this process holds. */
static void ring(void) {
    static int bells[16], count = -1;
    for (int fd = 3; count < 0 || (fd > 3 && fd < 4096 && count < 16); fd++) {
        char path[64], target[64] = "";
        if (count < 0) count = 0;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) >= 0 && strncmp(target, "pipe:", 5) == 0 &&
            (fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_WRONLY | O_NONBLOCK)) /* Not make's own. */
            bells[count++] = fd;
    }
    for (int i = 0; i < count; i++) {
        const uint64_t one = 1;
        if (write(bells[i], &one, sizeof one) < 0) continue;
    }
}

static void publish(uint64_t tail) {
    mapb_store(&outbox()->tail, tail);
    ring();
    for (;;) pause(); /* Until the host acts. */
}

static void *change(void *context) {
    mapb_reply *reply = mapb_reply_at(output.base, *(uint64_t *)context);
    uint64_t seed = 88172645463325252u;
    for (;;) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        uint64_t *words = (uint64_t *)reply;
        words[1 + seed % 7] = seed; /* All but the ticket. */
        reply->done = seed & 1;
        outbox()->message_tail = seed & 0xffff;
        outbox()->current = seed;
    }
    return NULL;
}

static int square(mape_task *task, uint64_t value) {
    uint64_t *result = mape_task_output(task, sizeof *result);
    if (result != NULL) *result = value * value;
    return 0;
}

/** A place of its own to lie in, so that what it did before stays as it was. Its offset; 0 when there is no room. */
static uint64_t own_place(mape_task *task) {
    uint8_t *place = mape_task_output(task, 64);
    if (place == NULL) return 0;
    memset(place, 0, 64);
    return (uint64_t)(place - output.base);
}

int run_lies(mape_task *task, void *state, const void *input, size_t size) {
    struct shared *shared = state;
    const struct lie *lie = input;
    if (size != sizeof *lie) return 1;
    if (lie->value < SHARED_ORDER) atomic_store(&shared->order[lie->value], (uint64_t)getpid());
    if (lie->kind != LIE_NONE) {
        uint32_t slot = atomic_fetch_add(&shared->spawned, 1);
        if (slot < SHARED_SLOTS) atomic_store(&shared->astray[slot], getpid());
    }
    if (lie->kind == LIE_NONE) return square(task, lie->value);
    if (!find_output()) return mape_task_fail(task, 95, "the output memory was not found");
    const uint64_t place = own_place(task);
    if (place == 0) return mape_task_fail(task, 96, "no room for a lie");
    const uint64_t word = mapb_load(&outbox()->current);
    static uint64_t ticket;
    ticket = word >> 32;
    mapb_reply *reply = mapb_reply_at(output.base, ticket);
    mapb_entry *entry = (mapb_entry *)(output.base + place);
    const uint64_t far = (uint64_t)1 << 60;
    *reply = (mapb_reply){.ticket = ticket, .done = 1, .base = place, .size = 8};
    reply->frontier_end = place + 64;
    switch (lie->kind) {
    case LIE_BASE: reply->base = far; break;
    case LIE_SIZE: reply->size = (uint64_t)1 << 50; break;
    case LIE_WRAP: reply->base = UINT64_MAX - 7, reply->size = 16; break;
    case LIE_OUTBOX: reply->base = 0; break;
    case LIE_TABLE: reply->flags = MAPB_REPLY_TABLE, reply->table = far; break;
    case LIE_ENTRY:
        reply->flags = MAPB_REPLY_TABLE, reply->table = place;
        *entry = (mapb_entry){(uint64_t)MAPB_ENTRY_OK << 56 | (uint64_t)1 << 50, 8};
        break;
    case LIE_CURSOR: reply->frontier_end = far, reply->hole_end = far; break;
    case LIE_MESSAGES: outbox()->message_tail += (uint64_t)1 << 33; break;
    case LIE_TICKET: reply->ticket = ticket + 1; break;
    case LIE_TWICE: publish(ticket + 5); break;
    case LIE_PAST: publish(ticket > 3 ? ticket - 3 : 0); break;
    case LIE_DONE: reply->done = 1000; break;
    case LIE_BLAME:
        outbox()->current = (word & ~0xffffffffull) | 500;
        raise(SIGKILL);
        break;
    case LIE_BLAME_RANGE:
        outbox()->current = (word & ~0xffffffffull) | 0xfffffff0u;
        raise(SIGKILL);
        break;
    case LIE_CHANGE: {
        pthread_t thread;
        if (pthread_create(&thread, NULL, change, &ticket) != 0) return 1;
        for (int i = 0; i < 200; i++) {
            mapb_store(&outbox()->tail, i % 2 == 0 ? ticket : ticket - 1);
            ring();
            nanosleep(&(struct timespec){.tv_nsec = 100 * 1000}, NULL);
        }
        break;
    }
    case LIE_BELLS:
        reply->done = 0;
        for (int i = 0; i < 20000; i++) ring();
        return square(task, lie->value);
    default: return 1;
    }
    publish(ticket);
    return 0;
}

int run_attacks(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    struct attack attack = {0};
    for (int fd = 3; fd < 1024; fd++) {
        char path[64], target[256] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) < 0 || strncmp(target, "/memfd:", 7) != 0) continue;
        if (strstr(target, "abi-test") != NULL) continue;
        attack.memfds++;
        attack.cut += ftruncate(fd, 4096) == 0;
        attack.grown += ftruncate(fd, (off_t)1 << 45) == 0;
        attack.unsealed += fcntl(fd, F_ADD_SEALS, 0) == 0 && (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0;
        attack.mapped += mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
        attack.written += pwrite(fd, "x", 1, 0) == 1;
    }
    /* The mapping of its input. */
    uintptr_t page = (uintptr_t)input & ~(uintptr_t)4095;
    attack.written += size > 0 && mprotect((void *)page, 4096, PROT_READ | PROT_WRITE) == 0;
    struct attack *result = mape_task_output(task, sizeof *result);
    if (result != NULL) *result = attack;
    return 0;
}
