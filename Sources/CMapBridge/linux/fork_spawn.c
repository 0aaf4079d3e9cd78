/* fork_spawn.c - a zygote as a program of its own (MAPE_START_EXEC)
 *
 * By vfork, as posix_spawn does it: the thread waits until the child has begun its program, and the host's memory is not copied.
 * posix_spawn itself can close the descriptors of others since glibc 2.34 alone, and before 2.29 leaves close-on-exec on one that is
 * where it should be. The child runs in the host's memory: see mapb_base.h for what may be called here.
 */
#include "system.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* All of them, also the two that the C library keeps for itself: no handler of the host's may run in the child. */
typedef struct every_signal {
    uint64_t bits;
} every_signal;

static void set_mask(const every_signal *mask, every_signal *before) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, before, sizeof *mask);
}

typedef struct birth {
    const char *path;
    char *const *argv, *const *env;
    int control, error;
    /** In memory that a real child shares as well: some tools make a fork of vfork. */
    volatile int *why;
} birth;

static int close_others(void) {
    static const int control = 3;
    if (syscall(SYS_close_range, 4, ~0U, 0) == 0) return 0; /* Linux 5.9 */
    close(4); /* The list of descriptors takes one, and there may be no other. */
    return mapb_close_others(&control, 1, 0);
}

/* dup2 onto itself would leave close-on-exec set. */
static int becomes(int fd, int number) {
    return fd == number ? fcntl(number, F_SETFD, 0) == 0 : dup2(fd, number) == number;
}

static int run_program(const birth *b) {
    const every_signal none = {0};
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    for (int s = 1; s < NSIG; s++) sigaction(s, &plain, NULL);
    if (setpgid(0, 0) != 0) return errno;
    if (!becomes(b->error, 2) || !becomes(b->control, 3)) return errno;
    const int why = close_others();
    if (why) return why;
    set_mask(&none, NULL);
    execve(b->path, b->argv, b->env);
    return errno;
}

/* A function of its own: what it changes on the stack is not the caller's. */
__attribute__((noinline)) static _Noreturn void child(const birth *b) {
    *b->why = run_program(b);
    _exit(127);
}

static int be_born(const birth *b, mapb_spawned *out, const char **call) {
    const every_signal all = {~(uint64_t)0};
    every_signal before;
    set_mask(&all, &before);
    const pid_t pid = vfork();
    if (pid == 0) child(b);
    int why = pid < 0 ? errno : *b->why;
    *call = pid < 0 ? "vfork" : "execve";
    if (pid > 0 && why) waitpid(pid, NULL, 0);
    set_mask(&before, NULL);
    out->pid = why ? 0 : pid;
    return why;
}

int mapb_spawn_zygote(const char *path, char *const *argv, char *const *env, int control, int error, mapb_spawned *out,
                      const char **call) {
    birth b = {path, argv, env, control, error, NULL};
    *call = "mmap";
    int *why = mmap(NULL, sizeof *why, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (why == MAP_FAILED) return errno;
    b.why = why;
    int failed = be_born(&b, out, call);
    munmap(why, sizeof *why);
    if (failed) return failed;
    failed = mapb_child_watch(out, call);
    if (failed) {
        kill(out->pid, SIGKILL);
        waitpid(out->pid, NULL, 0);
        out->pid = 0;
    }
    return failed;
}
