/* pools.c - other processes and their shared memory: see pools.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * /proc/PID/fd can be read by who has the same user (PTRACE_MODE_READ in ptrace(2)), also where Yama keeps ptrace(2) itself from siblings.
 */
#include "pools.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int is_ours(int pid) {
    char path[40];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%d", pid);
    return stat(path, &info) == 0 && info.st_uid == geteuid();
}

/* Its descriptors of memory by that name, the lowest first, as the kernel lists them. */
static size_t find_in(int pid, const char *name, struct pools_place *out, size_t most) {
    char path[64], link[128];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *files = opendir(path);
    if (!files) return 0;
    const size_t length = strlen(name);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(files));) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        ssize_t size = readlinkat(dirfd(files), entry->d_name, link, sizeof link - 1);
        if (size < (ssize_t)length || memcmp(link, name, length) != 0) continue;
        /* " (deleted)" follows, as memory has no name in the file system. */
        if ((size_t)size > length && link[length] != ' ') continue;
        if (count < most) out[count] = (struct pools_place){pid, atoi(entry->d_name)};
        count++;
    }
    closedir(files);
    return count;
}

size_t pools_find(const char *name, struct pools_place *out, size_t most) {
    DIR *processes = opendir("/proc");
    if (!processes) return 0;
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(processes));) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        int pid = atoi(entry->d_name);
        if (!is_ours(pid)) continue;
        count += find_in(pid, name, count < most ? out + count : NULL, count < most ? most - count : 0);
    }
    closedir(processes);
    return count;
}

int pools_find_in(int pid, const char *name) {
    struct pools_place place = {pid, -1};
    find_in(pid, name, &place, 1);
    return place.fd;
}

int pools_look(int fd, struct pools_file *out) {
    struct stat info;
    if (fstat(fd, &info) != 0) return errno;
    if (!S_ISREG(info.st_mode) || info.st_size < 0) return ESTALE;
    out->device = info.st_dev;
    out->inode = info.st_ino;
    out->size = (uint64_t)info.st_size;
    out->used = (uint64_t)info.st_blocks * 512;
    return 0;
}

int pools_open(int pid, int fd, struct pools_file *out) {
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    /* Not blocking: by now it may be a pipe that nobody writes to. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) return -errno;
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    int found = fcntl(file, F_GET_SEALS);
    if (found >= 0 && (found & seals) == seals && fstat(file, &info) == 0 && info.st_uid == geteuid() &&
        pools_look(file, out) == 0)
        return file;
    close(file);
    return -ESTALE;
}

int pools_read(int fd, void *to, size_t size, uint64_t offset) {
    if (offset > INT64_MAX - size) return EINVAL;
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? errno : ENODATA;
        done += (size_t)got;
    }
    return 0;
}

size_t pools_text(int pid, const char *file, char *to, size_t most) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    size_t done = 0;
    for (ssize_t got; done < most && (got = read(fd, to + done, most - done)) > 0;) done += (size_t)got;
    close(fd);
    return done;
}

int pools_process_of(int pid, struct pools_process *out) {
    char text[1024];
    unsigned long user = 0, system = 0;
    long long started = 0;
    long resident = 0;
    if (pid <= 0 || !is_ours(pid)) return ESRCH;
    size_t size = pools_text(pid, "stat", text, sizeof text - 1);
    text[size] = 0;
    /* The name may hold anything: what follows its last bracket is numbers. */
    const char *rest = strrchr(text, ')');
    if (!rest ||
        sscanf(rest + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %lld %*u %ld",
               &out->state, &out->parent, &user, &system, &started, &resident) != 6)
        return ESRCH;
    out->ticks = (uint64_t)user + system;
    out->started = (uint64_t)started;
    out->resident = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

int pools_inner_pid(int pid) {
    char text[4096];
    size_t size = pools_text(pid, "status", text, sizeof text - 1);
    text[size] = 0;
    char *line = strstr(text, "\nNSpid:");
    if (!line) return pid; /* A kernel without namespaces. */
    int last = 0;
    char *at = line + 7, *end;
    for (long number; (number = strtol(at, &end, 10)), end != at && *at != '\n'; at = end) {
        last = (int)number;
        if (*end == '\n') break;
    }
    return last;
}

int pools_same_namespace(int pid) {
    char path[64];
    struct stat own, other;
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    return stat("/proc/self/ns/pid", &own) == 0 && stat(path, &other) == 0 && own.st_ino == other.st_ino;
}

int pools_end(int pid, uint64_t started) {
    struct pools_process now;
    int watch = (int)syscall(SYS_pidfd_open, pid, 0);
    if (watch < 0) return errno;
    /* What is known of the process is of the one that the descriptor is of, if it is there afterwards. */
    int why = pools_process_of(pid, &now);
    if (why == 0 && now.started != started) why = ESRCH;
    if (why == 0 && syscall(SYS_pidfd_send_signal, watch, SIGKILL, NULL, 0) != 0) why = errno;
    close(watch);
    return why;
}

int64_t pools_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void pools_more_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}
