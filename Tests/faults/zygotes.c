/* zygotes.c - deaths of the zygote that blame nobody, what a pool promises after one, and zygote programs with threads. Cases 60 to 62;
 * rows of other cases that are run once more for the latter two are chosen in harness.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

/* ---- case 60 ---- */

/** The zygote dies once or twice while a range function that does not say which item it is on holds ranges of `value` items. */
static void in_whole_ranges(const struct row *row) {
    struct shared *shared = shared_page();
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = row->fault->value;
    struct fault_item *items = well_items(40);
    for (uint64_t i = 0; i < 40; i++) items[i].way = FAULT_GATE;
    struct work work = work_begun(pool, planned_range(pool, NULL, run_planned_whole), items, 40, &config);
    for (int deaths = 0; deaths < 2; deaths++) { /* A third one would be counted against the items. */
        wait_until(atomic_load(&shared->entered) >= row->workers);
        atomic_store(&shared->entered, 0);
        uint64_t zygotes = stats_of(pool).zygotes_started;
        kill_process(stats_of(pool).zygote_pid);
        wait_until(stats_of(pool).zygotes_started == zygotes + 1);
    }
    atomic_store(&shared->gate, 1);
    work_wait(&work);
    work_check(&work, KILLED, 0);
    for (uint64_t i = 0; i < 40; i++) assert_int_equal(result_of(work.job, i).attempts, 1);
    work_end(&work);
    pool_works(pool);
}

/** Ranges that wait in their workers' inboxes have nothing to do with it, however often it comes. */
static void not_begun(const struct row *row) {
    struct shared *shared = shared_page();
    struct plan plan = plan_of();
    mape_pool *pool = row_pool();
    mape_function_id gated = planned(pool, &plan), function = registered(pool, run_square);
    for (int deaths = 0; deaths < 6; deaths++) {
        atomic_store(&shared->gate, 0);
        atomic_store(&shared->entered, 0);
        struct fault_item *blocks = well_items(row->workers);
        for (uint64_t i = 0; i < row->workers; i++) blocks[i].way = FAULT_GATE;
        struct work before = work_begun(pool, gated, blocks, row->workers, NULL);
        wait_until(atomic_load(&shared->entered) == row->workers);
        uint64_t *values = numbers(64);
        mape_job *job = mapped(pool, function, values, 64, sizeof *values, NULL);
        zygote_replaced(pool);
        atomic_store(&shared->gate, 1);
        work_wait(&before);
        work_check(&before, KILLED, 1);
        work_end(&before);
        wait_for(job);
        squares_are_right(job, values, 64);
        is_ok(pool, mape_job_release(job));
        free(values);
    }
}

/** The item that kills the zygote is found in the end, and ends alone; nobody else is blamed. */
static void by_an_item_of_a_range(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 8;
    struct fault_item *items = well_items(8);
    items[5].way = FAULT_KILL_ZYGOTE;
    struct work work = work_begun(pool, planned_range(pool, NULL, run_planned_whole), items, 8, &config);
    work_wait(&work);
    work_check(&work, KILLED, 1);
    row_note("%llu zygotes", (unsigned long long)stats_of(pool).zygotes_started);
    work_end(&work);
    pool_works(pool);
}

/* ---- case 61 ---- */

static const char *const two_modules[] = {"libutil.so.1", "libload_well.so", NULL};
static char crash_folder[64];

static void with_settings(mape_pool_config *config, const struct row *row) {
    (void)row;
    static const char *const set[] = {"FAULT_SETTING=as set", NULL}, *const unset[] = {"HOME", NULL};
    static const char *modules[2];
    static char module[4096];
    snprintf(module, sizeof module, "%s/%s", FAULT_LIBRARIES, two_modules[1]);
    modules[0] = module;
    snprintf(crash_folder, sizeof crash_folder, "/tmp/mape-faults-XXXXXX");
    assert_non_null(mkdtemp(crash_folder));
    config->output = MAPE_OUTPUT_CAPTURE;
    config->modules = modules;
    config->env_set = set, config->env_unset = unset;
    config->memory_limit = (uint64_t)512 << 20;
    config->nice = 3;
    config->crash_dir = crash_folder;
    config->grace_ns = MAPE_MILLISECONDS(400);
}

static void answers(mape_pool *pool, mape_function_id function, const char *input, const void *bytes, size_t size) {
    mape_job *job = applied(pool, function, input, strlen(input));
    wait_for(job);
    result_is(job, 0, bytes, size);
    is_ok(pool, mape_job_release(job));
}

/** Settings of the pool, data of functions, globals and buffers: workers of the new zygote have them all. */
static void surroundings(const struct row *row) {
    mape_pool *pool = row_pool_unstarted();
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id with_data = 0;
    description.run = run_echo_state, description.setup = setup_copies_data;
    description.data = "baked in", description.data_size = 8;
    is_ok(pool, mape_function_register(&with_data, pool, &description));
    mape_function_id global = registered(pool, run_global), variable = registered(pool, run_environment),
                     module = registered(pool, run_has_module), memory = registered(pool, run_allocate),
                     describe = registered(pool, run_describe), print = registered(pool, run_print);
    is_ok(pool, mape_pool_set_global(pool, "early", "set before", 10));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_buffer *buffer = NULL;
    void *data = NULL;
    is_ok(pool, mape_buffer_create(&buffer, pool, 3000 * sizeof(uint64_t)));
    is_ok(pool, mape_buffer_data(&data, NULL, buffer));
    for (uint64_t i = 0; i < 3000; i++) ((uint64_t *)data)[i] = i * 7;

    zygote_replaced(pool);

    answers(pool, with_data, "", "baked in", 8);
    answers(pool, global, "early", "set before", 10);
    is_ok(pool, mape_pool_set_global(pool, "late", "set after", 9));
    answers(pool, global, "late", "set after", 9);
    answers(pool, variable, "FAULT_SETTING", "as set", 6);
    mape_job *job = applied(pool, variable, "HOME", 4);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, 4);
    is_ok(pool, mape_job_release(job));
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", FAULT_LIBRARIES, two_modules[1]);
    answers(pool, module, path, "\1", 1);
    uint64_t bytes = (uint64_t)1 << 30;
    job = applied(pool, memory, &bytes, sizeof bytes);
    wait_for(job);
    result_is(job, 0, "\0", 1); /* Above the memory limit. */
    is_ok(pool, mape_job_release(job));
    job = applied(pool, describe, "", 0);
    wait_for(job);
    const struct view *view = result_of(job, 0).data;
    const int nicer = getpriority(PRIO_PROCESS, 0) + 3; /* 19 is the last. */
    assert_int_equal(view->nice_value, nicer < 19 ? nicer : 19);
    assert_int_equal(view->handled, 0);
    is_ok(pool, mape_job_release(job));
    job = mapped(pool, registered(pool, run_square), data, 3000, sizeof(uint64_t), NULL);
    wait_for(job);
    squares_are_right(job, data, 3000);
    is_ok(pool, mape_job_release(job));
    is_ok(pool, mape_buffer_release(buffer));

    job = applied(pool, print, "hello", 5);
    wait_for(job);
    bool out = false, err = false;
    for (int64_t begun = now_ns(); !(out && err);) {
        mape_event event = MAPE_EVENT_INIT;
        if (now_ns() - begun > PATIENCE) fail_msg("the output never came");
        if (mape_pool_next_event(&event, pool, MAPE_MILLISECONDS(100)) != MAPE_OK || event.type != MAPE_EVENT_OUTPUT)
            continue;
        out |= strstr(event.text, "out:hello") != NULL;
        err |= strstr(event.text, "err:hello") != NULL;
    }
    is_ok(pool, mape_job_release(job));
    (void)row;

    stage("a crash file");
    struct fault_item item = {7, WAY_SEGFAULT, 0};
    struct work work = work_begun(pool, planned(pool, NULL), well_items(1), 1, NULL);
    work_wait(&work);
    work_end(&work);
    job = applied(pool, registered(pool, run_fault), &item, sizeof item);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    mape_crash crash = MAPE_CRASH_INIT;
    is_ok(pool, mape_job_crash(&crash, job, 0));
    assert_true(crash.frames > 0);
    is_ok(pool, mape_job_release(job));
    char saved[400] = "";
    for (int64_t begun = now_ns(); saved[0] == '\0'; short_nap()) {
        if (now_ns() - begun > PATIENCE) fail_msg("no crash file was made");
        DIR *folder = opendir(crash_folder);
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
            if (strstr(entry->d_name, ".crash") != NULL)
                snprintf(saved, sizeof saved, "%s/%s", crash_folder, entry->d_name);
        closedir(folder);
    }
    unlink(saved), rmdir(crash_folder);
    pool_works(pool);
}

/** A stream goes on over deaths of its zygote; so do jobs with callbacks. */
static void a_stream(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    config.ordered = 1, config.window = 64;
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, registered(pool, run_square), &config));
    uint64_t pushed = 0, heard = 0, zygotes = stats_of(pool).zygotes_started;
    bool done = false;
    for (int64_t begun = now_ns(); !done;) {
        if (now_ns() - begun > 2 * PATIENCE) fail_msg("the stream stands still at %llu", (unsigned long long)heard);
        mape_span span = {&pushed, sizeof pushed};
        while (pushed < 3000 && mape_stream_push(NULL, stream, &span, 1) == MAPE_OK)
            if (++pushed == 3000) is_ok(pool, mape_stream_finish(stream));
        mape_event event = MAPE_EVENT_INIT;
        if (mape_pool_next_event(&event, pool, MAPE_MILLISECONDS(100)) != MAPE_OK || event.job != stream) continue;
        done = event.type == MAPE_EVENT_DONE;
        if (event.type != MAPE_EVENT_ITEM) continue;
        uint64_t square = heard * heard;
        assert_int_equal(event.index, heard);
        assert_int_equal(event.result.state, MAPE_ITEM_OK);
        assert_memory_equal(event.result.data, &square, sizeof square);
        heard++;
        if (heard == 1000 || heard == 2000) {
            kill_process(stats_of(pool).zygote_pid);
            zygotes++;
            wait_until(stats_of(pool).zygotes_started == zygotes);
        }
    }
    assert_int_equal(heard, 3000);
    is_ok(pool, mape_job_release(stream));
}

/** Typed functions, and pointers to them. */
static void typed_functions(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool_unstarted();
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.library = "libm.so.6", description.prototype = "double hypot(double x, double y)";
    is_ok(pool, mape_function_register(&function, pool, &description));
    mape_native_fn proxy = NULL;
    is_ok(pool, mape_proxy_create(&proxy, pool, function, NULL, NULL, NULL));
    double (*hypotenuse)(double, double) = (double (*)(double, double))proxy;
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_true(hypotenuse(3, 4) == 5);
    zygote_replaced(pool);
    assert_true(hypotenuse(5, 12) == 13);
    double x[100], out[100];
    for (int i = 0; i < 100; i++) x[i] = i * 3;
    mape_column columns[2] = {MAPE_COLUMN_INIT, MAPE_COLUMN_INIT}, result = MAPE_COLUMN_INIT;
    double four = 0;
    columns[0].base = x, columns[0].stride = sizeof x[0];
    columns[1].base = &four;
    result.base = out, result.stride = sizeof out[0];
    mape_job *job = NULL;
    is_ok(pool, mape_map_columns(&job, pool, function, 100, columns, 2, NULL));
    wait_for(job);
    is_ok(pool, mape_job_gather_columns(&result, 1, NULL, job));
    for (int i = 0; i < 100; i++) assert_true(out[i] == i * 3);
    is_ok(pool, mape_job_release(job));
    is_ok(pool, mape_proxy_release(proxy));
}

/** A function whose library is not there, one without the symbol, and one whose setup fails, are told as ever. */
static void what_cannot_be_had(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    zygote_replaced(pool);
    const struct {
        const char *library, *symbol, *setup;
        uint32_t cause;
    } cases[] = {
        {"/nowhere/libnone.so", "run_square", NULL, MAPE_CAUSE_LOAD},
        {TEST_WORKERS, "run_no_such", NULL, MAPE_CAUSE_LOAD},
        {TEST_WORKERS, "run_square", "setup_fails", MAPE_CAUSE_SETUP},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id function = 0;
        description.library = cases[c].library, description.run_symbol = cases[c].symbol;
        description.setup_symbol = cases[c].setup;
        is_ok(pool, mape_function_register(&function, pool, &description));
        uint64_t value = 3;
        mape_job *job = applied(pool, function, &value, sizeof value);
        wait_for(job);
        assert_int_equal(result_of(job, 0).state, MAPE_ITEM_FAILED);
        assert_int_equal(result_of(job, 0).cause, cases[c].cause);
        is_ok(pool, mape_job_release(job));
    }
    zygote_replaced(pool);
    pool_works(pool);
}

static void spent_soon(mape_pool_config *config, const struct row *row) {
    if (row->fault->value == 1) config->items_per_worker = 7;
    else config->memory_growth = (uint64_t)16 << 20;
}

static void recycled(const struct row *row) {
    mape_pool *pool = row_pool();
    zygote_replaced(pool);
    uint64_t started = stats_of(pool).workers_started, died = stats_of(pool).workers_died;
    struct fault_item *items = well_items(100);
    for (uint64_t i = 0; i < 100 && row->fault->value == 2; i++) items[i].way = FAULT_LEAK;
    struct work work = work_begun(pool, planned(pool, NULL), items, 100, NULL);
    work_wait(&work);
    work_check(&work, KILLED, 1);
    work_end(&work);
    if (row->fault->value == 1) assert_true(stats_of(pool).workers_started >= started + 100 / 7 - row->workers);
    assert_int_equal(stats_of(pool).workers_died, died);
    pool_works(pool);
}

static void in_a_sandbox(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->sandbox = MAPE_SANDBOX_COMPUTE;
}

static void the_sandbox_holds(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    zygote_replaced(pool);
    struct attempt attempt = {.what = TRY_FORK, .host = getpid(), .folder = "/tmp"};
    mape_job *job = applied(pool, registered(pool, run_attempt), &attempt, sizeof attempt);
    wait_for(job);
    assert_int_equal(result_of(job, 0).state, MAPE_ITEM_OK);
    assert_int_not_equal(*(const int32_t *)result_of(job, 0).data, 0); /* The errno. */
    is_ok(pool, mape_job_release(job));
    pool_works(pool);
}

/* ---- case 62 ---- */

static void threaded(mape_pool_config *config, const struct row *row) {
    (void)row;
    static const char *const set[] = {"FAULT_THREADS=4", NULL};
    config->env_set = set;
    config->zygote_path = FAULT_ZYGOTE;
}

/** The host is told. */
static void it_is_told(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    for (int64_t begun = now_ns();;) {
        mape_event event = MAPE_EVENT_INIT;
        if (now_ns() - begun > PATIENCE) fail_msg("nothing was said of the zygote's threads");
        if (mape_pool_next_event(&event, pool, MAPE_MILLISECONDS(100)) != MAPE_OK || event.type != MAPE_EVENT_LOG)
            continue;
        if (event.code == MAPE_LOG_WARNING && strstr(event.text, "5 threads") != NULL) break;
    }
    pool_works(pool);
}

static const struct fault zygotes[] = {
    {60, "in ranges as a whole, of one item", in_whole_ranges, IN_EXEC, W_ALL, 0, 1, NULL, 120},
    {60, "in ranges as a whole, of 8 items", in_whole_ranges, IN_EXEC, W_ALL, 0, 8, NULL, 120},
    {60, "ranges that had not begun", not_begun, IN_EXEC, W_ALL, 0, 0, NULL, 120},
    {60, "killed by an item of a range", by_an_item_of_a_range, IN_EXEC, W1 | W2, 0, 0, NULL, 180},
    {61, "settings, data, globals, buffers, output, crash files", surroundings, IN_EXEC, W2, 0, 0, with_settings, 120},
    {61, "a stream", a_stream, IN_EXEC, W2, 0, 0, NULL, 120},
    {61, "typed functions and proxies", typed_functions, IN_EXEC, W2, 0, 0, NULL, 0},
    {61, "functions that cannot be had", what_cannot_be_had, IN_EXEC, W2, 0, 0, NULL, 0},
    {61, "recycling by items", recycled, IN_EXEC, W2, 0, 1, spent_soon, 0},
    {61, "recycling by growth", recycled, IN_EXEC, W2, 0, 2, spent_soon, 0},
    {61, "the sandbox", the_sandbox_holds, IN_EXEC, W2, 0, 0, in_a_sandbox, 0},
    {62, "a warning", it_is_told, IN_EXEC, W2, 0, 0, threaded, 0},
};
TABLE(zygotes);
