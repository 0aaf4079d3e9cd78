/* test_forked.c - children that a host forks: they may make pools of their own, and have nothing of their parent's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <dirent.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/** In a child: a pool of its own is made, maps, and ends. Returns 0, or the step that did not go well. */
static int pool_in_child(uint32_t birth) {
    uint64_t values[100];
    for (uint64_t i = 0; i < 100; i++) values[i] = i + 3;
    mape_pool_config config = config_of(birth, 2);
    mape_pool *pool = NULL;
    mape_job *job = NULL;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run_square;
    mape_items items = items_at(values, 100, sizeof *values);
    if (mape_pool_create(&pool, &config) != MAPE_OK) return 1;
    if (mape_function_register(&function, pool, &description) != MAPE_OK) return 2;
    if (mape_pool_start(pool, PATIENCE) != MAPE_OK) return 3;
    if (mape_map(&job, pool, function, &items, NULL) != MAPE_OK) return 4;
    if (mape_job_wait(job, PATIENCE) != MAPE_OK) return 5;
    for (uint64_t i = 0; i < 100; i++) {
        mape_result result = MAPE_RESULT_INIT;
        uint64_t square = 0;
        if (mape_job_result(&result, job, i) != MAPE_OK || result.size != sizeof square) return 6;
        memcpy(&square, result.data, sizeof square);
        if (square != values[i] * values[i]) return 7;
    }
    if (mape_pool_release(pool) != MAPE_OK) return 8;
    return 0;
}

static void ends_well(pid_t child) {
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0) fail_msg("a child ended with status %x", (unsigned)status);
}

static int refused(mape_pool *pool) {
    mape_stats stats = MAPE_STATS_INIT;
    return mape_pool_stats(&stats, pool) == MAPE_E_FORKED;
}

static void a_child_makes_pools_of_its_own(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    for (uint32_t own = MAPE_START_EXEC; own <= MAPE_START_FORK; own++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            if (!refused(pool)) _exit(20);
            int bad = pool_in_child(own);
            if (bad != 0) _exit(bad);
            /* Its own handles look much like its parent's, which stay refused. */
            mape_pool *another = NULL;
            if (mape_pool_create(&another, NULL) != MAPE_OK || another == pool) _exit(21);
            if (!refused(pool) || mape_pool_release(pool) != MAPE_E_FORKED) _exit(22);
            /* A child of the child as well. */
            pid_t grandchild = fork();
            if (grandchild == 0) _exit(!refused(pool) || !refused(another) || pool_in_child(own) != 0);
            int status = -1;
            waitpid(grandchild, &status, 0);
            if (status != 0 || mape_pool_release(another) != MAPE_OK) _exit(23);
            _exit(pool_in_child(own));
        }
        ends_well(child);
    }
    uint64_t value = 12, square = 144;
    mape_job *job = applied(pool, function, &value, sizeof value);
    wait_for(job);
    result_is(job, 0, &square, sizeof square);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

/* ---- forks while other threads are inside the library ---- */

static _Atomic int stop;

static void *keeps_busy(void *context) {
    while (!atomic_load(&stop)) {
        mape_pool_config config = config_of(*(uint32_t *)context, 1);
        mape_pool *pool = NULL;
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id function = 0;
        description.run = run_square;
        if (mape_pool_create(&pool, &config) != MAPE_OK) continue;
        if (mape_function_register(&function, pool, &description) == MAPE_OK) {
            for (uint64_t i = 0; i < 200 && !atomic_load(&stop); i++) {
                mape_job *job = NULL;
                if (mape_apply(&job, pool, function, &i, sizeof i, NULL) == MAPE_OK) mape_job_wait(job, PATIENCE);
                mape_job_release(job);
            }
        }
        mape_pool_release(pool);
    }
    return NULL;
}

static void whatever_other_threads_are_doing(uint32_t birth) {
    enum { threads = 3, children = 60 };
    pthread_t ids[threads];
    uint32_t kind = birth;
    atomic_store(&stop, 0);
    for (int i = 0; i < threads; i++) assert_int_equal(pthread_create(&ids[i], NULL, keeps_busy, &kind), 0);
    for (int i = 0; i < children; i++) {
        stage("child %d", i);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            alarm(PATIENCE_SECONDS * 2);
            _exit(pool_in_child(birth));
        }
        ends_well(child);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
}

/** Looks for functions in the loader's list of files, again and again. */
static void *keeps_looking(void *context) {
    while (!atomic_load(&stop)) {
        mape_pool_config config = config_of(*(uint32_t *)context, 1);
        mape_pool *pool = NULL;
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id function = 0;
        description.run = run_square;
        if (mape_pool_create(&pool, &config) != MAPE_OK) continue;
        for (int i = 0; i < 200 && !atomic_load(&stop); i++) mape_function_register(&function, pool, &description);
        mape_pool_release(pool);
    }
    return NULL;
}

static int each_file(struct dl_phdr_info *info, size_t size, void *context) {
    (void)info, (void)size, (void)context;
    return 0;
}

/** The list has a lock that fork(2) of glibc does not make free in the child. */
static void while_other_threads_look_for_functions(uint32_t birth) {
    enum { threads = 2, children = 400 };
    pthread_t ids[threads];
    atomic_store(&stop, 0);
    mape_pool *pool = pool_open(birth, 1);
    for (int i = 0; i < threads; i++) assert_int_equal(pthread_create(&ids[i], NULL, keeps_looking, &birth), 0);
    for (int i = 0; i < children; i++) {
        stage("child %d", i);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            alarm(PATIENCE_SECONDS);
            _exit(dl_iterate_phdr(each_file, NULL));
        }
        ends_well(child);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    pool_close(pool);
}

/* ---- what a child has of its parent's ---- */

static int count_files(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL) count++;
    if (folder != NULL) closedir(folder);
    return count;
}

static int count_memories(void) {
    char line[512];
    int count = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) count += strstr(line, "mapengine-") != NULL;
    if (file != NULL) fclose(file);
    return count;
}

static void a_child_has_no_descriptor_and_no_memory_of_it(uint32_t birth) {
    int before = count_files();
    mape_pool_config config = config_of(birth, 3);
    config.output = MAPE_OUTPUT_CAPTURE;
    mape_pool *pool = pool_open_with(&config);
    int event = -1;
    is_ok(pool, mape_pool_event_fd(&event, pool));
    before++; /* This one is in the host's hands. */
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_true(count_files() > before);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(count_memories() != 0 ? 1 : count_files() != before ? 2 + count_files() - before : 0);
    ends_well(child);
    /* As often as one likes, and with many pools. */
    mape_pool *more[20];
    for (int i = 0; i < 20; i++) is_ok(NULL, mape_pool_create(&more[i], NULL));
    child = fork();
    if (child == 0) _exit(count_memories() != 0 || count_files() != before);
    ends_well(child);
    for (int i = 0; i < 20; i++) is_ok(NULL, mape_pool_release(more[i]));
    /* A number that was ours, and is somebody else's by now, is left alone. */
    pool_close(pool);
    int files[40];
    for (int i = 0; i < 40; i++) files[i] = dup(1);
    child = fork();
    if (child == 0) {
        int bad = 0;
        for (int i = 0; i < 40; i++) bad |= write(files[i], "", 0) != 0;
        _exit(bad);
    }
    ends_well(child);
    for (int i = 0; i < 40; i++) close(files[i]);
}

/** The host is killed, and its forked child lives on: the pool's processes end all the same. */
static void a_child_that_lives_on_keeps_no_worker_alive(uint32_t birth) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t host = fork();
    if (host == 0) {
        pid_t pids[8] = {0};
        mape_pool_config config = config_of(birth, 2);
        mape_pool *pool = NULL;
        if (mape_pool_create(&pool, &config) != MAPE_OK || mape_pool_start(pool, PATIENCE) != MAPE_OK) _exit(1);
        pool_pids(pool, pids, 3);
        pids[3] = fork();
        if (pids[3] == 0) {
            close(ends[1]);
            for (;;) pause();
        }
        ssize_t written = write(ends[1], pids, sizeof pids);
        (void)written;
        for (;;) pause();
    }
    pid_t pids[8] = {0};
    assert_int_equal(read(ends[0], pids, sizeof pids), sizeof pids);
    close(ends[0]);
    close(ends[1]);
    kill_process(host);
    waitpid(host, NULL, 0);
    wait_gone(pids, 3);
    assert_false(process_gone(pids[3]));
    kill_process(pids[3]);
    wait_gone(&pids[3], 1);
}

/* ---- forks of other kinds ---- */

static void a_child_of_vfork_is_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    pid_t child = vfork();
    if (child == 0) {
        mape_pool *own = NULL;
        _exit(mape_pool_create(&own, NULL) == MAPE_E_FORKED ? 0 : 1);
    }
    ends_well(child);
    pool_close(pool);
}

static void a_child_that_libc_does_not_know_of_is_refused_as_well(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    long child = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    if (child == 0) {
        mape_pool *own = NULL;
        int bad = !refused(pool);
        if (mape_pool_create(&own, NULL) != MAPE_OK || !refused(pool) || mape_pool_release(own) != MAPE_OK) bad = 2;
        _exit(bad);
    }
    ends_well((pid_t)child);
    pool_close(pool);
}

/* ---- callbacks and proxies ---- */

static pid_t forked_in_callback;

static void fork_in_callback(void *context, const mape_event *event) {
    if (event->index != 3 || forked_in_callback != 0) return;
    fflush(NULL);
    forked_in_callback = fork();
    *(int *)context += forked_in_callback == 0;
}

static void a_callback_may_fork(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    uint64_t *values = numbers(20);
    int in_child = 0;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS;
    config.on_item = fork_in_callback;
    config.context = &in_child;
    forked_in_callback = 0;
    mape_job *job = mapped(pool, registered(pool, run_square), values, 20, sizeof *values, &config);
    wait_for(job);
    int status = mape_pool_dispatch(pool, 0, 0);
    if (in_child) _exit(status == MAPE_E_FORKED && refused(pool) ? pool_in_child(birth) : 40);
    assert_true(status >= 20);
    ends_well(forked_in_callback);
    free(values);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(a_child_makes_pools_of_its_own),
        PATIENT(whatever_other_threads_are_doing, IN_EXEC | IN_FORK, 240),
        BOTH(while_other_threads_look_for_functions),
        BOTH(a_child_has_no_descriptor_and_no_memory_of_it),
        BOTH(a_child_that_lives_on_keeps_no_worker_alive),
        BOTH(a_child_of_vfork_is_refused),
        BOTH(a_child_that_libc_does_not_know_of_is_refused_as_well),
        BOTH(a_callback_may_fork),
    };
    return run_abi_tests("forked", tests, COUNT(tests));
}
