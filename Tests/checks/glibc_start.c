/* glibc_start.c - a program's constructors run once, with what main gets (Sources/glibc/start.c). library.sh builds and runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int constructed, arguments;

__attribute__((constructor)) static void construct(int argc, char **argv, char **env) {
    constructed++;
    arguments = argc == 2 && strcmp(argv[1], "one") == 0 && env != NULL ? argc : 0;
}

static void at_exit(void) { puts("exit"); }
__attribute__((destructor)) static void destruct(void) { puts("destructed"); }

int main(int argc, char **argv) {
    (void)argv;
    if (constructed != 1 || arguments != argc) return 1;
    return atexit(at_exit) == 0 ? 0 : 1;
}
