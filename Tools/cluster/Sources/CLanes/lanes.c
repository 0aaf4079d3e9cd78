/* lanes.c - see lanes.h */
#include "lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The engine's own, so that both ends check packets alike. */
#include "../../../../Sources/CMapBridge/linux/fork_control.c"

/* From here on a write is worth a call of the system. */
#define LARGE (64u << 10)

const uint8_t *lanes_map_input(int fd, uint64_t size) {
    void *at = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static mapb_outbox *outbox(const lane *lane) { return (mapb_outbox *)lane->output; }
static const mapb_inbox *inbox(const lane *lane) { return mapb_inbox_at(lane->input, lane->slot); }

int lane_open(lane *out, int fd, uint64_t size, const uint8_t *input, uint64_t input_size, uint32_t slot) {
    memset(out, 0, sizeof *out);
    if (size < MAPB_RESULTS_OFFSET + MAPB_REPORT_BYTES || slot >= MAPB_MAX_WORKERS ||
        4096 + (uint64_t)(slot + 1) * MAPB_INBOX_BYTES > input_size)
        return 0;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (at == MAP_FAILED) return 0;
    /* Without a descriptor of its own it writes to the mapping alone. */
    const int file = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    *out =
        (lane){.input = input, .input_size = input_size, .output = at, .output_size = size, .file = file, .slot = slot};
    out->frontier = MAPB_RESULTS_OFFSET;
    mapb_store32(&outbox(out)->yields, 1);
    mapb_store32(&outbox(out)->sleeping, 1);
    return 1;
}

void lane_close(lane *lane) {
    if (!lane->output) return;
    munmap(lane->output, lane->output_size);
    if (lane->file >= 0) close(lane->file);
    lane->output = NULL;
}

int lane_take(lane *lane, mapb_request *out) {
    if (mapb_load(mapb_inbox_tail(inbox(lane))) <= lane->taken) return 0;
    *out = *mapb_request_at(inbox(lane), ++lane->taken);
    return 1;
}

uint64_t lane_yield(const lane *lane) {
    mapb_fence();
    return mapb_peek(&inbox(lane)->yield);
}

const uint8_t *lane_bytes(const lane *lane, uint64_t at, uint64_t size) {
    if (at > lane->input_size || size > lane->input_size - at) return NULL;
    return lane->input + at;
}

int lane_read(const lane *lane, uint64_t at, void *out, uint64_t size) {
    const uint8_t *from = lane_bytes(lane, at, size);
    if (!from) return 0;
    memcpy(out, from, size);
    return 1;
}

int lane_is_cancelled(const lane *lane, uint64_t record) {
    const mapb_job *job = (const mapb_job *)lane_bytes(lane, record, sizeof *job);
    return job && record % 8 == 0 && mapb_job_cancelled(job);
}

int64_t lane_text(const lane *lane, uint64_t at, uint64_t most) {
    if (at >= lane->input_size) return -1;
    if (most > lane->input_size - at) most = lane->input_size - at;
    const uint8_t *end = memchr(lane->input + at, 0, most);
    return end ? end - (lane->input + at) : -1;
}

int lane_begin(lane *lane, const mapb_request *request) {
    if (request->flags & MAPB_SET_HOLE) {
        lane->hole = request->hole_base;
        lane->hole_end = request->hole_limit;
    }
    if (request->flags & MAPB_SET_FRONTIER) lane->frontier = request->frontier_base;
    __atomic_store_n(&outbox(lane)->current, request->ticket << 32 | MAPB_MARK_ANSWER, __ATOMIC_RELEASE);
    return lane_yield(lane) < request->ticket;
}

uint64_t lane_allocate(lane *lane, uint64_t size, uint64_t alignment) {
    const uint64_t mask = alignment - 1, limit = lane->output_size - MAPB_REPORT_BYTES;
    const uint64_t hole = (lane->hole + mask) & ~mask, frontier = (lane->frontier + mask) & ~mask;
    if (lane->hole_end <= limit && hole <= lane->hole_end && size <= lane->hole_end - hole &&
        hole >= MAPB_RESULTS_OFFSET) {
        lane->hole = hole + size;
        return hole;
    }
    if (frontier >= MAPB_RESULTS_OFFSET && frontier <= limit && size <= limit - frontier) {
        lane->frontier = frontier + size;
        return frontier;
    }
    return 0;
}

int lane_write(lane *lane, uint64_t at, const void *bytes, uint64_t size) {
    if (at < MAPB_RESULTS_OFFSET || at > lane->output_size || size > lane->output_size - at) return 0;
    /* Results often come to lie where no page is yet. The kernel fills one that is written as a file; one that a store touches it clears
     * first, after a fault for each. */
    while (size >= LARGE && lane->file >= 0) {
        const ssize_t put = pwrite(lane->file, bytes, size, (off_t)at);
        if (put <= 0) break;
        at += (uint64_t)put;
        bytes = (const uint8_t *)bytes + put;
        size -= (uint64_t)put;
    }
    if (size) memcpy(lane->output + at, bytes, size);
    return 1;
}

void lane_publish(lane *lane, uint32_t done, uint32_t flags, uint64_t base, uint64_t size, uint64_t table,
                  uint32_t detail) {
    const uint64_t ticket = lane->answered + 1;
    mapb_reply *reply = mapb_reply_at(lane->output, ticket);
    *reply = (mapb_reply){.ticket = ticket,
                          .done = done,
                          .flags = flags,
                          .base = base,
                          .size = size,
                          .table = table,
                          .hole_end = lane->hole,
                          .frontier_end = lane->frontier,
                          .detail = detail};
    lane->answered = ticket;
    mapb_store(&outbox(lane)->tail, ticket);
    __atomic_store_n(&outbox(lane)->current, 0, __ATOMIC_RELEASE);
    mapb_fence();
}

void lane_notify(const lane *lane, int engine_bell, int waiter_bell, uint64_t *epoch) {
    if (lane->answered < mapb_notify_at(inbox(lane))) return;
    const uint64_t bell = mapb_doorbell((const mapb_pool_head *)lane->input);
    const uint64_t target = bell & 3;
    if (target == MAPB_BELL_NONE || bell == *epoch) return;
    *epoch = bell;
    const uint64_t one = 1;
    const ssize_t written = write(target == MAPB_BELL_ENGINE ? engine_bell : waiter_bell, &one, sizeof one);
    (void)written; /* A full bell is readable already. */
}

void lane_progress(lane *lane, uint64_t ticket, double items) {
    uint64_t bits;
    memcpy(&bits, &items, sizeof bits);
    __atomic_store_n(&outbox(lane)->marked, 0, __ATOMIC_RELEASE);
    mapb_store(&outbox(lane)->fraction, bits);
    mapb_store(&outbox(lane)->marked, ticket);
}

void lane_message(lane *lane, uint32_t level, const void *text, uint32_t size) {
    mapb_outbox *box = outbox(lane);
    if (size >= MAPB_TEXT) size = MAPB_TEXT - 1;
    const uint64_t need = sizeof(mapb_message_head) + ((size + 7) & ~7ull);
    const uint64_t tail = box->message_tail, head = mapb_message_head_of(inbox(lane));
    if (tail - head > MAPB_MESSAGES || need > MAPB_MESSAGES - (tail - head)) {
        __atomic_store_n(&box->message_lost, box->message_lost + size, __ATOMIC_RELAXED);
        return;
    }
    const mapb_message_head about = {size, level};
    const uint8_t *parts[2] = {(const uint8_t *)&about, text};
    const uint64_t sizes[2] = {sizeof about, size};
    uint64_t at = tail;
    for (int k = 0; k < 2; k++)
        for (uint64_t i = 0; i < sizes[k]; i++, at++)
            lane->output[MAPB_MESSAGES_OFFSET + (at & (MAPB_MESSAGES - 1))] = parts[k][i];
    mapb_store(&box->message_tail, tail + need);
}

mapb_control lanes_message(uint32_t kind) {
    mapb_control made;
    memset(&made, 0, offsetof(mapb_control, text));
    made.text[0] = 0;
    made.kind = kind;
    return made;
}

void lanes_set_text(mapb_control *message, const char *text) {
    size_t size = strnlen(text, sizeof message->text - 1);
    memcpy(message->text, text, size);
    message->text[size] = 0;
    message->text_size = (uint32_t)size + 1;
}

int lanes_is_helper(void) {
    const char *named = getenv("MAPENGINE_REMOTE");
    int type = 0;
    socklen_t length = sizeof type;
    if (!named || strcmp(named, "3") != 0) return 0;
    if (getsockopt(3, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_SEQPACKET) return 0;
    unsetenv("MAPENGINE_REMOTE");
    return 1;
}
