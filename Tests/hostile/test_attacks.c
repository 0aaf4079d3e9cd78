/* test_attacks.c - thousands of attacks of workers on the memory that they share with the host, while other workers work.
 *
 * Each seed is a round: a job of which an item attacks, in one of a pool's three workers, and a job that is honest beside it. Which
 * worker had an item last stands on the shared page. Asserted: the host lives; every item ends exactly once; an item of a worker that
 * never attacked has ended well, and is right to the last byte; whatever the others say can be read. A worker that attacked may
 * hang, as any code may: it is killed when its job does not end by itself.
 *
 * SEEDS=FIRST:COUNT runs other seeds than the first few of each attack.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "attacks.h"
#include "support.h"

#include <signal.h>

#define ITEMS   160
#define WORKERS 3
#define ROUNDS  20 /* Per pool: each can leave some workers astray, and the list of them has its end. */

static uint64_t first_seed = 1, seed_count = 100;

struct round {
    mape_pool *pool;
    struct shared *shared;
    mape_function_id by_item, by_range;
    uint64_t seed;
};

struct one_job {
    struct hostile_item items[ITEMS];
    mape_job *job;
    uint32_t first_owner;
    uint8_t told[ITEMS];
    bool is_dispatched;
    bool is_done;
};

static void on_item(void *context, const mape_event *event) {
    struct one_job *its = context;
    assert_true(event->index < ITEMS);
    its->told[event->index]++;
}

static void on_done(void *context, const mape_event *event) {
    (void)event;
    ((struct one_job *)context)->is_done = true;
}

static bool is_astray(struct shared *shared, int32_t pid) {
    uint32_t count = atomic_load(&shared->spawned);
    for (uint32_t i = 0; i < count && i < SHARED_SLOTS; i++)
        if (atomic_load(&shared->astray[i]) == pid) return true;
    return false;
}

/** Kills the workers that have attacked; only those that are the pool's at this moment. */
static void kill_astray(struct round *round) {
    for (uint32_t k = 0; k < WORKERS; k++) {
        int32_t pid = worker_of(round->pool, k).pid;
        if (pid > 1 && is_astray(round->shared, pid)) kill_process(pid);
    }
}

static bool an_astray_worker_lives(struct round *round) {
    for (uint32_t k = 0; k < WORKERS; k++)
        if (is_astray(round->shared, worker_of(round->pool, k).pid)) return true;
    return false;
}

/** The list of those that have attacked has its end: before it is full they are killed, and it begins anew. */
static void forget_astray(struct round *round) {
    if (atomic_load(&round->shared->spawned) < SHARED_SLOTS / 4) return;
    kill_astray(round);
    wait_until(!an_astray_worker_lives(round));
    atomic_store(&round->shared->spawned, 0);
}

static void submit(struct round *round, struct one_job *its, uint32_t attack, uint64_t seed) {
    uint64_t random = seed;
    memset(its->told, 0, sizeof its->told);
    its->is_done = false;
    its->is_dispatched = hostile_random(&random) % 2;
    for (uint32_t i = 0; i < ITEMS; i++) {
        its->items[i] = (struct hostile_item){seed * ITEMS + i, 0, ATTACK_NONE, its->first_owner + i};
        atomic_store(&round->shared->order[its->first_owner + i], 0);
    }
    if (attack != ATTACK_NONE) {
        for (uint64_t count = 1 + hostile_random(&random) % 2; count > 0; count--) {
            struct hostile_item *item = &its->items[hostile_random(&random) % ITEMS];
            item->seed = hostile_random(&random) | 1;
            item->attack = attack;
        }
    }
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.chunk = hostile_random(&random) % 3 ? 1 + hostile_random(&random) % 20 : 0;
    config.attempts = 1 + (uint32_t)(hostile_random(&random) % 3);
    config.context = its;
    if (its->is_dispatched) {
        config.on_item = on_item;
        config.on_done = on_done;
        config.ordered = hostile_random(&random) % 2;
    }
    its->job = mapped(round->pool, hostile_random(&random) % 3 ? round->by_item : round->by_range, its->items, ITEMS,
                      sizeof its->items[0], &config);
}

static void finish(struct round *round, struct one_job *its) {
    int64_t begun = now_ns();
    for (int64_t killed = begun;;) {
        if (its->is_dispatched) {
            assert_true(mape_pool_dispatch(round->pool, 0, 0) >= 0);
            if (its->is_done) break;
            short_nap();
        } else if (mape_job_wait(its->job, MAPE_MILLISECONDS(50)) == MAPE_OK) {
            break;
        }
        if (now_ns() - killed > MAPE_MILLISECONDS(200)) {
            kill_astray(round);
            killed = now_ns();
        }
        if (now_ns() - begun > PATIENCE) {
            mape_progress progress = progress_of(its->job);
            fail_msg("seed %llu: the job does not end; %llu of %llu items have, %llu run",
                     (unsigned long long)round->seed, (unsigned long long)progress.done,
                     (unsigned long long)progress.total, (unsigned long long)progress.running);
        }
    }
}

static void check_item(struct round *round, struct one_job *its, uint64_t i) {
    mape_result result = result_of(its->job, i);
    uint64_t value = its->items[i].value;
    int32_t owner = (int32_t)atomic_load(&round->shared->order[its->first_owner + i]);
    if (its->is_dispatched) assert_int_equal(its->told[i], 1);
    assert_true(result.state >= MAPE_ITEM_OK && result.state <= MAPE_ITEM_CRASHED);
    if (owner == 0 || is_astray(round->shared, owner)) {
        /* What it says is not true, but it can be read. */
        uint64_t sum = strlen(result.message);
        for (size_t k = 0; k < result.size && k < 1 << 20; k++) sum += ((const uint8_t *)result.data)[k];
        if (result.size > 0) sum += ((const uint8_t *)result.data)[result.size - 1];
        *(volatile uint64_t *)&sum = sum;
        if (owner != 0 || result.state == MAPE_ITEM_CRASHED) return;
        /* Told as ended, and nobody was ever on it: a liar told so, and none but the liar is blamed. */
        return;
    }
    if (hostile_fails(value)) {
        result_ended(its->job, i, MAPE_ITEM_FAILED, MAPE_CAUSE_FUNCTION, HOSTILE_CODE);
        assert_string_equal(result.message, "not this one");
        return;
    }
    uint64_t words[64];
    for (size_t k = 0; k < hostile_words(value); k++) words[k] = hostile_word(value, k);
    result_is(its->job, i, words, hostile_words(value) * sizeof words[0]);
}

static void check(struct round *round, struct one_job *its) {
    for (uint64_t i = 0; i < ITEMS; i++) check_item(round, its, i);
    mape_progress progress = progress_of(its->job);
    assert_int_equal(progress.done, ITEMS);
    assert_int_equal(progress.ok + progress.failed + progress.crashed, ITEMS);
    is_ok(round->pool, mape_job_release(its->job));
}

/** Whatever workers say of their times: what the trace tells lies within it, workers do one thing at a time, no item is counted that was not
 *  assigned, and the items of both jobs are. */
static void check_trace(struct round *round, int64_t began) {
    static mape_trace_event events[4096];
    static int64_t ends[WORKERS];
    uint64_t lost = 0, items = 0;
    size_t count = 1;
    memset(ends, 0, sizeof ends);
    is_ok(round->pool, mape_pool_trace_stop(round->pool));
    /* Only now: replacements start, and are recorded, until the trace has stopped. */
    int64_t most = now_ns() - began;
    while (count > 0) {
        events[0].struct_size = sizeof *events;
        is_ok(round->pool, mape_pool_trace_read(events, 4096, &count, &lost, round->pool));
        assert_int_equal(lost, 0);
        for (size_t i = 0; i < count; i++) {
            const mape_trace_event *e = &events[i];
            assert_true(e->begin_ns >= 0 && e->begin_ns <= e->end_ns && e->end_ns <= most);
            assert_true(strlen(e->name) + strlen(e->symbol) + strlen(e->text) < 65536);
            if (e->kind == MAPE_TRACE_JOB && e->state != MAPE_TRACE_RUNNING) items += e->items;
            if (e->worker < 0 || e->begin_ns == e->end_ns || e->state == MAPE_TRACE_RUNNING) continue;
            assert_true(e->worker < WORKERS && e->begin_ns >= ends[e->worker]);
            ends[e->worker] = e->end_ns;
            if (e->kind != MAPE_TRACE_RANGE) continue;
            assert_true(e->items <= e->assigned && e->assigned <= ITEMS && e->first + e->assigned <= ITEMS);
            assert_true(e->slowest_ns >= 0 && e->slowest_ns <= e->end_ns - e->begin_ns);
            if (e->slowest_ns > 0)
                assert_true(e->slowest >= e->first && e->slowest + e->slowest_of <= e->first + e->assigned);
        }
    }
    assert_int_equal(items, 2 * ITEMS);
}

/** With those gone that attacked, all is as it was: a job of the last round is right in every item. */
static void recovers(struct round *round) {
    stage("after seed %llu: an honest job", (unsigned long long)round->seed);
    struct one_job *its = calloc(1, sizeof *its);
    kill_astray(round);
    submit(round, its, ATTACK_NONE, round->seed + 77);
    finish(round, its);
    check(round, its);
    mape_stats stats = stats_of(round->pool);
    assert_int_equal(stats.is_closed, 0);
    assert_int_equal(stats.zygotes_started, 1);
    free(its);
}

static void attack_from_a_pool(uint32_t birth, uint32_t attack, uint64_t first, uint64_t count) {
    mape_pool_config config = config_of(birth, WORKERS);
    config.restarts = 1000000;
    config.output_reserve = 64 << 20;
    struct round round = {.shared = shared_page()};
    atomic_store(&round.shared->spawned, 0);
    round.pool = pool_open_with(&config);
    round.by_item = registered_shared(round.pool, run_hostile, setup_shared, NULL);
    mape_function description = MAPE_FUNCTION_INIT;
    description.run_range = run_hostile_range;
    description.setup = setup_shared;
    description.data = shared_path();
    description.data_size = strlen(shared_path()) + 1;
    is_ok(round.pool, mape_function_register(&round.by_range, round.pool, &description));
    stage("starting a pool");
    is_ok(round.pool, mape_pool_start(round.pool, PATIENCE));
    struct one_job *attacked = calloc(2, sizeof *attacked), *honest = attacked + 1;
    honest->first_owner = ITEMS;
    for (round.seed = first; round.seed < first + count; round.seed++) {
        stage("seed %llu", (unsigned long long)round.seed);
        forget_astray(&round);
        int64_t began = now_ns();
        is_ok(round.pool, mape_pool_trace_start(round.pool, NULL));
        submit(&round, attacked, attack, round.seed);
        submit(&round, honest, ATTACK_NONE, round.seed + ((uint64_t)1 << 40));
        finish(&round, attacked);
        finish(&round, honest);
        assert_true(atomic_load(&round.shared->spawned) <= SHARED_SLOTS);
        check_trace(&round, began);
        check(&round, attacked);
        check(&round, honest);
        while (mape_pool_dispatch(round.pool, 0, 0) > 0) {}
    }
    round.seed--;
    assert_true(atomic_load(&round.shared->spawned) <= SHARED_SLOTS);
    recovers(&round);
    free(attacked);
    pool_close(round.pool);
}

static void attacks(uint32_t birth, uint32_t attack) {
    for (uint64_t done = 0; done < seed_count; done += ROUNDS) {
        uint64_t count = seed_count - done < ROUNDS ? seed_count - done : ROUNDS;
        attack_from_a_pool(birth, attack, first_seed + done, count);
    }
}

#define ATTACK_TEST(name, attack)                                                                                      \
    static void name(uint32_t birth) { attacks(birth, attack); }
ATTACK_TEST(random_words, ATTACK_WORDS)
ATTACK_TEST(turned_bits, ATTACK_BITS)
ATTACK_TEST(wrong_replies, ATTACK_REPLIES)
ATTACK_TEST(wrong_tables, ATTACK_TABLES)
ATTACK_TEST(wrong_counters, ATTACK_COUNTERS)
ATTACK_TEST(wrong_messages, ATTACK_MESSAGES)
ATTACK_TEST(floods_of_doorbells, ATTACK_BELLS)
ATTACK_TEST(wrong_blame_and_death, ATTACK_BLAME)
ATTACK_TEST(changes_between_check_and_use, ATTACK_FLICKER)
ATTACK_TEST(shared_memory_cut_and_unmapped, ATTACK_MAPPINGS)
ATTACK_TEST(descriptors_used_and_closed, ATTACK_DESCRIPTORS)
ATTACK_TEST(wrong_times, ATTACK_TIMES)
ATTACK_TEST(some_of_everything, ATTACK_ALL)

static void what_is_out_of_reach_of_a_worker(uint32_t birth) {
    mape_pool *pool = pool_started(birth, WORKERS);
    mape_function_id reach = registered(pool, run_reach), square = registered(pool, run_square);
    uint64_t *values = numbers(1000);
    for (int i = 0; i < 6; i++) {
        mape_job *job = applied(pool, reach, NULL, 0);
        wait_for(job);
        result_is(job, 0, &(struct reach){.outputs = 1, .memory_files = 1}, sizeof(struct reach));
    }
    mape_job *after = mapped(pool, square, values, 1000, sizeof *values, NULL);
    wait_for(after);
    squares_are_right(after, values, 1000);
    free(values);
    pool_close(pool);
}

#define FOR_LONG 120
int main(void) {
    const struct abi_test tests[] = {
        PATIENT(random_words, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(turned_bits, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(wrong_replies, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(wrong_tables, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(wrong_counters, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(wrong_messages, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(floods_of_doorbells, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(wrong_blame_and_death, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(changes_between_check_and_use, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(shared_memory_cut_and_unmapped, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(descriptors_used_and_closed, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(wrong_times, IN_EXEC | IN_FORK, FOR_LONG),
        PATIENT(some_of_everything, IN_EXEC | IN_FORK, FOR_LONG),
        BOTH(what_is_out_of_reach_of_a_worker),
    };
    const char *seeds = getenv("SEEDS");
    if (seeds != NULL && seeds[0] != '\0') {
        unsigned long long first, count;
        if (sscanf(seeds, "%llu:%llu", &first, &count) != 2) return fprintf(stderr, "SEEDS is FIRST:COUNT\n"), 64;
        first_seed = first;
        seed_count = count;
    }
    return run_abi_tests("attacks", tests, COUNT(tests));
}
