// render.cpp - a small ray tracer: one soft key light, and the baked occlusion for everything the sky gives
//
// SPDX-License-Identifier: Apache-2.0
#include "render.h"

#include "sampling.h"

#include <limits>

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// The look, in one place. Colours are linear light; 1 is what a white sheet under the key light sends back.
constexpr Vec3 mesh_colour{0.70f, 0.47f, 0.33f};
constexpr Vec3 floor_colour{0.17f, 0.22f, 0.235f};
constexpr Vec3 mark_colour{1.0f, 0.0f, 0.55f};
constexpr Vec3 key_light{1.30f, 1.14f, 0.92f};
constexpr Vec3 sky_light{0.60f, 0.64f, 0.70f};
constexpr Vec3 floor_light{0.22f, 0.22f, 0.22f}; // What the lit floor throws back up.
constexpr Vec3 rim_light{0.34f, 0.42f, 0.52f};
constexpr Vec3 key_direction{-0.66f, 0.70f, 0.02f}; // Relative to the camera: right, up, towards it.
constexpr Vec3 rim_direction{0.70f, 0.35f, -0.62f};
constexpr float key_radius = 0.16f; // Of the light's disc at distance 1: how soft shadows are.
constexpr float pool_radius = 3.0f; // The key light is a spot; this far from the middle it has faded to a third.

// Four samples find out whether a pixel shows anything but smooth background; the others are spent only if so.
constexpr uint32_t first_samples = 4;
constexpr uint32_t all_samples = 24;

// Keeps a ray that starts on a surface from hitting that surface. The mesh is 2 wide.
constexpr float skin = 1e-3f;

/// What one ray into the scene brought back.
struct Sample {
    Vec3 colour; // Display light, 0 to 1, before gamma.
    bool is_backdrop;
};

/// Light to display light, with soft highlights.
/// Source: Narkowicz, "ACES Filmic Tone Mapping Curve" (2015).
Vec3 tone_mapped(Vec3 c) {
    const auto curve = [](float v) {
        v *= 0.68f;
        return clamped(v * (2.51f * v + 0.03f) / (v * (2.43f * v + 0.59f) + 0.14f), 0, 1);
    };
    return {curve(c.x), curve(c.y), curve(c.z)};
}

/// How much of the ambient light a spot keeps, per colour: light that bounces inside a fold takes on the surface's
/// colour, so folds turn warm and not grey.
/// Source: Jimenez et al., "Practical Real-Time Strategies for Accurate Indirect Occlusion" (2016), eq. 10.
Vec3 multi_bounce(float visibility, Vec3 albedo) {
    const auto channel = [visibility](float a) {
        const float x = 2.0404f * a - 0.3324f, y = -4.7951f * a + 0.6417f, z = 2.7552f * a + 0.6903f;
        return greater(visibility, ((visibility * x + y) * visibility + z) * visibility);
    };
    return {channel(albedo.x), channel(albedo.y), channel(albedo.z)};
}

class Shader {
public:
    explicit Shader(const RenderScene &scene) : scene(scene) {
        const Vec3 right = normalized(scene.view.right), back = scene.view.forward * -1.0f;
        // The lights follow the camera around, but stand upright.
        const Vec3 level_back = normalized({back.x, 0, back.z});
        const auto placed = [&](Vec3 d) { return normalized(right * d.x + Vec3{0, d.y, 0} + level_back * d.z); };
        key = basis_around(placed(key_direction));
        rim = placed(rim_direction);
    }

    /// Follows one ray.
    /// @param light a point of the light's disc: where on it the shadow ray goes.
    Sample trace(const Ray &ray, SquarePoint light) const {
        Hit hit{infinity, 0, 0, 0};
        const bool is_mesh = closest_hit(scene.bvh, ray, hit);
        const float floor_t = ray.direction.y < 0 ? -ray.origin.y / ray.direction.y : infinity;
        if (is_mesh && hit.t < floor_t) return {mesh(ray, hit, light), false};
        if (floor_t < infinity) return floor(ray, floor_t, light);
        return {backdrop(ray.direction), true};
    }

private:
    /// 1 when a spot of the key light is seen from there, else 0.
    float key_seen(Vec3 position, Vec3 normal, Vec3 towards) const {
        return any_hit(scene.bvh, {position + normal * skin, towards}, infinity) ? 0.0f : 1.0f;
    }

    Vec3 towards_key(SquarePoint light) const {
        const Vec3 d = concentric_disc(light);
        return normalized(key.to_world({d.x * key_radius, d.y * key_radius, 1}));
    }

    Vec3 mesh(const Ray &ray, const Hit &hit, SquarePoint light) const {
        const uint32_t *corner = scene.indices + 3 * size_t(hit.index);
        const float w = 1 - hit.u - hit.v;
        const Vec3 position = ray.origin + ray.direction * hit.t;
        const Vec3 normal = normalized(scene.normals[corner[0]] * w + scene.normals[corner[1]] * hit.u +
                                       scene.normals[corner[2]] * hit.v);
        const BakedPoint *baked = scene.vertices;
        const float occlusion =
            baked[corner[0]].occlusion * w + baked[corner[1]].occlusion * hit.u + baked[corner[2]].occlusion * hit.v;
        const float visibility = 1 - occlusion;

        const Vec3 towards = towards_key(light);
        const float facing = dot(normal, towards);
        const float lit = facing > 0 ? facing * key_seen(position, normal, towards) : 0;
        const Vec3 sky = mix(floor_light, sky_light, 0.5f + 0.5f * normal.y);
        Vec3 colour = mesh_colour * (key_light * lit + sky * multi_bounce(visibility, mesh_colour));

        // A satin glaze: highlights of the key light (Blinn 1977), and the rim light, which only grazing looks see.
        const Vec3 half = normalized(towards - ray.direction);
        const float at_edge = std::pow(1 - clamped(-dot(normal, ray.direction), 0, 1), 3.0f);
        if (lit > 0) colour += key_light * (0.10f * std::pow(greater(0, dot(normal, half)), 48.0f));
        colour += rim_light * (at_edge * visibility * greater(0, 0.25f + dot(normal, rim)));

        return mix(tone_mapped(colour), mark_colour, mark_at(corner, position) * (0.8f + 0.2f * lit));
    }

    /// How much of the mark of a lost vertex is seen here: a disc around it with a soft edge.
    float mark_at(const uint32_t *corner, Vec3 position) const {
        float mark = 0;
        for (int k = 0; k < 3; ++k) {
            const uint32_t near = scene.vertices[corner[k]].mark;
            if (near == 0) continue;
            const float distance = length(position - scene.positions[near - 1]);
            mark = greater(mark, 1 - smoothstep(0.9f * mark_radius, mark_radius, distance));
        }
        return mark;
    }

    Sample floor(const Ray &ray, float t, SquarePoint light) const {
        const Vec3 position = ray.origin + ray.direction * t;
        const Vec3 up{0, 1, 0};
        const float from_middle = std::sqrt(position.x * position.x + position.z * position.z);
        const Vec3 towards = towards_key(light);
        const float seen = key_seen(position, up, towards);
        const float visibility = 1 - Floor::occlusion(scene.floor, position.x, position.z);
        const Vec3 ambient = sky_light * multi_bounce(visibility, floor_colour);
        const Vec3 colour = floor_colour * (key_light * (towards.y * seen) + ambient) * pool(from_middle);
        // Far from the mesh the floor is as plain as the backdrop, and needs no more samples than that.
        const bool is_plain = from_middle > Floor::half_extent && seen > 0;
        return {tone_mapped(colour), is_plain};
    }

    /// The spot's light on the floor. Far away it ends in the backdrop's own brightness, so that there is no horizon.
    static float pool(float from_middle) {
        const float r = from_middle / pool_radius;
        return mix(backdrop_level, 1.0f, std::exp(-r * r));
    }

    Vec3 backdrop(Vec3 direction) const {
        const Vec3 ambient = sky_light * multi_bounce(1, floor_colour);
        const Vec3 horizon = floor_colour * (key_light * key.normal.y + ambient) * backdrop_level;
        return tone_mapped(horizon * mix(1.0f, 0.45f, smoothstep(0, 0.5f, direction.y)));
    }

    static constexpr float backdrop_level = 0.30f;

    const RenderScene &scene;
    Basis key; // Its normal points to the middle of the key light.
    Vec3 rim;
};

/// A step of +-1 that falls off linearly, from two fractions: samples spread like this make a tent filter, which keeps
/// edges smoother than a box does.
float tent(uint32_t fraction) {
    const float v = 2 * unit_float(fraction);
    return v < 1 ? std::sqrt(v) - 1 : 1 - std::sqrt(2 - v);
}

/// Display light to a byte, as IEC 61966-2-1 (sRGB) says; the noise of half a step hides the steps of soft gradients.
uint8_t srgb_byte(float v, uint32_t noise) {
    const float encoded = v <= 0.0031308f ? 12.92f * v : 1.055f * std::pow(v, 1 / 2.4f) - 0.055f;
    return uint8_t(clamped(encoded * 255 + unit_float(noise), 0, 255));
}

} // namespace

View frame_mesh(const std::vector<Vec3> &positions, uint32_t width, uint32_t height) {
    constexpr float azimuth = 0.30f, elevation = 0.26f; // Radians: a little from the right, a little from above.
    constexpr float tangent = 0.25f;                    // Of half the picture's shorter side: about 28 degrees in all.
    constexpr float filled = 0.78f;                     // The part of the picture that the mesh may take.
    const float aspect = float(width) / float(height);
    const float tan_x = aspect > 1 ? tangent * aspect : tangent, tan_y = tan_x / aspect;

    const Vec3 forward{-std::sin(azimuth) * std::cos(elevation), -std::sin(elevation),
                       -std::cos(azimuth) * std::cos(elevation)};
    const Vec3 right = normalized(cross(forward, {0, 1, 0}));
    const Vec3 up = cross(right, forward);

    // Where the camera looks decides how far it must be, and how far it is decides what its middle is: a few rounds
    // settle both.
    Vec3 target{0, 0.5f, 0};
    float distance = 0;
    for (int round = 0; round < 6; ++round) {
        distance = 0;
        for (const Vec3 p : positions) {
            const Vec3 d = p - target;
            const float depth = dot(d, forward);
            distance = greater(distance, std::fabs(dot(d, right)) / (filled * tan_x) - depth);
            distance = greater(distance, std::fabs(dot(d, up)) / (filled * tan_y) - depth);
        }
        float left_edge = infinity, right_edge = -infinity, bottom_edge = infinity, top_edge = -infinity;
        for (const Vec3 p : positions) {
            const Vec3 d = p - target;
            const float depth = distance + dot(d, forward);
            left_edge = lesser(left_edge, dot(d, right) / depth);
            right_edge = greater(right_edge, dot(d, right) / depth);
            bottom_edge = lesser(bottom_edge, dot(d, up) / depth);
            top_edge = greater(top_edge, dot(d, up) / depth);
        }
        target += right * ((left_edge + right_edge) / 2 * distance) + up * ((bottom_edge + top_edge) / 2 * distance);
    }
    return {target - forward * distance, forward, right * tan_x, up * tan_y, width, height};
}

void render_row(const RenderScene &scene, uint32_t y, uint8_t *rgb) {
    const Shader shader(scene);
    const View &view = scene.view;
    for (uint32_t x = 0; x < view.width; ++x) {
        const uint32_t seed = hash32(y * view.width + x);
        Vec3 sum{0, 0, 0};
        uint32_t taken = 0;
        bool is_plain = true;
        while (taken < (is_plain ? first_samples : all_samples)) {
            const SquarePoint pixel = rotated(r2_point(taken), seed);
            const SquarePoint light = rotated(r2_point(taken), seed ^ 0x5bd1e995U);
            const float px = 2 * (float(x) + 0.5f + tent(pixel.u)) / float(view.width) - 1;
            const float py = 1 - 2 * (float(y) + 0.5f + tent(pixel.v)) / float(view.height);
            const Ray ray{view.eye, normalized(view.forward + view.right * px + view.up * py)};
            const Sample sample = shader.trace(ray, light);
            sum += sample.colour;
            is_plain = is_plain && sample.is_backdrop;
            ++taken;
        }
        const Vec3 colour = sum * (1 / float(taken));
        *rgb++ = srgb_byte(colour.x, hash32(seed + 1));
        *rgb++ = srgb_byte(colour.y, hash32(seed + 2));
        *rgb++ = srgb_byte(colour.z, hash32(seed + 3));
    }
}
