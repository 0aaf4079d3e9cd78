/* test_stats.c - what the pool counts of workers, functions and jobs, and other names of functions. Times are compared with the sleeps of
 * functions as lower bounds, and with one another: nothing depends on how fast the machine is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define MS(n) MAPE_MILLISECONDS(n)

static mape_work_stats of_function(mape_pool *pool, mape_function_id function) {
    mape_work_stats stats = MAPE_WORK_STATS_INIT;
    is_ok(pool, mape_function_stats(&stats, pool, function));
    return stats;
}

static mape_work_stats of_job(mape_job *job) {
    mape_work_stats stats = MAPE_WORK_STATS_INIT;
    is_ok(NULL, mape_job_stats(&stats, job));
    return stats;
}

/** Range by range, so that each item is measured alone. */
static mape_job_config one_by_one(void) {
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = 1;
    return config;
}

static void doze(int64_t ns) {
    int64_t end = now_ns() + ns;
    while (now_ns() < end) short_nap();
}

/** The times of the pool's workers together. */
static mape_worker_info all_workers(mape_pool *pool) {
    mape_worker_info sum = MAPE_WORKER_INFO_INIT;
    for (uint32_t i = 0; i < stats_of(pool).workers; i++) {
        mape_worker_info worker = worker_of(pool, i);
        sum.busy_ns += worker.busy_ns, sum.setup_ns += worker.setup_ns;
        sum.idle_ns += worker.idle_ns, sum.waiting_ns += worker.waiting_ns;
    }
    return sum;
}

static void workers_functions_and_jobs_count_the_same_times(uint32_t birth) {
    enum { ITEMS = 8 };
    int64_t begun = now_ns(), naps[ITEMS], slept = 0;
    for (int i = 0; i < ITEMS; i++) naps[i] = MS(20);
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered_shared(pool, run_sleeps, setup_shared_slowly, cleanup_shared);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    mape_job_config config = one_by_one();
    mape_job *job = mapped(pool, function, naps, ITEMS, sizeof naps[0], &config);
    wait_for(job);
    for (uint64_t i = 0; i < ITEMS; i++) slept += *(const int64_t *)result_of(job, i).data;
    mape_work_stats stats = of_function(pool, function), own = of_job(job);
    mape_worker_info workers = all_workers(pool);
    assert_true(slept >= ITEMS * MS(20));
    assert_true(stats.busy_ns >= slept);
    assert_int_equal(own.busy_ns, stats.busy_ns);
    assert_int_equal(workers.busy_ns, stats.busy_ns);
    assert_int_equal(stats.jobs, 1);
    assert_int_equal(stats.items, ITEMS);
    assert_int_equal(stats.ok, ITEMS);
    assert_int_equal(stats.ranges, ITEMS);
    assert_int_equal(stats.timed, ITEMS);
    assert_true(stats.min_ns >= (double)MS(20) && stats.min_ns <= stats.p50_ns && stats.p999_ns <= stats.max_ns);
    assert_true(own.wait_ns >= 0 && own.done_ns >= 3 * MS(20) && own.delivery_ns == -1);
    assert_true(workers.setup_ns >= 2 * MS(30));
    /* None has more time than there was. */
    for (uint32_t i = 0; i < 2; i++) {
        mape_worker_info worker = worker_of(pool, i);
        assert_true(worker.busy_ns + worker.setup_ns + worker.idle_ns + worker.waiting_ns <= now_ns() - begun);
    }
    pool_close(pool);
}

static void a_worker_without_work_is_idle_and_does_not_wait(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    wait_until(stats_of(pool).workers_ready == 1);
    mape_worker_info before = worker_of(pool, 0);
    doze(MS(50));
    mape_worker_info after = worker_of(pool, 0);
    assert_true(after.idle_ns - before.idle_ns >= MS(50));
    assert_int_equal(after.waiting_ns, 0);
    assert_int_equal(after.busy_ns, 0);
    pool_close(pool);
}

/** The share of items, in a histogram, that do not pass a value: the value as mape_work_stats gives it. */
static double quantile(const mape_bucket *buckets, size_t count, uint64_t total, double part,
                       const mape_work_stats *stats) {
    uint64_t rank = (uint64_t)(part * (double)total + 0.999999999), seen = 0;
    for (size_t i = 0; i < count; i++) {
        seen += buckets[i].items;
        double middle = (buckets[i].from_ns + buckets[i].to_ns) / 2;
        if (seen >= rank)
            return middle < stats->min_ns ? stats->min_ns : middle > stats->max_ns ? stats->max_ns : middle;
    }
    fail_msg("the histogram has %llu items", (unsigned long long)seen);
    return 0;
}

static void quantiles_and_histogram_show_two_kinds_of_items(uint32_t birth) {
    enum { ITEMS = 100, SLOW = 10 };
    int64_t naps[ITEMS];
    for (int i = 0; i < ITEMS; i++) naps[i] = i % (ITEMS / SLOW) == 3 ? MS(20) : MS(1);
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_sleeps);
    mape_job_config config = one_by_one();
    mape_job *job = mapped(pool, function, naps, ITEMS, sizeof naps[0], &config);
    wait_for(job);
    mape_work_stats stats = of_job(job);
    const double within = 63.0 / 64;
    assert_true(stats.p50_ns >= (double)MS(1) * within && stats.p90_ns >= (double)MS(1) * within);
    assert_true(stats.p99_ns >= (double)MS(20) * within && stats.p999_ns >= stats.p99_ns);

    mape_bucket buckets[ITEMS], few[1];
    size_t count = 0, all = 0;
    is_ok(pool, mape_job_histogram(buckets, ITEMS, &count, job));
    uint64_t items = 0, slow = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(buckets[i].from_ns < buckets[i].to_ns && buckets[i].items > 0);
        assert_true(buckets[i].to_ns - buckets[i].from_ns <= buckets[i].from_ns / 32 * 1.0001);
        if (i > 0) assert_true(buckets[i - 1].to_ns <= buckets[i].from_ns);
        items += buckets[i].items;
        if (buckets[i].to_ns > (double)MS(20)) slow += buckets[i].items;
    }
    assert_int_equal(items, ITEMS);
    assert_true(slow >= SLOW);
    assert_true(buckets[0].from_ns <= stats.min_ns && stats.min_ns < buckets[0].to_ns);
    assert_true(buckets[count - 1].from_ns <= stats.max_ns && stats.max_ns < buckets[count - 1].to_ns);
    assert_true(stats.p50_ns == quantile(buckets, count, ITEMS, 0.5, &stats));
    assert_true(stats.p90_ns == quantile(buckets, count, ITEMS, 0.9, &stats));
    assert_true(stats.p99_ns == quantile(buckets, count, ITEMS, 0.99, &stats));

    is_ok(pool, mape_function_histogram(buckets, ITEMS, &all, pool, function));
    assert_int_equal(all, count);
    if (count > 1) is_status(pool, MAPE_E_OVERFLOW, mape_job_histogram(few, 1, &all, job));
    assert_int_equal(all, count);
    is_status(pool, MAPE_E_OVERFLOW, mape_job_histogram(NULL, 0, &all, job));
    assert_int_equal(all, count);
    pool_close(pool);
}

static void bytes_are_counted_as_copied_or_read_in_place(uint32_t birth) {
    enum { ITEMS = 1000, LARGE = 400000 };
    mape_pool *pool = pool_started(birth, 2);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(LARGE), size = ITEMS * sizeof *values;
    mape_job *copied = mapped(pool, function, values, ITEMS, sizeof *values, NULL);
    void *data = NULL;
    mape_buffer *buffer = buffer_filled(pool, size, 0, &data);
    memcpy(data, values, size);
    mape_job *shared = mapped(pool, function, data, ITEMS, sizeof *values, NULL);
    /* In pieces. */
    mape_job *large = mapped(pool, function, values, LARGE, sizeof *values, NULL);
    mape_span spans[2] = {{values, 8}, {data, 8}};
    mape_items items = MAPE_ITEMS_INIT;
    items.count = 2;
    items.spans = spans;
    mape_job *both = NULL, *stream = NULL, *apart = NULL;
    is_ok(pool, mape_map(&both, pool, function, &items, NULL));
    mape_pieces pieces = {spans, 2};
    items.spans = NULL, items.pieces = &pieces, items.count = 1;
    is_ok(pool, mape_map(&apart, pool, function, &items, NULL));
    is_ok(pool, mape_stream_open(&stream, pool, function, NULL));
    size_t accepted = 0;
    is_ok(pool, mape_stream_push(&accepted, stream, spans, 2));
    is_ok(pool, mape_stream_finish(stream));
    mape_job *jobs[] = {copied, shared, large, both, apart, stream};
    const uint64_t expected[][2] = {{size, 0}, {0, size}, {LARGE * sizeof *values, 0}, {16, 8}, {128, 8}, {16, 8}};
    uint64_t sums[3] = {0};
    int64_t time = 0;
    for (size_t i = 0; i < COUNT(jobs); i++) {
        wait_for(jobs[i]);
        mape_work_stats stats = of_job(jobs[i]);
        stage("job %zu", i);
        assert_int_equal(stats.copied_bytes, expected[i][0]);
        assert_int_equal(stats.shared_bytes, expected[i][1]);
        assert_true(stats.output_bytes >= stats.ok * sizeof(uint64_t));
        sums[0] += stats.copied_bytes, sums[1] += stats.shared_bytes, sums[2] += stats.output_bytes;
        time += stats.copy_ns;
    }
    assert_true(of_job(large).copy_ns > 0);
    assert_int_equal(of_job(shared).copy_ns, 0);
    mape_work_stats stats = of_function(pool, function);
    assert_int_equal(stats.jobs, COUNT(jobs));
    assert_int_equal(stats.copied_bytes, sums[0]);
    assert_int_equal(stats.shared_bytes, sums[1]);
    assert_int_equal(stats.output_bytes, sums[2]);
    assert_int_equal(stats.copy_ns, time);
    is_ok(pool, mape_buffer_release(buffer));
    free(values);
    pool_close(pool);
}

static void items_that_end_their_worker_count_with_the_time_that_they_took(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_fault);
    struct fault_item items[] = {{2, WAY_WELL, 0}, {3, WAY_SEGFAULT, 0}, {4, WAY_FAIL, 0}, {5, WAY_WELL, 0}};
    mape_job *job = mapped(pool, function, items, COUNT(items), sizeof items[0], NULL);
    wait_for(job);
    mape_work_stats stats = of_job(job);
    assert_int_equal(stats.items, 4);
    assert_int_equal(stats.ok, 2);
    assert_int_equal(stats.crashed, 1);
    assert_int_equal(stats.failed, 1);
    assert_true(stats.timed <= 3 && stats.busy_ns > 0);

    struct fault_item slow = {1, WAY_LOOP, 0};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MS(50);
    mape_job *late = mapped(pool, function, &slow, 1, sizeof slow, &config);
    wait_for(late);
    stats = of_job(late);
    assert_int_equal(stats.timed_out, 1);
    assert_int_equal(stats.timed, 0);
    assert_true(stats.busy_ns >= MS(50));
    assert_true(stats.p50_ns == 0 && stats.max_ns == 0);

    stats = of_function(pool, function);
    assert_int_equal(stats.items, 5);
    assert_int_equal(stats.busy_ns, of_job(job).busy_ns + of_job(late).busy_ns);
    assert_int_equal(all_workers(pool).busy_ns, stats.busy_ns);
    pool_close(pool);
}

/** Stops the host when a worker has begun, waits until workers have nothing left to do, and lets the host go on 300 ms later. */
static pid_t freezer(struct shared *shared) {
    pid_t host = getpid(), child = fork();
    if (child != 0) return child;
    while (atomic_load(&shared->left) == 0 && getppid() == host) short_nap();
    kill(host, SIGSTOP);
    for (;;) {
        uint32_t entered = atomic_load(&shared->entered);
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
        if (entered == atomic_load(&shared->entered) && entered == atomic_load(&shared->left)) break;
    }
    nanosleep(&(struct timespec){.tv_nsec = 300 * 1000 * 1000}, NULL);
    kill(host, SIGCONT);
    _exit(0);
}

static void workers_of_a_frozen_host_wait(uint32_t birth) {
    enum { ITEMS = 100000 };
    struct shared *shared = shared_page();
    pid_t child = freezer(shared);
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id function = registered_shared(pool, run_sleeps, setup_shared, cleanup_shared);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    int64_t *naps = malloc(ITEMS * sizeof *naps);
    for (int i = 0; i < ITEMS; i++) naps[i] = MS(2);
    mape_job_config config = one_by_one();
    mape_job *job = mapped(pool, function, naps, ITEMS, sizeof *naps, &config);
    free(naps);
    assert_int_equal(waitpid(child, NULL, 0), child);
    /* It shows once the worker was assigned something again. */
    wait_until(worker_of(pool, 0).waiting_ns >= MS(200));
    is_ok(pool, mape_job_cancel(job));
    pool_close(pool);
}

static void workers_wait_for_a_host_that_does_not_fetch(uint32_t birth) {
    enum { ITEMS = 12 };
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square);
    uint64_t *values = numbers(ITEMS);
    mape_job_config config = one_by_one();
    config.drop = 1;
    config.window = 4;
    config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE;
    mape_job *job = mapped(pool, function, values, ITEMS, sizeof *values, &config);
    wait_until(progress_of(job).done == config.window);
    mape_worker_info before = worker_of(pool, 0);
    doze(MS(50));
    assert_true(worker_of(pool, 0).waiting_ns - before.waiting_ns >= MS(50));
    dispatch_until_done(pool, job);
    while (mape_pool_dispatch(pool, 0, 0) > 0) {}
    mape_work_stats stats = of_job(job);
    assert_int_equal(stats.ok, ITEMS);
    assert_true(stats.delivery_ns >= 0 && stats.done_ns >= MS(50));
    /* With nothing left, it is idle again. */
    int64_t waited = worker_of(pool, 0).waiting_ns;
    doze(MS(20));
    assert_int_equal(worker_of(pool, 0).waiting_ns, waited);
    free(values);
    pool_close(pool);
}

static void another_name_of_a_function_is_counted_apart(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_open(birth, 2);
    mape_function_id function = registered_shared(pool, run_noted, setup_shared, cleanup_shared), first = 0, second = 0,
                     third = 0;
    is_ok(pool, mape_function_alias(&first, pool, function, "scale"));
    is_ok(pool, mape_function_alias(&second, pool, first, "rotate"));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    is_ok(pool, mape_function_alias(&third, pool, function, "scale"));
    assert_true(first != function && second != first && third != first);
    const mape_function_id ids[] = {function, first, second, third};
    for (uint64_t k = 0; k < COUNT(ids); k++) {
        uint64_t values[] = {7, 8, 9, 10}, result = 49;
        mape_job *job = mapped(pool, ids[k], values, k + 1, sizeof values[0], NULL);
        wait_for(job);
        result_is(job, 0, &result, sizeof result);
    }
    for (uint64_t k = 0; k < COUNT(ids); k++) {
        assert_int_equal(of_function(pool, ids[k]).items, k + 1);
        assert_int_equal(of_function(pool, ids[k]).jobs, 1);
    }
    /* A group counts in what it is a group of, too. */
    mape_function_id group = 0, inner = 0;
    uint64_t item = 3, nine = 9;
    is_ok(pool, mape_function_alias(&group, pool, second, NULL));
    is_ok(pool, mape_function_alias(&inner, pool, group, NULL));
    item_gives(pool, group, &item, sizeof item, &nine, sizeof nine);
    item_gives(pool, inner, &item, sizeof item, &nine, sizeof nine);
    const mape_function_id counted[] = {inner, group, second, function};
    const uint64_t expected[] = {1, 2, 3 + 2, 1};
    for (size_t k = 0; k < COUNT(counted); k++) {
        mape_work_stats stats = of_function(pool, counted[k]);
        assert_int_equal(stats.items, expected[k]);
        assert_int_equal(stats.timed, expected[k]);
        assert_int_equal(stats.jobs, k == 2 ? 3 : k == 1 ? 2 : 1);
    }
    /* Workers know nothing of names. */
    assert_int_equal(atomic_load(&shared->setups), 2);

    mape_work_stats stats = MAPE_WORK_STATS_INIT;
    is_ok(pool, mape_function_unregister(pool, first));
    is_status(pool, MAPE_E_FUNCTION, mape_function_stats(&stats, pool, first));
    uint64_t value = 5, result = 25;
    item_gives(pool, second, &value, sizeof value, &result, sizeof result);
    is_ok(pool, mape_function_unregister(pool, function));
    mape_job *job = NULL;
    is_status(pool, MAPE_E_FUNCTION, mape_apply(&job, pool, third, &value, sizeof value, NULL));
    is_status(pool, MAPE_E_FUNCTION, mape_function_alias(&first, pool, second, "more"));
    assert_int_equal(first, 0);
    wait_until(atomic_load(&shared->cleanups) == 2);
    pool_close(pool);
}

static void bad_calls_are_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    mape_function_id function = registered(pool, run_square), id = 9;
    uint64_t value = 3;
    mape_job *job = applied(pool, function, &value, sizeof value);
    mape_work_stats stats = MAPE_WORK_STATS_INIT, wrong = MAPE_WORK_STATS_INIT;
    mape_bucket buckets[4];
    size_t count = 5;
    wrong.struct_size = 8;
    is_status(pool, MAPE_E_ARGUMENT, mape_function_stats(NULL, pool, function));
    is_status(pool, MAPE_E_SIZE, mape_function_stats(&wrong, pool, function));
    is_status(pool, MAPE_E_FUNCTION, mape_function_stats(&stats, pool, function + 1));
    is_status(NULL, MAPE_E_ARGUMENT, mape_function_stats(&stats, NULL, function));
    is_status(pool, MAPE_E_SIZE, mape_job_stats(&wrong, job));
    is_status(pool, MAPE_E_ARGUMENT, mape_job_histogram(NULL, 4, &count, job));
    assert_int_equal(count, 0);
    is_status(pool, MAPE_E_ARGUMENT, mape_job_histogram(buckets, 4, NULL, job));
    is_status(pool, MAPE_E_FUNCTION, mape_function_histogram(buckets, 4, &count, pool, 0));
    is_status(pool, MAPE_E_ARGUMENT, mape_function_alias(&id, pool, function, ""));
    is_status(pool, MAPE_E_ARGUMENT, mape_function_alias(NULL, pool, function, "name"));
    assert_int_equal(id, 0);
    is_ok(pool, mape_job_release(job));
    is_status(NULL, MAPE_E_HANDLE, mape_job_stats(&stats, job));
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_int_equal(of_function(pool, function).items, 1);
    is_status(pool, MAPE_E_CLOSED, mape_function_alias(&id, pool, function, "late"));
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(workers_functions_and_jobs_count_the_same_times),
        BOTH(a_worker_without_work_is_idle_and_does_not_wait),
        BOTH(quantiles_and_histogram_show_two_kinds_of_items),
        BOTH(bytes_are_counted_as_copied_or_read_in_place),
        BOTH(items_that_end_their_worker_count_with_the_time_that_they_took),
        BOTH(workers_of_a_frozen_host_wait),
        BOTH(workers_wait_for_a_host_that_does_not_fetch),
        BOTH(another_name_of_a_function_is_counted_apart),
        BOTH(bad_calls_are_refused),
    };
    return run_abi_tests("stats", tests, COUNT(tests));
}
