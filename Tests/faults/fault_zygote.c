/* fault_zygote.c - a zygote program whose forks fail when a plan says so (fault_fork.c), and which has as many other threads as
 * FAULT_THREADS says, each with all signals open, as those of an interpreter.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <pthread.h>
#include <signal.h>
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

int main(int argc, char **argv) {
    const char *threads = getenv("FAULT_THREADS");
    for (int i = 0; threads != NULL && i < atoi(threads); i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, idle, NULL) != 0) return 1;
        pthread_detach(thread);
    }
    return mape_zygote_main(argc, argv);
}
