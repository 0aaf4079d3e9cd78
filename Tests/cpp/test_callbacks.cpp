// test_callbacks.cpp - lambdas as callbacks: which thread, which order, exceptions
//
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"
#include "workers.hpp"

#include <atomic>
#include <numeric>

TEST(callbacks_run_inside_of_dispatch) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&square>());
    std::vector<double> numbers(400);
    std::iota(numbers.begin(), numbers.end(), 0.0);
    const long main_thread = this_thread();
    int items = 0, dones = 0, elsewhere = 0;
    mape::JobOptions<double> options;
    options.on_item = [&](const mape::Item<double> &item) {
        elsewhere += this_thread() != main_thread || dones > 0;
        items += item.value() == numbers[item.index()] * numbers[item.index()];
    };
    options.on_done = [&](mape::JobRef<double> job, const mape_progress &progress) {
        dones++;
        EXPECT(progress.ok == 400 && items == 400 && job.is_done() && must(job.item(2)).value() == 4);
    };
    auto job = must(pool.map(function, numbers, options));
    must(job.wait());
    REQUIRE(items == 0); // Nobody has dispatched.
    must(pool.run(job));
    REQUIRE(items == 400 && dones == 1 && elsewhere == 0);
    REQUIRE(must(pool.dispatch()) == 0);
}

TEST(a_lambda_gets_each_item_of_a_range) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&square>());
    std::vector<int> seen(2000);
    mape::JobOptions<double> options;
    options.deliver = MAPE_DELIVER_RANGES;
    options.on_item = [&](const mape::Item<double> &item) { seen[item.index()] += item.value() == 9; };
    auto job = must(pool.map(function, std::vector<double>(2000, 3.0), options));
    must(pool.run(job));
    REQUIRE(seen == std::vector<int>(2000, 1));
}

TEST(progress_comes_while_items_run) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&wait_for_cancel>());
    double fraction = 0;
    mape::JobOptions<int> options;
    options.on_progress = [&](const mape_progress &progress) { fraction = progress.fraction; };
    auto job = must(pool.apply(function, 1, options));
    while (fraction == 0) must(pool.dispatch());
    REQUIRE(fraction == 0.5);
    must(job.cancel());
    must(pool.run(job));
}

TEST(dispatch_stops_after_so_many_events) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    int items = 0;
    mape::JobOptions<double> options;
    options.on_item = [&](const mape::Item<double> &) { items++; };
    auto job = must(pool.map(function, std::vector<double>(20), options));
    must(job.wait());
    REQUIRE(must(pool.dispatch(7)) == 7 && items == 7);
    REQUIRE(must(pool.dispatch(1)) == 1 && items == 8);
    // A budget that is over after the first callback.
    options.on_item = [&](const mape::Item<double> &) { usleep(2000); };
    auto slow = must(pool.map(function, std::vector<double>(20), options));
    must(pool.run(job));
    must(slow.wait());
    REQUIRE(must(pool.dispatch(0, std::chrono::nanoseconds(1))) < 20);
    REQUIRE(items == 20);
}

TEST(a_callback_may_submit_and_may_not_dispatch) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    double second = 0;
    int refused = 0;
    std::optional<mape::Job<double>> next;
    mape::JobOptions<double> options, last;
    last.on_item = [&](const mape::Item<double> &item) { second = item.value(); };
    options.on_item = [&](const mape::Item<double> &item) {
        refused += pool.dispatch().status() == MAPE_E_BUSY;
        next = must(pool.apply(function, item.value(), last));
    };
    auto job = must(pool.apply(function, 3.0, options));
    must(pool.run(job));
    REQUIRE(next && refused == 1);
    must(pool.run(*next));
    REQUIRE(second == 81);
}

TEST(the_descriptor_and_the_wakeup_say_that_there_are_events) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    std::atomic<int> woken{0};
    auto life = std::make_shared<int>();
    must(pool.set_wakeup([&woken, life] { woken++; }));
    int items = 0;
    mape::JobOptions<double> options;
    options.on_item = [&](const mape::Item<double> &) { items++; };
    pollfd ready = {must(pool.event_fd()), POLLIN, 0};
    REQUIRE(poll(&ready, 1, 0) == 0);
    auto job = must(pool.apply(function, 3.0, options));
    must(job.wait());
    REQUIRE(poll(&ready, 1, 60000) == 1 && woken >= 1);
    must(pool.run(job));
    REQUIRE(items == 1 && poll(&ready, 1, 0) == 0);
    must(pool.set_wakeup({}));
    REQUIRE(life.use_count() == 1);
    const auto late =
        pool.run(must(pool.apply(must(pool.function<&wait_for_cancel>()), 1)), std::chrono::milliseconds(5));
    REQUIRE(late.status() == MAPE_E_TIMEOUT);
}

TEST(what_workers_log_and_print_comes_to_lambdas) {
    mape::PoolOptions options;
    std::string logged;
    options.on_log = [&](const mape_event &event) { logged += event.text; };
    auto pool = pool_of(1, options);
    auto function = must(pool.worker<Multiplier>(Settings{3, 0}));
    must(pool.start());
    while (logged.find("a multiplier was made") == std::string::npos) must(pool.dispatch());
    REQUIRE(must(must(pool.apply(function, 2.0)).collect())[0] == 6);
}

#if defined(__cpp_exceptions)
namespace {
struct Oops {
    std::uint64_t index;
};
} // namespace

// Each event comes once; each exception is thrown once, in order, soon after its event.
TEST(dispatch_throws_what_callbacks_throw) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&square>());
    std::vector<int> seen(100);
    bool is_done = false;
    std::uint64_t last = 0;
    mape::JobOptions<double> options;
    options.ordered = 1;
    options.on_item = [&](const mape::Item<double> &item) {
        seen[item.index()]++;
        last = item.index();
        if (item.index() % 3 == 0) throw Oops{item.index()};
    };
    options.on_done = [&](mape::JobRef<double>, const mape_progress &) {
        is_done = true;
        throw std::runtime_error("at the end");
    };
    auto job = must(pool.map(function, std::vector<double>(100), options));
    must(job.wait());
    std::vector<std::uint64_t> thrown;
    std::string end;
    while (!is_done || end.empty()) {
        try {
            must(pool.dispatch());
        } catch (const Oops &oops) {
            EXPECT(oops.index <= last && last < oops.index + 16);
            thrown.push_back(oops.index);
        } catch (const std::runtime_error &error) {
            end = error.what();
        }
    }
    REQUIRE(seen == std::vector<int>(100, 1) && end == "at the end" && thrown.size() == 34);
    for (std::uint64_t i = 0; i < thrown.size(); i++) REQUIRE(thrown[i] == 3 * i);
    REQUIRE(must(pool.dispatch()) == 0);
}

TEST(exceptions_go_to_the_handler_that_was_set) {
    int caught = 0;
    mape::PoolOptions settings;
    settings.on_exception = [&](std::exception_ptr thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (int number) {
            caught += number;
        }
    };
    auto pool = pool_of(1, settings);
    auto function = must(pool.function<&square>());
    int items = 0;
    mape::JobOptions<double> options;
    options.on_item = [&](const mape::Item<double> &) {
        items++;
        throw 1;
    };
    auto job = must(pool.map(function, std::vector<double>(10), options));
    must(job.wait());
    REQUIRE(mape_pool_dispatch(pool.handle(), 0, 0) == 11); // As the adapters do it.
    REQUIRE(caught == 10 && items == 10);
    must(pool.run(job));
}

// A throw in a callback that has destroyed its pool.
TEST(an_exception_survives_its_pool) {
    std::optional<mape::Pool> pool = pool_of(1);
    auto function = must(pool->function<&square>());
    mape::JobOptions<double> options;
    options.on_item = [&](const mape::Item<double> &) {
        pool.reset();
        throw Oops{17};
    };
    auto job = must(pool->apply(function, 1.0, options));
    std::uint64_t caught = 0;
    try {
        while (pool) must(pool->dispatch());
    } catch (const Oops &oops) {
        caught = oops.index;
    }
    REQUIRE(caught == 17 && !pool);
}
#endif
