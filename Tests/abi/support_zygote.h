/* support_zygote.h - pools whose zygote is offering_zygote, for its tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SUPPORT_ZYGOTE_H
#define SUPPORT_ZYGOTE_H

#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>

static char count_path[64];

/** A pool whose zygote is offering_zygote in one of its modes. */
static inline mape_pool_config config_in_mode(uint32_t birth, const char *mode) {
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
static inline int starts(void) {
    struct stat about;
    assert_int_equal(stat(count_path, &about), 0);
    return (int)about.st_size;
}

static inline void closed(mape_pool *pool) {
    pool_close(pool);
    unlink(count_path);
}

static inline int registering(mape_pool *pool, const char *run, const char *run_range, mape_function_id *out) {
    mape_function function = MAPE_FUNCTION_INIT;
    function.library = MAPE_ZYGOTE;
    function.run_symbol = run, function.run_range_symbol = run_range;
    function.data = "data of the host", function.data_size = 16;
    return mape_function_register(out, pool, &function);
}

static inline mape_function_id offered(mape_pool *pool, const char *name) {
    mape_function_id function = 0;
    is_ok(pool, registering(pool, name, NULL, &function));
    return function;
}

static inline void multiplied_by(mape_pool *pool, mape_function_id function, uint64_t factor) {
    uint64_t values[300];
    for (uint64_t i = 0; i < COUNT(values); i++) values[i] = i + 1;
    mape_job *job = mapped(pool, function, values, COUNT(values), sizeof *values, NULL);
    wait_for(job);
    for (uint64_t i = 0; i < COUNT(values); i++) result_is(job, i, &(uint64_t){factor * (i + 1)}, 8);
    is_ok(pool, mape_job_release(job));
}

/** Takes all events that are there; returns whether one of the type has the word. */
static inline bool told(mape_pool *pool, uint32_t type, const char *word) {
    bool found = false;
    mape_event event = MAPE_EVENT_INIT;
    while (mape_pool_next_event(&event, pool, 0) == MAPE_OK)
        if (event.type == type && strstr(event.text, word) != NULL) found = true;
    return found;
}

static inline const char *whole_message(mape_pool *pool, char *text, size_t size) {
    assert_true(mape_message(text, size, pool) < size);
    return text;
}

/** The message of an item of a pool that fails; or of the submission, if it has failed already. */
static inline const char *message_of_an_item(mape_pool *pool, mape_function_id function) {
    static char text[8192];
    uint64_t value = 1;
    mape_job *job = NULL;
    int status = mape_apply(&job, pool, function, &value, sizeof value, NULL);
    if (status != MAPE_OK) {
        is_status(pool, MAPE_E_WORKERS, status);
        return whole_message(pool, text, sizeof text);
    }
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_ABANDONED, MAPE_CAUSE_POOL, MAPE_E_WORKERS);
    snprintf(text, sizeof text, "%s", result_of(job, 0).message);
    is_ok(pool, mape_job_release(job));
    return text;
}

#endif
