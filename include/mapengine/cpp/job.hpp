// mapengine/cpp/job.hpp - jobs: waiting, results in place, callbacks, co_await
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_CPP_JOB_HPP
#define MAPENGINE_CPP_JOB_HPP

#include "../native.h"
#include "../stats.h"
#include "item.hpp"
#include "state.hpp"

#include <initializer_list>
#if defined(__cpp_impl_coroutine) && __has_include(<coroutine>)
#include <coroutine>
#endif

/** @file job.hpp
 *  @brief Jobs: waiting, results in place, callbacks, co_await. */

namespace mape {
inline namespace MAPE_CPP_ABI {

template <class Out> class JobRef;

/// @cond
namespace detail {
inline mape_job_config default_job() noexcept { return MAPE_JOB_CONFIG_INIT; }
} // namespace detail
/// @endcond

/** Settings of a job: the fields of #mape_job_config, with lambdas for its callbacks, which hide the pointers of C. They run inside of
 *  Pool::dispatch, on the thread that called it, and may submit, cancel, destroy their own Job, and destroy the Pool. */
template <class Out = void> struct JobOptions : mape_job_config {
    /** @brief All defaults. */
    JobOptions() noexcept : mape_job_config(detail::default_job()) {}

    std::function<void(const Item<Out> &)> on_item;             /**< Called per item, also with #MAPE_DELIVER_RANGES; or empty. */
    std::function<void(const mape_progress &)> on_progress;     /**< Called now and then, or empty. */
    std::function<void(JobRef<Out>, const mape_progress &)> on_done; /**< Called once, last, or empty. */

    /** @brief Gives the job data, which its functions read by Task::job_data. @param value a plain value or a contiguous range; it has to stay
     *         until the job is submitted, which copies it. */
    template <class T> void set_data(const T &value) {
        if constexpr (detail::IsContiguous<const T>::value) {
            data = std::data(value);
            data_size = std::size(value) * sizeof(*std::data(value));
        } else {
            detail::require_plain<T>();
            data = &value;
            data_size = sizeof value;
        }
    }
};

/// @cond
namespace detail {

template <class Out> struct TypedJobState final : JobState {
    TypedJobState(std::shared_ptr<PoolState> of, const JobOptions<Out> &options)
        : JobState(std::move(of)), on_item(options.on_item), on_progress(options.on_progress), on_done(options.on_done) {}
    void item(const mape_event &event) override { on_item(Item<Out>(event.index, event.result)); }
    void progress(const mape_event &event) override { on_progress(event.progress); }
    void done(const mape_event &event) override {
        if (on_done) on_done(JobRef<Out>(pool, event.job), event.progress);
    }

    decltype(JobOptions<Out>::on_item) on_item;
    decltype(JobOptions<Out>::on_progress) on_progress;
    decltype(JobOptions<Out>::on_done) on_done;
};

} // namespace detail
/// @endcond

/** A job, not owned: what its callbacks get. Any thread may call it; after the job was released its calls fail with #MAPE_E_HANDLE. */
template <class Out = void> class JobRef {
public:
    using Element = detail::Element<Out>; /**< What results are made of. */

    /** @brief No job: all calls fail with #MAPE_E_HANDLE. */
    JobRef() = default;
    /// @cond
    JobRef(std::shared_ptr<detail::PoolState> pool, mape_job *job) : pool_(std::move(pool)), job_(job) {}
    /// @endcond

    /** @brief The handle, for calls of C. @return it, NULL when there is none. */
    mape_job *handle() const noexcept { return job_; }

    /** @brief Waits until every item has ended. It runs no callbacks: another thread, or Pool::run, does.
     *  @param timeout how long; mape::forever: without end. @return as #mape_job_wait. */
    Result<void> wait(Duration timeout = forever) const { return checked(mape_job_wait(job_, timeout.count())); }
    /** @brief The state in numbers. @return as #mape_job_progress. */
    Result<mape_progress> progress() const {
        mape_progress progress MAPE_PROGRESS_INIT;
        return answer(mape_job_progress(&progress, job_), progress);
    }
    /** @brief What has been done, and how long items took. @return as #mape_job_stats. */
    Result<mape_work_stats> stats() const {
        mape_work_stats stats MAPE_WORK_STATS_INIT;
        return answer(mape_job_stats(&stats, job_), stats);
    }
    /** @brief Whether every item has ended. @return true when it has; false also when there is no job. */
    bool is_done() const {
        mape_progress progress MAPE_PROGRESS_INIT;
        return mape_job_progress(&progress, job_) == MAPE_OK && progress.is_done;
    }
    /** @brief How an item ended. @param index 0 to total - 1. @return the item, in place; #MAPE_E_AGAIN when it has not ended; else as
     *         #mape_job_result. */
    Result<Item<Out>> item(std::uint64_t index) const {
        mape_result result MAPE_RESULT_INIT;
        if (auto read = checked(mape_job_result(&result, job_, index)); !read) return read.error();
        return Item<Out>(index, result);
    }
    /** @brief What is known of the crash of an item. @param index 0 to total - 1. @return as #mape_job_crash. */
    Result<mape_crash> crash(std::uint64_t index) const {
        mape_crash crash MAPE_CRASH_INIT;
        return answer(mape_job_crash(&crash, job_, index), crash);
    }
    /** @brief Cancels the job: items that wait end at once, running ones within the pool's grace. @return as #mape_job_cancel. */
    Result<void> cancel() const { return checked(mape_job_cancel(job_)); }
    /** @brief Cancels the items that have not begun. @return how many have ended by it; else as #mape_job_cancel_waiting. */
    Result<std::uint64_t> cancel_waiting() const {
        std::uint64_t count = 0;
        return answer(mape_job_cancel_waiting(&count, job_), count);
    }

    /** @brief Copies the results of a job that is done, one T each. Places of items that did not end well stay as they are.
     *  @param out the places, as many as there are items. @return how many items did not end well; else as #mape_job_gather. */
    Result<std::uint64_t> gather(Span<Element> out) const {
        static_assert(detail::Layout<Out>::is_one, "say how many elements a result has at most: gather(out, per_item)");
        return gather(out, 1);
    }
    /** @brief Copies the results of a job that is done, each to its place. Places of items that did not end well stay as they are.
     *  @param out the places. @param per_item how many elements lie from one place to the next, no fewer than the largest result has.
     *  @return how many items did not end well; else as #mape_job_gather. */
    Result<std::uint64_t> gather(Span<Element> out, std::size_t per_item) const {
        std::uint64_t missing = 0;
        return answer(mape_job_gather(out.data(), out.size() * sizeof(Element), per_item * sizeof(Element), &missing, job_), missing);
    }
    /** @brief Waits for the job, and copies all its results, one T each.
     *  @param timeout how long to wait at most. @return the results; the error of the first item that did not end well, when there is one (its
     *         status is the item's state, positive); else as #mape_job_wait and #mape_job_gather. */
    Result<std::vector<Element>> collect(Duration timeout = forever) const {
        if (const auto waited = wait(timeout); !waited) return waited.error();
        const auto state = progress();
        if (!state) return state.error();
        std::vector<Element> results(state->total);
        const auto missing = gather(results);
        if (!missing) return missing.error();
        for (std::uint64_t i = 0; *missing > 0 && i < state->total; i++) {
            const auto one = item(i);
            if (one && !*one) return one->error();
        }
        return results;
    }
    /** @brief Copies the outputs of a typed function's job that is done. @param columns one per output: mape::column.
     *  @return how many calls did not end well; else as #mape_job_gather_columns. */
    Result<std::uint64_t> gather_columns(std::initializer_list<mape_column> columns) const {
        std::uint64_t missing = 0;
        return answer(mape_job_gather_columns(columns.begin(), columns.size(), &missing, job_), missing);
    }

protected:
    /// @cond
    template <class T> Result<T> answer(int status, const T &value) const { // By reference: the call before it fills it in.
        if (status != MAPE_OK) return detail::error_of(status, pool_ ? pool_->pool : nullptr);
        return value;
    }
    Result<void> checked(int status) const {
        if (status != MAPE_OK) return detail::error_of(status, pool_ ? pool_->pool : nullptr);
        return {};
    }

    std::shared_ptr<detail::PoolState> pool_;
    mape_job *job_ = nullptr;
    /// @endcond
};

/** A job. Its destructor releases it: what has not ended is cancelled, results in place are gone, and no callback comes any more. Moved from, or made
 *  by default, it is no job: its calls fail with #MAPE_E_HANDLE. A job that outlives its Pool is harmless. */
template <class Out = void> class [[nodiscard]] Job : public JobRef<Out> {
public:
    /** @brief No job. */
    Job() = default;
    /** @brief Takes a job over. @param other is no job afterwards. */
    Job(Job &&other) noexcept : JobRef<Out>(std::move(other.pool_), std::exchange(other.job_, nullptr)), state_(std::exchange(other.state_, nullptr)) {}
    /** @brief Releases this job and takes another over. @param other is no job afterwards. @return this. */
    Job &operator=(Job &&other) noexcept {
        Job taken(std::move(other));
        std::swap(this->pool_, taken.pool_);
        std::swap(this->job_, taken.job_);
        std::swap(state_, taken.state_);
        return *this;
    }
    ~Job() {
        if (!state_) return;
        mape_job_release(this->job_);
        this->pool_->retire(state_);
    }
    /// @cond
    Job(std::shared_ptr<detail::PoolState> pool, mape_job *job, detail::JobState *state) : JobRef<Out>(std::move(pool), job), state_(state) {}
    /// @endcond

    /** @brief Lets the job go on without this handle: it is released after its on_done, in Pool::dispatch, or with the Pool. Afterwards this is
     *         no job. */
    void detach() {
        Job gone(std::move(*this));
        if (!gone.state_) return;
        const std::lock_guard<std::mutex> held(gone.pool_->lock);
        if (gone.state_->is_done || gone.pool_->is_released) return; // Released here.
        gone.state_->is_detached = true;
        gone.pool_->detached.insert(std::exchange(gone.state_, nullptr));
    }

    /// @cond
    // Whether its on_done has been dispatched.
    Result<bool> was_dispatched() const {
        if (!state_) return detail::error_of(MAPE_E_HANDLE, nullptr);
        const std::lock_guard<std::mutex> held(this->pool_->lock);
        return state_->is_done;
    }
    /// @endcond

#if defined(__cpp_impl_coroutine)
    /// @cond
    class Awaiter final : detail::Waiter {
    public:
        explicit Awaiter(std::shared_ptr<detail::PoolState> pool, detail::JobState *state) : pool_(std::move(pool)), state_(state) {}
        Awaiter(const Awaiter &) = delete;
        Awaiter &operator=(const Awaiter &) = delete;
        ~Awaiter() {
            if (!pool_) return;
            const std::lock_guard<std::mutex> held(pool_->lock);
            if (job) job->forget(this);
        }
        bool await_ready() const noexcept { return state_ == nullptr; }
        bool await_suspend(std::coroutine_handle<> coroutine) {
            const std::shared_ptr<detail::PoolState> pool = pool_; // Another thread may resume, and end, the coroutine at once.
            const std::lock_guard<std::mutex> held(pool->lock);
            if (state_->is_done) {
                end_ = state_->end;
                return false;
            }
            coroutine_ = coroutine;
            job = state_;
            next = state_->waiters;
            state_->waiters = this;
            return true;
        }
        mape_progress await_resume() const noexcept { return end_; }

    private:
        void resume() override {
            end_ = state_->end;
            coroutine_.resume();
        }

        const std::shared_ptr<detail::PoolState> pool_;
        detail::JobState *const state_;
        std::coroutine_handle<> coroutine_;
        mape_progress end_ MAPE_PROGRESS_INIT;
    };
    /// @endcond

    /** @brief `co_await job` (C++20) suspends a coroutine, of whatever type, until every item has ended. Pool::dispatch resumes it, on the thread
     *         that called it, after the job's on_done. When the job's end was dispatched already it does not suspend.
     *
     *  The Job has to be there until then; mostly it is a variable of the coroutine. A coroutine that is destroyed meanwhile is not resumed, nor
     *  is one whose Job or Pool is destroyed: it stays suspended. Shut the pool down and dispatch once more before it goes. What the coroutine
     *  throws out of `resume` is thrown by Pool::dispatch.
     *  @return what awaits. The value of the expression is the job's #mape_progress at its end; that of no job is empty, at once. */
    Awaiter operator co_await() const { return Awaiter(this->pool_, state_); }
#endif

private:
    detail::JobState *state_ = nullptr;
};

} // namespace MAPE_CPP_ABI
} // namespace mape

#endif // MAPENGINE_CPP_JOB_HPP
