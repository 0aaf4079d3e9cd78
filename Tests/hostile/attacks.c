/* attacks.c - what broken native code could do to the memory that a worker shares with the host, with bad luck: each attack
 * writes what looks as right as can be and is wrong.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "attacks.h"
#include "mapb_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/** The worker's output memory, found as a wild pointer would: by luck. */
static struct {
    uint8_t *base;
    uint64_t size;
} output;

static mapb_outbox *outbox(void) { return (mapb_outbox *)output.base; }

/* It is the same throughout a worker's life; a thread of an attack before may be reading it. */
static int find_output(void) {
    char line[512];
    if (output.base != NULL) return 1;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && output.base == NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long start, end;
        char rights[8];
        if (strstr(line, "memfd:mapengine-output") == NULL) continue;
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3 || rights[1] != 'w') continue;
        output.size = end - start;
        output.base = (uint8_t *)start;
    }
    if (maps != NULL) fclose(maps);
    return output.base != NULL;
}

static uint64_t below(uint64_t *seed, uint64_t limit) { return hostile_random(seed) % limit; }

/** Numbers at which checks go wrong. */
static uint64_t edge(uint64_t *seed) {
    const uint64_t edges[] = {0,
                              1,
                              7,
                              8,
                              63,
                              64,
                              MAPB_REPLIES_OFFSET,
                              MAPB_MESSAGES_OFFSET,
                              MAPB_MESSAGES,
                              MAPB_RESULTS_OFFSET,
                              output.size,
                              0x7fffffff,
                              0x80000000,
                              0xffffffff,
                              (uint64_t)1 << 32,
                              (uint64_t)1 << 56,
                              (uint64_t)1 << 63,
                              UINT64_MAX,
                              UINT64_MAX / 16,
                              UINT64_MAX / 64};
    uint64_t word = edges[below(seed, sizeof edges / sizeof edges[0])];
    switch (below(seed, 6)) {
    case 0: return word + below(seed, 32);
    case 1: return word - below(seed, 32);
    case 2: return hostile_random(seed);
    default: return word;
    }
}

/** The ticket of the request that runs, as the worker has written it down. */
static uint64_t ticket_now(void) { return outbox()->current >> 32; }

static void words(uint64_t *seed) {
    uint64_t count = 1 + below(seed, 3000);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t word = below(seed, 2) ? hostile_random(seed) : edge(seed);
        /* Mostly where it hurts: the words, the replies, the ring; the reserve beyond is many gigabytes of nothing. */
        uint64_t reach = below(seed, 4) ? MAPB_RESULTS_OFFSET : 1 << 18;
        memcpy(output.base + below(seed, reach - 8), &word, 1 + below(seed, 8));
    }
}

static void bits(uint64_t *seed) {
    uint64_t count = 1 + below(seed, 40);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t place = below(seed, 3) == 0 ? below(seed, sizeof(mapb_outbox))
                                             : MAPB_REPLIES_OFFSET + below(seed, MAPB_RING * sizeof(mapb_reply));
        output.base[place] ^= (uint8_t)(1u << below(seed, 8));
    }
}

static void spoil(mapb_reply *reply, uint64_t *seed) {
    for (uint64_t fields = 1 + below(seed, 3); fields > 0; fields--) {
        switch (below(seed, 10)) {
        case 0: reply->ticket = edge(seed); break;
        case 1: reply->done = (uint32_t)edge(seed); break;
        case 2: reply->flags = (uint32_t)below(seed, 16); break;
        case 3: reply->base = edge(seed); break;
        case 4: reply->size = edge(seed); break;
        case 5: reply->table = edge(seed); break;
        case 6: reply->hole_end = edge(seed); break;
        case 7: reply->frontier_end = edge(seed); break;
        case 8: reply->code = (int32_t)edge(seed); break;
        default: reply->detail = (uint32_t)edge(seed); break;
        }
    }
}

static void replies(uint64_t *seed) {
    uint64_t ticket = ticket_now() + below(seed, 3);
    mapb_reply *reply = mapb_reply_at(output.base, ticket);
    mapb_reply copy = *reply;
    copy.ticket = ticket;
    copy.frontier_end = MAPB_RESULTS_OFFSET + below(seed, 4096) * 64;
    copy.done = (uint32_t)below(seed, 64);
    spoil(&copy, seed);
    *reply = copy;
    /* Said too early, or too late, or not at all. */
    if (below(seed, 2)) mapb_store(&outbox()->tail, ticket - 1 + below(seed, 3));
}

static void tables(uint64_t *seed) {
    uint64_t ticket = ticket_now(), count = 1 + below(seed, 200);
    mapb_reply *reply = mapb_reply_at(output.base, ticket);
    uint64_t place = MAPB_RESULTS_OFFSET + below(seed, 1000) * 16;
    mapb_entry *lines = (mapb_entry *)(output.base + place);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t kind = below(seed, 8) ? 1 + below(seed, 2) : below(seed, 256);
        uint64_t where = below(seed, 3) ? place + below(seed, 4096) : edge(seed);
        lines[i].where = kind << 56 | (where & (((uint64_t)1 << 56) - 1));
        lines[i].size = below(seed, 3) ? 8 + below(seed, 1040) : edge(seed);
    }
    reply->ticket = ticket;
    reply->done = (uint32_t)(below(seed, 3) ? count : edge(seed));
    reply->flags = MAPB_REPLY_TABLE | (uint32_t)below(seed, 8);
    reply->table = place;
    reply->frontier_end = place + 65536;
    if (below(seed, 2)) spoil(reply, seed);
    if (below(seed, 2)) mapb_store(&outbox()->tail, ticket);
}

static void counters(uint64_t *seed) {
    mapb_outbox *box = outbox();
    for (uint64_t i = 0, count = 1 + below(seed, 6); i < count; i++) {
        switch (below(seed, 7)) {
        case 0: mapb_store(&box->tail, below(seed, 2) ? box->tail + below(seed, 70) : edge(seed)); break;
        case 1: mapb_store(&box->current, below(seed, 2) ? box->current + below(seed, 9) - 4 : edge(seed)); break;
        case 2: mapb_store(&box->fraction, edge(seed)); break;
        case 3: mapb_store32(&box->yields, (uint32_t)edge(seed)); break;
        case 4: mapb_store32(&box->sleeping, (uint32_t)edge(seed)); break;
        case 5:
            mapb_store(&box->message_tail, below(seed, 2) ? box->message_tail + below(seed, 64) : edge(seed));
            break;
        default: mapb_store(&box->message_lost, edge(seed)); break;
        }
    }
}

static void messages(uint64_t *seed) {
    mapb_outbox *box = outbox();
    uint8_t *ring = output.base + MAPB_MESSAGES_OFFSET;
    uint64_t tail = box->message_tail;
    for (uint64_t i = 0, count = 1 + below(seed, 300); i < count; i++) {
        mapb_message_head head = {(uint32_t)(below(seed, 50) ? below(seed, 60) : edge(seed)),
                                  (uint32_t)(below(seed, 4) ? below(seed, 4) : edge(seed))};
        uint64_t whole = (8 + (uint64_t)head.size + 7) & ~(uint64_t)7;
        uint64_t at = tail & (MAPB_MESSAGES - 1);
        if (at + 8 <= MAPB_MESSAGES) memcpy(ring + at, &head, 8);
        tail += below(seed, 60) ? whole : edge(seed);
        mapb_store(&box->message_tail, tail);
    }
}

/** Every descriptor that could be a bell is rung. */
static void bells(uint64_t *seed) {
    int all[32], many = 0;
    for (int fd = 3; fd < 4096 && many < 32; fd++)
        if (fcntl(fd, F_GETFD) >= 0 && (fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_WRONLY | O_NONBLOCK))
            all[many++] = fd;
    uint64_t rounds = 1 + below(seed, 2000);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t count = below(seed, 8) ? 1 : UINT64_MAX - 1;
        for (int k = 0; k < many; k++) {
            ssize_t written = write(all[k], &count, sizeof count);
            (void)written;
        }
    }
}

static void die(uint64_t *seed) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    switch (below(seed, 4)) {
    case 0: raise(SIGKILL); break;
    case 1:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        break;
    case 2: _exit((int)below(seed, 256));
    default: signal(SIGABRT, SIG_DFL); abort();
    }
}

static void blame(uint64_t *seed) {
    uint64_t ticket = ticket_now() + below(seed, 3) - 1;
    uint64_t index = below(seed, 3) ? below(seed, 80) : edge(seed);
    uint64_t mark = below(seed, 3) ? 0 : MAPB_MARK_RANGE;
    mapb_store(&outbox()->current, ticket << 32 | (uint32_t)(index | mark));
    if (below(seed, 2)) spoil(mapb_reply_at(output.base, ticket_now()), seed);
    if (below(seed, 3)) die(seed);
}

struct flicker {
    uint64_t seed;
    int64_t end;
};

static int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/** Writes a wrong value and the right one again, so that whoever reads twice may read both. */
static void *flicker_thread(void *context) {
    struct flicker own = *(struct flicker *)context;
    free(context);
    while (clock_ns() < own.end) {
        for (int i = 0; i < 300; i++) {
            uint64_t ticket = outbox()->tail + below(&own.seed, 3);
            uint64_t *word;
            switch (below(&own.seed, 4)) {
            case 0: word = (uint64_t *)outbox() + below(&own.seed, sizeof(mapb_outbox) / 8); break;
            case 1: word = (uint64_t *)(output.base + MAPB_RESULTS_OFFSET) + below(&own.seed, 4096); break;
            case 2: word = (uint64_t *)(output.base + MAPB_MESSAGES_OFFSET) + below(&own.seed, 2048); break;
            default: word = (uint64_t *)mapb_reply_at(output.base, ticket) + below(&own.seed, 8); break;
            }
            uint64_t right = mapb_load(word);
            mapb_store(word, below(&own.seed, 2) ? edge(&own.seed) : right ^ (uint64_t)1 << below(&own.seed, 64));
            mapb_pause();
            mapb_store(word, right);
        }
    }
    return NULL;
}

static void flicker(uint64_t *seed) {
    struct flicker *own = malloc(sizeof *own);
    pthread_t thread;
    if (own == NULL) return;
    *own = (struct flicker){hostile_random(seed), clock_ns() + (int64_t)below(seed, 8000000)};
    if (pthread_create(&thread, NULL, flicker_thread, own) != 0) free(own);
    else pthread_detach(thread);
}

static void mappings(uint64_t *seed) {
    uint64_t offset = below(seed, 64) * 4096, size = (1 + below(seed, 64)) * 4096;
    switch (below(seed, 5)) {
    case 0: madvise(output.base + offset, size, MADV_REMOVE); break;
    case 1: madvise(output.base + offset, size, MADV_DONTNEED); break;
    case 2: mprotect(output.base + offset, size, PROT_NONE); break;
    case 3: munmap(output.base + offset, size); break;
    default: mmap(output.base, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); break;
    }
}

static void descriptors(uint64_t *seed) {
    char bytes[64];
    memset(bytes, 0x5a, sizeof bytes);
    for (uint64_t rounds = 1 + below(seed, 4); rounds > 0; rounds--) {
        for (int fd = 3; fd < 24; fd++) {
            ssize_t done = 0;
            char link[64], name[128];
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(link, name, sizeof name - 1);
            if (length < 0) continue;
            name[length] = '\0';
            if (strstr(name, "abi-test") != NULL) continue;
            switch (below(seed, 8)) {
            case 0: done = write(fd, bytes, 1 + below(seed, sizeof bytes)); break;
            case 1:
            case 2:
                fcntl(fd, F_SETFL, O_NONBLOCK);
                done = read(fd, bytes, sizeof bytes);
                break;
            case 3: fcntl(fd, F_SETFL, 0); break;
            case 4: done = ftruncate(fd, 0); break;
            case 5: close(fd); break;
            case 6: done = dup2(0, fd); break;
            default: done = lseek(fd, (off_t)below(seed, 4096), SEEK_SET); break;
            }
            (void)done;
        }
    }
}

/** Lies about the times of requests, while they run and behind their end. */
static void *times_thread(void *context) {
    struct flicker own = *(struct flicker *)context;
    free(context);
    while (clock_ns() < own.end) {
        uint64_t ticket = outbox()->tail + below(&own.seed, 4);
        mapb_times *times = mapb_times_at(output.base, ticket);
        mapb_store32(&times->ticket, (uint32_t)ticket);
        mapb_store32(&times->slowest, (uint32_t)edge(&own.seed));
        uint64_t begin = below(&own.seed, 2) ? (uint64_t)clock_ns() - below(&own.seed, 1 << 30) : edge(&own.seed);
        mapb_store((uint64_t *)&times->begin, begin);
        mapb_store(&times->took, edge(&own.seed));
        mapb_store(&times->lap, below(&own.seed, 2) ? edge(&own.seed) << 16 | 1 : edge(&own.seed));
    }
    return NULL;
}

static void times(uint64_t *seed) {
    struct flicker *own = malloc(sizeof *own);
    pthread_t thread;
    if (own == NULL) return;
    *own = (struct flicker){hostile_random(seed), clock_ns() + (int64_t)below(seed, 8000000)};
    if (pthread_create(&thread, NULL, times_thread, own) != 0) free(own);
    else pthread_detach(thread);
}

void attack(uint32_t which, uint64_t seed) {
    if (!find_output()) return;
    if (which == ATTACK_ALL) {
        for (uint64_t count = 1 + below(&seed, 3); count > 0; count--)
            attack(ATTACK_WORDS + (uint32_t)below(&seed, ATTACK_ALL - ATTACK_WORDS), hostile_random(&seed));
        return;
    }
    void (*const ways[ATTACKS])(uint64_t *) = {
        [ATTACK_WORDS] = words,
        [ATTACK_BITS] = bits,
        [ATTACK_REPLIES] = replies,
        [ATTACK_TABLES] = tables,
        [ATTACK_COUNTERS] = counters,
        [ATTACK_MESSAGES] = messages,
        [ATTACK_BELLS] = bells,
        [ATTACK_BLAME] = blame,
        [ATTACK_FLICKER] = flicker,
        [ATTACK_MAPPINGS] = mappings,
        [ATTACK_DESCRIPTORS] = descriptors,
        [ATTACK_TIMES] = times,
    };
    if (which < ATTACKS && ways[which] != NULL) ways[which](&seed);
}
