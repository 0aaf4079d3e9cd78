/* host_processes.c - the zygote as a process of the host's, and the engine's thread */
#include "system.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* Whether it has ended, waited for by looking again and again: where poll is denied. */
static int has_ended_within(const mapb_spawned *zygote, int timeout_ms) {
    for (int naps = 0; timeout_ms < 0 || naps <= timeout_ms; naps++) {
        siginfo_t info;
        memset(&info, 0, sizeof info);
        if (waitid((idtype_t)3, (id_t)zygote->watch, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
            return 1;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return 0;
}

int mapb_child_wait(mapb_spawned *zygote, int timeout_ms) {
    if (zygote->pid == 0) return 1;
    struct pollfd ended = {zygote->watch, POLLIN, 0};
    int got;
    do got = poll(&ended, 1, timeout_ms);
    while (got < 0 && errno == EINTR);
    if (got < 0) got = has_ended_within(zygote, timeout_ms);
    if (got <= 0) return 0;
    siginfo_t info;
    memset(&info, 0, sizeof info);
    /* P_PIDFD (Linux 5.4): never somebody else's child, even when the host has reaped ours with waitpid(-1). */
    int reaped;
    do reaped = waitid((idtype_t)3, (id_t)zygote->watch, &info, WEXITED);
    while (reaped != 0 && errno == EINTR);
    /* Denied: it is still a child that nobody has reaped, or none. */
    if (reaped != 0 && errno != ECHILD) waitpid(zygote->pid, NULL, WNOHANG);
    zygote->how = info.si_code == 0            ? MAPB_ENDED_UNKNOWN
                  : info.si_code == CLD_EXITED ? MAPB_ENDED_BY_EXIT
                                               : MAPB_ENDED_BY_SIGNAL;
    zygote->status = info.si_status;
    mapb_forget_file(zygote->watch);
    close(zygote->watch);
    zygote->watch = -1;
    zygote->pid = 0;
    return 1;
}

void mapb_child_kill(mapb_spawned *zygote) {
    if (zygote->pid) syscall(SYS_pidfd_send_signal, zygote->watch, SIGKILL, NULL, 0);
}

int mapb_child_has_ended(const mapb_spawned *child) {
    struct pollfd one = {child->watch, POLLIN, 0};
    return child->watch >= 0 && poll(&one, 1, 0) == 1;
}

void mapb_kill_rest(int group) {
    if (group > 1) kill(-group, SIGKILL);
}

/* ---- the zygote's program ---- */

int mapb_is_zygote_program(void) {
    const char *named = getenv("MAPENGINE_ZYGOTE");
    int type = 0;
    socklen_t length = sizeof type;
    if (!named || strcmp(named, "3") != 0) return 0;
    const int asked = getsockopt(3, SOL_SOCKET, SO_TYPE, &type, &length);
    if (asked == 0 ? type != SOCK_SEQPACKET : errno != EPERM && errno != ENOSYS) return 0;
    unsetenv("MAPENGINE_ZYGOTE");
    fcntl(3, F_SETFD, FD_CLOEXEC);
    return 1;
}

/* ---- the thread ---- */

/* The stack is mapped here, since the C library's would be resident as a whole where memory is locked. In a FORK start it is the one
 * that the user's functions run on. A page at its low end stays without rights: who runs out of it meets that. */
enum { STACK = 8 << 20, STACK_GUARD = 64 << 10 };

struct thread {
    pthread_t id;
    void *(*run)(void *);
    void *context;
    char *stack;
};

static void *thread_begins(void *argument) {
    struct thread *thread = argument;
    mapb_leave_real_time();
    return thread->run(thread->context);
}

static void thread_freed(struct thread *thread) {
    if (thread->stack) munmap(thread->stack, STACK_GUARD + STACK);
    free(thread);
}

int mapb_start_thread(void *(*run)(void *), void *context, uint64_t *out_thread) {
    pthread_attr_t attributes;
    sigset_t all, before;
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread) return ENOMEM;
    thread->run = run;
    thread->context = context;
    thread->stack = mapb_map_unlocked(STACK_GUARD + STACK, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1);
    int why = thread->stack && mprotect(thread->stack + STACK_GUARD, STACK, PROT_READ | PROT_WRITE) == 0 ? 0 : errno;
    if (!why) why = pthread_attr_init(&attributes);
    if (why) {
        thread_freed(thread);
        return why;
    }
    pthread_attr_setstack(&attributes, thread->stack + STACK_GUARD, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    why = pthread_create(&thread->id, &attributes, thread_begins, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (why) {
        thread_freed(thread);
        return why;
    }
    pthread_setname_np(thread->id, "mapengine");
    *out_thread = (uint64_t)(uintptr_t)thread;
    return 0;
}

void mapb_join_thread(uint64_t which) {
    struct thread *thread = (struct thread *)(uintptr_t)which;
    pthread_join(thread->id, NULL);
    thread_freed(thread);
}
