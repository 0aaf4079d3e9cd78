/* api.c - a fuzz target: the calls of mapengine.h in any order with any arguments, on pools with real workers, also from inside
 * callbacks. An input is a program: a byte says which call, those after it say which arguments.
 *
 * What a caller must get right, because nobody could check it, is right here: memory is as large as said, and times to wait are
 * short. All else may be wrong. Asserted: the process lives; statuses are ones that there are; a failed call gives no handle; at
 * the end nothing is left open.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "input.h"
#include "workers.h"

#include <dirent.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- what there is ---- */

#define POOLS   2
#define JOBS    6
#define BUFFERS 3
static mape_pool *pools[POOLS];
static mape_job *jobs[JOBS];
static mape_buffer *buffers[BUFFERS];
static mape_function_id functions[8];
static uint8_t memory[8192];

/** A handle: mostly of the right kind, alive or released. */
static void *handle(void *const *table, int count) {
    uint8_t kind = byte();
    if (kind % 16 == 0) return NULL;
    if (kind % 16 == 1) return (void *)(uintptr_t)number();
    if (kind % 16 == 2) return jobs[kind / 16 % JOBS];
    if (kind % 16 == 3) return pools[kind / 16 % POOLS];
    if (kind % 16 == 4) return buffers[kind / 16 % BUFFERS];
    return table[kind / 16 % count];
}
#define A_POOL   ((mape_pool *)handle((void *const *)pools, POOLS))
#define A_JOB    ((mape_job *)handle((void *const *)jobs, JOBS))
#define A_BUFFER ((mape_buffer *)handle((void *const *)buffers, BUFFERS))

static mape_function_id a_function(void) {
    uint8_t kind = byte();
    return kind % 8 ? functions[kind / 8 % 8] : (mape_function_id)number();
}

static int checked(int status) {
    demand(status <= 0 && status >= MAPE_E_INTERRUPTED);
    demand(strcmp(mape_status_string(status), "unknown status") != 0);
    return status;
}

static void step(void);
static int depth;

static void on_event(void *context, const mape_event *event) {
    (void)context;
    demand(event->struct_size == sizeof *event);
    if (depth > 2) return;
    for (int calls = byte() % 4; calls > 0; calls--) step();
}

/* ---- calls ---- */

static void create(void) {
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.struct_size = struct_size(sizeof config);
    config.workers = byte() % 8 ? 1 : byte() % 4 ? 2 : (uint32_t)((number() & ~(uint64_t)1023) | 1025);
    config.start = byte() % 8 ? MAPE_START_EXEC : (uint32_t)number();
    config.output = byte() % 4;
    config.restarts = byte() % 3;
    if (byte() % 8 == 0) config.zygote_path = byte() % 2 ? "/no/such/program" : "";
    if (config.zygote_path != NULL) config.zygote_argv = list();
    config.env_set = list();
    config.env_unset = list();
    config.modules = list();
    config.setup_timeout_ns = byte() % 4 ? 0 : (int64_t)number();
    config.cleanup_timeout_ns = MAPE_MILLISECONDS(1 + byte() % 20);
    config.grace_ns = MAPE_MILLISECONDS(1 + byte() % 20); /* So that a pool with a looping item soon ends. */
    config.items_per_worker = byte() % 4 ? 0 : number();
    config.memory_limit = byte() % 8 ? 0 : number();
    config.nice = byte() % 8 ? 0 : (int32_t)number();
    config.pin = byte() % 8 ? 0 : (uint32_t)number();
    config.input_reserve = byte() % 4 ? (uint64_t)1 << 24 : number();
    config.output_reserve = byte() % 4 ? (uint64_t)1 << 24 : number();
    config.on_output = byte() % 2 ? on_event : NULL;
    config.on_log = byte() % 2 ? on_event : NULL;
    mape_pool **out = &pools[byte() % POOLS];
    if (*out != NULL) checked(mape_pool_release(*out));
    *out = NULL;
    int status = checked(mape_pool_create(byte() % 32 ? out : NULL, byte() % 8 ? &config : NULL));
    demand(status == MAPE_OK || *out == NULL);
}

static void describe(void) {
    static const mape_run_fn runs[] = {run_square, run_echo,       run_fail_text, run_log,
                                       run_fault,  run_make_bytes, run_nothing,   run_print};
    mape_function function = MAPE_FUNCTION_INIT;
    function.struct_size = struct_size(sizeof function);
    function.name = text();
    uint8_t kind = byte();
    if (kind % 4 == 0) {
        function.library = text();
        function.run_symbol = text();
        function.run_range_symbol = text();
        function.setup_symbol = text();
        function.cleanup_symbol = text();
    }
    if (kind % 4 != 0 || kind % 32 == 0) {
        if (kind % 3) function.run = runs[kind / 4 % (sizeof runs / sizeof runs[0])];
        else function.run_range = kind % 2 ? run_square_all : run_square_each;
        if (kind % 5 == 0) function.setup = kind % 2 ? setup_fails : setup_copies_data;
    }
    if (byte() % 2) function.data = memory;
    function.data_size = function.data != NULL ? honest_size(sizeof memory) : byte() % 8 ? 0 : 7;
    mape_function_id id = 77;
    int status = checked(mape_function_register(&id, A_POOL, byte() % 16 ? &function : NULL));
    demand(status == MAPE_OK ? id != 0 : id == 0);
    functions[byte() % 8] = id;
}

static mape_job_config job_config(void) {
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.struct_size = struct_size(sizeof config);
    config.chunk = byte() % 4 ? 0 : number();
    config.priority = (int32_t)byte() - 128;
    config.attempts = byte() % 4 ? byte() % 3 : (uint32_t)number();
    config.item_timeout_ns = byte() % 4 ? 0 : byte() % 2 ? MAPE_MILLISECONDS(20) : (int64_t)number();
    config.job_timeout_ns = byte() % 4 ? 0 : (int64_t)number();
    config.ordered = byte() % 8 ? byte() % 2 : (uint32_t)number();
    config.drop = byte() % 8 ? byte() % 2 : (uint32_t)number();
    config.deliver = byte() % 8 ? byte() % 8 : (uint32_t)number();
    config.window = byte() % 4 ? byte() : number();
    config.progress_interval_ns = byte() % 4 ? 0 : (int64_t)number();
    config.context = memory;
    config.on_item = byte() % 2 ? on_event : NULL;
    config.on_progress = byte() % 2 ? on_event : NULL;
    config.on_done = byte() % 2 ? on_event : NULL;
    return config;
}

static const void *some_memory(size_t *size) {
    void *data = NULL;
    size_t most = sizeof memory;
    if (byte() % 4 == 0 && mape_buffer_data(&data, &most, A_BUFFER) == MAPE_OK) {
        *size = honest_size(most);
        return data;
    }
    *size = honest_size(sizeof memory);
    if (byte() % 8) return memory;
    *size = byte() % 2 ? 0 : *size;
    return NULL;
}

static void submitted(int status, mape_job *job) {
    demand(status == MAPE_OK ? job != NULL : job == NULL);
    if (status != MAPE_OK) return;
    mape_job **place = &jobs[byte() % JOBS];
    if (byte() % 4) mape_job_release(*place);
    *place = job;
}

static void apply(void) {
    mape_job_config config = job_config();
    size_t size;
    const void *input = some_memory(&size);
    if (byte() % 8 == 0) {
        checked(mape_apply(NULL, A_POOL, a_function(), input, size, &config));
        return;
    }
    mape_job *job = NULL;
    int status = mape_apply(&job, A_POOL, a_function(), input, size, byte() % 4 ? &config : NULL);
    submitted(checked(status), job);
}

static void map(void) {
    mape_job_config config = job_config();
    mape_items items = MAPE_ITEMS_INIT;
    mape_span spans[32];
    mape_pieces pieces[32];
    items.struct_size = struct_size(sizeof items);
    if (byte() % 2) {
        items.count = byte() % 8 ? byte() % 33 : number() | (uint64_t)1 << 62;
        for (int i = 0; i < 32; i++) spans[i].data = some_memory(&spans[i].size);
        items.spans = items.count <= 32 || items.count >> 60 ? spans : NULL;
        if (byte() % 8 == 0) items.base = memory;
        if (byte() % 2) {
            for (int i = 0; i < 32; i++) {
                size_t first = byte() % 32, most = 32 - first;
                pieces[i].pieces = byte() % 16 ? spans + first : NULL;
                pieces[i].count = byte() % 16 ? byte() % (most + 1) : honest_size(0) | (size_t)1 << 62;
            }
            items.pieces = items.spans ? pieces : NULL;
            if (byte() % 8) items.spans = NULL;
        }
    } else {
        items.base = byte() % 16 ? memory : NULL;
        items.item_size = byte() % 4 ? byte() % 64 : honest_size(64);
        items.stride = byte() % 4 ? items.item_size : honest_size(64);
        /* All items lie in `memory`, or the sum of them in no memory that there is. */
        size_t step = items.stride > items.item_size ? items.stride : items.item_size;
        items.count = byte() % 8 ? byte() % 100 : number();
        if (items.item_size > 0 && items.item_size <= 64 && step <= 64 && items.count > 100 &&
            items.count < (uint64_t)1 << 50)
            items.count %= 100;
    }
    mape_job *job = NULL;
    int status = mape_map(&job, A_POOL, a_function(), byte() % 16 ? &items : NULL, byte() % 4 ? &config : NULL);
    submitted(checked(status), job);
}

static void stream(void) {
    mape_job_config config = job_config();
    mape_job *job = NULL;
    int status = mape_stream_open(&job, A_POOL, a_function(), byte() % 4 ? &config : NULL);
    submitted(checked(status), job);
}

static void push(void) {
    mape_span spans[16];
    for (int i = 0; i < 16; i++) spans[i].data = some_memory(&spans[i].size);
    size_t count = byte() % 16 ? byte() % 17 : SIZE_MAX, accepted = 99;
    if (count == SIZE_MAX && byte() % 2) count = (size_t)1 << 63;
    checked(mape_stream_push(byte() % 4 ? &accepted : NULL, A_JOB, byte() % 16 && count <= 16 ? spans : NULL, count));
    demand(accepted == 99 || accepted <= 16);
    mape_pieces pieces[16];
    for (int i = 0; i < 16; i++) pieces[i] = (mape_pieces){byte() % 16 ? spans : NULL, byte() % 17};
    checked(mape_stream_push_pieces(byte() % 4 ? &accepted : NULL, A_JOB, byte() % 16 && count <= 16 ? pieces : NULL,
                                    count));
    demand(accepted == 99 || accepted <= 16);
}

static void look(void) {
    mape_result result = MAPE_RESULT_INIT;
    mape_progress progress = MAPE_PROGRESS_INIT;
    uint64_t missing = 0;
    result.struct_size = struct_size(sizeof result);
    progress.struct_size = struct_size(sizeof progress);
    mape_job *job = A_JOB;
    switch (byte() % 5) {
    case 0: checked(mape_job_wait(job, wait_ns())); break;
    case 1:
        if (checked(mape_job_result(byte() % 16 ? &result : NULL, job, byte() % 8 ? byte() : number())) == MAPE_OK) {
            uint64_t sum = strlen(result.message);
            for (size_t i = 0; i < result.size; i++) sum += ((const uint8_t *)result.data)[i];
            *(volatile uint64_t *)&missing = sum;
        }
        break;
    case 2: {
        static uint8_t target[8192];
        size_t size = byte() % 8 ? sizeof target : byte() * 8;
        checked(mape_job_gather(byte() % 8 ? target : NULL, size, (size_t)number(), byte() % 4 ? &missing : NULL, job));
        break;
    }
    case 3:
        if (checked(mape_job_progress(byte() % 16 ? &progress : NULL, job)) == MAPE_OK)
            demand(progress.done <= progress.total);
        break;
    default: checked(mape_stream_finish(job)); break;
    }
}

static void hear(void) {
    mape_event event = MAPE_EVENT_INIT;
    event.struct_size = struct_size(sizeof event);
    int fd = -7;
    switch (byte() % 4) {
    case 0:
    case 1: {
        depth++;
        int handled = mape_pool_dispatch(A_POOL, byte() % 4 ? byte() : (uint32_t)number(), (int64_t)number());
        demand(handled >= MAPE_E_INTERRUPTED);
        depth--;
        break;
    }
    case 2: checked(mape_pool_next_event(byte() % 16 ? &event : NULL, A_POOL, wait_ns())); break;
    default: checked(mape_pool_event_fd(byte() % 8 ? &fd : NULL, A_POOL)); break;
    }
}

static void figures(void) {
    mape_stats stats = MAPE_STATS_INIT;
    mape_worker_info info = MAPE_WORKER_INFO_INIT;
    static char out[300];
    stats.struct_size = struct_size(sizeof stats);
    info.struct_size = struct_size(sizeof info);
    checked(mape_pool_stats(byte() % 16 ? &stats : NULL, A_POOL));
    checked(mape_pool_worker(byte() % 16 ? &info : NULL, A_POOL, byte() % 4 ? byte() % 3 : (uint32_t)number()));
    size_t size = byte();
    size_t length = mape_message(size > 0 ? out : NULL, size, A_POOL);
    demand(size == 0 || strlen(out) == (length < size ? length : size - 1));
    /* Seldom, so that most saved inputs mean what they meant. */
    if (size % 8 == 5) {
        mape_work_stats work = MAPE_WORK_STATS_INIT;
        mape_bucket buckets[3];
        size_t count = 7, capacity = byte() % 8 ? byte() % 4 : (size_t)number();
        work.struct_size = struct_size(sizeof work);
        checked(mape_function_stats(byte() % 16 ? &work : NULL, A_POOL, a_function()));
        checked(mape_job_stats(byte() % 16 ? &work : NULL, A_JOB));
        mape_bucket *room = capacity <= 3 ? buckets : NULL;
        checked(mape_job_histogram(room, capacity, byte() % 16 ? &count : NULL, A_JOB));
        checked(mape_function_histogram(room, capacity, &count, A_POOL, a_function()));
        uint8_t what = byte();
        if (what % 8 == 1) checked(mape_function_unregister(A_POOL, a_function()));
        if (what % 4 == 2) {
            mape_function_id id = 99;
            const int status = checked(
                mape_function_alias(what % 16 == 2 ? NULL : &id, A_POOL, a_function(), what % 8 == 2 ? NULL : text()));
            if (what % 16 != 2) demand(status == MAPE_OK ? id != 0 : id == 0);
            if (status == MAPE_OK) functions[byte() % 8] = id;
        }
    }
}

static void globals_and_buffers(void) {
    size_t size;
    const void *data = some_memory(&size);
    switch (byte() % 4) {
    case 0: checked(mape_pool_set_global(A_POOL, text(), data, size)); break;
    case 1: {
        mape_buffer *buffer = NULL;
        int status = checked(mape_buffer_create(&buffer, A_POOL, size));
        demand(status == MAPE_OK ? buffer != NULL : buffer == NULL);
        mape_buffer **place = &buffers[byte() % BUFFERS];
        if (status == MAPE_OK) *place = buffer;
        break;
    }
    case 2: checked(mape_buffer_release(A_BUFFER)); break;
    default: {
        void *where = NULL;
        size_t there = 0;
        mape_buffer *buffer = A_BUFFER;
        if (checked(mape_buffer_data(byte() % 8 ? &where : NULL, byte() % 4 ? &there : NULL, buffer)) == MAPE_OK)
            memset(where, 0x5a, there < 64 ? there : 64);
        break;
    }
    }
}

static void wake(void *context) { (void)context; }

static void step(void) {
    switch (byte() % 16) {
    case 0: create(); break;
    case 1: describe(); break;
    case 2: apply(); break;
    case 3:
    case 4: map(); break;
    case 5: stream(); break;
    case 6: push(); break;
    case 7:
    case 8: look(); break;
    case 9:
    case 10: hear(); break;
    case 11: figures(); break;
    case 12: globals_and_buffers(); break;
    case 13: {
        uint8_t how = byte();
        uint64_t count;
        if (how % 2 == 0) checked(mape_job_release(A_JOB));
        else
            checked(how % 4 == 3 ? mape_job_cancel_waiting(how % 8 == 3 ? &count : NULL, A_JOB)
                                 : mape_job_cancel(A_JOB));
        break;
    }
    case 14:
        checked(byte() % 2 ? mape_pool_set_wakeup(A_POOL, byte() % 2 ? wake : NULL, memory)
                           : mape_pool_start(A_POOL, wait_ns()));
        break;
    default:
        checked(byte() % 4 ? mape_pool_shutdown(A_POOL, (int)byte() % 3, wait_ns()) : mape_pool_release(A_POOL));
        break;
    }
}

static int open_files(void) {
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (folder != NULL && readdir(folder) != NULL) count++;
    if (folder != NULL) closedir(folder);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int before = open_files();
    input_begin(data, size);
    depth = 0;
    memset(memory, 1, sizeof memory);
    memset(functions, 0, sizeof functions);
    memset(pools, 0, sizeof pools);
    memset(jobs, 0, sizeof jobs);
    memset(buffers, 0, sizeof buffers);
    /* A pool and a function to begin with, so that short inputs come far. */
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = 1;
    config.grace_ns = config.cleanup_timeout_ns = MAPE_MILLISECONDS(10);
    demand(mape_pool_create(&pools[0], &config) == MAPE_OK);
    mape_function function = MAPE_FUNCTION_INIT;
    function.run = run_square;
    demand(mape_function_register(&functions[0], pools[0], &function) == MAPE_OK);
    for (int steps = 0; input_is_left() && steps < 300; steps++) step();
    for (int i = 0; i < POOLS; i++) mape_pool_release(pools[i]);
    demand(open_files() == before);
    return 0;
}
