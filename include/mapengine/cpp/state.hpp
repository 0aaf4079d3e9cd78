// mapengine/cpp/state.hpp - what callbacks need on the host's side; no part of the interface
//
// SPDX-License-Identifier: Apache-2.0
//
// A job's context is its JobState, which holds the job's lambdas. It may be freed only when no dispatch can be in one of them. So a state
// whose job was released goes to the pool's list of retired ones, which the outermost dispatch frees when it ends; with no dispatch under way
// it is freed at once. `lock` guards all that is below it.
#ifndef MAPENGINE_CPP_STATE_HPP
#define MAPENGINE_CPP_STATE_HPP

#include "result.hpp"

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>
#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

/// @cond
namespace mape {
inline namespace MAPE_CPP_ABI {
namespace detail {

struct JobState;

// A coroutine that waits for a job. It lies in the coroutine's frame, and is in its job's list as long as it waits.
struct Waiter {
    Waiter *next = nullptr;
    JobState *job = nullptr; // NULL when it is in no list.
    virtual void resume() = 0;

protected:
    ~Waiter() = default;
};

struct PoolState : std::enable_shared_from_this<PoolState> {
    mape_pool *pool = nullptr; // Set once.
    std::function<void(const mape_event &)> on_output, on_log;
    std::function<void(std::exception_ptr)> on_exception;
    std::unique_ptr<std::function<void()>> wakeup; // The hook that is set.

    std::mutex lock;
    bool is_released = false;
    unsigned dispatching = 0; // Calls of dispatch and callbacks that are under way.
    std::deque<std::exception_ptr> thrown;
    std::vector<std::unique_ptr<JobState>> retired;
    std::unordered_set<JobState *> detached; // Jobs without a handle, which are not done.

    void retire(JobState *state);
    void release();

    template <class F> void guard(F &&callback);
    void note_exception();
    std::exception_ptr next_exception() {
        const std::lock_guard<std::mutex> held(lock);
        if (thrown.empty()) return nullptr;
        std::exception_ptr first = std::move(thrown.front());
        thrown.pop_front();
        return first;
    }
    bool has_ended_early() {
        const std::lock_guard<std::mutex> held(lock);
        return is_released || !thrown.empty();
    }

    static void output(void *context, const mape_event *event);
    static void log(void *context, const mape_event *event);
};

// What a job's callbacks are, whatever the type of its results.
struct JobState {
    explicit JobState(std::shared_ptr<PoolState> of) : pool(std::move(of)) {}
    virtual ~JobState() = default;
    virtual void item(const mape_event &) {}
    virtual void progress(const mape_event &) {}
    virtual void done(const mape_event &) {}

    const std::shared_ptr<PoolState> pool;
    // Guarded by the pool's lock.
    bool is_done = false, is_detached = false;
    mape_progress end MAPE_PROGRESS_INIT;
    Waiter *waiters = nullptr;

    // Sets the callbacks of a configuration; `done` comes always, for coroutines and detached jobs.
    void enter(mape_job_config &config, bool with_items, bool with_progress) {
        config.context = this;
        config.on_item = with_items ? on_item : nullptr;
        if (with_items) config.deliver &= ~static_cast<std::uint32_t>(MAPE_DELIVER_RANGES); // A lambda gets each item.
        config.on_progress = with_progress ? on_progress : nullptr;
        config.on_done = on_done;
    }
    // Under the pool's lock.
    void forget_waiters() {
        while (Waiter *waiter = waiters) {
            waiters = waiter->next;
            waiter->job = nullptr;
        }
    }
    void forget(Waiter *gone) {
        for (Waiter **at = &waiters; *at; at = &(*at)->next)
            if (*at == gone) {
                *at = gone->next;
                break;
            }
        gone->job = nullptr;
    }

    static void on_item(void *context, const mape_event *event);
    static void on_progress(void *context, const mape_event *event);
    static void on_done(void *context, const mape_event *event);
};

// While one exists for a pool, no state of a job is freed.
class DispatchScope {
public:
    explicit DispatchScope(std::shared_ptr<PoolState> of) : pool(std::move(of)) {
        const std::lock_guard<std::mutex> held(pool->lock);
        pool->dispatching++;
    }
    ~DispatchScope() {
        std::vector<std::unique_ptr<JobState>> freed;
        const std::lock_guard<std::mutex> held(pool->lock);
        if (--pool->dispatching == 0) freed.swap(pool->retired);
        // `held` ends before `freed`: destructors of lambdas run without the lock.
    }
    DispatchScope(const DispatchScope &) = delete;
    DispatchScope &operator=(const DispatchScope &) = delete;

private:
    const std::shared_ptr<PoolState> pool;
};

inline void rethrow(std::exception_ptr thrown) {
#if defined(__cpp_exceptions)
    if (thrown) std::rethrow_exception(std::move(thrown));
#else
    (void)thrown;
#endif
}

// Owns the state of a job until it is given to the engine, or away.
inline void PoolState::retire(JobState *state) {
    std::unique_ptr<JobState> freed(state);
    const std::lock_guard<std::mutex> held(lock);
    state->forget_waiters();
    if (dispatching > 0) retired.push_back(std::move(freed));
}

inline void PoolState::release() {
    mape_pool_release(pool); // Waits for workers; no callback comes any more when it has returned, but one that runs goes on.
    std::vector<std::unique_ptr<JobState>> freed;
    const std::lock_guard<std::mutex> held(lock);
    is_released = true;
    for (JobState *state : detached) {
        state->forget_waiters();
        (dispatching > 0 ? retired : freed).emplace_back(state);
    }
    detached.clear();
}

inline void PoolState::note_exception() {
#if defined(__cpp_exceptions)
    if (on_exception) {
        on_exception(std::current_exception());
        return;
    }
    const std::lock_guard<std::mutex> held(lock);
    thrown.push_back(std::current_exception());
#endif
}

// Runs a callback of the host. What it throws is kept for dispatch, so that no exception passes through the engine.
template <class F> void PoolState::guard(F &&callback) {
#if defined(__cpp_exceptions)
    try {
        callback();
    }
#if defined(__GLIBCXX__)
    catch (abi::__forced_unwind &) {
        throw; // A cancelled thread: see mape_event_fn.
    }
#endif
    catch (...) {
        note_exception();
    }
#else
    callback();
#endif
}

inline void PoolState::output(void *context, const mape_event *event) {
    const DispatchScope scope(static_cast<PoolState *>(context)->shared_from_this());
    auto &self = *static_cast<PoolState *>(context);
    self.guard([&] { self.on_output(*event); });
}

inline void PoolState::log(void *context, const mape_event *event) {
    const DispatchScope scope(static_cast<PoolState *>(context)->shared_from_this());
    auto &self = *static_cast<PoolState *>(context);
    self.guard([&] { self.on_log(*event); });
}

inline void JobState::on_item(void *context, const mape_event *event) {
    auto &self = *static_cast<JobState *>(context);
    const DispatchScope scope(self.pool);
    self.pool->guard([&] { self.item(*event); });
}

inline void JobState::on_progress(void *context, const mape_event *event) {
    auto &self = *static_cast<JobState *>(context);
    const DispatchScope scope(self.pool);
    self.pool->guard([&] { self.progress(*event); });
}

inline void JobState::on_done(void *context, const mape_event *event) {
    auto &self = *static_cast<JobState *>(context);
    const std::shared_ptr<PoolState> pool = self.pool;
    const DispatchScope scope(pool);
    {
        const std::lock_guard<std::mutex> held(pool->lock);
        self.is_done = true;
        self.end = event->progress;
    }
    pool->guard([&] { self.done(*event); });
    for (;;) {
        Waiter *waiter;
        {
            const std::lock_guard<std::mutex> held(pool->lock);
            waiter = self.waiters;
            if (waiter) self.forget(waiter);
        }
        if (!waiter) break;
        pool->guard([&] { waiter->resume(); });
    }
    bool is_ours = false;
    {
        const std::lock_guard<std::mutex> held(pool->lock);
        is_ours = self.is_detached && pool->detached.erase(&self) > 0;
    }
    if (is_ours) {
        mape_job_release(event->job);
        pool->retire(&self);
    }
}

} // namespace detail
} // namespace MAPE_CPP_ABI
} // namespace mape
/// @endcond

#endif // MAPENGINE_CPP_STATE_HPP
