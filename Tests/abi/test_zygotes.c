/* test_zygotes.c - zygote programs of the host's own: functions that they bring, and hooks around their forks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_replay.h"
#include "support_zygote.h"

#include <signal.h>

#include "offering_zygote.h"

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

/** An item of the function fails because it could not be loaded; its text has the words. */
static void cannot_load(mape_pool *pool, mape_function_id function, const char *words) {
    uint64_t value = 1;
    item_fails(pool, function, &value, sizeof value, MAPE_CAUSE_LOAD, MAPE_E_LOAD, words);
}

static void a_function_that_the_zygote_does_not_bring_fails_with_what_it_does(uint32_t birth) {
    mape_pool_config config = config_in_mode(birth, "offers");
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = offered(pool, "four times");
    is_status(pool, MAPE_E_LOAD, mape_pool_start(pool, PATIENCE));
    cannot_load(pool, function,
                "the zygote offers no function \"four times\"; it offers \"twice\", \"thrice\", \"kept\", \"crash\"");
    multiplied_by(pool, offered(pool, "twice"), 2);
    stage("a range function as an item's, and the reverse");
    mape_function_id range_as_run = offered(pool, "thrice"), run_as_range = 0;
    is_ok(pool, registering(pool, NULL, "twice", &run_as_range));
    cannot_load(pool, range_as_run, "run_range_symbol");
    cannot_load(pool, run_as_range, "run_symbol");
    closed(pool);
    stage("a zygote that brings nothing");
    pool = pool_open(birth, 2);
    cannot_load(pool, offered(pool, "twice"), "mape_zygote_offer");
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
    cannot_load(pool, offered(pool, "too late"), "too late");
    pool_close(pool);
}

static void a_crash_is_replayed_by_the_program_that_brings_the_function(uint32_t birth) {
    mape_pool_config config = config_in_mode(birth, "offers");
    config.crash_dir = folder_made();
    mape_pool *pool = pool_open_with(&config);
    uint64_t value = 1;
    mape_job *job = applied(pool, offered(pool, "crash"), &value, sizeof value);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    assert_non_null(strstr(result_of(job, 0).message, "run_crash"));
    closed(pool); /* Its end has written the file. */
    const char *file = only_file(), *const arguments[] = {OFFERING_ZYGOTE, "offers", "--replay", file, NULL};
    struct replay replay = ran(OFFERING_ZYGOTE, arguments);
    ended_by(&replay, SIGSEGV);
    replay = replayed(file, NULL);
    exited(&replay, 69, "\"crash\"");
    assert_non_null(strstr(replay.text, "run that program"));
    folder_removed();
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

/** Workers that have nothing to answer when they come end the pool as those do that load a module first. */
static void a_hook_that_crashes_ends_a_pool_without_functions(uint32_t birth) {
    static const char *const modules[] = {"libm.so.6", NULL};
    static const uint32_t counts[] = {1, 2, 13};
    for (size_t c = 0; c < 2 * COUNT(counts); c++) {
        mape_pool_config config = config_in_mode(birth, "worker-crashes");
        config.workers = counts[c / 2];
        config.modules = c % 2 ? modules : NULL;
        mape_pool *pool = pool_open_with(&config);
        stage("%u workers, %s", config.workers, c % 2 ? "a module" : "nothing to load");
        int status = mape_pool_start(pool, PATIENCE);
        if (status != MAPE_OK) is_status(pool, MAPE_E_WORKERS, status);
        wait_until(stats_of(pool).is_closed == 1);
        is_status(pool, MAPE_E_WORKERS, mape_pool_start(pool, PATIENCE));
        assert_non_null(strstr(message_of(pool), "workers could not be started"));
        assert_non_null(strstr(message_of(pool), "hook after_in_worker"));
        closed(pool);
    }
}

/** As many starts as the limit fail, but for one, twice; the pool ends as little as it would with a module. */
static void a_hook_that_crashes_now_and_then_costs_its_workers_alone(uint32_t birth) {
    mape_pool_config config = config_in_mode(birth, "worker-crashes-4");
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    wait_until(stats_of(pool).workers_died == 4 && stats_of(pool).workers_ready == 2);
    multiplied_by(pool, offered(pool, "twice"), 2);
    kill_process(stats_of(pool).zygote_pid);
    wait_until(stats_of(pool).workers_ready == 2 && stats_of(pool).zygotes_started == 2);
    multiplied_by(pool, offered(pool, "twice"), 2);
    closed(pool);
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
        PATIENT(a_hook_that_crashes_ends_a_pool_without_functions, IN_EXEC, 180),
        EXEC_ONLY(a_hook_that_crashes_now_and_then_costs_its_workers_alone),
    };
    return run_abi_tests("zygotes", tests, COUNT(tests));
}
