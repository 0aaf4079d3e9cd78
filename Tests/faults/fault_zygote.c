/* fault_zygote.c - a zygote program whose forks fail when a plan says so (fault_fork.c). It has as many other threads as FAULT_THREADS
 * says, each with all signals open, as those of an interpreter. With FAULT_ZYGOTE_FILE set it has things to do at its end: an unwritten
 * line for that file, and exit handlers that write there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *idle(void *unused) {
    (void)unused;
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    for (;;) pause();
    return NULL;
}

static void at_the_end(void) {
    FILE *file = fopen(getenv("FAULT_ZYGOTE_FILE"), "ae");
    if (file != NULL) fputs("handler\n", file), fclose(file);
}

int main(int argc, char **argv) {
    const char *threads = getenv("FAULT_THREADS");
    for (int i = 0; threads != NULL && i < atoi(threads); i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, idle, NULL) != 0) return 1;
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
