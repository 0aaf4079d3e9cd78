/* support.c - the table of tests, the watchdog, the checks, and the shared page.
 *
 * The watchdog is a thread that sleeps until the running test's deadline, which each test moves. It uses no signal, as
 * signals are among the things that the tests look at. When it wakes too late for a test, it names the test and the last
 * stage, and aborts the program: a hang has no other way out, and the Makefile counts that as a failure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

/* ---- watchdog ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct timespec deadline;
    bool armed;
    const char *test;
    char stage[300];
} dog = {.lock = PTHREAD_MUTEX_INITIALIZER};

/** Where all threads of a program that hangs are, if there is a debugger. */
static void stacks_shown(void) {
    char command[160];
    snprintf(
        command, sizeof command,
        "timeout 60 gdb -nx -batch -p %d -ex 'thread apply all backtrace 16' 2>/dev/null | grep -E '^(#|Thread)' >&2",
        getpid());
    if (system(command) != 0) fprintf(stderr, "      (no debugger shows the stacks)\n");
}

static void *watch(void *unused) {
    (void)unused;
    pthread_mutex_lock(&dog.lock);
    for (;;) {
        if (!dog.armed) {
            pthread_cond_wait(&dog.changed, &dog.lock);
            continue;
        }
        struct timespec now;
        pthread_cond_timedwait(&dog.changed, &dog.lock, &dog.deadline);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!dog.armed || now.tv_sec < dog.deadline.tv_sec) continue;
        fprintf(stderr, "\nHUNG: %s\n      last stage: %s\n", dog.test, dog.stage[0] != '\0' ? dog.stage : "none");
        fflush(NULL);
        stacks_shown();
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    return NULL;
}

static void watchdog_start(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&dog.changed, &attributes);
    sigset_t all, before;
    sigfillset(&all);
    pthread_t thread;
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, watch, NULL) != 0) abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_detach(thread);
}

static void watchdog_set(const char *test, int seconds) {
    pthread_mutex_lock(&dog.lock);
    clock_gettime(CLOCK_MONOTONIC, &dog.deadline);
    dog.deadline.tv_sec += seconds;
    dog.armed = test != NULL;
    dog.test = test;
    dog.stage[0] = '\0';
    pthread_cond_signal(&dog.changed);
    pthread_mutex_unlock(&dog.lock);
}

/** Where stages are written as well, for whoever watches from another process; room for 300 bytes. */
char *stage_mirror;

void stage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&dog.lock);
    vsnprintf(dog.stage, sizeof dog.stage, format, arguments);
    if (stage_mirror != NULL) memcpy(stage_mirror, dog.stage, sizeof dog.stage);
    pthread_mutex_unlock(&dog.lock);
    va_end(arguments);
}

int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return MAPE_SECONDS(now.tv_sec) + now.tv_nsec;
}

void short_nap(void) { nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL); }

/* ---- the table of tests ---- */

struct abi_case {
    char label[160];
    void (*body)(uint32_t birth);
    uint32_t birth;
    int seconds;
};

static struct shared *page;
static int page_fd = -1;
static char page_path[64];

static void page_close(void) {
    if (page == NULL) return;
    munmap(page, sizeof *page);
    close(page_fd);
    page = NULL;
    page_fd = -1;
}

/** cmocka's own handlers for the signals of crashes would be part of a forked snapshot; tests run without them. */
static void default_crash_signals(void) {
    const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};
    for (size_t i = 0; i < COUNT(numbers); i++) signal(numbers[i], SIG_DFL);
}

/** When cmocka is asked for XML (run.sh), it says nothing until all tests have run: what runs is told here, so that the log names
 *  the test in which a program ended. */
static void tell(const char *what, const struct abi_case *test) {
    if (getenv("CMOCKA_XML_FILE") != NULL) printf("%s %s\n", what, test->label);
}

static bool case_passed;

static void run_case(void **state) {
    const struct abi_case *test = *state;
    case_passed = false;
    tell("[ RUN      ]", test);
    default_crash_signals();
    fflush(NULL);
    watchdog_set(test->label, test->seconds);
    struct snapshot before = snapshot_taken();
    test->body(test->birth);
    page_close();
    if (pools_are_open()) fail_msg("the test left a pool open");
    snapshot_comes_back(&before);
    watchdog_set(NULL, 0);
    case_passed = true;
}

/** After a failure pools are still open: the next test shall not find them. */
static int end_case(void **state) {
    const struct abi_case *test = *state;
    watchdog_set(test->label, test->seconds);
    stage("destroying the pools of a failed test");
    if (page != NULL) atomic_store(&page->gate, 1);
    pools_destroyed();
    page_close();
    watchdog_set(NULL, 0);
    tell(case_passed ? "[       OK ]" : "[  FAILED  ]", test);
    fflush(NULL);
    return 0;
}

/** In a program built with AddressSanitizer: looks for leaks in the host itself. Forked children that exit do not look. */
extern void __lsan_do_leak_check(void) __attribute__((weak));

/** Does one of the patterns, with colons between them, fit the name? '[' is no special character in them. */
static bool fits_one(const char *patterns, const char *name) {
    char *list = strdup(patterns), *rest = list, *plain = strdup(name);
    bool fits = false;
    for (char *at; (at = strchr(plain, '[')) != NULL;) *at = '(';
    for (char *pattern; !fits && (pattern = strsep(&rest, ":")) != NULL;) fits = fnmatch(pattern, plain, 0) == 0;
    free(list);
    free(plain);
    return fits;
}

int run_abi_tests(const char *group, const struct abi_test *tests, size_t count) {
    struct abi_case *cases = calloc(count * 2, sizeof *cases);
    struct CMUnitTest *units = calloc(count * 2, sizeof *units);
    size_t total = 0;
    const char *filter = getenv("ABI_FILTER"), *skip = getenv("ABI_SKIP");
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < count; i++) {
        for (uint32_t birth = MAPE_START_EXEC; birth <= MAPE_START_FORK; birth++) {
            bool plain = tests[i].births == 0;
            if (plain ? birth != MAPE_START_EXEC : (tests[i].births & (1 << birth)) == 0) continue;
            struct abi_case *test = &cases[total];
            snprintf(test->label, sizeof test->label, "%s%s", tests[i].name,
                     plain                      ? ""
                     : birth == MAPE_START_EXEC ? " [exec]"
                                                : " [fork]");
            test->body = tests[i].body;
            test->birth = birth;
            test->seconds = tests[i].seconds > 0 ? tests[i].seconds : 60;
            if (skip != NULL && fits_one(skip, test->label)) continue;
            units[total++] = (struct CMUnitTest){test->label, run_case, NULL, end_case, test};
        }
    }
    if (filter != NULL && filter[0] != '\0') cmocka_set_test_filter(filter);
    watchdog_start();
    int failed = _cmocka_run_group_tests(group, units, total, NULL, NULL);
    free(cases);
    free(units);
    if (__lsan_do_leak_check) __lsan_do_leak_check();
    return failed == 0 ? 0 : 1;
}

/* ---- checks ---- */

const char *message_of(mape_pool *pool) {
    static char texts[4][2048];
    static int next;
    char *text = texts[next++ % 4];
    text[0] = '\0';
    mape_message(text, sizeof texts[0], pool);
    return text;
}

void check_status(int got, int expected, mape_pool *pool, const char *call, const char *file, int line) {
    if (got == expected) return;
    print_error("%s\n  answered %d (%s), not %d (%s)\n  message: \"%s\"\n", call, got, mape_status_string(got),
                expected, mape_status_string(expected), got < 0 ? message_of(pool) : "");
    if (got == MAPE_E_TIMEOUT) pools_described();
    _fail(file, line);
}

bool names_one_of(const char *text, const char *words) {
    char copy[256];
    snprintf(copy, sizeof copy, "%s", words);
    for (char *rest = copy, *word; (word = strsep(&rest, "|")) != NULL;)
        if (strstr(text, word) != NULL) return true;
    return false;
}

/* ---- the shared page ---- */

struct shared *shared_page(void) {
    if (page != NULL) return page;
    page_fd = memfd_create("abi-test", MFD_CLOEXEC);
    if (page_fd < 0 || ftruncate(page_fd, sizeof *page) != 0) fail_msg("no shared page");
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
    if (page == MAP_FAILED) fail_msg("no shared page");
    snprintf(page_path, sizeof page_path, "/proc/%d/fd/%d", (int)getpid(), page_fd);
    return page;
}

const char *shared_path(void) {
    shared_page();
    return page_path;
}
