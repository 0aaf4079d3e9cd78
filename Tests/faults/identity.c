/* identity.c - children that come back from a function, and descriptors closed behind the worker's back: cases 54 and 55.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "estranged.h"

/* ---- case 54 ---- */

/** Whether the pool has said something like this. */
static bool was_told(mape_pool *pool, const char *text) {
    for (;;) {
        mape_event event = MAPE_EVENT_INIT;
        if (mape_pool_next_event(&event, pool, 0) != MAPE_OK) return false;
        if (event.type == MAPE_EVENT_LOG && strstr(event.text, text) != NULL) return true;
    }
}

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

/** One item that closes descriptors, and squares all the same; the host sleeps before it. */
static void closes_and_squares(mape_pool *pool, mape_function_id function, const void *item, size_t size,
                               uint64_t value) {
    uint64_t square = value * value;
    for (int nap = 0; nap < 5; nap++) short_nap();
    mape_job *job = applied(pool, function, item, size);
    stage("waiting for an item that closes descriptors");
    is_ok(pool, mape_job_wait(job, PATIENCE));
    result_is(job, 0, &square, sizeof square);
    is_ok(pool, mape_job_release(job));
}

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
        for (uint64_t value = 50; value < 55; value++) {
            struct fault_item item = {value, row->fault->value, 0};
            closes_and_squares(pool, function, &item, sizeof item, value);
        }
    }
    pool_works(pool);
    assert_string_equal(file_taken(), ""); /* None of our bytes. */
}

static void descriptors_in_the_sandbox(const struct row *row) {
    (void)row;
    mape_pool *pool = row_pool();
    mape_function_id function = registered(pool, run_closes_all);
    for (uint64_t value = 0; value < 20; value++) closes_and_squares(pool, function, &value, sizeof value, value);
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

#define CHILD(text, way)                                                                                               \
    { 54, text, child_in_an_item, BIRTHS, W1 | W2 | W5, 0, way, NULL, 0 }
#define CLOSED(text, way)                                                                                              \
    { 55, text, descriptors_in_items, BIRTHS, W1 | W2, 0, way, NULL, 0 }

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
};
TABLE(identity);
