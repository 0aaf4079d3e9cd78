/* guide_sandbox.c - what calls that the guide names give in a sandboxed worker. Prints "NAME ERRNO" for each, "NAME works" for one that
 * is not refused.
 *
 *   as a shared library: the functions; as a program (-DHOST), with the library's path: the host
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <mapengine.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL(F)                                                                                                         \
    F(fork) F(vfork) F(system) F(popen) F(posix_spawn) F(execve) F(open) F(rename) F(chmod) F(truncate) F(openat2)

#ifdef HOST
#define STRING(name) #name,
static const char *const names[] = {ALL(STRING)};

static int failed(mape_pool *pool, const char *what, int status) {
    char text[512];
    mape_message(text, sizeof text, pool);
    fprintf(stderr, "%s: %d: %s\n", what, status, text);
    return 1;
}

int main(int argc, char **argv) {
    mape_pool *pool = NULL;
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = 1;
    config.sandbox = MAPE_SANDBOX_COMPUTE;
    int status = mape_pool_create(&pool, &config);
    if (status == MAPE_E_UNSUPPORTED) return 77;
    if (argc != 2 || status != MAPE_OK) return failed(NULL, "create", status);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char prototype[64];
        snprintf(prototype, sizeof prototype, "int try_%s(void)", names[i]);
        mape_function function = MAPE_FUNCTION_INIT;
        mape_function_id id = 0;
        mape_job *job = NULL;
        mape_result result = MAPE_RESULT_INIT;
        function.library = argv[1];
        function.prototype = prototype;
        if ((status = mape_function_register(&id, pool, &function)) != MAPE_OK) return failed(pool, "register", status);
        if ((status = mape_apply(&job, pool, id, NULL, 0, NULL)) != MAPE_OK) return failed(pool, "apply", status);
        if ((status = mape_job_wait(job, MAPE_SECONDS(100))) != MAPE_OK) return failed(pool, "wait", status);
        mape_job_result(&result, job, 0);
        if (result.state != MAPE_ITEM_OK) return failed(pool, result.message, (int)result.state);
        int error = *(const int *)result.data;
        printf("%s %s\n", names[i], error == 0 ? "works" : strerrorname_np(error));
        mape_job_release(job);
    }
    return mape_pool_release(pool);
}
#else
/* Each answers an errno, 0 when the call was not refused. */
#define DECLARE(name) int try_##name(void);
ALL(DECLARE)

static int ended(pid_t child) {
    if (child == 0) _exit(0);
    if (child > 0) waitpid(child, NULL, 0);
    return child < 0 ? errno : 0;
}

int try_fork(void) { return ended(fork()); }
int try_vfork(void) {
    pid_t child = vfork();
    if (child == 0) _exit(0);
    return child < 0 ? errno : 0;
}
int try_system(void) {
    errno = 0;
    return system("true") == 0 ? 0 : errno;
}
int try_popen(void) {
    errno = 0;
    FILE *file = popen("true", "r");
    if (!file) return errno;
    pclose(file);
    return 0;
}
int try_posix_spawn(void) {
    char *const argv[] = {"true", NULL};
    pid_t child;
    int why = posix_spawn(&child, "/bin/true", NULL, NULL, argv, argv + 1);
    return why ? why : ended(child);
}
int try_execve(void) {
    char *const argv[] = {"true", NULL};
    execve("/bin/true", argv, argv + 1);
    return errno;
}
int try_open(void) { return open("/dev/null", O_WRONLY) < 0 ? errno : 0; }
int try_rename(void) { return rename("/nowhere/a", "/nowhere/b") ? errno : 0; }
int try_chmod(void) { return chmod("/nowhere", 0600) ? errno : 0; }
int try_truncate(void) { return truncate("/nowhere", 0) ? errno : 0; }
int try_openat2(void) {
    uint64_t how[3] = {0, 0, 0};
    return syscall(SYS_openat2, AT_FDCWD, "/", how, sizeof how) < 0 ? errno : 0;
}
#endif
