/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static struct termios before;
static int has_begun;

int terminal_begin(void) {
    if (tcgetattr(STDIN_FILENO, &before) != 0) return errno;
    struct termios now = before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    now.c_cc[VSUSP] = _POSIX_VDISABLE;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &now) != 0) return errno;
    has_begun = 1;
    return 0;
}

void terminal_end(void) {
    if (has_begun) tcsetattr(STDIN_FILENO, TCSANOW, &before);
    has_begun = 0;
}

int terminal_size(int *columns, int *rows) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return errno;
    if (size.ws_col == 0 || size.ws_row == 0) return ENOTTY;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

int terminal_keys(char *to, size_t most, int milliseconds) {
    struct pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN};
    int ready = poll(&wait, 1, milliseconds);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return 0;
    if (ready < 0) return -1;
    ssize_t got = read(STDIN_FILENO, to, most);
    if (got < 0 && errno == EINTR) return 0;
    return got > 0 ? (int)got : -1;
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

long terminal_run(const char *const *words, char *to, size_t most, int seconds) {
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    int why = posix_spawnp(&pid, words[0], &actions, NULL, (char *const *)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (why != 0) {
        close(ends[0]);
        return -1;
    }
    const long long end = now_ms() + seconds * 1000LL;
    size_t done = 0;
    for (;;) {
        struct pollfd wait = {.fd = ends[0], .events = POLLIN};
        long long left = end - now_ms();
        if (left <= 0) break;
        int ready = poll(&wait, 1, (int)left);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) break;
        char rest[512];
        ssize_t got = done < most ? read(ends[0], to + done, most - done) : read(ends[0], rest, sizeof rest);
        if (got <= 0) break;
        if (done < most) done += (size_t)got;
    }
    close(ends[0]);
    /* A debugger that is killed leaves what it has stopped running again. */
    if (waitpid(pid, NULL, WNOHANG) == 0) kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    return (long)done;
}
