// A program with one fault, so that a sanitizer can be seen to see: `planted address|thread|undefined`. scripts/sanitize.sh runs it
// before the tests, in which a sanitizer that sees nothing would look like code without a fault.
// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int counter;

static void *count(void *times) {
    for (int i = 0; i < *(const int *)times; i++) counter++;
    return NULL;
}

static int race(void) {
    int times = 10000;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, count, &times);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return counter;
}

int main(int argc, char **argv) {
    if (argc != 2) return 64;
    // Volatile, so that the compiler works nothing out beforehand.
    volatile int length = 16, number = INT_MAX;
    if (strcmp(argv[1], "thread") == 0) {
        number = race();
    } else if (strcmp(argv[1], "undefined") == 0) {
        number += argc;
    } else {
        char *bytes = malloc((size_t)length);
        if (!bytes) return 1;
        memset(bytes, 1, (size_t)length);
        number = bytes[length];
        free(bytes);
    }
    printf("%d\n", number);
    return 0;
}
