/* weechat_measure.c - WeeChat measured, as a plug-in: hook_fd and hook_timer, whose least is 10 ms
 *
 * In the mode "reload" it has itself unloaded in the middle of a job, and loaded again; then it does what "run" does. MEASURE_PLUGIN is its path.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "measure.h"

#include <errno.h>
#include <signal.h>
#include <weechat/weechat-plugin.h>

WEECHAT_PLUGIN_NAME("measure")
WEECHAT_PLUGIN_DESCRIPTION("What a map costs WeeChat")
WEECHAT_PLUGIN_AUTHOR("MapEngine")
WEECHAT_PLUGIN_VERSION("1")
WEECHAT_PLUGIN_LICENSE("Apache-2.0")

struct t_weechat_plugin *weechat_plugin;
static struct measure measure;

static void quit(void) { weechat_command(NULL, "/wait 1ms /quit"); }

/* WeeChat itself does both, when no code of this plug-in runs. */
static void unload(void) {
    char command[4200];
    setenv("MEASURE_MODE", "run", 1);
    weechat_command(NULL, "/wait 1ms /plugin unload measure");
    snprintf(command, sizeof command, "/wait 200ms /plugin load %s", getenv("MEASURE_PLUGIN"));
    weechat_command(NULL, command);
}

static int readable(const void *pointer, void *data, int descriptor) {
    (void)pointer, (void)data, (void)descriptor;
    mape_pool_dispatch(measure.pool, 0, MAPE_MILLISECONDS(5));
    return WEECHAT_RC_OK;
}

static int tick(const void *pointer, void *data, int remaining) {
    (void)pointer, (void)data, (void)remaining;
    measure_tick(&measure);
    return WEECHAT_RC_OK;
}

int weechat_plugin_init(struct t_weechat_plugin *plugin, int argc, char **argv) {
    const char *mode = getenv("MEASURE_MODE");
    (void)argc, (void)argv;
    weechat_plugin = plugin;
    printf("host WeeChat %s (headless), hook_fd\n", weechat_info_get("version", NULL));
    fflush(stdout);
    if (strcmp(mode, "reload") == 0) measure_open(&measure, "quit", getenv("MEASURE_WORK"), unload);
    else measure_open(&measure, strdup(mode), getenv("MEASURE_WORK"), quit);
    weechat_hook_timer(10, 0, 0, tick, NULL, NULL);
    if (measure.descriptor >= 0) weechat_hook_fd(measure.descriptor, 1, 0, 0, readable, NULL, NULL);
    return WEECHAT_RC_OK;
}

/* WeeChat takes the hooks away. Also when it quits, so the job of "quit" ends here. */
int weechat_plugin_end(struct t_weechat_plugin *plugin) {
    mape_stats stats = MAPE_STATS_INIT;
    (void)plugin;
    if (measure.pool == NULL) return WEECHAT_RC_OK;
    mape_pool_stats(&stats, measure.pool);
    mape_pool_release(measure.pool);
    if (stats.zygote_pid > 0 && kill(stats.zygote_pid, 0) == -1 && errno == ESRCH) puts("unloaded and gone");
    fflush(stdout);
    return WEECHAT_RC_OK;
}
