/* load_ways.c - a shared library that does something unwanted when it is loaded; WAY says what. Each way is a library of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _GNU_SOURCE
#include <errno.h>
#include <mapengine.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define WAY_well     0
#define WAY_exits    1 /* _exit(3) */
#define WAY_crashes  2 /* a segfault */
#define WAY_hangs    3
#define WAY_thread   4 /* Starts a thread that does the work of its functions. */
#define WAY_ignores  5 /* SIGCHLD is ignored, SIGCONT too. */
#define WAY_blocks   6 /* Blocks all signals. */
#define WAY_closes   7 /* Closes descriptors 3 to 63, in the zygote. */
#define WAY_forks    8 /* Leaves a child behind. */
#define CHOSEN_(way) WAY_##way
#define CHOSEN(way)  CHOSEN_(way)
#define HAS(way)     (CHOSEN(WAY) == WAY_##way)

static uint64_t question, answer;
static sem_t asked, answered;

static void wait_on(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0 && errno == EINTR) {}
}

static void *serve(void *unused) {
    (void)unused;
    for (;;) {
        wait_on(&asked);
        answer = question * question;
        sem_post(&answered);
    }
    return NULL;
}

__attribute__((constructor)) static void loaded(void) {
    sem_init(&asked, 0, 0);
    sem_init(&answered, 0, 0);
    if (HAS(exits)) _exit(3);
    if (HAS(crashes)) *(volatile int *)8 = 1;
    if (HAS(hangs))
        for (;;) pause();
    if (HAS(thread)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, NULL) == 0) pthread_detach(thread);
    }
    if (HAS(ignores)) signal(SIGCHLD, SIG_IGN), signal(SIGCONT, SIG_IGN);
    if (HAS(blocks)) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
    }
    if (HAS(closes))
        for (int fd = 3; fd < 64; fd++) close(fd);
    if (HAS(forks) && fork() == 0)
        for (;;) pause();
}

/** Result: the item squared. */
int run_loaded(mape_task *task, void *state, const void *input, size_t size) {
    (void)state;
    uint64_t *output = mape_task_output(task, sizeof *output);
    if (output == NULL || size != sizeof *output) return 1;
    if (!HAS(thread)) {
        *output = *(const uint64_t *)input * *(const uint64_t *)input;
        return 0;
    }
    question = *(const uint64_t *)input;
    sem_post(&asked);
    wait_on(&answered);
    *output = answer;
    return 0;
}
