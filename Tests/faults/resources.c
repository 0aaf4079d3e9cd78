/* resources.c - forks that fail, memory and descriptors that run out. Cases 25 to 30.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* ---- cases 25 and 26: forks fail ---- */

/** The zygote's forks follow the plan of fault_fork.c: an EXEC zygote is a program that has it, a FORK zygote is this one. */
static void with_fork_plan(mape_pool_config *config, const struct row *row) {
    static const char *settings[2];
    settings[0] = forks_fail(0, 0);
    config->env_set = settings;
    config->zygote_path = row->birth == MAPE_START_EXEC ? FAULT_ZYGOTE : NULL;
}

static void with_fork_plan_and_brake(mape_pool_config *config, const struct row *row) {
    with_fork_plan(config, row);
    config->restarts = 2;
}

/** One fork fails, and is tried again. */
static void nth_fork_once(const struct row *row) {
    mape_pool *pool = row_pool_unstarted();
    forks_fail(row->workers, row->workers);
    is_ok(pool, mape_pool_start(pool, 2 * PATIENCE));
    assert_int_equal(forks_tried(), row->workers + 1);
    assert_int_equal(stats_of(pool).workers_ready, row->workers);
    struct work work = work_begun(pool, planned(pool, NULL), well_items(300), 300, NULL);
    work_wait(&work);
    work_check(&work, KILLED, 1);
    work_end(&work);
    pool_close(pool);
    row_pool_gone();
    forks_end();
}

/** All forks but the first fail: that worker does all the work. */
static void all_but_the_first(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool_unstarted();
    forks_fail(2, UINT32_MAX);
    struct work work = work_begun(pool, planned(pool, NULL), well_items(300), 300, NULL);
    work_wait(&work);
    work_check(&work, KILLED, 1);
    work_end(&work);
    assert_int_equal(stats_of(pool).workers_ready, 1);
    forks_fail(0, 0); /* Now they go well again, and the rest is started. */
    wait_until(stats_of(pool).workers_ready == stats_of(pool).workers);
    pool_close(pool);
    row_pool_gone();
    forks_end();
}

static const struct ending no_pool = {MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, MAPE_E_WORKERS};

static void no_fork_at_all(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool_unstarted();
    forks_fail(1, UINT32_MAX);
    struct fault_item *items = well_items(100);
    for (uint64_t i = 0; i < 100; i++) items[i].way = WAY_FAIL;
    mape_function_id function = planned(pool, NULL);
    mape_items all = items_at(items, 100, sizeof *items);
    mape_job *job = NULL;
    int status = mape_map(&job, pool, function, &all, NULL);
    if (status == MAPE_OK) { /* Else the pool had failed before it could take the job. */
        wait_for(job);
        for (uint64_t i = 0; i < 100; i++) result_ended(job, i, no_pool.state, no_pool.cause, no_pool.code);
    } else is_status(pool, MAPE_E_WORKERS, status);
    is_status(pool, MAPE_E_WORKERS, mape_pool_start(pool, PATIENCE));
    if (strstr(message_of(pool), "fork") == NULL) fail_msg("unclear message: %s", message_of(pool));
    is_ok(pool,
          mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, PATIENCE)); /* There is nobody to be waited for or killed. */
    free(items);
    pool_close(pool);
    row_pool_gone();
    forks_end();
}

/** All workers die, and no replacement can be forked: items they ran are to blame, all others are abandoned. */
static void no_replacement(const struct row *row) {
    struct shared *shared = shared_page();
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    struct fault_item *items = well_items(100);
    for (uint64_t i = 0; i < 100; i++) items[i].way = FAULT_GATE;
    struct work work = work_begun(pool, planned(pool, NULL), items, 100, &config);
    wait_until(atomic_load(&shared->entered) == row->workers);
    forks_fail(1, UINT32_MAX);
    for (uint32_t i = 0; i < row->workers; i++) kill_process(pid_of_worker(pool, i));
    work_wait(&work);
    uint64_t crashed = 0;
    for (uint64_t i = 0; i < 100; i++) {
        bool ran = runner_of(i) != 0;
        struct ending ending = ran ? KILLED : no_pool;
        result_ended(work.job, i, ending.state, ending.cause, ending.code);
        crashed += ran;
    }
    assert_int_equal(crashed, row->workers);
    mape_job *job = NULL;
    is_status(pool, MAPE_E_WORKERS, mape_apply(&job, pool, 1, "12345678", 8, NULL));
    work_end(&work);
    if (row->in_callback) return;
    pool_close(pool);
    row_pool_gone();
    forks_end();
}

/** The same by the kernel: a user who may have so many processes and threads. */
static void process_limit(const struct row *row) {
    const rlim_t limit = row->fault->value;
    struct rlimit before, now;
    const uid_t nobody_else = 61000 + (uid_t)(getpid() % 4000);
    if (geteuid() != 0) row_skip("only root can become a user that has no other process");
    if (setgroups(0, NULL) != 0 || setresgid(nobody_else, nobody_else, nobody_else) != 0 ||
        setresuid(nobody_else, nobody_else, nobody_else) != 0)
        row_skip("cannot become another user: %s", strerror(errno));
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* For /proc/PID/fd, which a change of user closes. */
    if (access(FAULT_ZYGOTE, X_OK) != 0) row_skip("other users cannot read the folder of the build");
    mape_pool_config config = config_of(row->birth, row->workers);
    config.restarts = 2;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_square);
    getrlimit(RLIMIT_NPROC, &before);
    now = before, now.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_NPROC, &now), 0);
    uint64_t *values = numbers(500);
    mape_items items = items_at(values, 500, sizeof *values);
    mape_job *job = NULL;
    int status = mape_map(&job, pool, function, &items, NULL);
    int waited = status == MAPE_OK ? mape_job_wait(job, PATIENCE) : MAPE_OK;
    setrlimit(RLIMIT_NPROC, &before);
    is_ok(pool, waited);
    /* This program has two threads (the test and its watchdog); the pool needs its own thread, the zygote, and a worker. */
    if (limit < 4) is_status(pool, MAPE_E_SYSTEM, status);
    else if (limit > 4 || status != MAPE_E_WORKERS)
        is_ok(pool, status); /* It may have failed before it took the job. */
    if (status == MAPE_OK && limit == 4) {
        for (uint64_t i = 0; i < 500; i++) result_ended(job, i, no_pool.state, no_pool.cause, no_pool.code);
    } else if (status == MAPE_OK) {
        squares_are_right(job, values, 500);
        assert_true(stats_of(pool).workers_ready == 1);
    } else if (message_of(pool)[0] == '\0') fail_msg("no message");
    free(values);
    pool_close(pool);
}

/* ---- case 27 ---- */

static void small_output(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->output_reserve = 8u << 20;
}

static void results_do_not_fit(const struct row *row) {
    mape_pool *pool = row_pool();
    const uint64_t count = 16 * row->workers, before = stats_of(pool).output_bytes;
    for (int round = 0; round < 2; round++) { /* Twice: released results make room again. */
        struct fault_item *items = well_items(count);
        for (uint64_t i = 0; i < count; i++) items[i].way = FAULT_BIG_OUTPUT;
        struct work work = work_begun(pool, planned(pool, NULL), items, count, NULL);
        work_wait(&work);
        uint64_t lost = work_check_some(&work, (struct ending){MAPE_ITEM_FAILED, MAPE_CAUSE_MEMORY, MAPE_E_MEMORY});
        assert_true(lost >= count - 8 * row->workers && lost < count);
        work_end(&work);
        wait_until(stats_of(pool).output_bytes <= before);
    }
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_works(pool);
}

/** Hosts that may not have much address space, or large files (which memfds count as): a smaller pool, or a status. */
static void limited_host(const struct row *row) {
    const int limits[] = {RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_DATA};
    const int which = limits[row->fault->value];
    struct rlimit before, now;
    getrlimit((__rlimit_resource_t)which, &before);
    char outcomes[200] = "";
    for (rlim_t size = 1u << 20; size <= (rlim_t)4 << 30; size *= 8) {
        long pages = 0;
        sscanf(proc_text(getpid(), "statm"), "%ld", &pages);
        now = before;
        now.rlim_cur = size + (which == RLIMIT_FSIZE ? 0 : (rlim_t)pages * 4096);
        mape_pool_config config = config_of(row->birth, row->workers);
        mape_pool *pool = NULL;
        mape_job *job = NULL;
        uint64_t value = 12, square = 144;
        mape_result result = MAPE_RESULT_INIT;
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id function = 0;
        description.run = run_square;
        stage("limit %d at %llu MiB", which, (unsigned long long)size >> 20);
        setrlimit((__rlimit_resource_t)which, &now);
        int status = mape_pool_create(&pool, &config);
        if (status == MAPE_OK) status = mape_function_register(&function, pool, &description);
        if (status == MAPE_OK) status = mape_apply(&job, pool, function, &value, sizeof value, NULL);
        if (status == MAPE_OK) status = mape_job_wait(job, PATIENCE);
        if (status == MAPE_OK) status = mape_job_result(&result, job, 0);
        setrlimit((__rlimit_resource_t)which, &before);
        if (status == MAPE_OK && result.state == MAPE_ITEM_OK) assert_memory_equal(result.data, &square, 8);
        else if (status == MAPE_OK)
            assert_true(result.state == MAPE_ITEM_ABANDONED || result.state == MAPE_ITEM_FAILED);
        else assert_true(status == MAPE_E_MEMORY || status == MAPE_E_SYSTEM || status == MAPE_E_WORKERS);
        snprintf(outcomes + strlen(outcomes), sizeof outcomes - strlen(outcomes), " %d", status);
        if (pool != NULL) is_ok(NULL, mape_pool_release(pool));
    }
    row_note("statuses%s", outcomes);
}

/* ---- cases 28 and 29 ---- */

static void limited_memory(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->memory_limit = 192u << 20;
}

static void above_its_limit(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    struct fault_item *items = well_items(60);
    items[9].way = items[33].way = FAULT_HUNGRY;
    struct work work = work_begun(pool, planned(pool, NULL), items, 60, NULL);
    work_wait(&work);
    work_check(&work, ending_of(FAULT_HUNGRY), 1);
    work_end(&work);
    /* One that looks at what malloc says goes on. */
    uint64_t size = (uint64_t)1 << 30;
    mape_job *job = applied(pool, registered(pool, run_allocate), &size, sizeof size);
    wait_for(job);
    assert_int_not_equal(result_of(job, 0).state, MAPE_ITEM_CRASHED);
    pool_works(pool);
}

#define LEAK_ITEMS 80
#define LEAK_LIMIT 4

static void recycled_by_items(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->items_per_worker = LEAK_LIMIT;
}

static void recycled_by_growth(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->memory_growth = (uint64_t)LEAK_LIMIT << 20;
}

static void leaking(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function_id function = planned_run(pool, run_leaks);
    uint64_t *values = numbers(LEAK_ITEMS), least = UINT64_MAX, most = 0;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    mape_job *job = mapped(pool, function, values, LEAK_ITEMS, sizeof *values, &config);
    wait_for(job);
    for (uint64_t i = 0; i < LEAK_ITEMS; i++) {
        mape_result result = result_of(job, i);
        assert_int_equal(result.state, MAPE_ITEM_OK);
        uint64_t kilobytes = *(const uint64_t *)result.data;
        if (kilobytes < least) least = kilobytes;
        if (kilobytes > most) most = kilobytes;
    }
    /* Each item leaks 1 MiB: a worker that lived on would have grown by far more. */
    row_note("workers grew by %llu KiB at most", (unsigned long long)(most - least));
    assert_int_equal(atomic_load(&shared_page()->entered), LEAK_ITEMS);
    /* A worker looks at its growth ten times a second at most; with many workers none may come to it. */
    if (row->fault->value == 0) {
        if (row->workers <= 2) assert_true(most - least < (uint64_t)LEAK_ITEMS / row->workers * 1024 / 2);
        assert_true(stats_of(pool).workers_started >= LEAK_ITEMS / (2 * LEAK_LIMIT));
    }
    assert_int_equal(stats_of(pool).workers_died, 0);
    free(values);
}

/* ---- case 30 ---- */

/** A pool's whole life under ever higher limits, so that each call that makes a descriptor fails once. */
static void descriptors_for_a_life(const struct row *row) {
    struct rlimit before, now;
    getrlimit(RLIMIT_NOFILE, &before);
    const int lowest = snapshot_taken().descriptors;
    int failed = 0, went_well = 0;
    for (int more = 0; more < 40; more++) {
        mape_pool_config config = config_of(row->birth, row->workers);
        config.output = more % 2 == 0 ? MAPE_OUTPUT_INHERIT : MAPE_OUTPUT_CAPTURE;
        config.restarts = 2;
        mape_pool *pool = NULL;
        mape_job *job = NULL;
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id function = 0;
        mape_result result = MAPE_RESULT_INIT;
        uint64_t value = 12, square = 144;
        int fd = -1;
        description.run = run_square;
        stage("%d descriptors", more);
        now = before, now.rlim_cur = (rlim_t)(lowest + more);
        setrlimit(RLIMIT_NOFILE, &now);
        int status = mape_pool_create(&pool, &config);
        if (status == MAPE_OK) status = mape_function_register(&function, pool, &description);
        if (status == MAPE_OK) status = mape_apply(&job, pool, function, &value, sizeof value, NULL);
        if (status == MAPE_OK) status = mape_job_wait(job, PATIENCE);
        if (status == MAPE_OK) status = mape_job_result(&result, job, 0);
        if (status == MAPE_OK) status = mape_pool_event_fd(&fd, pool);
        setrlimit(RLIMIT_NOFILE, &before);
        if (status == MAPE_OK && result.state == MAPE_ITEM_OK) {
            assert_memory_equal(result.data, &square, sizeof square);
            went_well++;
        } else {
            failed++;
            if (result.state > MAPE_ITEM_OK && result.state != MAPE_ITEM_ABANDONED)
                assert_int_equal(result.state, MAPE_ITEM_FAILED);
            if (status != MAPE_OK && status != MAPE_E_SYSTEM && status != MAPE_E_MEMORY && status != MAPE_E_WORKERS)
                fail_msg("%d descriptors: status %d, %s", more, status, message_of(pool));
        }
        if (pool != NULL) is_ok(NULL, mape_pool_release(pool));
    }
    row_note("%d lives ended with a status, %d went well", failed, went_well);
    assert_true(failed > 0 && went_well > 0);
}

/** All descriptors are taken while workers die: replacements come when there are some again. */
static void descriptors_for_replacements(const struct row *row) {
    struct shared *shared = shared_page();
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    config.attempts = 2;
    struct fault_item *items = well_items(60);
    for (uint64_t i = 0; i < 60; i++) items[i].way = FAULT_GATE;
    struct work work = work_begun(pool, planned(pool, NULL), items, 60, &config);
    wait_until(atomic_load(&shared->entered) == row->workers);
    pid_t pids[16];
    for (uint32_t i = 0; i < row->workers; i++) pids[i] = pid_of_worker(pool, i);
    struct rlimit before, now;
    getrlimit(RLIMIT_NOFILE, &before);
    now = before, now.rlim_cur = 3; /* Open ones stay; no new one can be had. */
    stage("no descriptors left");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    for (uint32_t i = 0; i < row->workers; i++) kill(pids[i], SIGKILL);
    mape_stats stats = MAPE_STATS_INIT;
    for (int64_t begun = now_ns(); stats.workers_died < row->workers && now_ns() - begun < PATIENCE; short_nap())
        mape_pool_stats(&stats, pool);
    for (int i = 0; i < 200; i++) short_nap();
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(stats.workers_died, row->workers);
    atomic_store(&shared->gate, 1);
    work_wait(&work);
    work_check(&work, KILLED, 0);
    work_end(&work);
    pool_works(pool);
}

static void many_restarts(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->restarts = 1000;
}

static const struct fault resources[] = {
    {25, "once, for the last worker", nth_fork_once, BIRTHS, W_ALL, 0, 0, with_fork_plan, 0},
    {25, "for all but the first", all_but_the_first, BIRTHS, W_MANY, 0, 0, with_fork_plan, 0},
    {25, "by the user's limit: no thread", process_limit, BIRTHS, W2, 0, 2, NULL, 0},
    {25, "by the user's limit: no zygote", process_limit, BIRTHS, W2, 0, 3, NULL, 0},
    {25, "by the user's limit: one worker", process_limit, BIRTHS, W2 | W5, 0, 5, NULL, 0},
    {26, "from the start", no_fork_at_all, BIRTHS, W_ALL, 0, 0, with_fork_plan_and_brake, 0},
    {26, "after all workers died", no_replacement, BIRTHS, W_ALL, 0, 0, with_fork_plan_and_brake, 0},
    {26, "by the user's limit", process_limit, BIRTHS, W2, 0, 4, NULL, 0},
    {27, "a small output memory", results_do_not_fit, BIRTHS, W_ALL, CALLBACK, 0, small_output, 0},
    {27, "a host with little address space", limited_host, BIRTHS, W2, 0, 0, NULL, 0},
    {27, "a host with a limit of file size", limited_host, BIRTHS, W2, 0, 1, NULL, 0},
    {27, "a host with a limit of data", limited_host, BIRTHS, W2, 0, 2, NULL, 0},
    {28, "in an item", above_its_limit, BIRTHS, W_ALL, CALLBACK, 0, limited_memory, 0},
    {29, "after its items", leaking, BIRTHS, W_ALL, CALLBACK, 0, recycled_by_items, 0},
    {29, "when it has grown", leaking, BIRTHS, W_ALL, CALLBACK, 1, recycled_by_growth, 0},
    {30, "through a pool's life", descriptors_for_a_life, BIRTHS, W2 | W5, 0, 0, NULL, 120},
    {30, "when workers die", descriptors_for_replacements, BIRTHS, W_ALL, CALLBACK, 0, many_restarts, 0},
};
TABLE(resources);
