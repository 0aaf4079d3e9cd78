/* test_remote.c - other machines: what of a pool is as on this one, and where jobs run. The machines are own_remote's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_remote.h"

enum { MANY = 20000 };

/** Squares of many numbers, where the job says. */
static void squares(mape_pool *pool, mape_function_id square, uint64_t count, const mape_job_config *config) {
    uint64_t *values = numbers(count);
    mape_job *job = mapped(pool, square, values, count, sizeof *values, config);
    wait_for(job);
    squares_are_right(job, values, count);
    for (uint64_t i = 0; i < count; i += count / 7 + 1) assert_int_equal(result_of(job, i).attempts, 1);
    is_ok(pool, mape_job_release(job));
    free(values);
}

static void lanes_stand_beside_workers_and_do_their_share(uint32_t birth) {
    struct stand_in *told = stand_in_with(3);
    mape_pool *pool = remote_pool(birth, 2);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id square = 0;
    description.library = WORKERS_LIBRARY, description.run_symbol = "run_square";
    is_ok(pool, mape_function_register(&square, pool, &description));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    wait_until(stats_of(pool).remote_ready == 3);
    mape_stats stats = stats_of(pool);
    assert_int_equal(stats.workers, 2);
    assert_int_equal(stats.workers_ready, 2);
    assert_int_equal(stats.nodes, 1);
    assert_int_equal(stats.bytes_sent, 1);
    assert_int_equal(stats.bytes_received, 2);
    assert_int_equal(stats.remote_pid, told->pid);
    for (int i = 0; i < 5; i++) squares(pool, square, MANY, NULL);
    const mape_job_config there = placed(MAPE_REMOTE);
    squares(pool, square, MANY, &there);
    assert_true(told->answered > 0);
    stage("more room, and less");
    told->lanes = 8;
    wait_until(stats_of(pool).remote_ready == 8);
    told->lanes = 100;
    squares(pool, square, MANY, &there);
    told->lanes = 1;
    wait_until(stats_of(pool).remote_ready == 1);
    squares(pool, square, MANY, &there);
    remote_close(pool);
}

static void a_job_runs_where_it_is_to(uint32_t birth) {
    struct stand_in *told = stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_function_id square = registered(pool, run_square);
    const mape_job_config here = placed(MAPE_LOCAL), there = placed(MAPE_REMOTE);
    squares(pool, square, MANY, &here);
    assert_int_equal(told->begun, 0);
    squares(pool, square, MANY, &there);
    assert_true(told->items >= MANY);
    const mape_worker_info lane = worker_of(pool, 1024 - 8);
    assert_int_equal(lane.is_remote, 1);
    assert_int_equal(lane.pid, 0);
    assert_string_equal(lane.host, "stand-in");
    assert_int_equal(lane.round_trip_ns, 1000000);
    const mape_worker_info worker = worker_of(pool, 0);
    assert_int_equal(worker.is_remote, 0);
    assert_string_equal(worker.host, "");
    assert_true(worker.items >= MANY && lane.items > 0);
    stage("nobody there: the job waits");
    told->lanes = 0;
    wait_until(stats_of(pool).remote_ready == 0);
    uint64_t value = 7, result = 49;
    mape_job *job = mapped(pool, square, &value, 1, sizeof value, &there);
    is_status(pool, MAPE_E_TIMEOUT, mape_job_wait(job, MAPE_MILLISECONDS(50)));
    squares(pool, square, MANY, NULL);
    told->lanes = 1;
    wait_for(job);
    result_is(job, 0, &result, sizeof result);
    is_ok(pool, mape_job_release(job));
    remote_close(pool);
}

/** A trace tells of ranges on other machines: which machine, how far it is, all items once; and a file names its line after it. */
static void a_trace_tells_of_other_machines(uint32_t birth) {
    stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_function_id square = registered(pool, run_square);
    const mape_job_config there = placed(MAPE_REMOTE);
    is_ok(pool, mape_pool_trace_start(pool, NULL));
    squares(pool, square, MANY, &there);
    is_ok(pool, mape_pool_trace_stop(pool));
    stage("which machine a lane is on is told behind its first answer, and stands at that as well");
    for (int lane = 1024 - 8; lane < 1024 - 6; lane++)
        wait_until(worker_of(pool, lane).items == 0 || strcmp(worker_of(pool, lane).host, "stand-in") == 0);
    static mape_trace_event events[4096];
    size_t count = 0;
    uint64_t items = 0, lost = 0;
    events[0].struct_size = sizeof *events;
    is_ok(pool, mape_pool_trace_read(events, COUNT(events), &count, &lost, pool));
    assert_int_equal(lost, 0);
    for (size_t i = 0; i < count; i++) {
        if (events[i].kind == MAPE_TRACE_RANGE) fail_msg("a range of a job for other machines ran here");
        if (events[i].kind != MAPE_TRACE_REMOTE || events[i].state == MAPE_TRACE_RUNNING) continue;
        items += events[i].items;
        assert_true(events[i].worker >= 1024 - 8 && events[i].pid == 0);
        if (events[i].items > 0) assert_string_equal(events[i].host, "stand-in");
        if (events[i].items > 0) assert_int_equal(events[i].round_trip_ns, 1000000);
    }
    assert_int_equal(items, MANY);
    remote_close(pool);
}

/** A lane that is new in its place is not named after the machine of the one before. */
static void a_new_lane_has_no_machine_yet(uint32_t birth) {
    struct stand_in *told = stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_function_id square = registered(pool, run_square);
    const mape_job_config there = placed(MAPE_REMOTE);
    squares(pool, square, MANY, &there);
    wait_until(strcmp(worker_of(pool, 1024 - 8).host, "stand-in") == 0 ||
               strcmp(worker_of(pool, 1024 - 7).host, "stand-in") == 0);
    told->lanes = 0;
    wait_until(stats_of(pool).remote_ready == 0);
    told->lanes = 2;
    wait_until(stats_of(pool).remote_ready == 2);
    for (int lane = 1024 - 8; lane < 1024 - 6; lane++) {
        assert_string_equal(worker_of(pool, lane).host, "");
        assert_int_equal(worker_of(pool, lane).round_trip_ns, 0);
    }
    remote_close(pool);
}

static void a_pool_may_have_no_workers_of_its_own(uint32_t birth) {
    struct stand_in *told = stand_in_with(0);
    mape_pool_config config = remote_config(birth, 7);
    config.cluster_flags = MAPE_CLUSTER_ONLY;
    mape_pool *pool = pool_open_with(&config);
    const mape_function_id square = registered(pool, run_square);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    assert_int_equal(stats_of(pool).workers, 0);
    told->lanes = 2;
    squares(pool, square, MANY, NULL);
    remote_close(pool);
}

static void what_cannot_be_is_refused(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 1);
    const mape_function_id square = registered(pool, run_square);
    mape_job_config config = placed(MAPE_REMOTE);
    mape_job *job = NULL;
    uint64_t value = 3;
    const mape_items items = items_at(&value, 1, sizeof value);
    is_status(pool, MAPE_E_ARGUMENT, mape_map(&job, pool, square, &items, &config));
    assert_non_null(strstr(message_of(pool), "config.where"));
    config.where = 3;
    is_status(pool, MAPE_E_ARGUMENT, mape_map(&job, pool, square, &items, &config));
    pool_close(pool);
    mape_pool_config settings = config_of(birth, 1);
    settings.cluster_flags = MAPE_CLUSTER_ONLY;
    assert_int_equal(mape_pool_create(&pool, &settings), MAPE_E_ARGUMENT);
    settings.cluster = "", settings.cluster_flags = 0;
    assert_int_equal(mape_pool_create(&pool, &settings), MAPE_E_ARGUMENT);
    settings.cluster = "x", settings.remote_workers = 1024;
    assert_int_equal(mape_pool_create(&pool, &settings), MAPE_E_ARGUMENT);
    settings.remote_workers = 1023, settings.workers = 2;
    assert_int_equal(mape_pool_create(&pool, &settings), MAPE_E_ARGUMENT);
    settings.remote_workers = 1000, settings.workers = 2;
    assert_int_equal(mape_pool_create(&pool, &settings), MAPE_OK);
    pool_adopt(pool);
    is_status(pool, MAPE_E_ARGUMENT, mape_pool_resize(pool, 25));
    is_ok(pool, mape_pool_resize(pool, 24));
    pool_close(pool);
    char text[4100];
    memset(text, 'x', sizeof text);
    text[4001] = '\0';
    settings.cluster = text;
    assert_int_equal(mape_pool_create(&pool, &settings), MAPE_E_ARGUMENT);
}

/** A snapshot of the host has functions that no other machine can have. */
static void functions_without_a_name_stay_here(uint32_t birth) {
    struct stand_in *told = stand_in_with(2);
    mape_pool *pool = remote_pool(birth, 1);
    const mape_function_id bare = registered(pool, run_square);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id named = 0;
    description.library = WORKERS_LIBRARY, description.run_symbol = "run_square";
    is_ok(pool, mape_function_register(&named, pool, &description));
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    wait_until(stats_of(pool).remote_ready == 2);
    squares(pool, bare, MANY, NULL);
    assert_int_equal(told->begun, 0);
    assert_true(logged(pool, "runs on this machine alone"));
    const mape_job_config there = placed(MAPE_REMOTE);
    mape_job *job = NULL;
    uint64_t value = 3;
    const mape_items items = items_at(&value, 1, sizeof value);
    is_status(pool, MAPE_E_FUNCTION, mape_map(&job, pool, bare, &items, &there));
    squares(pool, named, MANY, &there);
    assert_true(told->answered > 0);
    remote_close(pool);
}

static void setup_data_globals_and_job_data_travel(uint32_t birth) {
    stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_job_config there = placed(MAPE_REMOTE);
    stage("a setup with data");
    shared_page();
    const mape_function_id shared = registered_shared(pool, run_noted, setup_shared, cleanup_shared);
    uint64_t value = 12;
    mape_job *job = mapped(pool, shared, &value, 1, sizeof value, &there);
    wait_for(job);
    assert_int_equal(result_of(job, 0).state, MAPE_ITEM_OK);
    assert_true(shared_page()->entered > 0);
    is_ok(pool, mape_job_release(job));
    stage("globals, which change");
    const mape_function_id global = registered(pool, run_global);
    for (int i = 0; i < 3; i++) {
        char bytes[16];
        snprintf(bytes, sizeof bytes, "value %d", i);
        is_ok(pool, mape_pool_set_global(pool, "speed", bytes, sizeof bytes));
        job = mapped(pool, global, "speed", 1, 6, &there);
        wait_for(job);
        result_is(job, 0, bytes, sizeof bytes);
        is_ok(pool, mape_job_release(job));
    }
    stage("data of a job");
    const mape_function_id data = registered(pool, run_job_data);
    mape_job_config config = there;
    config.data = "data of this job", config.data_size = 16;
    job = mapped(pool, data, &value, 1, sizeof value, &config);
    wait_for(job);
    assert_int_equal(result_of(job, 0).state, MAPE_ITEM_OK);
    is_ok(pool, mape_job_release(job));
    is_ok(pool, mape_function_unregister(pool, shared));
    remote_close(pool);
}

static void items_know_their_index(uint32_t birth) {
    stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_function_id describe = registered(pool, run_describe);
    uint64_t *values = numbers(500);
    mape_job_config config = placed(MAPE_REMOTE);
    config.first_index = 100, config.chunk = 7;
    mape_job *job = mapped(pool, describe, values, 500, sizeof *values, &config);
    wait_for(job);
    for (uint64_t i = 0; i < 500; i++) assert_int_equal(((const struct view *)result_of(job, i).data)->index, 100 + i);
    is_ok(pool, mape_job_release(job));
    free(values);
    remote_close(pool);
}

static void streams_and_ordered_events_are_as_here(uint32_t birth) {
    struct stand_in *told = stand_in_with(3);
    mape_pool *pool = remote_started(birth, 1, 3);
    const mape_function_id square = registered(pool, run_square);
    mape_job_config config = placed(MAPE_REMOTE);
    config.ordered = 1, config.deliver = MAPE_DELIVER_ITEMS | MAPE_DELIVER_DONE, config.window = 64;
    mape_job *stream = NULL;
    is_ok(pool, mape_stream_open(&stream, pool, square, &config));
    uint64_t pushed = 0, seen = 0;
    while (seen < 2000) {
        for (; pushed < 2000; pushed++) {
            const mape_span item = {&pushed, sizeof pushed};
            size_t taken = 0;
            const int status = mape_stream_push(&taken, stream, &item, 1);
            if (status != MAPE_OK) break;
        }
        mape_event event = MAPE_EVENT_INIT;
        is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
        if (event.type != MAPE_EVENT_ITEM) continue;
        assert_int_equal(event.index, seen);
        assert_int_equal(*(const uint64_t *)event.result.data, seen * seen);
        seen++;
    }
    is_ok(pool, mape_stream_finish(stream));
    wait_for(stream);
    is_ok(pool, mape_job_release(stream));
    assert_true(told->items >= 2000);
    remote_close(pool);
}

static void failed_items_are_told_as_here(uint32_t birth) {
    stand_in_with(2);
    mape_pool *pool = remote_started(birth, 1, 2);
    const mape_function_id fault = registered(pool, run_fault);
    struct fault_item items[50];
    for (uint64_t i = 0; i < COUNT(items); i++)
        items[i] = (struct fault_item){.value = i, .way = i % 5 == 3 ? WAY_FAIL : WAY_WELL};
    mape_job_config config = placed(MAPE_LOCAL);
    mape_job *here = mapped(pool, fault, items, COUNT(items), sizeof *items, &config);
    config.where = MAPE_REMOTE;
    mape_job *there = mapped(pool, fault, items, COUNT(items), sizeof *items, &config);
    wait_for(here);
    wait_for(there);
    for (uint64_t i = 0; i < COUNT(items); i++) {
        const mape_result one = result_of(here, i), other = result_of(there, i);
        assert_int_equal(one.state, other.state);
        assert_int_equal(one.code, other.code);
        assert_int_equal(one.size, other.size);
        assert_string_equal(one.message, other.message);
        if (one.size) assert_memory_equal(one.data, other.data, one.size);
    }
    is_ok(pool, mape_job_release(here));
    is_ok(pool, mape_job_release(there));
    remote_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(lanes_stand_beside_workers_and_do_their_share),
        EXEC_ONLY(a_job_runs_where_it_is_to),
        EXEC_ONLY(a_trace_tells_of_other_machines),
        EXEC_ONLY(a_new_lane_has_no_machine_yet),
        EXEC_ONLY(a_pool_may_have_no_workers_of_its_own),
        ONCE(what_cannot_be_is_refused),
        FORK_ONLY(functions_without_a_name_stay_here),
        EXEC_ONLY(setup_data_globals_and_job_data_travel),
        EXEC_ONLY(items_know_their_index),
        EXEC_ONLY(streams_and_ordered_events_are_as_here),
        EXEC_ONLY(failed_items_are_told_as_here),
    };
    return run_abi_tests("other machines", tests, COUNT(tests));
}
