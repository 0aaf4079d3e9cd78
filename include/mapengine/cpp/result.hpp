// mapengine/cpp/result.hpp - errors as values, and as exceptions where the caller wants them
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_CPP_RESULT_HPP
#define MAPENGINE_CPP_RESULT_HPP

#include "../core.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

/** @file result.hpp
 *  @brief Errors as values, and as exceptions where the caller wants them. */

/// @cond
// Translation units with and without exceptions can be linked into one plugin: their functions have different names.
#if defined(__cpp_exceptions)
#define MAPE_CPP_ABI v1
#else
#define MAPE_CPP_ABI v1_without_exceptions
#endif
/// @endcond

namespace mape {
inline namespace MAPE_CPP_ABI {

/** How long a call waits, or may take. */
using Duration = std::chrono::nanoseconds;

/** A wait without end. */
inline constexpr Duration forever{MAPE_FOREVER};

/** Why something failed. */
struct Error {
    int status = MAPE_OK; /**< An enum #mape_status, negative; or the enum #mape_item_state of an item that did not end well, positive. */
    std::string message;  /**< The particulars, in English; may be empty. */

    /** @brief What to show to people. @return the message, or else the general meaning of the status. */
    std::string text() const { return message.empty() ? std::string(mape_status_string(status)) : message; }
};

/** What `value()` of a failed Result throws. */
class Exception : public std::runtime_error {
public:
    /** @brief Makes one. @param error what failed. */
    explicit Exception(const Error &error) : std::runtime_error(error.text()), status_(error.status) {}

    /** @brief What failed. @return as Error::status. */
    int status() const noexcept { return status_; }

private:
    int status_;
};

/// @cond
namespace detail {

[[noreturn]] inline void raise(const Error &error) {
#if defined(__cpp_exceptions)
    throw Exception(error);
#else
    std::fprintf(stderr, "mapengine: %s\n", error.text().c_str());
    std::abort();
#endif
}

// The message is that of the last failed call on the pool: another thread may have failed on it meanwhile.
inline Error error_of(int status, const mape_pool *pool) {
    char text[1024] = "";
    mape_message(text, sizeof text, pool);
    return {status, text};
}

} // namespace detail
/// @endcond

/** What a call returns: a value, or an Error. As std::expected of C++23; `value()` throws an Exception when there is none, so each caller
 *  chooses: `if (!result) ... result.error()`, or `.value()`. Compiled with -fno-exceptions, `value()` of a failed result prints the error to
 *  standard error and calls std::abort. */
template <class T> class [[nodiscard]] Result {
public:
    /** @brief A result that went well. @param value what it is. */
    Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
    /** @brief A result that failed. @param error why. */
    Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

    /** @brief Whether it went well. @return true when there is a value. */
    explicit operator bool() const noexcept { return content_.index() == 0; }
    /** @brief How it went. @return #MAPE_OK, or the error's status. */
    int status() const noexcept { return *this ? static_cast<int>(MAPE_OK) : std::get_if<1>(&content_)->status; }
    /** @brief Why it failed. Only for a failed result. @return the error. */
    const Error &error() const { return *std::get_if<1>(&content_); }

    /** @brief The value. @return it; throws an Exception when there is none. */
    T &value() & { return checked(); }
    /** @brief The value, to move from. @return it; throws an Exception when there is none. */
    T value() && { return std::move(checked()); }
    /** @brief The value. @return it; throws an Exception when there is none. */
    const T &value() const & { return const_cast<Result *>(this)->checked(); }
    /** @brief The value, or another one. @param other what to return for a failed result. @return one of them. */
    T value_or(T other) && { return *this ? std::move(*std::get_if<0>(&content_)) : std::move(other); }

    /** @brief The value of a result that was looked at. @return it; undefined for a failed result. */
    T &operator*() { return *std::get_if<0>(&content_); }
    /** @brief The value of a result that was looked at. @return it; undefined for a failed result. */
    const T &operator*() const { return *std::get_if<0>(&content_); }
    /** @brief A member of the value of a result that was looked at. @return the value's address. */
    T *operator->() { return std::get_if<0>(&content_); }
    /** @brief A member of the value of a result that was looked at. @return the value's address. */
    const T *operator->() const { return std::get_if<0>(&content_); }

private:
    T &checked() {
        if (!*this) detail::raise(error());
        return **this;
    }

    std::variant<T, Error> content_;
};

/** What a call returns that has nothing to say but whether it went well. */
template <> class [[nodiscard]] Result<void> {
public:
    /** @brief A result that went well. */
    Result() = default;
    /** @brief A result that failed. @param error why. */
    Result(Error error) : error_(std::move(error)) {}

    /** @brief Whether it went well. @return true when it did. */
    explicit operator bool() const noexcept { return error_.status == MAPE_OK; }
    /** @brief How it went. @return #MAPE_OK, or the error's status. */
    int status() const noexcept { return error_.status; }
    /** @brief Why it failed. Only for a failed result. @return the error. */
    const Error &error() const noexcept { return error_; }
    /** @brief Throws an Exception when it failed. */
    void value() const {
        if (!*this) detail::raise(error_);
    }

private:
    Error error_;
};

} // namespace MAPE_CPP_ABI
} // namespace mape

#endif // MAPENGINE_CPP_RESULT_HPP
