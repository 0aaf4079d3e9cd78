/* host.c - hosts with habits, one in a process.
 *
 *   host list                 prints their names and what each is
 *   host NAME exec|fork       runs one, under a watchdog
 *   host --plain NAME birth   the same without the watchdog's process, for a debugger
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "host.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void lives(struct engine *engine, uint32_t birth) {
    host_opens(engine);
    for (int i = 0; i < 3; i++) engine_life(engine, birth);
}

static const struct habit habits[] = {
    {"plain", lives, "a host without habits"},
    {"reaps", host_reaps, "a SIGCHLD handler, and a thread with waitpid(-1)"},
    {"ignores_sigchld", host_ignores_sigchld, "SIGCHLD is ignored"},
    {"no_zombies", host_wants_no_zombies, "SA_NOCLDWAIT"},
    {"sigpipe", host_dies_of_sigpipe, "SIGPIPE ends the host"},
    {"blocks_signals", host_blocks_all_signals, "all signals blocked in every thread"},
    {"forks", host_forks_in_jobs, "forks from several threads during jobs"},
    {"programs", host_runs_programs, "system, popen, posix_spawn and vfork during jobs"},
    {"daemon", host_is_a_daemon, "a daemon: forked twice, in a session of its own"},
    {"no_standard_files", host_has_no_standard_files, "descriptors 0, 1 and 2 are closed"},
    {"few_descriptors", host_has_few_descriptors, "RLIMIT_NOFILE reached at every step"},
    {"changes", host_changes_between, "other folder, umask, locale and rounding between create and start"},
    {"privileges", host_drops_privileges, "becomes another user before or after create"},
    {"environment", host_changes_its_environment, "setenv all the time"},
    {"busy", host_is_busy_at_the_start, "threads in malloc, stdio, dlopen and setlocale at the start"},
    {"small_stack", host_thread_has_a_small_stack, "calls from threads with small stacks"},
    {"creator_ends", host_thread_that_created_ends, "the thread that created the pool ends"},
};

void host_opens(struct engine *engine) { engine_open(engine, library_path, RTLD_NOW | RTLD_LOCAL); }

void in_thread(void *(*body)(void *), void *context) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, context) != 0) fail("pthread_create");
    pthread_join(thread, NULL);
}

static int host(int argc, char **argv) {
    if (argc != 3) return 64;
    for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++) {
        if (strcmp(argv[1], habits[i].name) != 0) continue;
        struct engine engine;
        habits[i].host(&engine, strcmp(argv[2], "fork") == 0 ? MAPE_START_FORK : MAPE_START_EXEC);
        return 0;
    }
    return 64;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++)
            printf("%s %s\n", habits[i].name, habits[i].title);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--plain") == 0) return host(argc - 1, argv + 1);
    return watched(200, host, argc, argv);
}
