/* fault_zygote.c - a zygote program whose forks fail when a plan says so (fault_fork.c), and that has things to do at its end: with
 * FAULT_ZYGOTE_FILE set, an unwritten line for that file, and exit handlers that write there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>

#include <stdio.h>
#include <stdlib.h>

static void at_the_end(void) {
    FILE *file = fopen(getenv("FAULT_ZYGOTE_FILE"), "ae");
    if (file != NULL) fputs("handler\n", file), fclose(file);
}

int main(int argc, char **argv) {
    const char *path = getenv("FAULT_ZYGOTE_FILE");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file != NULL) {
        fputs("line\n", file);
        atexit(at_the_end);
        at_quick_exit(at_the_end);
    }
    return mape_zygote_main(argc, argv);
}
