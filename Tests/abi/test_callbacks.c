/* test_callbacks.c - what callbacks may do, and the events of pools: captured output and logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <fcntl.h>

/** What callbacks have done and seen; checks come later, outside of them. */
struct acting {
    mape_pool *pool;
    mape_function_id function;
    mape_job *job, *other;
    int status, calls, after, done;
    uint64_t items, cancelled, abandoned, limit;
    bool data_stayed;
};

static mape_job_config acting_by(struct acting *acting, mape_event_fn on_item, mape_event_fn on_done) {
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.context = acting;
    config.on_item = on_item;
    config.on_done = on_done;
    return config;
}

static void count_done(void *context, const mape_event *event) {
    (void)event;
    ((struct acting *)context)->done++;
}

static void submit_again(void *context, const mape_event *event) {
    struct acting *self = context;
    (void)event;
    if (++self->items >= self->limit) return;
    mape_job_config config = acting_by(self, submit_again, NULL);
    uint64_t value = self->items;
    self->status |= mape_apply(NULL, self->pool, self->function, &value, sizeof value, &config);
}

static void callbacks_submit_new_work(uint32_t birth) {
    struct acting acting = {.pool = pool_open(birth, 2), .limit = 300};
    acting.function = registered(acting.pool, run_square);
    mape_job_config config = acting_by(&acting, submit_again, NULL);
    uint64_t value = 1;
    is_ok(acting.pool, mape_apply(NULL, acting.pool, acting.function, &value, sizeof value, &config));
    wait_until((mape_pool_dispatch(acting.pool, 0, 0), acting.items >= 300));
    assert_int_equal(acting.status, MAPE_OK);
    pool_close(acting.pool);
}

static void cancel_at_first(void *context, const mape_event *event) {
    struct acting *self = context;
    if (event->result.state == MAPE_ITEM_CANCELLED) self->cancelled++;
    if (self->items++ == 0) self->status = mape_job_cancel(event->job);
}

static void a_callback_cancels_its_own_job(uint32_t birth) {
    struct shared *shared = shared_page();
    mape_pool *pool = pool_started(birth, 1);
    struct acting acting = {.pool = pool, .status = 99};
    mape_job_config config = acting_by(&acting, cancel_at_first, count_done);
    config.chunk = 1;
    atomic_store(&shared->gate, 1);
    config.drop = 1;
    config.window = 4; /* So that most items have not begun when the first event is fetched. */
    uint64_t *values = numbers(1000);
    mape_job *job =
        mapped(pool, registered_shared(pool, run_gated, setup_shared, NULL), values, 1000, sizeof *values, &config);
    dispatch_until_done(pool, job);
    assert_int_equal(acting.status, MAPE_OK);
    assert_int_equal(acting.items, 1000);
    assert_true(acting.cancelled > 0 && acting.cancelled < 1000);
    assert_int_equal(acting.done, 1);
    mape_progress progress = progress_of(job);
    assert_int_equal(progress.cancelled, acting.cancelled);
    assert_int_equal(progress.ok + progress.cancelled, 1000);
    free(values);
    pool_close(pool);
}

static void release_own(void *context, const mape_event *event) {
    struct acting *self = context;
    uint64_t before = 0, after = 1;
    self->items++;
    memcpy(&before, event->result.data, sizeof before);
    self->status = mape_job_release(event->job);
    memcpy(&after, event->result.data, sizeof after); /* Valid until the callback returns. */
    self->data_stayed = before == after;
}

static void a_callback_releases_its_own_job_and_hears_no_more_of_it(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    struct acting acting = {.status = 99};
    mape_job_config config = acting_by(&acting, release_own, count_done);
    uint64_t *values = numbers(500);
    mape_job *job = mapped(pool, registered(pool, run_square), values, 500, sizeof *values, &config);
    wait_for(job);
    assert_int_equal(mape_pool_dispatch(pool, 0, 0), 1);
    assert_int_equal(acting.status, MAPE_OK);
    assert_int_equal(acting.items, 1);
    assert_int_equal(acting.done, 0);
    assert_true(acting.data_stayed);
    is_status(NULL, MAPE_E_HANDLE, mape_job_release(job));
    assert_int_equal(mape_pool_dispatch(pool, 0, 0), 0);
    free(values);
    pool_close(pool);
}

static void shut_down(void *context, const mape_event *event) {
    struct acting *self = context;
    if (event->result.state == MAPE_ITEM_ABANDONED) self->abandoned++;
    if (self->items++ > 0) return;
    self->status = mape_pool_shutdown(self->pool, MAPE_SHUTDOWN_CANCEL, PATIENCE);
    mape_job *job = NULL;
    self->after = mape_apply(&job, self->pool, self->function, NULL, 0, NULL);
}

static void a_callback_shuts_the_pool_down_and_the_rest_is_still_told(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    struct acting acting = {.pool = pool, .status = 99};
    acting.function = registered(pool, run_square);
    mape_job_config config = acting_by(&acting, shut_down, count_done);
    config.drop = 1;
    config.window = 4;
    uint64_t *values = numbers(1000);
    mape_job *job = mapped(pool, acting.function, values, 1000, sizeof *values, &config);
    dispatch_until_done(pool, job);
    assert_int_equal(acting.status, MAPE_OK);
    assert_int_equal(acting.after, MAPE_E_CLOSED);
    assert_int_equal(acting.items, 1000);
    assert_true(acting.abandoned > 0);
    assert_int_equal(progress_of(job).abandoned, acting.abandoned);
    assert_int_equal(acting.done, 1);
    free(values);
    pool_close(pool);
}

static void destroy_own(void *context, const mape_event *event) {
    struct acting *self = context;
    uint64_t before = 0, after = 1;
    self->items++;
    memcpy(&before, event->result.data, sizeof before);
    self->status = mape_pool_release(self->pool);
    memcpy(&after, event->result.data, sizeof after);
    self->data_stayed = before == after && event->type == MAPE_EVENT_ITEM && event->result.message[0] == '\0';
    mape_progress progress = MAPE_PROGRESS_INIT;
    self->after = mape_job_progress(&progress, event->job);
}

static void a_callback_destroys_the_pool_it_was_called_for(uint32_t birth) {
    mape_pool *pool = pool_started(birth, 2);
    struct acting acting = {.pool = pool, .status = 99};
    mape_job_config config = acting_by(&acting, destroy_own, count_done);
    uint64_t *values = numbers(100);
    pid_t pids[3];
    int count = pool_pids(pool, pids, 3);
    wait_for(mapped(pool, registered(pool, run_square), values, 100, sizeof *values, &config));
    pool_forget(pool);
    int handled = mape_pool_dispatch(pool, 0, 0);
    assert_int_equal(acting.items, 1);
    assert_int_equal(acting.done, 0);
    assert_int_equal(acting.status, MAPE_OK);
    assert_int_equal(acting.after, MAPE_E_HANDLE);
    assert_true(acting.data_stayed);
    assert_true(handled == 1 || handled == MAPE_E_HANDLE);
    assert_int_equal(mape_pool_dispatch(pool, 0, 0), MAPE_E_HANDLE);
    wait_gone(pids, count);
    free(values);
}

/* ---- output ---- */

struct heard {
    char out[8192], err[8192];
    int wrong, logs, level, worker, workers;
    char log[4096];
    uint64_t lost;
};

static void hear_output(void *context, const mape_event *event) {
    struct heard *heard = context;
    char *text = event->code == 1 ? heard->out : heard->err;
    if (event->type != MAPE_EVENT_OUTPUT || (event->code != 1 && event->code != 2)) heard->wrong++;
    if (event->context != context || event->job != NULL) heard->wrong++;
    if (event->worker < 0 || event->worker >= heard->workers || event->lost != 0) heard->wrong++;
    if (event->text == NULL || event->text[event->text_size] != '\0') heard->wrong++;
    else strncat(text, event->text, sizeof heard->out - strlen(text) - 1);
}

static void captured_output_comes_as_events(uint32_t birth) {
    struct heard heard = {.workers = 1};
    mape_pool_config config = config_of(birth, 1);
    config.output = MAPE_OUTPUT_CAPTURE;
    config.context = &heard;
    config.on_output = hear_output;
    mape_pool *pool = pool_open_with(&config);
    mape_job *job = mapped(pool, registered(pool, run_print), "onetwosix", 3, 3, NULL);
    wait_for(job);
    wait_until((mape_pool_dispatch(pool, 0, 0), strlen(heard.out) == 24 && strlen(heard.err) == 24));
    assert_string_equal(heard.out, "out:one\nout:two\nout:six\n");
    assert_string_equal(heard.err, "err:one\nerr:two\nerr:six\n");
    assert_int_equal(heard.wrong, 0);
    pool_close(pool);
}

static void output_of_a_dying_worker_is_not_lost(uint32_t birth) {
    struct heard heard = {.workers = 1};
    mape_pool_config config = config_of(birth, 1);
    config.output = MAPE_OUTPUT_CAPTURE;
    config.context = &heard;
    config.on_output = hear_output;
    mape_pool *pool = pool_open_with(&config);
    struct fault_item item = {1, WAY_KILL, 0};
    mape_job *said = applied(pool, registered(pool, run_print), "last words", 10);
    mape_job *died = applied(pool, registered(pool, run_fault), &item, sizeof item);
    wait_for(said);
    wait_for(died);
    wait_until((mape_pool_dispatch(pool, 0, 0), strstr(heard.out, "out:last words\n") != NULL));
    pool_close(pool);
}

/** Runs run_print with the host's standard output led into a pipe, and returns what came out there. */
static void output_under(uint32_t birth, uint32_t output, char *text, size_t size) {
    int ends[2], saved[2] = {fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100), fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100)};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    mape_pool_config config = config_of(birth, 1);
    mape_pool *pool = NULL;
    mape_job *job = NULL;
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    config.output = output;
    description.run = run_print;
    fflush(NULL);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO); /* From here to the second pair nothing may print, so nothing may fail. */
    const int statuses[] = {mape_pool_create(&pool, &config), mape_function_register(&function, pool, &description),
                            mape_apply(&job, pool, function, "hello", 5, NULL), mape_job_wait(job, PATIENCE),
                            mape_pool_shutdown(pool, MAPE_SHUTDOWN_DRAIN, PATIENCE)};
    dup2(saved[0], STDOUT_FILENO);
    dup2(saved[1], STDERR_FILENO);
    close(saved[0]);
    close(saved[1]);
    close(ends[1]);
    pool_adopt(pool);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    ssize_t length = read(ends[0], text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    close(ends[0]);
    for (size_t i = 0; i < COUNT(statuses); i++) is_ok(pool, statuses[i]);
    pool_close(pool);
}

static void inherited_output_goes_where_the_hosts_goes(uint32_t birth) {
    char text[4096];
    output_under(birth, MAPE_OUTPUT_INHERIT, text, sizeof text);
    assert_non_null(strstr(text, "out:hello\n"));
    assert_non_null(strstr(text, "err:hello\n"));
}

static void discarded_output_goes_nowhere(uint32_t birth) {
    char text[4096];
    output_under(birth, MAPE_OUTPUT_DISCARD, text, sizeof text);
    assert_string_equal(text, "");
}

/* ---- logs ---- */

static void hear_log(void *context, const mape_event *event) {
    struct heard *heard = context;
    heard->lost += event->lost;
    if (event->type != MAPE_EVENT_LOG || event->context != context) heard->wrong++;
    if (event->text == NULL || strlen(event->text) != event->text_size) heard->wrong++;
    if (event->worker < 0 || event->text == NULL) return; /* Of the pool itself. */
    heard->logs++;
    heard->level = event->code;
    heard->worker = event->worker;
    snprintf(heard->log, sizeof heard->log, "%s", event->text);
}

static void logs_of_functions_reach_the_host(uint32_t birth) {
    struct heard heard = {.worker = -9};
    mape_pool_config config = config_of(birth, 2);
    config.context = &heard;
    config.on_log = hear_log;
    mape_pool *pool = pool_open_with(&config);
    mape_function_id function = registered(pool, run_log);
    char text[3000];
    memset(text, 'w', sizeof text);
    wait_for(applied(pool, function, "a warning", 9));
    wait_until((mape_pool_dispatch(pool, 0, 0), heard.logs == 1));
    assert_string_equal(heard.log, "a warning");
    assert_int_equal(heard.level, MAPE_LOG_WARNING);
    assert_true(heard.worker == 0 || heard.worker == 1);
    wait_for(applied(pool, function, text, sizeof text));
    wait_until((mape_pool_dispatch(pool, 0, 0), heard.logs == 2));
    assert_int_equal(strlen(heard.log), 1023);
    assert_int_equal(heard.wrong, 0);
    assert_int_equal(heard.lost, 0);
    pool_close(pool);
}

static void logs_are_pulled_as_events(uint32_t birth) {
    mape_pool *pool = pool_open(birth, 1);
    wait_for(applied(pool, registered(pool, run_log), "pulled", 6));
    mape_event event = MAPE_EVENT_INIT;
    do is_ok(pool, mape_pool_next_event(&event, pool, PATIENCE));
    while (event.worker < 0);
    assert_int_equal(event.type, MAPE_EVENT_LOG);
    assert_int_equal(event.code, MAPE_LOG_WARNING);
    assert_int_equal(event.worker, 0);
    assert_string_equal(event.text, "pulled");
    assert_int_equal(event.text_size, 6);
    pool_close(pool);
}

/** 20 MB of logs that nobody fetches: the worker goes on, and what was dropped is counted. */
static void a_flood_of_logs_blocks_nobody_and_what_is_lost_is_counted(uint32_t birth) {
    struct heard heard = {0};
    mape_pool_config config = config_of(birth, 1);
    config.context = &heard;
    config.on_log = hear_log;
    mape_pool *pool = pool_open_with(&config);
    wait_for(applied(pool, registered(pool, run_log_flood), NULL, 0));
    mape_job *last = applied(pool, registered(pool, run_log), "after the flood", 15);
    wait_for(last);
    wait_until(mape_pool_dispatch(pool, 0, 0) == 0);
    /* Texts come whole; the lost bytes are told with a later text. */
    mape_job *later = applied(pool, registered(pool, run_log), "later", 5);
    wait_for(later);
    wait_until((mape_pool_dispatch(pool, 0, 0), strcmp(heard.log, "later") == 0));
    uint64_t arrived = (uint64_t)heard.logs;
    assert_true(arrived >= 1);
    if (arrived < 20002) assert_true(heard.lost > 0);
    assert_int_equal(heard.wrong, 0);
    pool_close(pool);
}

int main(void) {
    const struct abi_test tests[] = {
        BOTH(callbacks_submit_new_work),
        BOTH(a_callback_cancels_its_own_job),
        BOTH(a_callback_releases_its_own_job_and_hears_no_more_of_it),
        BOTH(a_callback_shuts_the_pool_down_and_the_rest_is_still_told),
        BOTH(a_callback_destroys_the_pool_it_was_called_for),
        BOTH(captured_output_comes_as_events),
        BOTH(output_of_a_dying_worker_is_not_lost),
        BOTH(inherited_output_goes_where_the_hosts_goes),
        BOTH(discarded_output_goes_nowhere),
        BOTH(logs_of_functions_reach_the_host),
        BOTH(logs_are_pulled_as_events),
        BOTH(a_flood_of_logs_blocks_nobody_and_what_is_lost_is_counted),
    };
    return run_abi_tests("callbacks", tests, COUNT(tests));
}
