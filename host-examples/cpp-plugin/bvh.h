// bvh.h - a bounding volume hierarchy over triangles: built once in the host, walked by every worker
//
// SPDX-License-Identifier: Apache-2.0
//
// The two arrays hold indices, no pointers, so they work at whatever address a process maps them: workers read the
// host's own bytes, and nothing is copied or rebuilt.
#pragma once

#include "vec3.h"

#include <cstdint>
#include <vector>

/// A box and what is in it. count 0: the children are nodes first and first + 1; else triangles first … first + count.
struct BvhNode {
    Vec3 lo;
    uint32_t first;
    Vec3 hi;
    uint32_t count;
};
static_assert(sizeof(BvhNode) == 32, "two nodes to a cache line");

/// A triangle as the intersection test wants it.
struct BvhTriangle {
    Vec3 corner;    ///< Its first corner.
    Vec3 edge1;     ///< From there to the second.
    Vec3 edge2;     ///< From there to the third.
    uint32_t index; ///< Which triangle of the mesh it is.
};

/// The hierarchy as its builder owns it. Node 0 is the root.
struct Bvh {
    std::vector<BvhNode> nodes;
    std::vector<BvhTriangle> triangles;
};

/// The hierarchy as a ray needs it, in whatever memory.
struct BvhView {
    const BvhNode *nodes;
    const BvhTriangle *triangles;
};

/// A half-line; points on it are origin + t * direction.
struct Ray {
    Vec3 origin, direction;
};

/// Where a ray met a triangle.
struct Hit {
    float t;        ///< Distance, in lengths of the ray's direction.
    uint32_t index; ///< The triangle of the mesh.
    float u, v;     ///< Weights of its second and third corner; the first has 1 - u - v.
};

/// Builds the hierarchy.
/// @param positions the mesh's vertices.
/// @param indices   three vertices per triangle.
/// @param triangles how many triangles; at least 1.
Bvh build_bvh(const Vec3 *positions, const uint32_t *indices, uint32_t triangles);

/// Whether anything lies on the ray before t_max. Cheaper than closest_hit, as the first triangle found will do.
bool any_hit(const BvhView &bvh, const Ray &ray, float t_max);

/// Finds the first triangle on the ray.
/// @param hit on entry, `t` is the distance up to which to look; receives the hit.
/// @return whether there is one.
bool closest_hit(const BvhView &bvh, const Ray &ray, Hit &hit);
