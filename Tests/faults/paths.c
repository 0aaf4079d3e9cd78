/* paths.c - files that are named from a folder that the host leaves, and names that are none. Case 72.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../abi/support_native.h"
#include "faults.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *const moves[] = {"relative", "odd", "renamed", "moved", "descriptor", "linked", "replaced", "gone"};

/** A process of its own, since it changes its folder, and opens the library itself: moving_host.c. */
static void moving_host(const struct row *row) {
    char birth[8];
    snprintf(birth, sizeof birth, "%u", row->birth);
    fflush(NULL);
    stage("waiting for moving_host %s", moves[row->fault->value]);
    pid_t host = fork();
    if (host == 0) {
        execl(MOVING_HOST, "moving_host", moves[row->fault->value], birth, FAULT_PREFIX, MOVING_PLUGIN, (char *)NULL);
        _exit(127);
    }
    int status = helper_ended(host);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/** The folder and last part of a path of the build. */
static const char *last_part(const char *path, char *folder) {
    const char *slash = strrchr(path, '/');
    assert_non_null(slash);
    snprintf(folder, 4096, "%.*s", (int)(slash - path), path);
    return slash + 1;
}

static void squares_in(mape_pool *pool, mape_function_id function) {
    int values[100], results[100];
    for (int i = 0; i < 100; i++) values[i] = i;
    mape_column in = column(values, sizeof(int)), out = column(results, sizeof(int));
    mape_job *job = called(pool, function, 100, &in, 1);
    gathered(pool, job, &out, 1, 0);
    for (int i = 0; i < 100; i++) assert_int_equal(results[i], i * i);
}

/** Each file of the settings by a relative path; the folder is another before they are used. */
static void relative_settings(const struct row *row) {
    char folder[4096], here[4096], named[4200], crashes[] = "crashes.XXXXXX", away[] = "/tmp/away.XXXXXX";
    mape_pool_config config = config_of(row->birth, row->workers);
    assert_non_null(getcwd(here, sizeof here));
    snprintf(named, sizeof named, "./%s", last_part(MOVING_PLUGIN, folder));
    const char *const modules[] = {named, "libm.so.6", NULL};
    assert_int_equal(chdir(folder), 0);
    assert_non_null(mkdtemp(crashes));
    char zygote[64] = "./fault_zygote"; /* By its name alone it is looked for in PATH. */
    config.modules = modules;
    config.crash_dir = crashes;
    if (row->birth == MAPE_START_EXEC) config.zygote_path = zygote;
    mape_pool *pool = pool_open_with(&config);
    memset(zygote, 'x', sizeof zygote - 1); /* Texts are copied. */
    mape_function_id square = typed_in(pool, "int moving_square(int x)", named);
    assert_non_null(mkdtemp(away));
    assert_int_equal(chdir(away), 0);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    squares_in(pool, square);
    if (row->birth == MAPE_START_EXEC) {
        uint64_t before = stats_of(pool).zygotes_started;
        kill_process(stats_of(pool).zygote_pid);
        wait_until(stats_of(pool).zygotes_started > before);
        is_ok(pool, mape_pool_start(pool, PATIENCE));
        squares_in(pool, square);
    }
    /* One that is named here is not there. */
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id none = 0;
    description.prototype = "int moving_square(int x)";
    description.library = named;
    is_ok(pool, mape_function_register(&none, pool, &description));
    int value = 3;
    mape_column in = column(&value, 0);
    mape_job *job = called(pool, none, 1, &in, 1);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
    assert_non_null(strstr(result_of(job, 0).message, away));
    is_ok(pool, mape_job_release(job));
    pool_works(pool);
    pool_close(pool);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(rmdir(crashes), 0);
    assert_int_equal(rmdir(away), 0);
    assert_int_equal(chdir(here), 0);
}

static void is_refused(mape_pool *pool, int status, const char *argument) {
    if (status != MAPE_E_ARGUMENT) fail_msg("%s: answered %d", argument, status);
    if (!strstr(message_of(pool), argument)) fail_msg("%s: \"%s\"", argument, message_of(pool));
}

/** "" as the name of a library is the zygote itself for dlopen(3). */
static void empty_names(const struct row *row) {
    const char *const empty[] = {"", NULL}, *const nothing[] = {NULL}, *const second[] = {"libm.so.6", "", NULL};
    mape_pool *none = NULL;
    mape_pool_config config;
#define with(field, value)                                                                                             \
    config = config_of(row->birth, row->workers);                                                                      \
    config.field = value;                                                                                              \
    is_refused(NULL, mape_pool_create(&none, &config), "config." #field);                                              \
    assert_null(none)
    with(zygote_path, "");
    with(crash_dir, "");
    with(modules, empty);
    with(modules, second);
    with(zygote_argv, nothing);
    with(env_set, empty);
    with(env_unset, empty);
#undef with
    mape_pool *pool = row_pool();
    const struct {
        const char *argument, *library, *prototype, *run, *run_range, *setup, *cleanup;
    } wrong[] = {
        {"function.library", "", NULL, "mape_version", NULL, NULL, NULL},
        {"function.library", "", "int abs(int x)", NULL, NULL, NULL, NULL},
        {"function.run_symbol", TEST_WORKERS, NULL, "", NULL, NULL, NULL},
        {"function.run_symbol", TEST_WORKERS, "int abs(int x)", "", NULL, NULL, NULL},
        {"function.run_range_symbol", TEST_WORKERS, NULL, NULL, "", NULL, NULL},
        {"function.setup_symbol", TEST_WORKERS, NULL, "run_square", NULL, "", NULL},
        {"function.cleanup_symbol", TEST_WORKERS, NULL, "run_square", NULL, NULL, ""},
    };
    uint64_t before = stats_of(pool).input_bytes;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        mape_function description = MAPE_FUNCTION_INIT;
        mape_function_id id = 7;
        description.library = wrong[i].library, description.prototype = wrong[i].prototype;
        description.run_symbol = wrong[i].run, description.run_range_symbol = wrong[i].run_range;
        description.setup_symbol = wrong[i].setup, description.cleanup_symbol = wrong[i].cleanup;
        is_refused(pool, mape_function_register(&id, pool, &description), wrong[i].argument);
        assert_int_equal(id, 0);
    }
    is_refused(pool, mape_pool_set_global(pool, "", "x", 1), "name");
    assert_int_equal(stats_of(pool).input_bytes, before);
    pool_works(pool);
}

static const struct fault paths[] = {
    {72, "library and plug-in opened by relative paths", moving_host, BIRTHS, 0, 0, 0, NULL, 0},
    {72, "in a folder of an odd name", moving_host, BIRTHS, 0, 0, 1, NULL, 0},
    {72, "renamed after they were opened", moving_host, BIRTHS, 0, 0, 2, NULL, 0},
    {72, "their folder renamed", moving_host, BIRTHS, 0, 0, 3, NULL, 0},
    {72, "opened by descriptors", moving_host, BIRTHS, 0, 0, 4, NULL, 0},
    {72, "opened by a symbolic link", moving_host, BIRTHS, 0, 0, 5, NULL, 0},
    {72, "replaced by equal ones", moving_host, BIRTHS, 0, 0, 6, NULL, 0},
    {72, "the plug-in's file removed", moving_host, BIRTHS, 0, 0, 7, NULL, 0},
    {72, "in settings", relative_settings, BIRTHS, W2, 0, 0, NULL, 0},
    {72, "names that are empty", empty_names, BIRTHS, W1, 0, 0, NULL, 0},
};
TABLE(paths);
