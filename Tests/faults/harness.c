/* harness.c - runs the catalogue.
 *
 *   supervisor (this program)                    row (forked child: a host process of its own)
 *   for each row: fork ────────────────────────► limits, pool, fault, checks under cmocka; output goes to a log
 *   watches, looks at what it left behind ◄───── exit status, and a page with stage, note and reason of a skip
 *
 * The supervisor is a subreaper: whatever a row leaves behind becomes its child, and is found. It has a /dev/shm of its own where the
 * kernel lets it, so that a new file there is the row's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "faults.h"
#include "verdicts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

int helper_main(int argc, char **argv);
void row_run(const struct row *row);
extern char *stage_mirror;

/** What a row tells the supervisor beside its exit status. */
struct report {
    char stage[300], note[300], skipped[300];
    bool came_to_its_end; /**< Else a host that exits in the middle would look like one that went well. */
};
static struct report *report;
static bool whole, times;
static uint32_t seed;
static const char *filter;

bool whole_grid(void) { return whole; }
uint32_t row_seed(void) { return seed; }
void row_came_to_its_end(void) { report->came_to_its_end = true; }

void row_note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->note, sizeof report->note, format, arguments);
    va_end(arguments);
}

void row_skip(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->skipped, sizeof report->skipped, format, arguments);
    va_end(arguments);
    skip();
    abort();
}

/* ---- rows ---- */

static const struct fault_table *const tables[] = {
    &death_ways_table, &death_moments_table, &death_pool_table, &hangs_table, &resources_table, &limits_table,
    &host_table,       &host_ends_table,     &hostile_table,    &scale_table, &identity_table,  &worker_ends_table,
    &leftovers_table,  &loading_table,       &zygotes_table,    &waits_table, &cancels_table,   &surroundings_table,
    &denials_table,    &extents_table,       &paths_table,      &texts_table, &resizes_table,   &unregister_table,
    &nested_table,     &starts_table,
};
/* Whose faults are run once more after a zygote was replaced; and under a zygote with threads: all in the whole grid, in the small one those
 * of the first, and those in which the zygote itself dies. */
static const struct fault_table *const again_tables[] = {&death_ways_table, &death_pool_table, &hangs_table};
#define ZYGOTE_DIES 18
static const uint32_t worker_counts[] = {1, 2, 5, 13};

static const struct fault_case *case_of(int number) {
    for (size_t i = 0; i < fault_case_count; i++)
        if (fault_cases[i].number == number) return &fault_cases[i];
    fprintf(stderr, "faults: there is no case %d\n", number);
    abort();
}

static struct row *rows;
static size_t row_count;

static void add(struct row row) {
    if (row_count % 256 == 0) rows = realloc(rows, (row_count + 256) * sizeof *rows);
    rows[row_count++] = row;
}

static void add_row(const struct fault *fault, uint32_t birth, uint32_t workers, bool in_callback) {
    add((struct row){.fault = fault, .birth = birth, .workers = workers, .in_callback = in_callback});
}

/** The number of the case that a row belongs to. */
static int number_of(const struct row *row) { return row->again != 0 ? row->again : row->fault->number; }

/** A fault once more, under two workers, or five in turns. */
static void add_again(const struct fault *fault, size_t turn, int how) {
    if ((fault->births & IN_EXEC) == 0 || (fault->flags & WHOLE) != 0) return;
    if (how == AFTER_A_ZYGOTE && (fault->flags & NOT_AGAIN) != 0) return;
    add((struct row){.fault = fault, .birth = MAPE_START_EXEC, .workers = turn % 2 == 0 ? 2 : 5, .again = how});
}

/** The whole grid has every birth, every count of workers and the callbacks. The small one has every fault with every birth; counts
 *  of workers take turns from fault to fault, and callbacks are entered in one birth. */
static void add_rows(const struct fault *fault, size_t turn) {
    if ((fault->flags & WHOLE) != 0 && !whole) return;
    uint32_t counts[COUNT(worker_counts)], count = 0;
    for (uint32_t w = 0; w < COUNT(worker_counts); w++)
        if ((fault->workers & (1u << w)) != 0) counts[count++] = worker_counts[w];
    if (count == 0) counts[count++] = 0;
    for (uint32_t birth = MAPE_START_EXEC; birth <= MAPE_START_FORK; birth++) {
        bool once = fault->births == 0;
        if (once ? birth != MAPE_START_EXEC : (fault->births & (1u << birth)) == 0) continue;
        for (uint32_t c = 0; c < count; c++) {
            bool is_turn = c == (turn + birth) % count;
            if (whole || is_turn) add_row(fault, birth, counts[c], false);
            if ((fault->flags & CALLBACK) == 0) continue;
            if (whole || (is_turn && (turn % 2 == birth || fault->births != BIRTHS)))
                add_row(fault, birth, counts[c], true);
        }
    }
}

static void add_all_rows(void) {
    for (size_t t = 0; t < COUNT(tables); t++)
        for (size_t f = 0; f < tables[t]->count; f++) add_rows(&tables[t]->faults[f], f);
    for (size_t t = 0; t < COUNT(again_tables); t++)
        for (size_t f = 0; f < again_tables[t]->count; f++) {
            const struct fault *fault = &again_tables[t]->faults[f];
            add_again(fault, f, AFTER_A_ZYGOTE);
            if (t == 0 || whole || fault->number == ZYGOTE_DIES) add_again(fault, f, WITH_ZYGOTE_THREADS);
        }
    for (size_t f = 0; f < death_moments_table.count && whole; f++)
        add((struct row){.fault = &death_moments_table.faults[f],
                         .birth = MAPE_START_EXEC,
                         .workers = 1,
                         .again = WITH_ZYGOTE_THREADS});
}

static int by_number(const void *a, const void *b) {
    const struct row *left = a, *right = b;
    int order = number_of(left) - number_of(right);
    /* Rows of one case stay in the order of its table. */
    return order != 0 ? order : left < right ? -1 : left > right;
}

static void label_of(const struct row *row, char *out, size_t size) {
    char workers[32] = "";
    if (row->workers > 0)
        snprintf(workers, sizeof workers, " · %u worker%s", row->workers, row->workers == 1 ? "" : "s");
    char again[160] = "";
    if (row->again != 0)
        snprintf(again, sizeof again, " · case %d %s", row->fault->number, case_of(row->fault->number)->title);
    snprintf(out, size, "case %d %s%s%s%s · %s%s", number_of(row), case_of(number_of(row))->title, again,
             row->fault->births == 0         ? ""
             : row->birth == MAPE_START_EXEC ? " · EXEC"
                                             : " · FORK",
             workers, row->fault->stage, row->in_callback ? " · inside a callback" : "");
}

/** FILTER: numbers and ranges of numbers ("17", "1-7,24"), or a pattern with * and ? for the row's whole name. */
static bool is_chosen(const struct row *row, const char *label) {
    if (filter == NULL || filter[0] == '\0') return true;
    if (strspn(filter, "0123456789,-") != strlen(filter)) return fnmatch(filter, label, 0) == 0;
    for (const char *at = filter; *at != '\0';) {
        char *end;
        long first = strtol(at, &end, 10), last = first;
        if (*end == '-') last = strtol(end + 1, &end, 10);
        if (number_of(row) >= first && number_of(row) <= last) return true;
        if (*end != ',') return false;
        at = end + 1;
    }
    return false;
}

/* ---- what a row left behind ---- */

static int shm_files(char *names, size_t size) {
    int count = 0;
    DIR *folder = opendir("/dev/shm");
    if (names != NULL) names[0] = '\0';
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        count++;
        if (names != NULL) snprintf(names + strlen(names), size - strlen(names), " %s", entry->d_name);
    }
    if (folder != NULL) closedir(folder);
    return count;
}

static bool shm_is_private;

static void shm_made_private(void) {
    shm_is_private = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                     mount("faults", "/dev/shm", "tmpfs", 0, NULL) == 0;
}

/** Waits until every process that the row left has ended, and kills what has not. Returns how many had to be killed. */
static int left_behind(FILE *out) {
    pid_t pids[1024];
    int count = 0;
    for (int64_t begun = now_ns();; short_nap()) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
        count = descendants_of(getpid(), pids, (int)COUNT(pids));
        if (count == 0) return 0;
        if (now_ns() - begun > MAPE_SECONDS(10)) break;
    }
    for (int i = 0; i < count; i++) {
        fprintf(out, "left behind: process %d, %s\n", (int)pids[i], proc_text(pids[i], "comm"));
        kill(pids[i], SIGCONT);
        kill(pids[i], SIGKILL);
    }
    for (int64_t begun = now_ns(); now_ns() - begun < MAPE_SECONDS(10); short_nap()) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
        if (descendants_of(getpid(), pids, (int)COUNT(pids)) == 0) break;
    }
    return count;
}

/* ---- running ---- */

static void in_child(const struct row *row, int log) {
    setpgid(0, 0); /* Not a new session: a row that hangs can be stopped with the terminal's keys. */
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(log);
    unsetenv("ABI_FILTER");
    stage_mirror = report->stage;
    row_run(row);
}

static enum verdict run(const struct row *row, const char *label) {
    memset(report, 0, sizeof *report);
    int log = memfd_create("faults-log", MFD_CLOEXEC);
    char files_before[2000], files_after[2000];
    int shm_before = shm_files(files_before, sizeof files_before);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) in_child(row, log);
    FILE *out = fdopen(dup(log), "w");
    setvbuf(out, NULL, _IONBF, 0);
    int status = 0, patience = row->fault->seconds > 0 ? row->fault->seconds : 60;
    bool hung = false;
    const int64_t started = now_ns();
    for (int64_t begun = started; waitpid(child, &status, WNOHANG) == 0; short_nap()) {
        if (hung || now_ns() - begun < MAPE_SECONDS(patience)) continue;
        hung = true;
        lseek(log, 0, SEEK_END);
        fprintf(out, "HUNG for %d s\n", patience);
        print_where(child, report->stage, out);
        kill(child, SIGKILL);
    }
    lseek(log, 0, SEEK_END);
    bool failed = hung || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (!hung && WIFSIGNALED(status))
        fprintf(out, "the host died of signal %d (%s), last stage: %s\n", WTERMSIG(status), strsignal(WTERMSIG(status)),
                report->stage);
    if (!failed && !report->came_to_its_end) {
        fprintf(out, "the host exited in the middle, last stage: %s\n", report->stage);
        failed = true;
    }
    if (left_behind(out) > 0) failed = true;
    if (shm_files(files_after, sizeof files_after) > shm_before && shm_is_private) {
        fprintf(out, "left behind: files in /dev/shm:%s\n", files_after);
        failed = true;
    }
    if (times) printf("%7.2f s  ", (double)(now_ns() - started) / 1e9);
    enum verdict verdict = failed ? FAILED : report->skipped[0] != '\0' ? SKIPPED : PASSED;
    if (verdict == SKIPPED) printf("%s: skipped: %s\n", label, report->skipped);
    else if (report->note[0] != '\0') printf("%s: %s (%s)\n", label, failed ? "FAILED" : "ok", report->note);
    else printf("%s: %s\n", label, failed ? "FAILED" : "ok");
    if (failed) {
        printf("    seed %u; its output:\n", seed);
        failure_noted(label, log);
    }
    fclose(out);
    close(log);
    fflush(stdout);
    return verdict;
}

/* ---- the table for the documentation ---- */

static void markdown(void) {
    printf("| case | group | fault | asserted, beside what holds for every row | rows: `make test` | all |\n");
    printf("|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < fault_case_count; i++) {
        size_t counts[2];
        for (int grid = 0; grid < 2; grid++) {
            row_count = 0, whole = grid == 1, counts[grid] = 0;
            add_all_rows();
            for (size_t r = 0; r < row_count; r++) counts[grid] += number_of(&rows[r]) == fault_cases[i].number;
        }
        printf("| %d | %s | %s | %s | %zu | %zu |\n", fault_cases[i].number, fault_cases[i].group, fault_cases[i].title,
               fault_cases[i].asserted, counts[0], counts[1]);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strncmp(argv[1], "--in-", 5) == 0) return helper_main(argc, argv);
    bool list = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0) whole = true;
        else if (strcmp(argv[i], "--times") == 0) times = true;
        else if (strcmp(argv[i], "--list") == 0) list = true;
        else if (strcmp(argv[i], "--markdown") == 0) return markdown(), 0;
        else if (argv[i][0] != '-') filter = argv[i];
        else {
            fprintf(stderr, "usage: faults [--all] [--list] [--times] [FILTER]    or: faults --markdown\n");
            return 64;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    add_all_rows();
    qsort(rows, row_count, sizeof *rows, by_number);
    seed = getenv("FAULTS_SEED") != NULL ? (uint32_t)strtoul(getenv("FAULTS_SEED"), NULL, 0)
                                         : (uint32_t)now_ns() ^ (uint32_t)getpid();
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED) return 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (!list) shm_made_private();
    for (size_t r = 0; r < row_count; r++) {
        char label[400];
        label_of(&rows[r], label, sizeof label);
        if (!is_chosen(&rows[r], label)) continue;
        if (list) {
            puts(label);
            continue;
        }
        verdict_noted(case_of(number_of(&rows[r]))->group, run(&rows[r], label));
    }
    if (list) return 0;
    const int passed = verdicts_of(PASSED), failed = verdicts_of(FAILED), skipped = verdicts_of(SKIPPED);
    verdicts_told();
    printf("seed %u%s%s\n", seed, shm_is_private ? "" : "; /dev/shm is shared with others here, and was not looked at",
           skipped > 0 ? "; skipped rows say why above" : "");
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed + skipped == 0;
}
