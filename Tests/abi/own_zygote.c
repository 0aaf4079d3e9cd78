/* own_zygote.c - a program that a test gives as `zygote_path`, as a host with an interpreter of its own would.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/** A process that such a program may have started for purposes of its own. */
static void have_child(void) {
    if (fork() != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd < 16; fd++) close(fd);
    for (;;) pause();
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--with-child") == 0) have_child();
    setenv("OWN_ZYGOTE", argc > 1 ? argv[1] : "no argument", 1);
    setenv("ZYGOTE_NAME", argv[0], 1);
    return mape_zygote_main(argc, argv);
}
