// vec3.h - three floats and what one does with them
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

/// A point, direction or colour. Plain data: it crosses the process boundary as it lies in memory.
struct Vec3 {
    float x, y, z;
};

inline Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec3 operator-(Vec3 a) { return {-a.x, -a.y, -a.z}; }
inline Vec3 operator*(Vec3 a, Vec3 b) { return {a.x * b.x, a.y * b.y, a.z * b.z}; }
inline Vec3 operator*(Vec3 a, float s) { return {a.x * s, a.y * s, a.z * s}; }
inline Vec3 operator*(float s, Vec3 a) { return a * s; }
inline Vec3 &operator+=(Vec3 &a, Vec3 b) { return a = a + b; }

inline float dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec3 cross(Vec3 a, Vec3 b) { return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
inline float length(Vec3 a) { return std::sqrt(dot(a, a)); }

/// The vector with length 1; a zero vector stays zero, so that a degenerate triangle does no harm.
inline Vec3 normalized(Vec3 a) {
    const float l = length(a);
    return l > 0 ? a * (1 / l) : a;
}

// Written as a comparison, not std::min, because compilers turn this form into one minss/maxss instruction.
inline float lesser(float a, float b) { return a < b ? a : b; }
inline float greater(float a, float b) { return a > b ? a : b; }
inline float clamped(float v, float lo, float hi) { return lesser(greater(v, lo), hi); }
inline Vec3 lesser(Vec3 a, Vec3 b) { return {lesser(a.x, b.x), lesser(a.y, b.y), lesser(a.z, b.z)}; }
inline Vec3 greater(Vec3 a, Vec3 b) { return {greater(a.x, b.x), greater(a.y, b.y), greater(a.z, b.z)}; }

/// From a (at 0) to b (at 1).
inline Vec3 mix(Vec3 a, Vec3 b, float t) { return a + (b - a) * t; }
inline float mix(float a, float b, float t) { return a + (b - a) * t; }

/// 0 below lo, 1 above hi, smooth between.
inline float smoothstep(float lo, float hi, float v) {
    const float t = clamped((v - lo) / (hi - lo), 0, 1);
    return t * t * (3 - 2 * t);
}
