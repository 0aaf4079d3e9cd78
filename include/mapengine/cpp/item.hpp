// mapengine/cpp/item.hpp - how an item ended, and its result in place
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_CPP_ITEM_HPP
#define MAPENGINE_CPP_ITEM_HPP

#include "span.hpp"

#include <cstdint>
#include <optional>

/** @file item.hpp
 *  @brief How an item ended, and its result in place. */

namespace mape {
inline namespace MAPE_CPP_ABI {

/** How an item ended: a view of #mape_result. Out is the type of a result: `T` for one T, `T[]` for so many as there are, `void` for bytes. What
 *  it refers to is valid until the job is released; in a job that drops its results, and in streams, until the callback returns. */
template <class Out = void> class Item {
public:
    using Element = detail::Element<Out>; /**< What results are made of. */

    /** @brief A view of a result. @param index the item's index in its job. @param result how it ended. */
    Item(std::uint64_t index, const mape_result &result) noexcept : index_(index), result_(result) { detail::require_plain<Out>(); }

    /** @brief The item's index in its job. @return it, from 0. */
    std::uint64_t index() const noexcept { return index_; }
    /** @brief Whether it ended well. @return true for #MAPE_ITEM_OK. */
    explicit operator bool() const noexcept { return result_.state == MAPE_ITEM_OK; }
    /** @brief How it ended. @return an enum #mape_item_state. */
    mape_item_state state() const noexcept { return static_cast<mape_item_state>(result_.state); }
    /** @brief Why it ended so. @return an enum #mape_cause. */
    mape_cause cause() const noexcept { return static_cast<mape_cause>(result_.cause); }
    /** @brief The number that goes with the cause: the function's own code, a signal, an exit code. @return it. */
    std::int32_t code() const noexcept { return result_.code; }
    /** @brief How many times a worker began it. @return the count. */
    std::uint32_t attempts() const noexcept { return result_.attempts; }
    /** @brief The text for people. @return it, never NULL. */
    const char *message() const noexcept { return result_.message; }
    /** @brief How far the item was when its worker died: the last #mape_task_mark. @return the mark, if there was one. */
    std::optional<std::uint64_t> mark() const { return result_.has_mark ? std::optional<std::uint64_t>(result_.mark) : std::nullopt; }

    /** @brief The elements of the result, in place. @return them; none when the item did not end well, or when its bytes are no whole number
     *         of elements. */
    Span<const Element> span() const noexcept {
        if (!*this || result_.size % sizeof(Element) != 0 || !is_aligned()) return {};
        return {static_cast<const Element *>(result_.data), result_.size / sizeof(Element)};
    }
    /** @brief The result of one T, in place. @return its address; NULL when the item did not end well, or its result is of another size. */
    const Element *get() const noexcept {
        static_assert(detail::Layout<Out>::is_one, "a result of many elements has a span()");
        return *this && result_.size == sizeof(Element) && is_aligned() ? static_cast<const Element *>(result_.data) : nullptr;
    }
    /** @brief The result of one T, in place. @return it; throws an Exception when get() is NULL, as Result::value does. */
    const Element &value() const {
        if (!get()) detail::raise(error());
        return *get();
    }
    /** @brief The bytes of the result; of an item that failed, those that its function had written before. @return them, in place. */
    Span<const std::byte> bytes() const noexcept { return {static_cast<const std::byte *>(result_.data), result_.size}; }

    /** @brief Why there is no value. @return an error with the item's state as its status (positive), or #MAPE_E_SIZE for a result of another
     *         size than Out has. */
    Error error() const {
        const std::string item = "item " + std::to_string(index_) + ": ";
        if (*this) return {MAPE_E_SIZE, item + "its result has " + std::to_string(result_.size) + " bytes, not what its type has"};
        return {static_cast<int>(result_.state), item + result_.message};
    }
    /** @brief The whole of it, as C has it. @return the structure. */
    const mape_result &raw() const noexcept { return result_; }

private:
    bool is_aligned() const noexcept { return reinterpret_cast<std::uintptr_t>(result_.data) % alignof(Element) == 0; }

    std::uint64_t index_;
    mape_result result_;
};

} // namespace MAPE_CPP_ABI
} // namespace mape

#endif // MAPENGINE_CPP_ITEM_HPP
