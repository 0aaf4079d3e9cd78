/* test_nested.c - pools inside workers: maps in maps, the bounds, and what ends with whom.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>

static struct nested_item nested(uint32_t birth, uint32_t depth) {
    struct nested_item item = {.birth = birth, .depth = depth, .count = 10};
    snprintf(item.path, sizeof item.path, "%s", shared_path());
    return item;
}

static void an_item_may_map_over_a_pool_of_its_own(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_nested);
    const uint64_t sum = 385;
    for (uint32_t inner = MAPE_START_EXEC; inner <= MAPE_START_FORK; inner++) {
        struct nested_item items[6];
        for (int i = 0; i < 6; i++) items[i] = nested(inner, 1);
        mape_job *job = mapped(pool, function, items, 6, sizeof *items, NULL);
        wait_for(job);
        for (uint64_t i = 0; i < 6; i++) result_is(job, i, &sum, sizeof sum);
    }
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void three_pools_may_be_one_inside_another_and_no_more(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_nested);
    const uint64_t sum = 385;
    for (uint32_t inner = MAPE_START_EXEC; inner <= MAPE_START_FORK; inner++) {
        struct nested_item item = nested(inner, 2), deeper = nested(inner, 3);
        item_gives(pool, function, &item, sizeof item, &sum, sizeof sum);
        item_fails(pool, function, &deeper, sizeof deeper, MAPE_CAUSE_FUNCTION, MAPE_E_IN_WORKER, "deep");
    }
    pool_close(pool);
}

static void a_worker_may_have_sixteen_pools(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    const uint64_t count = 16;
    item_gives(pool, registered(pool, run_makes_pools), NULL, 0, &count, sizeof count);
    pool_close(pool);
}

static void a_sandboxed_worker_makes_none(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.sandbox = MAPE_SANDBOX_COMPUTE;
    mape_pool *pool = NULL;
    if (mape_pool_create(&pool, &config) == MAPE_E_UNSUPPORTED) skip();
    pool_adopt(pool);
    struct nested_item item = nested(birth, 1);
    item_fails(pool, registered(pool, run_nested), &item, sizeof item, MAPE_CAUSE_FUNCTION, MAPE_E_IN_WORKER,
               "sandbox");
    pool_close(pool);
}

static void a_setup_may_make_a_pool_for_all_items(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 2);
    struct nested_item item = nested(birth, 1);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run_in_pool, description.setup = setup_pool, description.cleanup = cleanup_pool;
    description.data = &item, description.data_size = sizeof item;
    is_ok(pool, mape_function_register(&function, pool, &description));
    mape_function_id other = registered(pool, run_square);
    uint64_t *values = numbers(200);
    for (int round = 0; round < 3; round++) {
        mape_job *job = mapped(pool, function, values, 200, sizeof *values, NULL);
        mape_job *beside = mapped(pool, other, values, 200, sizeof *values, NULL);
        wait_for(job);
        wait_for(beside);
        squares_are_right(job, values, 200);
        squares_are_right(beside, values, 200);
    }
    free(values);
    pool_close(pool);
}

/** What the function notes: the zygote and two workers of the inner pool. */
static int noted(pid_t *out) {
    struct shared *shared = shared_page();
    wait_until(atomic_load(&shared->entered) == 2);
    assert_int_equal(atomic_load(&shared->spawned), 3);
    for (int i = 0; i < 3; i++) {
        out[i] = atomic_load(&shared->grandchildren[i]);
        assert_true(out[i] > 1 && !process_gone(out[i]));
    }
    return 3;
}

static void forget_noted(void) {
    atomic_store(&shared_page()->entered, 0);
    atomic_store(&shared_page()->spawned, 0);
}

static mape_job *waiting_inside(mape_pool *pool, uint32_t inner, bool polls, const mape_job_config *config,
                                pid_t *pids) {
    struct nested_item item = nested(inner, 1);
    item.polls = polls;
    forget_noted();
    atomic_store(&shared_page()->gate, 0);
    mape_function_id function = registered_shared(pool, run_nested_waits, setup_shared, NULL);
    mape_job *job = NULL;
    is_ok(pool, mape_apply(&job, pool, function, &item, sizeof item, config));
    noted(pids);
    return job;
}

static void the_inner_pool_ends_with_its_worker(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    for (uint32_t inner = MAPE_START_EXEC; inner <= MAPE_START_FORK; inner++) {
        pid_t pids[3];
        mape_job *job = waiting_inside(pool, inner, false, NULL, pids);
        kill_process(pid_of_worker(pool, 0));
        wait_for(job);
        result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGKILL);
        wait_gone(pids, 3);
        /* Its own zygote's death is the inner pool's business: EXEC makes another, and both items run again. */
        job = waiting_inside(pool, inner, false, NULL, pids);
        kill_process(pids[0]);
        wait_gone(pids, 3);
        atomic_store(&shared_page()->gate, 1);
        wait_for(job);
        const uint64_t sum = 25;
        if (inner == MAPE_START_EXEC) result_is(job, 0, &sum, sizeof sum);
        else assert_int_equal(result_of(job, 0).state, MAPE_ITEM_FAILED);
    }
    pool_close(pool);
}

static void time_limits_and_cancels_end_it(uint32_t birth) {
    mape_pool_config pool_config = config_of(birth, 1);
    pool_config.grace_ns = MAPE_MILLISECONDS(300);
    mape_pool *pool = pool_open_with(&pool_config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_SECONDS(2);
    pid_t pids[3];
    mape_job *job = waiting_inside(pool, birth, false, &config, pids);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT, 0);
    wait_gone(pids, 3);
    /* One that waits without looking is killed after the grace. */
    job = waiting_inside(pool, birth, false, NULL, pids);
    is_ok(pool, mape_job_cancel(job));
    wait_for(job);
    assert_int_equal(result_of(job, 0).state, MAPE_ITEM_CANCELLED);
    wait_gone(pids, 3);
    pool_close(pool);
    /* One that looks ends its own pool, and its worker goes on. */
    pool_config.grace_ns = 2 * PATIENCE;
    pool = pool_open_with(&pool_config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    pid_t worker = pid_of_worker(pool, 0);
    uint64_t killed = stats_of(pool).workers_killed;
    job = waiting_inside(pool, birth, true, NULL, pids);
    is_ok(pool, mape_job_cancel(job));
    wait_for(job);
    wait_gone(pids, 3);
    assert_int_equal(stats_of(pool).workers_killed, killed);
    assert_int_equal(pid_of_worker(pool, 0), worker);
    pool_close(pool);
}

static void a_pool_that_was_left_ends_with_the_outer_one(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    struct nested_item item = nested(birth, 1);
    item.leaves = 1;
    mape_job *job = applied(pool, registered(pool, run_nested), &item, sizeof item);
    wait_for(job);
    const uint64_t sum = 385;
    result_is(job, 0, &sum, sizeof sum);
    pid_t worker = pid_of_worker(pool, 0), inner = 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)worker, (int)worker);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        /* The engine's thread of the worker has made it; its list is another thread's. */
        fclose(file);
    }
    pid_t threads[16];
    int count = thread_ids(worker, threads, 16);
    for (int i = 0; i < count && inner == 0; i++) {
        snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)worker, (int)threads[i]);
        file = fopen(path, "re");
        if (file == NULL) continue;
        if (fscanf(file, "%d", &inner) != 1) inner = 0;
        fclose(file);
    }
    assert_true(inner > 1);
    pool_close(pool);
    wait_gone(&inner, 1);
}

/** The outer host, with a nested pool, in a process of its own, which is killed. */
static void all_ends_when_the_outer_host_is_killed(uint32_t birth) {
    pid_t pids[3];
    forget_noted();
    atomic_store(&shared_page()->gate, 0);
    fflush(NULL);
    pid_t host = fork();
    if (host == 0) {
        mape_pool_config config = config_of(birth, 1);
        mape_pool *pool = NULL;
        mape_job *job = NULL;
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id function = 0;
        struct nested_item item = nested(birth, 1);
        description.run = run_nested_waits, description.setup = setup_shared;
        description.data = shared_path(), description.data_size = strlen(shared_path()) + 1;
        int status = mape_pool_create(&pool, &config);
        if (status == MAPE_OK) status = mape_function_register(&function, pool, &description);
        if (status == MAPE_OK) status = mape_apply(&job, pool, function, &item, sizeof item, NULL);
        if (status == MAPE_OK) mape_job_wait(job, MAPE_FOREVER);
        _exit(1);
    }
    noted(pids);
    kill_process(host);
    waitpid(host, NULL, 0);
    wait_gone(pids, 3);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(an_item_may_map_over_a_pool_of_its_own), BOTH(three_pools_may_be_one_inside_another_and_no_more),
        BOTH(a_worker_may_have_sixteen_pools),        BOTH(a_sandboxed_worker_makes_none),
        BOTH(a_setup_may_make_a_pool_for_all_items),  BOTH(the_inner_pool_ends_with_its_worker),
        BOTH(time_limits_and_cancels_end_it),         BOTH(a_pool_that_was_left_ends_with_the_outer_one),
        BOTH(all_ends_when_the_outer_host_is_killed),
    };
    return run_abi_tests("nested", tests, COUNT(tests));
}
