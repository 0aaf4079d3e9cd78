/* test_faults.c - deaths in ranges and chunks of every size: the right item is blamed with the right cause, and all others complete.
 * Every way of dying, at every stage: Tests/faults.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>
#include <sys/resource.h>

#define ITEMS 211

/** Way of dying, and what the item must say of it. */
static const struct death {
    const char *name;
    uint32_t way, cause;
    int32_t code;
} deaths[] = {
    {"segfault", WAY_SEGFAULT, MAPE_CAUSE_SIGNAL, SIGSEGV},
    {"abort", WAY_ABORT, MAPE_CAUSE_SIGNAL, SIGABRT},
    {"division by zero", WAY_DIVIDE, MAPE_CAUSE_SIGNAL, SIGFPE},
    {"stack overflow", WAY_OVERFLOW, MAPE_CAUSE_SIGNAL, SIGSEGV},
    {"_exit(0)", WAY_EXIT_0, MAPE_CAUSE_EXIT, 0},
    {"_exit(99)", WAY_EXIT_99, MAPE_CAUSE_EXIT, 99},
    {"exit(5)", WAY_EXIT_NORMAL, MAPE_CAUSE_EXIT, 5},
    {"exec of another program", WAY_EXEC, MAPE_CAUSE_EXIT, 1},
    {"SIGKILL", WAY_KILL, MAPE_CAUSE_SIGNAL, SIGKILL},
    {"SIGKILL with output half written", WAY_OUTPUT_DIES, MAPE_CAUSE_SIGNAL, SIGKILL},
    {"a write to its input", WAY_WRITE_INPUT, MAPE_CAUSE_SIGNAL, SIGSEGV},
};

static void fill(struct fault_item *items, uint64_t count, uint64_t every, uint32_t way) {
    for (uint64_t i = 0; i < count; i++)
        items[i] = (struct fault_item){i + 1, i % every == every / 2 ? way : (uint32_t)WAY_WELL, 0};
}

/** Each item that works is right, and each that dies is blamed as the table says, after that many attempts. */
static void check_blame(mape_job *job, const struct fault_item *items, uint64_t count, const struct death *death,
                        uint32_t attempts) {
    uint64_t crashed = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t square = items[i].value * items[i].value;
        if (items[i].way == WAY_WELL) {
            result_is(job, i, &square, sizeof square);
            continue;
        }
        crashed++;
        result_ended(job, i, MAPE_ITEM_CRASHED, death->cause, death->code);
        if (attempts > 0) assert_int_equal(result_of(job, i).attempts, attempts);
        assert_string_not_equal(result_of(job, i).message, "");
    }
    mape_progress progress = progress_of(job);
    assert_int_equal(progress.crashed, crashed);
    assert_int_equal(progress.ok, count - crashed);
    assert_int_equal(progress.done, count);
    assert_int_equal(progress.is_done, 1);
}

static void range_functions_are_blamed_for_the_item_they_were_on(uint32_t birth) {
    struct fault_item items[ITEMS];
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id each = registered_range(pool, run_fault_each), all = registered_range(pool, run_fault_all);
    const int chosen[] = {0, 5, 8};
    for (size_t c = 0; c < COUNT(chosen); c++) {
        const struct death *death = &deaths[chosen[c]];
        fill(items, ITEMS, 71, death->way);
        stage("a range that begins its items, death by %s", death->name);
        mape_job *job = mapped(pool, each, items, ITEMS, sizeof items[0], NULL);
        is_ok(pool, mape_job_wait(job, PATIENCE));
        check_blame(job, items, ITEMS, death, 1);
        stage("a range that is halved until the item is found, death by %s", death->name);
        job = mapped(pool, all, items, ITEMS, sizeof items[0], NULL);
        is_ok(pool, mape_job_wait(job, PATIENCE));
        check_blame(job, items, ITEMS, death, 0);
    }
    pool_close(pool);
}

static void chunks_of_every_size_blame_the_same_items(uint32_t birth) {
    struct fault_item items[ITEMS];
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_fault);
    const uint64_t chunks[] = {1, 7, 100, UINT64_MAX};
    for (size_t c = 0; c < COUNT(chunks); c++) {
        mape_job_config config = MAPE_JOB_CONFIG_INIT;
        config.chunk = chunks[c];
        fill(items, ITEMS, 50, WAY_EXIT_99);
        items[0].way = items[ITEMS - 1].way = WAY_EXIT_99;
        mape_job *job = mapped(pool, function, items, ITEMS, sizeof items[0], &config);
        stage("chunk %llu", (unsigned long long)chunks[c]);
        is_ok(pool, mape_job_wait(job, PATIENCE));
        check_blame(job, items, ITEMS, &deaths[5], 1);
    }
    pool_close(pool);
}

static void an_item_whose_worker_dies_once_succeeds_at_the_second_attempt(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_dies_once, setup_shared, NULL);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 2;
    uint64_t *values = numbers(500), twice = 0;
    mape_job *job = mapped(pool, function, values, 500, sizeof *values, &config);
    wait_for(job);
    squares_are_right(job, values, 500);
    for (uint64_t i = 0; i < 500; i++) twice += result_of(job, i).attempts == 2;
    assert_int_equal(twice, 1);
    free(values);
    pool_close(pool);
}

static void every_item_may_die_and_each_is_told(uint32_t birth) {
    struct fault_item items[60];
    mape_pool *pool = pool_started(birth, 2);
    fill(items, 60, 1, WAY_EXIT_0);
    mape_job *job = mapped(pool, registered(pool, run_fault), items, 60, sizeof items[0], NULL);
    wait_for(job);
    check_blame(job, items, 60, &deaths[4], 1);
    uint64_t value = 3, nine = 9;
    mape_job *after = applied(pool, registered(pool, run_square), &value, sizeof value);
    wait_for(after); /* Deaths in items are no failed starts: the pool lives. */
    result_is(after, 0, &nine, sizeof nine);
    pool_close(pool);
}

static void setup_and_cleanup_run_in_replacements_and_not_in_the_dead(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id setting_up = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
    mape_function_id dying = registered(pool, run_fault);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct fault_item item = {1, WAY_SEGFAULT, 0};
    for (int i = 0; i < 3; i++) wait_for(applied(pool, dying, &item, sizeof item));
    wait_until(stats_of(pool).workers_ready == 2);
    assert_int_equal(atomic_load(&shared->setups), 5);
    assert_int_equal(atomic_load(&shared->cleanups), 0);
    uint64_t value = 4, square = 16;
    mape_job *job = applied(pool, setting_up, &value, sizeof value);
    wait_for(job);
    result_is(job, 0, &square, sizeof square);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_int_equal(atomic_load(&shared->setups), 5);
    assert_int_equal(atomic_load(&shared->cleanups), 2);
    pool_close(pool);
}

static void crash_signals_that_the_host_handles_do_not_run_its_handlers_in_workers(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_job *job = applied(pool, registered(pool, run_describe), NULL, 0);
    wait_for(job);
    const struct view *view = result_of(job, 0).data;
    assert_int_equal(view->handled, 0);
    assert_int_equal(view->blocked, 0);
    pool_close(pool);
}

static void handler_of_the_host(int number) {
    (void)number;
    _exit(55);
}

static void a_host_with_crash_handlers_still_learns_of_the_signal(uint32_t birth) {
    struct sigaction action = {.sa_handler = handler_of_the_host}, before;
    sigaction(SIGSEGV, &action, &before);
    mape_pool *pool = pool_open(birth, 1);
    struct fault_item item = {1, WAY_SEGFAULT, 0};
    mape_function_id function = registered(pool, run_fault);
    mape_job *job = applied(pool, function, &item, sizeof item);
    int status = mape_job_wait(job, PATIENCE);
    sigaction(SIGSEGV, &before, NULL);
    is_ok(pool, status);
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    crash_signals_that_the_host_handles_do_not_run_its_handlers_in_workers(birth);
    pool_close(pool);
}

int main(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    const struct abi_test tests[] = {
        BOTH(range_functions_are_blamed_for_the_item_they_were_on),
        BOTH(chunks_of_every_size_blame_the_same_items),
        BOTH(an_item_whose_worker_dies_once_succeeds_at_the_second_attempt),
        BOTH(every_item_may_die_and_each_is_told),
        BOTH(setup_and_cleanup_run_in_replacements_and_not_in_the_dead),
        BOTH(crash_signals_that_the_host_handles_do_not_run_its_handlers_in_workers),
        BOTH(a_host_with_crash_handlers_still_learns_of_the_signal),
    };
    return run_abi_tests("faults", tests, COUNT(tests));
}
