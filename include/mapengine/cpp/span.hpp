// mapengine/cpp/span.hpp - contiguous ranges, and what items and results are made of
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_CPP_SPAN_HPP
#define MAPENGINE_CPP_SPAN_HPP

#include "result.hpp"

#include <cstddef>
#include <iterator>
#include <type_traits>
#if __cplusplus >= 202002L && __has_include(<span>)
#include <span>
#endif

/** @file span.hpp
 *  @brief Contiguous ranges, and what items and results are made of. */

namespace mape {
inline namespace MAPE_CPP_ABI {

/// @cond
namespace detail {

// What std::data gives for a range: a pointer, for anything that lies in one piece. The ranges of Qt and Eigen have data() and size() as well.
template <class R> using Pointer = decltype(std::data(std::declval<R &>()));

template <class R, class = void> struct IsContiguous : std::false_type {};
template <class R>
struct IsContiguous<R, std::void_t<Pointer<R>, decltype(std::size(std::declval<R &>()))>> : std::is_pointer<Pointer<R>> {};

template <class R> using ElementOf = std::remove_pointer_t<Pointer<R>>;

template <class R, class T, class = void> struct HoldsElements : std::false_type {};
template <class R, class T>
struct HoldsElements<R, T, std::enable_if_t<IsContiguous<R>::value>> : std::is_convertible<ElementOf<R> (*)[], T (*)[]> {};

// An item or result of the type T is one T; of the type T[], so many as there are; of the type void, bytes.
template <class T> struct Layout {
    using Element = std::remove_cv_t<T>;
    static constexpr bool is_one = true;
};
template <class T> struct Layout<T[]> {
    using Element = std::remove_cv_t<T>;
    static constexpr bool is_one = false;
};
template <> struct Layout<void> {
    using Element = std::byte;
    static constexpr bool is_one = false;
};
template <class T> using Element = typename Layout<T>::Element;

template <class T> constexpr void require_plain() {
    static_assert(std::is_trivially_copyable_v<Element<T>>, "what travels between processes has to be trivially copyable: no pointers "
                                                            "that are owned, no virtual functions");
}

} // namespace detail
/// @endcond

/** Elements that lie side by side, not owned: std::span for C++17. Made of whatever std::data and std::size work for: arrays, std::vector,
 *  std::array, std::string, mape::Buffer, std::span, containers of Qt. With C++20 it converts to std::span by itself. */
template <class T> class Span {
public:
    using element_type = T;                  /**< What it refers to. */
    using value_type = std::remove_cv_t<T>;  /**< The same without const. */
    using iterator = T *;                    /**< Pointers serve as iterators. */

    /** @brief No elements. */
    constexpr Span() noexcept = default;
    /** @brief Elements at an address. @param data the first; may be NULL when size is 0. @param size how many. */
    constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    /** @brief The elements of a range. @param range what std::data and std::size work for; it has to outlive the span. */
    template <class R, class = std::enable_if_t<detail::HoldsElements<std::remove_reference_t<R>, T>::value &&
                                                !std::is_same_v<std::decay_t<R>, Span>>>
    constexpr Span(R &&range) : data_(std::data(range)), size_(std::size(range)) {}

    /** @brief Where they lie. @return the first element's address. */
    constexpr T *data() const noexcept { return data_; }
    /** @brief How many there are. @return the count. */
    constexpr std::size_t size() const noexcept { return size_; }
    /** @brief Whether there are none. @return true when size is 0. */
    constexpr bool empty() const noexcept { return size_ == 0; }
    /** @brief An element. @param i 0 to size - 1, not checked. @return it. */
    constexpr T &operator[](std::size_t i) const { return data_[i]; }
    /** @brief Iterates. @return the first element's address. */
    constexpr iterator begin() const noexcept { return data_; }
    /** @brief Iterates. @return the address behind the last element. */
    constexpr iterator end() const noexcept { return data_ + size_; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace MAPE_CPP_ABI
} // namespace mape

/// @cond
#if defined(__cpp_lib_ranges)
// A span is a view, and does not own what it refers to.
template <class T> inline constexpr bool std::ranges::enable_borrowed_range<mape::Span<T>> = true;
template <class T> inline constexpr bool std::ranges::enable_view<mape::Span<T>> = true;
#endif
/// @endcond

#endif // MAPENGINE_CPP_SPAN_HPP
