/* slow_module.c - a shared library that takes its time to load, for tests of the pool's start: its constructor notes the process
 * on the shared page that SLOW_MODULE_PAGE names, and waits for the gate in every process but the first. With
 * SLOW_MODULE_DIES it ends the process instead. Without SLOW_MODULE_PAGE it does nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "workers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("SLOW_MODULE_PAGE");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared == MAP_FAILED) return;
    uint32_t slot = atomic_fetch_add(&shared->setups, 1);
    if (slot < SHARED_SLOTS) atomic_store(&shared->setup_pids[slot], getpid());
    if (getenv("SLOW_MODULE_DIES") != NULL) raise(SIGKILL);
    pid_t parent = getppid();
    while (slot > 0 && atomic_load(&shared->gate) == 0 && getppid() == parent)
        nanosleep(&(struct timespec){.tv_nsec = 500 * 1000}, NULL);
}
