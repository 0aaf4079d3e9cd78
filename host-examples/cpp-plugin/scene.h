// scene.h - what lies in memory that host and workers share
//
// SPDX-License-Identifier: Apache-2.0
//
// All of it is plain data without pointers: the host writes it once, as globals of the pool or as items of a map, and
// workers read it in place.
#pragma once

#include "vec3.h"

#include <cstddef>
#include <cstdint>

/// Names of the pool's globals (mape_pool_set_global, mape_task_global).
namespace global {
constexpr char nodes[] = "bvh.nodes";          ///< BvhNode[]
constexpr char triangles[] = "bvh.triangles";  ///< BvhTriangle[]
constexpr char positions[] = "mesh.positions"; ///< Vec3[], one per vertex
constexpr char normals[] = "mesh.normals";     ///< Vec3[], one per vertex
constexpr char indices[] = "mesh.indices";     ///< uint32_t[], three per triangle
constexpr char baked[] = "baked";              ///< BakedPoint[]: the vertices, then the floor; set after the bake
constexpr char view[] = "view";                ///< View; set after the bake
} // namespace global

/// One item of the bake: a place from which to look around. Its number in the job is the seed of its rays.
struct BakePoint {
    Vec3 position;
    Vec3 normal;
    uint32_t crash; ///< 1: the worker that gets it writes through a null pointer (`--crash`).
};

/// What every item of the bake has in common: the baked-in data of its function.
struct BakeSettings {
    uint32_t rays; ///< Per point.
    float reach;   ///< What is farther away than this does not darken a point.
};

/// What the bake found out about a point.
struct BakedPoint {
    float occlusion; ///< 0: sees the whole sky; 1: sees none of it.
    uint32_t mark;   ///< 1 + the lost vertex that this point lies next to, or 0.
};

/// The floor is baked too, at the points of a square grid around the mesh.
struct Floor {
    static constexpr uint32_t side = 161;      ///< Points along each side.
    static constexpr float half_extent = 2.6f; ///< From the middle to each side; farther out nothing darkens it.
    static constexpr uint32_t count = side * side;

    /// Point i of the grid, row by row.
    static Vec3 position(uint32_t i) {
        constexpr float step = 2 * half_extent / (side - 1);
        return {float(i % side) * step - half_extent, 0, float(i / side) * step - half_extent};
    }

    /// The occlusion anywhere on the floor, between the four points around it.
    /// @param grid the floor's part of the baked points.
    static float occlusion(const BakedPoint *grid, float x, float z) {
        const float gx = (x + half_extent) * ((side - 1) / (2 * half_extent));
        const float gz = (z + half_extent) * ((side - 1) / (2 * half_extent));
        if (!(gx >= 0 && gz >= 0 && gx < side - 1 && gz < side - 1)) return 0;
        const BakedPoint *p = grid + size_t(gz) * side + size_t(gx);
        const float fx = gx - std::floor(gx), fz = gz - std::floor(gz);
        return mix(mix(p[0].occlusion, p[1].occlusion, fx), mix(p[side].occlusion, p[side + 1].occlusion, fx), fz);
    }
};

/// How far around a lost vertex the picture is marked.
constexpr float mark_radius = 0.028f;
