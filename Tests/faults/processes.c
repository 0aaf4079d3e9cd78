/* processes.c - hosts of their own for rows in which a host dies, and looks at processes through /proc.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

pid_t helper_started(FILE **out, const char *name, const char *first, const char *second, const char *third) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail_msg("no pipe");
    char option[64];
    snprintf(option, sizeof option, "--in-%s", name);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "faults", option, first, second, third, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *out = fdopen(ends[0], "r");
    return pid;
}

int helper_ended(pid_t pid) {
    int status = 0;
    for (int64_t begun = now_ns(); waitpid(pid, &status, WNOHANG) == 0; short_nap()) {
        if (now_ns() - begun < PATIENCE) continue;
        print_where(pid, "a helper process that does not end", stderr);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        fail_msg("the process does not end");
    }
    return status;
}

const char *proc_text(pid_t pid, const char *name) {
    static char text[16384];
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0) close(fd);
    text[length > 0 ? length : 0] = '\0';
    char *end = text + strlen(text);
    while (end > text && end[-1] == '\n') *--end = '\0';
    return text;
}

long proc_status(pid_t pid, const char *name) {
    const char *line = strstr(proc_text(pid, "status"), name);
    return line != NULL ? strtol(line + strlen(name) + 1, NULL, 10) : -1;
}

int descendants_of(pid_t root, pid_t *out, int limit) {
    static struct { pid_t pid, parent; } all[65536];
    int count = 0, found = 0;
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0]) || count == (int)COUNT(all)) continue;
        pid_t pid = atoi(entry->d_name);
        const char *after = strrchr(proc_text(pid, "stat"), ')');
        char state = 0;
        int parent = 0;
        if (after == NULL || sscanf(after + 1, " %c %d", &state, &parent) != 2) continue;
        all[count].pid = pid;
        all[count++].parent = parent;
    }
    if (folder != NULL) closedir(folder);
    for (int from = -1; from < found; from++) {
        pid_t of = from < 0 ? root : out[from];
        for (int i = 0; i < count; i++)
            if (all[i].parent == of && found < limit) out[found++] = all[i].pid;
    }
    return found;
}
