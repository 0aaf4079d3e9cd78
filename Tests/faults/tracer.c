/* tracer.c - deaths at exact instructions.
 *
 * A worker is stopped by ptrace(2) and run by single steps of the processor. So a row can kill it after its n-th instruction, for
 * every n: each instruction of taking a range, of publishing a result, and of waking the host is a moment at which it dies once. The
 * functions stop themselves (SIGTRAP) where such a stretch begins, so that only it is stepped.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/** Waits for a stop. False: it ended. */
static bool stopped_with(pid_t pid, int *signal_number) {
    int status = 0;
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) return false;
    *signal_number = WSTOPSIG(status);
    return true;
}

bool trace_begin(pid_t pid) {
    int number = 0;
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) return false;
    if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0) return false;
    return stopped_with(pid, &number);
}

/** Whether the stop is by the process's own raise(SIGTRAP), and not by a step. */
static bool is_raised(pid_t pid) {
    siginfo_t info;
    return ptrace(PTRACE_GETSIGINFO, pid, 0, &info) == 0 && info.si_code == SI_TKILL;
}

uint64_t trace_steps(pid_t pid, uint64_t limit, bool *stopped) {
    *stopped = false;
    for (uint64_t steps = 0; steps < limit; steps++) {
        int number = 0;
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) != 0 || !stopped_with(pid, &number)) return steps;
        if (number == SIGTRAP && is_raised(pid)) {
            *stopped = true;
            return steps;
        }
    }
    return limit;
}

bool trace_run(pid_t pid) {
    int number = 0;
    while (ptrace(PTRACE_CONT, pid, 0, 0) == 0 && stopped_with(pid, &number))
        if (number == SIGTRAP && is_raised(pid)) return true;
    return false;
}

void trace_kill(pid_t pid) {
    int status = 0;
    kill(pid, SIGKILL);
    /* The tracer hears of the end first; only then does the zygote. */
    while (waitpid(pid, &status, __WALL) == pid && !WIFEXITED(status) && !WIFSIGNALED(status)) {}
}

void trace_end(pid_t pid) { ptrace(PTRACE_DETACH, pid, 0, 0); }
