/* test_left.c - functions of the host that do not come back: callbacks, on_error and the wakeup hook left by longjmp (the errors of Lua, R,
 * Perl and Ruby are that), by an exception of C++, or by the end of their thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "native_functions.h"
#include "support_native.h"

#include <alloca.h>
#include <pthread.h>
#include <ucontext.h>

#define ITEMS 300

int dispatch_and_catch(mape_pool *pool);
void throwing_item(void *context, const mape_event *event);
extern int throwing_cleaned;

static jmp_buf out;

static void jumping_item(void *context, const mape_event *event) {
    ((int *)context)[event->index]++;
    if (event->index % 3 == 0) longjmp(out, 1);
}

/** A frame with a hole in it, which lets what lay on the stack before stay there. */
__attribute__((noinline)) static int dispatch_below(mape_pool *pool, size_t hole) {
    volatile char *bytes = alloca(hole);
    bytes[0] = 1;
    int status = mape_pool_dispatch(pool, 0, 0);
    return bytes[0] ? status : 0;
}

static int dispatch_in_jump(mape_pool *pool, size_t hole) {
    if (setjmp(out) != 0) return 1000;
    return dispatch_below(pool, hole);
}

static void *dispatch_on_thread(void *pool) {
    mape_pool_dispatch(pool, 0, 0);
    return NULL;
}

enum ways { JUMP, JUMP_DEEPER, THROW };

/** Each item is told once, whoever leaves how often; nothing answers MAPE_E_BUSY; the pool's end gives everything back. */
static void left_in_way(uint32_t birth, enum ways way) {
    int told[ITEMS] = {0};
    mape_pool *pool = pool_started(birth, 2);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.context = told;
    config.on_item = way == THROW ? throwing_item : jumping_item;
    uint64_t *values = numbers(ITEMS);
    mape_job *job = mapped(pool, registered(pool, run_square), values, ITEMS, sizeof *values, &config);
    volatile int rounds = 0;
    for (uint64_t left = ITEMS; left > 0;) {
        int status = 0;
        stage("round %d, %llu items left", rounds, (unsigned long long)left);
        if (way == JUMP) status = dispatch_in_jump(pool, 16);
        if (way == JUMP_DEEPER) status = dispatch_in_jump(pool, 64 + (size_t)(rounds % 40) * 400);
        if (way == THROW) status = dispatch_and_catch(pool);
        if (status < 0) fail_msg("round %d: %s", rounds, message_of(pool));
        rounds++;
        left = 0;
        for (int i = 0; i < ITEMS; i++) left += told[i] == 0;
    }
    for (int i = 0; i < ITEMS; i++)
        if (told[i] != 1) fail_msg("item %d was told %d times", i, told[i]);
    if (way == THROW) assert_int_equal(throwing_cleaned, rounds);
    throwing_cleaned = 0;
    squares_are_right(job, values, ITEMS);
    free(values);
    pool_close(pool);
}

static void in_way(uint32_t birth, enum ways way) {
    left_in_way(birth, way); /* What is made once was made. */
    struct snapshot before = snapshot_taken();
    for (int i = 0; i < 3; i++) left_in_way(birth, way);
    snapshot_comes_back(&before);
}

static void a_callback_is_left_by_longjmp(uint32_t birth) { in_way(birth, JUMP); }
static void a_callback_is_left_and_dispatch_called_from_deeper_down(uint32_t birth) { in_way(birth, JUMP_DEEPER); }
static void a_callback_is_left_by_an_exception(uint32_t birth) { in_way(birth, THROW); }

static void only_ends_its_thread(void *context, const mape_event *event) {
    ((int *)context)[event->index]++;
    if (event->index < 10) pthread_exit(NULL);
}

static void a_callback_ends_its_thread(uint32_t birth) {
    int told[ITEMS] = {0};
    mape_pool *pool = pool_started(birth, 2);
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.context = told;
    config.on_item = only_ends_its_thread;
    uint64_t *values = numbers(ITEMS);
    mape_job *job = mapped(pool, registered(pool, run_square), values, ITEMS, sizeof *values, &config);
    wait_for(job);
    for (int i = 0; i < 12; i++) {
        pthread_t thread;
        stage("thread %d dispatches", i);
        assert_int_equal(pthread_create(&thread, NULL, dispatch_on_thread, pool), 0);
        pthread_join(thread, NULL);
    }
    assert_true(mape_pool_dispatch(pool, 0, 0) >= 0);
    for (int i = 0; i < ITEMS; i++)
        if (told[i] != 1) fail_msg("item %d was told %d times", i, told[i]);
    free(values);
    pool_close(pool);
}

/* ---- a dispatch that goes on is still one ---- */

struct inner {
    mape_pool *pool;
    int calls, status[3];
    ucontext_t here, there;
};

static struct inner *inner;

__attribute__((noinline)) static int far_below(mape_pool *pool, int depth) {
    volatile char bytes[512];
    bytes[0] = (char)depth;
    int status = depth > 0 ? far_below(pool, depth - 1) : mape_pool_dispatch(pool, 0, 0);
    return bytes[0] == (char)depth ? status : 0;
}

static void in_coroutine(void) { inner->status[2] = mape_pool_dispatch(inner->pool, 0, 0); }

static void dispatching_item(void *context, const mape_event *event) {
    struct inner *self = context;
    (void)event;
    if (self->calls++ > 0) return;
    self->status[0] = mape_pool_dispatch(self->pool, 0, 0);
    self->status[1] = far_below(self->pool, 20);
    char *stack = malloc(1 << 16);
    inner = self;
    getcontext(&self->there);
    self->there.uc_stack.ss_sp = stack;
    self->there.uc_stack.ss_size = 1 << 16;
    self->there.uc_link = &self->here;
    makecontext(&self->there, in_coroutine, 0);
    swapcontext(&self->here, &self->there);
    free(stack);
}

static void a_dispatch_inside_a_callback_is_refused_wherever_it_comes_from(uint32_t birth) {
    struct inner self = {.pool = pool_started(birth, 2)};
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.context = &self;
    config.on_item = dispatching_item;
    uint64_t *values = numbers(50);
    mape_job *job = mapped(self.pool, registered(self.pool, run_square), values, 50, sizeof *values, &config);
    dispatch_until_done(self.pool, job);
    for (int i = 0; i < 3; i++) is_status(self.pool, MAPE_E_BUSY, self.status[i]);
    assert_int_equal(self.calls, 50);
    free(values);
    pool_close(self.pool);
}

/* ---- on_error ---- */

static void jumping_error(void *context, const mape_result *result) {
    assert_string_not_equal(result->message, "");
    ++*(int *)context;
    longjmp(out, 1);
}

static void ending_error(void *context, const mape_result *result) {
    (void)result;
    ++*(int *)context;
    pthread_exit(NULL);
}

static void *call_proxy(void *proxy) {
    ((int (*)(int, int))(uintptr_t)proxy)(ACT_ABORT, 1);
    return NULL;
}

static void left_in_on_error(uint32_t birth, bool ends) {
    mape_pool *pool = pool_started(birth, 2);
    mape_native_fn proxy = NULL;
    int errors = 0;
    mape_function_id act = typed(pool, "int native_act(int what, int value)", native_act, 0);
    is_ok(pool, mape_proxy_create(&proxy, pool, act, NULL, ends ? ending_error : jumping_error, &errors));
    int (*call)(int, int) = (int (*)(int, int))proxy;
    for (volatile int i = 0; i < 3; i++) {
        stage("call %d", i);
        pthread_t thread;
        if (ends) {
            assert_int_equal(pthread_create(&thread, NULL, call_proxy, (void *)(uintptr_t)proxy), 0);
            pthread_join(thread, NULL);
        } else if (setjmp(out) == 0) call(ACT_ABORT, 1);
    }
    assert_int_equal(errors, 3);
    assert_int_equal(call(ACT_WELL, 7), 21);
    stage("destroying the proxy");
    is_ok(pool, mape_proxy_release(proxy));
    pool_close(pool);
}

static void on_error_is_left(uint32_t birth) {
    left_in_on_error(birth, false);
    struct snapshot before = snapshot_taken();
    left_in_on_error(birth, false);
    left_in_on_error(birth, true);
    snapshot_comes_back(&before);
}

/* ---- the wakeup hook ---- */

static pthread_t main_thread;
static volatile int hooks;

static void jumping_hook(void *context) {
    (void)context;
    if (!pthread_equal(pthread_self(), main_thread)) return;
    hooks++;
    longjmp(out, 1);
}

static void *set_no_hook(void *pool) {
    mape_pool_set_wakeup(pool, NULL, NULL);
    return NULL;
}

/** In a process of its own: what the engine's frames hold is lost with them, as the header says. */
static int hook_is_left(uint32_t birth) {
    mape_pool_config config = config_of(birth, 1);
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function;
    mape_pool *volatile pool = NULL;
    mape_job *volatile job = NULL;
    mape_pool *made_pool = NULL;
    mape_job *made_job = NULL;
    mape_items items;
    mape_job_config settings = MAPE_JOB_CONFIG_INIT;
    settings.deliver = MAPE_DELIVER_ITEMS;
    main_thread = pthread_self();
    description.run = run_fault;
    struct fault_item sleeps[2] = {{0, WAY_SLEEP, 0}, {1, WAY_SLEEP, 0}};
    items = items_at(sleeps, 2, sizeof sleeps[0]);
    config.grace_ns = MAPE_MILLISECONDS(100);
    if (mape_pool_create(&made_pool, &config) || mape_function_register(&function, made_pool, &description)) return 1;
    pool = made_pool;
    if (mape_pool_start(pool, PATIENCE) || mape_map(&made_job, pool, function, &items, &settings)) return 2;
    job = made_job;
    if (mape_pool_set_wakeup(pool, jumping_hook, NULL)) return 3;
    if (setjmp(out) == 0) mape_job_cancel(job);
    if (hooks != 1) return 4;
    pthread_t thread;
    struct timespec until;
    if (pthread_create(&thread, NULL, set_no_hook, pool)) return 5;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_SECONDS;
    if (pthread_timedjoin_np(thread, NULL, &until) != 0) return 6;
    if (mape_job_wait(job, PATIENCE)) return 7;
    while (mape_pool_dispatch(pool, 0, 0) > 0) {}
    return mape_pool_release(pool) == MAPE_OK ? 0 : 8;
}

static void the_wakeup_hook_is_left(uint32_t birth) {
    char command[80];
    snprintf(command, sizeof command, "/proc/%d/exe hook %u", (int)getpid(), birth);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "hook") == 0) return hook_is_left((uint32_t)atoi(argv[2]));
    const struct abi_test tests[] = {
        BOTH(a_callback_is_left_by_longjmp),
        BOTH(a_callback_is_left_and_dispatch_called_from_deeper_down),
        BOTH(a_callback_is_left_by_an_exception),
        BOTH(a_callback_ends_its_thread),
        BOTH(a_dispatch_inside_a_callback_is_refused_wherever_it_comes_from),
        BOTH(on_error_is_left),
        BOTH(the_wakeup_hook_is_left),
    };
    return run_abi_tests("left", tests, COUNT(tests));
}
