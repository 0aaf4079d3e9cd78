// mapengine/cpp/worker.hpp - C++ functions and classes as worker functions
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_CPP_WORKER_HPP
#define MAPENGINE_CPP_WORKER_HPP

#include "span.hpp"

#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <vector>
#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

/** @file worker.hpp
 *  @brief C++ functions and classes as worker functions.
 *
 *  Pool::function<&f>() registers a function of a plug-in, whose type says what items and results are:
 *
 *      float shade(const Point &point);                                one Point, one float
 *      std::vector<int> factor(std::uint32_t number);                  one number, so many ints as there are
 *      float sum(mape::Span<const float> values);                      floats, one float
 *      float bake(mape::Task &task, const Point &point);               with the task: globals, progress, cancel, marks
 *
 *  Pool::worker<W>(settings) registers a class: each worker makes one object of it, by `W(mape::Task &, const Settings &)` or `W(const Settings
 *  &)`, calls its operator() per item, and destroys it when the pool asks the worker to end. What travels is trivially copyable. An exception that
 *  leaves them fails the item, with its text. They lie in a shared library (the plug-in itself), or in the host itself with #MAPE_START_FORK. */

namespace mape {
inline namespace MAPE_CPP_ABI {

/** What a worker function sees of its call: #mape_task. Valid during the call. */
class Task {
public:
    /** @brief Wraps a task. @param task what a worker function of C got. */
    explicit Task(mape_task *task) noexcept : task_(task) {}

    /** @brief The task, for calls of C. @return it. */
    mape_task *handle() const noexcept { return task_; }
    /** @brief The item's index in its job. @return it. */
    std::uint64_t index() const noexcept { return mape_task_index(task_); }
    /** @brief The worker's index in its pool. @return it. */
    std::uint32_t worker() const noexcept { return mape_task_worker(task_); }
    /** @brief Whether the function should return soon. @return as #mape_task_cancelled. */
    bool is_cancelled() const noexcept { return mape_task_cancelled(task_) != 0; }
    /** @brief Says how far this item is. @param fraction 0 to 1. */
    void progress(double fraction) noexcept { mape_task_progress(task_, fraction); }
    /** @brief Notes how far this item is, for whoever looks for a crash. @param n any number. */
    void mark(std::uint64_t n) noexcept { mape_task_mark(task_, n); }
    /** @brief Sends a text to the host. @param level an enum #mape_log_level. @param text the text, copied. */
    void log(mape_log_level level, const char *text) noexcept { mape_task_log(task_, level, text); }
    /** @brief Fails the item, or the setup. @param code any number but 0. @param text why, copied. */
    void fail(int code, const char *text) noexcept { mape_task_fail(task_, code, text); }

    /** @brief The elements of a global. @param name its name. @return them, in place; none when there is no such global, or its bytes are no whole
     *         number of elements. */
    template <class T> Span<const T> global(const char *name) const noexcept {
        std::size_t size = 0;
        const void *data = mape_task_global(&size, task_, name);
        return elements<T>(data, size);
    }
    /** @brief The elements of the job's data. @return them, in place; none when there are none, or their bytes are no whole number of elements. */
    template <class T> Span<const T> job_data() const noexcept {
        std::size_t size = 0;
        const void *data = mape_task_job_data(&size, task_);
        return elements<T>(data, size);
    }
    /** @brief Allocates the item's result, for functions that return void. @param count how many elements. @return them, to be written; none when
     *         the output memory is full, as #mape_task_output. */
    template <class T> Span<T> output(std::size_t count) noexcept {
        detail::require_plain<T>();
        void *data = mape_task_output(task_, count * sizeof(T));
        return {static_cast<T *>(data), data ? count : 0};
    }

    /// @cond
    template <class T> static Span<const T> elements(const void *data, std::size_t size) noexcept {
        detail::require_plain<T>();
        const bool fits = data && size % sizeof(T) == 0 && reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0;
        return {static_cast<const T *>(data), fits ? size / sizeof(T) : 0};
    }
    /// @endcond

private:
    mape_task *task_;
};

/// @cond
namespace detail {

// What a function's parameter makes of an item.
template <class A> struct Argument {
    using In = std::remove_cv_t<std::remove_reference_t<A>>;
    static bool fits(const void *input, std::size_t size) {
        return size == sizeof(In) && reinterpret_cast<std::uintptr_t>(input) % alignof(In) == 0;
    }
    static const In &of(const void *input, std::size_t) { return *static_cast<const In *>(input); }
};
template <class T> struct Argument<Span<const T>> {
    using In = T[];
    static bool fits(const void *input, std::size_t size) { return size == 0 || !Task::elements<T>(input, size).empty(); }
    static Span<const T> of(const void *input, std::size_t size) { return Task::elements<T>(input, size); }
};

// What a returned value makes of a result.
template <class R> struct Return {
    using Out = R;
    static void write(Task task, const R &value) {
        if (auto out = task.template output<R>(1); !out.empty()) std::memcpy(out.data(), &value, sizeof value);
    }
};
template <class T> struct ReturnMany {
    using Out = T[];
    static void write(Task task, Span<const T> values) {
        if (auto out = task.template output<T>(values.size()); !out.empty()) std::memcpy(out.data(), values.data(), values.size() * sizeof(T));
    }
};
template <class T> struct Return<std::vector<T>> : ReturnMany<T> {};
template <> struct Return<std::string> : ReturnMany<char> {};
template <> struct Return<void> {
    using Out = void;
};

template <class R, class A, bool with_task> struct Call {
    using In = typename Argument<A>::In;
    using Out = typename Return<R>::Out;

    template <class F> static void call(F &&function, Task task, const void *input, std::size_t size) {
        if (!Argument<A>::fits(input, size)) return task.fail(MAPE_E_SIZE, "the item has not the size of what the function takes");
        if constexpr (std::is_void_v<R>) invoke(function, task, input, size);
        else Return<R>::write(task, invoke(function, task, input, size));
    }

private:
    template <class F> static R invoke(F &function, Task &task, const void *input, std::size_t size) {
        if constexpr (with_task) return function(task, Argument<A>::of(input, size));
        else return function(Argument<A>::of(input, size));
    }
};

template <class F> struct Signature;
template <class R, class A> struct Signature<R (*)(A)> : Call<R, A, false> {};
template <class R, class A> struct Signature<R (*)(A) noexcept> : Call<R, A, false> {};
template <class R, class A> struct Signature<R (*)(Task &, A)> : Call<R, A, true> {};
template <class R, class A> struct Signature<R (*)(Task &, A) noexcept> : Call<R, A, true> {};
template <class W, class R, class A> struct Signature<R (W::*)(A)> : Call<R, A, false> {};
template <class W, class R, class A> struct Signature<R (W::*)(A) const> : Call<R, A, false> {};
template <class W, class R, class A> struct Signature<R (W::*)(A) noexcept> : Call<R, A, false> {};
template <class W, class R, class A> struct Signature<R (W::*)(A) const noexcept> : Call<R, A, false> {};
template <class W, class R, class A> struct Signature<R (W::*)(Task &, A)> : Call<R, A, true> {};
template <class W, class R, class A> struct Signature<R (W::*)(Task &, A) const> : Call<R, A, true> {};
template <class W, class R, class A> struct Signature<R (W::*)(Task &, A) noexcept> : Call<R, A, true> {};
template <class W, class R, class A> struct Signature<R (W::*)(Task &, A) const noexcept> : Call<R, A, true> {};

// Exceptions end here: the engine in a worker is C.
template <class F> int contain(mape_task *task, F &&body) {
#if defined(__cpp_exceptions)
    try {
        body();
    }
#if defined(__GLIBCXX__)
    catch (abi::__forced_unwind &) {
        throw; // pthread_exit.
    }
#endif
    catch (const std::exception &error) {
        mape_task_fail(task, 1, error.what());
    } catch (...) {
        mape_task_fail(task, 1, "an exception of an unknown type");
    }
#else
    (void)task;
    body();
#endif
    return 0; // What has called mape_task_fail has failed all the same.
}

template <class W, class Settings> struct WorkerClass {
    using Call = Signature<decltype(&W::operator())>;

    static mape_function description() {
        require_plain<Settings>();
        mape_function function MAPE_FUNCTION_INIT;
        function.run = run;
        function.setup = setup;
        function.cleanup = cleanup;
        return function;
    }

private:
    static int setup(mape_task *task, const void *data, std::size_t size, void **out_state) {
        if (size != sizeof(Settings)) return mape_task_fail(task, MAPE_E_SIZE, "the settings have another size than in the host");
        return contain(task, [&] {
            alignas(Settings) std::byte copy[sizeof(Settings)];
            std::memcpy(copy, data, sizeof copy);
            const Settings &settings = *std::launder(reinterpret_cast<const Settings *>(copy));
            if constexpr (std::is_constructible_v<W, Task &, const Settings &>) {
                Task own(task);
                *out_state = new W(own, settings);
            } else {
                *out_state = new W(settings);
            }
        });
    }
    static int run(mape_task *task, void *state, const void *input, std::size_t size) {
        return contain(task, [&] { Call::call(*static_cast<W *>(state), Task(task), input, size); });
    }
    static void cleanup(mape_task *, void *state) { delete static_cast<W *>(state); }
};

} // namespace detail
/// @endcond

/** @brief A C++ function as a #mape_run_fn, for libraries that export their functions by name, and for programs that are a zygote:
 *         `extern "C" int shade(mape_task *t, void *s, const void *i, size_t n) { return mape::run<&shade_point>(t, s, i, n); }`
 *  @param task the task. @param state not used. @param input the item's bytes. @param size bytes at input. @return 0; the item has failed when F
 *         called Task::fail, or threw. */
template <auto F> int run(mape_task *task, void *state, const void *input, std::size_t size) {
    (void)state;
    return detail::contain(task, [&] { detail::Signature<decltype(F)>::call(F, Task(task), input, size); });
}

} // namespace MAPE_CPP_ABI
} // namespace mape

#endif // MAPENGINE_CPP_WORKER_HPP
