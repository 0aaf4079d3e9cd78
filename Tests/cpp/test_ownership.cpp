// test_ownership.cpp - who owns what: moves, order of destruction, what is left
//
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"
#include "workers.hpp"

#include <atomic>
#include <thread>

static_assert(!std::is_copy_constructible_v<mape::Pool> && !std::is_copy_assignable_v<mape::Pool>);
static_assert(!std::is_copy_constructible_v<mape::Job<int>> && std::is_nothrow_move_constructible_v<mape::Job<int>>);
static_assert(!std::is_copy_constructible_v<mape::Function<int, int>> &&
              std::is_nothrow_move_assignable_v<mape::Function<int, int>>);
static_assert(!std::is_copy_constructible_v<mape::Buffer<int>> &&
              !std::is_copy_constructible_v<mape::Stream<int, int>>);

TEST(what_was_moved_from_does_nothing) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    auto buffer = must(pool.buffer<double>(10));
    auto job = must(pool.apply(function, 3.0));
    auto stream = must(pool.stream(function));

    mape::Pool other_pool = std::move(pool);
    auto other_function = std::move(function);
    auto other_buffer = std::move(buffer);
    auto other_job = std::move(job);
    auto other_stream = std::move(stream);
    // NOLINTBEGIN(bugprone-use-after-move): that is what this test is about.
    REQUIRE(pool.handle() == nullptr && function.id() == 0 && buffer.data() == nullptr && buffer.size() == 0);
    REQUIRE(pool.start().status() < 0 && pool.dispatch().status() == MAPE_E_HANDLE && pool.stats().status() < 0);
    REQUIRE(pool.apply(other_function, 1.0).status() == MAPE_E_HANDLE && pool.set_wakeup({}).status() < 0);
    REQUIRE(job.handle() == nullptr && job.wait().status() < 0 && job.item(0).status() < 0 && !job.is_done());
    REQUIRE(pool.run(other_job).status() < 0 && other_pool.run(job).status() == MAPE_E_HANDLE);
    REQUIRE(other_pool.apply(function, 1.0).status() == MAPE_E_FUNCTION);
    REQUIRE(stream.finish().status() < 0);
    job.detach();
    // NOLINTEND
    REQUIRE(must(other_job.collect())[0] == 9);
    other_job = must(other_pool.apply(other_function, 4.0)); // Releases the first.
    REQUIRE(must(other_job.collect())[0] == 16);
    other_pool = mape::Pool();
    REQUIRE(other_job.wait().status() == MAPE_E_HANDLE);
}

TEST(handles_that_outlive_their_pool_are_harmless) {
    mape::Job<double> job;
    mape::Function<double, double> function;
    mape::Buffer<double> buffer;
    {
        auto pool = pool_of(1);
        function = must(pool.function<&square>());
        buffer = must(pool.buffer<double>(3));
        mape::JobOptions<double> options;
        options.on_done = [](mape::JobRef<double>, const mape_progress &) {};
        job = must(pool.apply(function, 1.0, options));
    }
    REQUIRE(job.wait().status() == MAPE_E_HANDLE && job.cancel().status() == MAPE_E_HANDLE);
    REQUIRE(job.wait().error().text().size() > 0);
}

TEST(a_function_that_goes_leaves_its_jobs) {
    auto pool = pool_of(1);
    mape::Job<double> job;
    mape_function_id id = 0;
    {
        auto function = must(pool.function<&square>());
        id = function.id();
        job = must(pool.apply(function, 5.0));
    }
    REQUIRE(must(job.collect())[0] == 25);
    mape_job *none = nullptr;
    REQUIRE(mape_apply(&none, pool.handle(), id, "", 0, nullptr) == MAPE_E_FUNCTION);
}

// Lambdas are freed: with the job, not before, and not twice.
TEST(lambdas_live_as_long_as_their_job) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&square>());
    auto life = std::make_shared<int>(0);
    const std::weak_ptr<int> alive = life;
    {
        mape::JobOptions<double> options;
        options.on_item = [life](const mape::Item<double> &) { ++*life; };
        options.on_done = [life](mape::JobRef<double>, const mape_progress &) { ++*life; };
        auto job = must(pool.map(function, std::vector<double>(10), options));
        options = {};
        life.reset();
        must(pool.run(job));
        REQUIRE(!alive.expired() && *alive.lock() == 11);
    }
    REQUIRE(alive.expired());
    // One that cannot be submitted.
    life = std::make_shared<int>(0);
    const std::weak_ptr<int> refused = life;
    mape::JobOptions<double> options;
    options.on_done = [life](mape::JobRef<double>, const mape_progress &) {};
    life.reset();
    REQUIRE(pool.apply(mape::Function<double, double>(), 1.0, options).status() == MAPE_E_FUNCTION);
    options = {};
    REQUIRE(refused.expired());
}

TEST(a_detached_job_goes_on_and_is_released_after_its_end) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    auto life = std::make_shared<double>(0);
    const std::weak_ptr<double> alive = life;
    mape::JobOptions<double> options;
    mape::JobRef<double> seen;
    options.on_done = [life, &seen](mape::JobRef<double> job, const mape_progress &) {
        *life = must(job.item(0)).value();
        seen = job;
    };
    life.reset();
    must(pool.apply(function, 6.0, options)).detach();
    options = {};
    while (seen.handle() == nullptr) must(pool.dispatch());
    REQUIRE(alive.expired() && seen.progress().status() == MAPE_E_HANDLE);

    // One whose end is known already, and one that goes with its pool.
    auto job = must(pool.apply(function, 1.0));
    must(pool.run(job));
    mape_job *const handle = job.handle();
    job.detach();
    REQUIRE(mape_job_wait(handle, 0) == MAPE_E_HANDLE);
    life = std::make_shared<double>(0);
    const std::weak_ptr<double> left = life;
    options.on_done = [life](mape::JobRef<double>, const mape_progress &) {};
    life.reset();
    must(pool.apply(function, 1.0, options)).detach();
    options = {};
    REQUIRE(!left.expired());
    pool = mape::Pool();
    REQUIRE(left.expired());
}

TEST(a_callback_may_destroy_its_own_job) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&square>());
    std::optional<mape::Job<double>> job;
    int calls = 0;
    auto life = std::make_shared<int>(0);
    mape::JobOptions<double> options;
    options.on_item = [&, life](const mape::Item<double> &) {
        calls++;
        job.reset();
        EXPECT(life.use_count() >= 1 && *life == 0); // What it captured is there yet.
    };
    job = must(pool.map(function, std::vector<double>(50), options));
    options = {};
    while (calls == 0) must(pool.dispatch());
    must(pool.dispatch());
    REQUIRE(calls == 1 && !job && life.use_count() == 1);
}

TEST(a_callback_may_destroy_its_pool) {
    std::optional<mape::Pool> pool = pool_of(1);
    auto function = must(pool->function<&square>());
    int calls = 0;
    mape::JobOptions<double> options;
    options.on_item = [&](const mape::Item<double> &) {
        calls++;
        pool.reset();
    };
    auto job = must(pool->map(function, std::vector<double>(50), options));
    while (calls == 0) must(pool->dispatch());
    REQUIRE(calls == 1 && !pool && job.wait().status() == MAPE_E_HANDLE);
}

// Jobs come and go on one thread while another dispatches: under a sanitizer this shows what is freed too early.
TEST(jobs_are_destroyed_while_another_thread_dispatches) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&square>());
    std::atomic<bool> is_over{false};
    std::atomic<int> items{0};
    std::thread dispatcher([&] {
        while (!is_over) {
            must(pool.dispatch());
            std::this_thread::yield();
        }
    });
    for (int round = 0; round < 300; round++) {
        mape::JobOptions<double> options;
        auto life = std::make_shared<std::string>(100, 'x');
        options.on_item = [life, &items](const mape::Item<double> &) { items += life->size() == 100; };
        options.on_done = [life](mape::JobRef<double>, const mape_progress &) { EXPECT(life->size() == 100); };
        auto job = must(pool.map(function, std::vector<double>(20), options));
        if (round % 3 == 0) must(job.wait());
        if (round % 7 == 0) job.detach();
    }
    while (items == 0) std::this_thread::yield();
    is_over = true;
    dispatcher.join();
}

#if defined(__cpp_exceptions)
TEST(errors_are_values_or_exceptions) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    auto job = must(pool.apply(function, 1.0));
    must(job.wait());
    const auto none = job.item(5);
    REQUIRE(!none && none.status() == MAPE_E_INDEX && none.error().text().size() > 0);
    int caught = 0;
    try {
        (void)none.value();
    } catch (const mape::Exception &error) {
        caught += error.status() == MAPE_E_INDEX && error.what() == none.error().text();
    }
    try {
        mape::JobRef<>().wait().value();
    } catch (const std::runtime_error &) {
        caught++;
    }
    mape_pool_config wrong MAPE_POOL_CONFIG_INIT;
    mape::PoolOptions options;
    options.workers = 5000;
    try {
        mape::Pool::create(options).value();
    } catch (const mape::Exception &error) {
        caught += error.status() == MAPE_E_ARGUMENT && std::string(error.what()).find("workers") != std::string::npos;
    }
    REQUIRE(caught == 3 && wrong.struct_size == sizeof wrong);
    REQUIRE(mape::Pool::create(options).value_or(mape::Pool()).handle() == nullptr);
}
#endif
