// mapengine/cpp/function.hpp - functions and buffers of a pool
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_CPP_FUNCTION_HPP
#define MAPENGINE_CPP_FUNCTION_HPP

#include "job.hpp"

/** @file function.hpp
 *  @brief Functions and buffers of a pool. */

namespace mape {
inline namespace MAPE_CPP_ABI {

/** @brief Describes a function by library and symbol. @param library a path, a soname, or #MAPE_ZYGOTE. @param symbol a #mape_run_fn. Both
 *         texts have to stay until the function is registered. @return a description for Pool::function, whose other fields can be set. */
inline mape_function by_symbol(const char *library, const char *symbol) noexcept {
    mape_function function MAPE_FUNCTION_INIT;
    function.library = library;
    function.run_symbol = symbol;
    return function;
}

/** @brief Describes a C function of any type: see @ref native. @param library a path or a soname. @param prototype its type. Both texts have to
 *         stay until the function is registered. @return a description for Pool::function. An item is the function's inputs and a
 *         result its outputs, each laid out as a structure: for `double cbrt(double x)` a double each. */
inline mape_function by_prototype(const char *library, const char *prototype) noexcept {
    mape_function function MAPE_FUNCTION_INIT;
    function.library = library;
    function.prototype = prototype;
    return function;
}

/** @brief Describes a function by its address. @param run a function of a shared library, or of the host itself with #MAPE_START_FORK.
 *         @return a description for Pool::function. */
inline mape_function by_pointer(mape_run_fn run) noexcept {
    mape_function function MAPE_FUNCTION_INIT;
    function.run = run;
    return function;
}

/** A registered function from items of the type In to results of the type Out. The destructor takes it back: jobs that were submitted go on. Moved
 *  from, or made by default, it is none: submitting fails with #MAPE_E_FUNCTION. */
template <class In = void, class Out = void> class Function {
public:
    using Options = JobOptions<Out>; /**< Settings of its jobs. */

    /** @brief No function. */
    Function() = default;
    /** @brief Takes a function over. @param other is none afterwards. */
    Function(Function &&other) noexcept : pool_(std::move(other.pool_)), id_(std::exchange(other.id_, 0)) {}
    /** @brief Unregisters this one and takes another over. @param other is none afterwards. @return this. */
    Function &operator=(Function &&other) noexcept {
        Function taken(std::move(other));
        std::swap(pool_, taken.pool_);
        std::swap(id_, taken.id_);
        return *this;
    }
    ~Function() {
        if (id_ != 0) mape_function_unregister(pool_->pool, id_);
    }
    /// @cond
    Function(std::shared_ptr<detail::PoolState> pool, mape_function_id id) : pool_(std::move(pool)), id_(id) {
        detail::require_plain<In>();
        detail::require_plain<Out>();
    }
    /// @endcond

    /** @brief What its jobs have done, and how long their items took. @return as #mape_function_stats. */
    Result<mape_work_stats> stats() const {
        mape_work_stats stats MAPE_WORK_STATS_INIT;
        mape_pool *const pool = pool_ ? pool_->pool : nullptr;
        if (const int status = mape_function_stats(&stats, pool, id_); status != MAPE_OK) return detail::error_of(status, pool);
        return stats;
    }
    /** @brief The id, for calls of C. @return it, 0 when there is none. */
    mape_function_id id() const noexcept { return id_; }

private:
    std::shared_ptr<detail::PoolState> pool_;
    mape_function_id id_ = 0;
};

/** Memory for elements that host and workers share, a contiguous range: a map over it copies nothing. Do not change elements that a running job reads.
 *  The destructor releases it; jobs that read it keep its memory. Moved from, or made by default, it has no elements. */
template <class T> class Buffer {
public:
    /** @brief No elements. */
    Buffer() = default;
    /** @brief Takes a buffer over. @param other has no elements afterwards. */
    Buffer(Buffer &&other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)), elements_(std::exchange(other.elements_, {})) {}
    /** @brief Releases this buffer and takes another over. @param other has no elements afterwards. @return this. */
    Buffer &operator=(Buffer &&other) noexcept {
        Buffer taken(std::move(other));
        std::swap(buffer_, taken.buffer_);
        std::swap(elements_, taken.elements_);
        return *this;
    }
    ~Buffer() {
        if (buffer_) mape_buffer_release(buffer_);
    }
    /// @cond
    Buffer(mape_buffer *buffer, Span<T> elements) noexcept : buffer_(buffer), elements_(elements) { detail::require_plain<T>(); }
    /// @endcond

    /** @brief The handle, for calls of C. @return it, NULL when there is none. */
    mape_buffer *handle() const noexcept { return buffer_; }
    /** @brief Where the elements lie. @return the first one's address. Their values are whatever was there: see #mape_buffer_create. */
    T *data() const noexcept { return elements_.data(); }
    /** @brief How many elements there are. @return the count. */
    std::size_t size() const noexcept { return elements_.size(); }
    /** @brief An element. @param i 0 to size - 1, not checked. @return it. */
    T &operator[](std::size_t i) const { return elements_[i]; }
    /** @brief Iterates. @return the first element's address. */
    T *begin() const noexcept { return elements_.begin(); }
    /** @brief Iterates. @return the address behind the last element. */
    T *end() const noexcept { return elements_.end(); }

private:
    mape_buffer *buffer_ = nullptr;
    Span<T> elements_;
};

/** A map whose items come one by one: see #mape_stream_open. Owned as a Job; results are what `on_item` of its settings gets. */
template <class In = void, class Out = void> class [[nodiscard]] Stream : public Job<Out> {
public:
    using Item = detail::Element<In>; /**< What items are made of. */
    using Job<Out>::Job;

    /** @brief Pushes items of one T each. Never waits for room. @param items a contiguous range of them, copied unless in a Buffer.
     *  @return how many were accepted, from the front; fewer than given when the window is full: dispatch, then push the rest. Else as
     *          #mape_stream_push; when it fails in the middle, nobody says how many were accepted. */
    Result<std::size_t> push(Span<const Item> items) {
        static_assert(detail::Layout<In>::is_one, "items of many elements are pushed one by one: push_one");
        mape_span spans[64];
        std::size_t pushed = 0;
        while (pushed < items.size()) {
            std::size_t count = 0, accepted = 0;
            for (; count < 64 && pushed + count < items.size(); count++) spans[count] = {&items[pushed + count], sizeof(Item)};
            const int status = mape_stream_push(&accepted, this->job_, spans, count);
            pushed += accepted;
            if (status == MAPE_E_AGAIN) break;
            if (auto went = this->checked(status); !went) return went.error();
        }
        return pushed;
    }
    /** @brief Pushes one item. Never waits for room. @param item its elements, copied unless in a Buffer: of an item of one T, that alone.
     *  @return whether it was accepted; false when the window is full. Else as #mape_stream_push. */
    Result<bool> push_one(Span<const Item> item) {
        const mape_span span = {item.data(), item.size() * sizeof(Item)};
        const int status = mape_stream_push(nullptr, this->job_, &span, 1);
        if (status == MAPE_E_AGAIN) return false;
        if (auto went = this->checked(status); !went) return went.error();
        return true;
    }
    /** @brief No more items come. The stream is done when its last item has ended. @return as #mape_stream_finish. */
    Result<void> finish() { return this->checked(mape_stream_finish(this->job_)); }
};

} // namespace MAPE_CPP_ABI
} // namespace mape

#endif // MAPENGINE_CPP_FUNCTION_HPP
