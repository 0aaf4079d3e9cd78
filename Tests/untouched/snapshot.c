/* snapshot.c - reads everything that a library could have changed about the process: see snapshot.h.
 *
 * Sources: sigaction(2), sigaltstack(2), getrlimit(2), prctl(2), fenv(3), proc(5): status, task, fd, fdinfo, maps, timers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "snapshot.h"

#include <ctype.h>
#include <dirent.h>
#include <fenv.h>
#include <fnmatch.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

extern char **environ;

__attribute__((format(printf, 2, 3))) static void add(struct snapshot *self, const char *format, ...) {
    if (self->count == self->room) {
        self->room = self->room == 0 ? 512 : self->room * 2;
        self->lines = realloc(self->lines, self->room * sizeof *self->lines);
        if (self->lines == NULL) abort();
    }
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&self->lines[self->count++], format, arguments) < 0) abort();
    va_end(arguments);
}

/* ---- signals ---- */

static void add_mask(char *out, const sigset_t *set) {
    uint64_t bits = 0;
    for (int number = 1; number <= 64; number++)
        if (sigismember(set, number) == 1) bits |= 1ull << (number - 1);
    sprintf(out, "%016llx", (unsigned long long)bits);
}

static void signals(struct snapshot *self) {
    char mask[20];
    for (int number = 1; number <= 64; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0) continue; /* glibc's own two. */
        add_mask(mask, &action.sa_mask);
        add(self, "signal.%d=%p flags %x mask %s", number, (void *)(uintptr_t)action.sa_handler,
            (unsigned)action.sa_flags, mask);
    }
    stack_t stack;
    sigaltstack(NULL, &stack);
    add(self, "altstack=%p %zu %d", stack.ss_sp, stack.ss_size, stack.ss_flags);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    add_mask(mask, &blocked);
    add(self, "mask=%s", mask);
}

/* ---- what the process is set to ---- */

static void settings(struct snapshot *self) {
    add(self, "environ=%p", (void *)environ);
    for (int i = 0; environ[i] != NULL; i++) add(self, "environ.%d=%p %s", i, (void *)environ[i], environ[i]);
    char *cwd = getcwd(NULL, 0);
    add(self, "cwd=%s", cwd != NULL ? cwd : "");
    free(cwd);
    add(self, "locale=%s", setlocale(LC_ALL, NULL));
    add(self, "locale.thread=%p", (void *)uselocale(NULL));
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)i, &limit) != 0) continue;
        add(self, "rlimit.%d=%llx %llx", i, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    }
    uid_t uids[3];
    gid_t gids[3];
    getresuid(&uids[0], &uids[1], &uids[2]);
    getresgid(&gids[0], &gids[1], &gids[2]);
    add(self, "ids=%u %u %u, %u %u %u, group %d, session %d", uids[0], uids[1], uids[2], gids[0], gids[1], gids[2],
        getpgrp(), getsid(0));
    static const struct {
        const char *name;
        int number;
    } options[] = {{"dumpable", PR_GET_DUMPABLE},     {"keepcaps", PR_GET_KEEPCAPS},
                   {"securebits", PR_GET_SECUREBITS}, {"timerslack", PR_GET_TIMERSLACK},
                   {"timing", PR_GET_TIMING},         {"no_new_privs", PR_GET_NO_NEW_PRIVS},
                   {"thp", PR_GET_THP_DISABLE},       {"seccomp", PR_GET_SECCOMP}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        add(self, "prctl.%s=%d", options[i].name, prctl(options[i].number, 0, 0, 0, 0));
    int subreaper = -1, death = -1;
    char name[20] = "";
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
    prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0);
    prctl(PR_GET_NAME, name, 0, 0, 0);
    add(self, "prctl.subreaper=%d", subreaper);
    add(self, "prctl.pdeathsig=%d", death);
    add(self, "prctl.name=%s", name);
    add(self, "nice=%d", getpriority(PRIO_PROCESS, 0));
    for (int which = 0; which < 3; which++) {
        struct itimerval timer;
        getitimer((__itimer_which_t)which, &timer);
        add(self, "itimer.%d=%ld.%06ld every %ld.%06ld", which, timer.it_value.tv_sec, timer.it_value.tv_usec,
            timer.it_interval.tv_sec, timer.it_interval.tv_usec);
    }
    fenv_t environment;
    fegetenv(&environment);
    add(self, "rounding=%d", fegetround());
    add(self, "traps=%d", fegetexcept());
#ifdef __SSE__
    add(self, "mxcsr=%x", _mm_getcsr() & ~0x3fu); /* Without the flags that calculations leave. */
    add(self, "x87=%x", environment.__control_word);
#endif
    pthread_key_t key;
    if (pthread_key_create(&key, NULL) == 0) {
        add(self, "first_free_key=%u", (unsigned)key);
        pthread_key_delete(key);
    }
}

/* ---- what /proc tells ---- */

/** Calls `each` for every entry of a folder that is a number. */
static void numbers_in(struct snapshot *self, const char *folder, void (*each)(struct snapshot *, int)) {
    DIR *directory = opendir(folder);
    if (directory == NULL) return;
    int own = dirfd(directory), numbers[4096], count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (isdigit((unsigned char)entry->d_name[0]) && count < 4096) numbers[count++] = atoi(entry->d_name);
    closedir(directory);
    bool is_fd = strstr(folder, "/fd") != NULL;
    for (int i = 0; i < count; i++)
        if (!is_fd || numbers[i] != own) each(self, numbers[i]);
}

/** Adds lines of a file that begin with one of the words ("A|B|"; NULL: all), with a prefix. */
static void lines_of(struct snapshot *self, const char *path, const char *prefix, const char *words) {
    char line[1024];
    FILE *file = fopen(path, "re");
    for (int number = 0; file != NULL && fgets(line, sizeof line, file) != NULL; number++) {
        line[strcspn(line, "\n")] = '\0';
        size_t word = strcspn(line, ":");
        char key[128];
        snprintf(key, sizeof key, "%.*s|", (int)(word < 100 ? word : 100), line);
        if (words != NULL && strstr(words, key) == NULL) continue;
        if (words == NULL) add(self, "%s%d=%s", prefix, number, line);
        else add(self, "%s%.*s=%s", prefix, (int)word, line, line + word);
    }
    if (file != NULL) fclose(file);
}

static void thread(struct snapshot *self, int tid) {
    char path[80], prefix[120], name[20] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return; /* It has ended meanwhile. */
    if (fgets(name, sizeof name, file) != NULL) name[strcspn(name, "\n")] = '\0';
    fclose(file);
    snprintf(prefix, sizeof prefix, "thread.%s.%d.", name, tid);
    snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
    lines_of(self, path, prefix,
             "|SigBlk|SigIgn|SigCgt|SigPnd|ShdPnd|CapEff|CapPrm|CapInh|CapBnd|CapAmb|NoNewPrivs|Seccomp|"
             "Cpus_allowed|Mems_allowed|Uid|Gid|Groups|Umask|");
    struct sched_param parameter = {0};
    int policy = sched_getscheduler(tid);
    sched_getparam(tid, &parameter);
    add(self, "%sscheduling=%d %d nice %d", prefix, policy, parameter.sched_priority,
        getpriority(PRIO_PROCESS, (id_t)tid));
}

static void child_of(struct snapshot *self, int tid) {
    char path[80], name[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", tid);
    FILE *file = fopen(path, "re");
    for (int pid; file != NULL && fscanf(file, "%d", &pid) == 1;) {
        snprintf(path, sizeof path, "/proc/%d/comm", pid);
        FILE *comm = fopen(path, "re");
        name[0] = '\0';
        if (comm != NULL && fgets(name, sizeof name, comm) != NULL) name[strcspn(name, "\n")] = '\0';
        if (comm != NULL) fclose(comm);
        add(self, "child.%s.%d=there", name, pid);
    }
    if (file != NULL) fclose(file);
}

static void descriptor(struct snapshot *self, int fd) {
    char path[64], target[512], line[128];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) return; /* The folder's own. */
    target[length] = '\0';
    unsigned flags = 0;
    long long position = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        sscanf(line, "flags: %o", &flags);
        sscanf(line, "pos: %lld", &position);
    }
    if (file != NULL) fclose(file);
    /* What others write to the same file moves its offset. */
    add(self, "fd.%d.%s=flags %o offset %lld", fd, target, flags, fd <= 2 ? 0 : position);
}

/** Mappings of files, memfds and the kernel's own. Anonymous memory is malloc's and the stacks': rounds.c watches its size. */
static void mappings(struct snapshot *self) {
    char line[1024];
    FILE *file = fopen("/proc/self/maps", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char permissions[8] = "", path[600] = "";
        unsigned long long begin = 0, end = 0, offset = 0;
        if (sscanf(line, "%llx-%llx %7s %llx %*s %*s %599[^\n]", &begin, &end, permissions, &offset, path) < 5)
            continue;
        if (path[0] == '\0' || strcmp(path, "[heap]") == 0 || strcmp(path, "[stack]") == 0) continue;
        add(self, "map.%s.%llx=%s %llx bytes at %llx", path, offset, permissions, end - begin, begin);
    }
    if (file != NULL) fclose(file);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

struct snapshot snapshot_taken(void) {
    struct snapshot self = {0};
    signals(&self);
    settings(&self);
    for (struct counted *c = snapshot_counts; c->name != NULL; c++) add(&self, "count.%s=%d", c->name, c->count);
    numbers_in(&self, "/proc/self/task", thread);
    numbers_in(&self, "/proc/self/task", child_of);
    numbers_in(&self, "/proc/self/fd", descriptor);
    mappings(&self);
    lines_of(&self, "/proc/self/timers", "timer.", NULL);
    lines_of(&self, "/proc/self/oom_score_adj", "oom_score_adj.", NULL);
    lines_of(&self, "/proc/self/coredump_filter", "coredump_filter.", NULL);
    lines_of(&self, "/proc/self/personality", "personality.", NULL);
    qsort(self.lines, self.count, sizeof *self.lines, by_text);
    return self;
}

void snapshot_freed(struct snapshot *self) {
    for (size_t i = 0; i < self->count; i++) free(self->lines[i]);
    free(self->lines);
    *self = (struct snapshot){0};
}

/* ---- comparing ---- */

static void name_of(const char *line, char *out, size_t size) {
    snprintf(out, size, "%.*s", (int)strcspn(line, "="), line);
}

/** Names are the text up to the first "="; what stands on one side alone is new or gone. */
int snapshot_differences(const struct snapshot *before, const struct snapshot *now, unsigned stage,
                         const struct allowed *table, size_t table_count, const char *title) {
    int wrong = 0, used[64] = {0};
    for (size_t i = 0, k = 0; i < before->count || k < now->count;) {
        const char *old = i < before->count ? before->lines[i] : NULL, *new = k < now->count ? now->lines[k] : NULL;
        int order = old == NULL ? 1 : new == NULL ? -1 : strcmp(old, new);
        if (order == 0) {
            i++, k++;
            continue;
        }
        char name[700], name_old[700] = "", name_new[700] = "";
        if (old != NULL) name_of(old, name_old, sizeof name_old);
        if (new != NULL) name_of(new, name_new, sizeof name_new);
        bool changed = old != NULL && new != NULL &&strcmp(name_old, name_new) == 0;
        bool gone = !changed && order < 0;
        snprintf(name, sizeof name, "%s", gone || changed ? name_old : name_new);
        const struct allowed *by = NULL;
        for (size_t t = 0; t < table_count && t < 64 && by == NULL; t++)
            if ((table[t].stages & stage) != 0 && fnmatch(table[t].pattern, name, 0) == 0 && used[t] < table[t].most)
                by = &table[t], used[t]++;
        if (by == NULL) {
            wrong++;
            if (title != NULL)
                fprintf(stderr, "%s: %s %s\n    before: %s\n    now:    %s\n", title, name,
                        changed ? "has changed"
                        : gone  ? "is gone"
                                : "is new",
                        changed || gone ? old : "-", changed || !gone ? new : "-");
        }
        i += changed || gone;
        k += changed || !gone;
    }
    return wrong;
}
