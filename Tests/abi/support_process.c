/* support_process.c - looks at processes from outside, through /proc.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>

/** The numbers that a folder of /proc lists. */
static int numbers_in(const char *folder, int *out, int limit) {
    DIR *directory = opendir(folder);
    if (directory == NULL) return 0;
    int count = 0, own = dirfd(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        int number = atoi(entry->d_name);
        if (number == own && strstr(folder, "/fd") != NULL) continue;
        if (count < limit && out != NULL) out[count] = number;
        count++;
    }
    closedir(directory);
    return count;
}

int thread_ids(pid_t pid, pid_t *out, int limit) {
    char folder[64];
    snprintf(folder, sizeof folder, "/proc/%d/task", (int)pid);
    return numbers_in(folder, out, limit);
}

int child_ids(pid_t *out, int limit) {
    pid_t threads[512];
    int count = 0, total = thread_ids(getpid(), threads, (int)COUNT(threads));
    for (int i = 0; i < total && i < (int)COUNT(threads); i++) {
        char path[96];
        snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)threads[i]);
        FILE *file = fopen(path, "re");
        if (file == NULL) continue;
        for (int pid; fscanf(file, "%d", &pid) == 1; count++)
            if (count < limit && out != NULL) out[count] = pid;
        fclose(file);
    }
    return count;
}

static int memfd_mappings(void) {
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, "/memfd:") != NULL && strstr(line, "abi-test") == NULL;
    if (maps != NULL) fclose(maps);
    return count;
}

struct snapshot snapshot_taken(void) {
    return (struct snapshot){
        .descriptors = numbers_in("/proc/self/fd", NULL, 0),
        .children = child_ids(NULL, 0),
        .threads = thread_ids(getpid(), NULL, 0),
        .memfd_mappings = memfd_mappings(),
    };
}

void snapshot_comes_back(const struct snapshot *before) {
    /* A joined thread and a reaped child can stay in /proc for an instant; what is not gone after many is a leak. */
    struct snapshot now;
    for (int tries = 0; tries < 5000; tries++) {
        now = snapshot_taken();
        if (memcmp(&now, before, sizeof now) == 0) return;
        stage("left behind: descriptors %+d, children %+d, threads %+d, memfd mappings %+d",
              now.descriptors - before->descriptors, now.children - before->children, now.threads - before->threads,
              now.memfd_mappings - before->memfd_mappings);
        short_nap();
    }
    fail_msg("left behind: descriptors %+d, children %+d, threads %+d, memfd mappings %+d",
             now.descriptors - before->descriptors, now.children - before->children, now.threads - before->threads,
             now.memfd_mappings - before->memfd_mappings);
}

bool process_gone(pid_t pid) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return true;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *after_name = strrchr(text, ')');
    return after_name == NULL || after_name[2] == 'Z' || after_name[2] == 'X';
}

void kill_process(pid_t pid) {
    if (pid <= 1) fail_msg("no process has the id %d", (int)pid);
    kill(pid, SIGKILL);
}

pid_t pid_of_worker(mape_pool *pool, uint32_t index) {
    wait_until(worker_of(pool, index).pid > 0);
    return worker_of(pool, index).pid;
}

void wait_gone(const pid_t *pids, int count) {
    for (int i = 0; i < count; i++) {
        wait_until(process_gone(pids[i]));
    }
}
