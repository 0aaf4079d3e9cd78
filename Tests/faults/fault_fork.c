/* fault_fork.c - a fork(2) that fails when a plan says so, in place of the C library's.
 *
 * Linked into the test program and into fault_zygote: a program's own symbol comes before that of the C library, so the engine's
 * call in the zygote meets this one. The plan lies in a memfd that processes find through FAULT_FORKS, /proc/PID/fd/N.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

const char *forks_fail(uint32_t first, uint32_t last);
uint32_t forks_tried(void);
void forks_end(void);
void forked_ones_exit(uint32_t code);

static struct fork_plan {
    _Atomic int32_t host; /**< Whose forks always go well. */
    _Atomic uint32_t tried, first, last;
    _Atomic uint32_t code; /**< Not 0: these forks go well, and the child exits with it at once. */
} * plan;
static pid_t (*real_fork)(void);
static int plan_fd = -1;

__attribute__((constructor)) static void prepare(void) {
    real_fork = (pid_t(*)(void))dlsym(RTLD_NEXT, "fork");
    const char *path = getenv("FAULT_FORKS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (plan == MAP_FAILED) plan = NULL;
    close(fd);
}

pid_t fork(void) {
    if (plan != NULL && atomic_load(&plan->host) != getpid()) {
        uint32_t number = atomic_fetch_add(&plan->tried, 1) + 1;
        if (number >= atomic_load(&plan->first) && number <= atomic_load(&plan->last)) {
            const uint32_t code = atomic_load(&plan->code);
            pid_t child = code != 0 ? real_fork() : -1;
            if (child == 0) _exit((int)code);
            if (code == 0) errno = EAGAIN;
            return child;
        }
    }
    return real_fork();
}

const char *forks_fail(uint32_t first, uint32_t last) {
    static char setting[96];
    if (plan == NULL) {
        plan_fd = memfd_create("abi-test-forks", MFD_CLOEXEC);
        if (plan_fd < 0 || ftruncate(plan_fd, sizeof *plan) != 0) abort();
        plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, plan_fd, 0);
        if (plan == MAP_FAILED) abort();
        atomic_store(&plan->host, getpid());
    }
    atomic_store(&plan->tried, 0);
    atomic_store(&plan->first, first);
    atomic_store(&plan->last, last);
    snprintf(setting, sizeof setting, "FAULT_FORKS=/proc/%d/fd/%d", (int)getpid(), plan_fd);
    return setting;
}

void forked_ones_exit(uint32_t code) { atomic_store(&plan->code, code); }

uint32_t forks_tried(void) { return plan != NULL ? atomic_load(&plan->tried) : 0; }

void forks_end(void) {
    if (plan == NULL) return;
    munmap(plan, sizeof *plan);
    close(plan_fd);
    plan = NULL;
}
