/* test_memory.c - the pages of buffers and inputs: kept for the next, and given back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MIB ((size_t)1 << 20)

/** Bytes that pools of this process hold of memory for inputs: their pages, whoever has mapped them. */
static size_t input_pages(void) {
    size_t bytes = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    ino_t seen[64];
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char target[100];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        if (length < 0) continue;
        target[length] = 0;
        struct stat status;
        if (strncmp(target, "/memfd:mapengine-input", 22) != 0 || fstat(atoi(entry->d_name), &status) != 0) continue;
        bool is_new = true;
        for (int i = 0; i < count; i++) is_new = is_new && seen[i] != status.st_ino;
        if (!is_new || count == (int)COUNT(seen)) continue;
        seen[count++] = status.st_ino;
        bytes += (size_t)status.st_blocks * 512;
    }
    closedir(folder);
    return bytes;
}

/** Pages that this thread was first to touch. */
static long faults(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_minflt + usage.ru_majflt;
}

static void a_buffer_has_the_pages_of_the_one_before(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    const size_t sizes[] = {64 * 1024, MIB, 32 * MIB, 48 * MIB + 12345};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint64_t before = stats_of(pool).input_bytes;
        void *first = NULL, *again = NULL;
        is_ok(pool, mape_buffer_release(buffer_filled(pool, sizes[i], 1, &first)));
        assert_int_equal(stats_of(pool).input_bytes, before);
        long touched = faults();
        is_ok(pool, mape_buffer_release(buffer_filled(pool, sizes[i], 2, &again)));
        touched = faults() - touched;
        assert_ptr_equal(first, again);
        if (touched > 20 + (long)(sizes[i] / 4096 / 100))
            fail_msg("%ld pages of %zu bytes were fresh", touched, sizes[i]);
        assert_int_equal(stats_of(pool).input_bytes, before);
    }
    pool_close(pool);
}

static void a_map_that_copies_has_the_pages_of_a_buffer_and_the_next_buffer_has_its_own(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id sum = registered(pool, run_sum);
    size_t size = 16 * MIB;
    unsigned char *bytes = malloc(size);
    memset(bytes, 3, size);
    is_ok(pool, mape_buffer_release(buffer_filled(pool, size + MIB, 1, NULL)));
    long touched = faults();
    mape_job *job = mapped(pool, sum, bytes, 16, MIB, NULL);
    wait_for(job);
    uint64_t expected = 3 * MIB;
    for (uint64_t i = 0; i < 16; i++) result_is(job, i, &expected, sizeof expected);
    is_ok(pool, mape_job_release(job));
    is_ok(pool, mape_buffer_release(buffer_filled(pool, size, 2, NULL)));
    touched = faults() - touched;
    if (touched > 1000) fail_msg("%ld pages were fresh", touched);
    free(bytes);
    pool_close(pool);
}

static void what_is_more_than_is_kept_goes_back_when_nothing_has_been_freed_for_a_while(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    size_t most = 64 * MIB;
    mape_buffer *small = buffer_filled(pool, MIB, 5, NULL);
    is_ok(pool, mape_buffer_release(buffer_filled(pool, 160 * MIB, 1, NULL)));
    wait_until(input_pages() <= most + 2 * MIB);
    /* Not all of it. */
    assert_true(input_pages() >= most / 2);
    /* What stays in use stays as it is. */
    void *data = NULL;
    is_ok(pool, mape_buffer_data(&data, NULL, small));
    for (size_t i = 0; i < MIB; i++) assert_int_equal(((unsigned char *)data)[i], 5);
    pool_close(pool);
}

static void a_small_reserve_keeps_an_eighth_and_the_rest_goes_back_at_once(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.input_reserve = 64 * MIB;
    mape_pool *pool = pool_open_with(&config);
    /* Before the start: by the call. */
    is_ok(pool, mape_buffer_release(buffer_filled(pool, 40 * MIB, 1, NULL)));
    assert_true(input_pages() <= 9 * MIB);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    for (int i = 0; i < 3; i++) {
        mape_buffer *buffer = buffer_filled(pool, 40 * MIB, 1, NULL);
        assert_true(input_pages() >= 40 * MIB);
        is_ok(pool, mape_buffer_release(buffer));
        wait_until(input_pages() <= 9 * MIB);
    }
    mape_buffer *late = buffer_filled(pool, 40 * MIB, 1, NULL);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    is_ok(pool, mape_buffer_release(late));
    assert_true(input_pages() <= 9 * MIB);
    pool_close(pool);
}

static void buffers_that_come_and_go_while_pages_are_returned_keep_their_bytes(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.input_reserve = 64 * MIB;
    mape_pool *pool = pool_open_with(&config);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_buffer *buffers[8] = {NULL};
    unsigned char *data[COUNT(buffers)] = {NULL};
    size_t sizes[COUNT(buffers)] = {0};
    unsigned state = 1;
    for (int round = 0; round < 400; round++) {
        state = state * 1103515245u + 12345u;
        size_t i = state / 65536u % COUNT(buffers);
        if (buffers[i]) {
            for (size_t k = 0; k < sizes[i]; k += 1000)
                if (data[i][k] != (unsigned char)(i + 1))
                    fail_msg("buffer %zu has lost byte %zu in round %d", i, k, round);
            is_ok(pool, mape_buffer_release(buffers[i]));
            buffers[i] = NULL;
        } else {
            void *memory = NULL;
            sizes[i] = MIB / 2 + state % (6 * MIB);
            buffers[i] = buffer_filled(pool, sizes[i], (int)i + 1, &memory);
            data[i] = memory;
        }
    }
    pool_close(pool);
}

int main(void) {
    static const struct abi_test tests[] = {
        BOTH(a_buffer_has_the_pages_of_the_one_before),
        BOTH(a_map_that_copies_has_the_pages_of_a_buffer_and_the_next_buffer_has_its_own),
        EXEC_ONLY(what_is_more_than_is_kept_goes_back_when_nothing_has_been_freed_for_a_while),
        EXEC_ONLY(a_small_reserve_keeps_an_eighth_and_the_rest_goes_back_at_once),
        EXEC_ONLY(buffers_that_come_and_go_while_pages_are_returned_keep_their_bytes),
    };
    return run_abi_tests("memory", tests, COUNT(tests));
}
