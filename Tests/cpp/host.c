/* host.c - loads a library of tests, as a host loads a plug-in: worker functions must not lie in the main program
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    int (*run_tests)(const char *) = library ? (int (*)(const char *))dlsym(library, "run_tests") : NULL;
    if (!run_tests) {
        fprintf(stderr, "host LIBRARY [PART OF A NAME]: %s\n", argc > 1 ? dlerror() : "no library");
        return 64;
    }
    return run_tests(argc > 2 ? argv[2] : NULL);
}
