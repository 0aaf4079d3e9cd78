// What is done to an item, in every row and by every system: the same machine code, compiled once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace work {

/// Workers, or threads, of every system, unless a row says otherwise.
constexpr int workers = 2;

/// Whether this is a smoke run (scripts/bench.sh --smoke): every row does a little of its work, and no figure counts.
bool is_smoke();
/// A size of a row, or the one that it has in a smoke run.
inline std::size_t sized(std::size_t full, std::size_t smoke) { return is_smoke() ? smoke : full; }

/// The rows of small items: 8 bytes in, 8 bytes out.
inline const std::size_t small_items = sized(1'000'000, 10'000);
/// The row of typed calls.
inline const std::size_t typed_calls = sized(10'000'000, 10'000);
/// The rows of large items.
constexpr std::size_t payloads = 64;
constexpr std::size_t payload_size = 1 << 20;

/// Not inlined: the small rows are about a function that is called for each item.
std::int64_t square(std::int64_t number);
/// The same for many, for those who may go over a range at once.
void squares(const std::int64_t *numbers, std::int64_t *results, std::size_t count);

/// A number to a number, for the rows of typed calls.
double line(double x);

/// The sum of all 8-byte words.
std::uint64_t sum(const void *bytes, std::size_t size);
/// Writes words that count up from `seed`.
void fill(void *bytes, std::size_t size, std::uint64_t seed);
/// Whether `fill` wrote this.
bool is_filled(const void *bytes, std::size_t size, std::uint64_t seed);

/// An item of computation: so many steps of a generator whose every step needs the one before.
struct Steps {
    std::uint64_t seed;
    std::uint64_t count;
};
std::uint64_t walk(Steps steps);
/// Where `walk` has to end, told by a shortcut in logarithmic time.
std::uint64_t walk_end(Steps steps);

/// 0, 1, 2, ...
std::vector<std::int64_t> numbers(std::size_t count);
/// 0, 1, 4, ...
std::vector<std::int64_t> expected_squares(std::size_t count);
/// 2,000 items of about 1 ms, the longest 20 times the shortest, in random order.
std::vector<Steps> uneven_items();
/// Items of a size in the plot over sizes: 32 MiB, but no more items than are needed to measure.
std::size_t sweep_count(std::size_t size);
/// Payloads side by side, each filled from its own index.
std::vector<std::uint64_t> payload_input(std::size_t count, std::size_t size);

} // namespace work
