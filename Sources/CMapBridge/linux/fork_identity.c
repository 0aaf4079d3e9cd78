/* fork_identity.c - that a worker is one process: its task, its children, and the bells it wakes the host with
 *
 * Runs between fork and the user's function: see mapb_base.h for what may be called here.
 *
 * A process that a function makes must neither mark, nor publish, nor write results. There are two kinds:
 *
 *   with memory of its own (fork)      has no output memory (MADV_DONTFORK), and a word that was 1 is 0 (MADV_WIPEONFORK); the word
 *                                      is looked at wherever such a process could come back from the function
 *   in the worker's memory (vfork)     looks like the worker in all but its process id, which costs a system call: once per range
 *                                      that took long enough for a process to have been made
 */
#include "CMapBridge.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mape_task the_task;

mape_task *mapb_worker_task(uint8_t *output, uint64_t size) {
    uint32_t *word = mapb_private_memory(sizeof *word);
    if (!word || madvise(word, sizeof *word, MADV_WIPEONFORK) != 0) return NULL;
    if (madvise(output, size, MADV_DONTFORK) != 0) return NULL;
    *word = 1;
    /* The zygote of a worker's pool may be a copy of that worker. */
    memset(&the_task, 0, sizeof the_task);
    the_task.alone = word;
    the_task.pid = getpid();
    return &the_task;
}

int mapb_is_worker_itself(void) { return the_task.alone && *the_task.alone != 0 && the_task.pid == getpid(); }

void mapb_stray_exit(void) { _exit(MAPB_EXIT_STRAY); }

void mapb_end_worker(int pid) {
    if (pid > 1) kill(pid, SIGKILL);
    _exit(MAPB_EXIT_STRAY);
}

/* ---- bells ---- */

/* Beyond what loops over all descriptors usually reach (1024), where the limit allows it, and beyond what functions open; not so
 * high that the kernel's table of them, which is copied by each fork, becomes large. */
#define FAR   2048
#define PLACE 8

int mapb_far_away(int fd) {
    struct rlimit limit;
    if (fd < 0 || prlimit(0, RLIMIT_NOFILE, NULL, &limit) != 0) return fd;
    int from = (int)(limit.rlim_cur < FAR ? limit.rlim_cur : FAR) - PLACE;
    int other = from > fd ? fcntl(fd, F_DUPFD_CLOEXEC, from) : -1;
    if (other < 0) return fd;
    close(fd);
    return other;
}

int mapb_file_of(int fd, mapb_inode *out) {
    struct stat file;
    if (fstat(fd, &file) != 0) return 0;
    *out = (mapb_inode){file.st_dev, file.st_ino};
    return 1;
}

int mapb_bell_own(int fd, mapb_inode *out) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (own >= 0) close(fd);
    own = mapb_far_away(own >= 0 ? own : fd);
    *out = (mapb_inode){0, 0};
    mapb_file_of(own, out);
    return own;
}

int mapb_bell_is_there(int fd, const mapb_inode *bell) {
    mapb_inode file;
    return mapb_file_of(fd, &file) && file.device == bell->device && file.number == bell->number;
}

int mapb_bell_ring_own(int fd, const mapb_inode *bell) {
    if (!mapb_bell_is_there(fd, bell)) return 0;
    mapb_bell_ring(fd);
    return 1;
}
