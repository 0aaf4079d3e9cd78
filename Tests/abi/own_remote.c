/* own_remote.c - stands in for mapengine-remote: lanes whose ranges run in a pool of its own, on this machine, late or badly if a test says so.
 *
 * It speaks the helper's side of mapb_control.h and mapb_layout.h as docs/cluster.md has it. One thread, which looks at everything every
 * millisecond or two while it has work.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <mapengine.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "mapb_control.h"
#include "stand_in.h"

#define CONTROL   3
#define MOST      MAPB_MAX_WORKERS
#define FUNCTIONS 64

struct range {
    mapb_request request;
    mape_job *job;
    int64_t due;
};

struct lane {
    int lives, sent;
    uint64_t generation;
    uint8_t *output;
    uint64_t size;
    uint64_t taken, answered; /* Tickets. */
    struct range ranges[MAPB_RING];
    uint64_t hole, hole_end, frontier;
};

static struct lane lanes[MOST];
static uint8_t *input;
static int bells[3] = {-1, -1, -1}, doorbell = -1;
static uint64_t rung;
static struct stand_in *told;
static mape_pool *pool;
static struct {
    uint64_t serial;
    mape_function_id id;
} functions[FUNCTIONS];
static uint32_t refused[FUNCTIONS];
static uint64_t globals_are;
static uint32_t offered = UINT32_MAX;

static void fail(const char *what) {
    dprintf(2, "own_remote: %s: %s\n", what, strerror(errno));
    _exit(70);
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void tell(mapb_control message, const char *text) {
    if (text) {
        snprintf(message.text, sizeof message.text, "%s", text);
        message.text_size = (uint32_t)strlen(message.text) + 1;
    }
    const int why = mapb_control_send(CONTROL, &message, NULL, 0, 1);
    if (why) _exit(0); /* The host is gone. */
}

static mapb_control about(uint32_t kind, uint32_t slot) {
    mapb_control message;
    memset(&message, 0, offsetof(mapb_control, text));
    message.kind = kind, message.slot = slot, message.generation = lanes[slot].generation;
    return message;
}

/* ---- what functions need ---- */

static void set_globals(uint64_t node) {
    const mapb_globals *table = (const mapb_globals *)(input + node);
    for (unsigned i = 0; i < MAPB_GLOBALS_WIDTH; i++) {
        if (table->slots[i] & MAPB_GLOBALS_NODE) {
            set_globals(table->slots[i] & ~(uint64_t)MAPB_GLOBALS_NODE);
            continue;
        }
        for (uint64_t at = table->slots[i]; at;) {
            const mapb_global *global = (const mapb_global *)(input + at);
            mape_pool_set_global(pool, (const char *)(global + 1), input + global->data, global->size);
            at = global->next;
        }
    }
}

static mape_function_id function_of(const mapb_function *record) {
    mape_function_id *place = &functions[record->id % FUNCTIONS].id;
    if (functions[record->id % FUNCTIONS].serial == record->serial) return *place;
    mape_function function = MAPE_FUNCTION_INIT;
    if (!record->travels) return 0;
    const char *run = (const char *)(input + record->run.symbol);
    function.library = (const char *)(input + record->run.library);
    if (record->is_range) function.run_range_symbol = run;
    else function.run_symbol = run;
    if (record->setup.symbol) function.setup_symbol = (const char *)(input + record->setup.symbol);
    if (record->cleanup.symbol) function.cleanup_symbol = (const char *)(input + record->cleanup.symbol);
    if (record->data_size) function.data = input + record->data, function.data_size = record->data_size;
    if (record->prototype) function.prototype = (const char *)(input + record->prototype);
    *place = 0;
    if (mape_function_register(place, pool, &function)) fail("a function");
    functions[record->id % FUNCTIONS].serial = record->serial;
    return *place;
}

static void begin(struct range *range) {
    const mapb_request *request = &range->request;
    const mapb_job *job = (const mapb_job *)(input + request->record);
    const mapb_job_remote *remote = (const mapb_job_remote *)(job + 1);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = remote->attempts, config.item_timeout_ns = remote->item_timeout;
    config.chunk = request->step, config.first_index = request->first;
    if (job->data) {
        const mapb_job_data *data = (const mapb_job_data *)(input + job->data);
        config.data = input + data->at, config.data_size = data->size;
    }
    if (job->globals && remote->globals_serial != globals_are) set_globals(job->globals);
    globals_are = remote->globals_serial;
    mape_span *spans = malloc((request->count + 1) * sizeof *spans);
    for (uint32_t i = 0; i < request->count; i++) {
        const uint64_t index = request->first + i;
        if (job->spans) {
            const mapb_span span = *(const mapb_span *)(input + (job->spans + (index & job->stride) * sizeof span));
            if (span.size & MAPB_PIECES) fail("an item of several pieces");
            spans[i].data = input + span.offset, spans[i].size = span.size;
        } else spans[i].data = input + (job->base + index * job->stride), spans[i].size = job->size;
    }
    mape_items items = MAPE_ITEMS_INIT;
    items.spans = spans, items.count = request->count;
    const mape_function_id id = functions[job->function % FUNCTIONS].id;
    if (mape_map(&range->job, pool, id, &items, &config)) {
        char why[512];
        mape_message(why, sizeof why, pool);
        fail(why);
    }
    free(spans);
    range->due = now_ms() + told->delay_ms;
    told->begun++;
    told->items += request->count;
    if (request->count > told->largest) told->largest = request->count;
}

/* ---- replies ---- */

static uint64_t allocate(struct lane *lane, uint64_t size) {
    uint64_t at = (lane->hole + 15) & ~(uint64_t)15;
    if (at <= lane->hole_end && size <= lane->hole_end - at) {
        lane->hole = at + size;
        return at;
    }
    at = (lane->frontier + 15) & ~(uint64_t)15;
    if (size > lane->size - MAPB_REPORT_BYTES - at) fail("output memory");
    lane->frontier = at + size;
    return at;
}

static uint64_t put(struct lane *lane, const void *bytes, uint64_t size) {
    const uint64_t at = allocate(lane, size);
    memcpy(lane->output + at, bytes, size);
    return at;
}

static mapb_entry entry_of(struct lane *lane, mape_job *job, uint64_t index) {
    static const char host[] = "stand-in";
    mape_result result = MAPE_RESULT_INIT;
    if (mape_job_result(&result, job, index)) fail("a result");
    if (result.state == MAPE_ITEM_OK)
        return (mapb_entry){(uint64_t)MAPB_ENTRY_OK << 56 | put(lane, result.data, result.size), result.size};
    if (result.state == MAPE_ITEM_FAILED && result.cause == MAPE_CAUSE_FUNCTION) {
        mapb_failure failure = {.code = result.code, .text_size = (uint32_t)strlen(result.message)};
        failure.text = put(lane, result.message, failure.text_size);
        failure.data = put(lane, result.data, result.size), failure.data_size = result.size;
        return (mapb_entry){(uint64_t)MAPB_ENTRY_FAILED << 56 | put(lane, &failure, sizeof failure), sizeof failure};
    }
    mapb_item_end end = {.state = result.state, .cause = result.cause, .code = result.code, .attempts = result.attempts};
    const char *suffix = strstr(result.message, ", function \"");
    end.text_size = (uint32_t)(suffix ? (size_t)(suffix - result.message) : strlen(result.message));
    end.text = put(lane, result.message, end.text_size);
    end.mark = result.mark, end.has_mark = result.has_mark;
    end.host_size = sizeof host - 1, end.host = put(lane, host, end.host_size);
    mape_crash crash = MAPE_CRASH_INIT;
    if (mape_job_crash(&crash, job, index) == MAPE_OK) {
        end.report_size = (uint32_t)strlen(crash.text), end.report = put(lane, crash.text, end.report_size);
        end.signal = crash.signal, end.signal_code = crash.code, end.pid = crash.pid;
        end.address = crash.address, end.frames = crash.frames;
    }
    if (atomic_exchange(&told->garble, told->garble & 1) == 2) end.state = MAPE_ITEM_OK;
    return (mapb_entry){(uint64_t)MAPB_ENTRY_ENDED << 56 | put(lane, &end, sizeof end), sizeof end};
}

static void ring(void) {
    const uint64_t bell = mapb_doorbell((const mapb_pool_head *)input);
    const uint32_t target = bell & 3;
    if (target == MAPB_BELL_NONE || bell == rung) return;
    rung = bell;
    while (write(bells[target == MAPB_BELL_ENGINE ? 1 : 2], "", 1) < 0 && errno == EINTR) {}
}

static void reply(struct lane *lane, struct range *range, int is_back) {
    const mapb_request *request = &range->request;
    const uint64_t ticket = request->ticket;
    const mapb_inbox *inbox = mapb_inbox_at(input, (uint32_t)(lane - lanes));
    mapb_outbox *outbox = (mapb_outbox *)lane->output;
    mapb_reply *reply = mapb_reply_at(lane->output, ticket);
    memset(reply, 0, sizeof *reply);
    reply->ticket = ticket;
    if (request->flags & MAPB_SET_HOLE) lane->hole = request->hole_base, lane->hole_end = request->hole_limit;
    if (request->flags & MAPB_SET_FRONTIER) lane->frontier = request->frontier_base;
    if (request->kind == MAPB_REQUEST_RANGE) {
        /* The answer is here: only now has the range begun, unless the host has taken it back. */
        if (!is_back) {
            __atomic_store_n(&outbox->current, (ticket & 0xffffffff) << 32 | MAPB_MARK_ANSWER, __ATOMIC_RELEASE);
            mapb_fence();
            is_back = mapb_peek(&inbox->yield) >= ticket;
        }
        if (is_back) {
            reply->flags = MAPB_REPLY_STOPPED;
            told->given_back++;
        } else {
            mapb_entry *entries = malloc(request->count * sizeof *entries);
            for (uint32_t i = 0; i < request->count; i++) entries[i] = entry_of(lane, range->job, i);
            reply->table = put(lane, entries, request->count * sizeof *entries);
            free(entries);
            reply->done = request->count, reply->flags = MAPB_REPLY_TABLE;
            if (atomic_exchange(&told->garble, told->garble & 2) == 1) reply->done += 7;
            told->answered++;
            mapb_control message = about(MAPB_CONTROL_LANE, (uint32_t)(lane - lanes));
            message.size = 1000000;
            tell(message, "stand-in");
        }
        mape_job_release(range->job);
        range->job = NULL;
    }
    reply->hole_end = lane->hole, reply->frontier_end = lane->frontier;
    const uint64_t notify_at = mapb_notify_at(inbox);
    __atomic_store_n(&outbox->tail, ticket, __ATOMIC_RELEASE);
    __atomic_store_n(&outbox->current, 0, __ATOMIC_RELEASE);
    lane->answered = ticket;
    mapb_fence();
    if (ticket >= notify_at) ring();
}

/* ---- lanes ---- */

static void lose(struct lane *lane, int status) {
    for (uint64_t t = lane->answered + 1; t <= lane->taken; t++) mape_job_release(lane->ranges[t % MAPB_RING].job);
    mapb_control message = about(MAPB_CONTROL_DIED, (uint32_t)(lane - lanes));
    message.code = status;
    munmap(lane->output, lane->size);
    lane->lives = lane->sent = 0;
    tell(message, NULL);
}

/* @return whether it holds something. */
static int serve(struct lane *lane) {
    const mapb_inbox *inbox = mapb_inbox_at(input, (uint32_t)(lane - lanes));
    const uint64_t tail = mapb_load(&inbox->tail);
    for (; lane->taken < tail; lane->taken++) {
        struct range *range = &lane->ranges[(lane->taken + 1) % MAPB_RING];
        range->request = *mapb_request_at(inbox, lane->taken + 1);
        range->job = NULL;
    }
    while (lane->answered < lane->taken) {
        struct range *range = &lane->ranges[(lane->answered + 1) % MAPB_RING];
        const mapb_request *request = &range->request;
        const mapb_function *record = (const mapb_function *)(input + request->record);
        if (request->kind == MAPB_REQUEST_SETUP) function_of(record);
        if (request->kind == MAPB_REQUEST_RANGE) {
            const int is_back = mapb_load(&inbox->yield) >= request->ticket;
            const mapb_job *job = (const mapb_job *)(input + request->record);
            if (!is_back && told->refuse) {
                mapb_control message = about(MAPB_CONTROL_FUNCTION, job->function);
                message.generation = functions[job->function % FUNCTIONS].serial, message.code = MAPE_E_LOAD;
                if (!refused[job->function % FUNCTIONS]++) tell(message, "no machine has that library");
            }
            if (is_back || told->refuse) {
                reply(lane, range, 1);
                continue;
            }
            if (!range->job) begin(range);
            mape_progress progress = MAPE_PROGRESS_INIT;
            if (mape_job_progress(&progress, range->job)) fail("progress");
            if (!progress.is_done || told->hold || now_ms() < range->due) return 1;
        }
        reply(lane, range, 0);
        if (request->kind == MAPB_REQUEST_EXIT) {
            lose(lane, 0);
            return 0;
        }
    }
    return 0;
}

static void hear(void) {
    mapb_control message;
    int fds[MAPB_CONTROL_FDS];
    const int got = mapb_control_receive(CONTROL, &message, fds, 0);
    if (got == 0) _exit(0);
    if (got < 0) return;
    struct lane *lane = &lanes[message.slot % MOST];
    switch (message.kind) {
    case MAPB_CONTROL_SPAWN:
        memset(lane, 0, sizeof *lane);
        lane->lives = 1, lane->generation = message.generation, lane->size = message.size;
        lane->output = mmap(NULL, lane->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fds[0], 0);
        if (lane->output == MAP_FAILED) fail("output memory");
        lane->frontier = MAPB_RESULTS_OFFSET;
        ((mapb_outbox *)lane->output)->yields = 1;
        ((mapb_outbox *)lane->output)->sleeping = 1;
        message = about(MAPB_CONTROL_SPAWNED, message.slot);
        message.pid = getpid();
        tell(message, NULL);
        break;
    case MAPB_CONTROL_KILL:
        if (lane->lives && lane->generation == message.generation) lose(lane, SIGKILL);
        break;
    case MAPB_CONTROL_STDERR: dup2(fds[0], 2); break;
    default: fail("an unknown message");
    }
    for (int i = 0; i < MAPB_CONTROL_FDS; i++)
        if (fds[i] >= 0) close(fds[i]);
}

static void settle(void) {
    for (uint32_t i = 0; !told->refuse && i < FUNCTIONS; i++) {
        if (!refused[i]) continue;
        refused[i] = 0;
        mapb_control message = about(MAPB_CONTROL_FUNCTION, i);
        message.generation = functions[i].serial;
        tell(message, NULL);
    }
    if (atomic_exchange(&told->die, 0)) _exit(9);
    while (told->stops) usleep(1000);
    for (uint32_t i = 0; told->lose && i < MOST; i++)
        if (lanes[i].lives && lanes[i].taken > lanes[i].answered) {
            told->lose--;
            lose(&lanes[i], SIGKILL);
        }
    uint32_t alive = 0;
    for (uint32_t i = 0; i < MOST; i++) {
        if (!lanes[i].lives) continue;
        if (++alive > told->lanes) lose(&lanes[i], lanes[i].taken > lanes[i].answered ? SIGKILL : 0);
    }
    if (offered == told->lanes) return;
    offered = told->lanes;
    mapb_control message = about(MAPB_CONTROL_NODES, offered > 0);
    message.code = (int32_t)offered, message.generation = 100000, message.size = 1, message.memory_limit = 2;
    tell(message, NULL);
}

static void init(void) {
    mapb_control message;
    int fds[MAPB_CONTROL_FDS];
    if (mapb_control_receive(CONTROL, &message, fds, 1) != 1 || message.kind != MAPB_CONTROL_INIT) _exit(0);
    if (!(message.flags & MAPB_INIT_REMOTE)) fail("INIT");
    input = mmap(NULL, message.size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fds[0], 0);
    if (input == MAP_FAILED) fail("input memory");
    bells[1] = fds[1], bells[2] = fds[2];
    if (mapb_control_receive(CONTROL, &message, fds, 1) == 1 && message.kind == MAPB_CONTROL_STDERR) {
        dup2(fds[0], 2);
        close(fds[0]);
        if (mapb_control_receive(CONTROL, &message, fds, 1) != 1) _exit(0);
    }
    if (message.kind != MAPB_CONTROL_CLUSTER) fail("CLUSTER");
    doorbell = fds[0];
    const int file = open(message.text, O_RDWR | O_CLOEXEC);
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || told == MAP_FAILED) fail("the test's page");
    close(file);
    told->helpers++;
    told->pid = getpid();
    if (told->dies_early) _exit(11);
    message = about(MAPB_CONTROL_HELLO, 0);
    message.slot = 0, message.code = MAPB_PROTOCOL, message.size = MAPB_VERSION, message.pid = 1;
    tell(message, NULL);
}

int main(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
    init();
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = 2, config.output = MAPE_OUTPUT_DISCARD;
    if (mape_pool_create(&pool, &config) || mape_pool_start(pool, MAPE_SECONDS(30))) fail("a pool");
    for (;;) {
        settle();
        int is_busy = 0;
        for (uint32_t i = 0; i < MOST; i++)
            if (lanes[i].lives) is_busy |= serve(&lanes[i]);
        struct pollfd files[] = {{CONTROL, POLLIN, 0}, {doorbell, POLLIN, 0}};
        if (poll(files, 2, is_busy ? 1 : 5) <= 0) continue;
        uint64_t count;
        if (files[1].revents && read(doorbell, &count, sizeof count) == sizeof count) told->wakeups++;
        if (files[0].revents) hear();
    }
}
