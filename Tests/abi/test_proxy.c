/* test_proxy.c - function pointers whose calls run in workers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "native_functions.h"
#include "support.h"
#include "support_native.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/** What on_error has heard. */
struct heard {
    _Atomic int count;
    uint32_t state, cause;
    int32_t code;
    char message[200];
    mape_native_fn destroys;
    int destroyed;
};

static void on_error(void *context, const mape_result *result) {
    struct heard *heard = context;
    heard->state = result->state;
    heard->cause = result->cause;
    heard->code = result->code;
    snprintf(heard->message, sizeof heard->message, "%s", result->message);
    if (heard->destroys) heard->destroyed = mape_proxy_release(heard->destroys);
    atomic_fetch_add(&heard->count, 1);
}

static mape_native_fn proxied(mape_pool *pool, const char *prototype, void *native, uint32_t flags,
                              struct heard *heard) {
    mape_native_fn proxy = NULL;
    is_ok(pool, mape_proxy_create(&proxy, pool, typed(pool, prototype, native, flags), NULL, on_error, heard));
    assert_non_null(proxy);
    return proxy;
}

static void calls_run_in_workers_and_give_what_the_function_gives(uint32_t birth) {
    struct heard heard = {0};
    mape_pool *pool = pool_open(birth, 2);
    mape_native_fn proxies[6];
    double (*half)(double) =
        (double (*)(double))(proxies[0] = proxied(pool, "double native_half(double x)", native_half, 0, &heard));
    int (*pid)(void) = (int (*)(void))(proxies[1] = proxied(pool, "int native_pid(void)", native_pid, 0, &heard));
    struct vector (*cross)(struct vector, struct vector) = (struct vector(*)(struct vector, struct vector))(
        proxies[2] = proxied(pool, "struct v {double x, y, z;}; struct v native_cross(struct v, struct v)",
                             native_cross, 0, &heard));
    void (*sort)(int *) =
        (void (*)(int *))(proxies[3] = proxied(pool, "void native_sort(inout int v[8])", native_sort, 0, &heard));
    int (*sum)(const double *, size_t, double *) = (int (*)(const double *, size_t, double *))(
        proxies[4] =
            proxied(pool, "int native_sum(const double *v [n], size_t n, double *out [1])", native_sum, 0, &heard));
    int (*length)(const char *) = (int (*)(const char *))(
        proxies[5] = proxied(pool, "int native_length(const char *text)", native_length, 0, &heard));
    for (int i = 0; i < 100; i++) assert_true(half(i) == i / 2.0);
    assert_int_not_equal(pid(), getpid());
    struct vector c = cross((struct vector){1, 0, 0}, (struct vector){0, 1, 0});
    assert_true(c.x == 0 && c.y == 0 && c.z == 1);
    int v[8] = {8, 7, 6, 5, 4, 3, 2, 1};
    sort(v);
    for (int i = 0; i < 8; i++) assert_int_equal(v[i], i + 1);
    double out = -1;
    assert_int_equal(sum((double[]){1, 2, 4}, 3, &out), 3);
    assert_true(out == 7);
    assert_int_equal(length("twelve bytes"), 12);
    assert_int_equal(length(NULL), -1);
    assert_int_equal(heard.count, 0);
    for (size_t i = 0; i < COUNT(proxies); i++) is_ok(pool, mape_proxy_release(proxies[i]));
    is_status(NULL, MAPE_E_HANDLE, mape_proxy_release(proxies[0]));
    pool_close(pool);
}

static void a_function_that_dereferences_null_is_called_a_thousand_times(uint32_t birth) {
    struct heard heard = {0};
    mape_pool *pool = pool_open(birth, 2);
    mape_native_fn proxy = proxied(pool, "int native_act(int what, int value)", native_act, 0, &heard);
    int (*act)(int, int) = (int (*)(int, int))proxy;
    for (int i = 0; i < 1000; i++) {
        stage("call %d", i);
        assert_int_equal(act(ACT_NULL, i), 0);
        assert_int_equal(heard.count, i + 1);
        assert_int_equal(heard.state, MAPE_ITEM_CRASHED);
        assert_int_equal(heard.cause, MAPE_CAUSE_SIGNAL);
        assert_int_equal(heard.code, SIGSEGV);
        /* In between it does what it should. */
        if (i % 100 == 0) assert_int_equal(act(ACT_WELL, i), 3 * i);
    }
    assert_int_equal(heard.count, 1000);
    assert_int_equal(act(ACT_EXIT, 7), 0);
    assert_int_equal(heard.cause, MAPE_CAUSE_EXIT);
    assert_int_equal(heard.code, 7);
    is_ok(pool, mape_proxy_release(proxy));
    pool_close(pool);
}

static void time_limits_errno_and_outputs(uint32_t birth) {
    struct heard heard = {0};
    mape_pool *pool = pool_open(birth, 1);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.item_timeout_ns = MAPE_MILLISECONDS(200);
    mape_native_fn proxy = NULL;
    is_ok(pool, mape_proxy_create(&proxy, pool, typed(pool, "int native_act(int what, int value)", native_act, 0),
                                  &config, on_error, &heard));
    assert_int_equal(((int (*)(int, int))proxy)(ACT_LOOP, 1), 0);
    assert_int_equal(heard.cause, MAPE_CAUSE_ITEM_TIMEOUT);
    is_ok(pool, mape_proxy_release(proxy));
    proxy = proxied(pool, "int native_errno(int value)", native_errno, MAPE_NATIVE_ERRNO, &heard);
    errno = 77;
    assert_int_equal(((int (*)(int))proxy)(EDOM), -EDOM);
    assert_int_equal(errno, EDOM);
    is_ok(pool, mape_proxy_release(proxy));
    proxy = proxied(pool, "int native_errno(int value)", native_errno, 0, &heard);
    errno = 77;
    assert_int_equal(((int (*)(int))proxy)(EDOM), -EDOM);
    assert_int_equal(errno, 77);
    is_ok(pool, mape_proxy_release(proxy));
    /* Outputs stay as they are when the call does not end well. */
    proxy = proxied(pool, "int native_sum(const double *v [n], size_t n, double *out [1])", native_sum, 0, &heard);
    int (*sum)(const double *, size_t, double *) = (int (*)(const double *, size_t, double *))proxy;
    double out = 5;
    int count = heard.count;
    assert_int_equal(sum(NULL, 3, &out), 0);
    assert_int_equal(heard.count, count + 1);
    assert_int_equal(heard.state, MAPE_ITEM_CRASHED);
    assert_true(out == 5);
    is_ok(pool, mape_proxy_release(proxy));
    proxy = proxied(pool, "int native_sum_signed(const double *v [n], int8_t n)", native_sum_signed, 0, &heard);
    assert_int_equal(((int (*)(const double *, int8_t))proxy)(&out, -1), 0);
    assert_int_equal(heard.state, MAPE_ITEM_ABANDONED);
    assert_int_equal(heard.code, MAPE_E_ARGUMENT);
    assert_non_null(strstr(heard.message, "is negative"));
    is_ok(pool, mape_proxy_release(proxy));
    pool_close(pool);
}

struct caller {
    pthread_t thread;
    double (*half)(double);
    int (*act)(int, int);
    int start, wrong;
};

static void *call_many(void *context) {
    struct caller *caller = context;
    for (int i = 0; i < 300; i++) {
        caller->wrong += caller->half(caller->start + i) != (caller->start + i) / 2.0;
        if (i % 60 == 0) caller->wrong += caller->act(ACT_NULL, 1) != 0;
        caller->wrong += caller->act(ACT_WELL, i) != 3 * i;
    }
    return NULL;
}

static void many_threads_call_at_once(uint32_t birth) {
    struct heard heard = {0};
    mape_pool *pool = pool_open(birth, 2);
    mape_native_fn half = proxied(pool, "double native_half(double x)", native_half, 0, &heard);
    mape_native_fn act = proxied(pool, "int native_act(int what, int value)", native_act, 0, &heard);
    struct caller callers[5];
    for (int i = 0; i < 5; i++) {
        callers[i] = (struct caller){0, (double (*)(double))half, (int (*)(int, int))act, 1000 * i, 0};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_many, &callers[i]), 0);
    }
    for (int i = 0; i < 5; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].wrong, 0);
    }
    assert_int_equal(heard.count, 25);
    is_ok(pool, mape_proxy_release(half));
    is_ok(pool, mape_proxy_release(act));
    pool_close(pool);
}

static void proxies_outlive_their_pool(uint32_t birth) {
    struct heard heard = {0};
    mape_pool *pool = pool_open(birth, 1);
    mape_native_fn proxy = proxied(pool, "double native_half(double x)", native_half, 0, &heard);
    double (*half)(double) = (double (*)(double))proxy;
    assert_true(half(3) == 1.5);
    is_ok(pool, mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE));
    assert_true(half(3) == 0);
    assert_int_equal(heard.code, MAPE_E_CLOSED);
    pool_close(pool);
    assert_true(half(3) == 0);
    assert_int_equal(heard.count, 2);
    assert_int_equal(heard.state, MAPE_ITEM_ABANDONED);
    assert_int_equal(heard.cause, MAPE_CAUSE_POOL);
    heard.destroys = proxy;
    assert_true(half(3) == 0);
    assert_int_equal(heard.destroyed, MAPE_E_BUSY);
    is_ok(NULL, mape_proxy_release(proxy));
}

static void *call_wait(void *context) { return (void *)((long (*)(long))context)(60000); }

static void a_pool_is_destroyed_while_a_proxy_waits(uint32_t birth) {
    struct heard heard = {0};
    mape_pool_config config = config_of(birth, 1);
    config.grace_ns = MAPE_MILLISECONDS(100);
    mape_pool *pool = pool_open_with(&config);
    mape_native_fn proxy = proxied(pool, "long native_wait(long milliseconds)", native_wait, 0, &heard);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_wait, (void *)proxy), 0);
    wait_until(stats_of(pool).jobs == 1);
    pool_close(pool);
    void *result = (void *)1;
    pthread_join(thread, &result);
    assert_null(result);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.state, MAPE_ITEM_ABANDONED);
    is_ok(NULL, mape_proxy_release(proxy));
}

static void a_proxy_is_destroyed_while_it_waits(uint32_t birth) {
    struct heard heard = {0};
    mape_pool_config config = config_of(birth, 1);
    config.grace_ns = MAPE_MILLISECONDS(100);
    mape_pool *pool = pool_open_with(&config);
    mape_native_fn proxy = proxied(pool, "long native_wait(long milliseconds)", native_wait, 0, &heard);
    is_ok(pool, mape_pool_start(pool, PATIENCE));
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, call_wait, (void *)proxy), 0);
    wait_until(stats_of(pool).jobs == 3);
    is_ok(pool, mape_proxy_release(proxy));
    for (int i = 0; i < 3; i++) {
        void *result = (void *)1;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    assert_int_equal(heard.count, 3);
    assert_int_equal(heard.state, MAPE_ITEM_CANCELLED);
    assert_int_equal(heard.cause, MAPE_CAUSE_CANCEL);
    pool_close(pool);
}

/** Calls that wait behind another, and are ended by the release: they return while it counts them. */
static void a_proxy_is_destroyed_as_its_calls_return(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    config.grace_ns = MAPE_MILLISECONDS(100);
    mape_pool *pool = pool_open_with(&config);
    mape_function_id half = typed(pool, "long native_wait(long milliseconds)", native_wait, 0);
    uint64_t forever = 60000;
    mape_job *job = mapped(pool, half, &forever, 1, sizeof forever, NULL);
    for (int round = 0; round < 500; round++) {
        pthread_t threads[8];
        struct heard heard = {0};
        mape_native_fn proxy = NULL;
        is_ok(pool, mape_proxy_create(&proxy, pool, half, NULL, on_error, &heard));
        uint64_t jobs = stats_of(pool).jobs;
        for (size_t i = 0; i < COUNT(threads); i++)
            assert_int_equal(pthread_create(&threads[i], NULL, call_wait, (void *)proxy), 0);
        wait_until(stats_of(pool).jobs == jobs + COUNT(threads));
        stage("round %d: releasing the proxy", round);
        is_ok(NULL, mape_proxy_release(proxy));
        for (size_t i = 0; i < COUNT(threads); i++) pthread_join(threads[i], NULL);
        assert_int_equal(heard.count, COUNT(threads));
        assert_int_equal(heard.state, MAPE_ITEM_CANCELLED);
    }
    is_ok(pool, mape_job_release(job));
    pool_close(pool);
}

static void a_forked_child_of_the_host_hears_so(uint32_t birth) {
    struct heard heard = {0};
    mape_pool *pool = pool_started(birth, 1);
    mape_native_fn proxy = proxied(pool, "double native_half(double x)", native_half, 0, &heard);
    assert_true(((double (*)(double))proxy)(1) == 0.5);
    pid_t child = fork();
    if (child == 0) {
        double zero = ((double (*)(double))proxy)(1);
        if (heard.count != 1 || heard.code != MAPE_E_FORKED) _exit(2);
        /* Nor does it reach a pool of the child's. */
        mape_pool *own = pool_started(birth, 1);
        struct heard of_own = {0};
        mape_native_fn another = proxied(own, "double native_half(double x)", native_half, 0, &of_own);
        if (another == proxy || ((double (*)(double))another)(3) != 1.5) _exit(3);
        heard.count = 0;
        zero = ((double (*)(double))proxy)(1);
        if (mape_proxy_release(another) != MAPE_OK || mape_pool_release(own) != MAPE_OK) _exit(4);
        _exit(zero == 0 && heard.count == 1 && heard.code == MAPE_E_FORKED && mape_proxy_release(proxy) == MAPE_E_FORKED
                  ? 0
                  : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(((double (*)(double))proxy)(1) == 0.5);
    is_ok(pool, mape_proxy_release(proxy));
    pool_close(pool);
}

/** No process may make memory executable that it could write: prctl(2), Linux 6.3. Not to be undone, and kept by exec: hence a
 *  process of its own, in which no pool was before. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#define WITHOUT_MDWE 77
static int call_without_executable_memory(void) {
    struct heard heard = {0};
    /* The refusal is real. */
    if (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        return 3;
    mape_pool *pool = NULL;
    mape_function f = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    mape_native_fn proxy = NULL;
    f.prototype = "double native_half(double x)";
    f.native = (mape_native_fn)native_half;
    if (mape_pool_create(&pool, NULL) || mape_function_register(&id, pool, &f)) return 4;
    if (mape_proxy_create(&proxy, pool, id, NULL, on_error, &heard)) return 5;
    double half = ((double (*)(double))proxy)(9);
    mape_proxy_release(proxy);
    mape_pool_release(pool);
    return half == 4.5 && heard.count == 0 ? 0 : 6;
}

static void proxies_need_no_writable_executable_memory(uint32_t birth) {
    (void)birth;
    pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0) _exit(errno == EINVAL ? WITHOUT_MDWE : 2);
        execl("/proc/self/exe", "test_proxy", "without executable memory", (char *)NULL);
        _exit(7);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == WITHOUT_MDWE) skip();
    assert_int_equal(status, 0);
}

static void more_proxies_than_there_are_and_none_that_is_made(uint32_t birth) {
    struct heard heard = {0};
    static mape_native_fn proxies[1024];
    mape_pool *pool = pool_open(birth, 1);
    mape_function_id half = typed(pool, "double native_half(double x)", native_half, 0);
    for (int i = 0; i < 1024; i++) is_ok(pool, mape_proxy_create(&proxies[i], pool, half, NULL, on_error, &heard));
    mape_native_fn more = proxies[0];
    is_status(pool, MAPE_E_MEMORY, mape_proxy_create(&more, pool, half, NULL, on_error, &heard));
    assert_null(more);
    assert_true(((double (*)(double))proxies[0])(1) == 0.5);
    assert_true(((double (*)(double))proxies[1023])(5) == 2.5);
    for (int i = 0; i < 1024; i++) is_ok(pool, mape_proxy_release(proxies[i]));
    is_ok(pool, mape_proxy_create(&more, pool, half, NULL, NULL, NULL));
    is_ok(pool, mape_proxy_release(more));
    is_ok(pool, mape_proxy_release(NULL));
    is_status(NULL, MAPE_E_HANDLE, mape_proxy_release((mape_native_fn)native_half));
    is_status(pool, MAPE_E_ARGUMENT, mape_proxy_create(NULL, pool, half, NULL, NULL, NULL));
    is_status(pool, MAPE_E_FUNCTION, mape_proxy_create(&more, pool, 77, NULL, NULL, NULL));
    is_status(pool, MAPE_E_STATE, mape_proxy_create(&more, pool, registered(pool, run_square), NULL, NULL, NULL));
    is_status(pool, MAPE_E_UNSUPPORTED,
              mape_proxy_create(&more, pool, typed(pool, "const char *[9] native_name(int)", native_name, 0), NULL,
                                NULL, NULL));
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.struct_size--;
    is_status(pool, MAPE_E_SIZE, mape_proxy_create(&more, pool, half, &config, NULL, NULL));
    pool_close(pool);
}

/** A proxy is called where callbacks run. */
static void call_half(void *context, const mape_event *event) {
    (void)event;
    struct caller *caller = context;
    caller->wrong = caller->half(8) != 4;
    caller->start = 1;
}

static void a_callback_calls_a_proxy(uint32_t birth) {
    struct heard heard = {0};
    mape_pool *pool = pool_open(birth, 1);
    mape_native_fn proxy = proxied(pool, "double native_half(double x)", native_half, 0, &heard);
    struct caller caller = {.half = (double (*)(double))proxy};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.on_done = call_half;
    config.context = &caller;
    mape_job *job = mapped(pool, registered(pool, run_square), &(uint64_t){3}, 1, 8, &config);
    dispatch_until_done(pool, job);
    wait_until((mape_pool_dispatch(pool, 0, 0), caller.start == 1));
    assert_int_equal(caller.wrong, 0);
    is_ok(pool, mape_proxy_release(proxy));
    pool_close(pool);
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) return call_without_executable_memory();
    const struct abi_test tests[] = {
        BOTH(calls_run_in_workers_and_give_what_the_function_gives),
        PATIENT(a_function_that_dereferences_null_is_called_a_thousand_times, IN_EXEC | IN_FORK, 200),
        BOTH(time_limits_errno_and_outputs),
        BOTH(many_threads_call_at_once),
        BOTH(proxies_outlive_their_pool),
        BOTH(a_pool_is_destroyed_while_a_proxy_waits),
        BOTH(a_proxy_is_destroyed_while_it_waits),
        BOTH(a_proxy_is_destroyed_as_its_calls_return),
        BOTH(a_forked_child_of_the_host_hears_so),
        EXEC_ONLY(proxies_need_no_writable_executable_memory),
        EXEC_ONLY(more_proxies_than_there_are_and_none_that_is_made),
        BOTH(a_callback_calls_a_proxy),
    };
    return run_abi_tests("proxy", tests, COUNT(tests));
}
