/* host_surroundings.c - hosts that lack descriptors, and hosts that change folder, user or environment while pools live.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static mape_function_id registered(const struct engine *engine, mape_pool *pool, const char *symbol) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    description.library = workers_path;
    description.run_symbol = symbol;
    OK(engine, pool, engine->mape_function_register(&id, pool, &description));
    return id;
}

/* ---- descriptors ---- */

/** The library's descriptors must not become somebody's standard input, output or error: not the host's, not the workers'. */
void host_has_no_standard_files(struct engine *engine, uint32_t birth) {
    int keep = fcntl(2, F_DUPFD_CLOEXEC, 100);
    host_opens(engine);
    for (int mask = 1; mask < 8; mask++) { /* Each of the three open or closed. */
        stage("descriptors closed: mask %d", mask);
        for (int fd = 0; fd < 3; fd++) {
            if (mask & 1 << fd) close(fd);
            else if (fcntl(fd, F_GETFD) < 0) dup2(keep, fd);
        }
        struct functions functions;
        mape_pool *pool = engine_pool(engine, birth, 2, &functions);
        mape_function_id print = registered(engine, pool, "run_print");
        OK(engine, pool, engine->mape_pool_start(pool, PATIENCE));
        for (int fd = 0; fd < 3; fd++) {
            if ((mask & 1 << fd) == 0 || fcntl(fd, F_GETFD) < 0) continue;
            dup2(keep, 2);
            fail("descriptor %d, which the host had closed, is the library's", fd);
        }
        /* Workers that print must hit nothing of the pool. */
        for (int i = 0; i < 3; i++) {
            mape_job *job = NULL;
            OK(engine, pool, engine->mape_apply(&job, pool, print, "a line of a worker\n", 19, NULL));
            OK(engine, pool, engine->mape_job_wait(job, PATIENCE));
            mape_result result = MAPE_RESULT_INIT;
            OK(engine, pool, engine->mape_job_result(&result, job, 0));
            if (result.state != MAPE_ITEM_OK) fail("run_print: state %u, %s", result.state, result.message);
        }
        engine_maps(engine, pool, &functions, 1000);
        engine_crashes(engine, pool, &functions);
        OK(engine, NULL, engine->mape_pool_release(pool));
    }
    dup2(keep, 2);
}

static int descriptors_open(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/** With one descriptor more each time: what cannot be done answers a status, what was begun is given back. */
void host_has_few_descriptors(struct engine *engine, uint32_t birth) {
    host_opens(engine);
    int before = descriptors_open(), worked = 0;
    for (int more = 0; more < 24; more++) {
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        rlim_t was = limit.rlim_cur;
        limit.rlim_cur = (rlim_t)(before + more);
        setrlimit(RLIMIT_NOFILE, &limit);
        stage("%d descriptors more", more);
        mape_pool_config config = MAPE_POOL_CONFIG_INIT;
        mape_pool *pool = NULL;
        config.start = birth;
        config.workers = 2;
        config.output = more % 2 ? MAPE_OUTPUT_CAPTURE : MAPE_OUTPUT_INHERIT;
        int status = engine->mape_pool_create(&pool, &config);
        if (status == MAPE_OK) {
            struct functions functions = {registered(engine, pool, "run_square"),
                                          registered(engine, pool, "run_fault")};
            /* A worker that cannot be started is tried again, with the other at work: then the start is never over. */
            status = engine->mape_pool_start(pool, MAPE_SECONDS(3));
            if (status == MAPE_OK || (status == MAPE_E_TIMEOUT && engine_stats(engine, pool).workers_ready > 0)) {
                int fd = -1;
                engine_maps(engine, pool, &functions, 100);
                int told = engine->mape_pool_event_fd(&fd, pool);
                if (told != MAPE_OK && told != MAPE_E_SYSTEM) OK(engine, pool, told);
                worked++;
            } else if (status != MAPE_E_SYSTEM && status != MAPE_E_WORKERS && status != MAPE_E_TIMEOUT) {
                OK(engine, pool, status);
            }
            OK(engine, NULL, engine->mape_pool_release(pool));
        } else if (status != MAPE_E_SYSTEM) {
            OK(engine, NULL, status);
        }
        limit.rlim_cur = was;
        setrlimit(RLIMIT_NOFILE, &limit);
        wait_until(descriptors_open() == before);
    }
    if (worked < 3 || worked == 24) fail("%d of 24 limits let a pool work: the limits were not met", worked);
    engine_life(engine, birth);
}

/* ---- changes ---- */

void host_changes_between(struct engine *engine, uint32_t birth) {
    host_opens(engine);
    struct functions functions;
    mape_pool *pool = engine_pool(engine, birth, 2, &functions);
    char folder[] = "/tmp/mapengine-test-XXXXXX", now[100] = "";
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) fail("mkdtemp");
    umask(0777); /* Nobody may read or write what is made from now on. */
    setlocale(LC_ALL, "C.UTF-8");
    fesetround(FE_DOWNWARD);
    rmdir(folder); /* The folder is no more. */
    OK(engine, pool, engine->mape_pool_start(pool, PATIENCE));
    engine_maps(engine, pool, &functions, 1000);
    engine_crashes(engine, pool, &functions);
    OK(engine, NULL, engine->mape_pool_release(pool));
    if (umask(0) != 0777 || fegetround() != FE_DOWNWARD) fail("umask or rounding has changed");
    if (getcwd(now, sizeof now) != NULL) fail("the folder has changed to %s", now);
    if (strcmp(setlocale(LC_ALL, NULL), "C.UTF-8") != 0) fail("the locale has changed");
}

/** Becoming another user makes the process undumpable, so that much of /proc is closed to it. */
void host_drops_privileges(struct engine *engine, uint32_t birth) {
    if (geteuid() != 0) return; /* Then there are none to drop. */
    host_opens(engine);
    struct functions functions;
    mape_pool *pool = engine_pool(engine, birth, 2, &functions);
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) fail("setresuid");
    if (access(library_path, R_OK) != 0 || access(workers_path, R_OK) != 0) {
        OK(engine, NULL, engine->mape_pool_release(pool));
        return; /* The build folder is closed to others: nothing can be tried here. */
    }
    OK(engine, pool, engine->mape_pool_start(pool, PATIENCE));
    engine_maps(engine, pool, &functions, 1000);
    engine_crashes(engine, pool, &functions);
    OK(engine, NULL, engine->mape_pool_release(pool));
    engine_life(engine, birth);
}

static atomic_int stop;

/** Grows and shrinks the environment, so that its array moves. */
static void *change_environment(void *context) {
    for (unsigned i = 0; atomic_load(&stop) == 0; i++) {
        char name[32], value[64];
        snprintf(name, sizeof name, "MAPENGINE_TEST_%u", i % 300);
        snprintf(value, sizeof value, "%u................................", i);
        if (i / 300 % 2 == 0) setenv(name, value, 1);
        else unsetenv(name);
    }
    return context;
}

static void environment_is(const struct engine *engine, mape_pool *pool, mape_function_id function,
                           const char *expected) {
    mape_job *job = NULL;
    const char name[] = "MAPENGINE_HOST";
    OK(engine, pool, engine->mape_apply(&job, pool, function, name, strlen(name), NULL));
    OK(engine, pool, engine->mape_job_wait(job, PATIENCE));
    mape_result result = MAPE_RESULT_INIT;
    OK(engine, pool, engine->mape_job_result(&result, job, 0));
    if (result.state != MAPE_ITEM_OK || result.size != strlen(expected) ||
        memcmp(result.data, expected, result.size) != 0)
        fail("a worker has the environment \"%.*s\", not \"%s\"; state %u, %s", (int)result.size,
             (const char *)result.data, expected, result.state, result.message);
    OK(engine, pool, engine->mape_job_release(job));
}

/** The environment is read once, in the start: setenv is not safe beside a reader, so nobody may read it later. */
void host_changes_its_environment(struct engine *engine, uint32_t birth) {
    setenv("MAPENGINE_HOST", "at the start", 1);
    host_opens(engine);
    struct functions functions;
    mape_pool *pool = engine_pool(engine, birth, 2, &functions);
    mape_function_id tell = registered(engine, pool, "run_environment");
    OK(engine, pool, engine->mape_pool_start(pool, PATIENCE));
    environment_is(engine, pool, tell, "at the start");
    setenv("MAPENGINE_HOST", "later", 1);
    pthread_t changer;
    pthread_create(&changer, NULL, change_environment, NULL);
    for (uint64_t i = 1; i <= 30; i++) {
        if (birth == MAPE_START_EXEC) {
            kill(engine_stats(engine, pool).zygote_pid, SIGKILL);
            wait_until(engine_stats(engine, pool).zygotes_started == i + 1);
        } else {
            mape_worker_info worker = MAPE_WORKER_INFO_INIT;
            OK(engine, pool, engine->mape_pool_worker(&worker, pool, 0));
            if (worker.pid > 1) kill(worker.pid, SIGKILL);
            wait_until(engine_stats(engine, pool).workers_ready == 2);
        }
        environment_is(engine, pool, tell, "at the start");
    }
    atomic_store(&stop, 1);
    pthread_join(changer, NULL);
    OK(engine, NULL, engine->mape_pool_release(pool));
}

/* ---- busy threads ---- */

static void *hammer(void *context) {
    int which = *(int *)context;
    while (atomic_load(&stop) == 0) {
        if (which == 0) {
            void *blocks[50];
            for (int i = 0; i < 50; i++) blocks[i] = malloc((size_t)1 << (i % 18));
            for (int i = 0; i < 50; i++) free(blocks[i]);
        }
        if (which == 1) {
            FILE *file = fopen("/dev/null", "we");
            if (file != NULL) fprintf(file, "%d %s\n", which, "text"), fclose(file);
            fflush(stdout);
        }
        if (which == 2) {
            void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
            if (library != NULL) dlsym(library, "cbrt"), dlclose(library);
        }
        if (which == 3) setlocale(LC_NUMERIC, setlocale(LC_NUMERIC, NULL)[0] == 'C' ? "C.UTF-8" : "C");
    }
    return NULL;
}

/** With FORK these threads' locks are in the snapshot, as they were at that moment. */
void host_is_busy_at_the_start(struct engine *engine, uint32_t birth) {
    host_opens(engine);
    if (dlopen(workers_path, RTLD_NOW | RTLD_LOCAL) == NULL) fail("dlopen: %s", dlerror());
    int kinds[4] = {0, 1, 2, 3};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, hammer, &kinds[i]);
    for (int round = 0; round < 20; round++) {
        stage("busy start %d", round);
        mape_pool_config config = MAPE_POOL_CONFIG_INIT;
        mape_pool *pool = NULL;
        config.start = birth;
        config.workers = 2;
        OK(engine, NULL, engine->mape_pool_create(&pool, &config));
        struct functions functions;
        mape_function description = MAPE_FUNCTION_INIT;
        /* By pointer: in a snapshot nothing has to be loaded then (see "Known limits"). */
        void *library = dlopen(workers_path, RTLD_NOW | RTLD_LOCAL);
        description.run = (mape_run_fn)dlsym(library, "run_square");
        OK(engine, pool, engine->mape_function_register(&functions.square, pool, &description));
        description.run = (mape_run_fn)dlsym(library, "run_fault");
        OK(engine, pool, engine->mape_function_register(&functions.fault, pool, &description));
        OK(engine, pool, engine->mape_pool_start(pool, PATIENCE));
        engine_maps(engine, pool, &functions, 500);
        engine_crashes(engine, pool, &functions);
        OK(engine, NULL, engine->mape_pool_release(pool));
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}
