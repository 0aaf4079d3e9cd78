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
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../../Sources/CMapBridge/linux/mapb_calls.h" /* The engine's own list. */

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

/* What the child finds, and where it is: it may be ended in the middle. */
struct trial {
    volatile int at;
    volatile unsigned char denied[256];
};

int kernel_denied_calls(int wanted, char *text, size_t size, int *tried) {
    const unsigned uses = wanted ? MAPB_CALL_WANTED : MAPB_CALL_NEEDED;
    const int count = (int)(sizeof mapb_calls / sizeof mapb_calls[0]);
    int found = 0;
    text[0] = 0;
    *tried = 0;
    struct trial *trial = mmap(NULL, sizeof *trial, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (trial == MAP_FAILED || count > (int)sizeof trial->denied) return 0;
    while (trial->at < count) {
        pid_t child = fork();
        if (child <= 0) {
            for (; trial->at < count; trial->at++)
                trial->denied[trial->at] = (unsigned char)mapb_is_denied(&mapb_calls[trial->at]);
            if (child == 0) _exit(0);
            break;
        }
        waitpid(child, NULL, 0);
        if (trial->at < count) trial->denied[trial->at++] = 2;
    }
    for (int i = 0; i < count; i++) {
        if (!(mapb_calls[i].use & uses)) continue;
        ++*tried;
        if (!trial->denied[i]) continue;
        const size_t length = strlen(text);
        snprintf(text + length, size - length, "%s%s%s", found++ ? ", " : "", mapb_calls[i].name,
                 trial->denied[i] == 2 ? " (it ends the process)" : "");
    }
    munmap(trial, sizeof *trial);
    return found;
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
