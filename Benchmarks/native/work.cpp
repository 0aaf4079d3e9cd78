#include "work.h"

#include <algorithm>
#include <cstdlib>
#include <random>

namespace work {

namespace {

// Knuth's MMIX generator.
constexpr std::uint64_t factor = 6364136223846793005U;
constexpr std::uint64_t increment = 1442695040888963407U;

} // namespace

bool is_smoke() { return std::getenv("BENCH_SMOKE") != nullptr; }

std::int64_t square(std::int64_t number) { return number * number; }

void squares(const std::int64_t *numbers, std::int64_t *results, std::size_t count) {
    for (std::size_t i = 0; i < count; i++) results[i] = numbers[i] * numbers[i];
}

double line(double x) { return x * 1.5 + 1; }

std::uint64_t sum(const void *bytes, std::size_t size) {
    const auto *words = static_cast<const std::uint64_t *>(bytes);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < size / sizeof *words; i++) total += words[i];
    return total;
}

void fill(void *bytes, std::size_t size, std::uint64_t seed) {
    auto *words = static_cast<std::uint64_t *>(bytes);
    for (std::size_t i = 0; i < size / sizeof *words; i++) words[i] = seed + i;
}

bool is_filled(const void *bytes, std::size_t size, std::uint64_t seed) {
    const auto *words = static_cast<const std::uint64_t *>(bytes);
    std::uint64_t differences = 0;
    for (std::size_t i = 0; i < size / sizeof *words; i++) differences |= words[i] ^ (seed + i);
    return differences == 0;
}

std::uint64_t walk(Steps steps) {
    std::uint64_t x = steps.seed;
    for (std::uint64_t i = 0; i < steps.count; i++) x = x * factor + increment;
    return x;
}

std::uint64_t walk_end(Steps steps) {
    // n steps are one step with other constants; those of 2n follow from those of n.
    std::uint64_t x = steps.seed, step_factor = factor, step_increment = increment;
    for (std::uint64_t n = steps.count; n > 0; n >>= 1) {
        if (n & 1) x = x * step_factor + step_increment;
        step_increment *= step_factor + 1;
        step_factor *= step_factor;
    }
    return x;
}

std::vector<std::int64_t> numbers(std::size_t count) {
    std::vector<std::int64_t> result(count);
    for (std::size_t i = 0; i < count; i++) result[i] = static_cast<std::int64_t>(i);
    return result;
}

std::vector<std::int64_t> expected_squares(std::size_t count) {
    std::vector<std::int64_t> result(count);
    for (std::size_t i = 0; i < count; i++) result[i] = static_cast<std::int64_t>(i * i);
    return result;
}

std::vector<Steps> uneven_items() {
    const std::size_t count = sized(2000, 20);
    constexpr std::uint64_t shortest = 95'000; // 0.1 ms at 1 ns a step.
    std::mt19937_64 random(1);
    std::vector<Steps> items(count);
    // The modulus leans to small numbers by less than anybody can measure, and is the same with every library.
    for (auto &item : items) item = {random(), shortest + random() % (19 * shortest + 1)};
    items[count / 3].count = shortest;
    items[count / 2].count = 20 * shortest;
    return items;
}

std::size_t sweep_count(std::size_t size) { return std::min<std::size_t>(sized(100'000, 100), (32U << 20) / size); }

std::vector<std::uint64_t> payload_input(std::size_t count, std::size_t size) {
    std::vector<std::uint64_t> words(count * size / sizeof(std::uint64_t));
    for (std::size_t i = 0; i < count; i++) fill(words.data() + i * (size / sizeof(std::uint64_t)), size, i);
    return words;
}

} // namespace work
