/* factor.c - a plug-in of WeeChat whose work runs in worker processes: /factor 600851475143 97 100000380000361
 *
 * WeeChat has one thread, and a plug-in that computes, or crashes, stops or ends all of it. This one prints each answer when it is there,
 * while you type. The same file has the function that workers run, and the plug-in around it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <mapengine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weechat/weechat-plugin.h>

WEECHAT_PLUGIN_NAME("factor")
WEECHAT_PLUGIN_DESCRIPTION("Prime factors, found in worker processes")
WEECHAT_PLUGIN_AUTHOR("MapEngine")
WEECHAT_PLUGIN_VERSION("1")
WEECHAT_PLUGIN_LICENSE("Apache-2.0")

struct t_weechat_plugin *weechat_plugin;
static mape_pool *pool;
static mape_function_id factor;

/* ---- In a worker. ---- */

/* The prime factors of a number, as text. It may take as long as it likes, and looks now and then whether it is still wanted. */
static int factor_one(mape_task *task, void *state, const void *input, size_t size) {
    uint64_t rest;
    size_t length = 0;
    (void)state;
    if (size != sizeof rest) return mape_task_fail(task, 1, "no number");
    memcpy(&rest, input, sizeof rest);
    if (rest == 0) abort(); /* So that one sees what a crash costs: this item. */
    for (uint64_t divisor = 2; rest > 1; divisor++) {
        if (divisor > rest / divisor) divisor = rest;
        if (divisor % 65536 == 0 && mape_task_cancelled(task)) return 1;
        for (; rest % divisor == 0; rest /= divisor) {
            char text[32], *result;
            const size_t more = (size_t)snprintf(text, sizeof text, " %" PRIu64, divisor);
            if ((result = mape_task_output(task, length + more)) == NULL) return 1;
            memcpy(result + length, text, more);
            length += more;
        }
    }
    return 0;
}

/* ---- In WeeChat. ---- */

/* What a command needs until its job is done. */
struct request {
    int count;
    uint64_t numbers[];
};

static void on_item(void *context, const mape_event *event) {
    const struct request *request = context;
    const mape_result *result = &event->result;
    const uint64_t number = request->numbers[event->index];
    if (result->state == MAPE_ITEM_OK)
        weechat_printf(NULL, "%" PRIu64 " =%.*s", number, (int)result->size,
                       result->size ? (const char *)result->data : " 1");
    else weechat_printf(NULL, "%s%" PRIu64 ": %s", weechat_prefix("error"), number, result->message);
}

static void on_done(void *context, const mape_event *event) {
    const struct request *request = context;
    weechat_printf(NULL, "factor: %d of %d numbers", (int)event->progress.ok, request->count);
    mape_job_release(event->job);
    free(context);
}

static int command(const void *pointer, void *data, struct t_gui_buffer *buffer, int argc, char **argv,
                   char **argv_eol) {
    mape_items items = MAPE_ITEMS_INIT;
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    mape_job *job;
    struct request *request;
    (void)pointer, (void)data, (void)buffer, (void)argv_eol;
    if (argc < 2) return WEECHAT_RC_ERROR;
    request = malloc(sizeof *request + (size_t)(argc - 1) * sizeof *request->numbers);
    if (request == NULL) return WEECHAT_RC_ERROR;
    request->count = argc - 1;
    for (int i = 1; i < argc; i++) request->numbers[i - 1] = strtoull(argv[i], NULL, 10);
    items.base = request->numbers;
    items.count = (uint64_t)request->count;
    items.item_size = sizeof *request->numbers;
    config.context = request;
    config.on_item = on_item;
    config.on_done = on_done;
    if (mape_map(&job, pool, factor, &items, &config) == MAPE_OK) return WEECHAT_RC_OK;
    free(request);
    return WEECHAT_RC_ERROR;
}

/* The callbacks above run here, on WeeChat's thread, for 5 ms at most; what is left comes at once again, as the descriptor stays readable. */
static int readable(const void *pointer, void *data, int descriptor) {
    (void)pointer, (void)data, (void)descriptor;
    mape_pool_dispatch(pool, 0, MAPE_MILLISECONDS(5));
    return WEECHAT_RC_OK;
}

int weechat_plugin_init(struct t_weechat_plugin *plugin, int argc, char **argv) {
    mape_pool_config settings = MAPE_POOL_CONFIG_INIT;
    mape_function function = MAPE_FUNCTION_INIT;
    int descriptor;
    (void)argc, (void)argv;
    weechat_plugin = plugin;
    settings.nice = 5;         /* Chat comes first. */
    function.run = factor_one; /* Workers find it in this plug-in's file. */
    if (mape_pool_create(&pool, &settings) != MAPE_OK || mape_function_register(&factor, pool, &function) != MAPE_OK ||
        mape_pool_event_fd(&descriptor, pool) != MAPE_OK) {
        char why[512];
        mape_message(why, sizeof why, pool);
        weechat_printf(NULL, "%sfactor: %s", weechat_prefix("error"), why);
        mape_pool_release(pool);
        return WEECHAT_RC_ERROR;
    }
    weechat_hook_fd(descriptor, 1, 0, 0, readable, NULL, NULL);
    weechat_hook_command("factor", "Find the prime factors of numbers", "number...", "", NULL, command, NULL, NULL);
    return WEECHAT_RC_OK;
}

/* /plugin unload, /quit: WeeChat takes the hooks away; the processes end here, also in the middle of a job, whose last events say so. */
int weechat_plugin_end(struct t_weechat_plugin *plugin) {
    (void)plugin;
    mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, 0);
    mape_pool_dispatch(pool, 0, 0);
    return mape_pool_release(pool) == MAPE_OK ? WEECHAT_RC_OK : WEECHAT_RC_ERROR;
}
