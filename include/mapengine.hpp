// mapengine.hpp - libmapengine for C++17 and later
//
// SPDX-License-Identifier: Apache-2.0
#ifndef MAPENGINE_HPP
#define MAPENGINE_HPP

/**
 * @file mapengine.hpp
 * @brief libmapengine for C++17 and later: the whole of it, in headers alone.
 *
 *     #include <mapengine.hpp>
 *     #include <cstdio>
 *     #include <vector>
 *
 *     int main() {
 *         const std::vector<double> in = {1, 8, 27};
 *         auto pool = mape::Pool::create().value();                // As many workers as cores.
 *         auto cbrt = pool.function<double, double>(mape::by_prototype("libm.so.6", "double cbrt(double x)")).value();
 *         auto job = pool.map(cbrt, in).value();                   // A call per element, in the workers.
 *         const std::vector<double> out = job.collect().value();
 *         std::printf("%g %g %g\n", out[0], out[1], out[2]);       // "1 2 3"
 *     }
 *
 * | header | for |
 * |---|---|
 * | cpp/pool.hpp | mape::Pool, mape::PoolOptions: functions, buffers, maps, streams, dispatch |
 * | cpp/job.hpp | mape::Job, mape::JobOptions: waiting, results, lambdas as callbacks, co_await |
 * | cpp/item.hpp | mape::Item: how one item ended, its result in place |
 * | cpp/function.hpp | mape::Function, mape::Buffer, mape::Stream |
 * | cpp/worker.hpp | C++ functions and classes as worker functions; mape::Task |
 * | cpp/native.hpp | mape::column, mape::Proxy: C functions of any type |
 * | cpp/result.hpp, cpp/span.hpp | mape::Result, mape::Error, mape::Exception; mape::Span |
 *
 * All of it rests on mapengine.h, whose structures it uses as they are: what is said there of threads, ownership and errors holds here. `handle()` of
 * each class is for calls of C.
 *
 * **Ownership.** A Pool, Job, Stream, Function, Buffer or Proxy owns what it stands for, can be moved and not copied, and gives it back in its
 * destructor, in any order, also after its Pool. One that was moved from does nothing, and its calls fail with #MAPE_E_HANDLE.
 *
 * **Errors** are values, mape::Result; `.value()` throws a mape::Exception instead. Nothing else here throws, but for std::bad_alloc, what callbacks of
 * the host throw, and what copying its lambdas throws. With -fno-exceptions (and -fno-rtti) `.value()` of a failure ends the program with its text.
 *
 * **Exceptions of callbacks** do not pass through the engine: Pool::dispatch throws them, soon after the event that they belong to. Those of worker functions
 * fail the item. Those of hooks that may only notify (Pool::set_wakeup), and of PoolOptions::on_exception, end the program.
 *
 * **Threads.** Whoever dispatches runs callbacks and resumes coroutines. A Job may be destroyed by another thread meanwhile: a callback that runs goes on,
 * its lambda lives until it has ended. That holds when Pool::dispatch does it; with #mape_pool_dispatch (the adapters in glib.h, uv.h and qt.hpp do
 * that) destroy jobs on the thread of the main loop.
 */

#include "mapengine.h"

#include "mapengine/cpp/native.hpp"

#endif // MAPENGINE_HPP
