/* test_races.c - many threads of the host at one pool, while workers die. What is wrong with the locks shows under ThreadSanitizer
 * (make test-tsan) for certain, and as a crash now and then without it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <pthread.h>

#define THREADS 5
#define ROUNDS  40
#define ITEMS   400

struct told {
    uint8_t times[ITEMS];
    uint32_t attempts[ITEMS];
    bool is_done;
};

static void on_item(void *context, const mape_event *event) {
    struct told *told = context;
    told->times[event->index]++;
    told->attempts[event->index] = event->result.attempts;
    if (event->index % 2) short_nap(); /* Meanwhile others die. */
}

static void on_done(void *context, const mape_event *event) {
    (void)event;
    ((struct told *)context)->is_done = true;
}

/** Callbacks run while the engine's thread takes in the deaths of other workers. */
static void items_are_told_while_workers_die(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 4);
    mape_function_id fault = registered(pool, run_fault);
    struct fault_item items[ITEMS];
    for (uint64_t i = 0; i < ITEMS; i++) items[i] = (struct fault_item){i, i % 4 == 3 ? WAY_KILL : WAY_WELL, 0};
    struct told told = {.is_done = false};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    config.attempts = 2;
    config.context = &told;
    config.on_item = on_item;
    config.on_done = on_done;
    mape_job *job = mapped(pool, fault, items, ITEMS, sizeof items[0], &config);
    stage("dispatching");
    while (!told.is_done) assert_true(mape_pool_dispatch(pool, 0, 0) >= 0);
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(told.times[i], 1);
        assert_int_equal(told.attempts[i], i % 4 == 3 ? 2 : 1);
    }
    is_ok(pool, mape_job_release(job));
    pool_close(pool);
}

static void *start(void *pool) {
    int status = mape_pool_start(pool, 0);
    return (void *)(intptr_t)(status == MAPE_OK || status == MAPE_E_TIMEOUT || status == MAPE_E_CLOSED);
}

static void *shut_down(void *pool) {
    int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, MAPE_SECONDS(5));
    return (void *)(intptr_t)(status == MAPE_OK || status == MAPE_E_TIMEOUT);
}

static void pools_are_started_and_shut_down_at_once(uint32_t birth) {
    for (int i = 0; i < ROUNDS; i++) {
        mape_pool *pool = pool_open(birth, 2);
        pthread_t threads[4];
        void *fine;
        for (int k = 0; k < 4; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, k % 2 ? shut_down : start, pool), 0);
        stage("round %d: joining", i);
        for (int k = 0; k < 4; k++) {
            pthread_join(threads[k], &fine);
            assert_non_null(fine);
        }
        pool_close(pool);
    }
}

/** What the threads of the test below have in common. */
struct crowd {
    mape_pool *pool;
    mape_function_id square, fault;
    uint32_t seed;
    _Atomic uint32_t turn;
    _Atomic uint32_t wrong;
};

static void wakeup(void *context) { atomic_fetch_add((_Atomic uint32_t *)context, 1); }

static void one_call(struct crowd *crowd, uint64_t *random, mape_job **jobs) {
    static _Atomic uint32_t rings;
    uint64_t values[64];
    struct fault_item faults[16];
    for (uint64_t i = 0; i < 64; i++) values[i] = *random + i;
    for (uint64_t i = 0; i < 16; i++) faults[i] = (struct fault_item){i, i == 7 ? WAY_KILL : WAY_WELL, 0};
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    uint64_t choice = *random >> 33;
    mape_job **job = &jobs[choice / 16 % 4];
    mape_items items = items_at(values, 64, sizeof values[0]);
    mape_progress progress = MAPE_PROGRESS_INIT;
    mape_result result = MAPE_RESULT_INIT;
    mape_stats stats = MAPE_STATS_INIT;
    mape_worker_info info = MAPE_WORKER_INFO_INIT;
    mape_event event = MAPE_EVENT_INIT;
    mape_buffer *buffer = NULL;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = (uint32_t)(choice / 64 % 8);
    config.attempts = 1 + (uint32_t)(choice / 512 % 2);
    int fd = -1;
    switch (choice % 16) {
    case 0:
        mape_job_release(*job);
        if (mape_map(job, crowd->pool, crowd->square, &items, &config) != MAPE_OK) atomic_fetch_add(&crowd->wrong, 1);
        break;
    case 1:
        mape_job_release(*job);
        items = items_at(faults, 16, sizeof faults[0]);
        if (mape_map(job, crowd->pool, crowd->fault, &items, &config) != MAPE_OK) atomic_fetch_add(&crowd->wrong, 1);
        break;
    case 2: mape_job_wait(*job, MAPE_MILLISECONDS(2)); break;
    case 3: mape_job_progress(&progress, *job); break;
    case 4:
    case 5: mape_job_result(&result, *job, choice / 64 % 16); break;
    case 6: mape_job_cancel(*job); break;
    case 7: mape_job_gather(values, sizeof values, 8, NULL, *job); break;
    case 8: mape_pool_dispatch(crowd->pool, 5, 0); break;
    case 9: mape_pool_next_event(&event, crowd->pool, MAPE_MICROSECONDS(choice / 64 % 300)); break;
    case 10: mape_pool_stats(&stats, crowd->pool); break;
    case 11: mape_pool_worker(&info, crowd->pool, (uint32_t)(choice / 64 % 3)); break;
    case 12: mape_pool_set_global(crowd->pool, "name", values, sizeof values); break;
    case 13: mape_pool_set_wakeup(crowd->pool, choice & 64 ? wakeup : NULL, &rings); break;
    case 14:
        if (mape_buffer_create(&buffer, crowd->pool, 8192) == MAPE_OK) mape_buffer_release(buffer);
        mape_apply(NULL, crowd->pool, crowd->square, values, 8, NULL);
        break;
    default: mape_message((char *)values, sizeof values, crowd->pool); mape_pool_event_fd(&fd, crowd->pool);
    }
}

static void *call_at_random(void *context) {
    struct crowd *crowd = context;
    uint64_t random = 77 + atomic_fetch_add(&crowd->turn, 1);
    mape_job *jobs[4] = {NULL, NULL, NULL, NULL};
    for (int i = 0; i < 600; i++) one_call(crowd, &random, jobs);
    for (int i = 0; i < 4; i++) mape_job_release(jobs[i]);
    return NULL;
}

static void threads_call_everything_at_once(uint32_t birth) {
    struct crowd crowd = {.pool = pool_started(birth, 3)};
    crowd.square = registered(crowd.pool, run_square);
    crowd.fault = registered(crowd.pool, run_fault);
    pthread_t threads[THREADS];
    for (int k = 0; k < THREADS; k++) assert_int_equal(pthread_create(&threads[k], NULL, call_at_random, &crowd), 0);
    stage("joining");
    for (int k = 0; k < THREADS; k++) pthread_join(threads[k], NULL);
    assert_int_equal(crowd.wrong, 0);
    uint64_t *values = numbers(1000);
    mape_job *after = mapped(crowd.pool, crowd.square, values, 1000, sizeof *values, NULL);
    wait_for(after);
    squares_are_right(after, values, 1000);
    free(values);
    pool_close(crowd.pool);
}

int main(void) {
    const struct abi_test tests[] = {
        PATIENT(items_are_told_while_workers_die, IN_EXEC | IN_FORK, 180),
        PATIENT(pools_are_started_and_shut_down_at_once, IN_EXEC | IN_FORK, 180),
        PATIENT(threads_call_everything_at_once, IN_EXEC | IN_FORK, 180),
    };
    return run_abi_tests("races", tests, COUNT(tests));
}
