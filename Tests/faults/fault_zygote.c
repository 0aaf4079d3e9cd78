/* fault_zygote.c - a zygote program whose forks fail when a plan says so (fault_fork.c). With FAULT_THREADS it has as many other threads, at
 * most four: one asleep, one busy, one that allocates, and one with all signals open, as those of an interpreter. With FAULT_ZYGOTE_FILE
 * set it has things to do at its end: an unwritten line for that file, and exit handlers that write there. With FAULT_STARTS it ends
 * before it begins, as the file of that name says: one letter for each start.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <mapengine.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- threads ---- */

static void *asleep(void *unused) {
    (void)unused;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    for (;;) pause();
    return NULL;
}

/** With what the machine has left: a hundred such programs run one after another. */
static void *busy(void *unused) {
    (void)unused;
    const struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
    for (volatile unsigned long i = 0;; i++) {}
    return NULL;
}

static void *allocating(void *unused) {
    (void)unused;
    static void *volatile blocks[64];
    for (unsigned i = 0;; i++) {
        free(blocks[i % 64]);
        blocks[i % 64] = malloc(1 + i * 2654435761u % 50000);
        if (i % 512 == 0) usleep(200);
    }
    return NULL;
}

static void *open_to_signals(void *unused) {
    (void)unused;
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    for (;;) pause();
    return NULL;
}

/* ---- starts ---- */

/** Takes the next letter of the plan: x exits, k is killed, h hangs, anything else goes well. */
static void start_as_planned(const char *path) {
    char letter = 0;
    int file = open(path, O_RDWR | O_CLOEXEC);
    for (off_t at = 0; file >= 0 && pread(file, &letter, 1, at) == 1; at++) {
        if (!islower(letter)) continue;
        const char taken = (char)toupper(letter);
        if (pwrite(file, &taken, 1, at) != 1) _exit(2);
        break;
    }
    close(file);
    fprintf(stderr, "a start of kind %c\n", letter);
    if (letter == 'x') exit(3);
    if (letter == 'k') raise(SIGKILL);
    while (letter == 'h') pause();
}

static void at_the_end(void) {
    FILE *file = fopen(getenv("FAULT_ZYGOTE_FILE"), "ae");
    if (file != NULL) fputs("handler\n", file), fclose(file);
}

int main(int argc, char **argv) {
    const char *threads = getenv("FAULT_THREADS");
    static void *(*const kinds[])(void *) = {asleep, busy, allocating, open_to_signals};
    if (getenv("FAULT_STARTS") != NULL) start_as_planned(getenv("FAULT_STARTS"));
    for (int i = 0; threads != NULL && i < atoi(threads) && i < 4; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, kinds[i], NULL) != 0) return 1;
        pthread_detach(thread);
    }
    const char *path = getenv("FAULT_ZYGOTE_FILE");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file != NULL) {
        fputs("line\n", file);
        atexit(at_the_end);
        at_quick_exit(at_the_end);
    }
    return mape_zygote_main(argc, argv);
}
