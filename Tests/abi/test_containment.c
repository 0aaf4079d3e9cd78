/* test_containment.c - limits of workers: core files, the kernel's choice when memory runs out, growth; and of the host's own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct limits limits_of(const mape_pool_config *config) {
    struct limits limits;
    mape_pool *pool = pool_open_with(config);
    mape_job *job = applied(pool, registered(pool, run_look_at_limits), NULL, 0);
    wait_for(job);
    assert_int_equal(result_of(job, 0).size, sizeof limits);
    memcpy(&limits, result_of(job, 0).data, sizeof limits);
    pool_close(pool);
    return limits;
}

static void workers_leave_no_core_file_unless_they_are_to(uint32_t birth) {
    struct rlimit before, own, after;
    getrlimit(RLIMIT_CORE, &before);
    own = before;
    own.rlim_cur = own.rlim_max; /* A host that wants core files of itself. */
    setrlimit(RLIMIT_CORE, &own);
    mape_pool_config config = config_of(birth, 1);
    struct limits limits = limits_of(&config);
    assert_true(limits.core_soft <= 1); /* Smaller than any core file. */
    assert_true(limits.core_hard == own.rlim_max);
    assert_int_equal(limits.dumpable, 1); /* Debuggers may look. */
    config.core_dumps = 1;
    limits = limits_of(&config);
    assert_true(limits.core_soft == own.rlim_cur);
    getrlimit(RLIMIT_CORE, &after);
    assert_true(after.rlim_cur == own.rlim_cur && after.rlim_max == own.rlim_max);
    setrlimit(RLIMIT_CORE, &before);
}

static int own_oom_score_adj(void) {
    int value = -9999;
    FILE *file = fopen("/proc/self/oom_score_adj", "re");
    if (file != NULL && fscanf(file, "%d", &value) != 1) value = -9999;
    if (file != NULL) fclose(file);
    return value;
}

static void the_kernel_ends_workers_before_the_host(uint32_t birth) {
    const struct { int32_t asked, more; } rows[] = {{0, 500}, {200, 200}, {1000, 1000}, {-1, 0}, {INT32_MIN, 0}};
    int own = own_oom_score_adj();
    for (size_t i = 0; i < COUNT(rows); i++) {
        mape_pool_config config = config_of(birth, 1);
        config.oom_score_adj = rows[i].asked;
        int expected = own + rows[i].more > 1000 ? 1000 : own + rows[i].more;
        assert_int_equal(limits_of(&config).oom_score_adj, expected);
    }
    assert_int_equal(own_oom_score_adj(), own);
}

static void a_pool_without_a_sandbox_has_none(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    struct limits limits = limits_of(&config);
    assert_int_equal(limits.seccomp, prctl(PR_GET_SECCOMP));
    assert_int_equal(limits.no_new_privs, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

/* ---- growth ---- */

static mape_job *leaking(mape_pool *pool, mape_function_id function, uint64_t *bytes, uint64_t count, uint64_t each) {
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    for (uint64_t i = 0; i < count; i++) bytes[i] = each;
    return mapped(pool, function, bytes, count, sizeof *bytes, &config);
}

static void a_worker_that_grows_is_replaced_and_no_item_is_lost(uint32_t birth) {
    uint64_t bytes[100];
    mape_pool_config config = config_of(birth, 2);
    config.memory_growth = (uint64_t)32 << 20;
    mape_pool *pool = pool_open_with(&config);
    /* An item takes 10 ms at least, so there is time for some looks whatever the machine. */
    mape_job *job = leaking(pool, registered(pool, run_leak), bytes, COUNT(bytes), (uint64_t)8 << 20);
    wait_for(job);
    assert_int_equal(progress_of(job).ok, COUNT(bytes));
    int32_t seen[COUNT(bytes)];
    int processes = 0;
    for (uint64_t i = 0; i < COUNT(bytes); i++) {
        mape_result result = result_of(job, i);
        assert_int_equal(result.attempts, 1);
        int32_t pid = *(const int32_t *)result.data;
        int k = 0;
        while (k < processes && seen[k] != pid) k++;
        if (k == processes) seen[processes++] = pid;
    }
    if (processes <= 2) fail_msg("%d processes did it all", processes);
    wait_until(stats_of(pool).workers_ready == 2);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void one_that_does_not_grow_stays(uint32_t birth) {
    uint64_t bytes[60], kept = (uint64_t)128 << 20;
    mape_pool_config config = config_of(birth, 1);
    config.memory_growth = (uint64_t)64 << 20;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_leak);
    wait_for(leaking(pool, function, bytes, 1, 0));
    /* What a setup takes is no growth, also when the worker has begun to work before it. */
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id late = 0;
    description.run = run_leak;
    description.setup = setup_takes_memory;
    description.data = &kept;
    description.data_size = sizeof kept;
    is_ok(pool, mape_function_register(&late, pool, &description));
    mape_job *job = leaking(pool, late, bytes, COUNT(bytes), 0);
    wait_for(job);
    assert_int_equal(progress_of(job).ok, COUNT(bytes));
    assert_int_equal(stats_of(pool).workers_started, 1);
    pool_close(pool);
}

static void results_are_no_growth(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.memory_growth = (uint64_t)64 << 20;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id make = registered(pool, run_make_bytes), leak = registered(pool, run_leak);
    uint64_t size = (uint64_t)256 << 20, bytes[30];
    mape_job *large = applied(pool, make, &size, sizeof size);
    wait_for(large);
    assert_int_equal(result_of(large, 0).size, size);
    wait_for(leaking(pool, leak, bytes, COUNT(bytes), 0));
    assert_int_equal(stats_of(pool).workers_started, 1);
    pool_close(pool);
}

/* ---- a pool that closes ---- */

static void workers_are_replaced_while_a_shutdown_lets_jobs_finish(uint32_t birth) {
    for (int by_growth = 0; by_growth < 2; by_growth++) {
        uint64_t bytes[100];
        mape_pool_config config = config_of(birth, 1);
        if (by_growth) config.memory_growth = (uint64_t)16 << 20;
        else config.items_per_worker = 10;
        mape_pool *pool = pool_open_with(&config);
        mape_job *job = leaking(pool, registered(pool, run_leak), bytes, COUNT(bytes), (uint64_t)4 << 20);
        is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
        assert_int_equal(progress_of(job).ok, COUNT(bytes));
        assert_true(stats_of(pool).workers_started > 1);
        pool_close(pool);
    }
}

/* ---- limits of the host ---- */

static int be_host_with_small_files(uint32_t birth) {
    const rlim_t sizes[] = {0, 1, 4096, 1 << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct rlimit limit = {sizes[i], RLIM_INFINITY};
        setrlimit(RLIMIT_FSIZE, &limit);
        mape_pool_config config = config_of(birth, 2);
        mape_pool *pool = (mape_pool *)8;
        if (mape_pool_create(&pool, &config) != MAPE_E_MEMORY || pool != NULL) return 10;
        if (strstr(message_of(NULL), "RLIMIT_FSIZE") == NULL) return 11;
    }
    struct rlimit enough = {64 << 20, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &enough);
    mape_pool_config config = config_of(birth, 2);
    mape_pool *pool = NULL;
    if (mape_pool_create(&pool, &config) != MAPE_OK || mape_pool_start(pool, PATIENCE) != MAPE_OK) return 12;
    /* More than there is room for is a status, in the host and in a worker. */
    mape_buffer *buffer = (mape_buffer *)8;
    if (mape_buffer_create(&buffer, pool, (size_t)1 << 30) != MAPE_E_MEMORY || buffer != NULL) return 13;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    uint64_t size = (uint64_t)1 << 30;
    mape_job *job = NULL;
    mape_result result = MAPE_RESULT_INIT;
    description.run = run_make_bytes;
    if (mape_function_register(&function, pool, &description) != MAPE_OK ||
        mape_apply(&job, pool, function, &size, sizeof size, NULL) != MAPE_OK ||
        mape_job_wait(job, PATIENCE) != MAPE_OK || mape_job_result(&result, job, 0) != MAPE_OK)
        return 14;
    if (result.state != MAPE_ITEM_FAILED || result.cause != MAPE_CAUSE_MEMORY) return 15;
    return mape_pool_release(pool) == MAPE_OK ? 0 : 16;
}

static void a_host_that_may_write_no_large_files_gets_a_status_and_no_signal(uint32_t birth) {
    char text[8];
    snprintf(text, sizeof text, "%u", birth);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_containment", "--small-files", text, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    stage("waiting for a host with small files");
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("it ended with wait status %#x", status);
}

/* ---- the structure ---- */

static void settings_of_another_size_are_refused(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    mape_pool *pool = NULL;
    for (size_t size = 0; size < 2 * sizeof config; size++) {
        if (size == sizeof config) continue;
        config.struct_size = size;
        is_status(NULL, MAPE_E_SIZE, mape_pool_create(&pool, &config));
    }
}

static void wrong_settings_are_refused_by_name(uint32_t birth) {
    mape_pool *pool = NULL;
    mape_pool_config config = config_of(birth, 1);
    config.core_dumps = 2;
    is_status(NULL, MAPE_E_ARGUMENT, mape_pool_create(&pool, &config));
    assert_non_null(strstr(message_of(NULL), "config.core_dumps"));
    config = config_of(birth, 1);
    config.oom_score_adj = 1001;
    is_status(NULL, MAPE_E_ARGUMENT, mape_pool_create(&pool, &config));
    assert_non_null(strstr(message_of(NULL), "config.oom_score_adj"));
    config = config_of(birth, 1);
    config.sandbox = 2;
    is_status(NULL, MAPE_E_ARGUMENT, mape_pool_create(&pool, &config));
    assert_non_null(strstr(message_of(NULL), "config.sandbox"));
    config = config_of(birth, 1);
    config.interruptible = 2;
    is_status(NULL, MAPE_E_ARGUMENT, mape_pool_create(&pool, &config));
    assert_non_null(strstr(message_of(NULL), "config.interruptible"));
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--small-files") == 0) return be_host_with_small_files((uint32_t)atoi(argv[2]));
    const struct abi_test tests[] = {
        BOTH(workers_leave_no_core_file_unless_they_are_to),
        BOTH(the_kernel_ends_workers_before_the_host),
        BOTH(a_pool_without_a_sandbox_has_none),
        BOTH(a_worker_that_grows_is_replaced_and_no_item_is_lost),
        BOTH(one_that_does_not_grow_stays),
        BOTH(results_are_no_growth),
        BOTH(workers_are_replaced_while_a_shutdown_lets_jobs_finish),
        BOTH(a_host_that_may_write_no_large_files_gets_a_status_and_no_signal),
        ONCE(settings_of_another_size_are_refused),
        ONCE(wrong_settings_are_refused_by_name),
    };
    return run_abi_tests("containment", tests, COUNT(tests));
}
