/* watch.c - where it hung: stacks of the host's threads by gdb or eu-stack where one is installed, and of every process what the
 * kernel tells.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

/** Runs a debugger for its output, for at most 30 s. False: there is none of that name. */
static bool debugger_ran(FILE *out, char *const *command) {
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(out), STDOUT_FILENO);
        int null = open("/dev/null", O_WRONLY); /* Complaints about debug information. */
        if (null >= 0) dup2(null, STDERR_FILENO);
        execvp(command[0], command);
        _exit(127);
    }
    int status = 0;
    for (int64_t begun = now_ns(); waitpid(pid, &status, WNOHANG) == 0; short_nap())
        if (now_ns() - begun > MAPE_SECONDS(30)) kill(pid, SIGKILL);
    return WIFEXITED(status) && WEXITSTATUS(status) != 127;
}

static void print_process(pid_t pid, FILE *out) {
    pid_t threads[256];
    int count = thread_ids(pid, threads, (int)COUNT(threads));
    fprintf(out, "process %d (%s), %d threads\n", (int)pid, proc_text(pid, "comm"), count);
    for (int i = 0; i < count && i < (int)COUNT(threads); i++) {
        const char *after = strrchr(proc_text(threads[i], "stat"), ')');
        char state = after != NULL && after[1] == ' ' ? after[2] : '?';
        fprintf(out, "  thread %d: state %c", (int)threads[i], state);
        fprintf(out, ", waits in %s", proc_text(threads[i], "wchan"));
        fprintf(out, ", system call %s\n", proc_text(threads[i], "syscall"));
        const char *stack = proc_text(threads[i], "stack"); /* For root alone. */
        if (stack[0] != '\0') fprintf(out, "%s\n", stack);
    }
}

void print_where(pid_t root, const char *where, FILE *out) {
    char number[16];
    snprintf(number, sizeof number, "%d", (int)root);
    fprintf(out, "last stage: %s\n", where);
    char *gdb[] = {
        "gdb", "-nx", "-batch", "-iex", "set complaints 0", "-p", number, "-ex", "thread apply all backtrace 24", NULL};
    char *eu_stack[] = {"eu-stack", "-p", number, NULL};
    if (!debugger_ran(out, gdb) && !debugger_ran(out, eu_stack))
        fprintf(out, "(neither gdb nor eu-stack is installed: no stacks of the host)\n");
    print_process(root, out);
    static pid_t pids[1100];
    int count = descendants_of(root, pids, (int)COUNT(pids));
    for (int i = 0; i < count; i++) print_process(pids[i], out);
    fflush(out);
}
