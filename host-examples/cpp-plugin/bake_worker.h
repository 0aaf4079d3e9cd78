// bake_worker.h - what runs in worker processes: a class and a function, as plain C++
//
// SPDX-License-Identifier: Apache-2.0
//
// The plugin registers them by their addresses (bake_session.cpp). Workers that start clean (MAPE_START_EXEC) load
// libbake_plugin.so and find them by their offset in it. On other machines (--cluster) they are found by name, in a library that is the same file as
// here; so the plugin exports them.
#pragma once

#include "sampling.h"
#include "scene.h"

#include <mapengine/cpp/worker.hpp>

#include <vector>

/// Tells how much of the sky a point does not see. Each worker has one object, made of the function's settings.
class Baker {
public:
    explicit Baker(const BakeSettings &settings);
    /// @return 0 to 1.
    float operator()(mape::Task &task, const BakePoint &point) const;

private:
    const BakeSettings settings;
    std::vector<SquarePoint> points; ///< The shared pattern of rays; each vertex shifts it its own way.
};

/// Renders a row of the picture; the result is its pixels, three bytes each.
void bake_render_row(mape::Task &task, uint32_t row);
