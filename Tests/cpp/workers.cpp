// workers.cpp - C++ functions and classes for workers
//
// SPDX-License-Identifier: Apache-2.0
#include "workers.hpp"

#include <cmath>

#include <unistd.h>

double square(double x) { return x * x; }

float norm(const Point &point) { return std::sqrt(point.x * point.x + point.y * point.y); }

std::vector<std::uint32_t> factors(std::uint32_t number) {
    std::vector<std::uint32_t> found;
    for (std::uint32_t divisor = 2; number > 1; divisor++)
        for (; number % divisor == 0; number /= divisor) found.push_back(divisor);
    return found;
}

double sum(mape::Span<const double> values) {
    double total = 0;
    for (const double value : values) total += value;
    return total;
}

std::string shout(mape::Span<const char> text) {
    std::string loud(text.data(), text.size());
    for (char &letter : loud)
        if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    return loud;
}

void countdown(mape::Task &task, std::uint32_t from) {
    const auto out = task.output<std::uint32_t>(from);
    for (std::uint32_t &number : out) number = from--;
}

std::uint64_t place_of(mape::Task &task, const Point &point) {
    (void)task;
    return reinterpret_cast<std::uintptr_t>(&point) % 4096;
}

int crash_on_odd(int number) {
    volatile int *volatile nowhere = nullptr;
    if (number % 2) *nowhere = 1;
    return number;
}

int wait_for_cancel(mape::Task &task, int number) {
    task.progress(0.5);
    while (number != 0 && !task.is_cancelled()) usleep(1000);
    if (number != 0) task.fail(7, "it was cancelled");
    return number;
}

#if defined(__cpp_exceptions)
int throw_on_odd(int number) {
    if (number % 2 == 0) return number;
    if (number == 13) throw number;
    throw std::runtime_error("odd: " + std::to_string(number));
}
#else
int throw_on_odd(int number) { return number; }
#endif

float from_globals(mape::Task &task, std::uint32_t index) {
    const auto table = task.global<float>("table");
    const auto offset = task.job_data<float>();
    if (index >= table.size()) {
        task.fail(3, "there is no such entry");
        return 0;
    }
    return table[index] + (offset.empty() ? 0 : offset[0]);
}

Multiplier::Multiplier(mape::Task &task, const Settings &settings) : factor_(settings.factor) {
    if (settings.fail) {
#if defined(__cpp_exceptions)
        throw std::runtime_error("no multiplier today");
#else
        task.fail(1, "no multiplier today");
#endif
    }
    task.log(MAPE_LOG_INFO, "a multiplier was made");
}

double Multiplier::operator()(double x) {
    calls_++;
    return x * factor_;
}
