/* test_context.c - calls at the wrong time or in the wrong process: after shutdown, in workers, in forked children; and
 * functions that workers cannot reach.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>

static void a_pool_that_was_shut_down_takes_nothing_new(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square), id = 5;
    uint64_t value = 3, nine = 9;
    mape_job *done = applied(pool, function, &value, sizeof value), *stream = NULL, *job = (mape_job *)8;
    wait_for(done);
    is_ok(pool, mape_stream_open(&stream, pool, function, NULL));
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_square;
    mape_items items = items_at(&value, 1, sizeof value);
    mape_span span = {&value, sizeof value};
    mape_buffer *buffer = (mape_buffer *)8;
    is_status(pool, MAPE_E_CLOSED, mape_pool_start(pool, 0));
    is_status(pool, MAPE_E_CLOSED, mape_function_register(&id, pool, &description));
    assert_int_equal(id, 0);
    is_status(pool, MAPE_E_CLOSED, mape_pool_set_global(pool, "name", "x", 1));
    is_status(pool, MAPE_E_CLOSED, mape_buffer_create(&buffer, pool, 10));
    assert_null(buffer);
    is_status(pool, MAPE_E_CLOSED, mape_apply(&job, pool, function, &value, 8, NULL));
    assert_null(job);
    is_status(pool, MAPE_E_CLOSED, mape_map(&job, pool, function, &items, NULL));
    is_status(pool, MAPE_E_CLOSED, mape_stream_open(&job, pool, function, NULL));
    is_status(pool, MAPE_E_CLOSED, mape_stream_push(NULL, stream, &span, 1));
    assert_string_not_equal(message_of(pool), "");
    /* What does not ask for anything new still works. */
    result_is(done, 0, &nine, sizeof nine);
    is_ok(pool, mape_stream_finish(stream));
    is_ok(pool, mape_job_wait(stream, 0));
    is_ok(pool, mape_job_cancel(done));
    assert_int_equal(mape_pool_dispatch(pool, 0, 0), 0);
    int fd = -1;
    is_ok(pool, mape_pool_event_fd(&fd, pool));
    is_ok(pool, mape_pool_set_wakeup(pool, NULL, NULL));
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, 0));
    is_ok(pool, mape_job_release(stream));
    pool_close(pool);
}

static void host_calls_inside_a_worker_are_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    struct host_handles host = {.pool = pool};
    uint64_t value = 3;
    host.function = registered(pool, run_square);
    host.job = applied(pool, host.function, &value, sizeof value);
    is_ok(pool, mape_stream_open(&host.stream, pool, host.function, NULL));
    is_ok(pool, mape_buffer_create(&host.buffer, pool, 100));
    mape_job *job = applied(pool, registered(pool, run_call_host), &host, sizeof host);
    wait_for(job);
    mape_result result = result_of(job, 0);
    assert_int_equal(result.state, MAPE_ITEM_OK);
    assert_int_equal(result.size, HOST_CALLS * sizeof(int32_t));
    const int32_t *statuses = result.data;
    /* The first makes a pool, which a worker may. */
    assert_int_equal(statuses[0], MAPE_OK);
    for (int i = 1; i < HOST_CALLS; i++)
        if (statuses[i] != MAPE_E_IN_WORKER) fail_msg("call %d of run_call_host answered %d", i, statuses[i]);
    wait_for(host.job);
    result_is(host.job, 0, &(uint64_t){9}, sizeof value);
    assert_int_equal(stats_of(pool).is_closed, 0);
    pool_close(pool);
}

/** Calls everything in a forked child. Returns the number of calls that did not answer MAPE_E_FORKED; the first of them is
 *  told on standard error. */
static int calls_not_refused(mape_pool *pool, mape_job *job, mape_job *stream, mape_buffer *buffer,
                             mape_function_id function) {
    mape_pool *other = NULL;
    mape_job *other_job = NULL;
    mape_buffer *other_buffer = NULL;
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_square;
    mape_function_id id = 0;
    mape_stats stats = MAPE_STATS_INIT;
    mape_worker_info worker = MAPE_WORKER_INFO_INIT;
    mape_result result = MAPE_RESULT_INIT;
    mape_progress progress = MAPE_PROGRESS_INIT;
    mape_event event = MAPE_EVENT_INIT;
    uint64_t value = 3;
    mape_items items = items_at(&value, 1, sizeof value);
    mape_span span = {&value, sizeof value};
    void *data = NULL;
    size_t accepted = 0;
    int fd = -1;
    const struct {
        const char *name;
        int status;
    } calls[] = {
        {"mape_pool_create", mape_pool_create(&other, NULL)},
        {"mape_pool_start", mape_pool_start(pool, PATIENCE)},
        {"mape_pool_stats", mape_pool_stats(&stats, pool)},
        {"mape_pool_worker", mape_pool_worker(&worker, pool, 0)},
        {"mape_function_register", mape_function_register(&id, pool, &description)},
        {"mape_pool_set_global", mape_pool_set_global(pool, "name", &value, sizeof value)},
        {"mape_buffer_create", mape_buffer_create(&other_buffer, pool, 10)},
        {"mape_buffer_data", mape_buffer_data(&data, NULL, buffer)},
        {"mape_buffer_release", mape_buffer_release(buffer)},
        {"mape_apply", mape_apply(&other_job, pool, function, &value, sizeof value, NULL)},
        {"mape_map", mape_map(&other_job, pool, function, &items, NULL)},
        {"mape_stream_open", mape_stream_open(&other_job, pool, function, NULL)},
        {"mape_stream_push", mape_stream_push(&accepted, stream, &span, 1)},
        {"mape_stream_finish", mape_stream_finish(stream)},
        {"mape_job_wait", mape_job_wait(job, PATIENCE)},
        {"mape_job_result", mape_job_result(&result, job, 0)},
        {"mape_job_gather", mape_job_gather(&value, sizeof value, sizeof value, NULL, job)},
        {"mape_job_progress", mape_job_progress(&progress, job)},
        {"mape_job_cancel", mape_job_cancel(job)},
        {"mape_job_release", mape_job_release(job)},
        {"mape_pool_dispatch", mape_pool_dispatch(pool, 0, 0)},
        {"mape_pool_next_event", mape_pool_next_event(&event, pool, PATIENCE)},
        {"mape_pool_event_fd", mape_pool_event_fd(&fd, pool)},
        {"mape_pool_set_wakeup", mape_pool_set_wakeup(pool, NULL, NULL)},
        {"mape_pool_shutdown", mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, PATIENCE)},
        {"mape_pool_release", mape_pool_release(pool)},
    };
    int wrong = 0;
    for (size_t i = 0; i < COUNT(calls); i++)
        /* A pool of its own it may make; then it is told the same of its parent's. */
        if (calls[i].status != (i == 0 ? MAPE_OK : MAPE_E_FORKED) && wrong++ == 0)
            fprintf(stderr, "in a forked child %s answered %d\n", calls[i].name, calls[i].status);
    if (mape_pool_release(other) != MAPE_OK) wrong++;
    if (mape_version() != MAPE_VERSION || mape_status_string(0) == NULL) wrong++;
    return wrong;
}

static void calls_in_a_forked_child_are_refused_and_disturb_nobody(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL);
    uint64_t *values = numbers(1000);
    mape_job *job = mapped(pool, gated, values, 1000, sizeof *values, NULL), *stream = NULL;
    mape_buffer *buffer = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, gated, NULL));
    is_ok(pool, mape_buffer_create(&buffer, pool, 100));
    wait_until(atomic_load(&shared->entered) >= 1);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int wrong = calls_not_refused(pool, job, stream, buffer, gated);
        _exit(wrong > 100 ? 100 : wrong);
    }
    int status = 0;
    stage("waiting for the forked child");
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    atomic_store(&shared->gate, 1);
    wait_for(job);
    squares_are_right(job, values, 1000);
    free(values);
    pool_close(pool);
}

static void a_forked_child_exits_in_the_ordinary_way_without_harm(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) exit(33);
    int status = 0;
    stage("waiting for the forked child");
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 33);
    uint64_t *values = numbers(1000);
    mape_job *job = mapped(pool, function, values, 1000, sizeof *values, NULL);
    wait_for(job);
    squares_are_right(job, values, 1000);
    free(values);
    pool_close(pool);
}

/** Shared memory of the pool is not in forked children: looks at the child's own list of mappings. */
static void forked_children_do_not_inherit_the_shared_memory(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    uint64_t value = 3;
    wait_for(applied(pool, registered(pool, run_square), &value, sizeof value));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int left = snapshot_taken().memfd_mappings;
        _exit(left > 100 ? 100 : left);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    pool_close(pool);
}

/* ---- functions that workers cannot reach ---- */

static int run_in_the_main_program(mape_task *task, void *state, const void *input, size_t size) {
    return run_square(task, state, input, size);
}

static void in_exec_a_function_of_the_main_program_is_refused_with_advice(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 9;
    description.run = run_in_the_main_program;
    is_status(pool, MAPE_E_FUNCTION, mape_function_register(&function, pool, &description));
    assert_int_equal(function, 0);
    assert_non_null(strstr(message_of(pool), "main program"));
    assert_non_null(strstr(message_of(pool), "MAPE_START_FORK"));
    description.run = run_square;
    description.setup = (mape_setup_fn)(void (*)(void))run_in_the_main_program;
    is_status(pool, MAPE_E_FUNCTION, mape_function_register(&function, pool, &description));
    description.setup = NULL;
    description.run = (mape_run_fn)(uintptr_t)0x1234560; /* In no file at all. */
    is_status(pool, MAPE_E_FUNCTION, mape_function_register(&function, pool, &description));
    description.run = run_square;
    is_ok(pool, mape_function_register(&function, pool, &description));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    pool_close(pool);
}

static void in_fork_a_function_of_the_main_program_works_when_registered_before_the_start(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0, late = 9;
    description.run = run_in_the_main_program;
    is_ok(pool, mape_function_register(&function, pool, &description));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t *values = numbers(1000);
    mape_job *job = mapped(pool, function, values, 1000, sizeof *values, NULL);
    wait_for(job);
    squares_are_right(job, values, 1000);
    is_status(pool, MAPE_E_FUNCTION, mape_function_register(&late, pool, &description));
    assert_int_equal(late, 0);
    assert_string_not_equal(message_of(pool), "");
    free(values);
    pool_close(pool);
}

static void a_pointer_as_data_is_for_fork_before_the_start_alone(uint32_t birth) {
    static char text[] = "host memory";
    mape_pool *pool = pool_open(birth, 1);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0, late = 0;
    description.run = run_echo_state_text;
    description.setup = setup_keeps_pointer;
    description.data = text;
    int status = mape_function_register(&function, pool, &description);
    if (birth == MAPE_START_EXEC) {
        if (status != MAPE_E_FUNCTION) is_status(pool, MAPE_E_ARGUMENT, status);
        assert_non_null(strstr(message_of(pool), "data"));
    } else {
        is_ok(pool, status);
        mape_job *job = applied(pool, function, NULL, 0);
        wait_for(job);
        result_is(job, 0, "host memory", strlen("host memory"));
        status = mape_function_register(&late, pool, &description);
        if (status != MAPE_E_FUNCTION) is_status(pool, MAPE_E_ARGUMENT, status);
    }
    pool_close(pool);
}

static void libraries_and_symbols_that_are_not_there_fail_by_load(uint32_t birth) {
    const struct {
        const char *library, *symbol;
    } table[] = {{"/nowhere/libnothing.so", "run_square"}, {WORKERS_LIBRARY, "no_such_symbol"}};
    for (size_t t = 0; t < COUNT(table); t++) {
        mape_pool *pool = pool_open(birth, 2);
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id missing = 0, late = 0;
        description.library = table[t].library;
        description.run_symbol = table[t].symbol;
        is_ok(pool, mape_function_register(&missing, pool, &description));
        is_status(pool, MAPE_E_LOAD, mape_pool_start(pool, PATIENCE));
        assert_non_null(strstr(message_of(pool), t == 0 ? "libnothing.so" : "no_such_symbol"));
        is_ok(pool, mape_function_register(&late, pool, &description));
        uint64_t *values = numbers(20);
        mape_job *before = mapped(pool, missing, values, 20, sizeof *values, NULL);
        mape_job *after = mapped(pool, late, values, 20, sizeof *values, NULL);
        mape_job *works = mapped(pool, registered(pool, run_square), values, 20, sizeof *values, NULL);
        wait_for(before), wait_for(after), wait_for(works);
        squares_are_right(works, values, 20);
        for (uint64_t i = 0; i < 20; i++) {
            result_ended(before, i, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
            result_ended(after, i, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
            assert_string_not_equal(result_of(before, i).message, "");
        }
        free(values);
        pool_close(pool);
    }
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(a_pool_that_was_shut_down_takes_nothing_new),
        BOTH(host_calls_inside_a_worker_are_refused),
        BOTH(calls_in_a_forked_child_are_refused_and_disturb_nobody),
        BOTH(a_forked_child_exits_in_the_ordinary_way_without_harm),
        BOTH(forked_children_do_not_inherit_the_shared_memory),
        EXEC_ONLY(in_exec_a_function_of_the_main_program_is_refused_with_advice),
        FORK_ONLY(in_fork_a_function_of_the_main_program_works_when_registered_before_the_start),
        BOTH(a_pointer_as_data_is_for_fork_before_the_start_alone),
        BOTH(libraries_and_symbols_that_are_not_there_fail_by_load),
    };
    return run_abi_tests("context", tests, COUNT(tests));
}
