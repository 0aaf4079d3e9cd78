// To be preloaded into a host that runs in valgrind, which before 3.22 knows no pidfd. Where the kernel (or valgrind in its place)
// answers "no such call", the pidfd is a descriptor that is always readable, and waiting for it is waiting for the process.
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <dlfcn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace {

// A host with one pool has one zygote.
int pretended_pidfd = -1;
pid_t pretended_process = 0;

} // namespace

extern "C" long syscall(long number, ...) noexcept {
    using Call = long (*)(long, ...);
    static const auto next = reinterpret_cast<Call>(dlsym(RTLD_NEXT, "syscall"));
    va_list list;
    va_start(list, number);
    long arguments[6];
    for (long &argument : arguments) argument = va_arg(list, long);
    va_end(list);
    if (number == SYS_pidfd_send_signal && arguments[0] == pretended_pidfd) {
        return kill(pretended_process, static_cast<int>(arguments[1]));
    }
    const long answer =
        next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
    if (number != SYS_pidfd_open || answer >= 0 || errno != ENOSYS) return answer;
    pretended_process = static_cast<pid_t>(arguments[0]);
    pretended_pidfd = eventfd(1, EFD_CLOEXEC);
    return pretended_pidfd;
}

extern "C" int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
    using Call = int (*)(idtype_t, id_t, siginfo_t *, int);
    static const auto next = reinterpret_cast<Call>(dlsym(RTLD_NEXT, "waitid"));
    if (type == static_cast<idtype_t>(3) && static_cast<int>(id) == pretended_pidfd) {
        return next(P_PID, static_cast<id_t>(pretended_process), info, options);
    }
    return next(type, id, info, options);
}
