// Two processes that wake each other by a futex and do nothing else: the least that a round trip between processes costs.
#pragma once

#include <atomic>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <linux/futex.h>
#include <new>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

class FutexPair {
public:
    /// `spins`: both look without end instead of sleeping.
    explicit FutexPair(bool spins = false) : spins(spins) {
        void *memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) std::abort();
        shared = new (memory) Shared;
        child = fork();
        if (child < 0) std::abort();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve();
        }
    }
    ~FutexPair() {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        munmap(shared, sizeof(Shared));
    }
    FutexPair(const FutexPair &) = delete;
    FutexPair &operator=(const FutexPair &) = delete;

    /// Has the other process square a number.
    std::int64_t call(std::int64_t number) {
        shared->number = number;
        const std::uint32_t turn = shared->asked.load(std::memory_order_relaxed) + 1;
        publish(shared->asked, turn);
        await(shared->answered, turn);
        return shared->number;
    }

private:
    struct Shared {
        alignas(64) std::atomic<std::uint32_t> asked{0};
        alignas(64) std::atomic<std::uint32_t> answered{0};
        alignas(64) std::int64_t number = 0;
    };

    void publish(std::atomic<std::uint32_t> &word, std::uint32_t turn) {
        word.store(turn, std::memory_order_release);
        if (!spins) syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }

    void await(std::atomic<std::uint32_t> &word, std::uint32_t turn) {
        while (word.load(std::memory_order_acquire) != turn) {
            if (!spins) syscall(SYS_futex, &word, FUTEX_WAIT, turn - 1, nullptr, nullptr, 0);
        }
    }

    [[noreturn]] void serve() {
        for (std::uint32_t turn = 1;; turn++) {
            await(shared->asked, turn);
            shared->number = work::square(shared->number);
            publish(shared->answered, turn);
        }
    }

    const bool spins;
    Shared *shared;
    pid_t child;
};
