/* test_resize.c - pools that grow and shrink: when the host says so (mape_pool_resize), and by themselves while they are idle
 * (mape_pool_config.idle_shrink_ns). Every item ends once, leaving workers run their cleanups, and nothing stays behind.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <pthread.h>
#include <sys/resource.h>

/** How many processes the pool's workers have, also those that leave. */
static uint32_t processes(mape_pool *pool) {
    uint32_t count = 0;
    mape_worker_info worker = MAPE_WORKER_INFO_INIT;
    for (uint32_t i = 0; mape_pool_worker(&worker, pool, i) == MAPE_OK; i++) count += worker.state != MAPE_WORKER_NONE;
    return count;
}

static bool has_settled(mape_pool *pool, uint32_t workers) {
    return processes(pool) == workers && stats_of(pool).workers_ready == workers;
}

static int mappings(void) {
    char line[512];
    int count = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) count++;
    fclose(file);
    return count;
}

/** A job of `count` squares of which each item is told once. */
struct told {
    uint64_t count;
    uint32_t *times;
};

static void count_item(void *context, const mape_event *event) {
    struct told *told = context;
    if (event->index < told->count) told->times[event->index]++;
}

static void a_pool_grows_and_shrinks_under_load(uint32_t birth) {
    enum { count = 200000 };
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
    uint64_t *values = numbers(count);
    struct told told = {count, calloc(count, sizeof(uint32_t))};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    config.on_item = count_item;
    config.context = &told;
    const uint32_t sizes[] = {64, 2, 16, 1, 33, 64, 3};
    size_t next = 0;
    mape_job *job = mapped(pool, function, values, count, sizeof *values, &config);
    while (!progress_of(job).is_done) {
        if (next < COUNT(sizes)) {
            stage("resizing to %u", sizes[next]);
            is_ok(pool, mape_pool_resize(pool, sizes[next++]));
            assert_int_equal(stats_of(pool).workers, sizes[next - 1]);
        }
        mape_pool_dispatch(pool, 5000, 0);
    }
    dispatch_until_done(pool, job);
    while (mape_pool_dispatch(pool, 0, 0) > 0) {}
    squares_are_right(job, values, count);
    for (uint64_t i = 0; i < count; i++) assert_int_equal(told.times[i], 1);
    is_ok(pool, mape_pool_resize(pool, 64));
    wait_until(has_settled(pool, 64));
    is_ok(pool, mape_pool_resize(pool, 2));
    wait_until(has_settled(pool, 2));
    assert_int_equal(stats_of(pool).workers_died, 0);
    /* Each that has left has run its cleanup. */
    wait_until(atomic_load(&shared_page()->setups) - atomic_load(&shared_page()->cleanups) == 2);
    free(values);
    free(told.times);
    pool_close(pool);
}

static void what_a_leaving_worker_has_not_begun_runs_elsewhere(uint32_t birth) {
    enum { count = 64 };
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_gated_first, setup_shared, cleanup_shared);
    uint64_t *values = numbers(count);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 32; /* What is behind item 0 goes to its worker with it. */
    is_ok(pool, mape_pool_resize(pool, 1));
    wait_until(has_settled(pool, 1));
    mape_job *job = mapped(pool, function, values, count, sizeof *values, &config);
    wait_until(atomic_load(&shared_page()->entered) >= 1);
    /* The one worker is in item 0; the other comes, and takes over what the first has not begun. */
    is_ok(pool, mape_pool_resize(pool, 2));
    wait_until(progress_of(job).ok == count - 1);
    atomic_store(&shared_page()->gate, 1);
    wait_for(job);
    squares_are_right(job, values, count);
    assert_int_equal(atomic_load(&shared_page()->entered), count);

    /* Now the worker with the long item is the one that leaves: index 1 of 2. */
    atomic_store(&shared_page()->gate, 0);
    atomic_store(&shared_page()->entered, 0);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, cleanup_shared);
    mape_job *both = mapped(pool, gated, values, 2, sizeof *values, NULL);
    wait_until(atomic_load(&shared_page()->entered) == 2);
    pid_t leaving = pid_of_worker(pool, 1), staying = pid_of_worker(pool, 0);
    is_ok(pool, mape_pool_resize(pool, 1));
    assert_int_equal(stats_of(pool).workers, 1);
    assert_int_equal(worker_of(pool, 1).pid, leaving); /* It is on an item, which it finishes. */
    mape_job *more = mapped(pool, gated, values, count, sizeof *values, NULL);
    atomic_store(&shared_page()->gate, 1);
    wait_for(both);
    wait_for(more);
    squares_are_right(both, values, 2);
    squares_are_right(more, values, count);
    wait_until(worker_of(pool, 1).state == MAPE_WORKER_NONE);
    assert_int_equal(pid_of_worker(pool, 0), staying);
    assert_int_equal(stats_of(pool).workers_died, 0);
    free(values);
    pool_close(pool);
}

static void a_worker_that_is_wanted_again_in_time_stays(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, cleanup_shared);
    uint64_t values[] = {3, 4};
    mape_job *job = mapped(pool, gated, values, 2, sizeof *values, NULL);
    wait_until(atomic_load(&shared_page()->entered) == 2);
    pid_t second = pid_of_worker(pool, 1);
    for (int i = 0; i < 100; i++) {
        is_ok(pool, mape_pool_resize(pool, 1));
        is_ok(pool, mape_pool_resize(pool, 2));
    }
    atomic_store(&shared_page()->gate, 1);
    wait_for(job);
    squares_are_right(job, values, 2);
    wait_until(has_settled(pool, 2));
    assert_int_equal(pid_of_worker(pool, 1), second);
    assert_int_equal(atomic_load(&shared_page()->cleanups), 0);
    pool_close(pool);
}

static void before_the_start_it_says_what_the_start_starts(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 3);
    is_ok(pool, mape_pool_resize(pool, 70));
    is_ok(pool, mape_pool_resize(pool, 5));
    assert_int_equal(stats_of(pool).workers, 5);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_true(has_settled(pool, 5));
    assert_int_equal(stats_of(pool).workers_started, 5);
    pool_close(pool);
}

static void while_it_starts_it_counts_as_well(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 8);
    int status = mape_pool_start(pool, 0);
    assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
    is_ok(pool, mape_pool_resize(pool, 2));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    wait_until(has_settled(pool, 2));
    is_ok(pool, mape_pool_resize(pool, 6));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_true(has_settled(pool, 6));
    pool_close(pool);
}

static void bad_numbers_and_closed_pools_are_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_resize(pool, 1025));
    assert_non_null(strstr(message_of(pool), "workers"));
    is_status(NULL, MAPE_E_ARGUMENT, mape_pool_resize(NULL, 1));
    mape_worker_info worker = MAPE_WORKER_INFO_INIT;
    is_status(pool, MAPE_E_INDEX, mape_pool_worker(&worker, pool, 1));
    is_ok(pool, mape_pool_resize(pool, 3));
    is_ok(pool, mape_pool_worker(&worker, pool, 2));
    is_status(pool, MAPE_E_INDEX, mape_pool_worker(&worker, pool, 3));
    is_ok(pool, mape_pool_resize(pool, 1));
    wait_until(has_settled(pool, 1));
    is_ok(pool, mape_pool_worker(&worker, pool, 2));
    assert_int_equal(worker.state, MAPE_WORKER_NONE);
    assert_int_equal(worker.pid, 0);
    is_ok(pool, mape_pool_resize(pool, 0));
    assert_in_range(stats_of(pool).workers, 1, 1024);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    is_status(pool, MAPE_E_CLOSED, mape_pool_resize(pool, 2));
    pool_forget(pool);
    is_ok(NULL, mape_pool_release(pool));
    is_status(NULL, MAPE_E_HANDLE, mape_pool_resize(pool, 2));
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.min_workers = 1025;
    is_status(NULL, MAPE_E_ARGUMENT, mape_pool_create(&pool, &config));
}

static void resize_in_callback(void *context, const mape_event *event) {
    is_ok(NULL, mape_pool_resize(context, 1 + (uint32_t)event->index % 7));
}

static void a_callback_may_resize_its_pool(uint32_t birth) {
    enum { count = 400 };
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(count);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    config.on_item = resize_in_callback;
    config.context = pool;
    config.chunk = 1;
    mape_job *job = mapped(pool, function, values, count, sizeof *values, &config);
    dispatch_until_done(pool, job);
    squares_are_right(job, values, count);
    free(values);
    pool_close(pool);
}

static void settings_of_workers_are_those_of_new_ones_too(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.nice = 5;
    config.pin = 1;
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_function_id function = registered(pool, run_describe);
    is_ok(pool, mape_pool_resize(pool, 8));
    wait_until(has_settled(pool, 8));
    const int nice_value = getpriority(PRIO_PROCESS, 0) + 5 > 19 ? 19 : getpriority(PRIO_PROCESS, 0) + 5;
    bool seen[8] = {false};
    int kinds = 0;
    int home[8];
    for (int64_t begun = now_ns(); kinds < 8;) {
        assert_true(now_ns() - begun < PATIENCE);
        mape_job *job = mapped(pool, function, NULL, 64, 0, NULL);
        wait_for(job);
        for (uint64_t i = 0; i < 64; i++) {
            struct view view;
            mape_result result = result_of(job, i);
            assert_int_equal(result.size, sizeof view);
            memcpy(&view, result.data, sizeof view);
            assert_in_range(view.worker, 0, 7);
            assert_int_equal(view.nice_value, nice_value);
            assert_int_equal(view.cpus, 1);
            if (!seen[view.worker]) kinds++;
            seen[view.worker] = true;
            home[view.worker] = view.first_cpu;
        }
        is_ok(pool, mape_job_release(job));
    }
    int cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 8) assert_int_equal(home[0], home[cores]);
    pool_close(pool);
}

static void a_hundred_times_as_many_resizes_leave_as_much_behind(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 4);
    mape_function_id function = registered(pool, run_square);
    uint64_t values[] = {1, 2, 3, 4, 5, 6, 7, 8};
    wait_until(has_settled(pool, 4));
    const int at_first = snapshot_taken().memfd_mappings;
    struct {
        struct snapshot process;
        int mappings;
        int zygote_files;
    } after[2];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < (round == 0 ? 2 : 200); i++) {
            is_ok(pool, mape_pool_resize(pool, 1 + (uint32_t)(i * 5) % 12));
            mape_job *job = mapped(pool, function, values, 8, sizeof *values, NULL);
            wait_for(job);
            squares_are_right(job, values, 8);
            is_ok(pool, mape_job_release(job));
        }
        is_ok(pool, mape_pool_resize(pool, 4));
        wait_until(has_settled(pool, 4));
        /* The engine's thread unmaps the output memories that are left behind, and may be about to. */
        wait_until(snapshot_taken().memfd_mappings == at_first);
        after[round].process = snapshot_taken();
        after[round].mappings = mappings();
        char path[64], command[128], text[32] = "";
        snprintf(path, sizeof path, "/proc/%d/fd", (int)stats_of(pool).zygote_pid);
        snprintf(command, sizeof command, "ls %s | wc -l", path);
        FILE *pipe = popen(command, "re");
        assert_non_null(pipe);
        assert_non_null(fgets(text, sizeof text, pipe));
        pclose(pipe);
        after[round].zygote_files = atoi(text);
    }
    assert_int_equal(after[0].process.descriptors, after[1].process.descriptors);
    assert_int_equal(after[0].process.memfd_mappings, after[1].process.memfd_mappings);
    assert_int_equal(after[0].process.threads, after[1].process.threads);
    assert_int_equal(after[0].zygote_files, after[1].zygote_files);
    /* The heap may have an arena more. */
    assert_true(after[1].mappings <= after[0].mappings + 8);
    pool_close(pool);
}

/* ---- by themselves ---- */

static mape_pool *shrinking(uint32_t birth, uint32_t workers, uint32_t least, int64_t idle) {
    mape_pool_config config = config_of(birth, workers);
    config.min_workers = least;
    config.idle_shrink_ns = idle;
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    return pool;
}

static void idle_workers_end_and_come_back_for_work(uint32_t birth) {
    enum { count = 64 };
    mape_pool *pool = shrinking(birth, 8, 2, MAPE_SECONDS(1) / 5);
    mape_function_id function = registered_shared(pool, run_gated, setup_shared, cleanup_shared);
    uint64_t *values = numbers(count);
    for (int round = 0; round < 3; round++) {
        wait_until(has_settled(pool, 2));
        assert_int_equal(stats_of(pool).workers, 8);
        wait_until(atomic_load(&shared_page()->setups) - atomic_load(&shared_page()->cleanups) == 2);
        atomic_store(&shared_page()->entered, 0);
        atomic_store(&shared_page()->gate, 0);
        mape_job *job = mapped(pool, function, values, count, sizeof *values, NULL);
        wait_until(atomic_load(&shared_page()->entered) == 8); /* All are there, one item each. */
        atomic_store(&shared_page()->gate, 1);
        wait_for(job);
        squares_are_right(job, values, count);
        is_ok(pool, mape_job_release(job));
    }
    wait_until(has_settled(pool, 2));
    assert_int_equal(stats_of(pool).workers_died, 0);
    free(values);
    pool_close(pool);
}

static void a_pool_may_rest_without_a_worker(uint32_t birth) {
    mape_pool *pool = shrinking(birth, 4, 0, MAPE_SECONDS(1) / 10);
    mape_function_id function = registered(pool, run_square);
    for (uint64_t round = 1; round < 4; round++) {
        wait_until(has_settled(pool, 0));
        uint64_t square = round * round;
        mape_job *job = applied(pool, function, &round, sizeof round);
        wait_for(job);
        result_is(job, 0, &square, sizeof square);
    }
    /* A start waits for those that are wanted: none. */
    wait_until(has_settled(pool, 0));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    /* What is idle stays ended, whatever the number. */
    is_ok(pool, mape_pool_resize(pool, 2));
    assert_true(has_settled(pool, 0));
    is_ok(pool, mape_pool_resize(pool, 3));
    wait_until(has_settled(pool, 0));
    assert_int_equal(stats_of(pool).workers, 3);
    pool_close(pool);
}

static void what_waits_behind_a_long_item_wakes_a_worker(uint32_t birth) {
    enum { count = 64 };
    mape_pool *pool = shrinking(birth, 4, 1, MAPE_SECONDS(1) / 10);
    mape_function_id function = registered_shared(pool, run_gated_first, setup_shared, NULL);
    uint64_t *values = numbers(count);
    wait_until(has_settled(pool, 1));
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = count; /* All are assigned to the one worker. */
    mape_job *job = mapped(pool, function, values, count, sizeof *values, &config);
    wait_until(progress_of(job).ok == count - 1);
    atomic_store(&shared_page()->gate, 1);
    wait_for(job);
    squares_are_right(job, values, count);
    free(values);
    pool_close(pool);
}

static void a_drain_finds_the_workers_that_rest(uint32_t birth) {
    enum { count = 1000 };
    mape_pool *pool = shrinking(birth, 4, 0, MAPE_SECONDS(1) / 10);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(count);
    wait_until(has_settled(pool, 0));
    mape_job *job = mapped(pool, function, values, count, sizeof *values, NULL);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    squares_are_right(job, values, count);
    free(values);
    pool_close(pool);
}

static void *resizes(void *context) {
    for (uint32_t i = 0; i < 300; i++) {
        mape_pool_resize(context, 1 + i * 7 % 16);
        if (i % 16 == 0) short_nap();
    }
    return NULL;
}

static void threads_may_resize_while_others_work(uint32_t birth) {
    enum { count = 2000, threads = 3 };
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(count);
    pthread_t ids[threads];
    for (int i = 0; i < threads; i++) assert_int_equal(pthread_create(&ids[i], NULL, resizes, pool), 0);
    for (int round = 0; round < 30; round++) {
        mape_job *job = mapped(pool, function, values, count, sizeof *values, NULL);
        wait_for(job);
        squares_are_right(job, values, count);
        is_ok(pool, mape_job_release(job));
    }
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    assert_int_equal(stats_of(pool).workers_died, 0);
    free(values);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(a_pool_grows_and_shrinks_under_load),
        BOTH(what_a_leaving_worker_has_not_begun_runs_elsewhere),
        BOTH(a_worker_that_is_wanted_again_in_time_stays),
        BOTH(before_the_start_it_says_what_the_start_starts),
        BOTH(while_it_starts_it_counts_as_well),
        BOTH(bad_numbers_and_closed_pools_are_refused),
        BOTH(a_callback_may_resize_its_pool),
        BOTH(settings_of_workers_are_those_of_new_ones_too),
        PATIENT(a_hundred_times_as_many_resizes_leave_as_much_behind, IN_EXEC | IN_FORK, 180),
        BOTH(idle_workers_end_and_come_back_for_work),
        BOTH(a_pool_may_rest_without_a_worker),
        BOTH(what_waits_behind_a_long_item_wakes_a_worker),
        BOTH(a_drain_finds_the_workers_that_rest),
        BOTH(threads_may_resize_while_others_work),
    };
    return run_abi_tests("resize", tests, COUNT(tests));
}
