// workers.hpp - C++ functions and classes for workers
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mapengine/cpp/worker.hpp>

struct Point {
    float x, y;
};

double square(double x);
float norm(const Point &point);
std::vector<std::uint32_t> factors(std::uint32_t number); // So many as there are.
double sum(mape::Span<const double> values);
std::string shout(mape::Span<const char> text);
void countdown(mape::Task &task, std::uint32_t from);         // Writes its result itself: from, ..., 1.
std::uint64_t place_of(mape::Task &task, const Point &point); // Where the item lies, modulo a page.
int crash_on_odd(int number);
int wait_for_cancel(mape::Task &task, int number);         // 0 ends at once, other numbers when they are cancelled.
int throw_on_odd(int number);                              // Without exceptions it fails by its task.
float from_globals(mape::Task &task, std::uint32_t index); // global "table"[index] + the job's data.

struct Settings {
    double factor;
    int fail; // 1: the constructor throws (or fails the setup).
};

// A worker's own object.
class Multiplier {
public:
    Multiplier(mape::Task &task, const Settings &settings);
    double operator()(double x);

private:
    double factor_;
    int calls_ = 0;
};

// Made of the settings alone.
struct Offset {
    explicit Offset(const int &of) : offset(of) {}
    int operator()(mape::Task &task, const int &x) const noexcept { return x + offset + (task.worker() < 64 ? 0 : 1); }
    int offset;
};
