/* support_replay.c - a folder for crash files, and the programs that run them again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support_replay.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

/* ---- the folder ---- */

char folder[64];

const char *folder_made(void) {
    snprintf(folder, sizeof folder, "/tmp/mapengine-abi-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

void folder_removed(void) {
    DIR *open = opendir(folder);
    for (struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;)
        unlinkat(dirfd(open), entry->d_name, 0);
    if (open != NULL) closedir(open);
    assert_int_equal(rmdir(folder), 0);
}

int files_do(void (*each)(const char *path, void *context), void *context) {
    int count = 0;
    DIR *open = opendir(folder);
    if (open == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strstr(entry->d_name, ".crash") == NULL) continue;
        count++;
        if (each != NULL) each(path, context);
    }
    closedir(open);
    return count;
}

static void keep_path(const char *path, void *context) { snprintf(context, 400, "%s", path); }

const char *only_file(void) {
    static char path[400];
    assert_int_equal(files_do(keep_path, path), 1);
    return path;
}

/* ---- replays ---- */

struct replay ran(const char *program, const char *const *arguments) {
    struct replay replay = {0};
    extern char **environ;
    int ends[2];
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, (char *const *)arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], replay.text + length, sizeof replay.text - 1 - length)) > 0;)
        length += (size_t)got;
    close(ends[0]);
    waitpid(pid, &replay.status, 0);
    return replay;
}

struct replay replayed(const char *path, const char *output) {
    const char *const arguments[] = {
        "mapengine-zygote", "--replay", path, output != NULL ? "--output" : NULL, output, NULL};
    return ran(ZYGOTE, arguments);
}

void exited(const struct replay *replay, int code, const char *word) {
    if (!WIFEXITED(replay->status) || WEXITSTATUS(replay->status) != code || strstr(replay->text, word) == NULL)
        fail_msg("the replay ended with status 0x%x, not with exit code %d and \"%s\":\n%s", replay->status, code, word,
                 replay->text);
}

void ended_by(const struct replay *replay, int number) {
    if (!WIFSIGNALED(replay->status) || WTERMSIG(replay->status) != number)
        fail_msg("the replay ended with status 0x%x, not by signal %d:\n%s", replay->status, number, replay->text);
}
