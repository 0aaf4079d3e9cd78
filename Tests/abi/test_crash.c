/* test_crash.c - what is told of a crash: signal, address, function, line; whatever state the worker is in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>
#include <sys/resource.h>

/** What the report of each way must say. */
static const struct expected {
    uint32_t way;
    int32_t signal;
    const char *words; /**< All of these, separated by '|', in the message and in the report's first line. */
} signals[] = {
    {CRASH_SEGV, SIGSEGV, "SIGSEGV|address 0x8|no such mapping|crash_by_segv|libtestworkers.so|worker_crash.c:"},
    {CRASH_BUS, SIGBUS, "SIGBUS|beyond the end of the mapped file|crash_by_bus|worker_crash.c:"},
    {CRASH_FPE, SIGFPE, "SIGFPE|crash_by_fpe|worker_crash.c:"},
    {CRASH_ILL, SIGILL, "SIGILL|illegal instruction|crash_by_ill|worker_crash.c:"},
    {CRASH_ABRT, SIGABRT, "SIGABRT|raised by itself|crash_by_abrt|worker_crash.c:"},
    {CRASH_SYS, SIGSYS, "SIGSYS|raised by itself|crash_by_sys|worker_crash.c:"},
    {CRASH_TRAP, SIGTRAP, "SIGTRAP|crash_by_trap|worker_crash.c:"},
};

/** Fails the test when a text lacks one of the words. */
static void holds(const char *text, const char *words) {
    char copy[512];
    snprintf(copy, sizeof copy, "%s", words);
    for (char *rest = copy, *word; (word = strsep(&rest, "|")) != NULL;)
        if (strstr(text, word) == NULL) fail_msg("\"%s\" is not in:\n%s", word, text);
}

static void holds_not(const char *text, const char *word) {
    if (strstr(text, word) != NULL) fail_msg("\"%s\" is in:\n%s", word, text);
}

/** Takes the pool's texts until one holds all the words. */
static void log_holds(mape_pool *pool, uint32_t level, const char *words) {
    stage("waiting for a log text with %s", words);
    for (int64_t begun = now_ns();;) {
        mape_event event = MAPE_EVENT_INIT;
        int status = mape_pool_next_event(&event, pool, MAPE_MILLISECONDS(100));
        if (status == MAPE_OK && event.type == MAPE_EVENT_LOG && (uint32_t)event.code == level) {
            char copy[512];
            bool all = true;
            snprintf(copy, sizeof copy, "%s", words);
            for (char *rest = copy, *word; (word = strsep(&rest, "|")) != NULL;) all = all && strstr(event.text, word);
            if (all) return;
        }
        if (now_ns() - begun > PATIENCE) fail_msg("no log text holds %s", words);
    }
}

static mape_crash crash_of(mape_job *job, uint64_t index) {
    mape_crash crash = MAPE_CRASH_INIT;
    is_ok(NULL, mape_job_crash(&crash, job, index));
    assert_non_null(crash.text);
    return crash;
}

/** Three items, the middle one of which crashes, by a function of that kind. */
static mape_job *crash_one(mape_pool *pool, mape_function_id function, uint32_t way) {
    struct crash_item items[3] = {{.way = CRASH_NOT}, {.way = way, .value = way}, {.way = CRASH_NOT}};
    mape_job *job = mapped(pool, function, items, 3, sizeof items[0], NULL);
    stage("waiting for crash %u", way);
    is_ok(pool, mape_job_wait(job, PATIENCE));
    result_is(job, 0, &items[0], sizeof items[0]);
    result_is(job, 2, &items[2], sizeof items[2]);
    return job;
}

static void is_told(mape_pool *pool, mape_function_id function, const char *name, const struct expected *expected) {
    mape_job *job = crash_one(pool, function, expected->way);
    result_ended(job, 1, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, expected->signal);
    mape_result result = result_of(job, 1);
    mape_crash crash = crash_of(job, 1);
    char words[300];
    snprintf(words, sizeof words, "%s|worker %u (process %d)|function \"%s\"|item 1 of job ", expected->words,
             crash.worker, crash.pid, name);
    holds(result.message, words);
    holds_not(result.message, "\n");
    holds(crash.text, words);
    assert_int_equal(crash.signal, expected->signal);
    assert_int_equal(crash.function, function);
    assert_true(crash.worker < 2);
    if (expected->way == CRASH_SEGV) assert_int_equal(crash.address, 8);
    /* Where it crashed, who called it, and so on to the function that was registered. */
    assert_true(crash.frames >= 3);
    snprintf(words, sizeof words, "#0 |#1 |#2 |%s+0x|build id|worker_crash.c:", name);
    holds(crash.text, words);
    log_holds(pool, MAPE_LOG_ERROR, expected->words);
    is_ok(pool, mape_job_release(job));
}

static mape_function_id registered_as(mape_pool *pool, mape_run_fn run, mape_run_range_fn range, const char *name) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run;
    description.run_range = range;
    description.name = name;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

static void every_signal_in_an_item_is_told_with_its_function(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id run = registered_as(pool, run_crash, NULL, "run_crash");
    for (size_t s = 0; s < COUNT(signals); s++) is_told(pool, run, "run_crash", &signals[s]);
    pool_close(pool);
}

static void every_signal_in_a_range_is_told_with_its_function(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id each = registered_as(pool, NULL, run_crash_each, "run_crash_each"),
                     all = registered_as(pool, NULL, run_crash_all, "run_crash_all");
    for (size_t s = 0; s < COUNT(signals); s++) {
        is_told(pool, each, "run_crash_each", &signals[s]);
        is_told(pool, all, "run_crash_all", &signals[s]);
    }
    pool_close(pool);
}

static mape_function_id registered_with(mape_pool *pool, const struct crash_item *data) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.run = run_crash;
    description.setup = setup_crash;
    description.cleanup = cleanup_crash;
    description.data = data;
    description.data_size = sizeof *data;
    description.name = "named";
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

static void every_signal_in_a_setup_is_told_with_its_function(uint32_t birth) {
    for (size_t s = 0; s < COUNT(signals); s++) {
        mape_pool_config config = config_of(birth, 1);
        config.restarts = 2;
        mape_pool *pool = pool_open_with(&config);
        struct crash_item data = {.way = signals[s].way, .value = 1};
        mape_function_id function = registered_with(pool, &data);
        is_status(pool, MAPE_E_SETUP, mape_pool_start(pool, PATIENCE));
        holds(message_of(pool), signals[s].words);
        mape_job *job = applied(pool, function, &data, sizeof data);
        wait_for(job);
        assert_int_equal(result_of(job, 0).state, MAPE_ITEM_FAILED);
        holds(result_of(job, 0).message, signals[s].words);
        char words[300];
        snprintf(words, sizeof words, "%s|setup of \"named\"|setup_crash+0x", signals[s].words);
        log_holds(pool, MAPE_LOG_ERROR, words);
        pool_close(pool);
    }
}

static void every_signal_in_a_cleanup_is_told_with_its_function(uint32_t birth) {
    for (size_t s = 0; s < COUNT(signals); s++) {
        mape_pool *pool = pool_open(birth, 1);
        struct crash_item data = {.way = signals[s].way, .value = 2};
        registered_with(pool, &data);
        is_ok(pool, mape_pool_start(pool, PATIENCE));
        mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE);
        char words[300];
        snprintf(words, sizeof words, "%s|cleanup of \"named\"|cleanup_crash+0x", signals[s].words);
        log_holds(pool, MAPE_LOG_ERROR, words);
        pool_close(pool);
    }
}

static void a_stack_that_is_exhausted_is_told_as_such(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_job *job = crash_one(pool, registered(pool, run_crash), CRASH_OVERFLOW);
    result_ended(job, 1, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    holds(result_of(job, 1).message, "SIGSEGV|the stack was probably exhausted|crash_by_overflow");
    holds(crash_of(job, 1).text, "more times)|there are more frames");
    pool_close(pool);
}

static void a_call_to_nowhere_names_the_caller(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_crash);
    const struct {
        uint32_t way;
        const char *words;
    } calls[] = {{CRASH_NULL_CALL, "address 0x0|crash_by_call"},
                 {CRASH_WILD_CALL, "address 0x123456789abc|crash_by_call"}};
    for (size_t c = 0; c < COUNT(calls); c++) {
        mape_job *job = crash_one(pool, function, calls[c].way);
        result_ended(job, 1, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
        holds(result_of(job, 1).message, calls[c].words);
        holds(crash_of(job, 1).text, "in no file|crash_by_call+0x|run_crash+0x");
    }
    pool_close(pool);
}

static void a_stack_that_is_overwritten_costs_the_rest_of_the_backtrace_alone(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_job *job = crash_one(pool, registered(pool, run_crash), CRASH_SMASHED);
    result_ended(job, 1, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    holds(result_of(job, 1).message, "SIGSEGV (address 0x8|crash_by_smashed_stack");
    assert_true(crash_of(job, 1).frames >= 1);
    pool_close(pool);
}

static void a_wrong_argument_to_the_engine_is_told_with_its_caller(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_job *job = crash_one(pool, registered(pool, run_crash), CRASH_IN_ENGINE);
    result_ended(job, 1, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    holds(result_of(job, 1).message, "address 0x10|crash_in_engine");
    holds(crash_of(job, 1).text, "libmapengine.so|crash_in_engine");
    pool_close(pool);
}

static void a_crash_in_a_thread_of_the_function_is_told(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_job *job = crash_one(pool, registered(pool, run_crash), CRASH_IN_THREAD);
    result_ended(job, 1, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    holds(result_of(job, 1).message, "address 0x8|crash_by_segv");
    holds(crash_of(job, 1).text, "in_thread");
    pool_close(pool);
}

static void a_crash_in_a_child_of_the_worker_is_the_childs(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_crash);
    struct crash_item item = {.way = CRASH_IN_CHILD};
    mape_job *job = applied(pool, function, &item, sizeof item);
    wait_for(job);
    result_is(job, 0, &item, sizeof item);
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_close(pool);
}

static void a_handler_that_hangs_ends_with_the_signal_of_the_crash(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_job *job = crash_one(pool, registered(pool, run_crash), CRASH_IN_LOADER);
    result_ended(job, 1, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    holds(result_of(job, 1).message, "SIGSEGV (address 0x8");
    holds(crash_of(job, 1).text, "not all symbols could be read");
    pool_close(pool);
}

static void a_handler_of_the_functions_own_is_kept(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_job *job = crash_one(pool, registered(pool, run_crash), CRASH_HANDLED);
    result_ended(job, 1, MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 42);
    mape_crash crash = crash_of(job, 1);
    assert_int_equal(crash.signal, 0);
    assert_int_equal(crash.code, 42);
    assert_int_equal(crash.frames, 0);
    holds(crash.text, "exited with code 42");
    pool_close(pool);
}

static void a_record_that_is_scribbled_on_harms_nobody(uint32_t birth) {
    mape_pool_config config = config_of(birth, 2);
    config.restarts = 1000;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_crash);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct crash_item items[60];
    for (uint32_t i = 0; i < COUNT(items); i++)
        items[i] = (struct crash_item){.way = i % 2 ? CRASH_SCRIBBLED : CRASH_NOT, .value = i * 2654435761u};
    mape_job *job = mapped(pool, function, items, COUNT(items), sizeof items[0], NULL);
    wait_for(job);
    for (uint32_t i = 0; i < COUNT(items); i++) {
        if (i % 2 == 0) {
            result_is(job, i, &items[i], sizeof items[i]);
            continue;
        }
        result_ended(job, i, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
        mape_crash crash = crash_of(job, i);
        assert_int_equal(crash.signal, SIGSEGV);
        assert_true(crash.frames <= 48);
        for (const char *c = crash.text; *c != '\0'; c++) assert_true((unsigned char)*c >= 32 || *c == '\n');
        for (const char *c = result_of(job, i).message; *c != '\0'; c++) assert_true((unsigned char)*c >= 32);
    }
    pool_close(pool);
}

static void a_crash_that_is_retried_well_is_in_the_log(uint32_t birth) {
    char folder[] = "/tmp/mapengine-abi-XXXXXX";
    assert_non_null(mkdtemp(folder));
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_crash);
    struct crash_item item = {.way = CRASH_FIRST_TIME};
    snprintf(item.path, sizeof item.path, "%s/crashed", folder);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = 2;
    mape_job *job = mapped(pool, function, &item, 1, sizeof item, &config);
    wait_for(job);
    result_is(job, 0, &item, sizeof item);
    assert_int_equal(result_of(job, 0).attempts, 2);
    mape_crash crash = MAPE_CRASH_INIT;
    is_status(pool, MAPE_E_STATE, mape_job_crash(&crash, job, 0));
    log_holds(pool, MAPE_LOG_ERROR, "SIGSEGV (address 0x8|crash_by_segv|item 0 of job");
    unlink(item.path);
    rmdir(folder);
    pool_close(pool);
}

static void the_call_checks_its_arguments(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_crash);
    mape_job *job = crash_one(pool, function, CRASH_SEGV);
    mape_crash crash = MAPE_CRASH_INIT, wrong = MAPE_CRASH_INIT;
    is_status(pool, MAPE_E_ARGUMENT, mape_job_crash(&crash, NULL, 1));
    is_status(pool, MAPE_E_ARGUMENT, mape_job_crash(NULL, job, 1));
    is_status(pool, MAPE_E_INDEX, mape_job_crash(&crash, job, 3));
    is_status(pool, MAPE_E_STATE, mape_job_crash(&crash, job, 0));
    wrong.struct_size--;
    is_status(pool, MAPE_E_SIZE, mape_job_crash(&wrong, job, 1));
    is_ok(pool, mape_job_crash(&crash, job, 1));
    is_ok(pool, mape_job_release(job));
    is_status(pool, MAPE_E_HANDLE, mape_job_crash(&crash, job, 1));
    struct shared *shared = shared_page();
    uint64_t value = 3;
    mape_function_id gated = registered_shared(pool, run_gated, setup_shared, NULL);
    job = applied(pool, gated, &value, sizeof value);
    is_status(pool, MAPE_E_AGAIN, mape_job_crash(&crash, job, 0));
    atomic_store(&shared->gate, 1);
    wait_for(job);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.drop = 1;
    struct crash_item item = {.way = CRASH_SEGV};
    mape_job *dropping = mapped(pool, function, &item, 1, sizeof item, &config);
    wait_for(dropping);
    is_status(pool, MAPE_E_STATE, mape_job_crash(&crash, dropping, 0));
    pool_close(pool);
}

int main(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    const struct abi_test tests[] = {
        BOTH(every_signal_in_an_item_is_told_with_its_function),
        BOTH(every_signal_in_a_range_is_told_with_its_function),
        BOTH(every_signal_in_a_setup_is_told_with_its_function),
        BOTH(every_signal_in_a_cleanup_is_told_with_its_function),
        BOTH(a_stack_that_is_exhausted_is_told_as_such),
        BOTH(a_call_to_nowhere_names_the_caller),
        BOTH(a_stack_that_is_overwritten_costs_the_rest_of_the_backtrace_alone),
        BOTH(a_wrong_argument_to_the_engine_is_told_with_its_caller),
        BOTH(a_crash_in_a_thread_of_the_function_is_told),
        BOTH(a_crash_in_a_child_of_the_worker_is_the_childs),
        BOTH(a_handler_that_hangs_ends_with_the_signal_of_the_crash),
        BOTH(a_handler_of_the_functions_own_is_kept),
        BOTH(a_record_that_is_scribbled_on_harms_nobody),
        BOTH(a_crash_that_is_retried_well_is_in_the_log),
        BOTH(the_call_checks_its_arguments),
    };
    return run_abi_tests("crash", tests, COUNT(tests));
}
