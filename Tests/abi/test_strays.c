/* test_strays.c - processes that workers start and that leave their process group end with their worker all the same, and
 * not before it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>

/** Without such lists the engine cannot do it, and says so (CONFIG_PROC_CHILDREN). */
static bool kernel_lists_children(void) { return access("/proc/thread-self/children", R_OK) == 0; }

/** The next processes that run_strays_then has left behind. */
static void strays_from(struct shared *shared, uint32_t first, uint32_t count, pid_t *out) {
    wait_until(atomic_load(&shared->spawned) >= first + count);
    for (uint32_t i = 0; i < count; i++) {
        wait_until(atomic_load(&shared->grandchildren[first + i]) != 0);
        out[i] = atomic_load(&shared->grandchildren[first + i]);
    }
}

static void strays_end_with_a_worker_that_dies(uint32_t birth) {
    if (!kernel_lists_children()) return;
    const uint32_t ways[] = {WAY_KILL, WAY_SEGFAULT, WAY_EXIT_0, WAY_ABORT};
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_strays_then, setup_shared, NULL);
    for (uint32_t i = 0; i < COUNT(ways); i++) {
        struct fault_item item = {1, ways[i], 0};
        pid_t strays[3];
        mape_job *job = applied(pool, function, &item, sizeof item);
        wait_for(job);
        assert_int_equal(result_of(job, 0).state, MAPE_ITEM_CRASHED);
        strays_from(shared, i * 3, 3, strays);
        wait_gone(strays, 3); /* With the pool and its zygote alive. */
    }
    assert_int_equal(stats_of(pool).zygotes_started, 1);
    pool_close(pool);
}

static void strays_of_a_living_worker_are_left_alone(uint32_t birth) {
    if (!kernel_lists_children()) return;
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_strays_then, setup_shared, NULL);
    struct fault_item item = {1, WAY_WELL, 0};
    pid_t strays[3];
    wait_for(applied(pool, function, &item, sizeof item));
    strays_from(shared, 0, 3, strays);
    pid_t owner = atomic_load(&shared->astray[0]);
    uint32_t other = pid_of_worker(pool, 0) == owner ? 1 : 0;
    for (uint64_t round = 1; round <= 5; round++) {
        kill_process(pid_of_worker(pool, other));
        wait_until(stats_of(pool).workers_died == round && stats_of(pool).workers_ready == 2);
        for (int i = 0; i < 3; i++) assert_false(process_gone(strays[i]));
    }
    kill_process(owner);
    wait_gone(strays, 3);
    pool_close(pool);
}

static void strays_end_with_a_pool_that_is_destroyed(uint32_t birth) {
    if (!kernel_lists_children()) return;
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered_shared(pool, run_strays_then, setup_shared, NULL);
    struct fault_item items[4] = {{1, WAY_WELL, 0}, {2, WAY_WELL, 0}, {3, WAY_WELL, 0}, {4, WAY_WELL, 0}};
    pid_t strays[12];
    wait_for(mapped(pool, function, items, 4, sizeof items[0], NULL));
    strays_from(shared, 0, 12, strays);
    for (int i = 0; i < 12; i++) assert_false(process_gone(strays[i]));
    pool_close(pool);
    wait_gone(strays, 12);
}

static void strays_end_with_a_worker_that_is_recycled(uint32_t birth) {
    if (!kernel_lists_children()) return;
    struct shared *shared = shared_page();
    mape_pool_config config = config_of(birth, 1);
    config.items_per_worker = 1;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered_shared(pool, run_strays_then, setup_shared, NULL);
    struct fault_item items[3] = {{1, WAY_WELL, 0}, {2, WAY_WELL, 0}, {3, WAY_WELL, 0}};
    pid_t strays[9];
    wait_for(mapped(pool, function, items, 3, sizeof items[0], NULL));
    strays_from(shared, 0, 9, strays);
    wait_gone(strays, 9);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

/* ---- the host dies ---- */

enum host_state { PLAIN, ZYGOTE_STOPPED, ZYGOTE_HANGS };

/** A host of its own: has strays made, prints the ids of all processes, and waits to be killed. */
static int be_host(uint32_t birth, enum host_state state, const char *page_path) {
    const char *const hang[] = {"ABI_TEST_LOAD=hang", NULL};
    mape_pool_config config = config_of(birth, 2);
    mape_pool *pool = NULL;
    if (state == ZYGOTE_HANGS) config.env_set = hang;
    if (mape_pool_create(&pool, &config) != MAPE_OK || mape_pool_start(pool, PATIENCE) != MAPE_OK) return 1;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run_strays_then;
    description.setup = setup_shared;
    description.data = page_path;
    description.data_size = strlen(page_path) + 1;
    if (mape_function_register(&function, pool, &description) != MAPE_OK) return 1;
    if (state != ZYGOTE_HANGS) {
        struct fault_item item = {1, WAY_WELL, 0};
        mape_job *job = NULL;
        if (mape_apply(&job, pool, function, &item, sizeof item, NULL) != MAPE_OK) return 1;
        if (mape_job_wait(job, PATIENCE) != MAPE_OK) return 1;
    } else {
        usleep(300 * 1000); /* So that the zygote is likely in the constructor; if not, less is tested. */
    }
    if (state == ZYGOTE_STOPPED) kill(stats_of(pool).zygote_pid, SIGSTOP);
    pid_t pids[3];
    int count = pool_pids(pool, pids, 3);
    for (int i = 0; i < count; i++) printf("%d\n", (int)pids[i]);
    printf("0\n");
    fflush(stdout);
    for (;;) pause();
}

static void nothing_outlives_a_killed_host(uint32_t birth, enum host_state state) {
    if (!kernel_lists_children()) return;
    struct shared *shared = shared_page();
    int ends[2];
    char birth_text[8], state_text[8];
    snprintf(birth_text, sizeof birth_text, "%u", birth);
    snprintf(state_text, sizeof state_text, "%d", (int)state);
    assert_int_equal(pipe(ends), 0);
    pid_t host = fork();
    if (host == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]), close(ends[1]);
        execl("/proc/self/exe", "test_strays", "--host", birth_text, state_text, shared_path(), (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *report = fdopen(ends[0], "r");
    pid_t pids[6];
    int count = 0, pid = -1;
    stage("reading the pids of a host");
    while (count < 3 && fscanf(report, "%d", &pid) == 1 && pid != 0) pids[count++] = pid;
    assert_int_equal(count, 3);
    if (state != ZYGOTE_HANGS) {
        strays_from(shared, 0, 3, pids + 3);
        for (int i = 3; i < 6; i++) assert_false(process_gone(pids[i]));
        count = 6;
    }
    kill(host, SIGKILL);
    waitpid(host, NULL, 0);
    wait_gone(pids, count);
    fclose(report);
}

static void strays_end_with_a_host_that_is_killed(uint32_t birth) { nothing_outlives_a_killed_host(birth, PLAIN); }

static void a_stopped_zygote_ends_all_when_the_host_is_killed(uint32_t birth) {
    nothing_outlives_a_killed_host(birth, ZYGOTE_STOPPED);
}

static void a_zygote_that_hangs_in_a_library_ends_when_the_host_is_killed(uint32_t birth) {
    nothing_outlives_a_killed_host(birth, ZYGOTE_HANGS);
}

static void a_zygote_that_is_continued_goes_on(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    pid_t zygote = stats_of(pool).zygote_pid;
    kill(zygote, SIGSTOP);
    kill(zygote, SIGCONT);
    kill(zygote, SIGCONT);
    kill_process(pid_of_worker(pool, 0)); /* It still replaces workers. */
    wait_until(stats_of(pool).workers_died == 1 && stats_of(pool).workers_ready == 2);
    assert_int_equal(stats_of(pool).zygote_pid, zygote);
    pool_close(pool);
}

/** The child of a zygote that is none of its workers. */
static pid_t own_child_of(mape_pool *pool) {
    char path[64];
    int zygote = stats_of(pool).zygote_pid, found = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", zygote, zygote);
    FILE *file = fopen(path, "re");
    for (int pid; file != NULL && fscanf(file, "%d", &pid) == 1;)
        if (pid != worker_of(pool, 0).pid && pid != worker_of(pool, 1).pid) found = pid;
    if (file != NULL) fclose(file);
    return found;
}

static void children_of_a_zygote_of_the_hosts_own_are_left_alone(uint32_t birth) {
    if (!kernel_lists_children()) return;
    const char *const arguments[] = {"own-zygote", "--with-child", NULL};
    mape_pool_config config = config_of(birth, 2);
    config.zygote_path = OWN_ZYGOTE;
    config.zygote_argv = arguments;
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    pid_t child = own_child_of(pool);
    assert_int_not_equal(child, 0);
    for (uint64_t round = 1; round <= 3; round++) {
        kill_process(pid_of_worker(pool, 0));
        wait_until(stats_of(pool).workers_died == round && stats_of(pool).workers_ready == 2);
    }
    assert_false(process_gone(child));
    pool_close(pool);
    wait_gone(&child, 1); /* As it asked for. */
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--host") == 0)
        return be_host((uint32_t)atoi(argv[2]), (enum host_state)atoi(argv[3]), argv[4]);
    const struct abi_test tests[] = {
        BOTH(strays_end_with_a_worker_that_dies),
        BOTH(strays_of_a_living_worker_are_left_alone),
        BOTH(strays_end_with_a_pool_that_is_destroyed),
        BOTH(strays_end_with_a_worker_that_is_recycled),
        BOTH(strays_end_with_a_host_that_is_killed),
        BOTH(a_stopped_zygote_ends_all_when_the_host_is_killed),
        EXEC_ONLY(a_zygote_that_hangs_in_a_library_ends_when_the_host_is_killed),
        BOTH(a_zygote_that_is_continued_goes_on),
        EXEC_ONLY(children_of_a_zygote_of_the_hosts_own_are_left_alone),
    };
    return run_abi_tests("strays", tests, COUNT(tests));
}
