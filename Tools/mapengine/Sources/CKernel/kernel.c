#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int kernel_has_memfd_seals(void) {
    int fd = memfd_create("mapengine-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return errno;
    int error = 0;
    if (ftruncate(fd, 4096) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0) error = errno;
    else if (ftruncate(fd, 0) == 0) error = EPERM; /* The seal does not hold. */
    close(fd);
    return error;
}

int kernel_has_pidfd(void) {
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (fd < 0) return errno;
    close(fd);
    return 0;
}

int kernel_has_membarrier(void) {
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (commands < 0) return errno;
    return commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED ? 0 : ENOSYS;
}

int kernel_has_futex(void) {
    uint32_t word = 0;
    return syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? errno : 0;
}

int kernel_has_seccomp(void) {
    uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? errno : 0;
}

int kernel_landlock_version(void) {
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? -errno : version;
}

uint64_t kernel_limit_of(enum kernel_limit limit) {
    static const int resources[] = {RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_AS, RLIMIT_FSIZE, RLIMIT_MEMLOCK};
    struct rlimit limits;
    if (getrlimit(resources[limit], &limits) != 0 || limits.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    return limits.rlim_cur;
}

int kernel_cores_allowed(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

static volatile sig_atomic_t noted;

static void note(int signal_number) { noted = signal_number; }

void interrupts_catch(void) {
    static const int asks[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct sigaction before;
        /* Who starts a program with a signal ignored wants it to stay so: nohup, a shell's background jobs. */
        if (sigaction(asks[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(asks[i], &action, NULL);
    }
}

int interrupts_noted(void) { return noted; }
