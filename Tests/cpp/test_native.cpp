// test_native.cpp - C functions by their prototypes: columns, proxies
//
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"
#include "workers.hpp"

#include <thread>

TEST(columns_are_ranges) {
    auto pool = pool_of(2);
    auto pow = must(pool.function<>(mape::by_prototype("libm.so.6", "double pow(double x, double y)")));
    const std::vector<double> bases = {1, 2, 3, 4};
    const double exponent = 3;
    auto job = must(pool.map_columns(pow, bases.size(), {mape::column(bases), mape::constant(exponent)}));
    must(job.wait());
    std::vector<double> powers(4);
    REQUIRE(must(job.gather_columns({mape::column(powers)})) == 0 && powers == std::vector<double>{1, 8, 27, 64});
    // Another type is refused, by the parameter's name.
    const float wrong[4] = {};
    const auto refused = pool.map_columns(pow, 4, {mape::column(bases), mape::column(wrong)});
    REQUIRE(refused.status() == MAPE_E_ARGUMENT && refused.error().text().find('y') != std::string::npos);
}

TEST(a_proxy_says_how_its_call_ended) {
    struct Division {
        int quotient, rest;
    };
    auto pool = pool_of(1);
    auto div =
        must(pool.function<>(mape::by_prototype("libc.so.6", "{int quot, rem;} div(int numerator, int denominator)")));
    auto divide = must(mape::Proxy<Division(int, int)>::create(pool, div));
    const Division done = must(divide(17, 5));
    REQUIRE(done.quotient == 3 && done.rest == 2);
    const auto crashed = divide(17, 0);
    REQUIRE(crashed.status() == MAPE_ITEM_CRASHED && crashed.error().text().find("SIGFPE") != std::string::npos);
    REQUIRE(divide.get()(9, 2).quotient == 4 && divide.get()(1, 0).quotient == 0);
    int wrong = 0;
    std::thread([&] {
        for (int i = 1; i < 50; i++) wrong += must(divide(i * 7, 7)).quotient != i;
    }).join();
    auto moved = std::move(divide);
    REQUIRE(wrong == 0 && divide(1, 1).status() == MAPE_E_HANDLE && must(moved(8, 2)).quotient == 4);
    pool = mape::Pool();
    REQUIRE(moved(1, 1).status() < 0);
}

TEST(a_proxy_may_return_nothing) {
    auto pool = pool_of(1);
    auto function = must(pool.function<>(mape::by_prototype("libc.so.6", "void srand(unsigned seed)")));
    auto call = must(mape::Proxy<void(unsigned)>::create(pool, function));
    must(call(5u));
    mape::JobOptions<> options;
    options.item_timeout_ns = MAPE_MILLISECONDS(50);
    auto sleeping = must(pool.function<>(mape::by_prototype("libc.so.6", "unsigned sleep(unsigned seconds)")));
    auto sleep = must(mape::Proxy<unsigned(unsigned)>::create(pool, sleeping, options));
    REQUIRE(sleep(600u).status() == MAPE_ITEM_TIMED_OUT);
}
