// support.hpp - tests of mapengine.hpp: a test is a function that registers itself
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mapengine.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <sys/syscall.h>
#include <unistd.h>

struct Test {
    const char *name;
    void (*body)();
    Test *next;
};

extern Test *all_tests;
extern const char *why_failed; // Of the test that runs; NULL: it goes well.
void note_failure(const char *file, int line, const char *condition);

// TEST(a_sentence) { ... }
#define TEST(sentence)                                                                                                 \
    static void sentence();                                                                                            \
    static Test test_##sentence = {#sentence, sentence, nullptr};                                                      \
    static const bool is_in_##sentence = (test_##sentence.next = all_tests, all_tests = &test_##sentence, true);       \
    static void sentence()

// Ends the test when the condition does not hold.
#define REQUIRE(...)                                                                                                   \
    do {                                                                                                               \
        if (!(__VA_ARGS__)) {                                                                                          \
            note_failure(__FILE__, __LINE__, #__VA_ARGS__);                                                            \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

// In lambdas and coroutines: notes it, and goes on.
#define EXPECT(...)                                                                                                    \
    do {                                                                                                               \
        if (!(__VA_ARGS__)) note_failure(__FILE__, __LINE__, #__VA_ARGS__);                                            \
    } while (0)

// The value of a result; a test that has none ends the program with its text.
template <class T> T must(mape::Result<T> result) {
    if (!result) {
        std::printf("FAILED %s: %s\n", "a call", result.error().text().c_str());
        std::fflush(stdout);
        std::abort();
    }
    if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

inline mape::Pool pool_of(std::uint32_t workers, mape::PoolOptions options = {}) {
    options.workers = workers;
    return must(mape::Pool::create(options));
}

inline long this_thread() { return syscall(SYS_gettid); }
