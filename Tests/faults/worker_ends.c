/* worker_ends.c - workers that exit, or flush all streams: case 56.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "estranged.h"

#include <fcntl.h>
#include <sys/stat.h>

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

#define ENDED(text, way)                                                                                               \
    { 56, text, ends_in_items, BIRTHS, W1 | W2, 0, way, NULL, 0 }

static const struct fault worker_ends[] = {
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
};
TABLE(worker_ends);
