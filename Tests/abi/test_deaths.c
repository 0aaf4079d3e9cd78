/* test_deaths.c - processes killed from outside: workers, the zygote, the host, and what grandchildren leave behind.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

struct killer {
    mape_pool *pool;
    uint32_t workers;
    _Atomic int stop;
    int kills;
};

/** Kills a worker every few milliseconds. A pid is read and used at once; the pool replaces workers, not the test. */
static void *kill_workers(void *context) {
    struct killer *self = context;
    uint32_t seed = 12345;
    while (atomic_load(&self->stop) == 0 && self->kills < 40) {
        mape_worker_info_t worker = MAPE_WORKER_INFO_INIT;
        seed = seed * 1664525u + 1013904223u;
        if (mape_worker_info(self->pool, (seed >> 16) % self->workers, &worker) == MAPE_OK && worker.pid > 0)
            self->kills += kill(worker.pid, SIGKILL) == 0;
        usleep(1000 + (seed >> 20) % 8000);
    }
    return NULL;
}

static void workers_killed_at_any_moment_cost_no_item_that_has_attempts_left(uint32_t birth) {
    enum { ITEMS = 200000 };
    mape_pool_config pool_config = config_of(birth, 3);
    pool_config.restarts = 1000;
    mape_pool *pool = pool_open_with(&pool_config);
    mape_function_id function = registered(pool, run_square);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    uint64_t *values = numbers(ITEMS);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 3;
    struct killer killer = {.pool = pool, .workers = 3};
    pthread_t thread;
    pthread_create(&thread, NULL, kill_workers, &killer);
    uint64_t wrong = 0, lost = 0;
    int status = MAPE_OK;
    for (int round = 0; round < 5 && status == MAPE_OK; round++) {
        mape_items items = items_at(values, ITEMS, sizeof *values);
        mape_job *job = NULL;
        status = mape_map(pool, function, &items, &config, &job);
        if (status == MAPE_OK) status = mape_job_wait(job, PATIENCE);
        for (uint64_t i = 0; i < ITEMS && status == MAPE_OK; i++) {
            mape_result result = MAPE_RESULT_INIT;
            status = mape_job_result(job, i, &result);
            /* Only one that was killed in each of three attempts may be lost. */
            if (result.state != MAPE_ITEM_OK)
                lost += result.state == MAPE_ITEM_CRASHED && result.attempts == 3 ? 1 : 1000000;
            else wrong += *(const uint64_t *)result.data != values[i] * values[i];
        }
        mape_job_release(job);
    }
    atomic_store(&killer.stop, 1);
    pthread_join(thread, NULL);
    is_ok(pool, status);
    assert_int_equal(wrong, 0);
    assert_true(lost <= (uint64_t)killer.kills / 3);
    assert_true(stats_of(pool).workers_died >= 1);
    free(values);
    pool_close(pool);
}

static void a_kill_from_outside_blames_exactly_the_item_that_ran(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered_shared(pool, run_gated, setup_shared, NULL);
    uint64_t *values = numbers(300);
    mape_job *job = mapped(pool, function, values, 300, sizeof *values, NULL);
    wait_until(atomic_load(&shared->entered) == 1);
    kill_process(pid_of_worker(pool, 0));
    wait_until(stats_of(pool).workers_died == 1);
    atomic_store(&shared->gate, 1);
    wait_for(job);
    for (uint64_t i = 0; i < 300; i++) {
        if (values[i] == shared->order[0]) result_ended(job, i, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGKILL);
        else result_is(job, i, &(uint64_t){values[i] * values[i]}, sizeof *values);
    }
    assert_int_equal(stats_of(pool).workers_killed, 0); /* Not by the pool. */
    free(values);
    pool_close(pool);
}

static void idle_workers_that_are_killed_are_replaced_and_no_item_is_blamed(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(2000);
    for (uint64_t round = 1; round <= 3; round++) {
        for (uint32_t i = 0; i < 2; i++) kill_process(pid_of_worker(pool, i));
        mape_job *job = mapped(pool, function, values, 2000, sizeof *values, NULL);
        wait_for(job);
        for (uint64_t i = 0; i < 2000; i++) { /* Work may have begun before the signal was heard of. */
            mape_result result = result_of(job, i);
            if (result.state != MAPE_ITEM_OK) result_ended(job, i, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGKILL);
        }
        assert_true(progress_of(job).ok >= 1998);
        wait_until(stats_of(pool).workers_died == 2 * round && stats_of(pool).workers_ready == 2);
        job = mapped(pool, function, values, 2000, sizeof *values, NULL);
        wait_for(job);
        squares_are_right(job, values, 2000);
    }
    assert_int_equal(worker_of(pool, 0).starts, 4);
    free(values);
    pool_close(pool);
}

static void in_exec_a_killed_zygote_is_replaced_and_every_item_completes(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(200000);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 5;
    for (uint64_t round = 1; round <= 3; round++) {
        pid_t zygote = stats_of(pool).zygote_pid;
        assert_true(zygote > 0);
        mape_job *job = mapped(pool, function, values, 200000, sizeof *values, &config);
        kill_process(zygote);
        wait_for(job);
        squares_are_right(job, values, 200000);
        is_ok(pool, mape_job_release(job));
        struct fault_item item = {1, WAY_KILL, 0}; /* Now the pool needs a zygote for the replacement. */
        job = applied(pool, registered(pool, run_fault), &item, sizeof item);
        wait_for(job);
        wait_until(stats_of(pool).workers_ready == 2 && stats_of(pool).zygotes_started == round + 1);
        assert_int_not_equal(stats_of(pool).zygote_pid, zygote);
        assert_true(process_gone(zygote));
    }
    free(values);
    pool_close(pool);
}

static void in_fork_a_killed_zygote_fails_the_pool_clearly_and_every_item_ends(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_gated, setup_shared, NULL);
    uint64_t *values = numbers(1000);
    mape_job *job = mapped(pool, function, values, 1000, sizeof *values, NULL);
    wait_until(atomic_load(&shared->entered) >= 1);
    pid_t pids[3];
    int count = pool_pids(pool, pids, 3);
    kill_process(stats_of(pool).zygote_pid);
    atomic_store(&shared->gate, 1);
    wait_for(job);
    mape_progress progress = progress_of(job);
    assert_int_equal(progress.ok + progress.crashed + progress.abandoned, 1000);
    for (uint64_t i = 0; i < 1000; i++) {
        mape_result result = result_of(job, i);
        if (result.state == MAPE_ITEM_OK) result_is(job, i, &(uint64_t){values[i] * values[i]}, sizeof *values);
        if (result.state == MAPE_ITEM_ABANDONED)
            result_ended(job, i, MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, MAPE_E_WORKERS);
    }
    wait_until(stats_of(pool).is_closed == 1);
    mape_job *after = NULL;
    is_status(pool, MAPE_E_WORKERS, mape_apply(pool, function, values, 8, NULL, &after));
    assert_string_not_equal(message_of(pool), "");
    wait_gone(pids, count);
    free(values);
    pool_close(pool);
}

static void a_grandchild_does_not_hide_its_workers_death_and_goes_with_it(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_spawns_then, setup_shared, NULL);
    struct fault_item items[4] = {{1, WAY_WELL, 0}, {2, WAY_KILL, 0}, {3, WAY_EXIT_0, 0}, {4, WAY_SEGFAULT, 0}};
    mape_job *job = mapped(pool, function, items, 4, sizeof items[0], NULL);
    wait_for(job);
    result_is(job, 0, &(uint64_t){1}, sizeof(uint64_t));
    result_ended(job, 1, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGKILL);
    result_ended(job, 2, MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 0);
    result_ended(job, 3, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    assert_int_equal(atomic_load(&shared->spawned), 4);
    pid_t grandchildren[4];
    for (int i = 0; i < 4; i++) grandchildren[i] = atomic_load(&shared->grandchildren[i]);
    pool_close(pool);
    wait_gone(grandchildren, 4);
}

static void workers_killed_while_the_pool_shuts_down_do_not_hold_it_up(uint32_t birth) {
    for (int round = 0; round < 5; round++) {
        mape_pool *pool = pool_started(birth, 3);
        uint64_t *values = numbers(50000);
        mape_job *job = mapped(pool, registered(pool, run_square), values, 50000, sizeof *values, NULL);
        for (uint32_t i = 0; i < 3; i++) kill_process(pid_of_worker(pool, i));
        int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE);
        assert_true(status == MAPE_OK || status == MAPE_E_TIMEOUT);
        mape_progress progress = progress_of(job);
        assert_int_equal(progress.is_done, 1);
        assert_int_equal(progress.ok + progress.crashed, 50000);
        assert_true(progress.crashed <= 3);
        free(values);
        pool_close(pool);
    }
}

/* ---- the host dies ---- */

enum host_stage { HOST_IDLE, HOST_STARTING, HOST_BUSY, HOST_LOOPING, HOST_SHUTTING_DOWN, HOST_STAGES };

/** A host of its own: makes a pool, prints the pids of its processes, and waits to be killed. */
static int be_host(uint32_t birth, int host_stage) {
    mape_pool_config config = config_of(birth, 3);
    mape_pool *pool = NULL;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run_fault;
    if (mape_pool_create(&pool, &config) != MAPE_OK || mape_register(pool, &description, &function) != MAPE_OK)
        return 1;
    if (mape_pool_start(pool, host_stage == HOST_STARTING ? 0 : PATIENCE) != MAPE_OK && host_stage != HOST_STARTING)
        return 1;
    static struct fault_item items[100000];
    for (uint64_t i = 0; i < COUNT(items); i++)
        items[i] = (struct fault_item){i, host_stage >= HOST_LOOPING ? WAY_LOOP_DEAF : WAY_WELL, 0};
    mape_items all = items_at(items, COUNT(items), sizeof items[0]);
    if (host_stage >= HOST_BUSY && mape_map(pool, function, &all, NULL, NULL) != MAPE_OK) return 1;
    if (host_stage >= HOST_LOOPING) {
        mape_worker_info_t worker = MAPE_WORKER_INFO_INIT;
        while (mape_worker_info(pool, 0, &worker) == MAPE_OK && worker.state != MAPE_WORKER_BUSY) short_nap();
    }
    pid_t pids[4];
    int count = pool_pids(pool, pids, 4);
    for (int i = 0; i < count; i++) printf("%d\n", (int)pids[i]);
    printf("0\n");
    fflush(stdout);
    if (host_stage == HOST_SHUTTING_DOWN) mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, MAPE_FOREVER);
    for (;;) {
        if (host_stage == HOST_BUSY) mape_map(pool, function, &all, NULL, NULL);
        mape_dispatch(pool, 0, 0);
        usleep(20000);
    }
}

static void nothing_survives_a_host_that_is_killed_at_any_stage(uint32_t birth) {
    for (int host_stage = 0; host_stage < HOST_STAGES; host_stage++) {
        int ends[2];
        char birth_text[8], stage_text[8];
        snprintf(birth_text, sizeof birth_text, "%u", birth);
        snprintf(stage_text, sizeof stage_text, "%d", host_stage);
        assert_int_equal(pipe(ends), 0);
        pid_t host = fork();
        if (host == 0) {
            dup2(ends[1], STDOUT_FILENO);
            close(ends[0]);
            close(ends[1]);
            execl("/proc/self/exe", "test_deaths", "--host", birth_text, stage_text, (char *)NULL);
            _exit(127);
        }
        close(ends[1]);
        FILE *report = fdopen(ends[0], "r");
        pid_t pids[16];
        int count = 0, pid = -1;
        stage("reading the pids of host %d", host_stage);
        while (count < 16 && fscanf(report, "%d", &pid) == 1 && pid != 0) pids[count++] = pid;
        kill(host, SIGKILL);
        int status = 0;
        waitpid(host, &status, 0);
        assert_int_equal(pid, 0); /* The host came as far as it should. */
        if (host_stage != HOST_STARTING) assert_int_equal(count, 4);
        wait_gone(pids, count);
        /* End of file: also the ones whose pid nobody knew have let go of the standard output they inherited. */
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        bool ended = false;
        for (int64_t begun = now_ns(); !ended && now_ns() - begun < PATIENCE; short_nap()) {
            char rest[256];
            ended = read(ends[0], rest, sizeof rest) == 0;
        }
        fclose(report);
        if (!ended) fail_msg("a process outlives the host that was killed at stage %d", host_stage);
    }
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--host") == 0) return be_host((uint32_t)atoi(argv[2]), atoi(argv[3]));
    const struct abi_test tests[] = {
        BOTH(workers_killed_at_any_moment_cost_no_item_that_has_attempts_left),
        BOTH(a_kill_from_outside_blames_exactly_the_item_that_ran),
        BOTH(idle_workers_that_are_killed_are_replaced_and_no_item_is_blamed),
        EXEC_ONLY(in_exec_a_killed_zygote_is_replaced_and_every_item_completes),
        FORK_ONLY(in_fork_a_killed_zygote_fails_the_pool_clearly_and_every_item_ends),
        BOTH(a_grandchild_does_not_hide_its_workers_death_and_goes_with_it),
        BOTH(workers_killed_while_the_pool_shuts_down_do_not_hold_it_up),
        BOTH(nothing_survives_a_host_that_is_killed_at_any_stage),
    };
    return run_abi_tests("deaths", tests, COUNT(tests));
}
