/* moving_host.c - a host that opens the library and a plug-in by names that soon mean something else, and then uses both.
 *
 *   moving_host relative|odd|renamed|moved|descriptor|linked|replaced|gone BIRTH PREFIX PLUGIN
 *
 * It makes a folder with copies of library, zygote and plug-in, goes there, opens them, does to the files what the word says, and goes
 * away. The plug-in's function is then registered by its address and called, also by the workers of a second zygote.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <mapengine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX];

static int failed(const char *what, int status) {
    fprintf(stderr, "moving_host: %s: %d\n", what, status);
    return 1;
}
#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int status_ = (call);                                                                                          \
        if (status_ != 0) return failed(#call, status_);                                                               \
    } while (0)

static int copied(const char *from, const char *to) {
    char bytes[65536];
    ssize_t got;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (in < 0 || out < 0) return failed(to, -1);
    while ((got = read(in, bytes, sizeof bytes)) > 0)
        if (write(out, bytes, (size_t)got) != got) return failed(to, -2);
    close(in);
    close(out);
    return 0;
}

static void away(void) {
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (chdir("/") != 0 || system(command) != 0) fprintf(stderr, "moving_host: %s is left\n", root);
}

#define FUNCTION(name) __typeof__(&mape_##name) call_##name
static struct {
    FUNCTION(message);
    FUNCTION(pool_create);
    FUNCTION(pool_start);
    FUNCTION(pool_stats);
    FUNCTION(pool_release);
    FUNCTION(function_register);
    FUNCTION(map);
    FUNCTION(job_wait);
    FUNCTION(job_gather);
    FUNCTION(job_release);
} api;

static void found(void *library) {
#define FIND(name) api.call_##name = (__typeof__(api.call_##name))dlsym(library, "mape_" #name)
    FIND(message), FIND(pool_create), FIND(pool_start), FIND(pool_stats), FIND(pool_release), FIND(function_register),
        FIND(map);
    FIND(job_wait), FIND(job_gather), FIND(job_release);
}

static int squares(mape_pool *pool, mape_function_id function) {
    int values[100], results[100];
    for (int i = 0; i < 100; i++) values[i] = i;
    mape_items items = MAPE_ITEMS_INIT;
    items.base = values, items.count = 100, items.item_size = sizeof(int);
    mape_job *job = NULL;
    TRY(api.call_map(&job, pool, function, &items, NULL));
    TRY(api.call_job_wait(job, MAPE_SECONDS(40)));
    uint64_t missing = 100;
    TRY(api.call_job_gather(results, sizeof results, sizeof(int), &missing, job));
    if (missing != 0) return failed("results are missing", (int)missing);
    for (int i = 0; i < 100; i++)
        if (results[i] != i * i) return failed("wrong result", i);
    return api.call_job_release(job);
}

static int used(uint32_t birth, void *square, int is_gone) {
    mape_pool *pool = NULL;
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = 2;
    config.start = birth;
    TRY(api.call_pool_create(&pool, &config));
    /* Before its start a FORK pool takes the address as it is. */
    if (birth == MAPE_START_FORK) TRY(api.call_pool_start(pool, MAPE_SECONDS(40)));
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id function = 0;
    description.prototype = "int moving_square(int x)";
    description.native = (mape_native_fn)square;
    int status = api.call_function_register(&function, pool, &description);
    char text[1024];
    api.call_message(text, sizeof text, pool);
    if (is_gone) {
        if (status != MAPE_E_FUNCTION || !strstr(text, "plugin.so") || !strstr(text, "removed"))
            return failed(text, status);
        return api.call_pool_release(pool);
    }
    if (status != MAPE_OK) return failed(text, status);
    status = api.call_pool_start(pool, MAPE_SECONDS(40));
    api.call_message(text, sizeof text, pool);
    if (status != MAPE_OK) return failed(text, status);
    TRY(squares(pool, function));
    if (birth == MAPE_START_EXEC) {
        mape_stats stats = MAPE_STATS_INIT;
        TRY(api.call_pool_stats(&stats, pool));
        if (stats.zygote_pid > 0) kill(stats.zygote_pid, SIGKILL);
        for (int i = 0; i < 4000 && stats.zygotes_started < 2; i++, usleep(10000)) api.call_pool_stats(&stats, pool);
        if (stats.zygotes_started < 2) return failed("there is no second zygote", 0);
        TRY(api.call_pool_start(pool, MAPE_SECONDS(40)));
        TRY(squares(pool, function));
    }
    return api.call_pool_release(pool);
}

int main(int argc, char **argv) {
    if (argc != 5) return 64;
    const char *how = argv[1];
    char from[PATH_MAX], folder[PATH_MAX + 64];
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/moving.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
    if (!mkdtemp(root)) return failed(root, 0);
    atexit(away);
    /* A line feed, what the kernel writes for one, a byte that is no UTF-8, and what the kernel appends to removed files. */
    snprintf(folder, sizeof folder, "%s/%s", root, strcmp(how, "odd") == 0 ? "a  b\nc\\012d \xe9 (deleted)" : "in");
    TRY(mkdir(folder, 0755));
    TRY(chdir(folder));
    TRY(mkdir("lib", 0755));
    TRY(mkdir("libexec", 0755));
    snprintf(from, sizeof from, "%s/lib/libmapengine.so", argv[3]);
    TRY(copied(from, "lib/libmapengine.so"));
    TRY(copied(from,
               "lib/libmapengine.so." TEXT(MAPE_ABI_VERSION))); /* The zygote's, which it finds by its own path. */
    snprintf(from, sizeof from, "%s/libexec/mapengine-zygote", argv[3]);
    TRY(copied(from, "libexec/mapengine-zygote"));
    TRY(copied(argv[4], "plugin.so"));

    char name[64] = "lib/libmapengine.so", plugin_name[64] = "./plugin.so";
    int fds[2] = {-1, -1};
    if (strcmp(how, "linked") == 0) {
        TRY(symlink("in/lib", "../link"));
        strcpy(name, "../link/libmapengine.so");
    } else if (strcmp(how, "descriptor") == 0) {
        fds[0] = open(name, O_RDONLY | O_CLOEXEC), fds[1] = open(plugin_name, O_RDONLY | O_CLOEXEC);
        snprintf(name, sizeof name, "/proc/self/fd/%d", fds[0]);
        snprintf(plugin_name, sizeof plugin_name, "/proc/self/fd/%d", fds[1]);
    }
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL), *plugin = dlopen(plugin_name, RTLD_NOW | RTLD_LOCAL);
    if (!library || !plugin) return failed(dlerror(), 0);
    if (fds[0] >= 0) close(fds[0]), close(fds[1]);
    found(library);
    void *square = dlsym(plugin, "moving_square");

    if (strcmp(how, "renamed") == 0) {
        TRY(rename("lib/libmapengine.so", "lib/libother.so"));
        TRY(rename("plugin.so", "other.so"));
    } else if (strcmp(how, "moved") == 0) {
        char out[PATH_MAX + 8];
        snprintf(out, sizeof out, "%s/out", root);
        TRY(rename(folder, out));
    } else if (strcmp(how, "replaced") == 0) {
        /* As a package manager does, with the same file. */
        TRY(copied("plugin.so", "plugin.so.new"));
        TRY(rename("plugin.so.new", "plugin.so"));
        TRY(unlink("lib/libmapengine.so"));
    } else if (strcmp(how, "gone") == 0) TRY(unlink("plugin.so"));
    TRY(chdir("/"));
    return used((uint32_t)atoi(argv[2]), square, strcmp(how, "gone") == 0);
}
