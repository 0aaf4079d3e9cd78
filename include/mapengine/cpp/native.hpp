// mapengine/cpp/native.hpp - C functions of any type: columns, proxies
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_CPP_NATIVE_HPP
#define MAPENGINE_CPP_NATIVE_HPP

#include "../native.h"
#include "pool.hpp"

/** @file cpp/native.hpp
 *  @brief C functions of any type: columns, proxies. */

namespace mape {
inline namespace MAPE_CPP_ABI {

/// @cond
namespace detail {

template <class T> constexpr mape_type type_of() {
    if constexpr (std::is_same_v<T, bool>) return MAPE_TYPE_BOOL;
    else if constexpr (std::is_same_v<T, float>) return MAPE_TYPE_FLOAT;
    else if constexpr (std::is_same_v<T, double>) return MAPE_TYPE_DOUBLE;
    else if constexpr (std::is_same_v<T, long double>) return MAPE_TYPE_LONG_DOUBLE;
    else if constexpr (std::is_integral_v<T> && sizeof(T) <= 8) {
        constexpr int width = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 2 : sizeof(T) == 4 ? 4 : 6;
        return static_cast<mape_type>(MAPE_TYPE_INT8 + width + (std::is_unsigned_v<T> ? 1 : 0));
    } else return MAPE_TYPE_NONE; // Not compared.
}

template <class T> mape_column column_of(T *base, std::ptrdiff_t stride) {
    mape_column column MAPE_COLUMN_INIT;
    column.base = const_cast<void *>(static_cast<const volatile void *>(base));
    column.stride = stride;
    column.type = type_of<std::remove_cv_t<T>>();
    return column;
}

// The failure of the proxy's call that this thread is in.
inline thread_local Error *proxy_failure = nullptr;

inline void on_proxy_error(void *, const mape_result *result) {
    if (!proxy_failure) return;
    const bool is_status = result->cause == MAPE_CAUSE_POOL && result->code < 0; // It reached no worker.
    *proxy_failure = {is_status ? result->code : static_cast<int>(result->state), result->message};
}

} // namespace detail
/// @endcond

/** @brief A column of numbers: an element per call. @param range a contiguous range, read or written in place; the numbers' type is compared with the
 *         prototype's. @return the column, for Pool::map_columns and JobRef::gather_columns. */
template <class R> mape_column column(R &&range) {
    using T = detail::ElementOf<std::remove_reference_t<R>>;
    return detail::column_of<T>(std::data(range), static_cast<std::ptrdiff_t>(sizeof(T)));
}

/** @brief One value for all calls. @param value it; has to stay until the job is submitted. @return the column, for Pool::map_columns. */
template <class T> mape_column constant(const T &value) { return detail::column_of<const T>(&value, 0); }

template <class F> class Proxy;

/** A function whose calls run in a worker: see #mape_proxy_create. `Proxy<double(double, double)>`. The destructor waits for calls that are running, and
 *  releases it. Moved from, or made by default, it is none: calls fail with #MAPE_E_HANDLE. */
template <class R, class... Args> class Proxy<R(Args...)> {
public:
    /** @brief No function. */
    Proxy() = default;
    /** @brief Takes a proxy over. @param other is none afterwards. */
    Proxy(Proxy &&other) noexcept : proxy_(std::exchange(other.proxy_, nullptr)) {}
    /** @brief Releases this proxy and takes another over. @param other is none afterwards. @return this. */
    Proxy &operator=(Proxy &&other) noexcept {
        Proxy taken(std::move(other));
        std::swap(proxy_, taken.proxy_);
        return *this;
    }
    ~Proxy() {
        if (proxy_) mape_proxy_release(proxy_);
    }

    /** @brief Makes one. @param pool the pool. @param function one with a prototype, of this type. @param options time limits, priority, attempts of
     *         each call; callbacks are not used. @return the proxy; else as #mape_proxy_create. */
    template <class In, class Out>
    static Result<Proxy> create(Pool &pool, const Function<In, Out> &function, const JobOptions<Out> &options = {}) {
        mape_job_config config = options;
        mape_native_fn made = nullptr;
        if (auto created = pool.checked(mape_proxy_create(&made, pool.handle(), function.id(), &config, detail::on_proxy_error, nullptr)); !created)
            return created.error();
        Proxy proxy;
        proxy.proxy_ = made;
        return proxy;
    }

    /** @brief Calls the function in a worker, and waits for its result. Any thread. @param args as the function has them. @return what it returned; else
     *         an error with the state of the call as its status (positive: #MAPE_ITEM_CRASHED and so on), or with a status. */
    Result<R> operator()(Args... args) const {
        if (!proxy_) return Error{MAPE_E_HANDLE, "no proxy"};
        Error failure;
        Error *const outer = std::exchange(detail::proxy_failure, &failure);
        if constexpr (std::is_void_v<R>) {
            get()(args...);
            detail::proxy_failure = outer;
            if (failure.status != MAPE_OK) return failure;
            return {};
        } else {
            R value = get()(args...);
            detail::proxy_failure = outer;
            if (failure.status != MAPE_OK) return failure;
            return value;
        }
    }
    /** @brief The bare pointer, for code that knows nothing of this: a call that fails returns zero. @return it, valid as long as the proxy. */
    auto get() const noexcept -> R (*)(Args...) { return reinterpret_cast<R (*)(Args...)>(proxy_); }

private:
    mape_native_fn proxy_ = nullptr;
};

} // namespace MAPE_CPP_ABI
} // namespace mape

#endif // MAPENGINE_CPP_NATIVE_HPP
