// test_await.cpp - co_await on a job, in C++20
//
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"
#include "workers.hpp"

#if defined(__cpp_impl_coroutine)

#include <thread>

// A coroutine that starts at once and is destroyed with this object; what it throws goes to whoever resumes it.
struct Flow {
    struct promise_type {
        Flow get_return_object() { return Flow(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {
#if defined(__cpp_exceptions)
            throw;
#endif
        }
    };
    explicit Flow(std::coroutine_handle<promise_type> made) : handle(made) {}
    Flow(Flow &&other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
    ~Flow() {
        if (handle) handle.destroy();
    }
    bool is_over() const { return handle.done(); }
    std::coroutine_handle<promise_type> handle;
};

struct Seen {
    int steps = 0;
    long thread = 0;
    double total = 0;
    mape_progress end MAPE_PROGRESS_INIT;
};

static Flow two_maps(mape::Pool &pool, mape::Function<double, double> &function, Seen &seen) {
    auto first = must(pool.map(function, std::vector<double>{1, 2, 3}));
    seen.end = co_await first;
    seen.steps = 1;
    seen.thread = this_thread();
    for (const double value : must(first.collect())) seen.total += value;
    const mape_progress end =
        co_await must(pool.apply(function, seen.total)); // A temporary: it lives as long as the expression.
    EXPECT(end.ok == 1);
    seen.steps = 2;
}

template <class Out> static Flow wait_for(const mape::Job<Out> &job, Seen &seen) {
    seen.end = co_await job;
    seen.steps++;
    seen.thread = this_thread();
}

TEST(a_coroutine_goes_on_in_dispatch) {
    auto pool = pool_of(2);
    auto function = must(pool.function<&square>());
    Seen seen;
    const Flow flow = two_maps(pool, function, seen);
    REQUIRE(seen.steps == 0 && !flow.is_over());
    while (seen.steps == 0) must(pool.dispatch(1));
    REQUIRE(seen.thread == this_thread() && seen.total == 14 && seen.end.ok == 3 && seen.end.is_done);
    while (!flow.is_over()) must(pool.dispatch());
    REQUIRE(seen.steps == 2);
}

TEST(the_thread_that_dispatches_resumes) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    auto job = must(pool.apply(function, 2.0));
    Seen seen;
    const Flow flow = wait_for(job, seen);
    long dispatcher = 0;
    std::thread([&] {
        dispatcher = this_thread();
        must(pool.run(job));
    }).join();
    REQUIRE(flow.is_over() && seen.thread == dispatcher && dispatcher != this_thread());
    // Its end is known: no suspension.
    Seen again;
    REQUIRE(wait_for(job, again).is_over() && again.end.ok == 1);
    Seen none;
    REQUIRE(wait_for(mape::Job<double>(), none).is_over() && none.end.total == 0);
}

TEST(several_coroutines_wait_for_one_job) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    Seen seen, gone;
    int dones = 0;
    mape::JobOptions<double> options;
    options.on_done = [&](mape::JobRef<double>, const mape_progress &) { dones += seen.steps == 0; };
    auto job = must(pool.apply(function, 2.0, options));
    const Flow first = wait_for(job, seen);
    {
        const Flow destroyed = wait_for(job, gone); // While it waits.
    }
    const Flow third = wait_for(job, seen);
    must(pool.run(job));
    REQUIRE(dones == 1 && seen.steps == 2 && gone.steps == 0);
}

TEST(a_cancelled_job_and_one_that_is_shut_down_end_their_wait) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&wait_for_cancel>());
    Seen seen;
    {
        auto job = must(pool.apply(function, 1));
        const Flow flow = wait_for(job, seen);
        must(job.cancel());
        must(pool.run(job));
        REQUIRE(flow.is_over() && seen.end.done == 1 && seen.end.ok == 0);
    }
    auto job = must(pool.apply(function, 1));
    const Flow flow = wait_for(job, seen);
    must(pool.shutdown(MAPE_SHUTDOWN_CANCEL, std::chrono::seconds(10)));
    must(pool.dispatch());
    REQUIRE(flow.is_over() && seen.end.ok == 0 && seen.end.done == 1);
}

// The job is destroyed, with its pool, while a coroutine waits: it stays where it is, and is freed by its owner.
TEST(a_coroutine_whose_job_goes_stays_suspended) {
    Seen seen;
    std::optional<mape::Pool> pool = pool_of(1);
    auto function = must(pool->function<&square>());
    std::optional<mape::Job<double>> job = must(pool->apply(function, 2.0));
    const Flow flow = wait_for(*job, seen);
    job.reset();
    must(pool->dispatch());
    auto other = must(pool->apply(function, 2.0));
    const Flow waits = wait_for(other, seen);
    pool.reset();
    REQUIRE(!flow.is_over() && !waits.is_over() && seen.steps == 0);
}

#if defined(__cpp_exceptions)
TEST(dispatch_throws_what_a_coroutine_throws) {
    auto pool = pool_of(1);
    auto function = must(pool.function<&square>());
    auto body = [](mape::Pool &in, mape::Function<double, double> &of) -> Flow {
        auto job = must(in.apply(of, 2.0));
        co_await job;
        job.item(7).value(); // There is none.
    };
    const Flow flow = body(pool, function);
    int status = 0;
    while (status == 0) {
        try {
            must(pool.dispatch());
        } catch (const mape::Exception &error) {
            status = error.status();
        }
    }
    REQUIRE(status == MAPE_E_INDEX && flow.is_over());
}
#endif

#else

TEST(coroutines_need_a_later_standard) { REQUIRE(__cplusplus < 202002L); }

#endif
