/* starts.c - zygote programs that end, or hang, before they have begun. Case 74.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <fcntl.h>

static char starts_path[64];
static const char *const start_plans[] = {"x", "kkw", "kkkkk", "h", "wxxw", "wkxkw", "wxxxxx", "whw"};
enum {
    START_EXITS,
    START_KILLED_TWICE,
    START_ALWAYS_KILLED,
    START_HANGS,
    LATER_EXITS_TWICE,
    LATER_MIXED,
    LATER_ALWAYS_EXITS,
    LATER_HANGS
};

static void as_planned(mape_pool_config *config, const struct row *row) {
    static char setting[96];
    static const char *set[2];
    snprintf(starts_path, sizeof starts_path, "/tmp/mape-faults-XXXXXX");
    int file = mkstemp(starts_path);
    const char *plan = start_plans[row->fault->value];
    assert_int_equal(write(file, plan, strlen(plan)), strlen(plan));
    close(file);
    snprintf(setting, sizeof setting, "FAULT_STARTS=%s", starts_path);
    set[0] = setting;
    config->env_set = set;
    config->zygote_path = FAULT_ZYGOTE;
    config->zygote_timeout_ns = MAPE_SECONDS(1);
}

/** How many starts of the plan were made. */
static size_t starts_made(void) {
    char plan[16] = "";
    int file = open(starts_path, O_RDONLY | O_CLOEXEC);
    assert_true(read(file, plan, sizeof plan - 1) > 0);
    close(file);
    unlink(starts_path);
    return strspn(plan, "XKHW");
}

/** A plan that ends in w ends in a pool that works; any other in its failure, which tells the last start's end and its text. */
static void before_it_begins(const struct row *row) {
    const char *plan = start_plans[row->fault->value];
    const size_t length = strlen(plan);
    mape_pool *pool = row_pool_unstarted();
    mape_function_id function = planned(pool, NULL);
    const bool works = plan[length - 1] == 'w';
    if (plan[0] == 'w' || works) { /* Otherwise the pool may have failed before it gets the work. */
        struct work work = work_begun(pool, function, well_items(40), 40, NULL);
        work_wait(&work);
        work_check(&work, KILLED, 1);
        work_end(&work);
    }
    if (plan[0] == 'w') {
        kill_process(stats_of(pool).zygote_pid);
        wait_until(stats_of(pool).is_closed == 1 || stats_of(pool).zygotes_started == length);
        if (works) wait_until(stats_of(pool).workers_ready == row->workers);
        else wait_until(stats_of(pool).is_closed == 1);
    }
    if (works) {
        pool_works(pool);
    } else {
        is_status(pool, MAPE_E_WORKERS, mape_pool_start(pool, PATIENCE));
        const char *message = message_of(pool), *how = plan[length - 1] == 'x'   ? "exited with code 3"
                                                       : plan[length - 1] == 'k' ? "ended by signal 9"
                                                                                 : "zygote_timeout_ns";
        char text[32];
        snprintf(text, sizeof text, "a start of kind %c", plan[length - 1]);
        if (strstr(message, how) == NULL || strstr(message, text) == NULL) fail_msg("unclear message: %s", message);
    }
    pool_close(pool);
    row_pool_gone();
    assert_int_equal(starts_made(), length);
}

#define START(text, plan)                                                                                              \
    { 74, text, before_it_begins, IN_EXEC, W2, 0, plan, as_planned, 0 }

static const struct fault starts[] = {
    START("it exits", START_EXITS),
    START("it is killed twice", START_KILLED_TWICE),
    START("it is killed each time", START_ALWAYS_KILLED),
    START("it hangs", START_HANGS),
    START("the next ones exit twice", LATER_EXITS_TWICE),
    START("the next ones exit, and are killed", LATER_MIXED),
    START("the next ones exit each time", LATER_ALWAYS_EXITS),
    START("the next one hangs", LATER_HANGS),
};
TABLE(starts);
