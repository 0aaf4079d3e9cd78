/* test_lifecycle.c - what workers are given, and how they are kept: modules, globals, functions, environment, limits,
 * recycling, and a zygote of the host's own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <sys/resource.h>

/** The module that tests load by name. The workers' library does not need it, nor does libc. */
#define MODULE "libcmocka.so.0"

static void modules_are_loaded_before_the_first_item(uint32_t birth) {
    if (birth == MAPE_START_FORK) return; /* A snapshot of this program has it loaded already. */
    const char *const modules[] = {MODULE, NULL};
    mape_pool *plain = pool_open(birth, 1);
    mape_pool_config config = config_of(birth, 2);
    config.modules = modules;
    mape_pool *loaded = pool_open_with(&config);
    mape_job *without = applied(plain, registered(plain, run_has_module), MODULE, strlen(MODULE));
    mape_job *with = applied(loaded, registered(loaded, run_has_module), MODULE, strlen(MODULE));
    wait_for(without);
    wait_for(with);
    result_is(without, 0, &(unsigned char){0}, 1);
    result_is(with, 0, &(unsigned char){1}, 1);
    pool_close(plain);
    pool_close(loaded);
}

static void a_module_that_is_not_there_is_told_by_start(uint32_t birth) {
    const char *const modules[] = {"libno-such-module.so.7", NULL};
    mape_pool_config config = config_of(birth, 2);
    config.modules = modules;
    mape_pool *pool = pool_open_with(&config);
    is_status(pool, MAPE_E_LOAD, mape_pool_start(pool, PATIENCE));
    assert_non_null(strstr(message_of(pool), "libno-such-module.so.7"));
    pool_close(pool);
}

static void a_job_sees_the_globals_of_the_time_it_was_submitted(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id function = registered(pool, run_global);
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL);
    char *large = malloc(5 << 20);
    memset(large, 'L', 5 << 20);
    is_ok(pool, mape_pool_set_global(pool, "table", "before the start", 16));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t value = 1;
    applied(pool, gated, &value, sizeof value); /* Holds the only worker while globals change. */
    wait_until(atomic_load(&shared->entered) == 1);
    mape_job *first = applied(pool, function, "table", 5);
    is_ok(pool, mape_pool_set_global(pool, "table", large, 5 << 20));
    memset(large, '?', 5 << 20);
    mape_job *second = applied(pool, function, "table", 5);
    is_ok(pool, mape_pool_set_global(pool, "table", NULL, 0));
    mape_job *third = applied(pool, function, "table", 5);
    is_ok(pool, mape_pool_set_global(pool, "table", "last", 4));
    is_ok(pool, mape_pool_set_global(pool, "other", "x", 1));
    mape_job *fourth = applied(pool, function, "table", 5), *other = applied(pool, function, "other", 5);
    mape_job *never = applied(pool, function, "never", 5);
    atomic_store(&shared->gate, 1);
    memset(large, 'L', 5 << 20);
    wait_for(first), wait_for(second), wait_for(third), wait_for(fourth), wait_for(other), wait_for(never);
    result_is(first, 0, "before the start", 16);
    result_is(second, 0, large, 5 << 20);
    result_ended(third, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 4);
    result_is(fourth, 0, "last", 4);
    result_is(other, 0, "x", 1);
    result_ended(never, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 4);
    free(large);
    pool_close(pool);
}

static void replaced_globals_give_their_memory_back(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_global);
    char *bytes = calloc(1, 1 << 20);
    is_ok(pool, mape_pool_set_global(pool, "g", bytes, 1 << 20));
    for (int i = 0; i < 100; i++) {
        memset(bytes, i, 64);
        is_ok(pool, mape_pool_set_global(pool, "g", bytes, 1 << 20));
        mape_job *job = applied(pool, function, "g", 1);
        wait_for(job);
        result_is(job, 0, bytes, 1 << 20);
        is_ok(pool, mape_job_release(job));
    }
    wait_until(stats_of(pool).input_bytes < 8 << 20);
    free(bytes);
    pool_close(pool);
}

static void globals_are_aligned_and_read_by_setup(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    is_ok(pool, mape_pool_set_global(pool, "one", "1", 1));
    is_ok(pool, mape_pool_set_global(pool, "two", "22222", 5));
    is_ok(pool, mape_pool_set_global(pool, "table", "for setup", 9));
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run_echo_state;
    description.setup = setup_reads_global;
    is_ok(pool, mape_function_register(&function, pool, &description));
    mape_job *aligned = applied(pool, registered(pool, run_global_alignment), NULL, 0);
    mape_job *set_up = applied(pool, function, NULL, 0);
    wait_for(aligned);
    wait_for(set_up);
    result_is(aligned, 0, NULL, 0);
    result_is(set_up, 0, "for setup", 9);
    pool_close(pool);
}

static void functions_registered_after_the_start_are_set_up_before_their_items(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    uint64_t *values = numbers(5000);
    for (uint32_t round = 1; round <= 20; round++) {
        mape_function_id function = registered_shared(pool, run_square, setup_shared, cleanup_shared);
        mape_job *job = mapped(pool, function, values, 5000, sizeof *values, NULL);
        wait_for(job);
        squares_are_right(job, values, 5000);
    }
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_true(atomic_load(&shared->setups) <= 40);
    assert_int_equal(atomic_load(&shared->cleanups), atomic_load(&shared->setups)); /* Once for each that was set up. */
    free(values);
    pool_close(pool);
}

static void data_of_any_size_is_baked_in(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    const size_t sizes[] = {1, 4096, 3 << 20};
    char *data = malloc(3 << 20);
    for (int after = 0; after < 2; after++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            mape_function description = MAPE_FUNCTION_INIT;
            mape_function_id function = 0;
            memset(data, 'a' + (int)i, 3 << 20);
            description.run = run_echo_state;
            description.setup = setup_copies_data;
            description.data = data;
            description.data_size = sizes[i];
            is_ok(pool, mape_function_register(&function, pool, &description));
            memset(data, '?', 3 << 20);
            mape_job *job = applied(pool, function, NULL, 0);
            wait_for(job);
            memset(data, 'a' + (int)i, 3 << 20);
            result_is(job, 0, data, sizes[i]);
        }
    }
    free(data);
    pool_close(pool);
}

static void functions_are_found_by_library_and_symbol(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    uint64_t *values = numbers(1000);
    for (int range = 0; range < 2; range++) {
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id function = 0;
        description.library = WORKERS_LIBRARY;
        if (range) description.run_range_symbol = "run_square_all";
        else description.run_symbol = "run_square";
        description.setup_symbol = "setup_shared";
        description.cleanup_symbol = "cleanup_shared";
        description.data = shared_path();
        description.data_size = strlen(shared_path()) + 1;
        is_ok(pool, mape_function_register(&function, pool, &description));
        mape_job *job = mapped(pool, function, values, 1000, sizeof *values, NULL);
        wait_for(job);
        squares_are_right(job, values, 1000);
    }
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_true(atomic_load(&shared_page()->setups) >= 2);
    assert_int_equal(atomic_load(&shared_page()->cleanups), atomic_load(&shared_page()->setups));
    free(values);
    pool_close(pool);
}

static void workers_are_recycled_after_their_items_and_lose_none(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool_config config = config_of(birth, 2);
    config.items_per_worker = 100;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
    uint64_t *values = numbers(2000);
    mape_job_config job_config = MAPE_JOB_CONFIG_INIT;
    job_config.chunk = 10;
    mape_job *job = mapped(pool, function, values, 2000, sizeof *values, &job_config);
    wait_for(job);
    squares_are_right(job, values, 2000);
    for (uint64_t i = 0; i < 2000; i++) assert_int_equal(result_of(job, i).attempts, 1);
    wait_until(stats_of(pool).workers_ready == 2);
    mape_stats stats = stats_of(pool);
    /* "After this many items" says not how soon after: fast items go on while a replacement starts. */
    if (stats.workers_started < 4)
        fail_msg("%llu workers were started, %u set up", (unsigned long long)stats.workers_started,
                 atomic_load(&shared->setups));
    assert_int_equal(stats.workers_died, 0);
    assert_int_equal(stats.zygotes_started, 1);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_int_equal(atomic_load(&shared->cleanups), atomic_load(&shared->setups));
    free(values);
    pool_close(pool);
}

static void answer_is(mape_pool *pool, mape_function_id function, const char *name, const char *value) {
    mape_job *job = applied(pool, function, name, strlen(name));
    wait_for(job);
    if (value != NULL) result_is(job, 0, value, strlen(value));
    else result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 4);
}

static void environment_is_set_and_unset_in_workers_alone(uint32_t birth) {
    setenv("ABI_TEST_KEPT", "kept", 1);
    setenv("ABI_TEST_GONE", "gone", 1);
    setenv("ABI_TEST_CHANGED", "before", 1);
    const char *const set[] = {"ABI_TEST_NEW=new=value", "ABI_TEST_CHANGED=after", "ABI_TEST_EMPTY=", NULL};
    const char *const unset[] = {"ABI_TEST_GONE", "ABI_TEST_NEVER", NULL};
    mape_pool_config config = config_of(birth, 1);
    config.env_set = set;
    config.env_unset = unset;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_environment);
    answer_is(pool, function, "ABI_TEST_KEPT", "kept");
    answer_is(pool, function, "ABI_TEST_GONE", NULL);
    answer_is(pool, function, "ABI_TEST_NEVER", NULL);
    answer_is(pool, function, "ABI_TEST_NEW", "new=value");
    answer_is(pool, function, "ABI_TEST_CHANGED", "after");
    mape_job *job = applied(pool, function, "ABI_TEST_EMPTY", 14);
    wait_for(job);
    result_is(job, 0, NULL, 0);
    assert_string_equal(getenv("ABI_TEST_GONE"), "gone");
    assert_string_equal(getenv("ABI_TEST_CHANGED"), "before");
    assert_null(getenv("ABI_TEST_NEW"));
    pool_close(pool);
    unsetenv("ABI_TEST_KEPT"), unsetenv("ABI_TEST_GONE"), unsetenv("ABI_TEST_CHANGED");
}

static void nice_and_pinning_are_for_workers_alone(uint32_t birth) {
    int own = getpriority(PRIO_PROCESS, 0);
    mape_pool_config config = config_of(birth, 2);
    config.nice = 5;
    config.pin = 1;
    mape_pool *pool = pool_open_with(&config);
    uint64_t *values = numbers(50);
    mape_job *job = mapped(pool, registered(pool, run_describe), values, 50, sizeof *values, NULL);
    wait_for(job);
    for (uint64_t i = 0; i < 50; i++) {
        const struct view *view = result_of(job, i).data;
        assert_int_equal(view->nice_value, own + 5 > 19 ? 19 : own + 5);
        assert_int_equal(view->cpus, 1);
    }
    assert_int_equal(getpriority(PRIO_PROCESS, 0), own);
    free(values);
    pool_close(pool);
}

static void a_memory_limit_makes_allocations_fail_in_the_worker_alone(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.memory_limit = (uint64_t)1 << 30;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_allocate);
    uint64_t small = 1 << 20, large = (uint64_t)2 << 30;
    mape_job *fits = applied(pool, function, &small, sizeof small),
             *not = applied(pool, function, &large, sizeof large);
    mape_job *seen = applied(pool, registered(pool, run_describe), NULL, 0);
    wait_for(fits), wait_for(not ), wait_for(seen);
    result_is(fits, 0, &(unsigned char){1}, 1);
    result_is(not, 0, &(unsigned char){0}, 1);
    assert_int_equal(((const struct view *)result_of(seen, 0).data)->data_limit, config.memory_limit);
    pool_close(pool);
}

static void a_program_of_the_hosts_own_is_the_zygote(uint32_t birth) {
    const char *const arguments[] = {"own-zygote", "--from-the-test", NULL};
    mape_pool_config config = config_of(birth, 2);
    config.zygote_path = OWN_ZYGOTE;
    config.zygote_argv = arguments;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_environment);
    answer_is(pool, function, "OWN_ZYGOTE", "--from-the-test"); /* Its main sets this, from its arguments. */
    pool_close(pool);
}

static void a_zygote_that_cannot_be_is_told_by_start_and_items_end(uint32_t birth) {
    const char *const paths[] = {"/nowhere/zygote", "/bin/true", "/bin/false", "/etc/passwd"};
    for (size_t p = 0; p < COUNT(paths); p++) {
        mape_pool_config config = config_of(birth, 2);
        config.zygote_path = paths[p];
        config.restarts = 2;
        mape_pool *pool = pool_open_with(&config);
        mape_function_id function = registered(pool, run_square);
        uint64_t value = 1;
        mape_job *job = NULL;
        stage("zygote %s", paths[p]);
        int status = mape_apply(&job, pool, function, &value, sizeof value, NULL);
        if (status == MAPE_OK) {
            wait_for(job);
            result_ended(job, 0, MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, MAPE_E_WORKERS);
        }
        status = mape_pool_start(pool, PATIENCE);
        assert_true(status == MAPE_E_WORKERS || status == MAPE_E_SYSTEM);
        assert_string_not_equal(message_of(pool), "");
        pool_close(pool);
    }
}

static void two_hundred_workers_share_a_thousand_items(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 200);
    uint64_t *values = numbers(1000);
    mape_function_id function = registered(pool, run_square);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_int_equal(stats_of(pool).workers_ready, 200);
    mape_job *job = mapped(pool, function, values, 1000, sizeof *values, NULL);
    wait_for(job);
    squares_are_right(job, values, 1000);
    free(values);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        EXEC_ONLY(modules_are_loaded_before_the_first_item),
        BOTH(a_module_that_is_not_there_is_told_by_start),
        BOTH(a_job_sees_the_globals_of_the_time_it_was_submitted),
        BOTH(replaced_globals_give_their_memory_back),
        BOTH(globals_are_aligned_and_read_by_setup),
        BOTH(functions_registered_after_the_start_are_set_up_before_their_items),
        BOTH(data_of_any_size_is_baked_in),
        BOTH(functions_are_found_by_library_and_symbol),
        BOTH(workers_are_recycled_after_their_items_and_lose_none),
        BOTH(environment_is_set_and_unset_in_workers_alone),
        BOTH(nice_and_pinning_are_for_workers_alone),
        BOTH(a_memory_limit_makes_allocations_fail_in_the_worker_alone),
        EXEC_ONLY(a_program_of_the_hosts_own_is_the_zygote),
        EXEC_ONLY(a_zygote_that_cannot_be_is_told_by_start_and_items_end),
        BOTH(two_hundred_workers_share_a_thousand_items),
    };
    return run_abi_tests("lifecycle", tests, COUNT(tests));
}
