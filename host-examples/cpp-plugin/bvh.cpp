// bvh.cpp - building and walking the hierarchy
//
// SPDX-License-Identifier: Apache-2.0
//
// Build: binned surface area heuristic, after Wald, "On fast Construction of SAH-based Bounding Volume Hierarchies"
// (2007). Triangle test: Möller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection" (1997). Box test: the
// slabs of Kay and Kajiya, "Ray Tracing Complex Scenes" (1986).
#include "bvh.h"

#include <algorithm>
#include <limits>

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

struct Box {
    Vec3 lo{infinity, infinity, infinity};
    Vec3 hi{-infinity, -infinity, -infinity};

    void add(Vec3 p) {
        lo = lesser(lo, p);
        hi = greater(hi, p);
    }
    void add(const Box &b) {
        lo = lesser(lo, b.lo);
        hi = greater(hi, b.hi);
    }
    /// Half its surface: the heuristic compares these only with each other.
    float area() const {
        const Vec3 d = hi - lo;
        return d.x < 0 ? 0 : d.x * d.y + d.y * d.z + d.z * d.x;
    }
};

float axis_of(Vec3 v, int axis) { return axis == 0 ? v.x : axis == 1 ? v.y : v.z; }

/// Builds top-down over an array of references that it sorts in place.
class Builder {
public:
    Builder(const Vec3 *positions, const uint32_t *indices, uint32_t triangles)
        : positions(positions), indices(indices), references(triangles) {
        for (uint32_t i = 0; i < triangles; ++i) {
            Reference &r = references[i];
            for (int k = 0; k < 3; ++k) r.box.add(positions[indices[3 * i + k]]);
            r.centre = (r.box.lo + r.box.hi) * 0.5f;
            r.index = i;
        }
        bvh.nodes.reserve(2 * size_t(triangles));
        bvh.nodes.emplace_back();
    }

    Bvh build() {
        split(0, 0, uint32_t(references.size()), 0);
        bvh.triangles.reserve(references.size());
        for (const Reference &r : references) {
            const Vec3 a = positions[indices[3 * r.index]];
            bvh.triangles.push_back(
                {a, positions[indices[3 * r.index + 1]] - a, positions[indices[3 * r.index + 2]] - a, r.index});
        }
        return std::move(bvh);
    }

private:
    struct Reference {
        Box box;
        Vec3 centre;
        uint32_t index;
    };
    struct Bin {
        Box box;
        uint32_t count = 0;
    };
    struct Plane {
        float cost = infinity;
        int axis = 0;
        int bin = 0;
    };

    static constexpr int bin_count = 16;
    static constexpr uint32_t leaf_size = 4; // Beyond this many triangles a leaf is split even at a loss.
    static constexpr int max_depth = 60;     // The walks below keep a stack of 64.

    /// Which bin a centre falls into. The same arithmetic decides the cost and the side, so both agree.
    static int bin_of(Vec3 centre, const Box &centres, int axis) {
        const float lo = axis_of(centres.lo, axis);
        const float extent = axis_of(centres.hi, axis) - lo;
        return std::min(bin_count - 1, int(bin_count * ((axis_of(centre, axis) - lo) / extent)));
    }

    /// The cheapest of the planes between bins: cost is area times triangles, summed over both sides.
    Plane best_plane(uint32_t begin, uint32_t end, const Box &centres) const {
        Plane best;
        for (int axis = 0; axis < 3; ++axis) {
            if (axis_of(centres.hi, axis) <= axis_of(centres.lo, axis)) continue;
            Bin bins[bin_count];
            for (uint32_t i = begin; i < end; ++i) {
                Bin &bin = bins[bin_of(references[i].centre, centres, axis)];
                bin.box.add(references[i].box);
                ++bin.count;
            }
            float right_cost[bin_count];
            Bin right;
            for (int b = bin_count - 1; b > 0; --b) {
                right.box.add(bins[b].box);
                right.count += bins[b].count;
                right_cost[b] = right.box.area() * float(right.count);
            }
            Bin left;
            for (int b = 1; b < bin_count; ++b) {
                left.box.add(bins[b - 1].box);
                left.count += bins[b - 1].count;
                const float cost = left.box.area() * float(left.count) + right_cost[b];
                if (left.count > 0 && left.count < end - begin && cost < best.cost) best = {cost, axis, b};
            }
        }
        return best;
    }

    void split(uint32_t node, uint32_t begin, uint32_t end, int depth) {
        Box box, centres;
        for (uint32_t i = begin; i < end; ++i) {
            box.add(references[i].box);
            centres.add(references[i].centre);
        }
        const uint32_t count = end - begin;
        const Plane plane = count > 1 && depth < max_depth ? best_plane(begin, end, centres) : Plane{};
        const float leaf_cost = box.area() * float(count);
        // A step down costs about as much as one triangle, hence the added area.
        const bool is_leaf = plane.cost == infinity || (count <= leaf_size && plane.cost + box.area() >= leaf_cost);
        bvh.nodes[node] = {box.lo, begin, box.hi, count};
        if (is_leaf) return;

        const auto middle =
            std::partition(references.begin() + begin, references.begin() + end,
                           [&](const Reference &r) { return bin_of(r.centre, centres, plane.axis) < plane.bin; });
        const uint32_t cut = uint32_t(middle - references.begin());
        const uint32_t children = uint32_t(bvh.nodes.size());
        bvh.nodes.resize(children + 2);
        bvh.nodes[node].first = children;
        bvh.nodes[node].count = 0;
        split(children, begin, cut, depth + 1);
        split(children + 1, cut, end, depth + 1);
    }

    const Vec3 *positions;
    const uint32_t *indices;
    std::vector<Reference> references;
    Bvh bvh;
};

/// Where the ray enters the box, or infinity when it misses it or enters beyond t_max.
inline float enter_box(const BvhNode &node, Vec3 origin, Vec3 inverse, float t_max) {
    const Vec3 a = (node.lo - origin) * inverse;
    const Vec3 b = (node.hi - origin) * inverse;
    const Vec3 near = lesser(a, b), far = greater(a, b);
    const float enter = greater(greater(near.x, near.y), greater(near.z, 0));
    const float leave = lesser(lesser(far.x, far.y), lesser(far.z, t_max));
    return enter <= leave ? enter : infinity;
}

inline bool hit_triangle(const BvhTriangle &triangle, const Ray &ray, Hit &hit) {
    const Vec3 p = cross(ray.direction, triangle.edge2);
    const float determinant = dot(triangle.edge1, p);
    if (determinant == 0) return false;
    const float inverse = 1 / determinant;
    const Vec3 s = ray.origin - triangle.corner;
    const float u = dot(s, p) * inverse;
    if (u < 0 || u > 1) return false;
    const Vec3 q = cross(s, triangle.edge1);
    const float v = dot(ray.direction, q) * inverse;
    if (v < 0 || u + v > 1) return false;
    const float t = dot(triangle.edge2, q) * inverse;
    if (t <= 0 || t >= hit.t) return false;
    hit = {t, triangle.index, u, v};
    return true;
}

/// The walk that both questions share: near child first, far child on a stack.
template <bool any> bool walk(const BvhView &bvh, const Ray &ray, Hit &hit) {
    struct Waiting {
        uint32_t node;
        float enter;
    };
    Waiting stack[64];
    int depth = 0;
    bool found = false;
    const Vec3 inverse{1 / ray.direction.x, 1 / ray.direction.y, 1 / ray.direction.z};
    uint32_t node = 0;
    if (enter_box(bvh.nodes[0], ray.origin, inverse, hit.t) == infinity) return false;
    for (;;) {
        const BvhNode &n = bvh.nodes[node];
        if (n.count > 0) {
            for (uint32_t i = n.first; i < n.first + n.count; ++i) {
                if (hit_triangle(bvh.triangles[i], ray, hit)) {
                    if (any) return true;
                    found = true;
                }
            }
        } else {
            uint32_t near = n.first, far = n.first + 1;
            float near_enter = enter_box(bvh.nodes[near], ray.origin, inverse, hit.t);
            float far_enter = enter_box(bvh.nodes[far], ray.origin, inverse, hit.t);
            if (far_enter < near_enter) {
                std::swap(near, far);
                std::swap(near_enter, far_enter);
            }
            if (near_enter != infinity) {
                if (far_enter != infinity) stack[depth++] = {far, far_enter};
                node = near;
                continue;
            }
        }
        // Boxes that lie behind what was found since they were put aside are passed over.
        do {
            if (depth == 0) return found;
            --depth;
        } while (stack[depth].enter >= hit.t);
        node = stack[depth].node;
    }
}

} // namespace

Bvh build_bvh(const Vec3 *positions, const uint32_t *indices, uint32_t triangles) {
    return Builder(positions, indices, triangles).build();
}

bool any_hit(const BvhView &bvh, const Ray &ray, float t_max) {
    Hit hit{t_max, 0, 0, 0};
    return walk<true>(bvh, ray, hit);
}

bool closest_hit(const BvhView &bvh, const Ray &ray, Hit &hit) { return walk<false>(bvh, ray, hit); }
