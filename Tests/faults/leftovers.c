/* leftovers.c - what a function leaves behind in its worker: case 57.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fault_identity.h"
#include "faults.h"

#include <fenv.h>
#include <signal.h>

static struct found look(mape_pool *pool, mape_function_id finds, uint32_t sleeps) {
    struct found found;
    mape_job *job = applied(pool, finds, &sleeps, sizeof sleeps);
    stage("waiting for a look");
    is_ok(pool, mape_job_wait(job, PATIENCE));
    mape_result result = result_of(job, 0);
    if (result.state != MAPE_ITEM_OK) fail_msg("the look ended with state %u: %s", result.state, result.message);
    assert_int_equal(result.size, sizeof found);
    memcpy(&found, result.data, sizeof found);
    is_ok(pool, mape_job_release(job));
    return found;
}

static void same(const struct found *now, const struct found *before, const char *whose) {
#define SAME(field)                                                                                                    \
    if (memcmp(&now->field, &before->field, sizeof now->field) != 0) fail_msg("%s finds another " #field, whose)
    SAME(rounding);
    SAME(flushes);
    SAME(flags);
    SAME(traps);
    SAME(x87);
    SAME(sum);
    SAME(mask);
    SAME(ignored);
    SAME(handled);
    SAME(has_stack);
    SAME(slept);
    SAME(folder);
    SAME(umask);
    SAME(locale);
    SAME(thread_locale);
    SAME(file_limit);
    SAME(descriptor_limit);
    SAME(descriptor_hard);
    SAME(cpu_limit);
    SAME(priority);
    SAME(processors);
    SAME(leads_group);
    SAME(death_signal);
    SAME(subreaper);
    SAME(child_status);
    SAME(stdout_file);
    SAME(stdout_number);
    SAME(user);
    SAME(root);
}

static void left(mape_pool *pool, mape_function_id leaves, uint32_t what) {
    mape_job *job = applied(pool, leaves, &what, sizeof what);
    wait_for(job);
    mape_result result = result_of(job, 0);
    if (result.state != MAPE_ITEM_OK) fail_msg("nothing was left behind: %s", result.message);
    is_ok(pool, mape_job_release(job));
}

/** Long enough for a worker that waits to have looked ahead at what the next function will find; too short for it to go to sleep. */
static void pause_between_calls(void) {
    for (int64_t begun = now_ns(); now_ns() - begun < 20000;) continue;
}

/** A function finds the process as its setup left it, whatever another has left; and nothing of that strikes it. */
static void left_behind(const struct row *row) {
    const uint32_t what = row->fault->value;
    if (geteuid() != 0 && (what == LEAVE_USER || what == LEAVE_ROOT)) row_skip("only root can leave that behind");
    mape_pool *pool = row_pool();
    mape_function_id leaves = registered(pool, run_leaves), finds = registered(pool, run_finds);
    mape_function_id own = 0, dies = registered(pool, run_segfaults);
    const bool sleeps = what == LEAVE_ALARM || what == LEAVE_TIMERS || what == LEAVE_POSIX_TIMER;
    struct found before = look(pool, finds, sleeps);
    for (int round = 0; round < 4; round++) {
        if (round >= 2) pause_between_calls();
        left(pool, leaves, what);
        if (round >= 2) pause_between_calls();
        struct found now = look(pool, finds, sleeps);
        same(&now, &before, "another function");
    }
    mape_function description = MAPE_FUNCTION_INIT;
    description.run = run_finds;
    description.setup = setup_its_own;
    is_ok(pool, mape_function_register(&own, pool, &description));
    struct found own_before = look(pool, own, sleeps), still = look(pool, finds, sleeps);
    same(&still, &before, "another function, after a setup");
    assert_int_equal(own_before.rounding, FE_UPWARD);
    assert_int_equal(own_before.umask, 027);
    assert_string_equal(own_before.folder, "/usr");
    left(pool, leaves, what);
    struct found now = look(pool, own, sleeps);
    same(&now, &own_before, "one with a setup");
    left(pool, leaves, what);
    /* And a crash is a crash, told as ever. */
    uint32_t nothing = 0;
    mape_job *job = applied(pool, dies, &nothing, sizeof nothing);
    wait_for(job);
    result_ended(job, 0, MAPE_ITEM_CRASHED, MAPE_CAUSE_SIGNAL, SIGSEGV);
    assert_non_null(strstr(result_of(job, 0).message, "run_segfaults"));
    is_ok(pool, mape_job_release(job));
    pool_works(pool);
}

/** Timers of a function that has ended its items end no idle worker. */
static void idle_with_timers(const struct row *row) {
    mape_pool *pool = row_pool();
    const uint32_t what = row->fault->value;
    mape_job *job = applied(pool, registered(pool, run_leaves), &what, sizeof what);
    wait_for(job);
    is_ok(pool, mape_job_release(job));
    for (int64_t begun = now_ns(); now_ns() - begun < MAPE_MILLISECONDS(1300);) short_nap();
    assert_int_equal(stats_of(pool).workers_died, 0);
    pool_works(pool);
}

#define LEFT(text, what)                                                                                               \
    { 57, text, left_behind, BIRTHS, W1, 0, what, NULL, 0 }

static const struct fault leftovers[] = {
    LEFT("rounding", LEAVE_ROUNDING),
    LEFT("denormals are zero", LEAVE_FLUSHING),
    LEFT("floating-point traps", LEAVE_TRAPS),
    LEFT("x87 precision", LEAVE_X87),
    LEFT("MMX registers in use", LEAVE_MMX),
    LEFT("floating-point flags", LEAVE_FLAGS),
    LEFT("blocked signals", LEAVE_MASK),
    LEFT("blocked signals that wait", LEAVE_PENDING),
    LEFT("ignored signals", LEAVE_IGNORED),
    LEFT("signal handlers", LEAVE_HANDLERS),
    LEFT("an alternate stack that is gone", LEAVE_STACK),
    LEFT("an alarm", LEAVE_ALARM),
    LEFT("interval timers", LEAVE_TIMERS),
    LEFT("a POSIX timer", LEAVE_POSIX_TIMER),
    LEFT("the folder", LEAVE_FOLDER),
    LEFT("the umask", LEAVE_UMASK),
    LEFT("the locale", LEAVE_LOCALE),
    LEFT("the thread's locale", LEAVE_THREAD_LOCALE),
    LEFT("limits", LEAVE_LIMITS),
    LEFT("limits for good", LEAVE_HARD_LIMITS),
    LEFT("the priority", LEAVE_PRIORITY),
    LEFT("the processors", LEAVE_PROCESSORS),
    LEFT("the process group", LEAVE_GROUP),
    LEFT("the parent-death signal", LEAVE_DEATH_SIGNAL),
    LEFT("standard output elsewhere", LEAVE_STDOUT),
    LEFT("standard output closed", LEAVE_NO_STDOUT),
    LEFT("another user", LEAVE_USER),
    LEFT("another root", LEAVE_ROOT),
    {57, "an alarm, and nothing to do", idle_with_timers, BIRTHS, W1, 0, LEAVE_ALARM, NULL, 0},
    {57, "a POSIX timer, and nothing to do", idle_with_timers, BIRTHS, W1, 0, LEAVE_POSIX_TIMER, NULL, 0},
};
TABLE(leftovers);
