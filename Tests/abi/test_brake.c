/* test_brake.c - when the pool gives up: starts that fail again and again. What is killed from outside while work goes on, or
 * between starts that went well, is no reason to.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>

/** More than the five starts after which a pool gives up. */
#define MANY 8

static void an_idle_pool_outlives_any_number_of_killed_zygotes(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    for (uint64_t round = 1; round <= MANY; round++) {
        kill_process(stats_of(pool).zygote_pid);
        wait_until(stats_of(pool).is_closed ||
                   (stats_of(pool).zygotes_started == round + 1 && stats_of(pool).workers_ready == 2));
        assert_int_equal(stats_of(pool).is_closed, 0);
    }
    uint64_t value = 7, square = 49;
    mape_job *job = applied(pool, function, &value, sizeof value);
    wait_for(job);
    result_is(job, 0, &square, sizeof square);
    pool_close(pool);
}

static void a_zygote_that_dies_before_any_worker_is_ready_is_given_up(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_open(birth, 2);
    registered_shared(pool, run_noted, setup_kills_zygote, NULL);
    is_status(pool, MAPE_E_WORKERS, mape_pool_start(pool, PATIENCE));
    assert_non_null(strstr(message_of(pool), "zygote"));
    assert_true(atomic_load(&shared->setups) <= 20);
    pool_close(pool);
}

static void a_zygote_killed_while_many_workers_are_in_a_setup_costs_no_function(uint32_t birth) {
    enum { WORKERS = 7 };
    struct shared *shared = shared_page();
    mape_pool *pool = pool_open(birth, WORKERS);
    mape_function_id function = registered_shared(pool, run_noted, setup_waits_but_first, NULL);
    is_status(pool, MAPE_E_TIMEOUT, mape_pool_start(pool, MAPE_MILLISECONDS(1)));
    for (uint32_t round = 1; round <= 3; round++) {
        wait_until(atomic_load(&shared->setups) == WORKERS * round);
        kill_process(stats_of(pool).zygote_pid);
    }
    atomic_store(&shared->gate, 1);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t value = 7, square = 49;
    mape_job *job = applied(pool, function, &value, sizeof value);
    wait_for(job);
    result_is(job, 0, &square, sizeof square);
    pool_close(pool);
}

/** The worker that waits in its setup, or in loading a module: the one of the two that is not ready. */
static pid_t waiting_worker(mape_pool *pool, const struct shared *shared, uint32_t entered) {
    wait_until(atomic_load(&shared->setups) == entered && stats_of(pool).workers_ready == 1);
    return atomic_load(&shared->setup_pids[entered - 1]);
}

static void one_item_works(mape_pool *pool, mape_function_id function) {
    uint64_t value = 7, square = 49;
    mape_job *job = applied(pool, function, &value, sizeof value);
    wait_for(job);
    result_is(job, 0, &square, sizeof square);
    is_ok(pool, mape_job_release(job));
}

static void kills_in_a_setup_do_not_give_up_a_function_whose_items_end_in_other_workers(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered_shared(pool, run_noted, setup_waits_but_first, NULL);
    is_status(pool, MAPE_E_TIMEOUT, mape_pool_start(pool, MAPE_MILLISECONDS(1)));
    for (uint32_t round = 0; round < MANY; round++) {
        pid_t pid = waiting_worker(pool, shared, 2 + round);
        one_item_works(pool, function);
        kill_process(pid);
    }
    waiting_worker(pool, shared, 2 + MANY);
    one_item_works(pool, function);
    atomic_store(&shared->gate, 1);
    wait_until(stats_of(pool).workers_ready == 2);
    one_item_works(pool, function);
    pool_close(pool);
}

static void kills_in_a_start_do_not_give_up_a_pool_whose_items_end_in_other_workers(uint32_t birth) {
    struct shared *shared = shared_page();
    char setting[100];
    snprintf(setting, sizeof setting, "SLOW_MODULE_PAGE=%s", shared_path());
    const char *const modules[] = {SLOW_MODULE, NULL}, *const environment[] = {setting, NULL};
    mape_pool_config config = config_of(birth, 2);
    config.modules = modules;
    config.env_set = environment;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_square);
    is_status(pool, MAPE_E_TIMEOUT, mape_pool_start(pool, MAPE_MILLISECONDS(1)));
    for (uint32_t round = 0; round < MANY; round++) {
        pid_t pid = waiting_worker(pool, shared, 2 + round);
        one_item_works(pool, function);
        kill_process(pid);
    }
    /* Now there is none that is ready, and one more is killed in its start. */
    pid_t starting = waiting_worker(pool, shared, 2 + MANY);
    one_item_works(pool, function);
    /* It runs before the zygote has told the pool of it. */
    for (uint32_t i = 0; i < 2; i++)
        if (pid_of_worker(pool, i) != starting) kill_process(pid_of_worker(pool, i));
    wait_until(atomic_load(&shared->setups) == 3 + MANY);
    kill_process(starting);
    wait_until(stats_of(pool).workers_died == MANY + 2);
    atomic_store(&shared->gate, 1);
    wait_until(stats_of(pool).is_closed || stats_of(pool).workers_ready == 2);
    assert_int_equal(stats_of(pool).is_closed, 0);
    one_item_works(pool, function);
    pool_close(pool);
}

static void a_module_that_ends_its_workers_is_given_up(uint32_t birth) {
    struct shared *shared = shared_page();
    char setting[100];
    snprintf(setting, sizeof setting, "SLOW_MODULE_PAGE=%s", shared_path());
    const char *const modules[] = {SLOW_MODULE, NULL}, *const environment[] = {setting, "SLOW_MODULE_DIES=1", NULL};
    mape_pool_config config = config_of(birth, 2);
    config.modules = modules;
    config.env_set = environment;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_square);
    is_status(pool, MAPE_E_LOAD, mape_pool_start(pool, PATIENCE));
    assert_non_null(strstr(message_of(pool), " times in a row"));
    assert_true(atomic_load(&shared->setups) <= 10); /* The brake held. */
    one_item_works(pool, function);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        EXEC_ONLY(an_idle_pool_outlives_any_number_of_killed_zygotes),
        EXEC_ONLY(a_zygote_killed_while_many_workers_are_in_a_setup_costs_no_function),
        EXEC_ONLY(a_zygote_that_dies_before_any_worker_is_ready_is_given_up),
        BOTH(kills_in_a_setup_do_not_give_up_a_function_whose_items_end_in_other_workers),
        BOTH(kills_in_a_start_do_not_give_up_a_pool_whose_items_end_in_other_workers),
        BOTH(a_module_that_ends_its_workers_is_given_up),
    };
    return run_abi_tests("brake", tests, COUNT(tests));
}
