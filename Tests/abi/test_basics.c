/* test_basics.c - versions, statuses, messages, and the life of a pool.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

static void version_of_the_library_is_the_headers(uint32_t birth) {
    (void)birth;
    assert_int_equal(mape_version(), MAPE_VERSION);
}

static void every_status_has_a_text_of_its_own_and_others_are_unknown(uint32_t birth) {
    (void)birth;
    for (int status = MAPE_OK; status >= MAPE_E_INTERRUPTED; status--) {
        const char *text = mape_status_string(status);
        assert_non_null(text);
        assert_string_not_equal(text, "");
        assert_string_not_equal(text, "unknown status");
        for (int other = MAPE_OK; other > status; other--) assert_string_not_equal(text, mape_status_string(other));
        assert_ptr_equal(text, mape_status_string(status));
    }
    const int unknown[] = {1, 2, MAPE_E_INTERRUPTED - 1, INT_MIN, INT_MAX, -1000};
    for (size_t i = 0; i < COUNT(unknown); i++) assert_string_equal(mape_status_string(unknown[i]), "unknown status");
}

static void message_is_cut_to_fit_and_its_whole_length_told(uint32_t birth) {
    (void)birth;
    is_status(NULL, MAPE_E_ARGUMENT, mape_pool_create(NULL, NULL));
    char whole[1024], cut[6];
    memset(whole, '#', sizeof whole);
    memset(cut, '#', sizeof cut);
    size_t length = mape_message(NULL, 0, NULL);
    assert_true(length > 5 && length < sizeof whole);
    assert_int_equal(mape_message(whole, sizeof whole, NULL), length);
    assert_int_equal(strlen(whole), length);
    assert_non_null(strstr(whole, "out"));
    assert_int_equal(mape_message(cut, 5, NULL), length);
    assert_int_equal(strlen(cut), 4);
    assert_memory_equal(cut, whole, 4);
    assert_int_equal(cut[5], '#');
    assert_int_equal(mape_message(cut, 1, NULL), length);
    assert_int_equal(cut[0], '\0');
}

static void pools_keep_their_messages_apart(uint32_t birth) {
    (void)birth;
    mape_pool *one = pool_open(MAPE_START_EXEC, 1), *two = pool_open(MAPE_START_EXEC, 1);
    assert_int_equal(mape_message(NULL, 0, one), 0);
    is_status(one, MAPE_E_ARGUMENT, mape_pool_stats(NULL, one));
    assert_non_null(strstr(message_of(one), "out"));
    assert_int_equal(mape_message(NULL, 0, two), 0);
    mape_stats stats = stats_of(one);
    (void)stats;
    assert_non_null(strstr(message_of(one), "out")); /* Of the last call that failed, not of the last call. */
    pool_close(one);
    pool_close(two);
}

static void create_starts_no_process_and_no_thread(uint32_t birth) {
    struct snapshot before = snapshot_taken();
    mape_pool *pool = pool_open(birth, 2);
    registered(pool, run_square);
    struct snapshot after = snapshot_taken();
    assert_int_equal(after.children, before.children);
    assert_int_equal(after.threads, before.threads);
    mape_stats stats = stats_of(pool);
    assert_int_equal(stats.workers, 2);
    assert_int_equal(stats.workers_ready, 0);
    assert_int_equal(stats.workers_started, 0);
    assert_int_equal(stats.is_started, 0);
    assert_int_equal(stats.is_closed, 0);
    assert_int_equal(stats.zygote_pid, 0);
    mape_worker_info worker = worker_of(pool, 1);
    assert_int_equal(worker.pid, 0);
    assert_int_equal(worker.state, MAPE_WORKER_NONE);
    pool_close(pool);
}

static void null_and_zeroed_configs_mean_the_defaults(uint32_t birth) {
    (void)birth;
    mape_pool *one = pool_open_with(NULL);
    mape_pool_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    mape_pool *two = pool_open_with(&config);
    assert_int_equal(stats_of(one).workers, stats_of(two).workers);
    pool_close(one);
    pool_close(two);
}

static void default_workers_are_the_cores_this_thread_may_use(uint32_t birth) {
    (void)birth;
    cpu_set_t all, single;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    mape_pool *pool = pool_open(MAPE_START_EXEC, 0);
    uint32_t workers = stats_of(pool).workers;
    pool_close(pool);
    assert_true(workers >= 1 && workers <= (uint32_t)CPU_COUNT(&all)); /* Less when a cgroup allows less. */
    CPU_ZERO(&single);
    for (size_t cpu = 0; CPU_COUNT(&single) == 0; cpu++)
        if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &single);
    sched_setaffinity(0, sizeof single, &single);
    pool = pool_open(MAPE_START_EXEC, 0);
    workers = stats_of(pool).workers;
    sched_setaffinity(0, sizeof all, &all);
    assert_int_equal(workers, 1);
    pool_close(pool);
}

static void start_makes_all_workers_ready(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 3);
    registered(pool, run_square);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_stats stats = stats_of(pool);
    assert_int_equal(stats.workers, 3);
    assert_int_equal(stats.workers_ready, 3);
    assert_int_equal(stats.workers_started, 3);
    assert_int_equal(stats.workers_died, 0);
    assert_int_equal(stats.zygotes_started, 1);
    assert_int_equal(stats.is_started, 1);
    assert_int_equal(stats.is_closed, 0);
    assert_true(stats.zygote_pid > 0);
    pid_t pids[4];
    assert_int_equal(pool_pids(pool, pids, 4), 4);
    for (int i = 0; i < 4; i++) {
        assert_false(process_gone(pids[i]));
        for (int j = 0; j < i; j++) assert_int_not_equal(pids[i], pids[j]);
    }
    for (uint32_t i = 0; i < 3; i++) {
        mape_worker_info worker = worker_of(pool, i);
        assert_int_equal(worker.state, MAPE_WORKER_IDLE);
        assert_int_equal(worker.starts, 1);
        assert_int_equal(worker.items, 0);
    }
    pool_close(pool);
}

static void starting_a_started_pool_only_waits(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    int status = mape_pool_start(pool, 0); /* Only begins. */
    if (status != MAPE_OK) is_status(pool, MAPE_E_TIMEOUT, status);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_int_equal(stats_of(pool).workers_started, 2);
    assert_int_equal(stats_of(pool).zygotes_started, 1);
    pool_close(pool);
}

static void first_submission_starts_the_pool(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    uint64_t value = 12, square = 144;
    mape_job *job = applied(pool, registered(pool, run_square), &value, sizeof value);
    assert_int_equal(stats_of(pool).is_started, 1);
    wait_for(job);
    result_is(job, 0, &square, sizeof square);
    pool_close(pool);
}

static void shutdown_pool_is_inert_but_can_be_read(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    pid_t pids[3];
    int count = pool_pids(pool, pids, 3);
    uint64_t value = 5, square = 25;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    mape_function_id function = registered(pool, run_square);
    mape_job *job = mapped(pool, function, &value, 1, sizeof value, &config);
    wait_for(job);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    wait_gone(pids, count);
    mape_stats stats = stats_of(pool);
    assert_int_equal(stats.is_closed, 1);
    assert_int_equal(stats.zygote_pid, 0);
    assert_int_equal(stats.workers_ready, 0);
    assert_int_equal(stats.workers_died, 0); /* They were asked to. */
    assert_int_equal(worker_of(pool, 0).pid, 0);
    assert_int_equal(worker_of(pool, 0).state, MAPE_WORKER_NONE);
    result_is(job, 0, &square, sizeof square);
    mape_event event = MAPE_EVENT_INIT;
    is_ok(pool, mape_pool_next_event(&event, pool, 0));
    assert_int_equal(event.type, MAPE_EVENT_ITEM);
    is_ok(pool, mape_pool_next_event(&event, pool, 0));
    assert_int_equal(event.type, MAPE_EVENT_DONE);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, 0));
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, PATIENCE));
    is_ok(pool, mape_job_release(job));
    pool_close(pool);
}

static void a_pool_that_was_never_started_shuts_down_and_goes(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    is_status(pool, MAPE_E_CLOSED, mape_pool_start(pool, PATIENCE));
    assert_int_equal(stats_of(pool).is_closed, 1);
    pool_close(pool);
    pool_close(pool_open(birth, 2));
}

static void destroy_releases_every_handle_of_the_pool(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    uint64_t value = 2;
    mape_job *job = applied(pool, registered(pool, run_square), &value, sizeof value);
    mape_buffer *buffer = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 100));
    wait_for(job);
    pool_close(pool);
    mape_progress progress = MAPE_PROGRESS_INIT;
    mape_stats stats = MAPE_STATS_INIT;
    void *data = NULL;
    is_status(NULL, MAPE_E_HANDLE, mape_job_progress(&progress, job));
    is_status(NULL, MAPE_E_HANDLE, mape_job_wait(job, 0));
    is_status(NULL, MAPE_E_HANDLE, mape_job_release(job));
    is_status(NULL, MAPE_E_HANDLE, mape_buffer_data(&data, NULL, buffer));
    is_status(NULL, MAPE_E_HANDLE, mape_buffer_release(buffer));
    is_status(NULL, MAPE_E_HANDLE, mape_pool_stats(&stats, pool));
    is_status(NULL, MAPE_E_HANDLE, mape_pool_release(pool));
}

static void destroy_with_live_jobs_and_events_leaves_nothing(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id gated = registered_shared(pool, run_polls_cancel, setup_shared, cleanup_shared);
    mape_function_id square = registered(pool, run_square);
    uint64_t *values = numbers(1000);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    mapped(pool, square, values, 1000, sizeof *values, &config);
    mapped(pool, gated, values, 1000, sizeof *values, &config);
    wait_until(atomic_load(&shared_page()->entered) >= 1);
    mapped(pool, square, values, 1000, sizeof *values, &config);
    pool_close(pool);
    free(values);
}

static void stats_count_what_happened_and_memory_comes_back(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(50000);
    wait_for(applied(pool, function, values, 8));
    wait_until(worker_of(pool, 0).items + worker_of(pool, 1).items == 1);
    mape_stats before = stats_of(pool);
    assert_int_equal(before.jobs, 1);
    assert_int_equal(before.items, 1);
    mape_job *job = mapped(pool, function, values, 50000, sizeof *values, NULL);
    wait_for(job);
    squares_are_right(job, values, 50000);
    mape_stats during = stats_of(pool);
    assert_int_equal(during.jobs, 2);
    assert_int_equal(during.items, 50001);
    assert_true(during.ranges > before.ranges);
    assert_true(during.output_bytes >= 50000 * 8);
    is_ok(pool, mape_job_release(job));
    wait_until(stats_of(pool).output_bytes <= before.output_bytes);
    wait_until(stats_of(pool).input_bytes <= before.input_bytes);
    wait_until(worker_of(pool, 0).items + worker_of(pool, 1).items == 50001);
    free(values);
    pool_close(pool);
}

static void *create_and_leave(void *birth) {
    mape_pool_config config = config_of(*(uint32_t *)birth, 2);
    mape_pool *pool = NULL;
    return mape_pool_create(&pool, &config) == MAPE_OK && mape_pool_start(pool, PATIENCE) == MAPE_OK ? pool : NULL;
}

static void workers_outlive_the_thread_that_started_them(uint32_t birth) {
    pthread_t thread;
    void *pool = NULL;
    assert_int_equal(pthread_create(&thread, NULL, create_and_leave, &birth), 0);
    pthread_join(thread, &pool);
    assert_non_null(pool);
    pool_adopt(pool);
    pid_t pids[3];
    int count = pool_pids(pool, pids, 3);
    uint64_t *values = numbers(5000);
    mape_job *job = mapped(pool, registered(pool, run_square), values, 5000, sizeof *values, NULL);
    wait_for(job);
    squares_are_right(job, values, 5000);
    for (int i = 0; i < count; i++) assert_false(process_gone(pids[i]));
    assert_int_equal(stats_of(pool).workers_died, 0);
    free(values);
    pool_close(pool);
}

static void pools_do_not_disturb_each_other(uint32_t birth) {
    mape_pool *one = pool_started(birth, 2);
    mape_pool *two = pool_started(MAPE_START_EXEC, 2);
    uint64_t *values = numbers(20000);
    mape_job *first = mapped(one, registered(one, run_square), values, 20000, sizeof *values, NULL);
    mape_job *second = mapped(two, registered(two, run_square), values, 20000, sizeof *values, NULL);
    wait_for(second);
    squares_are_right(second, values, 20000);
    pool_close(two);
    wait_for(first);
    squares_are_right(first, values, 20000);
    free(values);
    pool_close(one);
}

/** The bundled program, started by hand, says what it is for and answers 64. */
static void zygote_program_run_by_hand_answers_64(uint32_t birth) {
    (void)birth;
    int ends[2];
    char text[1024] = {0};
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(PREFIX "/libexec/mapengine-zygote", "mapengine-zygote", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    int status = 0;
    // To the end: it writes more than once, and a pipe that nobody reads would end it.
    size_t count = 0;
    for (ssize_t got; (got = read(ends[0], text + count, sizeof text - 1 - count)) > 0;) count += (size_t)got;
    assert_true(count > 0);
    close(ends[0]);
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 64);
}

int main(void) {
    const struct abi_test tests[] = {
        ONCE(version_of_the_library_is_the_headers),
        ONCE(every_status_has_a_text_of_its_own_and_others_are_unknown),
        ONCE(message_is_cut_to_fit_and_its_whole_length_told),
        ONCE(pools_keep_their_messages_apart),
        BOTH(create_starts_no_process_and_no_thread),
        ONCE(null_and_zeroed_configs_mean_the_defaults),
        ONCE(default_workers_are_the_cores_this_thread_may_use),
        BOTH(start_makes_all_workers_ready),
        BOTH(starting_a_started_pool_only_waits),
        BOTH(first_submission_starts_the_pool),
        BOTH(shutdown_pool_is_inert_but_can_be_read),
        BOTH(a_pool_that_was_never_started_shuts_down_and_goes),
        BOTH(destroy_releases_every_handle_of_the_pool),
        BOTH(destroy_with_live_jobs_and_events_leaves_nothing),
        BOTH(stats_count_what_happened_and_memory_comes_back),
        BOTH(workers_outlive_the_thread_that_started_them),
        BOTH(pools_do_not_disturb_each_other),
        ONCE(zygote_program_run_by_hand_answers_64),
    };
    return run_abi_tests("basics", tests, COUNT(tests));
}
