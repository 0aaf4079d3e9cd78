/* fault_surroundings.c - see fault_surroundings.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "fault_surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/** A library that greets whoever loads it: in the zygote, or in a worker. */
__attribute__((constructor)) static void greet(void) {
    if (getenv("FAULT_GREETS") != NULL && write(STDERR_FILENO, "loaded\n", 7) != 7) _exit(79);
}

static int printed(void) {
    if (printf("line\n") < 0 || fflush(stdout) != 0) return -1;
    return write(STDERR_FILENO, "line\n", 5) == 5 ? 0 : -1;
}

static int by_child(void) {
    int status = system("echo line; echo line >&2");
    errno = ECHILD;
    return status == 0 ? 0 : -1;
}

static int cannot_be_read(void) {
    char byte;
    int file = open("/dev/tty", O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t got = read(file, &byte, 1);
    int why = errno;
    close(file);
    errno = got >= 0 ? ENOTSUP : why;
    return got < 0 && why == EIO ? 0 : -1;
}

static int attributes_again(void) {
    struct termios attributes;
    return tcgetattr(STDOUT_FILENO, &attributes) != 0 ? -1 : tcsetattr(STDOUT_FILENO, TCSADRAIN, &attributes);
}

int run_on_terminal(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    int32_t *output = mape_task_output(task, sizeof *output);
    int got = -1;
    errno = 0;
    switch (*(const uint64_t *)input) {
    case TERMINAL_PRINT: got = printed(); break;
    case TERMINAL_CHILD: got = by_child(); break;
    case TERMINAL_READ: got = cannot_be_read(); break;
    case TERMINAL_ATTRIBUTES: got = attributes_again(); break;
    case TERMINAL_SLOW: got = nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); break;
    case TERMINAL_DONE:
        printed();
        got = 0;
        break;
    }
    *output = got >= 0 ? 0 : errno != 0 ? errno : EDOM;
    return 0;
}

int run_class(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)input, (void)size;
    struct class_of *found = mape_task_output(task, sizeof *found);
    cpu_set_t all;
    memset(found, 0, sizeof *found);
    found->policy = sched_getscheduler(0);
    found->nice_value = getpriority(PRIO_PROCESS, 0);
    found->io_priority = (int32_t)syscall(SYS_ioprio_get, 1, 0);
    found->processors = sched_getaffinity(0, sizeof all, &all) == 0 ? CPU_COUNT(&all) : -1;
    found->timer_slack = prctl(PR_GET_TIMERSLACK);
    return 0;
}

int run_bytes(mape_task *task, void *state, const void *input, size_t size) {
    (void)state, (void)size;
    size_t count = *(const size_t *)input;
    void *output = mape_task_output(task, count);
    if (output == NULL) return 1;
    memset(output, 7, count);
    return 0;
}
