/* surroundings.c - hosts on a terminal, of a real-time class, with locked memory. Cases 67, 68 and 69.
 *
 * The host on a terminal is a process of its own: this program again, as "--in-terminal".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include "fault_surroundings.h"

int be_on_terminal(uint32_t birth, uint32_t what);

/* ---- 67: a terminal on which background processes may not print (stty tostop) ---- */

enum terminal_stage { PRINTING, PRINTING_CHILD, READING, SETTING, LOADING, SUSPENDED, HUNG_UP };

static int report_to, master;
static _Atomic int lines_seen;

/** What a terminal emulator does. */
static void *show(void *unused) {
    char bytes[4096];
    for (ssize_t got; (got = read(master, bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < got; i++) lines_seen += bytes[i] == '\n';
    return unused;
}

static _Noreturn void tell(const char *text) {
    dprintf(report_to, "%s\n", text);
    _exit(0);
}

/** This process becomes the head of a session on a new terminal, which is its standard output and error. */
static void take_terminal(void) {
    struct termios attributes;
    int slave = -1;
    report_to = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) tell("skip: no terminal can be had");
    if (setsid() < 0 || (slave = open(ptsname(master), O_RDWR | O_CLOEXEC)) < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
        tell("skip: no terminal can be taken");
    tcgetattr(slave, &attributes);
    attributes.c_lflag |= TOSTOP;
    if (tcsetattr(slave, TCSANOW, &attributes) != 0) tell("skip: no tostop");
    for (int fd = 0; fd <= 2; fd++) dup2(slave, fd);
    close(slave);
}

int be_on_terminal(uint32_t birth, uint32_t what) {
    static uint64_t items[200];
    const uint64_t count = what == SUSPENDED ? COUNT(items) : 8;
    pthread_t screen;
    take_terminal();
    pthread_create(&screen, NULL, show, NULL);
    if (what == LOADING) setenv("FAULT_GREETS", "1", 1);
    mape_pool_config config = config_of(birth, 2);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    mape_pool *pool = NULL;
    mape_job *job = NULL;
    mape_job_config limits = MAPE_JOB_CONFIG_INIT;
    description.run = run_on_terminal;
    for (uint64_t i = 0; i < COUNT(items); i++)
        items[i] = what == PRINTING_CHILD ? TERMINAL_CHILD
                   : what == READING      ? TERMINAL_READ
                   : what == SETTING      ? TERMINAL_ATTRIBUTES
                   : what == SUSPENDED    ? TERMINAL_SLOW
                   : what == HUNG_UP      ? TERMINAL_DONE
                                          : TERMINAL_PRINT;
    if (what == SUSPENDED) limits.item_timeout_ns = MAPE_MILLISECONDS(400);
    if (mape_pool_create(&pool, &config) != MAPE_OK || mape_function_register(&function, pool, &description) != MAPE_OK)
        tell("no pool");
    if (mape_pool_start(pool, PATIENCE) != MAPE_OK) tell("the pool does not start");
    mape_items all = items_at(items, count, sizeof items[0]);
    if (what == HUNG_UP) {
        signal(SIGHUP, SIG_IGN); /* nohup(1) */
        close(master);
        master = -1;
    }
    for (int round = what == SUSPENDED ? 6 : 1; round > 0; round--) {
        if (mape_map(&job, pool, function, &all, &limits) != MAPE_OK) tell("no job");
        if (what == SUSPENDED) dprintf(report_to, "busy\n");
        if (mape_job_wait(job, PATIENCE) != MAPE_OK) tell("the items do not end");
        for (uint64_t i = 0; i < count; i++) {
            mape_result result = MAPE_RESULT_INIT;
            char text[512];
            if (mape_job_result(&result, job, i) == MAPE_OK && result.state == MAPE_ITEM_OK &&
                *(const int32_t *)result.data == 0)
                continue;
            snprintf(text, sizeof text, "item %d: state %u, %s %s", (int)i, result.state, result.message,
                     result.state == MAPE_ITEM_OK ? strerrorname_np(*(const int32_t *)result.data) : "");
            tell(text);
        }
        mape_job_release(job);
    }
    bool prints = what == PRINTING || what == PRINTING_CHILD;
    for (int64_t begun = now_ns(); prints && lines_seen < (int)(2 * count); short_nap())
        if (now_ns() - begun > PATIENCE) tell("lines are missing on the screen");
    mape_pool_release(pool);
    tell("well");
}

static void on_terminal(const struct row *row) {
    char births[8], what[8], line[512] = "";
    FILE *report = NULL;
    snprintf(births, sizeof births, "%u", row->birth);
    snprintf(what, sizeof what, "%u", row->fault->value);
    pid_t host = helper_started(&report, "terminal", births, what, NULL);
    stage("waiting for the host on the terminal");
    while (fgets(line, sizeof line, report) != NULL && strcmp(line, "busy\n") == 0) {
        /* Ctrl-Z, and fg: longer than the items' timeout. */
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
        kill(-host, SIGSTOP);
        nanosleep(&(struct timespec){.tv_nsec = 700 * 1000 * 1000}, NULL);
        kill(-host, SIGCONT);
    }
    fclose(report);
    int status = helper_ended(host);
    if (strncmp(line, "skip: ", 6) == 0) row_skip("%s", line + 6);
    assert_int_equal(status, 0);
    assert_string_equal(line, "well\n");
}

/* ---- 68: the class of the thread that starts the pool ---- */

static int policy_of_engine(void) {
    pid_t threads[64];
    char name[32];
    int count = thread_ids(getpid(), threads, COUNT(threads));
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "task/%d/comm", (int)threads[i]);
        if (strcmp(proc_text(getpid(), name), "mapengine") == 0) return sched_getscheduler(threads[i]);
    }
    return -1;
}

static struct class_of class_in(mape_pool *pool, mape_function_id function) {
    struct class_of found;
    mape_job *job = applied(pool, function, NULL, 0);
    wait_for(job);
    assert_int_equal(result_of(job, 0).size, sizeof found);
    memcpy(&found, result_of(job, 0).data, sizeof found);
    is_ok(pool, mape_job_release(job));
    return found;
}

/** struct sched_attr of linux/sched/types.h. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

#define DEADLINE_CLASS 6

static void of_a_class(const struct row *row) {
    const int class = (int)row->fault->value;
    const bool is_real_time = class == SCHED_FIFO || class == SCHED_RR;
    struct sched_param usual = {0}, param = {.sched_priority = is_real_time ? 3 : 0};
    struct class_of before = {.nice_value = getpriority(PRIO_PROCESS, 0),
                              .io_priority = (int32_t)syscall(SYS_ioprio_get, 1, 0),
                              .timer_slack = prctl(PR_GET_TIMERSLACK)};
    cpu_set_t all;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = registered(pool, run_class);
    if (sched_setscheduler(0, class, &param) != 0) row_skip("this process may not have the class: %s", strerror(errno));
    int status = mape_pool_start(pool, PATIENCE);
    struct class_of found = {0};
    /* Also when a process takes the place of another. */
    if (status == MAPE_OK) kill_process(pid_of_worker(pool, 0));
    if (status == MAPE_OK) found = class_in(pool, function);
    assert_int_equal(sched_getscheduler(0), class); /* The thread itself has it still. */
    sched_setscheduler(0, SCHED_OTHER, &usual);
    is_status(pool, MAPE_OK, status);
    assert_int_equal(found.policy, is_real_time ? SCHED_OTHER : class);
    assert_int_equal(policy_of_engine(), is_real_time ? SCHED_OTHER : class);
    assert_int_equal(found.nice_value, before.nice_value);
    assert_int_equal(found.processors, CPU_COUNT(&all));
    assert_int_equal(found.timer_slack, before.timer_slack);
    pool_works(pool);
}

/** A thread of SCHED_DEADLINE cannot make threads or processes (sched(7)), unless they do not inherit the class. */
static void of_class_deadline(const struct row *row) {
    const bool passes_on = row->fault->value == 0;
    struct sched_param usual = {0};
    struct attributes a = {.size = sizeof a,
                           .policy = DEADLINE_CLASS,
                           .flags = passes_on ? 0 : 1 /* SCHED_FLAG_RESET_ON_FORK */,
                           .runtime = 10000000,
                           .deadline = 100000000,
                           .period = 100000000};
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = registered(pool, run_class);
    if (syscall(SYS_sched_setattr, 0, &a, 0) != 0) row_skip("this process may not have the class: %s", strerror(errno));
    int status = mape_pool_start(pool, PATIENCE);
    sched_setscheduler(0, SCHED_OTHER, &usual);
    is_status(pool, passes_on ? MAPE_E_SYSTEM : MAPE_OK, status);
    if (passes_on) {
        assert_non_null(strstr(message_of(pool), "pthread_create"));
        assert_non_null(strstr(message_of(pool), "SCHED_DEADLINE"));
    }
    assert_int_equal(class_in(pool, function).policy, SCHED_OTHER);
    assert_int_equal(policy_of_engine(), SCHED_OTHER);
    pool_works(pool);
}

/* ---- 69: locked memory ---- */

#define RESERVE ((uint64_t)64 << 20)

static void small_reserves(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->input_reserve = RESERVE;
    config->output_reserve = RESERVE;
}

/** Kibibytes in memory of the mappings of shared memory that the engine has made. */
static uint64_t resident_of_engine(void) {
    static char line[4096];
    uint64_t sum = 0, size = 0;
    bool ours = false;
    FILE *maps = fopen("/proc/self/smaps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        uint64_t from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) ours = strstr(line, "/memfd:mapengine") != NULL;
        if (ours && sscanf(line, "Rss: %lu", &size) == 1) sum += size;
    }
    fclose(maps);
    return sum;
}

static void give_up_locking(void) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2];
    if (syscall(SYS_capget, &head, sets) != 0) return;
    sets[0].effective &= ~(UINT32_C(1) << CAP_IPC_LOCK);
    syscall(SYS_capset, &head, sets);
}

static bool pool_has_bytes(mape_pool *pool, size_t size) {
    mape_job *job = applied(pool, registered(pool, run_bytes), &size, sizeof size);
    wait_for(job);
    mape_result result = result_of(job, 0);
    bool right = result.state == MAPE_ITEM_OK && result.size == size && ((const char *)result.data)[size - 1] == 7;
    is_ok(pool, mape_job_release(job));
    return right;
}

enum locking { LOCKED_BEFORE, LOCKED_BEFORE_WITH_A_LIMIT, LOCKED_AFTER };

static void locked(const struct row *row) {
    const enum locking when = (enum locking)row->fault->value;
    mape_pool *pool = NULL;
    if (when == LOCKED_BEFORE_WITH_A_LIMIT) give_up_locking();
    if (when == LOCKED_AFTER) pool = row_pool();
    int how = when == LOCKED_BEFORE_WITH_A_LIMIT ? MCL_FUTURE : MCL_CURRENT | MCL_FUTURE;
    if (mlockall(how) != 0) row_skip("memory cannot be locked: %s", strerror(errno));
    long before = proc_status(getpid(), "RssAnon");
    pool = row_pool();
    assert_true(pool_has_bytes(pool, 8));
    uint64_t ours = resident_of_engine();
    long more = proc_status(getpid(), "RssAnon") - before;
    row_note("%lu KiB of shared memory, %ld KiB of its own", ours, more);
    if (when != LOCKED_AFTER) {
        assert_in_range(ours, 1, 4096);
        assert_true(more < 4096);
    }
    assert_true(pool_has_bytes(pool, 20u << 20));
    pool_works(pool);
    munlockall();
}

/* Reserves of 64 MiB, one for inputs and one a worker. */
static const struct fault surroundings[] = {
    {67, "printing", on_terminal, BIRTHS, 0, 0, PRINTING, NULL, 0},
    {67, "printing by a program that a worker runs", on_terminal, BIRTHS, 0, 0, PRINTING_CHILD, NULL, 0},
    {67, "reading", on_terminal, BIRTHS, 0, 0, READING, NULL, 0},
    {67, "setting its attributes", on_terminal, BIRTHS, 0, 0, SETTING, NULL, 0},
    {67, "a library that prints when it is loaded", on_terminal, BIRTHS, 0, 0, LOADING, NULL, 0},
    {67, "the host is suspended and goes on", on_terminal, BIRTHS, 0, 0, SUSPENDED, NULL, 0},
    {67, "the terminal is closed, the host goes on", on_terminal, BIRTHS, 0, 0, HUNG_UP, NULL, 0},
    {68, "SCHED_FIFO", of_a_class, BIRTHS, W2, 0, SCHED_FIFO, NULL, 0},
    {68, "SCHED_RR", of_a_class, BIRTHS, W2, 0, SCHED_RR, NULL, 0},
    {68, "SCHED_BATCH", of_a_class, BIRTHS, W2, 0, SCHED_BATCH, NULL, 0},
    {68, "SCHED_IDLE", of_a_class, BIRTHS, W2, 0, SCHED_IDLE, NULL, 0},
    {68, "SCHED_DEADLINE", of_class_deadline, BIRTHS, W2, 0, 0, NULL, 0},
    {68, "SCHED_DEADLINE, not passed on", of_class_deadline, BIRTHS, W2, 0, 1, NULL, 0},
    {69, "before the pool is made", locked, BIRTHS, W2, 0, LOCKED_BEFORE, small_reserves, 0},
    {69, "before, with RLIMIT_MEMLOCK", locked, BIRTHS, W2, 0, LOCKED_BEFORE_WITH_A_LIMIT, small_reserves, 0},
    {69, "after the start", locked, BIRTHS, W2, 0, LOCKED_AFTER, small_reserves, 0},
};
TABLE(surroundings);
