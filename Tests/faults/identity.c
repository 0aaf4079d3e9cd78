/* identity.c - what is the worker's alone, and what it must not touch or leave behind: cases 54 to 57.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fault_identity.h"
#include "faults.h"

#include <fcntl.h>
#include <fenv.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ITEMS 40

/* ---- a function, its file, its jobs ---- */

static char file_path[128];

static void file_made(void) {
    snprintf(file_path, sizeof file_path, "%s/mapengine-identity-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    int fd = mkstemp(file_path);
    assert_true(fd >= 0);
    close(fd);
}

/** Its bytes; "" when there are none. Then it is removed. */
static const char *file_taken(void) {
    static char text[4096];
    int fd = open(file_path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    close(fd);
    unlink(file_path);
    return text;
}

static struct estranged_plan estranged_plan_of(uint32_t setup_way, uint32_t cleanup_way) {
    struct estranged_plan plan;
    memset(&plan, 0, sizeof plan);
    snprintf(plan.path, sizeof plan.path, "%s", shared_path());
    memcpy(plan.file, file_path, sizeof plan.file);
    plan.setup_way = setup_way;
    plan.cleanup_way = cleanup_way;
    return plan;
}

enum form { FORM_RUN, FORM_EACH, FORM_ALL };

static mape_function_id estranged(mape_pool *pool, enum form form, uint32_t setup_way, uint32_t cleanup_way) {
    struct estranged_plan plan = estranged_plan_of(setup_way, cleanup_way);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    if (form == FORM_RUN) description.run = run_estranged;
    if (form == FORM_EACH) description.run_range = run_estranged_each;
    if (form == FORM_ALL) description.run_range = run_estranged_all;
    description.setup = setup_estranged;
    description.cleanup = cleanup_estranged;
    description.data = &plan;
    description.data_size = sizeof plan;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

/** Items of which every seventh goes the way, from the fourth on. */
static struct fault_item *some_go(uint32_t way) {
    struct fault_item *items = well_items(ITEMS);
    for (uint64_t i = 3; i < ITEMS; i += 7) items[i].way = way;
    return items;
}

static void squares_stand(struct work *work) {
    for (uint64_t i = 0; i < work->count; i++) {
        uint64_t square = i * i;
        result_is(work->job, i, &square, sizeof square);
    }
}

/** Each item was begun so often, and none by another process than a worker. */
static void begun_once_each(uint64_t times) {
    for (uint64_t i = 0; i < ITEMS; i++) assert_int_equal(atomic_load(&shared_page()->order[i]), times);
    assert_int_equal(atomic_load(&shared_page()->spawned), 0);
}

/** Whether the pool has said something like this. */
static bool was_told(mape_pool *pool, const char *text) {
    for (;;) {
        mape_event event = MAPE_EVENT_INIT;
        if (mape_pool_next_event(&event, pool, 0) != MAPE_OK) return false;
        if (event.type == MAPE_EVENT_LOG && strstr(event.text, text) != NULL) return true;
    }
}

/* ---- case 54 ---- */

static void children_in(const struct row *row, enum form form) {
    mape_pool *pool = row_pool();
    const uint64_t died = stats_of(pool).workers_died;
    struct work work = work_begun(pool, estranged(pool, form, 0, 0), some_go(row->fault->value), ITEMS, NULL);
    work_wait(&work);
    squares_stand(&work);
    begun_once_each(1);
    pool_works(pool);
    squares_stand(&work); /* Nobody has written since. */
    begun_once_each(1);
    assert_int_equal(stats_of(pool).workers_died, died);
    work_end(&work);
}

static void child_in_an_item(const struct row *row) { children_in(row, FORM_RUN); }
static void child_in_an_item_of_a_range(const struct row *row) { children_in(row, FORM_EACH); }
static void child_in_a_whole_range(const struct row *row) { children_in(row, FORM_ALL); }

static void child_in_a_setup(const struct row *row) {
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = estranged(pool, FORM_RUN, row->fault->value, row->fault->value);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct work work = work_begun(pool, function, well_items(ITEMS), ITEMS, NULL);
    work_wait(&work);
    squares_stand(&work);
    begun_once_each(1);
    assert_int_equal(atomic_load(&shared_page()->setups), row->workers);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_int_equal(atomic_load(&shared_page()->cleanups), row->workers);
    squares_stand(&work);
    work_end(&work);
}

/** It runs in its parent's memory: whose item it is, only the kernel can tell, and the worker is lost with it. */
static void child_of_vfork(const struct row *row) {
    mape_pool *pool = row_pool();
    struct fault_item *items = some_go(CHILD_OF_VFORK);
    mape_job *job =
        mapped(pool, estranged(pool, (enum form)row->fault->value, 0, 0), items, ITEMS, sizeof *items, NULL);
    stage("waiting for children of vfork");
    is_ok(pool, mape_job_wait(job, 2 * PATIENCE));
    for (uint64_t i = 0; i < ITEMS; i++) {
        uint64_t square = i * i;
        if (items[i].way == CHILD_OF_VFORK) result_ended(job, i, KILLED.state, KILLED.cause, KILLED.code);
        else result_is(job, i, &square, sizeof square);
    }
    assert_true(was_told(pool, "vfork"));
    is_ok(pool, mape_job_release(job));
    free(items);
    pool_works(pool);
}

static void typed_child(const struct row *row) {
    mape_pool *pool = row_pool();
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    mape_job *job = NULL;
    int vforks = row->fault->value == CHILD_OF_VFORK;
    description.library = "libc.so.6";
    description.prototype = vforks ? "int vfork(void)" : "int fork(void)";
    is_ok(pool, mape_function_register(&function, pool, &description));
    const uint64_t count = vforks ? 5 : ITEMS;
    is_ok(pool, mape_map_columns(&job, pool, function, count, NULL, 0, NULL));
    stage("waiting for typed calls");
    is_ok(pool, mape_job_wait(job, 2 * PATIENCE));
    for (uint64_t i = 0; i < count; i++) {
        mape_result result = result_of(job, i);
        if (vforks) {
            result_ended(job, i, KILLED.state, KILLED.cause, KILLED.code);
            continue;
        }
        assert_int_equal(result.state, MAPE_ITEM_OK);
        assert_int_equal(result.size, sizeof(int));
        assert_true(*(const int *)result.data > 0); /* The parent's answer, never the child's. */
    }
    is_ok(pool, mape_job_release(job));
    pool_works(pool);
}

/* ---- case 55 ---- */

/** Jobs after jobs, each with its wait: a host that sleeps is woken. */
static void descriptors_in_items(const struct row *row) {
    if (file_path[0] == '\0') file_made();
    mape_pool *pool = row_pool();
    mape_function_id function = estranged(pool, FORM_RUN, 0, 0);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    for (int round = 0; round < 3; round++) {
        struct work work = work_begun(pool, function, some_go(row->fault->value), ITEMS, &config);
        work_wait(&work);
        squares_stand(&work);
        begun_once_each((uint64_t)round + 1);
        work_end(&work);
        for (uint64_t value = 50; value < 55; value++) { /* The host sleeps before each. */
            struct fault_item item = {value, row->fault->value, 0};
            uint64_t square = value * value;
            for (int nap = 0; nap < 5; nap++) short_nap();
            mape_job *job = applied(pool, function, &item, sizeof item);
            stage("waiting for an item that closes descriptors");
            is_ok(pool, mape_job_wait(job, PATIENCE));
            result_is(job, 0, &square, sizeof square);
            is_ok(pool, mape_job_release(job));
        }
    }
    pool_works(pool);
    assert_string_equal(file_taken(), ""); /* None of our bytes. */
}

static void descriptors_in_the_sandbox(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_function_id function = registered(pool, run_closes_all);
    for (uint64_t value = 0; value < 20; value++) {
        uint64_t square = value * value;
        for (int nap = 0; nap < 5; nap++) short_nap();
        mape_job *job = applied(pool, function, &value, sizeof value);
        stage("waiting for an item that closes descriptors");
        is_ok(pool, mape_job_wait(job, PATIENCE));
        result_is(job, 0, &square, sizeof square);
        is_ok(pool, mape_job_release(job));
    }
    pool_works(pool);
}

static void descriptors_in_a_setup(const struct row *row) {
    file_made();
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = estranged(pool, FORM_RUN, row->fault->value, 0);
    const int status = mape_pool_start(pool, PATIENCE);
    assert_true(status == MAPE_OK || status == MAPE_E_SETUP);
    struct work work = work_begun(pool, function, well_items(ITEMS), ITEMS, NULL);
    work_wait(&work);
    for (uint64_t i = 0; i < ITEMS; i++) {
        mape_result result = result_of(work.job, i);
        assert_int_equal(result.state, MAPE_ITEM_FAILED);
        assert_int_equal(result.cause, MAPE_CAUSE_SETUP);
        assert_non_null(strstr(result.message, "descriptors"));
    }
    work_end(&work);
    pool_works(pool);
    assert_string_equal(file_taken(), "");
}

static void descriptors_in_a_cleanup(const struct row *row) {
    file_made();
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = estranged(pool, FORM_RUN, 0, row->fault->value);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct work work = work_begun(pool, function, well_items(ITEMS), ITEMS, NULL);
    work_wait(&work);
    squares_stand(&work);
    const int status = mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE);
    assert_true(status == MAPE_OK);
    assert_int_equal(atomic_load(&shared_page()->cleanups), row->workers);
    squares_stand(&work);
    work_end(&work);
    assert_string_equal(file_taken(), "");
}

static void captured(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->output = MAPE_OUTPUT_CAPTURE;
}

static void sandboxed(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->sandbox = MAPE_SANDBOX_COMPUTE;
}

/* ---- case 56 ---- */

#define LINES "first line\nsecond line\n"

static pid_t host_pid;
static FILE *document, *unread;

/** What a host or zygote program does at its end; in workers it is nobody's to do. */
static void at_the_end(void) {
    if (getpid() != host_pid) atomic_fetch_add(&shared_page()->spawned, 1);
}

static void at_a_quick_end(void) { at_the_end(); }

static char document_path[160];

/** A host with unwritten data, with a stream half read, and with things to do at its end. */
static void host_with_streams(void) {
    shared_page();
    host_pid = getpid();
    atexit(at_the_end);
    at_quick_exit(at_a_quick_end);
    snprintf(document_path, sizeof document_path, "%s.host", file_path);
    document = fopen(document_path, "we");
    assert_non_null(document);
    fputs(LINES, document);
    unread = fopen("/proc/self/exe", "re");
    assert_int_not_equal(fgetc(unread), EOF);
    fcntl(fileno(document), F_SETFD, 0); /* Workers have both. */
    fcntl(fileno(unread), F_SETFD, 0);
}

static void host_streams_stand(void) {
    assert_int_equal(lseek(fileno(unread), 0, SEEK_CUR) > 1, 1);
    fclose(unread);
    struct stat file;
    assert_int_equal(fstat(fileno(document), &file), 0);
    assert_int_equal(file.st_size, 0); /* Still the host's to write. */
    assert_int_equal(fclose(document), 0);
    char text[200] = "";
    FILE *again = fopen(document_path, "re");
    text[fread(text, 1, sizeof text - 1, again)] = '\0';
    fclose(again);
    unlink(document_path);
    assert_string_equal(text, LINES);
    assert_int_equal(atomic_load(&shared_page()->spawned), 0);
}

static const struct {
    uint32_t way;
    int code; /* -1: goes well. */
} ends[] = {
    {ENDS_EXIT, 5},    {ENDS_QUICK_EXIT, 6},     {ENDS_THREAD, 0},  {ENDS_THREAD_OF_TWO, 0}, {ENDS_EXIT_IN_THREAD, 33},
    {FLUSHES_ALL, -1}, {CLOSES_ALL_STREAMS, -1}, {CHILD_EXITS, -1},
};

/** The way the host's streams and handlers would be run by a worker that exits. */
static void ends_in_items(const struct row *row) {
    file_made();
    host_with_streams();
    mape_pool *pool = row_pool();
    int code = -1;
    for (size_t i = 0; i < COUNT(ends); i++)
        if (ends[i].way == row->fault->value) code = ends[i].code;
    const off_t place = lseek(fileno(unread), 0, SEEK_CUR);
    struct work work = work_begun(pool, estranged(pool, FORM_RUN, 0, 0), some_go(row->fault->value), ITEMS, NULL);
    work_wait(&work);
    int exited = 0;
    for (uint64_t i = 0; i < ITEMS; i++) {
        uint64_t square = i * i;
        if (work.items[i].way != 0 && code >= 0) {
            result_ended(work.job, i, MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, code);
            exited++;
        } else result_is(work.job, i, &square, sizeof square);
    }
    work_end(&work);
    pool_works(pool);
    pool_close(pool);
    row_pool_gone();
    assert_int_equal(lseek(fileno(unread), 0, SEEK_CUR), place);
    host_streams_stand();
    const char *own = file_taken(); /* What the function wrote itself is there. */
    if (row->fault->value == ENDS_EXIT) assert_int_equal(strlen(own), 4 * exited);
}

/** A setup that exits, again and again: the function is given up, and the host's affairs stay its own. */
static void ends_in_a_setup(const struct row *row) {
    file_made();
    host_with_streams();
    mape_pool *pool = row_pool();
    struct work work =
        work_begun(pool, estranged(pool, FORM_RUN, row->fault->value, 0), well_items(ITEMS), ITEMS, NULL);
    work_wait(&work);
    for (uint64_t i = 0; i < ITEMS; i++) {
        assert_int_equal(result_of(work.job, i).state, MAPE_ITEM_FAILED);
        assert_int_equal(result_of(work.job, i).cause, MAPE_CAUSE_SETUP);
    }
    work_end(&work);
    pool_works(pool);
    pool_close(pool);
    row_pool_gone();
    host_streams_stand();
    file_taken();
}

/** Nothing waits for a stream that a thread of the worker has locked. */
static void ends_with_a_reader(const struct row *row) {
    file_made();
    mape_pool *pool = row_pool();
    struct work work = work_begun(pool, estranged(pool, FORM_RUN, 0, 0), some_go(row->fault->value), ITEMS, NULL);
    work_wait(&work);
    squares_stand(&work);
    for (int nap = 0; nap < 20; nap++) short_nap();
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_int_equal(stats_of(pool).workers_killed, 0);
    work_end(&work);
    file_taken();
}

static void with_zygote_of_its_own(mape_pool_config *config, const struct row *row) {
    static char setting[200];
    static const char *settings[] = {setting, NULL};
    (void)row;
    file_made();
    snprintf(setting, sizeof setting, "FAULT_ZYGOTE_FILE=%s.zygote", file_path);
    config->env_set = settings;
    config->zygote_path = FAULT_ZYGOTE;
}

/** What the zygote program has not written when it becomes the zygote is written once, and its handlers run nowhere. */
static void ends_with_a_zygote_program(const struct row *row) {
    mape_pool *pool = row_pool();
    char text[400] = "";
    struct fault_item *items = some_go(row->fault->value);
    mape_job *job = mapped(pool, estranged(pool, FORM_RUN, 0, 0), items, ITEMS, sizeof *items, NULL);
    wait_for(job);
    for (uint64_t i = 0; i < ITEMS; i++)
        assert_int_equal(result_of(job, i).state, items[i].way != 0 ? MAPE_ITEM_CRASHED : MAPE_ITEM_OK);
    free(items);
    pool_close(pool);
    row_pool_gone();
    file_taken();
    strcat(file_path, ".zygote");
    snprintf(text, sizeof text, "%s", file_taken());
    assert_string_equal(text, "line\n");
}

/* ---- case 57 ---- */

static struct found look(mape_pool *pool, mape_function_id finds, uint32_t sleeps) {
    struct found found;
    mape_job *job = applied(pool, finds, &sleeps, sizeof sleeps);
    stage("waiting for a look");
    is_ok(pool, mape_job_wait(job, PATIENCE));
    mape_result result = result_of(job, 0);
    if (result.state != MAPE_ITEM_OK) fail_msg("the look ended with state %u: %s", result.state, result.message);
    assert_int_equal(result.size, sizeof found);
    memcpy(&found, result.data, sizeof found);
    is_ok(pool, mape_job_release(job));
    return found;
}

static void same(const struct found *now, const struct found *before, const char *whose) {
#define SAME(field)                                                                                                    \
    if (memcmp(&now->field, &before->field, sizeof now->field) != 0) fail_msg("%s finds another " #field, whose)
    SAME(rounding);
    SAME(flushes);
    SAME(flags);
    SAME(traps);
    SAME(x87);
    SAME(sum);
    SAME(mask);
    SAME(ignored);
    SAME(handled);
    SAME(has_stack);
    SAME(slept);
    SAME(folder);
    SAME(umask);
    SAME(locale);
    SAME(thread_locale);
    SAME(file_limit);
    SAME(descriptor_limit);
    SAME(descriptor_hard);
    SAME(cpu_limit);
    SAME(priority);
    SAME(processors);
    SAME(leads_group);
    SAME(death_signal);
    SAME(subreaper);
    SAME(child_status);
    SAME(stdout_file);
    SAME(stdout_number);
    SAME(user);
    SAME(root);
}

static void left(mape_pool *pool, mape_function_id leaves, uint32_t what) {
    mape_job *job = applied(pool, leaves, &what, sizeof what);
    wait_for(job);
    mape_result result = result_of(job, 0);
    if (result.state != MAPE_ITEM_OK) fail_msg("nothing was left behind: %s", result.message);
    is_ok(pool, mape_job_release(job));
}

/** Long enough for a worker that waits to have looked ahead at what the next function will find; too short for it to go to sleep. */
static void pause_between_calls(void) {
    for (int64_t begun = now_ns(); now_ns() - begun < 20000;) continue;
}

/** A function finds the process as its setup left it, whatever another has left; and nothing of that strikes it. */
static void left_behind(const struct row *row) {
    const uint32_t what = row->fault->value;
    if (geteuid() != 0 && (what == LEAVE_USER || what == LEAVE_ROOT)) row_skip("only root can leave that behind");
    mape_pool *pool = row_pool();
    mape_function_id leaves = registered(pool, run_leaves), finds = registered(pool, run_finds);
    mape_function_id own = 0, dies = registered(pool, run_segfaults);
    const bool sleeps = what == LEAVE_ALARM || what == LEAVE_TIMERS || what == LEAVE_POSIX_TIMER;
    struct found before = look(pool, finds, sleeps);
    for (int round = 0; round < 4; round++) {
        if (round >= 2) pause_between_calls();
        left(pool, leaves, what);
        if (round >= 2) pause_between_calls();
        struct found now = look(pool, finds, sleeps);
        same(&now, &before, "another function");
    }
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_finds;
    description.setup = setup_its_own;
    is_ok(pool, mape_function_register(&own, pool, &description));
    struct found own_before = look(pool, own, sleeps), still = look(pool, finds, sleeps);
    same(&still, &before, "another function, after a setup");
    assert_int_equal(own_before.rounding, FE_UPWARD);
    assert_int_equal(own_before.umask, 027);
    assert_string_equal(own_before.folder, "/usr");
    left(pool, leaves, what);
    struct found now = look(pool, own, sleeps);
    same(&now, &own_before, "one with a setup");
    left(pool, leaves, what);
    /* And a crash is a crash, told as ever. */
    uint32_t nothing = 0;
    mape_job *job = applied(pool, dies, &nothing, sizeof nothing);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    assert_non_null(strstr(result_of(job, 0).message, "run_segfaults"));
    is_ok(pool, mape_job_release(job));
    pool_works(pool);
}

/** Timers of a function that has ended its items end no idle worker. */
static void idle_with_timers(const struct row *row) {
    mape_pool *pool = row_pool();
    const uint32_t what = row->fault->value;
    mape_job *job = applied(pool, registered(pool, run_leaves), &what, sizeof what);
    wait_for(job);
    is_ok(pool, mape_job_release(job));
    for (int64_t begun = now_ns(); now_ns() - begun < MAPE_MILLISECONDS(1300);) short_nap();
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_works(pool);
}

#define CHILD(text, way)                                                                                               \
    { 54, text, child_in_an_item, BIRTHS, W1 | W2 | W5, 0, way, NULL, 0 }
#define LEFT(text, what)                                                                                               \
    { 57, text, left_behind, BIRTHS, W1, 0, what, NULL, 0 }
#define CLOSED(text, way)                                                                                              \
    { 55, text, descriptors_in_items, BIRTHS, W1 | W2, 0, way, NULL, 0 }
#define ENDED(text, way)                                                                                               \
    { 56, text, ends_in_items, BIRTHS, W1 | W2, 0, way, NULL, 0 }

static const struct fault identity[] = {
    CHILD("in an item, waited for", CHILD_COMES_BACK),
    CHILD("in an item, not waited for", CHILD_COMES_BACK_LATE),
    CHILD("in an item, with memory everywhere", CHILD_COMES_BACK_MAPPED),
    CHILD("in an item, without the C library", CHILD_OF_KERNEL),
    CHILD("in a thread of an item", CHILD_OF_THREAD),
    CHILD("writes into the result", CHILD_WRITES),
    CHILD("crashes", CHILD_CRASHES),
    CHILD("helps, and ends as it should", CHILD_HELPS),
    CHILD("by system, popen, posix_spawn", CHILD_BY_SYSTEM),
    {54, "in an item of a range", child_in_an_item_of_a_range, BIRTHS, W1 | W2, 0, CHILD_COMES_BACK, NULL, 0},
    {54, "in a whole range", child_in_a_whole_range, BIRTHS, W1 | W2, 0, CHILD_COMES_BACK, NULL, 0},
    {54, "in a setup and a cleanup", child_in_a_setup, BIRTHS, W1 | W2, 0, CHILD_COMES_BACK, NULL, 0},
    {54, "of vfork, in an item", child_of_vfork, BIRTHS, W1 | W2, 0, FORM_RUN, NULL, 0},
    {54, "of vfork, in an item of a range", child_of_vfork, BIRTHS, W1 | W2, 0, FORM_EACH, NULL, 0},
    {54, "in a typed function: int fork(void)", typed_child, BIRTHS, W1 | W2, 0, CHILD_COMES_BACK, NULL, 0},
    {54, "in a typed function: int vfork(void)", typed_child, BIRTHS, W1 | W2, 0, CHILD_OF_VFORK, NULL, 0},
    CLOSED("3 to 1023", CLOSES_UP_TO_1023),
    CLOSED("all from 3 on", CLOSES_RANGE),
    CLOSED("all, standard files as well", CLOSES_ALL),
    CLOSED("all covered by a file of its own", COVERS_ALL),
    CLOSED("numbers that were others'", CLOSES_TWICE),
    {55, "all, with captured output", descriptors_in_items, BIRTHS, W1 | W2, 0, CLOSES_ALL, captured, 0},
    {55, "all, in the sandbox", descriptors_in_the_sandbox, BIRTHS, W1 | W2, 0, 0, sandboxed, 0},
    {55, "all, in a setup", descriptors_in_a_setup, BIRTHS, W1 | W2, 0, CLOSES_RANGE, NULL, 0},
    {55, "all covered, in a setup", descriptors_in_a_setup, BIRTHS, W1, 0, COVERS_ALL, NULL, 0},
    {55, "all, in a cleanup", descriptors_in_a_cleanup, BIRTHS, W1 | W2, 0, CLOSES_RANGE, NULL, 0},
    ENDED("exit", ENDS_EXIT),
    ENDED("quick_exit", ENDS_QUICK_EXIT),
    ENDED("pthread_exit", ENDS_THREAD),
    ENDED("pthread_exit, with another thread", ENDS_THREAD_OF_TWO),
    ENDED("exit in another thread", ENDS_EXIT_IN_THREAD),
    ENDED("fflush(NULL)", FLUSHES_ALL),
    ENDED("fcloseall", CLOSES_ALL_STREAMS),
    ENDED("exit in a child", CHILD_EXITS),
    {56, "exit in a setup", ends_in_a_setup, BIRTHS, W1 | W2, 0, ENDS_EXIT, NULL, 0},
    {56, "asked to, with a thread that reads", ends_with_a_reader, BIRTHS, W1 | W2, 0, THREAD_READS, NULL, 0},
    {56, "exit, with a zygote program of the host's own", ends_with_a_zygote_program, IN_EXEC, W1 | W2, 0, ENDS_EXIT,
     with_zygote_of_its_own, 0},
    {56, "quick_exit, with a zygote program of the host's own", ends_with_a_zygote_program, IN_EXEC, W1 | W2, 0,
     ENDS_QUICK_EXIT, with_zygote_of_its_own, 0},
    LEFT("rounding", LEAVE_ROUNDING),
    LEFT("denormals are zero", LEAVE_FLUSHING),
    LEFT("floating-point traps", LEAVE_TRAPS),
    LEFT("x87 precision", LEAVE_X87),
    LEFT("MMX registers in use", LEAVE_MMX),
    LEFT("floating-point flags", LEAVE_FLAGS),
    LEFT("blocked signals", LEAVE_MASK),
    LEFT("blocked signals that wait", LEAVE_PENDING),
    LEFT("ignored signals", LEAVE_IGNORED),
    LEFT("signal handlers", LEAVE_HANDLERS),
    LEFT("an alternate stack that is gone", LEAVE_STACK),
    LEFT("an alarm", LEAVE_ALARM),
    LEFT("interval timers", LEAVE_TIMERS),
    LEFT("a POSIX timer", LEAVE_POSIX_TIMER),
    LEFT("the folder", LEAVE_FOLDER),
    LEFT("the umask", LEAVE_UMASK),
    LEFT("the locale", LEAVE_LOCALE),
    LEFT("the thread's locale", LEAVE_THREAD_LOCALE),
    LEFT("limits", LEAVE_LIMITS),
    LEFT("limits for good", LEAVE_HARD_LIMITS),
    LEFT("the priority", LEAVE_PRIORITY),
    LEFT("the processors", LEAVE_PROCESSORS),
    LEFT("the process group", LEAVE_GROUP),
    LEFT("the parent-death signal", LEAVE_DEATH_SIGNAL),
    LEFT("standard output elsewhere", LEAVE_STDOUT),
    LEFT("standard output closed", LEAVE_NO_STDOUT),
    LEFT("another user", LEAVE_USER),
    LEFT("another root", LEAVE_ROOT),
    {57, "an alarm, and nothing to do", idle_with_timers, BIRTHS, W1, 0, LEAVE_ALARM, NULL, 0},
    {57, "a POSIX timer, and nothing to do", idle_with_timers, BIRTHS, W1, 0, LEAVE_POSIX_TIMER, NULL, 0},
};
TABLE(identity);
