// The host's own work in the rows about a host that is short of cores.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "work.h"

namespace busy {

/// About 1 ms.
constexpr work::Steps item{1, 1'000'000};

/// A fixed amount of work on the calling thread: about 0.15 s when nothing disturbs it.
inline void main_work() { benchmark::DoNotOptimize(work::walk({2, work::sized(150'000'000, 1'500'000)})); }

/// The same on as many threads as there are cores.
inline void main_work_on_all_cores() {
    std::vector<std::thread> others;
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); i++) others.emplace_back(main_work);
    main_work();
    for (auto &other : others) other.join();
}

/// A thread that does something every millisecond.
class Trickle {
public:
    explicit Trickle(std::function<void()> call)
        : thread([this, call = std::move(call)] {
              while (!stopped) {
                  std::this_thread::sleep_for(std::chrono::milliseconds(1));
                  call();
              }
          }) {}
    ~Trickle() { stop(); }
    void stop() {
        stopped = true;
        if (thread.joinable()) thread.join();
    }

private:
    std::atomic<bool> stopped{false};
    std::thread thread;
};

} // namespace busy
