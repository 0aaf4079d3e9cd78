/* test_crash_files.c - items that are saved when they crash, and run again by `mapengine-zygote --replay`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_replay.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static mape_pool *saving_pool(uint32_t birth, uint32_t workers) {
    mape_pool_config config = config_of(birth, workers);
    config.crash_dir = folder_made();
    mape_pool *pool = pool_open_with(&config);
    return pool;
}

static const struct {
    uint32_t way;
    int signal;
} crashes[] = {{CRASH_SEGV, SIGSEGV},    {CRASH_BUS, SIGBUS},          {CRASH_FPE, SIGFPE},
               {CRASH_ILL, SIGILL},      {CRASH_ABRT, SIGABRT},        {CRASH_SYS, SIGSYS},
               {CRASH_TRAP, SIGTRAP},    {CRASH_OVERFLOW, SIGSEGV},    {CRASH_NULL_CALL, SIGSEGV},
               {CRASH_SMASHED, SIGSEGV}, {CRASH_WRITES_INPUT, SIGSEGV}};

static void is_private(const char *path, void *context) {
    (void)context;
    struct stat about;
    int host = 0, worker = 0, number = 0, end = 0;
    assert_int_equal(lstat(path, &about), 0);
    assert_true(S_ISREG(about.st_mode));
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(sscanf(strrchr(path, '/') + 1, "mapengine-%d-%d-%d.crash%n", &host, &worker, &number, &end), 3);
    assert_int_equal(host, getpid());
    assert_int_equal(strlen(strrchr(path, '/') + 1), end);
}

static mape_function_id registered_kind(mape_pool *pool, int kind) {
    return kind == 0   ? registered(pool, run_crash)
           : kind == 1 ? registered_range(pool, run_crash_each)
                       : registered_range(pool, run_crash_all);
}

static void the_replay_of_a_saved_item_ends_by_the_same_signal(uint32_t birth) {
    for (int kind = 0; kind < 3; kind++) {
        for (size_t c = 0; c < COUNT(crashes); c++) {
            mape_pool *pool = saving_pool(birth, 2);
            mape_function_id function = registered_kind(pool, kind);
            is_ok(pool, mape_pool_start(pool, PATIENCE));
            struct crash_item items[20] = {0};
            items[13] = (struct crash_item){.way = crashes[c].way, .value = 77};
            mape_job *job = mapped(pool, function, items, 20, sizeof items[0], NULL);
            wait_for(job);
            result_ended(job, 13, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, crashes[c].signal);
            pool_close(pool);
            const char *path = only_file();
            is_private(path, NULL);
            stage("replay of kind %d, crash %u", kind, crashes[c].way);
            struct replay replay = replayed(path, NULL);
            ended_by(&replay, crashes[c].signal);
            assert_non_null(strstr(replay.text, "item 13 of job 1"));
            assert_non_null(strstr(replay.text, "#0 "));
            folder_removed();
        }
    }
}

/** The item crashes only by the data of its job. */
static void a_replay_has_the_data_of_the_job(uint32_t birth) {
    mape_pool *pool = saving_pool(birth, 1);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.data = "crash by this";
    config.data_size = 13;
    mape_job *job = NULL;
    is_ok(pool, mape_apply(&job, pool, registered(pool, run_crashes_by_data), NULL, 0, &config));
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    pool_close(pool);
    struct replay replay = replayed(only_file(), NULL);
    ended_by(&replay, SIGSEGV);
    folder_removed();
}

/** Crashes once; its replay sees all that it saw, and ends well. */
static void a_replay_has_data_globals_modules_environment_and_state(uint32_t birth) {
    char made[96], output[96];
    folder_made();
    const char *const set[] = {"ABI_CRASH=as set", NULL}, *const modules[] = {"libm.so.6", NULL};
    mape_pool_config config = config_of(birth, 2);
    config.crash_dir = folder;
    config.env_set = set;
    config.modules = modules;
    mape_pool *pool = pool_open_with(&config);
    snprintf(made, sizeof made, "%s/made", folder);
    snprintf(output, sizeof output, "%s/output", folder);
    struct crash_item data = {.way = CRASH_NOT, .value = 4242};
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.library = WORKERS_LIBRARY;
    description.run_symbol = "run_crash_surroundings";
    description.setup_symbol = "setup_crash";
    description.cleanup_symbol = "cleanup_crash";
    description.data = &data;
    description.data_size = sizeof data;
    is_ok(pool, mape_function_register(&function, pool, &description));
    is_ok(pool, mape_pool_set_global(pool, "other", "of no use", 9));
    is_ok(pool, mape_pool_set_global(pool, "scale", "large", 5));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct crash_item item = {.way = CRASH_FIRST_TIME, .value = 33};
    snprintf(item.path, sizeof item.path, "%s", made);
    mape_span spans[3] = {{&item, sizeof item}, {&item, sizeof item}, {"too short", 9}};
    mape_items items = MAPE_ITEMS_INIT;
    items.count = 3;
    items.spans = spans;
    mape_job_config settings = MAPE_JOB_CONFIG_INIT;
    settings.chunk = 3; /* All in one worker, in order: the first item is the one that crashes. */
    mape_job *job = NULL;
    is_ok(pool, mape_map(&job, pool, function, &items, &settings));
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    mape_crash crash = MAPE_CRASH_INIT;
    is_ok(pool, mape_job_crash(&crash, job, 0));
    char wanted[512], got[512] = "";
    int length =
        snprintf(wanted, sizeof wanted,
                 "index 0 worker %u state 4242 global large environment as set cancelled 0 value 33", crash.worker);
    pool_close(pool);
    const char *path = only_file();
    struct replay replay = replayed(path, output);
    exited(&replay, 0, "the item ended well");
    assert_non_null(strstr(replay.text, "the item is well this time"));
    FILE *file = fopen(output, "r");
    assert_non_null(file);
    assert_int_equal(fread(got, 1, sizeof got - 1, file), length);
    fclose(file);
    assert_string_equal(got, wanted);
    /* And with a result that has nowhere to go. */
    replay = replayed(path, "/nowhere/at/all");
    exited(&replay, 73, "/nowhere/at/all");
    folder_removed();
}

static void an_item_that_ran_out_of_time_is_saved_too(uint32_t birth) {
    mape_pool *pool = saving_pool(birth, 2);
    mape_function_id function = registered(pool, run_fault);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct fault_item items[3] = {{1, WAY_WELL, 0}, {2, WAY_LOOP, 0}, {3, WAY_EXIT_99, 0}};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_MILLISECONDS(300);
    mape_job *job = mapped(pool, function, items, 3, sizeof items[0], &config);
    wait_for(job);
    result_ended(job, 1, MAPE_ITEM_TIMED_OUT, MAPE_CAUSE_ITEM_TIMEOUT, 0);
    result_ended(job, 2, MAPE_ITEM_CRASHED, MAPE_CAUSE_EXIT, 99);
    mape_crash crash = MAPE_CRASH_INIT;
    is_ok(pool, mape_job_crash(&crash, job, 1));
    assert_int_equal(crash.signal, SIGKILL);
    pool_close(pool);
    assert_int_equal(files_do(is_private, NULL), 2);
    folder_removed();
}

static void no_more_files_than_the_limit_are_made(uint32_t birth) {
    mape_pool *pool = saving_pool(birth, 2);
    mape_function_id function = registered(pool, run_fault);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct fault_item items[40];
    for (uint64_t i = 0; i < 40; i++) items[i] = (struct fault_item){i, WAY_EXIT_99, 0};
    mape_job *job = mapped(pool, function, items, 40, sizeof items[0], NULL);
    wait_for(job);
    assert_int_equal(progress_of(job).crashed, 40);
    pool_close(pool);
    assert_int_equal(files_do(is_private, NULL), 32);
    folder_removed();
}

/** The texts of the pool's log until one holds the word. */
static void log_tells(mape_pool *pool, const char *word) {
    stage("waiting for a log text with %s", word);
    for (int64_t begun = now_ns();;) {
        mape_event event = MAPE_EVENT_INIT;
        if (mape_pool_next_event(&event, pool, MAPE_MILLISECONDS(100)) == MAPE_OK && event.type == MAPE_EVENT_LOG &&
            strstr(event.text, word) != NULL)
            return;
        if (now_ns() - begun > PATIENCE) fail_msg("no log text holds %s", word);
    }
}

static void a_folder_that_cannot_be_written_to_costs_a_log_text(uint32_t birth) {
    mape_pool *pool = saving_pool(birth, 1);
    mape_function_id function = registered(pool, run_crash);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    folder_removed();
    struct crash_item items[2] = {{.way = CRASH_SEGV}, {.way = CRASH_NOT}};
    mape_job *job = mapped(pool, function, items, 2, sizeof items[0], NULL);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    result_is(job, 1, &items[1], sizeof items[1]);
    log_tells(pool, "could not be saved");
    pool_close(pool);
}

static void a_folder_that_is_none_is_refused(uint32_t birth) {
    const char *const wrong[] = {"/nowhere/at/all", "/dev/null", ""};
    for (size_t w = 0; w < COUNT(wrong); w++) {
        mape_pool_config config = config_of(birth, 1);
        mape_pool *pool = NULL;
        config.crash_dir = wrong[w];
        is_status(NULL, MAPE_E_ARGUMENT, mape_pool_create(&pool, &config));
        assert_non_null(strstr(message_of(NULL), "config.crash_dir"));
        assert_null(pool);
    }
}

static void a_name_that_is_taken_is_neither_followed_nor_overwritten(uint32_t birth) {
    char taken[200], target[100];
    mape_pool *pool = saving_pool(birth, 1);
    mape_function_id function = registered(pool, run_crash);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    snprintf(target, sizeof target, "%s/target", folder);
    snprintf(taken, sizeof taken, "%s/mapengine-%d-%d-1.crash", folder, getpid(), pid_of_worker(pool, 0));
    assert_int_equal(symlink(target, taken), 0);
    struct crash_item item = {.way = CRASH_SEGV};
    wait_for(applied(pool, function, &item, sizeof item));
    log_tells(pool, "is saved in");
    pool_close(pool);
    assert_int_equal(access(target, F_OK), -1);
    assert_int_equal(files_do(NULL, NULL), 2);
    folder_removed();
}

/** In the main program: no other process can load it. */
static int run_of_the_program(mape_task *task, void *state, const void *input, size_t size) {
    (void)task, (void)state, (void)input, (void)size;
    raise(SIGILL);
    return 0;
}

static void in_fork_what_only_the_host_has_is_told_by_the_replay(uint32_t birth) {
    mape_pool *pool = saving_pool(birth, 1);
    mape_function_id function = registered(pool, run_of_the_program);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    wait_for(applied(pool, function, "x", 1));
    pool_close(pool);
    struct replay replay = replayed(only_file(), NULL);
    exited(&replay, 69, "main program");
    folder_removed();
    /* Data that were a bare pointer. */
    pool = saving_pool(birth, 1);
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_crash;
    description.setup = setup_keeps_pointer;
    description.data = folder;
    is_ok(pool, mape_function_register(&function, pool, &description));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct crash_item item = {.way = CRASH_SEGV};
    wait_for(applied(pool, function, &item, sizeof item));
    pool_close(pool);
    replay = replayed(only_file(), NULL);
    exited(&replay, 69, "bare pointer");
    folder_removed();
}

static void files_that_are_cut_or_damaged_are_refused(uint32_t birth) {
    char bad[100];
    static unsigned char bytes[1 << 20], changed[1 << 20];
    mape_pool *pool = saving_pool(birth, 1);
    mape_function_id function = registered(pool, run_crash);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    struct crash_item item = {.way = CRASH_SEGV};
    wait_for(applied(pool, function, &item, sizeof item));
    pool_close(pool);
    snprintf(bad, sizeof bad, "%s/bad", folder);
    FILE *file = fopen(only_file(), "r");
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(size > 500 && size < sizeof bytes);
    uint32_t seed = 7;
    for (int round = 0; round < 60; round++) {
        size_t length = size;
        seed = seed * 1664525u + 1013904223u;
        memcpy(changed, bytes, size);
        if (round < 20) length = size * (size_t)round / 20;                                   /* Cut at many lengths. */
        else if (round < 40) changed[seed % size] ^= (unsigned char)(1 + (seed >> 24) % 255); /* One byte. */
        else
            for (size_t i = round < 50 ? 0 : 32; i < size; i++)
                changed[i] = (unsigned char)((seed = seed * 1664525u + 1013904223u) >> 24);
        file = fopen(bad, "w");
        fwrite(changed, 1, length, file);
        fclose(file);
        stage("damaged file, round %d", round);
        struct replay replay = replayed(bad, NULL);
        exited(&replay, 65, "no valid crash file");
    }
    struct replay replay = replayed("/nowhere/at/all", NULL);
    exited(&replay, 66, "/nowhere/at/all");
    replay = replayed(folder, NULL);
    exited(&replay, 66, folder);
    folder_removed();
}

int main(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    const struct abi_test tests[] = {
        BOTH(the_replay_of_a_saved_item_ends_by_the_same_signal),
        BOTH(a_replay_has_the_data_of_the_job),
        BOTH(a_replay_has_data_globals_modules_environment_and_state),
        BOTH(an_item_that_ran_out_of_time_is_saved_too),
        BOTH(no_more_files_than_the_limit_are_made),
        BOTH(a_folder_that_cannot_be_written_to_costs_a_log_text),
        BOTH(a_folder_that_is_none_is_refused),
        BOTH(a_name_that_is_taken_is_neither_followed_nor_overwritten),
        FORK_ONLY(in_fork_what_only_the_host_has_is_told_by_the_replay),
        EXEC_ONLY(files_that_are_cut_or_damaged_are_refused),
    };
    return run_abi_tests("crash files", tests, COUNT(tests));
}
