// What the library of worker functions and the hosts have in common.
#pragma once

#include <cstdint>

namespace functions {

/// The input of bench_hold, which keeps a worker occupied, asleep, until it is told otherwise.
struct Hold {
    std::uint64_t released;
};

} // namespace functions
