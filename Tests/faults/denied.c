/* denied.c - a host in which one system call is denied, as by the filter of a container. Case 70.
 *
 * The host is a child of the row, which installs the filter on itself before it uses the library; zygote and workers inherit it. What
 * it comes to stands in memory that the row shares with it, since the call may be one that it would tell it by. Whatever call it is:
 * either all works, or a status says so, and its message names the call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/** Not here: close, futex, rseq, arch_prctl, exit, exit_group, rt_sigreturn. Without them the C library ends the program, or none
 *  starts. Nor brk: where it is denied after the first allocation, malloc of the C library crashes by itself (glibc 2.36, malloc(20000)). */
static const struct call {
    int number;
    const char *name;
} calls[] = {
#define CALL(name)                                                                                                     \
    { SYS_##name, #name }
    CALL(mmap),
    CALL(mprotect),
    CALL(mremap),
    CALL(munmap),
    CALL(munlock),
    CALL(madvise),
    CALL(memfd_create),
    CALL(ftruncate),
    CALL(fcntl),
    CALL(openat),
    CALL(read),
    CALL(write),
    CALL(readlinkat),
    CALL(getdents64),
    CALL(newfstatat),
    CALL(pipe2),
    CALL(eventfd2),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
    CALL(ppoll),
    CALL(clone),
    {435, "clone3"},
    CALL(execve),
    CALL(wait4),
    CALL(waitid),
    CALL(kill),
    CALL(pidfd_open),
    CALL(pidfd_send_signal),
    CALL(socketpair),
    CALL(sendmsg),
    CALL(recvmsg),
    CALL(shutdown),
    CALL(getsockopt),
    CALL(setpgid),
    CALL(getpid),
    CALL(getppid),
    CALL(prctl),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(sigaltstack),
    CALL(signalfd4),
    CALL(membarrier),
    CALL(sched_getaffinity),
    CALL(sched_setaffinity),
    CALL(sched_getscheduler),
    CALL(sched_setscheduler),
    CALL(getcpu),
    CALL(sysinfo),
    CALL(prlimit64),
    CALL(setrlimit),
    CALL(getpriority),
    CALL(setpriority),
    CALL(set_robust_list),
    CALL(set_tid_address),
    CALL(getrandom),
    {436, "close_range"},
    CALL(dup3),
    CALL(timer_create),
    CALL(timer_settime),
    CALL(timer_delete),
    CALL(setitimer),
    CALL(getitimer),
    CALL(rt_sigpending),
    CALL(umask),
    CALL(getcwd),
    CALL(chdir),
    CALL(getresuid),
    CALL(getresgid),
    CALL(getpgid),
    CALL(getrlimit),
    CALL(fstat),
    CALL(statx),
    CALL(pread64),
    CALL(gettid),
    CALL(ioctl),
    CALL(nanosleep),
    CALL(clock_nanosleep),
#if defined(__x86_64__)
    CALL(open),
    CALL(stat),
    CALL(access),
    CALL(readlink),
    CALL(epoll_wait),
    CALL(poll),
    CALL(dup2),
    CALL(fork),
    CALL(vfork),
    CALL(getpgrp),
#endif
};

struct outcome {
    int status;
    char stage[32], message[1024];
};

static struct outcome *outcome;

static bool deny(uint32_t number, uint32_t why) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | why),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT(code), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool told(int status, const char *where, mape_pool *pool) {
    outcome->status = status;
    snprintf(outcome->stage, sizeof outcome->stage, "%s", where);
    if (status != MAPE_OK) mape_message(outcome->message, sizeof outcome->message, pool);
    return status != MAPE_OK;
}

/** True when something is not in order. */
static bool told_squares(mape_pool *pool, mape_function_id function, const mape_items *items) {
    mape_job *job = NULL;
    if (told(mape_map(&job, pool, function, items, NULL), "map", pool)) return true;
    if (told(mape_job_wait(job, PATIENCE), "wait", pool)) return true;
    for (uint64_t i = 0; i < items->count; i++) {
        mape_result result = MAPE_RESULT_INIT;
        if (told(mape_job_result(&result, job, i), "result", pool)) return true;
        if (result.state == MAPE_ITEM_OK && result.size == 8 && *(const uint64_t *)result.data == i * i) continue;
        told(MAPE_E_STATE, "result", NULL);
        snprintf(outcome->message, sizeof outcome->message, "item %d: state %u, %s", (int)i, result.state,
                 result.message);
        return true;
    }
    mape_job_release(job);
    return false;
}

/** Two functions in turn: each time a worker looks whether its process is as the other found it. */
static void use_pool(uint32_t birth, uint32_t sandbox) {
    static uint64_t values[64];
    mape_pool_config config = config_of(birth, 2);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id functions[2] = {0, 0};
    mape_pool *pool = NULL;
    for (uint64_t i = 0; i < COUNT(values); i++) values[i] = i;
    mape_items items = items_at(values, COUNT(values), sizeof values[0]);
    description.run = run_square;
    config.output = MAPE_OUTPUT_CAPTURE;
    config.sandbox = sandbox;
    if (told(mape_pool_create(&pool, &config), "create", NULL)) return;
    for (int i = 0; i < 2; i++)
        if (told(mape_function_register(&functions[i], pool, &description), "register", pool)) return;
    if (told(mape_pool_start(pool, PATIENCE), "start", pool)) return;
    for (int i = 0; i < 8; i++)
        if (told_squares(pool, functions[i % 2], &items)) return;
    mape_stats stats = MAPE_STATS_INIT;
    if (told(mape_pool_stats(&stats, pool), "stats", pool)) return;
    if (stats.workers_started > config.workers) {
        told(MAPE_E_STATE, "stats", NULL);
        snprintf(outcome->message, sizeof outcome->message, "workers had to be replaced: %d were started",
                 (int)stats.workers_started);
        return;
    }
    told(mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE), "shutdown", pool);
    mape_pool_release(pool);
}

/** How the host with the call denied fared; "" when it is in order. */
static const char *fares(uint32_t birth, uint32_t sandbox, int number, int why, const char *name) {
    static char text[2048];
    int status = 0;
    memset(outcome, 0, sizeof *outcome);
    fflush(NULL);
    pid_t host = fork();
    if (host == 0) {
        if (!deny((uint32_t)number, (uint32_t)why)) _exit(99);
        use_pool(birth, sandbox);
        _exit(0);
    }
    int64_t begun = now_ns();
    while (waitpid(host, &status, WNOHANG) == 0) {
        if (now_ns() - begun > 3 * PATIENCE) {
            kill(host, SIGKILL);
            waitpid(host, &status, 0);
            snprintf(text, sizeof text, "hangs (after %s)", outcome->stage);
            return text;
        }
        short_nap();
    }
    text[0] = '\0';
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99) row_skip("filters of system calls cannot be installed");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        snprintf(text, sizeof text, "the host ended with %#x (after %s)", (unsigned)status, outcome->stage);
    else if (outcome->status == MAPE_E_TIMEOUT ||
             (outcome->status != MAPE_OK && strstr(outcome->message, name) == NULL))
        snprintf(text, sizeof text, "%s answered %d, \"%s\"", outcome->stage, outcome->status, outcome->message);
    return text;
}

static void all_denied(const struct row *row, uint32_t sandbox, const struct call *calls, size_t count) {
    const int why = (int)row->fault->value;
    int wrong = 0, works = 0;
    outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < count; i++) {
        stage("%s denied", calls[i].name);
        const char *text = fares(row->birth, sandbox, calls[i].number, why, calls[i].name);
        works += outcome->status == MAPE_OK && text[0] == '\0';
        print_error("%s: %s%s%s\n", calls[i].name, text[0] == '\0' ? "ok, " : "WRONG: ", text,
                    text[0] != '\0'              ? ""
                    : outcome->status == MAPE_OK ? "works"
                                                 : outcome->message);
        wrong += text[0] != '\0';
    }
    munmap(outcome, sizeof *outcome);
    row_note("%d calls, without %d of them all works", (int)count, works);
    assert_int_equal(wrong, 0);
}

static void denied(const struct row *row) { all_denied(row, MAPE_SANDBOX_NONE, calls, COUNT(calls)); }

/** Without filters there is no sandbox to begin with; test_sandbox has that. */
static void denied_to_sandbox(const struct row *row) {
    static const struct call calls_of_sandbox[] = {
        CALL(prctl),
        CALL(capget),
        CALL(capset),
        CALL(seccomp),
        {444, "landlock_create_ruleset"},
        {446, "landlock_restrict_self"},
        CALL(getdents64),
        CALL(openat),
        CALL(umask),
        CALL(getcwd),
        CALL(getresuid),
        CALL(getresgid),
        CALL(setitimer),
        CALL(getitimer),
        CALL(timer_create),
        CALL(timer_delete),
        CALL(fstat),
        CALL(getrlimit),
        CALL(prlimit64),
    };
    all_denied(row, MAPE_SANDBOX_COMPUTE, calls_of_sandbox, COUNT(calls_of_sandbox));
}

static const struct fault denials[] = {
    {70, "EPERM", denied, BIRTHS, 0, 0, EPERM, NULL, 600},
    {70, "ENOSYS", denied, BIRTHS, 0, 0, ENOSYS, NULL, 600},
    {70, "EPERM, with the sandbox", denied_to_sandbox, BIRTHS, 0, 0, EPERM, NULL, 600},
    {70, "ENOSYS, with the sandbox", denied_to_sandbox, BIRTHS, 0, 0, ENOSYS, NULL, 600},
};
TABLE(denials);
