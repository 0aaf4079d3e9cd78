/* test_zygotes.c - zygote programs of the host's own: functions that they bring, hooks around their forks, and those that cannot start.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "offering_zygote.h"

static char count_path[64];

/** A pool whose zygote is offering_zygote in one of its modes. */
static mape_pool_config config_in_mode(uint32_t birth, const char *mode) {
    static const char *arguments[5];
    snprintf(count_path, sizeof count_path, "/tmp/mapengine-abi-XXXXXX");
    int file = mkstemp(count_path);
    assert_true(file >= 0);
    close(file);
    arguments[0] = OFFERING_ZYGOTE, arguments[1] = "--count", arguments[2] = count_path, arguments[3] = mode;
    mape_pool_config config = config_of(birth, 2);
    config.zygote_path = OFFERING_ZYGOTE;
    config.zygote_argv = arguments;
    return config;
}

/** How often the program was started. */
static int starts(void) {
    struct stat about;
    assert_int_equal(stat(count_path, &about), 0);
    return (int)about.st_size;
}

static void closed(mape_pool *pool) {
    pool_close(pool);
    unlink(count_path);
}

static int registering(mape_pool *pool, const char *run, const char *run_range, mape_function_id *out) {
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = MAPE_ZYGOTE;
    function.run_symbol = run, function.run_range_symbol = run_range;
    function.data = "data of the host", function.data_size = 16;
    return mape_function_register(out, pool, &function);
}

static mape_function_id offered(mape_pool *pool, const char *name) {
    mape_function_id function = 0;
    is_ok(pool, registering(pool, name, NULL, &function));
    return function;
}

static void multiplied_by(mape_pool *pool, mape_function_id function, uint64_t factor) {
    uint64_t values[300];
    for (uint64_t i = 0; i < COUNT(values); i++) values[i] = i + 1;
    mape_job *job = mapped(pool, function, values, COUNT(values), sizeof *values, NULL);
    wait_for(job);
    for (uint64_t i = 0; i < COUNT(values); i++) result_is(job, i, &(uint64_t){factor * (i + 1)}, 8);
    is_ok(pool, mape_job_release(job));
}

/** Takes all events that are there; returns whether one of the type has the word. */
static bool told(mape_pool *pool, uint32_t type, const char *word) {
    bool found = false;
    mape_event event = MAPE_EVENT_INIT;
    while (mape_pool_next_event(&event, pool, 0) == MAPE_OK)
        if (event.type == type && strstr(event.text, word) != NULL) found = true;
    return found;
}

/* ---- functions ---- */

static void functions_that_the_zygote_brings_are_registered_by_name(uint32_t birth) {
    mape_pool_config config = config_in_mode(birth, "offers");
    mape_pool *pool = pool_open_with(&config);
    mape_function_id twice = offered(pool, "twice"), thrice = 0, kept = offered(pool, "kept");
    is_ok(pool, registering(pool, NULL, "thrice", &thrice));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    multiplied_by(pool, twice, 2);
    multiplied_by(pool, thrice, 3);
    mape_job *job = applied(pool, kept, "", 0);
    wait_for(job);
    result_is(job, 0, "data of the host", 16);
    is_ok(pool, mape_job_release(job));
    stage("after the zygote's replacement, and registered after the start");
    kill_process(stats_of(pool).zygote_pid);
    wait_until(stats_of(pool).zygotes_started == 2 && stats_of(pool).workers_ready == 2);
    multiplied_by(pool, twice, 2);
    multiplied_by(pool, offered(pool, "twice"), 2);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_true(told(pool, MAPE_EVENT_LOG, "cleanup of what the zygote offers"));
    closed(pool);
}

static void a_function_that_the_zygote_does_not_bring_fails_with_what_it_does(uint32_t birth) {
    mape_pool_config config = config_in_mode(birth, "offers");
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = offered(pool, "four times");
    is_status(pool, MAPE_E_LOAD, mape_pool_start(pool, PATIENCE));
    mape_job *job = NULL;
    uint64_t value = 1;
    is_ok(pool, mape_apply(&job, pool, function, &value, sizeof value, NULL));
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
    assert_string_equal(result_of(job, 0).message,
                        "the zygote offers no function \"four times\"; it offers \"twice\", \"thrice\", "
                        "\"kept\", \"crash\"");
    is_ok(pool, mape_job_release(job));
    multiplied_by(pool, offered(pool, "twice"), 2);
    stage("a range function as an item's, and the reverse");
    mape_function_id range_as_run = offered(pool, "thrice"), run_as_range = 0;
    is_ok(pool, registering(pool, NULL, "twice", &run_as_range));
    for (int i = 0; i < 2; i++) {
        job = applied(pool, i == 0 ? range_as_run : run_as_range, &value, sizeof value);
        wait_for(job);
        result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
        assert_non_null(strstr(result_of(job, 0).message, i == 0 ? "run_range_symbol" : "run_symbol"));
        is_ok(pool, mape_job_release(job));
    }
    closed(pool);
    stage("a zygote that brings nothing");
    pool = pool_open(birth, 2);
    job = applied(pool, offered(pool, "twice"), &value, sizeof value);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
    assert_non_null(strstr(result_of(job, 0).message, "mape_zygote_offer"));
    pool_close(pool);
}

static void registrations_that_make_no_sense_are_refused(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id function = 0;
    char name[300];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    is_status(pool, MAPE_E_ARGUMENT, registering(pool, NULL, NULL, &function));
    is_status(pool, MAPE_E_ARGUMENT, registering(pool, "twice", "thrice", &function));
    is_status(pool, MAPE_E_ARGUMENT, registering(pool, "", NULL, &function));
    is_status(pool, MAPE_E_ARGUMENT, registering(pool, name, NULL, &function));
    assert_non_null(strstr(message_of(pool), "run_symbol"));
    mape_function description = MAPE_FUNCTION_INIT;
    description.library = MAPE_ZYGOTE, description.run_symbol = "twice", description.setup_symbol = "setup";
    is_status(pool, MAPE_E_ARGUMENT, mape_function_register(&function, pool, &description));
    description.setup_symbol = NULL, description.prototype = "double twice(double x)";
    is_status(pool, MAPE_E_ARGUMENT, mape_function_register(&function, pool, &description));
    pool_close(pool);
}

static void offers_that_make_no_sense_are_refused(uint32_t birth) {
    mape_pool_config config = config_in_mode(birth, "refused"); /* It looks for itself. */
    mape_pool *pool = pool_open_with(&config);
    mape_function_id twice = offered(pool, "twice"), last = offered(pool, "number 1023");
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    multiplied_by(pool, twice, 2);
    multiplied_by(pool, last, 2);
    stage("a list of a thousand is cut");
    uint64_t value = 1;
    mape_job *job = applied(pool, offered(pool, "none"), &value, sizeof value);
    wait_for(job);
    assert_in_range(strlen(result_of(job, 0).message), 600, 1023);
    closed(pool);
}

static int run_of_the_host(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    uint64_t *out = mape_task_output(task, sizeof *out);
    *out = 5 * *(const uint64_t *)input;
    return 0;
}

/** Workers of a snapshot have what the host has offered until then. */
static void a_snapshot_has_the_hosts_own(uint32_t birth) {
    mape_zygote_function function = MAPE_ZYGOTE_FUNCTION_INIT;
    function.name = "host's", function.run = run_of_the_host;
    assert_int_equal(mape_zygote_offer(&function), MAPE_OK);
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id early = offered(pool, "host's");
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    function.name = "too late";
    assert_int_equal(mape_zygote_offer(&function), MAPE_OK);
    multiplied_by(pool, early, 5);
    multiplied_by(pool, offered(pool, "host's"), 5);
    uint64_t value = 1;
    mape_job *job = applied(pool, offered(pool, "too late"), &value, sizeof value);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
    pool_close(pool);
}

static int replayed(const char *program, const char *mode, const char *file, char *text, size_t size) {
    char *const arguments[] = {(char *)program, (char *)(mode != NULL ? mode : "--replay"),
                               (char *)(mode != NULL ? "--replay" : file), (char *)(mode != NULL ? file : NULL), NULL};
    extern char **environ;
    int ends[2], status = 0;
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], text + length, size - 1 - length)) > 0;) length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
    return status;
}

static void a_crash_is_replayed_by_the_program_that_brings_the_function(uint32_t birth) {
    char folder[] = "/tmp/mapengine-abi-XXXXXX", file[400] = "", text[8192];
    assert_non_null(mkdtemp(folder));
    mape_pool_config config = config_in_mode(birth, "offers");
    config.crash_dir = folder;
    mape_pool *pool = pool_open_with(&config);
    uint64_t value = 1;
    mape_job *job = applied(pool, offered(pool, "crash"), &value, sizeof value);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    assert_non_null(strstr(result_of(job, 0).message, "run_crash"));
    for (int64_t begun = now_ns(); file[0] == '\0'; short_nap()) {
        if (now_ns() - begun > PATIENCE) fail_msg("no crash file was made");
        DIR *open = opendir(folder);
        for (struct dirent *entry; (entry = readdir(open)) != NULL;)
            if (strstr(entry->d_name, ".crash") != NULL) snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
        closedir(open);
    }
    closed(pool);
    int status = replayed(OFFERING_ZYGOTE, "offers", file, text, sizeof text);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV) fail_msg("status 0x%x: %s", status, text);
    status = replayed(PREFIX "/libexec/mapengine-zygote", NULL, file, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 69);
    assert_non_null(strstr(text, "\"crash\""));
    assert_non_null(strstr(text, "run that program"));
    unlink(file), rmdir(folder);
}

/* ---- around forks ---- */

static void handlers_and_hooks_run_around_each_fork(uint32_t birth) {
    mape_pool_config config = config_in_mode(birth, "hooks");
    config.output = MAPE_OUTPUT_CAPTURE;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = offered(pool, "counts");
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    for (uint32_t forks = 2; forks < 5; forks++) {
        mape_job *job = applied(pool, function, "", 0);
        wait_for(job);
        const struct fork_counts *counts = result_of(job, 0).data;
        assert_int_equal(counts->child, 1);
        assert_int_equal(counts->after_in_worker, 1);
        assert_int_equal(counts->before, counts->prepare);
        assert_in_range(counts->before, 1, forks);
        assert_int_equal(counts->parent, counts->before - 1); /* This worker's fork was not over. */
        assert_int_equal(counts->after_in_zygote, counts->before - 1);
        is_ok(pool, mape_job_release(job));
        uint64_t started = stats_of(pool).workers_started;
        kill_process(pid_of_worker(pool, 0));
        wait_until(stats_of(pool).workers_started == started + 1 && stats_of(pool).workers_ready == 2);
    }
    assert_true(told(pool, MAPE_EVENT_OUTPUT, "in the hook"));
    closed(pool);
}

/** The message of an item of a pool that fails; or of the submission, if it has failed already. */
static const char *message_of_an_item(mape_pool *pool, mape_function_id function) {
    static char text[8192];
    uint64_t value = 1;
    mape_job *job = NULL;
    int status = mape_apply(&job, pool, function, &value, sizeof value, NULL);
    if (status != MAPE_OK) {
        is_status(pool, MAPE_E_WORKERS, status);
        return strcpy(text, message_of(pool));
    }
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, MAPE_E_WORKERS);
    snprintf(text, sizeof text, "%s", result_of(job, 0).message);
    is_ok(pool, mape_job_release(job));
    return text;
}

/** Hooks that fail end in the pool's failure, which names them. */
static void a_hook_that_fails_ends_the_pool_and_is_named(uint32_t birth) {
    static const struct {
        const char *mode, *hook;
    } cases[] = {{"before-crashes", "hook before"},          {"after-crashes", "hook after_in_zygote"},
                 {"worker-crashes", "hook after_in_worker"}, {"before-hangs", "hook before"},
                 {"after-hangs", "hook after_in_zygote"},    {"worker-hangs", "hook after_in_worker"}};
    for (size_t c = 0; c < COUNT(cases); c++) {
        stage("%s", cases[c].mode);
        mape_pool_config config = config_in_mode(birth, cases[c].mode);
        config.restarts = 2;
        config.setup_timeout_ns = MAPE_MILLISECONDS(300);
        mape_pool *pool = pool_open_with(&config);
        const char *message = message_of_an_item(pool, offered(pool, "twice"));
        if (strstr(message, cases[c].hook) == NULL) fail_msg("%s: \"%s\"", cases[c].mode, message);
        is_status(pool, MAPE_E_WORKERS, mape_pool_start(pool, PATIENCE));
        closed(pool);
    }
}

/* ---- starts that fail ---- */

/** What a pool whose zygote cannot start says, in its message, in an item, and in the log. */
static void cannot_start(uint32_t birth, uint32_t output, const char *mode, int times, const char *const *words) {
    stage("%s, output %u", mode, output);
    mape_pool_config config = config_in_mode(birth, mode);
    config.output = output;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_square);
    const char *item = message_of_an_item(pool, function);
    is_status(pool, MAPE_E_WORKERS, mape_pool_start(pool, PATIENCE));
    const char *const texts[] = {message_of(pool), item};
    for (size_t t = 0; t < COUNT(texts); t++) {
        assert_non_null(strstr(texts[t], OFFERING_ZYGOTE));
        for (size_t w = 0; words[w] != NULL; w++)
            if (strstr(texts[t], words[w]) == NULL) fail_msg("%s: no \"%s\" in \"%s\"", mode, words[w], texts[t]);
        assert_true(strlen(texts[t]) < 5000);
        for (const char *c = texts[t]; *c != '\0'; c++)
            assert_true((unsigned char)*c != 0xff && (unsigned char)*c != 0xfe); /* No bytes of no text. */
    }
    assert_int_equal(starts(), times);
    bool is_logged = false, is_printed = false;
    mape_event event = MAPE_EVENT_INIT;
    while (mape_pool_next_event(&event, pool, 0) == MAPE_OK) {
        if (event.type == MAPE_EVENT_LOG) {
            is_logged |= strstr(event.text, words[0]) != NULL;
            assert_null(strstr(event.text, "process 0")); /* Workers that never were. */
            assert_null(strstr(event.text, "worker "));
        }
        if (event.type == MAPE_EVENT_OUTPUT) {
            assert_int_equal(event.worker, -1);
            assert_int_equal(event.code, 2);
            is_printed = true;
        }
    }
    assert_true(is_logged);
    assert_int_equal(is_printed, output == MAPE_OUTPUT_CAPTURE && words[1] != NULL && words[2] != NULL);
    assert_int_equal(stats_of(pool).workers_started, 0);
    closed(pool);
}

static void a_zygote_that_exits_is_started_once_and_says_why(uint32_t birth) {
    for (uint32_t output = MAPE_OUTPUT_INHERIT; output <= MAPE_OUTPUT_DISCARD; output++) {
        cannot_start(birth, output, "exits-7", 1,
                     (const char *const[]){"exited with code 7", "before it called mape_zygote_main",
                                           "no module named \"well\"", NULL});
        cannot_start(birth, output, "exits-0", 1,
                     (const char *const[]){"exited with code 0", "has not called mape_zygote_main", NULL});
        cannot_start(birth, output, "prints-nothing", 1, (const char *const[]){"exited with code 1", NULL});
        cannot_start(birth, output, "prints-much", 1,
                     (const char *const[]){"exited with code 1", "...\xc3\xa9",
                                           "\xef\xbf\xbd bytes that are no text\nthe very last line", NULL});
    }
}

static void a_zygote_that_a_signal_ends_at_its_start_is_tried_again(uint32_t birth) {
    cannot_start(birth, MAPE_OUTPUT_INHERIT, "crashes", 5, (const char *const[]){"ended by signal 9", NULL});
}

static void a_zygote_that_hangs_at_its_start_has_a_time_limit(uint32_t birth) {
    mape_pool_config config = config_in_mode(birth, "hangs");
    config.zygote_timeout_ns = MAPE_MILLISECONDS(500);
    mape_pool *pool = pool_open_with(&config);
    is_status(pool, MAPE_E_WORKERS, mape_pool_start(pool, PATIENCE));
    assert_non_null(strstr(message_of(pool), "zygote_timeout_ns"));
    assert_non_null(strstr(message_of(pool), "importing"));
    assert_int_equal(starts(), 1);
    pool_close(pool);
    stage("without one it is waited for, and a shutdown does not wait for workers that never were");
    config.zygote_timeout_ns = MAPE_FOREVER;
    config.grace_ns = MAPE_SECONDS(3600);
    pool = pool_open_with(&config);
    is_status(pool, MAPE_E_TIMEOUT, mape_pool_start(pool, MAPE_MILLISECONDS(700)));
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, MAPE_SECONDS(3600)));
    closed(pool);
}

static void what_a_zygote_prints_at_its_start_is_captured(uint32_t birth) {
    mape_pool_config config = config_in_mode(birth, "warns");
    config.output = MAPE_OUTPUT_CAPTURE;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = offered(pool, "twice");
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    multiplied_by(pool, function, 2);
    assert_true(told(pool, MAPE_EVENT_OUTPUT, "a warning at the start"));
    closed(pool);
}

/** And copied to the host's standard error otherwise, also when nobody reads that. */
static void or_copied_to_the_hosts(uint32_t birth) {
    int ends[2], kept = dup(2);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(kept > 2);
    dup2(ends[1], 2);
    mape_pool_config config = config_in_mode(birth, "warns");
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = offered(pool, "twice");
    int status = mape_pool_start(pool, PATIENCE);
    dup2(kept, 2);
    close(ends[1]);
    is_ok(pool, status);
    multiplied_by(pool, function, 2);
    closed(pool);
    char text[200] = "";
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "a warning at the start\n");
    close(ends[0]);

    stage("a pipe that is full");
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], text, sizeof text) > 0) {}
    fcntl(ends[1], F_SETFL, 0);
    dup2(ends[1], 2);
    config = config_in_mode(birth, "exits-7");
    pool = pool_open_with(&config);
    status = mape_pool_start(pool, PATIENCE);
    dup2(kept, 2);
    close(kept), close(ends[0]), close(ends[1]);
    is_status(pool, MAPE_E_WORKERS, status);
    assert_non_null(strstr(message_of(pool), "no module named"));
    closed(pool);
}

/* ---- where it is ---- */

static void a_name_without_a_slash_is_looked_for_in_path(uint32_t birth) {
    char set[4096];
    snprintf(set, sizeof set, "PATH=/nowhere:/tmp:%.*s", (int)(strrchr(OFFERING_ZYGOTE, '/') - OFFERING_ZYGOTE),
             OFFERING_ZYGOTE);
    const char *const variables[] = {set, NULL}, *const without[] = {"PATH=/nowhere", NULL};
    mape_pool_config config = config_of(birth, 1);
    config.zygote_path = "own_zygote";
    config.env_set = variables;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_environment);
    mape_job *job = applied(pool, function, "ZYGOTE_NAME", 11);
    wait_for(job);
    result_is(job, 0, OWN_ZYGOTE, strlen(OWN_ZYGOTE)); /* argv[0] is the path that was found. */
    pool_close(pool);
    config.env_set = without;
    pool = pool_open_with(&config);
    is_status(pool, MAPE_E_SYSTEM, mape_pool_start(pool, PATIENCE));
    assert_non_null(strstr(message_of(pool), "\"own_zygote\" in PATH, which is \"/nowhere\""));
    pool_close(pool);
}

int main(void) {
    static const struct abi_test tests[] = {
        EXEC_ONLY(functions_that_the_zygote_brings_are_registered_by_name),
        EXEC_ONLY(a_function_that_the_zygote_does_not_bring_fails_with_what_it_does),
        BOTH(registrations_that_make_no_sense_are_refused),
        EXEC_ONLY(offers_that_make_no_sense_are_refused),
        FORK_ONLY(a_snapshot_has_the_hosts_own),
        EXEC_ONLY(a_crash_is_replayed_by_the_program_that_brings_the_function),
        EXEC_ONLY(handlers_and_hooks_run_around_each_fork),
        PATIENT(a_hook_that_fails_ends_the_pool_and_is_named, IN_EXEC, 180),
        PATIENT(a_zygote_that_exits_is_started_once_and_says_why, IN_EXEC, 120),
        EXEC_ONLY(a_zygote_that_a_signal_ends_at_its_start_is_tried_again),
        EXEC_ONLY(a_zygote_that_hangs_at_its_start_has_a_time_limit),
        EXEC_ONLY(what_a_zygote_prints_at_its_start_is_captured),
        EXEC_ONLY(or_copied_to_the_hosts),
        EXEC_ONLY(a_name_without_a_slash_is_looked_for_in_path),
    };
    return run_abi_tests("zygotes", tests, COUNT(tests));
}
