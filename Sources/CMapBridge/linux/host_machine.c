/* host_machine.c - this process and this machine: files, limits, the environment, signals in words */
#include "system.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

/* ---- files ---- */

int mapb_open_folder(const char *path) {
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

int mapb_create_file(int folder, const char *name) {
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : -errno;
}

void mapb_remove_file(int folder, const char *name) { unlinkat(folder, name, 0); }

int mapb_folder_of(int pid, char *path, uint64_t size) {
    char link[40];
    snprintf(link, sizeof link, "/proc/%d/cwd", pid);
    ssize_t length = readlink(link, path, size - 1);
    path[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* ---- this process and this machine ---- */

int mapb_cores(void) {
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) == 0) return CPU_COUNT(&all);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

uint64_t mapb_limit(int which) {
    struct rlimit limit;
    if (getrlimit(which == 0 ? RLIMIT_AS : RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur;
}

void mapb_limit_memory(uint64_t size) { setrlimit(RLIMIT_DATA, &(struct rlimit){size, size}); }

uint64_t mapb_memory(void) {
    struct sysinfo info;
    if (sysinfo(&info) != 0) return UINT64_MAX;
    return ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

char **mapb_environment(void) { return environ; }

void mapb_set_variable(const char *name, const char *value) {
    if (value) setenv(name, value, 1);
    else unsetenv(name);
}

int mapb_sandbox_note(char *text, uint64_t size) {
    const int version = mapb_landlock_version();
    if (version >= 6) return 0;
    if (version == 0)
        snprintf(text, size, "this kernel has no Landlock: workers are held by a filter of system calls alone");
    else
        snprintf(text, size,
                 "this kernel has Landlock of version %d, which holds %s alone; the rest is held by a filter of system "
                 "calls",
                 version, version < 4 ? "files" : "files and TCP");
    return 1;
}

/* ---- signals in words ---- */

const char *mapb_signal_refused(int number) {
    switch (number) {
    case SIGKILL:
    case SIGSTOP: return "which no function can handle";
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGSYS:
    case SIGTRAP:
    case SIGALRM: return "which the library uses itself, to report crashes";
    case MAPB_SIGNAL_INTERRUPT: return "which the library uses itself, to find the item";
    case 32:
    case 33: return "which the C library uses itself";
    default: return NULL;
    }
}

/* The C library has this since 2.32 alone. */
const char *mapb_signal_name(int number) {
#define NAME(signal) [SIG##signal] = #signal
    static const char *const names[] = {
        NAME(HUP),  NAME(INT),    NAME(QUIT), NAME(ILL),   NAME(TRAP), NAME(ABRT), NAME(BUS),  NAME(FPE),
        NAME(KILL), NAME(USR1),   NAME(SEGV), NAME(USR2),  NAME(PIPE), NAME(ALRM), NAME(TERM), NAME(STKFLT),
        NAME(CHLD), NAME(CONT),   NAME(STOP), NAME(TSTP),  NAME(TTIN), NAME(TTOU), NAME(URG),  NAME(XCPU),
        NAME(XFSZ), NAME(VTALRM), NAME(PROF), NAME(WINCH), NAME(POLL), NAME(PWR),  NAME(SYS),
    };
#undef NAME
    return number > 0 && (size_t)number < sizeof names / sizeof names[0] ? names[number] : NULL;
}

int mapb_signal_has_address(int signal, int code) {
    return (signal == SIGSEGV || signal == SIGBUS) && code > 0 && code != SI_KERNEL;
}

/* sigaction(2) lists them. */
const char *mapb_signal_meaning(int signal, int code) {
    switch (signal) {
    case SIGSEGV:
        return code == SEGV_MAPERR   ? "no such mapping"
               : code == SEGV_ACCERR ? "the mapping forbids this access"
               : code == SI_KERNEL   ? "an address that the processor has not, or an instruction that is not allowed"
                                     : "";
    case SIGBUS:
        return code == BUS_ADRALN                               ? "misaligned"
               : code == BUS_ADRERR                             ? "beyond the end of the mapped file"
               : code == BUS_MCEERR_AR || code == BUS_MCEERR_AO ? "memory fault of the machine"
                                                                : "";
    case SIGFPE:
        return code == FPE_INTDIV   ? "integer division by zero"
               : code == FPE_INTOVF ? "integer overflow"
               : code == FPE_FLTDIV ? "division by zero"
                                    : "arithmetic exception";
    case SIGILL: return "illegal instruction";
    case SIGTRAP: return "breakpoint or trap";
    case SIGSYS: return code == 1 /* SYS_SECCOMP */ ? "system call forbidden by a filter" : "";
    default: return "";
    }
}
