// The work of the large rows for the Python peers, which call it by ctypes: the same machine code as everybody else's.
#include "work.h"

extern "C" {

std::uint64_t peer_sum(const void *bytes, std::size_t size) { return work::sum(bytes, size); }

double peer_line(double x) { return work::line(x); }

void peer_fill(void *bytes, std::size_t size, std::uint64_t seed) { work::fill(bytes, size, seed); }

int peer_is_filled(const void *bytes, std::size_t size, std::uint64_t seed) {
    return work::is_filled(bytes, size, seed);
}

std::uint64_t peer_walk(std::uint64_t seed, std::uint64_t count) { return work::walk({seed, count}); }

std::uint64_t peer_walk_end(std::uint64_t seed, std::uint64_t count) { return work::walk_end({seed, count}); }

/// Writes the items of the row `compute`, two words each; answers how many there are.
std::size_t peer_uneven_items(std::uint64_t *words, std::size_t room) {
    const auto items = work::uneven_items();
    for (std::size_t i = 0; i < items.size() && 2 * i + 1 < room; i++) {
        words[2 * i] = items[i].seed;
        words[2 * i + 1] = items[i].count;
    }
    return items.size();
}

} // extern "C"
