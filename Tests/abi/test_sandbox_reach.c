/* test_sandbox_reach.c - MAPE_SANDBOX_COMPUTE: what a worker shares with others is as before, whatever it tries. See reach.h.
 *
 * The host is a process of its own: this program again, whose standard output is a file and whose standard error is a socket. It
 * tells on descriptor 3 what is wrong.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "reach.h"

static const struct {
    const char *name;
    int refused;
    bool works_alone;
} reaches[] = {
#define REACH_ROW(name, refused, works_alone) {#name, refused, works_alone},
    REACHES(REACH_ROW)
#undef REACH_ROW
};
_Static_assert(COUNT(reaches) == REACH_COUNT, "a row each");

enum { REPORT = 3 };

/** How many answers are not as expected. */
static int answers(uint32_t birth, uint32_t sandbox, const char *file) {
    mape_pool_config config = config_of(birth, 1);
    mape_pool *pool = NULL;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    struct reach_item items[REACH_COUNT];
    mape_job *job = NULL;
    int wrong = 0;
    config.sandbox = sandbox;
    description.run = run_reach;
    memset(items, 0, sizeof items);
    for (uint32_t i = 0; i < REACH_COUNT; i++) {
        items[i].what = i;
        items[i].host = getpid();
        snprintf(items[i].file, sizeof items[i].file, "%s", file);
    }
    mape_items all = items_at(items, REACH_COUNT, sizeof items[0]);
    if (mape_pool_create(&pool, &config) != MAPE_OK ||
        mape_function_register(&function, pool, &description) != MAPE_OK ||
        mape_map(&job, pool, function, &all, NULL) != MAPE_OK || mape_job_wait(job, PATIENCE) != MAPE_OK) {
        dprintf(REPORT, "the pool does not run: %s\n", message_of(pool));
        return 1;
    }
    for (uint32_t i = 0; i < REACH_COUNT; i++) {
        mape_result result = MAPE_RESULT_INIT;
        int32_t got = -1;
        int status = mape_job_result(&result, job, i);
        if (status == MAPE_OK && result.state == MAPE_ITEM_OK) memcpy(&got, result.data, sizeof got);
        bool right = sandbox == MAPE_SANDBOX_COMPUTE ? got == reaches[i].refused : got == 0 || !reaches[i].works_alone;
        if (right) continue;
        dprintf(REPORT, "%s: %s (state %u, %s)\n", reaches[i].name, got < 0 ? "no answer" : strerrorname_np(got),
                result.state, result.message);
        wrong++;
    }
    mape_pool_release(pool);
    return wrong;
}

/** The first 8 KiB of standard output, the state of both, and this process's class: as they were made. */
static int what_is_shared_has_changed(int other_end) {
    char bytes[REACH_FILE], got[8] = "";
    struct stat info;
    int wrong = 0;
    if (pread(1, bytes, sizeof bytes, 0) != sizeof bytes) wrong += dprintf(REPORT, "the file is shorter\n") > 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        if (bytes[i] != '.') return wrong + (dprintf(REPORT, "byte %zu of the file was changed\n", i) > 0);
    if (fstat(1, &info) != 0 || lseek(1, 0, SEEK_CUR) != info.st_size) wrong += dprintf(REPORT, "it was moved\n") > 0;
    if (fcntl(1, F_GETFL) & O_NONBLOCK) wrong += dprintf(REPORT, "output does not block\n") > 0;
    if (fcntl(2, F_GETFL) & O_NONBLOCK) wrong += dprintf(REPORT, "error does not block\n") > 0;
    if (write(2, "here", 4) != 4 || read(other_end, got, 4) != 4 || memcmp(got, "here", 4) != 0)
        wrong += dprintf(REPORT, "the connection is another: \"%s\"\n", got) > 0;
    if (sched_getscheduler(0) != SCHED_OTHER) wrong += dprintf(REPORT, "another class\n") > 0;
    return wrong;
}

/** Exit code: how many things are wrong, at most 99; 100: this process could not be made such a host. */
static int be_host(uint32_t birth, uint32_t sandbox, const char *folder) {
    char bytes[REACH_FILE], file[64];
    int ends[2];
    snprintf(file, sizeof file, "%s/output", folder);
    int out = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    snprintf(file, sizeof file, "%s/input", folder);
    int in = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    memset(bytes, '.', sizeof bytes);
    if (out < 0 || write(out, bytes, sizeof bytes) != sizeof bytes || dup2(out, 1) != 1 || in < 0 ||
        write(in, bytes, sizeof bytes) != sizeof bytes || close(in) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 || dup2(ends[0], 2) != 2)
        return 100;
    int wrong = answers(birth, sandbox, file);
    if (sandbox == MAPE_SANDBOX_COMPUTE) wrong += what_is_shared_has_changed(ends[1]);
    return wrong > 99 ? 99 : wrong;
}

static void run_host(uint32_t birth, uint32_t sandbox) {
    char folder[] = "/tmp/abi-test-XXXXXX", file[64], births[8], kind[8], text[8192];
    int report[2], status = 0;
    size_t size = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(births, sizeof births, "%u", birth);
    snprintf(kind, sizeof kind, "%u", sandbox);
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        if (report[1] == REPORT) fcntl(REPORT, F_SETFD, 0);
        else dup2(report[1], REPORT);
        execl("/proc/self/exe", "test_sandbox_reach", "--host", births, kind, folder, (char *)NULL);
        _exit(127);
    }
    close(report[1]);
    for (ssize_t got; size + 1 < sizeof text && (got = read(report[0], text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)got;
    text[size] = '\0';
    close(report[0]);
    stage("waiting for the host");
    assert_int_equal(waitpid(child, &status, 0), child);
    snprintf(file, sizeof file, "%s/output", folder);
    unlink(file);
    snprintf(file, sizeof file, "%s/input", folder);
    unlink(file);
    assert_int_equal(rmdir(folder), 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the host ended with %#x:\n%s", (unsigned)status, text);
}

static bool kernel_can(void) {
    mape_pool_config config = config_of(MAPE_START_EXEC, 1);
    mape_pool *pool = NULL;
    config.sandbox = MAPE_SANDBOX_COMPUTE;
    int status = mape_pool_create(&pool, &config);
    if (status == MAPE_OK) mape_pool_release(pool);
    return status != MAPE_E_UNSUPPORTED;
}

static void what_others_share_is_as_before(uint32_t birth) {
    if (kernel_can()) run_host(birth, MAPE_SANDBOX_COMPUTE);
}

static void without_it_a_worker_may_do_that(uint32_t birth) { run_host(birth, MAPE_SANDBOX_NONE); }

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--host") == 0)
        return be_host((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]), argv[4]);
    const struct abi_test tests[] = {
        BOTH(what_others_share_is_as_before),
        BOTH(without_it_a_worker_may_do_that),
    };
    return run_abi_tests("sandbox_reach", tests, COUNT(tests));
}
