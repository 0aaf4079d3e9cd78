/* dlopen_host.c - a host that opens libmapengine.so with dlopen, uses it, and closes it, again and again. Not linked against the
 * library. Says on standard error what was left behind, and returns 0 when nothing was.
 *
 *   dlopen_host libmapengine.so libtestworkers.so rounds
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <mapengine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int entries(const char *folder) {
    int count = 0;
    DIR *directory = opendir(folder);
    while (directory != NULL && readdir(directory) != NULL) count++;
    if (directory != NULL) closedir(directory);
    return count;
}

static int fail(int round, const char *what, int status) {
    const char *why = dlerror();
    fprintf(stderr, "dlopen_host, round %d: %s (%d) %s\n", round, what, status, why != NULL ? why : "");
    return 1;
}

#define FIND(name) __typeof__(&name) p_##name = (__typeof__(&name))dlsym(library, #name)

/** Opens, uses, closes. A pool is left alive in every tenth round: the host closes the library with it. */
static int use(const char *path, const char *workers, int round) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return fail(round, "dlopen", 0);
    FIND(mape_pool_create);
    FIND(mape_register);
    FIND(mape_apply);
    FIND(mape_job_wait);
    FIND(mape_job_result);
    FIND(mape_pool_destroy);
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = 1;
    config.start = round % 2 == 0 ? MAPE_START_EXEC : MAPE_START_FORK;
    mape_pool *pool = NULL;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.library = workers;
    description.run_symbol = "run_square";
    uint64_t value = (uint64_t)round, square = value * value;
    mape_job *job = NULL;
    mape_result result = MAPE_RESULT_INIT;
    int status;
    if ((status = p_mape_pool_create(&pool, &config)) != MAPE_OK) return fail(round, "mape_pool_create", status);
    if ((status = p_mape_register(pool, &description, &function)) != MAPE_OK)
        return fail(round, "mape_register", status);
    status = p_mape_apply(pool, function, &value, sizeof value, NULL, &job);
    if (status != MAPE_OK) return fail(round, "mape_apply", status);
    if ((status = p_mape_job_wait(job, MAPE_SECONDS(40))) != MAPE_OK) return fail(round, "mape_job_wait", status);
    if ((status = p_mape_job_result(job, 0, &result)) != MAPE_OK) return fail(round, "mape_job_result", status);
    if (result.size != sizeof square || memcmp(result.data, &square, sizeof square) != 0)
        return fail(round, "wrong result", 0);
    if ((status = p_mape_pool_destroy(pool)) != MAPE_OK) return fail(round, "mape_pool_destroy", status);
    if (dlclose(library) != 0) return fail(round, "dlclose", 0);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    struct sigaction before, after;
    sigaction(SIGSEGV, NULL, &before);
    int descriptors = entries("/proc/self/fd");
    for (int round = 0; round < atoi(argv[3]); round++)
        if (use(argv[1], argv[2], round) != 0) return 1;
    sigaction(SIGSEGV, NULL, &after);
    if (before.sa_handler != after.sa_handler) return fail(0, "the handler of SIGSEGV changed", 0);
    for (int tries = 0; entries("/proc/self/task") != 3; tries++) { /* ".", "..", and the one thread. */
        if (tries == 5000) return fail(0, "threads were left", entries("/proc/self/task") - 3);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    int left = entries("/proc/self/fd") - descriptors;
    return left == 0 ? 0 : fail(0, "descriptors were left", left);
}
