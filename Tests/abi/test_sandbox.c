/* test_sandbox.c - MAPE_SANDBOX_COMPUTE: what it refuses, with which errno, and what goes on working.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Who would be refused without the sandbox as well? */
enum whom {
    ANYBODY_MAY,   /* Nobody: so the sandbox is what refuses it. */
    IT_DEPENDS,    /* On rights, container and kernel. */
    WITH_LANDLOCK, /* It is Landlock that refuses it. */
};

struct row {
    const char *name;
    uint32_t what;
    int expected; /* An errno; 0: it works. */
    enum whom whom;
};
#define ROW(what, expected, whom)                                                                                      \
    { #what, what, expected, whom }

static const struct row rows[] = {
    ROW(TRY_OPEN_WRITE, EACCES, ANYBODY_MAY),
    ROW(TRY_OPEN_READ_WRITE, EACCES, ANYBODY_MAY),
    ROW(TRY_OPEN_TRUNCATE, EACCES, ANYBODY_MAY),
    ROW(TRY_OPEN_CREATE, EACCES, ANYBODY_MAY),
    ROW(TRY_OPEN_TEMPORARY, EACCES, ANYBODY_MAY),
    ROW(TRY_FOPEN_APPEND, EACCES, ANYBODY_MAY),
    ROW(TRY_OPENAT2, ENOSYS, IT_DEPENDS),
    ROW(TRY_UNLINK, EACCES, ANYBODY_MAY),
    ROW(TRY_RENAME, EACCES, ANYBODY_MAY),
    ROW(TRY_MKDIR, EACCES, ANYBODY_MAY),
    ROW(TRY_RMDIR, EACCES, ANYBODY_MAY),
    ROW(TRY_SYMLINK, EACCES, ANYBODY_MAY),
    ROW(TRY_LINK, EACCES, ANYBODY_MAY),
    ROW(TRY_MKNOD, EACCES, ANYBODY_MAY),
    ROW(TRY_TRUNCATE, EACCES, ANYBODY_MAY),
    ROW(TRY_CHMOD, EACCES, ANYBODY_MAY),
    ROW(TRY_FCHMOD, EACCES, ANYBODY_MAY),
    ROW(TRY_CHOWN, EACCES, ANYBODY_MAY),
    ROW(TRY_FCHOWN, EACCES, ANYBODY_MAY),
    ROW(TRY_TIMES, EACCES, ANYBODY_MAY),
    ROW(TRY_XATTR, EACCES, ANYBODY_MAY),
    ROW(TRY_FILE_FLAGS, EPERM, ANYBODY_MAY),
    ROW(TRY_OWNER_OF_SIGNALS, EPERM, ANYBODY_MAY),
    ROW(TRY_TYPE_INTO_TERMINAL, EPERM, ANYBODY_MAY),
    ROW(TRY_SOCKET_INET, EACCES, IT_DEPENDS),
    ROW(TRY_SOCKET_UNIX, EACCES, ANYBODY_MAY),
    ROW(TRY_SOCKET_NETLINK, EACCES, IT_DEPENDS),
    ROW(TRY_PAIR_DATAGRAM, EACCES, ANYBODY_MAY),
    ROW(TRY_CONNECT, EACCES, ANYBODY_MAY),
    ROW(TRY_BIND, EACCES, ANYBODY_MAY),
    ROW(TRY_SEND_TO, EACCES, ANYBODY_MAY),
    ROW(TRY_SHARED_MEMORY, EACCES, ANYBODY_MAY),
    ROW(TRY_MESSAGE_QUEUE, EACCES, ANYBODY_MAY),
    ROW(TRY_FORK, EPERM, ANYBODY_MAY),
    ROW(TRY_SPAWN, EPERM, ANYBODY_MAY),
    ROW(TRY_EXEC, EACCES, ANYBODY_MAY),
    ROW(TRY_CLONE3, ENOSYS, IT_DEPENDS),
    ROW(TRY_UNSHARE, EPERM, IT_DEPENDS),
    ROW(TRY_SETNS, EPERM, IT_DEPENDS),
    ROW(TRY_KILL_HOST, EPERM, ANYBODY_MAY),
    ROW(TRY_KILL_GROUP, EPERM, ANYBODY_MAY),
    ROW(TRY_KILL_ALL, EPERM, ANYBODY_MAY),
    ROW(TRY_TGKILL_HOST, EPERM, ANYBODY_MAY),
    ROW(TRY_QUEUE_TO_HOST, EPERM, ANYBODY_MAY),
    ROW(TRY_PIDFD, EPERM, IT_DEPENDS),
    ROW(TRY_LIMIT_OF_HOST, EPERM, ANYBODY_MAY),
    ROW(TRY_PRIORITY_OF_HOST, EPERM, ANYBODY_MAY),
    ROW(TRY_READ_HOST, EPERM, IT_DEPENDS),
    ROW(TRY_WRITE_HOST, EPERM, IT_DEPENDS),
    ROW(TRY_TRACE_HOST, EPERM, IT_DEPENDS),
    ROW(TRY_NEW_GROUP, EPERM, ANYBODY_MAY),
    ROW(TRY_OUTLIVE, EPERM, ANYBODY_MAY),
    ROW(TRY_MEMORY_OF_HOST, EACCES, WITH_LANDLOCK),
    ROW(TRY_ENVIRONMENT_OF_HOST, EACCES, WITH_LANDLOCK),
    ROW(TRY_MOUNT, EPERM, IT_DEPENDS),
    ROW(TRY_UNMOUNT, EPERM, IT_DEPENDS),
    ROW(TRY_CHROOT, EPERM, IT_DEPENDS),
    ROW(TRY_SWAP, EPERM, IT_DEPENDS),
    ROW(TRY_REBOOT, EPERM, IT_DEPENDS),
    ROW(TRY_HOST_NAME, EPERM, IT_DEPENDS),
    ROW(TRY_CLOCK, EPERM, IT_DEPENDS),
    ROW(TRY_MODULE, EPERM, IT_DEPENDS),
    ROW(TRY_KERNEL_LOG, EPERM, IT_DEPENDS),
    ROW(TRY_BPF, EPERM, IT_DEPENDS),
    ROW(TRY_PERF, EPERM, IT_DEPENDS),
    ROW(TRY_USERFAULT, EPERM, IT_DEPENDS),
    ROW(TRY_IO_URING, EPERM, IT_DEPENDS),
    ROW(TRY_KEYS, EPERM, IT_DEPENDS),
    ROW(TRY_UNKNOWN_CALL, ENOSYS, IT_DEPENDS),
#if defined(__x86_64__)
    ROW(TRY_OLD_FORK, EPERM, ANYBODY_MAY),
    ROW(TRY_X32, ENOSYS, IT_DEPENDS),
#endif
    ROW(MAY_READ, 0, ANYBODY_MAY),
    ROW(MAY_LIST, 0, ANYBODY_MAY),
    ROW(MAY_STAT, 0, ANYBODY_MAY),
    ROW(MAY_LOAD, 0, ANYBODY_MAY),
    ROW(MAY_THREAD, 0, ANYBODY_MAY),
    ROW(MAY_EXECUTABLE_MEMORY, 0, ANYBODY_MAY),
    ROW(MAY_MEMORY_FILE, 0, ANYBODY_MAY),
    ROW(MAY_STREAM_PAIR, 0, ANYBODY_MAY),
    ROW(MAY_PIPE, 0, ANYBODY_MAY),
    ROW(MAY_SIGNAL_ITSELF, 0, ANYBODY_MAY),
    ROW(MAY_LIMIT_ITSELF, 0, ANYBODY_MAY),
    ROW(MAY_PIN_ITSELF, 0, ANYBODY_MAY),
    ROW(MAY_PRINT, 0, ANYBODY_MAY),
    ROW(MAY_LOOK_AT_TERMINAL, 0, ANYBODY_MAY),
    ROW(MAY_RANDOM, 0, ANYBODY_MAY),
    ROW(MAY_SLEEP, 0, ANYBODY_MAY),
};

static int landlock_version(void) {
    long version = syscall(444, NULL, 0, 1);
    return version > 0 ? (int)version : 0;
}

/** False, and the pool said why, on a kernel that has no filters: then that is all there is to see. */
static bool kernel_can(void) {
    mape_pool_config config = config_of(MAPE_START_EXEC, 1);
    mape_pool *pool = NULL;
    config.sandbox = MAPE_SANDBOX_COMPUTE;
    int status = mape_pool_create(&pool, &config);
    if (status == MAPE_OK) {
        is_ok(NULL, mape_pool_release(pool));
        return true;
    }
    assert_int_equal(status, MAPE_E_UNSUPPORTED);
    assert_non_null(strstr(message_of(NULL), "seccomp"));
    return false;
}

static mape_pool_config sandboxed(uint32_t birth, uint32_t workers) {
    mape_pool_config config = config_of(birth, workers);
    config.sandbox = MAPE_SANDBOX_COMPUTE;
    return config;
}

/** What each row's attempt came to, in a worker of such a pool. Free it. */
static int32_t *attempts(const mape_pool_config *config) {
    char folder[] = "/tmp/abi-test-XXXXXX", file[64];
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/file", folder);
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "kept", 4), 4);
    close(fd);
    struct attempt items[COUNT(rows)];
    memset(items, 0, sizeof items);
    for (size_t i = 0; i < COUNT(rows); i++) {
        items[i].what = rows[i].what;
        items[i].host = getpid();
        snprintf(items[i].folder, sizeof items[i].folder, "%s", folder);
    }
    mape_pool *pool = pool_open_with(config);
    mape_job *job = mapped(pool, registered(pool, run_attempt), items, COUNT(rows), sizeof items[0], NULL);
    wait_for(job);
    int32_t *got = calloc(COUNT(rows), sizeof *got);
    for (size_t i = 0; i < COUNT(rows); i++) {
        mape_result result = result_of(job, i);
        if (result.state != MAPE_ITEM_OK) fail_msg("%s: state %u, \"%s\"", rows[i].name, result.state, result.message);
        memcpy(&got[i], result.data, sizeof got[i]);
    }
    pool_close(pool);
    struct stat info;
    assert_int_equal(stat(file, &info), 0);
    if (config->sandbox == MAPE_SANDBOX_COMPUTE) {
        assert_int_equal(info.st_size, 4);
        assert_int_equal(info.st_mode & 0777, 0640);
    }
    unlink(file);
    assert_int_equal(rmdir(folder), 0); /* Nothing else was made in it. */
    return got;
}

static void everything_but_computing_is_refused_with_the_errno_of_the_header(uint32_t birth) {
    if (!kernel_can()) return;
    mape_pool_config config = sandboxed(birth, 2);
    int32_t *got = attempts(&config);
    int wrong = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].whom == WITH_LANDLOCK && landlock_version() == 0) continue;
        if (got[i] == rows[i].expected) continue;
        print_error("%s: %s, not %s\n", rows[i].name, strerrorname_np(got[i]), strerrorname_np(rows[i].expected));
        wrong++;
    }
    free(got);
    assert_int_equal(wrong, 0);
}

/** So that the rows show the sandbox, and not something else that refuses them. */
static void without_it_those_that_anybody_may_are_not_refused(uint32_t birth) {
    mape_pool_config config = config_of(birth, 2);
    int32_t *got = attempts(&config);
    int wrong = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].whom != ANYBODY_MAY || (got[i] == rows[i].expected) == (rows[i].expected == 0)) continue;
        print_error("%s: %s also without a sandbox\n", rows[i].name, strerrorname_np(got[i]));
        wrong++;
    }
    free(got);
    assert_int_equal(wrong, 0);
}

static struct limits limits_in(mape_pool *pool) {
    mape_job *job = applied(pool, registered(pool, run_look_at_limits), NULL, 0);
    wait_for(job);
    struct limits limits;
    assert_int_equal(result_of(job, 0).size, sizeof limits);
    memcpy(&limits, result_of(job, 0).data, sizeof limits);
    return limits;
}

static void a_worker_holds_no_descriptor_of_others_and_the_host_is_as_before(uint32_t birth) {
    if (!kernel_can()) return;
    int inherited = open("/etc/passwd", O_RDONLY); /* Not close-on-exec: a snapshot would keep it. */
    mape_pool_config config = sandboxed(birth, 1);
    mape_pool *pool = pool_open_with(&config);
    struct limits limits = limits_in(pool);
    assert_int_equal(limits.seccomp, 2); /* SECCOMP_MODE_FILTER */
    assert_int_equal(limits.no_new_privs, 1);
    assert_int_equal(limits.foreign_descriptors, 0);
    assert_int_equal(prctl(PR_GET_SECCOMP), 0);
    assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    pool_close(pool);
    close(inherited);
}

static void libraries_are_loaded_within_it(uint32_t birth) {
    if (!kernel_can()) return;
    mape_pool_config config = sandboxed(birth, 1);
    mape_pool *pool = pool_open_with(&config), *free_pool = pool_open(birth, 1);
    assert_int_equal(limits_in(pool).seccomp_at_load, 2);
    assert_int_equal(limits_in(free_pool).seccomp_at_load, 0);
    pool_close(pool);
    pool_close(free_pool);
}

static void crashes_modules_late_functions_and_captured_output_are_as_ever(uint32_t birth) {
    if (!kernel_can()) return;
    const char *const modules[] = {"libm.so.6", NULL};
    mape_pool_config config = sandboxed(birth, 2);
    config.output = MAPE_OUTPUT_CAPTURE;
    config.modules = modules;
    config.nice = 3;
    config.memory_limit = (uint64_t)1 << 30;
    config.memory_growth = (uint64_t)1 << 30;
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct fault_item items[200];
    for (uint64_t i = 0; i < 200; i++) items[i] = (struct fault_item){i, WAY_WELL, 0};
    items[20].way = WAY_SEGFAULT;
    items[60].way = WAY_ABORT;
    items[100].way = WAY_KILL;
    items[150].way = WAY_EXIT_99;
    mape_job *job = mapped(pool, registered(pool, run_fault), items, 200, sizeof items[0], NULL);
    wait_for(job);
    assert_int_equal(progress_of(job).ok, 196);
    result_ended(job, 20, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    result_ended(job, 60, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGABRT);
    result_ended(job, 100, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGKILL);
    result_ended(job, 150, MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 99);
    struct attempt print = {MAY_PRINT, getpid(), "seen by the host"};
    wait_for(applied(pool, registered(pool, run_attempt), &print, sizeof print));
    bool seen = false;
    for (int64_t begun = now_ns(); !seen && now_ns() - begun < PATIENCE;) {
        mape_event event = MAPE_EVENT_INIT;
        if (mape_pool_next_event(&event, pool, MAPE_MILLISECONDS(100)) != MAPE_OK) continue;
        seen = event.type == MAPE_EVENT_OUTPUT && strstr(event.text, "seen by the host") != NULL;
    }
    assert_true(seen);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    pool_close(pool);
}

/** Before another function a worker looks at its process by system calls that the sandbox has to let it make. */
static void functions_in_turn_keep_their_workers(uint32_t birth) {
    if (!kernel_can()) return;
    mape_pool_config config = sandboxed(birth, 2);
    mape_pool *pool = pool_open_with(&config);
    const mape_function_id functions[2] = {registered(pool, run_square), registered(pool, run_echo)};
    uint64_t values[64];
    for (uint64_t i = 0; i < COUNT(values); i++) values[i] = i;
    for (int turn = 0; turn < 40; turn++) {
        mape_job *job = mapped(pool, functions[turn % 2], values, COUNT(values), sizeof values[0], NULL);
        wait_for(job);
        if (turn % 2 == 0) squares_are_right(job, values, COUNT(values));
        is_ok(pool, mape_job_release(job));
    }
    assert_int_equal(stats_of(pool).workers_started, 2);
    pool_close(pool);
}

static void an_item_that_sleeps_for_ever_is_still_killed(uint32_t birth) {
    if (!kernel_can()) return;
    mape_pool_config config = sandboxed(birth, 1);
    mape_pool *pool = pool_open_with(&config);
    struct fault_item item = {1, WAY_LOOP_DEAF, 0};
    mape_job_config limited = MAPE_JOB_CONFIG_INIT;
    limited.item_timeout_ns = MAPE_MILLISECONDS(200);
    mape_job *job = mapped(pool, registered(pool, run_fault), &item, 1, sizeof item, &limited);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT, 0);
    pool_close(pool);
}

/* ---- kernels that lack something: as a child of this program, in which a system call answers as it would there ---- */

static bool without_call(uint32_t number, uint32_t why) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | why),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT(code), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum { LACKING = 10, NOT_LACKING = 11, WENT_WRONG = 12 };

static int be_without_seccomp(uint32_t birth) {
    if (!without_call(SYS_seccomp, ENOSYS)) return WENT_WRONG;
    mape_pool_config config = sandboxed(birth, 1);
    mape_pool *pool = (mape_pool *)8;
    int status = mape_pool_create(&pool, &config);
    if (status != MAPE_E_UNSUPPORTED || pool != NULL) return NOT_LACKING;
    return strstr(message_of(NULL), "seccomp") != NULL ? LACKING : WENT_WRONG;
}

static int be_without_landlock(uint32_t birth) {
    if (!without_call(444, EOPNOTSUPP)) return WENT_WRONG;
    mape_pool_config config = sandboxed(birth, 1);
    mape_pool *pool = NULL;
    if (mape_pool_create(&pool, &config) != MAPE_OK || mape_pool_start(pool, PATIENCE) != MAPE_OK) return WENT_WRONG;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run_attempt;
    struct attempt write_it = {TRY_OPEN_WRITE, getpid(), "/nowhere"};
    mape_job *job = NULL;
    mape_result result = MAPE_RESULT_INIT;
    if (mape_function_register(&function, pool, &description) != MAPE_OK ||
        mape_apply(&job, pool, function, &write_it, sizeof write_it, NULL) != MAPE_OK ||
        mape_job_wait(job, PATIENCE) != MAPE_OK || mape_job_result(&result, job, 0) != MAPE_OK ||
        result.size != sizeof(int32_t) || *(const int32_t *)result.data != EACCES)
        return WENT_WRONG;
    bool told = false;
    mape_event event = MAPE_EVENT_INIT;
    while (!told && mape_pool_next_event(&event, pool, 0) == MAPE_OK)
        told = event.type == MAPE_EVENT_LOG && event.code == MAPE_LOG_INFO && strstr(event.text, "Landlock") != NULL;
    mape_pool_release(pool);
    return told ? LACKING : NOT_LACKING;
}

/** How many descriptors a worker of a program of its own has beyond those of the pool, when the host has some that exec would keep. */
static int inherited_by_a_program(void) {
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = 1;
    config.start = MAPE_START_EXEC;
    mape_pool *pool = pool_open_with(&config);
    const int before = limits_in(pool).foreign_descriptors;
    pool_close(pool);
    int file = open("/etc/passwd", O_RDONLY), far = fcntl(file, F_DUPFD, 900);
    assert_true(file >= 0 && far >= 900);
    pool = pool_open_with(&config);
    const int after = limits_in(pool).foreign_descriptors;
    pool_close(pool);
    close(file);
    close(far);
    return after - before;
}

static int be_without_close_range(void) {
    if (!without_call(436, ENOSYS)) return WENT_WRONG;
    return inherited_by_a_program() == 0 ? LACKING : NOT_LACKING;
}

static int as_child(const char *what, uint32_t birth) {
    char text[8];
    snprintf(text, sizeof text, "%u", birth);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_sandbox", what, text, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    stage("waiting for the child %s", what);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_kernel_without_filters_is_told_by_create(uint32_t birth) {
    if (!kernel_can()) return;
    assert_int_equal(as_child("--without-seccomp", birth), LACKING);
}

static void a_kernel_without_landlock_is_told_in_the_log_and_no_error(uint32_t birth) {
    if (!kernel_can()) return;
    assert_int_equal(as_child("--without-landlock", birth), LACKING);
}

static void a_zygote_program_inherits_no_descriptor(uint32_t birth) {
    (void)birth;
    assert_int_equal(inherited_by_a_program(), 0);
    assert_int_equal(as_child("--without-close-range", birth), LACKING); /* Before Linux 5.9. */
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--without-close-range") == 0) return be_without_close_range();
    if (argc == 3 && strcmp(argv[1], "--without-seccomp") == 0) return be_without_seccomp((uint32_t)atoi(argv[2]));
    if (argc == 3 && strcmp(argv[1], "--without-landlock") == 0) return be_without_landlock((uint32_t)atoi(argv[2]));
    const struct abi_test tests[] = {
        BOTH(everything_but_computing_is_refused_with_the_errno_of_the_header),
        BOTH(without_it_those_that_anybody_may_are_not_refused),
        BOTH(a_worker_holds_no_descriptor_of_others_and_the_host_is_as_before),
        EXEC_ONLY(a_zygote_program_inherits_no_descriptor),
        EXEC_ONLY(libraries_are_loaded_within_it),
        BOTH(crashes_modules_late_functions_and_captured_output_are_as_ever),
        BOTH(functions_in_turn_keep_their_workers),
        BOTH(an_item_that_sleeps_for_ever_is_still_killed),
        BOTH(a_kernel_without_filters_is_told_by_create),
        BOTH(a_kernel_without_landlock_is_told_in_the_log_and_no_error),
    };
    return run_abi_tests("sandbox", tests, COUNT(tests));
}
