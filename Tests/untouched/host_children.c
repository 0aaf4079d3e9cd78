/* host_children.c - hosts that reap, ignore, fork and run programs, whatever the library's helper does meanwhile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host.h"
#include "../abi/workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static atomic_int stop;

/** A pool whose zygote is killed as well, where another can take its place. */
static void life_with_dead_zygotes(const struct engine *engine, uint32_t birth) {
    engine_life(engine, birth);
    if (birth == MAPE_START_FORK) return;
    struct functions functions;
    mape_pool *pool = engine_pool(engine, birth, 2, &functions);
    OK(engine, pool, engine->mape_pool_start(pool, PATIENCE));
    for (uint64_t i = 1; i <= 3; i++) {
        kill(engine_stats(engine, pool).zygote_pid, SIGKILL);
        wait_until(engine_stats(engine, pool).zygotes_started == i + 1);
        engine_maps(engine, pool, &functions, 1000);
    }
    OK(engine, NULL, engine->mape_pool_release(pool));
}

/* ---- SIGCHLD ---- */

static atomic_int own_children_ended, chained;

static void previous_handler(int number) { chained += number == SIGCHLD; }

/** Counts, and passes the signal on, as hosts with plugins do. */
static void handler(int number) {
    int saved = errno;
    previous_handler(number);
    errno = saved;
}

static void *reap(void *unused) {
    while (atomic_load(&stop) == 0) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 44) own_children_ended++;
        if (pid <= 0) nap();
    }
    return unused;
}

void host_reaps(struct engine *engine, uint32_t birth) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, now;
    sigaction(SIGCHLD, &action, NULL);
    host_opens(engine);
    pthread_t reaper;
    pthread_create(&reaper, NULL, reap, NULL);
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0) _exit(44);
        life_with_dead_zygotes(engine, birth);
    }
    wait_until(own_children_ended == 5);
    atomic_store(&stop, 1);
    pthread_join(reaper, NULL);
    sigaction(SIGCHLD, NULL, &now);
    if (now.sa_handler != handler) fail("the host's handler is gone");
    if (chained == 0) fail("the host's handler was never called");
}

void host_ignores_sigchld(struct engine *engine, uint32_t birth) {
    signal(SIGCHLD, SIG_IGN);
    host_opens(engine);
    for (int i = 0; i < 3; i++) life_with_dead_zygotes(engine, birth);
    if (signal(SIGCHLD, SIG_IGN) != SIG_IGN) fail("SIGCHLD is no longer ignored");
}

void host_wants_no_zombies(struct engine *engine, uint32_t birth) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_NOCLDWAIT | SA_NOCLDSTOP}, now;
    sigaction(SIGCHLD, &action, NULL);
    host_opens(engine);
    for (int i = 0; i < 3; i++) life_with_dead_zygotes(engine, birth);
    sigaction(SIGCHLD, NULL, &now);
    if ((now.sa_flags & SA_NOCLDWAIT) == 0) fail("SA_NOCLDWAIT is gone");
}

/** Much is written to zygotes that have just died: MSG_NOSIGNAL or the end. */
void host_dies_of_sigpipe(struct engine *engine, uint32_t birth) {
    signal(SIGPIPE, SIG_DFL);
    host_opens(engine);
    for (int round = 0; round < 10; round++) {
        struct functions functions;
        mape_pool *pool = engine_pool(engine, birth, 2, &functions);
        OK(engine, pool, engine->mape_pool_start(pool, PATIENCE));
        kill(engine_stats(engine, pool).zygote_pid, SIGKILL);
        for (int i = 0; i < 20; i++) { /* Each is a message to the zygote. */
            mape_function description = MAPE_FUNCTION_INIT;
            mape_function_id id = 0;
            description.library = workers_path;
            description.run_symbol = "run_square";
            int status = engine->mape_function_register(&id, pool, &description);
            if (status != MAPE_OK && birth == MAPE_START_EXEC) OK(engine, pool, status);
        }
        if (birth == MAPE_START_EXEC) engine_maps(engine, pool, &functions, 100);
        OK(engine, NULL, engine->mape_pool_release(pool));
    }
}

void host_blocks_all_signals(struct engine *engine, uint32_t birth) {
    sigset_t all, now;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    host_opens(engine);
    struct functions functions;
    mape_pool *pool = engine_pool(engine, birth, 1, &functions);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id describe = 0;
    description.library = workers_path;
    description.run_symbol = "run_describe";
    OK(engine, pool, engine->mape_function_register(&describe, pool, &description));
    mape_job *job = NULL;
    OK(engine, pool, engine->mape_apply(&job, pool, describe, NULL, 0, NULL));
    OK(engine, pool, engine->mape_job_wait(job, PATIENCE));
    mape_result result = MAPE_RESULT_INIT;
    OK(engine, pool, engine->mape_job_result(&result, job, 0));
    if (result.state != MAPE_ITEM_OK) fail("run_describe: %s", result.message);
    if (((const struct view *)result.data)->blocked != 0) fail("workers have signals blocked");
    OK(engine, NULL, engine->mape_pool_release(pool));
    for (int i = 0; i < 3; i++) life_with_dead_zygotes(engine, birth);
    sigprocmask(SIG_SETMASK, NULL, &now);
    for (int number = 1; number < 32; number++)
        if (sigismember(&now, number) != (number != SIGKILL && number != SIGSTOP)) fail("the mask has changed");
}

/* ---- forks ---- */

struct forker {
    const struct engine *engine;
    mape_pool *pool;
};

/** Children that call, are refused, and end in the ordinary way, through exit handlers and destructors. */
static void *fork_again_and_again(void *context) {
    struct forker *self = context;
    for (int i = 0; i < 40; i++) {
        pid_t child = fork();
        if (child == 0) {
            mape_stats stats = MAPE_STATS_INIT;
            mape_pool *other = NULL;
            int wrong = self->engine->mape_pool_stats(&stats, self->pool) != MAPE_E_FORKED;
            wrong += self->engine->mape_pool_create(&other, NULL) != MAPE_OK;
            wrong += self->engine->mape_pool_stats(&stats, self->pool) != MAPE_E_FORKED;
            wrong += self->engine->mape_pool_release(other) != MAPE_OK;
            wrong += self->engine->mape_pool_release(self->pool) != MAPE_E_FORKED;
            exit(wrong);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child) fail("fork or waitpid");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("a forked child ended with status %x", status);
    }
    return NULL;
}

void host_forks_in_jobs(struct engine *engine, uint32_t birth) {
    host_opens(engine);
    struct functions functions;
    mape_pool *pool = engine_pool(engine, birth, 2, &functions);
    OK(engine, pool, engine->mape_pool_start(pool, PATIENCE));
    struct forker forker = {engine, pool};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, fork_again_and_again, &forker);
    for (int i = 0; i < 20; i++) {
        engine_maps(engine, pool, &functions, 2000);
        if (i % 5 == 0) engine_crashes(engine, pool, &functions);
    }
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    engine_maps(engine, pool, &functions, 2000);
    OK(engine, NULL, engine->mape_pool_release(pool));
}

static void run_in_vfork(void) {
    int status = 0;
    pid_t pid = vfork();
    if (pid == 0) _exit(9);
    if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 9) fail("waitpid of a vfork");
}

/** Programs that the host starts have none of the library's descriptors. */
static void *run_programs(void *context) {
    for (int i = 0; atomic_load(&stop) == 0 || i < 4; i++) {
        int status = 0;
        if (i % 4 == 0 && system("exit 7") >> 8 != 7) fail("system");
        if (i % 4 == 1) {
            FILE *pipe = popen("ls -l /proc/self/fd", "r");
            char line[300];
            while (pipe != NULL && fgets(line, sizeof line, pipe) != NULL)
                if (strstr(line, "memfd:mapengine") != NULL || strstr(line, "eventfd") != NULL ||
                    strstr(line, "eventpoll") != NULL || strstr(line, "socket:") != NULL)
                    fail("a program inherits: %s", line);
            if (pipe == NULL || pclose(pipe) != 0) fail("popen");
        }
        if (i % 4 == 2) {
            pid_t pid = 0;
            char *const arguments[] = {"false", NULL};
            if (posix_spawn(&pid, "/bin/false", NULL, NULL, arguments, environ) != 0) fail("posix_spawn");
            if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 1) fail("waitpid of /bin/false");
        }
        if (i % 4 == 3) run_in_vfork();
    }
    return context;
}

void host_runs_programs(struct engine *engine, uint32_t birth) {
    host_opens(engine);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, run_programs, NULL);
    for (int i = 0; i < 4; i++) life_with_dead_zygotes(engine, birth);
    atomic_store(&stop, 1);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

void host_is_a_daemon(struct engine *engine, uint32_t birth) {
    int ends[2];
    if (pipe(ends) != 0) fail("pipe");
    host_opens(engine); /* Before it forks: a library that was opened is no pool that was made. */
    if (fork() == 0) {
        setsid();
        if (fork() != 0) _exit(0);
        if (chdir("/") != 0) fail("chdir");
        for (int i = 0; i < 2; i++) life_with_dead_zygotes(engine, birth);
        if (write(ends[1], "well", 4) != 4) _exit(1);
        _exit(0);
    }
    wait(NULL);
    close(ends[1]);
    char text[8] = "";
    stage("waiting for the daemon");
    if (read(ends[0], text, 4) != 4 || strcmp(text, "well") != 0) fail("the daemon has failed");
}
