// support.cpp - runs the tests of this shared library; host.c calls it
//
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <cstring>

#include <dirent.h>

Test *all_tests;
const char *why_failed;

static char why[512];

void note_failure(const char *file, int line, const char *condition) {
    if (why_failed) return;
    std::snprintf(why, sizeof why, "%s:%d: %s", std::strrchr(file, '/') ? std::strrchr(file, '/') + 1 : file, line,
                  condition);
    why_failed = why;
}

static int count_descriptors() {
    int count = 0;
    if (DIR *folder = opendir("/proc/self/fd")) {
        while (readdir(folder)) count++;
        closedir(folder);
    }
    return count;
}

// A test that hangs is ended by SIGALRM, and the last line says which it was.
extern "C" __attribute__((visibility("default"))) int run_tests(const char *filter) {
    int passed = 0, failed = 0;
    for (const Test *test = all_tests; test; test = test->next) {
        if (filter && !std::strstr(test->name, filter)) continue;
        std::printf("begun %s\n", test->name);
        std::fflush(stdout);
        const int descriptors = count_descriptors();
        why_failed = nullptr;
        alarm(120);
#if defined(__cpp_exceptions)
        try {
            test->body();
        } catch (const std::exception &error) {
            note_failure("an exception", 0, error.what());
        }
#else
        test->body();
#endif
        alarm(0);
        if (!why_failed && count_descriptors() != descriptors) note_failure(__FILE__, __LINE__, "a descriptor is left");
        if (why_failed) {
            failed++;
            std::printf("FAILED %s: %s\n", test->name, why_failed);
        } else {
            passed++;
            std::printf("ok %s\n", test->name);
        }
        std::fflush(stdout);
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
