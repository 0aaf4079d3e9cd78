// bake_worker.cpp - ambient occlusion of one point, and the rows of the picture
//
// SPDX-License-Identifier: Apache-2.0
#include "bake_worker.h"

#include "bvh.h"
#include "render.h"
#include "sampling.h"
#include "scene.h"

#include <cstring>
#include <new>
#include <vector>

namespace {

// Rays start this far above the surface: its own triangles are not in their way. The mesh is 2 wide.
constexpr float skin = 2e-3f;

// How much of the sky's light the floor takes away from a point that it is close to. It is lit itself, so not all.
constexpr float floor_weight = 0.55f;

/// What a worker keeps between items.
struct BakeState {
    BakeSettings settings;
    std::vector<SquarePoint> points; ///< The shared pattern of rays; each vertex shifts it its own way.
};

/// A global's first element. Null when it is not there, which only a mistake in the plugin can cause.
template <typename T> const T *global_array(const mape_task *task, const char *name) {
    return static_cast<const T *>(mape_task_global(nullptr, task, name));
}

/// Dies as broken native code does. Both volatiles are needed: without the outer one the compiler sees the null
/// pointer, without the inner one that nobody reads what is written; either way it leaves the write out.
void crash() {
    volatile int *volatile nowhere = nullptr;
    *nowhere = 1;
}

/// The part of the sky that a point does not see, 0 to 1. Rays are likelier where light counts more, so each blocked
/// one counts the same; the floor darkens less the farther away it is hit, so that there is no edge where it ends.
float occlusion_at(const BvhView &bvh, const BakeState &state, const BakePoint &point, uint32_t seed) {
    const Basis basis = basis_around(point.normal);
    const float reach = state.settings.reach;
    float blocked = 0;
    for (const SquarePoint p : state.points) {
        const Vec3 direction = basis.to_world(cosine_hemisphere(rotated(p, seed)));
        const Ray ray{point.position + point.normal * skin, direction};
        if (any_hit(bvh, ray, reach)) {
            blocked += 1;
        } else if (direction.y < 0) {
            const float floor_distance = greater(0, -ray.origin.y / direction.y);
            blocked += floor_weight * greater(0, 1 - floor_distance / reach);
        }
    }
    return blocked / float(state.points.size());
}

} // namespace

int bake_setup(mape_task *task, const void *data, size_t size, void **out_state) {
    BakeSettings settings;
    if (size != sizeof settings) return mape_task_fail(task, 1, "bake_setup: data is no BakeSettings");
    std::memcpy(&settings, data, sizeof settings);
    // Exceptions must not cross the C boundary: out of memory becomes a code and a text like any other failure.
    try {
        auto *state = new BakeState{settings, std::vector<SquarePoint>(settings.rays)};
        for (uint32_t i = 0; i < settings.rays; ++i) state->points[i] = r2_point(i);
        *out_state = state;
    } catch (const std::bad_alloc &) {
        return mape_task_fail(task, 2, "bake_setup: no memory for the rays: give a lower --rays");
    }
    return 0;
}

int bake_vertex(mape_task *task, void *state, const void *input, size_t size) {
    const auto *point = static_cast<const BakePoint *>(input);
    const BvhView bvh{global_array<BvhNode>(task, global::nodes), global_array<BvhTriangle>(task, global::triangles)};
    if (size != sizeof *point || !bvh.nodes || !bvh.triangles)
        return mape_task_fail(task, 1, "bake_vertex: wrong input, or no scene");
    if (point->crash) crash();
    auto *result = static_cast<float *>(mape_task_output(task, sizeof(float)));
    if (!result) return mape_task_fail(task, 2, "bake_vertex: no memory for the result");
    *result = occlusion_at(bvh, *static_cast<const BakeState *>(state), *point, uint32_t(mape_task_index(task)));
    return 0;
}

void bake_cleanup(mape_task *, void *state) { delete static_cast<BakeState *>(state); }

int bake_render_row(mape_task *task, void *, const void *input, size_t size) {
    size_t positions_size = 0;
    const auto *positions = static_cast<const Vec3 *>(mape_task_global(&positions_size, task, global::positions));
    const auto *view = global_array<View>(task, global::view);
    const auto *baked = global_array<BakedPoint>(task, global::baked);
    if (size != sizeof(uint32_t) || !positions || !view || !baked)
        return mape_task_fail(task, 1, "bake_render_row: wrong input, or nothing baked yet");
    const RenderScene scene{
        {global_array<BvhNode>(task, global::nodes), global_array<BvhTriangle>(task, global::triangles)},
        positions,
        global_array<Vec3>(task, global::normals),
        global_array<uint32_t>(task, global::indices),
        baked,
        baked + positions_size / sizeof(Vec3),
        *view,
    };
    auto *pixels = static_cast<uint8_t *>(mape_task_output(task, size_t(view->width) * 3));
    if (!pixels) return mape_task_fail(task, 2, "bake_render_row: no memory for the result");
    render_row(scene, *static_cast<const uint32_t *>(input), pixels);
    return 0;
}
