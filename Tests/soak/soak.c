/* soak.c - a million items while the pool's workers, and now and then its zygote, are killed every few milliseconds. Every
 * item has to end once, well, and with its own result.
 *
 *   soak [options]      see usage() below; `make soak` runs it
 *
 * Ends with 0 when nothing was lost, doubled or wrong; 1 when something was; 64 for wrong usage. Aborts, after telling where
 * it stands, when it hangs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include "soak.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct soak soak; /* Large, and the watchdog's too. */

uint32_t soak_random(uint64_t *state, uint32_t bound) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return bound == 0 ? 0 : (uint32_t)((*state * 0x2545f4914f6cdd1du) >> 33) % bound;
}

int64_t soak_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return MAPE_SECONDS(now.tv_sec) + now.tv_nsec;
}

void soak_fault(struct soak *self, const char *format, ...) {
    if (self->fault[0] != '\0') return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->fault, sizeof self->fault, format, arguments);
    va_end(arguments);
}

void soak_tell(struct soak *self) {
    mape_stats stats = MAPE_STATS_INIT;
    mape_pool_stats(&stats, self->pool);
    printf("  submitted %llu, ended %llu, %u of %u workers ready, zygote %d, closed %u\n",
           (unsigned long long)self->figures.submitted, (unsigned long long)self->figures.ended, stats.workers_ready,
           stats.workers, stats.zygote_pid, stats.is_closed);
    for (uint32_t i = 0; i < stats.workers; i++) {
        mape_worker_info worker = MAPE_WORKER_INFO_INIT;
        mape_pool_worker(&worker, self->pool, i);
        printf("  worker %u: pid %d, state %u, %llu items, %llu starts\n", i, worker.pid, worker.state,
               (unsigned long long)worker.items, (unsigned long long)worker.starts);
    }
    soak_tell_jobs();
    for (uint64_t i = self->log_count > 12 ? self->log_count - 12 : 0; i < self->log_count; i++)
        printf("  log: %s\n", self->logs[i % 12]);
}

/* ---- the command line ---- */

static int usage(FILE *to) {
    fputs("usage: soak [options]\n"
          "  --items N         how many (1000000)\n"
          "  --workers N       worker processes (4)\n"
          "  --seconds N       go on for so long instead\n"
          "  --seed N          of all that is random (from the clock)\n"
          "  --fork            MAPE_START_FORK; no zygote is killed, as that would end the pool\n"
          "  --kill-us A,B     from A to B microseconds between two kills (1000,10000)\n"
          "  --zygote-every N  one kill in so many is the zygote's; 0: none (30)\n"
          "  --resize-every N  in place of one kill in so many the pool gets from 1 to twice as many workers; 0: never "
          "(20)\n"
          "  --spin-us N       what an item takes on average (10)\n"
          "  --setup-us N      what the setup of a function takes (0)\n"
          "  --restarts N      the pool's restart brake (the default one)\n"
          "  --quiet           no line of progress\n",
          to);
    return to == stdout ? 0 : 64;
}

static bool number(const char *text, uint64_t most, uint64_t *out) {
    char *end = NULL;
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && text[0] != '-' && *out <= most;
}

static int options_read(int argc, char **argv, struct soak_options *o) {
    static const struct option known[] = {
        {"items", 1, NULL, 'i'},        {"workers", 1, NULL, 'w'}, {"seconds", 1, NULL, 's'},
        {"seed", 1, NULL, 'r'},         {"fork", 0, NULL, 'f'},    {"kill-us", 1, NULL, 'k'},
        {"quiet", 0, NULL, 'q'},        {"help", 0, NULL, 'h'},    {"restarts", 1, NULL, 'b'},
        {"zygote-every", 1, NULL, 'z'}, {"spin-us", 1, NULL, 'p'}, {"setup-us", 1, NULL, 'u'},
        {"resize-every", 1, NULL, 'e'}, {NULL, 0, NULL, 0}};
    *o = (struct soak_options){.items = 1000000,
                               .workers = 4,
                               .kill_least_us = 1000,
                               .kill_most_us = 10000,
                               .zygote_every = 30,
                               .resize_every = 20,
                               .spin_us = 10,
                               .seed = (uint32_t)(soak_now() / 1000)};
    uint64_t value = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        bool good = true;
        switch (c) {
        case 'i': good = number(optarg, SOAK_CAPACITY - 65536, &o->items) && o->items > 0; break;
        case 'w': good = number(optarg, 1024, &value) && value > 0, o->workers = (uint32_t)value; break;
        case 's': good = number(optarg, 1000000, &value), o->seconds = (uint32_t)value; break;
        case 'r': good = number(optarg, UINT32_MAX, &value), o->seed = (uint32_t)value; break;
        case 'b': good = number(optarg, UINT32_MAX, &value), o->restarts = (uint32_t)value; break;
        case 'z': good = number(optarg, UINT32_MAX, &value), o->zygote_every = (uint32_t)value; break;
        case 'e': good = number(optarg, UINT32_MAX, &value), o->resize_every = (uint32_t)value; break;
        case 'p': good = number(optarg, 100000, &value), o->spin_us = (uint32_t)value; break;
        case 'u': good = number(optarg, 10000000, &value), o->setup_us = (uint32_t)value; break;
        case 'k':
            good = sscanf(optarg, "%u,%u", &o->kill_least_us, &o->kill_most_us) == 2 &&
                   o->kill_least_us <= o->kill_most_us && o->kill_most_us < 1000000;
            break;
        case 'f': o->birth = MAPE_START_FORK; break;
        case 'q': o->quiet = true; break;
        case 'h': exit(usage(stdout));
        default: return usage(stderr);
        }
        if (!good) {
            fprintf(stderr, "soak: an option has a value it may not have: %s\n", optarg);
            return usage(stderr);
        }
    }
    if (optind < argc) return usage(stderr);
    if (o->birth == MAPE_START_FORK) o->zygote_every = 0;
    return 0;
}

/* ---- the pool ---- */

static void must(int status, const char *call) {
    if (status == MAPE_OK) return;
    char why[500];
    mape_message(why, sizeof why, soak.pool);
    fprintf(stderr, "soak: %s answered %d: %s\n", call, status, why);
    exit(1);
}
#define MUST(call) must((call), #call)

static mape_function_id registered(const char *name, mape_run_fn run, mape_run_range_fn run_range,
                                   const struct soak_setup *setup) {
    mape_function description = MAPE_FUNCTION_INIT;
    mape_function_id id = 0;
    description.name = name;
    description.run = run;
    description.run_range = run_range;
    description.setup = soak_setup;
    description.data = setup;
    description.data_size = sizeof *setup;
    MUST(mape_function_register(&id, soak.pool, &description));
    return id;
}

static void pool_made(void) {
    int fd = memfd_create("soak", MFD_CLOEXEC);
    struct soak_setup setup = {.setup_us = soak.options.setup_us};
    if (fd < 0 || ftruncate(fd, sizeof *soak.page) != 0) must(MAPE_E_SYSTEM, "memfd_create");
    int flags = MAP_NORESERVE;
    soak.page = mmap(NULL, sizeof *soak.page, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);
    soak.told = mmap(NULL, SOAK_CAPACITY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (soak.page == MAP_FAILED || soak.told == MAP_FAILED) must(MAPE_E_SYSTEM, "mmap");
    snprintf(setup.path, sizeof setup.path, "/proc/%d/fd/%d", (int)getpid(), fd);
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = soak.options.workers;
    config.start = soak.options.birth;
    config.restarts = soak.options.restarts;
    MUST(mape_pool_create(&soak.pool, &config));
    soak.run = registered("run", soak_run, NULL, &setup);
    soak.run_each = registered("run_each", NULL, soak_run_each, &setup);
    soak.run_all = registered("run_all", NULL, soak_run_all, &setup);
    MUST(mape_pool_start(soak.pool, MAPE_SECONDS(60)));
}

/** With nobody killing any more the pool has all its workers again, and works. */
static void heals(void) {
    soak.stage = "waiting for all workers after the last kill";
    mape_stats stats = MAPE_STATS_INIT;
    int64_t begun = soak_now();
    do {
        usleep(1000);
        mape_pool_stats(&stats, soak.pool);
        if (stats.is_closed) return soak_fault(&soak, "the pool has failed");
    } while (stats.workers_ready < stats.workers && soak_now() - begun < MAPE_SECONDS(60));
    if (stats.workers_ready < stats.workers)
        soak_fault(&soak, "only %u of %u workers came back after the last kill", stats.workers_ready, stats.workers);
}

/* ---- the soak ---- */

static void progress_line(int64_t begun) {
    static int64_t last;
    int64_t now = soak_now();
    if (soak.options.quiet || !isatty(STDOUT_FILENO) || now - last < MAPE_MILLISECONDS(200)) return;
    last = now;
    mape_stats stats = MAPE_STATS_INIT;
    mape_pool_stats(&stats, soak.pool);
    printf("\r%11llu items  %8.0f/s  %6llu workers and %4llu zygotes killed  %6llu respawns  %llu doubled  %llu "
           "wrong\033[K",
           (unsigned long long)soak.figures.ended, (double)soak.figures.ended * 1e9 / (double)(now - begun),
           (unsigned long long)soak.figures.worker_kills, (unsigned long long)soak.figures.zygote_kills,
           (unsigned long long)(stats.workers_started - stats.workers), (unsigned long long)soak.figures.doubled,
           (unsigned long long)soak.figures.wrong);
    fflush(stdout);
}

static bool goes_on(int64_t begun) {
    if (soak.next_number >= SOAK_CAPACITY - 65536) return false;
    if (soak.options.seconds > 0) return soak_now() - begun < MAPE_SECONDS(soak.options.seconds);
    return soak.next_number < soak.options.items;
}

static void soaked(int64_t begun) {
    bool fine = true;
    while (fine && goes_on(begun)) {
        uint64_t most = soak.options.seconds > 0 ? UINT64_MAX : soak.options.items - soak.next_number;
        soak.stage = "submitting";
        if (soak_open_jobs() < 20) fine = soak_submit(&soak, most) > 0;
        fine = fine && soak_turn(&soak);
        progress_line(begun);
    }
    while (fine && soak_open_jobs() > 0) {
        fine = soak_turn(&soak);
        progress_line(begun);
    }
}

/** Says how it went. True when all is well. */
static bool summary(int64_t took) {
    uint64_t again = 0, lost = 0, never = 0;
    for (uint64_t i = 0; i < soak.next_number; i++) {
        again += soak.page->begun[i] > 1;
        lost += soak.told[i] == 0;
        never += soak.page->begun[i] == 0 && soak.told[i] != 0;
    }
    lost += soak.figures.not_ok;
    mape_stats stats = MAPE_STATS_INIT;
    mape_pool_stats(&stats, soak.pool);
    bool fine = soak.fault[0] == '\0' && lost == 0 && never == 0 && soak.figures.doubled == 0 &&
                soak.figures.wrong == 0 && soak.figures.short_jobs == 0;
    printf("items %llu in %llu jobs, %s, %u workers, %.1f s, seed %u\n"
           "kills of workers %llu, kills of zygotes %llu, respawns of workers %llu, of zygotes %llu\n"
           "begun more than once %llu\n"
           "lost %llu, doubled %llu, wrong %llu\n",
           (unsigned long long)soak.next_number, (unsigned long long)soak.figures.jobs,
           soak.options.birth == MAPE_START_FORK ? "FORK" : "EXEC", soak.options.workers, (double)took / 1e9,
           soak.options.seed, (unsigned long long)soak.figures.worker_kills,
           (unsigned long long)soak.figures.zygote_kills, (unsigned long long)(stats.workers_started - stats.workers),
           (unsigned long long)(stats.zygotes_started - 1), (unsigned long long)again, (unsigned long long)lost,
           (unsigned long long)soak.figures.doubled, (unsigned long long)soak.figures.wrong);
    if (never > 0) printf("told but never begun %llu\n", (unsigned long long)never);
    if (soak.figures.worker_kills == 0 && soak.options.seconds == 0 && took > MAPE_SECONDS(1)) {
        printf("no worker was killed: this proves nothing\n");
        fine = false;
    }
    if (fine) return true;
    printf("first fault: %s\n", soak.fault[0] != '\0' ? soak.fault : "see above");
    soak_tell(&soak);
    return false;
}

int main(int argc, char **argv) {
    int wrong = options_read(argc, argv, &soak.options);
    if (wrong != 0) return wrong;
    soak.random = soak.options.seed * 0x9e3779b97f4a7c15u | 1;
    soak.stage = "starting";
    pthread_t watchdog, killer;
    pthread_create(&watchdog, NULL, soak_watchdog, &soak);
    pool_made();
    int64_t begun = soak_now();
    pthread_create(&killer, NULL, soak_killer, &soak);
    soaked(begun);
    soak.stage = "ending";
    atomic_store(&soak.stop, 1);
    pthread_join(killer, NULL);
    int64_t took = soak_now() - begun;
    if (soak.fault[0] == '\0') heals();
    if (!soak.options.quiet && isatty(STDOUT_FILENO)) printf("\r\033[K");
    bool fine = summary(took);
    soak.stage = "destroying the pool";
    mape_pool_release(soak.pool);
    atomic_store(&soak.stop, 2);
    pthread_join(watchdog, NULL);
    return fine ? 0 : 1;
}
