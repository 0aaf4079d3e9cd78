// mapengine/cpp/pool.hpp - pools: settings, functions, maps, dispatch
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_CPP_POOL_HPP
#define MAPENGINE_CPP_POOL_HPP

#include "function.hpp"
#include "worker.hpp"

#include <algorithm>
#include <poll.h>

/** @file pool.hpp
 *  @brief Pools: settings, functions, maps, dispatch. */

namespace mape {
inline namespace MAPE_CPP_ABI {

/// @cond
namespace detail {
inline mape_pool_config default_pool() noexcept { return MAPE_POOL_CONFIG_INIT; }
} // namespace detail
/// @endcond

/** Settings of a pool: the fields of #mape_pool_config, with lambdas for its callbacks, which hide the pointers of C. */
struct PoolOptions : mape_pool_config {
    /** @brief All defaults. */
    PoolOptions() noexcept : mape_pool_config(detail::default_pool()) {}

    std::function<void(const mape_event &)> on_output; /**< Called for #MAPE_EVENT_OUTPUT; empty: these are dropped. */
    std::function<void(const mape_event &)> on_log;    /**< Called for #MAPE_EVENT_LOG; empty: these are dropped. */
    /** Called with each exception that leaves a callback, on the thread that dispatches; must not throw. For hosts whose main loop dispatches by
     *  itself (mapengine/glib.h, uv.h, qt.hpp). Empty: Pool::dispatch throws the exception. */
    std::function<void(std::exception_ptr)> on_exception;
};

/** A pool of worker processes. The destructor ends all work, within the grace, and all processes; what its jobs still hold is gone. Moved from, or made
 *  by default, it is no pool: calls fail with #MAPE_E_HANDLE. Any thread may call it, but that one thread at a time dispatches. */
class Pool {
public:
    /** @brief No pool. */
    Pool() = default;
    /** @brief Takes a pool over. @param other is no pool afterwards. */
    Pool(Pool &&other) noexcept = default;
    /** @brief Releases this pool and takes another over. @param other is no pool afterwards. @return this. */
    Pool &operator=(Pool &&other) noexcept {
        Pool taken(std::move(other));
        std::swap(state_, taken.state_);
        return *this;
    }
    ~Pool() {
        if (state_) state_->release();
    }

    /** @brief Makes a pool; it starts with the first job, or by start(). @param options settings. @return the pool; else as #mape_pool_create. */
    static Result<Pool> create(const PoolOptions &options = {}) {
        auto state = std::make_shared<detail::PoolState>();
        mape_pool_config config = options;
        config.context = state.get();
        config.on_output = options.on_output ? detail::PoolState::output : nullptr;
        config.on_log = options.on_log ? detail::PoolState::log : nullptr;
        state->on_output = options.on_output;
        state->on_log = options.on_log;
        state->on_exception = options.on_exception;
        if (const int status = mape_pool_create(&state->pool, &config); status != MAPE_OK) return detail::error_of(status, nullptr);
        Pool made;
        made.state_ = std::move(state);
        return made;
    }

    /** @brief The handle, for calls of C and for adapters. @return it, NULL when there is none. */
    mape_pool *handle() const noexcept { return state_ ? state_->pool : nullptr; }

    /** @brief Starts the workers, and waits for them. @param timeout how long; 0: not at all. @return as #mape_pool_start. */
    Result<void> start(Duration timeout = forever) { return checked(mape_pool_start(handle(), timeout.count())); }
    /** @brief Ends all work and all processes. Results can still be read, and events be dispatched. @param how an enum #mape_shutdown.
     *         @param timeout how long to wait for jobs and cleanups. @return as #mape_pool_shutdown. */
    Result<void> shutdown(mape_shutdown how = MAPE_SHUTDOWN_DRAIN, Duration timeout = forever) {
        return checked(mape_pool_shutdown(handle(), how, timeout.count()));
    }
    /** @brief Changes how many workers there are to be. @param workers how many; 0: as many as cores. @return as #mape_pool_resize. */
    Result<void> resize(std::uint32_t workers) { return checked(mape_pool_resize(handle(), workers)); }
    /** @brief The pool's figures. @return as #mape_pool_stats. */
    Result<mape_stats> stats() const {
        mape_stats stats MAPE_STATS_INIT;
        if (auto read = checked(mape_pool_stats(&stats, handle())); !read) return read.error();
        return stats;
    }
    /** @brief The figures of a worker. @param index from 0. @return as #mape_pool_worker. */
    Result<mape_worker_info> worker(std::uint32_t index) const {
        mape_worker_info info MAPE_WORKER_INFO_INIT;
        if (auto read = checked(mape_pool_worker(&info, handle(), index)); !read) return read.error();
        return info;
    }
    /** @brief Sets bytes that all functions of later jobs can read: Task::global. @param name its name. @param value a plain value, or a contiguous
     *         range; copied. @return as #mape_pool_set_global. */
    template <class T> Result<void> set_global(const char *name, const T &value) {
        JobOptions<> bytes;
        bytes.set_data(value);
        return checked(mape_pool_set_global(handle(), name, bytes.data_size ? bytes.data : "", bytes.data_size));
    }

    /** @brief Removes a global. @param name its name. @return as #mape_pool_set_global. */
    Result<void> remove_global(const char *name) { return checked(mape_pool_set_global(handle(), name, nullptr, 0)); }

    /** @brief Registers a function. @param description by_symbol, by_prototype, by_pointer, or filled by hand; copied. @return the function, which
     *         you keep as long as you submit to it; else as #mape_function_register. */
    template <class In = void, class Out = void> Result<Function<In, Out>> function(const mape_function &description) {
        mape_function_id id = 0;
        if (auto made = checked(mape_function_register(&id, handle(), &description)); !made) return made.error();
        return Function<In, Out>(state_, id);
    }
    /** @brief Registers a C++ function of this library: `pool.function<&shade>()`. Its type says what items and results are: see worker.hpp.
     *         @param name for messages; NULL: "function N". @return as the other one. */
    template <auto F> auto function(const char *name = nullptr) {
        using Call = detail::Signature<decltype(F)>;
        mape_function description = by_pointer(&mape::run<F>);
        description.name = name;
        return function<typename Call::In, typename Call::Out>(description);
    }
    /** @brief Registers a class of this library, of which each worker has one object: `pool.worker<Baker>(settings)`. See worker.hpp.
     *         @param settings what its constructor gets; a plain value, copied. @param name for messages; NULL: "function N".
     *         @return as Pool::function. */
    template <class W, class Settings> auto worker(const Settings &settings, const char *name = nullptr) {
        using Call = typename detail::WorkerClass<W, Settings>::Call;
        mape_function description = detail::WorkerClass<W, Settings>::description();
        description.name = name;
        description.data = &settings;
        description.data_size = sizeof settings;
        return function<typename Call::In, typename Call::Out>(description);
    }
    /** @brief Makes memory that host and workers share. @param count how many elements, at least 1. @return as #mape_buffer_create. */
    template <class T> Result<Buffer<T>> buffer(std::size_t count) {
        mape_buffer *buffer = nullptr;
        void *data = nullptr;
        const std::size_t size = count > SIZE_MAX / sizeof(T) ? SIZE_MAX : count * sizeof(T);
        if (auto made = checked(mape_buffer_create(&buffer, handle(), size)); !made) return made.error();
        if (auto read = checked(mape_buffer_data(&data, nullptr, buffer)); !read) return read.error();
        return Buffer<T>(buffer, {static_cast<T *>(data), count});
    }

    /** @brief Submits one call. @param function what to call. @param input the item: of one In, that; of many elements, a contiguous range.
     *         @param options settings. @return the job; else as #mape_apply. */
    template <class In, class Out, class Input>
    Result<Job<Out>> apply(const Function<In, Out> &function, const Input &input, const JobOptions<Out> &options = {}) {
        if constexpr (detail::Layout<In>::is_one) {
            static_assert(std::is_convertible_v<const Input &, In>, "the function takes an item of another type");
            const In item = input;
            return submit_one<Out>(function.id(), &item, sizeof item, options);
        } else {
            const Span<const detail::Element<In>> item = as_elements<In>(input);
            return submit_one<Out>(function.id(), item.data(), item.size() * sizeof(detail::Element<In>), options);
        }
    }
    /** @brief Submits a call per element of a range, copied unless it is a Buffer. @param function what to call. @param items a contiguous range of
     *         In; of items of many elements, a contiguous range of contiguous ranges. @param options settings. @return the job; else as #mape_map. */
    template <class In, class Out, class Range>
    Result<Job<Out>> map(const Function<In, Out> &function, const Range &items, const JobOptions<Out> &options = {}) {
        static_assert(detail::IsContiguous<const Range>::value, "items have to lie side by side: a std::vector, an array, a mape::Buffer");
        mape_items all MAPE_ITEMS_INIT;
        all.count = std::size(items);
        if constexpr (detail::Layout<In>::is_one) {
            static_assert(detail::HoldsElements<const Range, const In>::value, "the function takes items of another type");
            all.base = std::data(items);
            all.item_size = sizeof(In);
            return map_items(function, all, options);
        } else {
            std::vector<mape_span> spans(std::size(items));
            for (std::size_t i = 0; i < spans.size(); i++) {
                const Span<const detail::Element<In>> item = as_elements<In>(std::data(items)[i]);
                spans[i] = {item.data(), item.size() * sizeof(detail::Element<In>)};
            }
            all.spans = spans.data();
            return map_items(function, all, options);
        }
    }
    /** @brief Submits a call per item, as C describes them: with a stride, or of several pieces. @param function what to call. @param items the items.
     *         @param options settings. @return the job; else as #mape_map. */
    template <class In, class Out>
    Result<Job<Out>> map_items(const Function<In, Out> &function, const mape_items &items, const JobOptions<Out> &options = {}) {
        return submit<Job<Out>, Out>(options, [&](mape_job **out, const mape_job_config *config) {
            // An empty array may have no address.
            if (items.count == 0) return mape_map(out, handle(), function.id(), &no_items(), config);
            return mape_map(out, handle(), function.id(), &items, config);
        });
    }
    /** @brief Submits a call per row of columns. @param function one with a prototype. @param count how many calls. @param columns one per input:
     *         mape::column, mape::constant. @param options settings. @return the job; else as #mape_map_columns. */
    template <class In, class Out>
    Result<Job<Out>> map_columns(const Function<In, Out> &function, std::uint64_t count, std::initializer_list<mape_column> columns,
                                 const JobOptions<Out> &options = {}) {
        return submit<Job<Out>, Out>(options, [&](mape_job **out, const mape_job_config *config) {
            return mape_map_columns(out, handle(), function.id(), count, columns.begin(), columns.size(), config);
        });
    }
    /** @brief Opens a stream. @param function what to call. @param options settings. @return the stream; else as #mape_stream_open. */
    template <class In, class Out>
    Result<Stream<In, Out>> stream(const Function<In, Out> &function, const JobOptions<Out> &options = {}) {
        return submit<Stream<In, Out>, Out>(options, [&](mape_job **out, const mape_job_config *config) {
            return mape_stream_open(out, handle(), function.id(), config);
        });
    }

    /** @brief Runs callbacks for what has happened, and resumes coroutines, on the calling thread. Never waits.
     *
     *  An exception that leaves a callback does not pass through the engine: it is kept, ends the dispatch, and is thrown here. Up to 15 events that
     *  were fetched with its event are delivered before that, all others by later calls; none is lost. When several callbacks throw, each call
     *  throws one exception, in order. With PoolOptions::on_exception they are given to that instead.
     *  @param max_events how many events at most; 0: no limit. @param budget how long: the call stops after the callback that passes it; 0: no
     *         limit. @return how many events were delivered; else as #mape_pool_dispatch. */
    Result<std::uint32_t> dispatch(std::uint32_t max_events = 0, Duration budget = {});
    /** @brief Dispatches until a job has ended and its on_done has run, for programs without a main loop. @param job the job. @param timeout how
     *         long at most. @return #MAPE_E_TIMEOUT when the time was over first; else as dispatch(). */
    template <class Out> Result<void> run(const Job<Out> &job, Duration timeout = forever);
    /** @brief A descriptor that is readable while there are events. @return as #mape_pool_event_fd; it belongs to the pool. */
    Result<int> event_fd() const {
        int fd = -1;
        if (auto made = checked(mape_pool_event_fd(&fd, handle())); !made) return made.error();
        return fd;
    }
    /** @brief Sets what is called when events come in after there were none, on any thread; it may only notify, and must not throw.
     *         @param wakeup the function; empty: none. @return as #mape_pool_set_wakeup. One thread at a time may set it. */
    Result<void> set_wakeup(std::function<void()> wakeup);
    /** @brief Ends the waits on this pool with #MAPE_E_INTERRUPTED. @return as #mape_pool_interrupt. */
    Result<void> interrupt() { return checked(mape_pool_interrupt(handle())); }

    /// @cond
    const std::shared_ptr<detail::PoolState> &state() const noexcept { return state_; }
    Result<void> checked(int status) const {
        if (status != MAPE_OK) return detail::error_of(status, handle());
        return {};
    }
    /// @endcond

private:
    template <class In, class Input> static Span<const detail::Element<In>> as_elements(const Input &input) {
        if constexpr (std::is_void_v<In> && detail::IsContiguous<const Input>::value) {
            using T = std::remove_cv_t<detail::ElementOf<const Input>>;
            detail::require_plain<T>();
            return {reinterpret_cast<const std::byte *>(std::data(input)), std::size(input) * sizeof(T)};
        } else {
            return input;
        }
    }
    static const mape_items &no_items() {
        static const mape_items none MAPE_ITEMS_INIT;
        return none;
    }
    template <class Out> Result<Job<Out>> submit_one(mape_function_id id, const void *item, std::size_t size, const JobOptions<Out> &options) {
        return submit<Job<Out>, Out>(options, [&](mape_job **out, const mape_job_config *config) {
            return mape_apply(out, handle(), id, item, size, config);
        });
    }
    template <class Made, class Out, class Call> Result<Made> submit(const JobOptions<Out> &options, Call &&call) {
        if (!state_) return checked(MAPE_E_HANDLE).error();
        auto state = std::make_unique<detail::TypedJobState<Out>>(state_, options);
        mape_job_config config = options;
        state->enter(config, static_cast<bool>(options.on_item), static_cast<bool>(options.on_progress));
        mape_job *job = nullptr;
        if (auto submitted = checked(call(&job, &config)); !submitted) return submitted.error();
        return Made(state_, job, state.release());
    }

    std::shared_ptr<detail::PoolState> state_;
};

inline Result<std::uint32_t> Pool::dispatch(std::uint32_t max_events, Duration budget) {
    const std::shared_ptr<detail::PoolState> state = state_; // A callback may destroy this pool.
    if (!state) return checked(MAPE_E_HANDLE).error();
    const detail::DispatchScope scope(state);
    const auto end = std::chrono::steady_clock::now() + budget;
    // A few at a time: so an exception is thrown soon, and a call for each event would cost twenty times as much.
    constexpr std::uint32_t most = 16;
    Duration left = budget;
    for (std::uint32_t delivered = 0;;) {
        detail::rethrow(state->next_exception());
        const std::uint32_t wanted = max_events == 0 ? most : std::min(most, max_events - delivered);
        const int count = mape_pool_dispatch(state->pool, wanted, left.count());
        if (count < 0 && delivered == 0) return detail::error_of(count, state->pool);
        if (count <= 0) return delivered;
        delivered += static_cast<std::uint32_t>(count);
        if (state->has_ended_early()) continue;
        if (delivered == max_events) return delivered;
        if (budget.count() > 0) {
            left = std::chrono::duration_cast<Duration>(end - std::chrono::steady_clock::now());
            if (left.count() <= 0) return delivered;
        }
    }
}

template <class Out> Result<void> Pool::run(const Job<Out> &job, Duration timeout) {
    const auto end = std::chrono::steady_clock::now() + timeout;
    const auto fd = event_fd();
    if (!fd) return fd.error();
    for (;;) {
        if (const auto count = dispatch(0, std::chrono::milliseconds(50)); !count) return count.error();
        const auto ended = job.was_dispatched();
        if (!ended) return ended.error();
        if (*ended) return {};
        int wait_ms = -1;
        if (timeout.count() >= 0) {
            const auto left = end - std::chrono::steady_clock::now();
            if (left.count() <= 0) return Error{MAPE_E_TIMEOUT, {}};
            wait_ms = static_cast<int>(std::min<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(left).count() + 1, 1 << 30));
        }
        pollfd ready = {*fd, POLLIN, 0};
        poll(&ready, 1, wait_ms);
    }
}

inline Result<void> Pool::set_wakeup(std::function<void()> wakeup) {
    if (!state_) return checked(MAPE_E_HANDLE);
    auto next = std::make_unique<std::function<void()>>(std::move(wakeup));
    const auto call = [](void *context) { (*static_cast<std::function<void()> *>(context))(); };
    auto set = checked(mape_pool_set_wakeup(handle(), *next ? mape_wakeup_fn(call) : nullptr, next.get()));
    if (set) state_->wakeup = std::move(next); // The former one is not running any more.
    return set;
}

} // namespace MAPE_CPP_ABI
} // namespace mape

#endif // MAPENGINE_CPP_POOL_HPP
