/* test_zygote_starts.c - zygote programs that cannot start, what they print, and where they are found.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_zygote.h"

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
    char message[8192];
    const char *const texts[] = {whole_message(pool, message, sizeof message), item};
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
        PATIENT(a_zygote_that_exits_is_started_once_and_says_why, IN_EXEC, 120),
        EXEC_ONLY(a_zygote_that_a_signal_ends_at_its_start_is_tried_again),
        EXEC_ONLY(a_zygote_that_hangs_at_its_start_has_a_time_limit),
        EXEC_ONLY(what_a_zygote_prints_at_its_start_is_captured),
        EXEC_ONLY(or_copied_to_the_hosts),
        EXEC_ONLY(a_name_without_a_slash_is_looked_for_in_path),
    };
    return run_abi_tests("zygote starts", tests, COUNT(tests));
}
