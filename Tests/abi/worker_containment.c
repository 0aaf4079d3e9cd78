/* worker_containment.c - worker functions that try what a contained worker may and may not do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "workers.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static int seccomp_at_load = -1;

/** What happens in a library before anybody calls it. With ABI_TEST_LOAD=hang, for ever. */
__attribute__((constructor)) static void when_loaded(void) {
    seccomp_at_load = prctl(PR_GET_SECCOMP);
    const char *wish = getenv("ABI_TEST_LOAD");
    while (wish != NULL && strcmp(wish, "hang") == 0) pause();
}

static int number_in(const char *path) {
    char text[32] = "";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -9999;
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    return got > 0 ? atoi(text) : -9999;
}

/** The descriptors above 2 that are neither of this look nor the worker's own: writing ends of pipes, by which it rings the host, and the
 *  file of its output memory, which mape_task_report_fd leads to. */
static int foreign_descriptors(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char target[64] = "";
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd <= 2 || fd == dirfd(folder)) continue;
        if (readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1) > 0 && strstr(target, "pipe:") &&
            (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
            continue;
        if (strstr(target, "memfd:mapengine-output")) continue;
        count++;
    }
    if (folder != NULL) closedir(folder);
    return folder != NULL ? count : -1;
}

int run_look_at_limits(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    struct limits *limits = mape_task_output(task, sizeof *limits);
    struct rlimit core;
    getrlimit(RLIMIT_CORE, &core);
    limits->core_soft = core.rlim_cur;
    limits->core_hard = core.rlim_max;
    limits->oom_score_adj = number_in("/proc/self/oom_score_adj");
    limits->dumpable = prctl(PR_GET_DUMPABLE);
    limits->seccomp = prctl(PR_GET_SECCOMP);
    limits->seccomp_at_load = seccomp_at_load;
    limits->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    limits->foreign_descriptors = foreign_descriptors();
    return 0;
}

/* ---- growing ---- */

static void take_memory(uint64_t bytes) {
    if (bytes == 0) return;
    char *lost = malloc(bytes);
    if (lost != NULL) memset(lost, 1, bytes);
    __asm__ volatile("" : : "r"(lost) : "memory"); /* Not to be optimised away. */
}

/** Keeps as many bytes as the item says, and takes its time. Result: the worker's process id. */
int run_leak(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    take_memory(*(const uint64_t *)input);
    nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    *(int32_t *)mape_task_output(task, sizeof(int32_t)) = getpid();
    return 0;
}

int setup_takes_memory(mape_task *task, const void *data, size_t size, void **out_state) {
    (void)task, (void)size, (void)out_state;
    take_memory(*(const uint64_t *)data);
    return 0;
}

/* ---- leaving the worker's process group ---- */

static void be_stray(struct shared *shared, pid_t worker, int generations) {
    do {
        setsid();
        uint32_t slot = atomic_fetch_add(&shared->spawned, 1);
        if (slot < SHARED_SLOTS) atomic_store(&shared->astray[slot], worker);
        if (slot < SHARED_SLOTS) atomic_store(&shared->grandchildren[slot], getpid());
    } while (--generations > 0 && fork() == 0);
    for (;;) pause();
}

/** Leaves a daemon behind: in a session of its own, its parent gone; with two more below it, each in a session of its own. */
int run_strays_then(mape_task *task, void *state, const void *input, size_t size) {
    struct shared *shared = state;
    uint32_t before = atomic_load(&shared->spawned);
    pid_t worker = getpid(), child = fork();
    if (child == 0) {
        if (fork() == 0) be_stray(shared, worker, 3);
        _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child) return 1;
    while (atomic_load(&shared->spawned) < before + 3) usleep(500);
    return run_fault(task, state, input, size);
}

/* ---- attempts ---- */

static void *thread_adds(void *number) {
    *(int *)number += 1;
    return NULL;
}

static int with_thread(void) {
    pthread_t thread;
    int number = 1, why = pthread_create(&thread, NULL, thread_adds, &number);
    if (why == 0) pthread_join(thread, NULL);
    errno = why != 0 ? why : ERANGE;
    return number == 2 ? 0 : -1;
}

static int with_executable_memory(void) {
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? -1 : mprotect(at, 4096, PROT_READ | PROT_EXEC);
}

static int with_memory_file(void) {
    int file = memfd_create("scratch", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, 4096) != 0) return -1;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return at == MAP_FAILED ? -1 : 0;
}

static int with_stream_pair(void) {
    int ends[2];
    char got = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
    if (send(ends[0], "x", 1, MSG_NOSIGNAL) != 1 || read(ends[1], &got, 1) != 1) return -1;
    close(ends[0]), close(ends[1]);
    return got == 'x' ? 0 : -1;
}

static int with_child(pid_t child) {
    if (child == 0) _exit(0);
    return child > 0 && waitpid(child, NULL, 0) == child ? 0 : -1;
}

static int with_spawn(void) {
    pid_t child = 0;
    char *arguments[] = {"true", NULL}, *environment[] = {NULL};
    int why = posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment);
    errno = why;
    return why == 0 ? with_child(child) : -1;
}

static int with_library(void) {
    /* Of the C library, and loaded by nobody. */
    void *library = dlopen("libBrokenLocale.so.1", RTLD_NOW);
    errno = ELIBACC;
    return library != NULL ? 0 : -1;
}

static int opened(int file) {
    if (file >= 0) close(file);
    return file < 0 ? -1 : 0;
}

static int on_read_only(const char *path, int (*call)(int)) {
    int file = open(path, O_RDONLY | O_CLOEXEC), got = file < 0 ? -1 : call(file), why = errno;
    if (file >= 0) close(file);
    errno = why;
    return got;
}
static int mode_of(int file) { return fchmod(file, 0600); }
static int times_of(int file) { return futimens(file, NULL); }
static int owner_of(int file) { return fchown(file, getuid(), getgid()); }
static int flags_of(int file) { return ioctl(file, 0x40086602 /* FS_IOC_SETFLAGS */, NULL); }
static int signals_of(int file) { return fcntl(file, F_SETOWN, getpid()); }

static int with_kind(int kind, pid_t host) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)host, kind == 0 ? "mem" : "environ");
    return opened(open(path, O_RDONLY | O_CLOEXEC));
}

/** One attempt. @return 0, or -1 with errno. Where it is not refused it does no harm: most have an argument that is wrong. */
static int attempt(const struct attempt *a) {
    char file[320], none[320];
    struct rlimit limit;
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    int ends[2];
    snprintf(file, sizeof file, "%s/file", a->folder);
    snprintf(none, sizeof none, "%s/none", a->folder);
    switch (a->what) {
    case TRY_OPEN_WRITE: return opened(open(file, O_WRONLY | O_CLOEXEC));
    case TRY_OPEN_READ_WRITE: return opened(open(file, O_RDWR | O_CLOEXEC));
    case TRY_OPEN_TRUNCATE: return opened(open(file, O_RDONLY | O_TRUNC));
    case TRY_OPEN_CREATE: return opened(open(none, O_RDONLY | O_CREAT, 0600)) | unlink(none);
    case TRY_OPEN_TEMPORARY: return opened(open(a->folder, O_TMPFILE | O_RDWR, 0600));
    case TRY_FOPEN_APPEND: {
        FILE *stream = fopen(file, "a");
        return stream != NULL ? fclose(stream) : -1;
    }
    case TRY_OPENAT2: return opened((int)syscall(437, AT_FDCWD, file, NULL, 0));
    case TRY_UNLINK: return unlink(none);
    case TRY_RENAME: return rename(none, file);
    case TRY_MKDIR: return mkdir("/proc/none/none", 0700);
    case TRY_RMDIR: return rmdir(none);
    case TRY_SYMLINK: return symlink("x", "/nowhere/none");
    case TRY_LINK: return link(none, file);
    case TRY_MKNOD: return mkfifo("/nowhere/none", 0600);
    case TRY_TRUNCATE: return truncate(none, 0);
    case TRY_CHMOD: return chmod(file, 0600);
    case TRY_FCHMOD: return on_read_only(file, mode_of);
    case TRY_CHOWN: return chown(file, getuid(), getgid());
    case TRY_FCHOWN: return on_read_only(file, owner_of);
    case TRY_TIMES: return on_read_only(file, times_of);
    case TRY_XATTR: return setxattr(none, "user.x", "x", 1, 0);
    case TRY_FILE_FLAGS: return on_read_only(file, flags_of);
    case TRY_OWNER_OF_SIGNALS: return on_read_only(file, signals_of);
    case TRY_TYPE_INTO_TERMINAL: return ioctl(0, TIOCSTI, "x");
    case TRY_SOCKET_INET: return opened(socket(AF_INET, SOCK_STREAM, 0));
    case TRY_SOCKET_UNIX: return opened(socket(AF_UNIX, SOCK_STREAM, 0));
    case TRY_SOCKET_NETLINK: return opened(socket(AF_NETLINK, SOCK_RAW, 0));
    case TRY_PAIR_DATAGRAM: return socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    case TRY_CONNECT: return connect(-1, (struct sockaddr *)&nowhere, sizeof nowhere);
    case TRY_BIND: return bind(-1, (struct sockaddr *)&nowhere, sizeof nowhere);
    case TRY_SEND_TO: return (int)sendto(-1, "x", 1, 0, (struct sockaddr *)&nowhere, sizeof nowhere);
    case TRY_SHARED_MEMORY: return shmget(IPC_PRIVATE, 0, 0600);
    case TRY_MESSAGE_QUEUE: return mq_open("/abi-test-none", O_RDONLY);
    case TRY_FORK: return with_child(fork());
    case TRY_SPAWN: return with_spawn();
    case TRY_EXEC: return execl(none, "none", (char *)NULL);
    case TRY_CLONE3: return (int)syscall(435, NULL, 0);
    case TRY_UNSHARE: return unshare(0);
    case TRY_SETNS: return setns(-1, 0);
    case TRY_KILL_HOST: return kill(a->host, 0);
    case TRY_KILL_GROUP: return kill(0, 0);
    case TRY_KILL_ALL: return kill(-a->host, 0);
    case TRY_TGKILL_HOST: return (int)syscall(SYS_tgkill, a->host, a->host, 0);
    case TRY_QUEUE_TO_HOST: return sigqueue(a->host, 0, (union sigval){0});
    case TRY_PIDFD: return opened((int)syscall(434, a->host, 0));
    case TRY_LIMIT_OF_HOST: return prlimit(a->host, RLIMIT_CORE, NULL, &limit);
    case TRY_PRIORITY_OF_HOST:
        return setpriority(PRIO_PROCESS, (id_t)a->host, getpriority(PRIO_PROCESS, (id_t)a->host));
    case TRY_READ_HOST: return (int)process_vm_readv(a->host, NULL, 0, NULL, 0, 0);
    case TRY_WRITE_HOST: return (int)process_vm_writev(a->host, NULL, 0, NULL, 0, 0);
    case TRY_TRACE_HOST: return (int)ptrace(PTRACE_SEIZE, a->host, (void *)1, NULL); /* An address is refused. */
    case TRY_NEW_GROUP: return setpgid(0, 0);
    case TRY_OUTLIVE: return prctl(PR_SET_PDEATHSIG, SIGKILL);
    case TRY_MEMORY_OF_HOST: return with_kind(0, a->host);
    case TRY_ENVIRONMENT_OF_HOST: return with_kind(1, a->host);
    case TRY_MOUNT: return mount(NULL, NULL, NULL, 0, NULL);
    case TRY_UNMOUNT: return umount2(none, 0);
    case TRY_CHROOT: return chroot(none);
    case TRY_SWAP: return swapoff(none);
    case TRY_REBOOT: return reboot(0x12345);
    case TRY_HOST_NAME: return (int)syscall(SYS_sethostname, NULL, -1);
    case TRY_CLOCK: return (int)syscall(SYS_clock_settime, CLOCK_REALTIME, NULL);
    case TRY_MODULE: return (int)syscall(SYS_delete_module, NULL, 0);
    case TRY_KERNEL_LOG: return (int)syscall(SYS_syslog, 10, NULL, 0);
    case TRY_BPF: return (int)syscall(SYS_bpf, -1, NULL, 0);
    case TRY_PERF: return (int)syscall(SYS_perf_event_open, NULL, 0, 0, -1, 0);
    case TRY_USERFAULT: return (int)syscall(SYS_userfaultfd, -1);
    case TRY_IO_URING: return (int)syscall(425, 1, NULL);
    case TRY_KEYS: return (int)syscall(SYS_keyctl, -1, 0, 0, 0, 0);
    case TRY_UNKNOWN_CALL: return (int)syscall(463, -1, NULL, 0, NULL, NULL, 0);
#if defined(__x86_64__)
    case TRY_OLD_FORK: return with_child((pid_t)syscall(SYS_fork));
    case TRY_X32: return (int)syscall(0x40000000 + SYS_getpid) >= 0 ? 0 : -1;
#endif
    case MAY_READ: return opened(open(file, O_RDONLY | O_CLOEXEC));
    case MAY_LIST: return opened(open(a->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    case MAY_STAT: return access(file, R_OK);
    case MAY_LOAD: return with_library();
    case MAY_THREAD: return with_thread();
    case MAY_EXECUTABLE_MEMORY: return with_executable_memory();
    case MAY_MEMORY_FILE: return with_memory_file();
    case MAY_STREAM_PAIR: return with_stream_pair();
    case MAY_PIPE: return pipe(ends) == 0 ? close(ends[0]) | close(ends[1]) : -1;
    case MAY_SIGNAL_ITSELF: return kill(getpid(), 0) | raise(SIGCHLD) | (int)pthread_kill(pthread_self(), 0);
    case MAY_LIMIT_ITSELF: return getrlimit(RLIMIT_CORE, &limit) | setrlimit(RLIMIT_CORE, &limit);
    case MAY_PIN_ITSELF: {
        cpu_set_t all;
        return sched_getaffinity(0, sizeof all, &all) | sched_setaffinity(0, sizeof all, &all);
    }
    case MAY_PRINT: return printf("%s\n", a->folder) > 0 ? fflush(stdout) : -1;
    case MAY_LOOK_AT_TERMINAL: return isatty(0) == 0 && errno == ENOTTY ? 0 : -1;
    case MAY_RANDOM: {
        char bytes[8];
        return getrandom(bytes, sizeof bytes, 0) == 8 ? 0 : -1;
    }
    case MAY_SLEEP: return nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
    }
    errno = ENOTSUP;
    return -1;
}

/** Result: 0, or the errno with which the attempt was refused. */
int run_attempt(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    errno = 0;
    int32_t got = attempt(input) >= 0 ? 0 : errno;
    *(int32_t *)mape_task_output(task, sizeof got) = got;
    return 0;
}
