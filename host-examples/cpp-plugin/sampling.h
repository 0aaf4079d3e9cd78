// sampling.h - where the rays go: well-spread points, and the hemisphere they are mapped to
//
// SPDX-License-Identifier: Apache-2.0
//
// Everything here depends on its arguments alone, so a vertex gets the same rays whichever worker traces them, and a
// bake gives the same bytes for every number of workers.
#pragma once

#include "vec3.h"

#include <cstdint>

/// A point of the unit square as two fractions of 2^32: shifting it with wrap-around is then a plain addition.
struct SquarePoint {
    uint32_t u, v;
};

/// Mixes the bits of a number. Source: Wellons, "Prospecting for Hash Functions" (2018), lowbias32.
inline uint32_t hash32(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    x ^= x >> 16;
    return x;
}

/// Point i of the R2 sequence: any first n points are spread evenly.
/// Source: Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences" (2018); the factors are 2^32/g and
/// 2^32/g^2 for the plastic number g = 1.3247179572.
inline SquarePoint r2_point(uint32_t i) { return {i * 3242174889U, i * 2447445414U}; }

/// The point moved by an amount that the seed decides, wrapping around the square, so that neighbours do not share
/// their error. Source: Cranley and Patterson, "Randomization of Number Theoretic Methods" (1976).
inline SquarePoint rotated(SquarePoint p, uint32_t seed) {
    return {p.u + hash32(seed), p.v + hash32(seed ^ 0x9e3779b9U)};
}

/// 2^32 fractions as a float in [0, 1).
inline float unit_float(uint32_t fraction) { return float(fraction >> 8) * 0x1p-24f; }

/// The unit square onto the unit disc (x and y; z is 0), keeping neighbours neighbours and areas equal.
/// Source: Shirley and Chiu, "A Low Distortion Map Between Disk and Square" (1997).
inline Vec3 concentric_disc(SquarePoint p) {
    const float a = 2 * unit_float(p.u) - 1;
    const float b = 2 * unit_float(p.v) - 1;
    if (a == 0 && b == 0) return {0, 0, 0};
    constexpr float quarter_pi = 0.78539816f;
    const bool wide = std::fabs(a) > std::fabs(b);
    const float radius = wide ? a : b;
    const float angle = wide ? quarter_pi * (b / a) : 2 * quarter_pi - quarter_pi * (a / b);
    return {radius * std::cos(angle), radius * std::sin(angle), 0};
}

/// A direction around +z, likelier where its cosine is larger: each ray then counts the same.
/// Source: Malley's method, as in Pharr, Jakob and Humphreys, "Physically Based Rendering", 13.6.3.
inline Vec3 cosine_hemisphere(SquarePoint p) {
    const Vec3 d = concentric_disc(p);
    return {d.x, d.y, std::sqrt(greater(0, 1 - d.x * d.x - d.y * d.y))};
}

/// Two unit vectors that stand upright on a normal and on each other.
struct Basis {
    Vec3 tangent, bitangent, normal;
    /// A direction given around +z, turned to lie around the normal.
    Vec3 to_world(Vec3 d) const { return tangent * d.x + bitangent * d.y + normal * d.z; }
};

/// Source: Duff et al., "Building an Orthonormal Basis, Revisited" (2017).
inline Basis basis_around(Vec3 n) {
    const float sign = std::copysign(1.0f, n.z);
    const float a = -1 / (sign + n.z);
    const float b = n.x * n.y * a;
    return {{1 + sign * n.x * n.x * a, sign * b, -sign * n.x}, {b, sign + n.y * n.y * a, -n.y}, n};
}
