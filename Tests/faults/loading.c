/* loading.c - libraries that do something unwanted when they are loaded, and plug-ins that are rebuilt. Cases 58 and 59.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

/* ---- case 58 ---- */

static const char *const ways[] = {"well",    "exits",  "crashes", "hangs", "thread",
                                   "ignores", "blocks", "closes",  "forks"};
enum way_of_loading { WELL, EXITS, CRASHES, HANGS, THREAD, IGNORES, BLOCKS, CLOSES, FORKS };

static const char *library_of(uint32_t way) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/libload_%s.so", FAULT_LIBRARIES, ways[way]);
    return path;
}

static mape_function_id by_symbol(mape_pool *pool, const char *library, const char *symbol) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.library = library;
    description.run_symbol = symbol;
    is_ok(pool, mape_function_register(&function, pool, &description));
    return function;
}

static void loading_limits(mape_pool_config *config, const struct row *row) {
    (void)row;
    config->setup_timeout_ns = MAPE_SECONDS(2);
    config->grace_ns = MAPE_MILLISECONDS(400);
    config->restarts = 3;
}

static void loading_in_the_sandbox(mape_pool_config *config, const struct row *row) {
    loading_limits(config, row);
    config->sandbox = MAPE_SANDBOX_COMPUTE;
}

static bool can_be_loaded(uint32_t way) { return way != EXITS && way != CRASHES && way != HANGS; }

/** Its items are right, or have failed with the reason. */
static void items_say(mape_pool *pool, mape_function_id function, uint32_t way) {
    uint64_t *values = numbers(200);
    mape_job *job = mapped(pool, function, values, 200, sizeof *values, NULL);
    stage("waiting for the items of a library that %s", ways[way]);
    is_ok(pool, mape_job_wait(job, 3 * PATIENCE));
    if (can_be_loaded(way)) squares_are_right(job, values, 200);
    else {
        mape_result first = result_of(job, 0);
        for (uint64_t i = 0; i < 200; i++) result_ended(job, i, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, first.code);
        const char *reason = way == EXITS ? "code 3" : way == CRASHES ? "SIGSEGV" : "timeout";
        if (strstr(first.message, reason) == NULL || strstr(first.message, library_of(way)) == NULL)
            fail_msg("unclear message: %s", first.message);
    }
    is_ok(pool, mape_job_release(job));
    free(values);
}

/** Items of another function of the same pool. */
static void others_work(mape_pool *pool, mape_function_id innocent) {
    struct work work = work_begun(pool, innocent, well_items(500), 500, NULL);
    work_wait(&work);
    work_check(&work, KILLED, 1);
    work_end(&work);
}

static void before_the_start(const struct row *row) {
    const uint32_t way = row->fault->value;
    mape_pool *pool = row_pool_unstarted();
    const bool sandboxed = row->fault->configure == loading_in_the_sandbox;
    mape_function_id innocent =
        sandboxed ? 0 : planned(pool, NULL); /* It writes to a page, which the sandbox refuses. */
    mape_function_id function = by_symbol(pool, library_of(way), "run_loaded");
    mape_function_id second = by_symbol(pool, library_of(way), "run_loaded");
    stage("starting with a library that %s", ways[way]);
    is_status(pool, can_be_loaded(way) ? MAPE_OK : MAPE_E_LOAD, mape_pool_start(pool, 3 * PATIENCE));
    if (!sandboxed) others_work(pool, innocent);
    items_say(pool, function, way);
    items_say(pool, second, way);
    assert_int_equal(stats_of(pool).is_closed, 0);
    pool_works(pool);
    if (row->birth != MAPE_START_EXEC) return;
    /* All of it once more in workers of another zygote. */
    uint64_t zygotes = stats_of(pool).zygotes_started;
    kill_process(stats_of(pool).zygote_pid);
    wait_until(stats_of(pool).zygotes_started == zygotes + 1);
    items_say(pool, function, way);
    pool_works(pool);
}

/** A job of another function runs meanwhile: it costs that library's functions alone. */
static void after_the_start(const struct row *row) {
    const uint32_t way = row->fault->value;
    mape_pool *pool = row_pool();
    mape_function_id innocent = planned(pool, NULL);
    struct fault_item *items = well_items(500);
    for (uint64_t i = 0; i < 500; i++) items[i].way = FAULT_SLOW;
    struct work work = work_begun(pool, innocent, items, 500, NULL);
    mape_function_id function = by_symbol(pool, library_of(way), "run_loaded");
    items_say(pool, function, way);
    work_wait(&work);
    work_check(&work, KILLED, 0);
    work_end(&work);
    if (row->birth == MAPE_START_EXEC) assert_int_equal(stats_of(pool).zygotes_started, 1);
    pool_works(pool);
    /* Workers that come later have it as well. */
    for (uint32_t i = 0; i < row->workers; i++) {
        uint64_t started = stats_of(pool).workers_started;
        kill_process(pid_of_worker(pool, i));
        wait_until(stats_of(pool).workers_started > started && stats_of(pool).workers_ready == row->workers);
    }
    items_say(pool, function, way);
    assert_int_equal(stats_of(pool).is_closed, 0);
}

static void modules_of(mape_pool_config *config, const struct row *row) {
    static const char *modules[3];
    static char path[4096];
    snprintf(path, sizeof path, "%s", library_of(row->fault->value));
    modules[0] = path, modules[1] = library_of(WELL);
    loading_limits(config, row);
    config->modules = modules;
}

static void as_a_module(const struct row *row) {
    const uint32_t way = row->fault->value;
    mape_pool *pool = row_pool_unstarted();
    mape_function_id innocent = planned(pool, NULL);
    stage("starting with a module that %s", ways[way]);
    is_status(pool, can_be_loaded(way) ? MAPE_OK : MAPE_E_LOAD, mape_pool_start(pool, 3 * PATIENCE));
    if (!can_be_loaded(way) && strstr(message_of(pool), library_of(way)) == NULL)
        fail_msg("unclear message: %s", message_of(pool));
    others_work(pool, innocent);
    pool_works(pool);
    assert_int_equal(stats_of(pool).is_closed, 0);
}

/* ---- case 59 ---- */

enum rebuild {
    LATE = 1,       /**< Registered after the start. */
    BY_POINTER = 2, /**< The host loads it, and gives addresses. */
    TYPED = 4,      /**< A typed function. */
    BY_LINK = 8,    /**< A link that leads to another file afterwards. */
    NO_BUILD_ID = 16,
    IN_PLACE = 32, /**< The file is written over. */
    REMOVED = 64,  /**< It is gone, and nothing takes its place. */
    TOUCHED = 128, /**< The same code under a new date. */
};

static char folder[64], plug[96], link_to[2][96];

static void put(const char *from, const char *to, bool in_place) {
    char part[128];
    static char bytes[1 << 20];
    snprintf(part, sizeof part, "%s.part", to);
    int source = open(from, O_RDONLY | O_CLOEXEC);
    assert_true(source >= 0);
    ssize_t size = read(source, bytes, sizeof bytes);
    close(source);
    assert_true(size > 0 && size < (ssize_t)sizeof bytes);
    int target = open(in_place ? to : part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(target >= 0 && write(target, bytes, (size_t)size) == size);
    close(target);
    if (!in_place) assert_int_equal(rename(part, to), 0);
}

static void install(int version, uint32_t what) {
    char from[4096];
    snprintf(from, sizeof from, "%s/libplug_%d%s.so", FAULT_LIBRARIES, version, what & NO_BUILD_ID ? "_plain" : "");
    if ((what & BY_LINK) == 0) {
        put(from, plug, version == 2 && (what & IN_PLACE) != 0);
        return;
    }
    put(from, link_to[version - 1], false);
    unlink(plug);
    assert_int_equal(symlink(link_to[version - 1], plug), 0);
}

static mape_function_id plugged(mape_pool *pool, uint32_t what, void **library) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    if ((what & BY_POINTER) != 0) {
        *library = dlopen(plug, RTLD_NOW | RTLD_LOCAL);
        assert_non_null(*library);
        description.run = ((mape_run_fn(*)(void))dlsym(*library, "plug_in_pointer"))();
    } else {
        description.library = plug;
        if ((what & TYPED) != 0) description.prototype = "uint64_t typed_plug_in(uint64_t value)";
        else description.run_symbol = "run_plug_in";
    }
    is_ok(pool, mape_function_register(&function, pool, &description));
    if (*library != NULL) dlclose(*library), *library = NULL; /* As a host does that reloads its plug-ins. */
    return function;
}

/** Version 0: it cannot be had, because it was replaced. */
static void is_version(mape_pool *pool, mape_function_id function, uint64_t version) {
    uint64_t *values = numbers(100);
    mape_job *job = mapped(pool, function, values, 100, sizeof *values, NULL);
    stage("waiting for version %d of the plug-in", (int)version);
    is_ok(pool, mape_job_wait(job, 2 * PATIENCE));
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t right = values[i] * 10 + version;
        if (version > 0) result_is(job, i, &right, sizeof right);
        else result_ended(job, i, MAPE_ITEM_FAILED, MAPE_CAUSE_LOAD, MAPE_E_LOAD);
    }
    if (version == 0 && strstr(result_of(job, 0).message, "plug.so") == NULL)
        fail_msg("unclear message: %s", result_of(job, 0).message);
    is_ok(pool, mape_job_release(job));
    free(values);
}

static void rebuilt(const struct row *row) {
    const uint32_t what = row->fault->value;
    void *library = NULL;
    snprintf(folder, sizeof folder, "/tmp/mape-faults-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(plug, sizeof plug, "%s/plug.so", folder);
    for (int i = 0; i < 2; i++) snprintf(link_to[i], sizeof link_to[i], "%s/version-%d.so", folder, i + 1);
    install(1, what);
    mape_pool *pool = (what & LATE) != 0 ? row_pool() : row_pool_unstarted();
    mape_function_id first = plugged(pool, what, &library), second = 0;
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    is_version(pool, first, 1);

    stage("rebuilding the plug-in");
    if ((what & REMOVED) != 0) unlink(plug);
    else if ((what & TOUCHED) != 0) install(1, what);
    else install(2, what);
    if ((what & (REMOVED | TOUCHED)) == 0) {
        second = plugged(pool, what, &library);
        is_version(pool, second,
                   (what & IN_PLACE) != 0 ? 0 : 2); /* Its old code is loaded, and is not what was asked for. */
    }
    if ((what & IN_PLACE) == 0) is_version(pool, first, 1);

    /* A worker that comes later. */
    uint64_t started = stats_of(pool).workers_started;
    kill_process(pid_of_worker(pool, 0));
    wait_until(stats_of(pool).workers_started > started);
    if (row->birth == MAPE_START_EXEC) {
        uint64_t zygotes = stats_of(pool).zygotes_started;
        kill_process(stats_of(pool).zygote_pid);
        wait_until(stats_of(pool).zygotes_started == zygotes + 1);
        /* Nothing has the old code any more. */
        is_version(pool, first, (what & TOUCHED) != 0 ? 1 : 0);
        mape_function_id third = (what & (REMOVED | TOUCHED)) == 0 ? plugged(pool, what, &library) : 0;
        if (third != 0) is_version(pool, third, 2);
        if (third != 0 && (what & IN_PLACE) == 0) is_version(pool, second, 2);
    }
    pool_works(pool);
    unlink(plug), unlink(link_to[0]), unlink(link_to[1]), rmdir(folder);
}

/* clang-format off */
#define LOADED(text, way)                                                                                               \
    {58, text ", before the start", before_the_start, BIRTHS, W2, 0, way, loading_limits, 180},                          \
    {58, text ", after the start", after_the_start, BIRTHS, W2, 0, way, loading_limits, 180},                            \
    {58, text ", as a module", as_a_module, BIRTHS, W2, 0, way, modules_of, 180}

static const struct fault loading[] = {
    LOADED("its constructor exits", EXITS),
    LOADED("its constructor crashes", CRASHES),
    LOADED("its constructor hangs", HANGS),
    LOADED("it starts a thread", THREAD),
    LOADED("it ignores SIGCHLD", IGNORES),
    LOADED("it blocks all signals", BLOCKS),
    {58, "it closes descriptors, before the start", before_the_start, IN_EXEC, W2, 0, CLOSES, loading_limits, 180},
    {58, "it leaves a child behind, before the start", before_the_start, BIRTHS, W2, 0, FORKS, loading_limits, 180},
    {58, "its constructor crashes, in the sandbox", before_the_start, BIRTHS, W2, 0, CRASHES, loading_in_the_sandbox, 180},
    {58, "it starts a thread, in the sandbox", before_the_start, BIRTHS, W2, 0, THREAD, loading_in_the_sandbox, 180},
    {59, "by symbol", rebuilt, BIRTHS, W2, 0, 0, NULL, 0},
    {59, "by symbol, without a build id", rebuilt, BIRTHS, W2, 0, NO_BUILD_ID, NULL, 0},
    {59, "by symbol, registered late", rebuilt, BIRTHS, W2, 0, LATE, NULL, 0},
    {59, "by pointer", rebuilt, IN_EXEC, W2, 0, BY_POINTER, NULL, 0},
    {59, "by pointer, without a build id", rebuilt, IN_EXEC, W2, 0, BY_POINTER | NO_BUILD_ID, NULL, 0},
    {59, "a typed function", rebuilt, BIRTHS, W2, 0, TYPED, NULL, 0},
    {59, "a link that leads elsewhere", rebuilt, BIRTHS, W2, 0, BY_LINK, NULL, 0},
    {59, "written over", rebuilt, IN_EXEC, W2, 0, IN_PLACE, NULL, 0},
    {59, "written over, without a build id", rebuilt, IN_EXEC, W2, 0, IN_PLACE | NO_BUILD_ID, NULL, 0},
    {59, "removed", rebuilt, IN_EXEC, W2, 0, REMOVED, NULL, 0},
    {59, "the same again", rebuilt, IN_EXEC, W2, 0, TOUCHED, NULL, 0},
};
/* clang-format on */
TABLE(loading);
