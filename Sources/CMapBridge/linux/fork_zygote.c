/* fork_zygote.c - a zygote as a snapshot of the host (MAPE_START_FORK)
 *
 * The child's side runs after a fork of a process with many threads: see mapb_base.h for what may be called here.
 */
#include "system.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int mapb_child_watch(mapb_spawned *out, const char **call) {
    int why = 0;
    *call = "pidfd_open";
    const int watch = above_standard((int)syscall(SYS_pidfd_open, out->pid, 0)); /* Close-on-exec by itself. */
    out->watch = watch < 0 ? -1 : mapb_keep_file(watch);
    if (watch < 0) return -watch;
    /* What it is to be killed by one day: flags that there are none of are invalid, or the call is denied. */
    *call = "pidfd_send_signal";
    if (syscall(SYS_pidfd_send_signal, out->watch, 0, NULL, -1) != 0 && (errno == EPERM || errno == ENOSYS)) {
        why = errno;
        mapb_forget_file(out->watch);
        close(out->watch);
        out->watch = -1;
    }
    return why;
}

static int is_among(const int *all, int count, int one) {
    for (int i = 0; i < count; i++)
        if (all[i] == one) return 1;
    return 0;
}

int mapb_close_others(const int *keep, int count, int marked_only) {
    struct entry {
        uint64_t inode, offset;
        uint16_t size;
        uint8_t type;
        char name[];
    };
    _Alignas(uint64_t) char bytes[4096];
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return errno;
    long got;
    /* Closing while reading the folder is safe: the position counts descriptors, and only smaller ones go. */
    while ((got = syscall(SYS_getdents64, folder, bytes, sizeof bytes)) > 0) {
        for (long at = 0; at < got;) {
            struct entry *e = (struct entry *)(bytes + at);
            at += e->size;
            if (e->name[0] < '0' || e->name[0] > '9') continue;
            int fd = 0;
            for (const char *c = e->name; *c >= '0' && *c <= '9'; c++) fd = fd * 10 + (*c - '0');
            if (fd <= 2 || fd == folder || is_among(keep, count, fd)) continue;
            if (!marked_only || (fcntl(fd, F_GETFD) & FD_CLOEXEC)) close(fd);
        }
    }
    const int why = got < 0 ? errno : 0;
    close(folder);
    return why;
}

int mapb_fork_zygote(int control, char *const *env, mapb_spawned *out, const char **call) {
    int parent = getpid();
    *call = "fork";
    mapb_next_becomes_zygote(1);
    pid_t pid = fork();
    if (pid != 0) mapb_next_becomes_zygote(0);
    if (pid < 0) return errno;
    if (pid == 0) {
        mapb_become_worker();
        mapb_zygote_afresh();
        /* What the host has not written yet is the host's to write. */
        mapb_purge_streams();
        if (mapb_close_others(&control, 1, 1) != 0) _exit(MAPB_EXIT_DENIED); /* What exec would have done. */
        if (env) environ = (char **)env;
        mapb_zygote_run(control, parent);
    }
    out->pid = pid;
    int why = mapb_child_watch(out, call);
    if (why) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        out->pid = 0;
    }
    return why;
}
