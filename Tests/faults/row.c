/* row.c - one row, in its own process: its pool, the place it is run from, and the host before and after.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

void row_run(const struct row *row);

static const struct row *the_row;
static mape_pool *the_pool;
static uint64_t deaths_before;

void zygote_replaced(mape_pool *pool) {
    uint64_t before = stats_of(pool).zygotes_started;
    kill_process(stats_of(pool).zygote_pid);
    wait_until(stats_of(pool).zygotes_started == before + 1);
    wait_until(stats_of(pool).workers_ready == stats_of(pool).workers);
}

uint64_t row_deaths(mape_pool *pool) { return stats_of(pool).workers_died - deaths_before; }

static void with_threads(mape_pool_config *config) {
    static const char *settings[16];
    size_t count = 0;
    for (; config->env_set != NULL && config->env_set[count] != NULL && count < 14; count++)
        settings[count] = config->env_set[count];
    settings[count] = "FAULT_THREADS=4";
    config->env_set = settings;
    config->zygote_path = FAULT_ZYGOTE;
}

mape_pool *row_pool_unstarted(void) {
    if (the_pool != NULL) return the_pool;
    mape_pool_config config = config_of(the_row->birth, the_row->workers > 0 ? the_row->workers : 2);
    if (the_row->fault->configure != NULL) the_row->fault->configure(&config, the_row);
    if (the_row->again == WITH_ZYGOTE_THREADS) with_threads(&config);
    the_pool = pool_open_with(&config);
    if (the_row->again == AFTER_A_ZYGOTE) {
        /* A function of each kind that was there before. */
        registered(the_pool, run_square);
        is_ok(the_pool, mape_pool_start(the_pool, PATIENCE));
        zygote_replaced(the_pool);
        deaths_before = stats_of(the_pool).workers_died;
    }
    return the_pool;
}

mape_pool *row_pool(void) {
    row_pool_unstarted();
    stage("starting the row's pool");
    is_ok(the_pool, mape_pool_start(the_pool, PATIENCE));
    return the_pool;
}

void row_pool_gone(void) {
    if (the_pool != NULL) pool_forget(the_pool);
    the_pool = NULL;
}

/* ---- the host, which is to be left as it was ---- */

extern char **environ;

struct host_state {
    struct sigaction actions[65];
    sigset_t mask;
    stack_t stack;
    struct rlimit limits[RLIM_NLIMITS];
    mode_t umask;
    int nice_value;
    char cwd[4096], locale[256];
    uint64_t environment;
};

static void host_state_taken(struct host_state *state) {
    memset(state, 0, sizeof *state);
    for (int number = 1; number < 65; number++) sigaction(number, NULL, &state->actions[number]);
    sigprocmask(SIG_SETMASK, NULL, &state->mask);
    sigaltstack(NULL, &state->stack);
    for (int i = 0; i < RLIM_NLIMITS; i++) getrlimit((__rlimit_resource_t)i, &state->limits[i]);
    state->umask = umask(022);
    umask(state->umask);
    state->nice_value = getpriority(PRIO_PROCESS, 0);
    if (getcwd(state->cwd, sizeof state->cwd) == NULL) state->cwd[0] = '\0';
    snprintf(state->locale, sizeof state->locale, "%s", setlocale(LC_ALL, NULL));
    for (char **entry = environ; *entry != NULL; entry++)
        for (char *c = *entry; *c != '\0'; c++)
            state->environment = state->environment * 31 + (unsigned char)*c + (uintptr_t)*entry;
}

/** Set by the C library in each call of sigaction. */
#define SA_RESTORER_BIT 0x04000000

static void host_state_is(const struct host_state *before) {
    static struct host_state now;
    stage("looking at the host");
    host_state_taken(&now);
    for (int number = 1; number < 65; number++) {
        if (now.actions[number].sa_handler != before->actions[number].sa_handler ||
            ((now.actions[number].sa_flags ^ before->actions[number].sa_flags) & ~SA_RESTORER_BIT) != 0)
            fail_msg("the disposition of signal %d changed", number);
        if (sigismember(&now.mask, number) != sigismember(&before->mask, number))
            fail_msg("signal %d is blocked or not as it was not before", number);
    }
    assert_ptr_equal(now.stack.ss_sp, before->stack.ss_sp);
    assert_memory_equal(now.limits, before->limits, sizeof now.limits);
    assert_int_equal(now.umask, before->umask);
    assert_int_equal(now.nice_value, before->nice_value);
    assert_string_equal(now.cwd, before->cwd);
    assert_string_equal(now.locale, before->locale);
    assert_int_equal(now.environment, before->environment);
}

/* ---- from inside a callback ---- */

static bool was_called;

static void act_in_callback(void *context, const mape_event *event) {
    (void)context, (void)event;
    was_called = true;
    stage("inside the callback");
    the_row->fault->act(the_row);
}

static void call_back(void) {
    mape_pool *pool = row_pool();
    uint64_t value = 3;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.on_done = act_in_callback;
    is_ok(pool, mape_apply(NULL, pool, registered(pool, run_square), &value, sizeof value, &config));
    for (int64_t begun = now_ns(); !was_called; short_nap()) {
        if (now_ns() - begun > PATIENCE) fail_msg("the callback never came");
        mape_pool_dispatch(pool, 0, 0);
    }
}

static void body(uint32_t unused) {
    (void)unused;
    static struct host_state before;
    host_state_taken(&before);
    if (the_row->in_callback) call_back();
    else the_row->fault->act(the_row);
    if (the_pool != NULL) pool_close(the_pool);
    host_state_is(&before);
}

/** Descriptors, mappings, threads and children are compared by what runs this. */
void row_run(const struct row *row) {
    struct rlimit none = {0, 0};
    if (getenv("FAULTS_CORE") == NULL) setrlimit(RLIMIT_CORE, &none); /* FAULTS_CORE=1 keeps core files. */
    setlocale(LC_ALL, "C"); /* As it is already; so that it has been read once. */
    the_row = row;
    /* The supervisor watches more closely, and tells more; this is for the case that it cannot. */
    const struct abi_test test = {"row", body, 0, (row->fault->seconds > 0 ? row->fault->seconds : 60) + 120};
    int status = run_abi_tests("fault", &test, 1);
    fflush(NULL);
    row_came_to_its_end();
    exit(status);
}
