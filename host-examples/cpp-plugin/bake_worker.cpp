// bake_worker.cpp - ambient occlusion of one point, and the rows of the picture
//
// SPDX-License-Identifier: Apache-2.0
#include "bake_worker.h"

#include "bvh.h"
#include "render.h"

#include <stdexcept>

namespace {

// Rays start this far above the surface: its own triangles are not in their way. The mesh is 2 wide.
constexpr float skin = 2e-3f;

// How much of the sky's light the floor takes away from a point that it is close to. It is lit itself, so not all.
constexpr float floor_weight = 0.55f;

/// A global's first element. Only a mistake in the plugin can make it absent; what is thrown fails the item.
template <typename T> const T *global_array(const mape::Task &task, const char *name) {
    const auto elements = task.global<T>(name);
    if (elements.empty()) throw std::runtime_error(std::string("the workers have no ") + name);
    return elements.data();
}

BvhView shared_bvh(const mape::Task &task) {
    return {global_array<BvhNode>(task, global::nodes), global_array<BvhTriangle>(task, global::triangles)};
}

/// Dies as broken native code does. Both volatiles are needed: without the outer one the compiler sees the null
/// pointer, without the inner one that nobody reads what is written; either way it leaves the write out.
void crash() {
    volatile int *volatile nowhere = nullptr;
    *nowhere = 1;
}

} // namespace

Baker::Baker(const BakeSettings &settings) : settings(settings), points(settings.rays) {
    for (uint32_t i = 0; i < settings.rays; ++i) points[i] = r2_point(i);
}

// Rays are likelier where light counts more, so each blocked one counts the same; the floor darkens less the farther away it is hit, so that
// there is no edge where it ends.
float Baker::operator()(mape::Task &task, const BakePoint &point) const {
    if (point.crash) crash();
    const BvhView bvh = shared_bvh(task);
    const uint32_t seed = uint32_t(task.index());
    const Basis basis = basis_around(point.normal);
    float blocked = 0;
    for (const SquarePoint p : points) {
        const Vec3 direction = basis.to_world(cosine_hemisphere(rotated(p, seed)));
        const Ray ray{point.position + point.normal * skin, direction};
        if (any_hit(bvh, ray, settings.reach)) {
            blocked += 1;
        } else if (direction.y < 0) {
            const float floor_distance = greater(0, -ray.origin.y / direction.y);
            blocked += floor_weight * greater(0, 1 - floor_distance / settings.reach);
        }
    }
    return blocked / float(points.size());
}

void bake_render_row(mape::Task &task, uint32_t row) {
    const auto positions = task.global<Vec3>(global::positions);
    const View view = *global_array<View>(task, global::view);
    const auto *baked = global_array<BakedPoint>(task, global::baked);
    const RenderScene scene{
        shared_bvh(task),
        positions.data(),
        global_array<Vec3>(task, global::normals),
        global_array<uint32_t>(task, global::indices),
        baked,
        baked + positions.size(),
        view,
    };
    const auto pixels = task.output<uint8_t>(size_t(view.width) * 3);
    if (!pixels.empty()) render_row(scene, row, pixels.data());
}
