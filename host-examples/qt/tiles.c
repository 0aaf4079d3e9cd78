/* tiles.c - what the workers run: a small path tracer, one tile of the picture per item
 *
 * The light of each pixel is the mean of some paths that start at the eye and bounce from sphere to sphere until they leave for the sky or
 * are lost, as in Kajiya's rendering equation (SIGGRAPH 1986); the scene is one of mirrors, glass and matte balls on a floor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* An item, and how render.py packs it ("=7i"). */
struct tile {
    int32_t x, y, width, height; /* Where it lies in the picture, in pixels. */
    int32_t picture_width, picture_height;
    int32_t paths; /* Per pixel; 0 crashes, as broken code does. */
};

typedef struct {
    float x, y, z;
} vec;

static vec add(vec a, vec b) { return (vec){a.x + b.x, a.y + b.y, a.z + b.z}; }
static vec sub(vec a, vec b) { return (vec){a.x - b.x, a.y - b.y, a.z - b.z}; }
static vec scaled(vec a, float k) { return (vec){a.x * k, a.y * k, a.z * k}; }
static vec times(vec a, vec b) { return (vec){a.x * b.x, a.y * b.y, a.z * b.z}; }
static float dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static vec unit(vec a) { return scaled(a, 1 / sqrtf(dot(a, a))); }
static vec cross(vec a, vec b) { return (vec){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
static vec mirrored(vec d, vec n) { return sub(d, scaled(n, 2 * dot(d, n))); }

/* PCG's random numbers (O'Neill 2014), a sequence per pixel, so that a tile looks the same whoever renders it. */
static float random01(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    const uint32_t shifted = (uint32_t)(((*state >> 18) ^ *state) >> 27), turn = (uint32_t)(*state >> 59);
    return (float)(((shifted >> turn) | (shifted << ((32 - turn) & 31))) >> 8) * 0x1p-24f;
}

enum material { MATTE, METAL, GLASS, LIGHT };
static const struct sphere {
    vec centre;
    float radius;
    enum material material;
    vec colour;
} scene[] = {
    {{0, -1000, 0}, 1000, MATTE, {0.55f, 0.53f, 0.50f}},
    {{-2.3f, 1, -0.4f}, 1, METAL, {0.95f, 0.78f, 0.55f}},
    {{0, 1, 0}, 1, GLASS, {1, 1, 1}},
    {{2.3f, 1, -0.4f}, 1, MATTE, {0.75f, 0.18f, 0.13f}},
    {{-1.1f, 0.45f, 1.5f}, 0.45f, MATTE, {0.15f, 0.45f, 0.55f}},
    {{1.25f, 0.4f, 1.6f}, 0.4f, METAL, {0.85f, 0.88f, 0.92f}},
    {{0.1f, 0.28f, 2.1f}, 0.28f, LIGHT, {9, 6.5f, 3.5f}},
    {{-3.2f, 0.35f, 1.2f}, 0.35f, LIGHT, {2.5f, 4, 9}},
    {{0.4f, 0.9f, -3.2f}, 0.9f, MATTE, {0.45f, 0.55f, 0.22f}},
    {{-2.9f, 0.6f, -3}, 0.6f, GLASS, {1, 1, 1}},
};
enum { SPHERES = sizeof scene / sizeof *scene };

static const struct sphere *nearest(vec origin, vec direction, float *distance) {
    const struct sphere *found = NULL;
    *distance = 1e30f;
    for (int i = 0; i < SPHERES; i++) {
        const vec to = sub(scene[i].centre, origin);
        const float along = dot(to, direction),
                    inside = along * along - dot(to, to) + scene[i].radius * scene[i].radius;
        if (inside < 0) continue;
        const float half = sqrtf(inside), near = along - half, far = along + half, t = near > 2e-3f ? near : far;
        if (t > 2e-3f && t < *distance) *distance = t, found = &scene[i];
    }
    return found;
}

/* A direction around n, likelier where the surface reflects more. */
static vec cosine_around(vec n, uint64_t *seed) {
    const float u = random01(seed), a = 6.2831853f * random01(seed), r = sqrtf(u);
    const vec side = unit(cross(fabsf(n.x) > 0.5f ? (vec){0, 1, 0} : (vec){1, 0, 0}, n)), up = cross(n, side);
    return unit(add(add(scaled(side, r * cosf(a)), scaled(up, r * sinf(a))), scaled(n, sqrtf(1 - u))));
}

/* Through glass, or off it, as Fresnel's law says in Schlick's form. */
static vec through_glass(vec d, vec n, uint64_t *seed) {
    const int entering = dot(d, n) < 0;
    const vec facing = entering ? n : scaled(n, -1);
    const float ratio = entering ? 1 / 1.5f : 1.5f, cosine = -dot(d, facing),
                k = 1 - ratio * ratio * (1 - cosine * cosine);
    const float c = 1 - (entering ? cosine : sqrtf(fmaxf(k, 0))), reflected = 0.04f + 0.96f * c * c * c * c * c;
    if (k < 0 || random01(seed) < reflected) return mirrored(d, facing);
    return unit(add(scaled(d, ratio), scaled(facing, ratio * cosine - sqrtf(k))));
}

static vec sky(vec d) {
    const float t = 0.5f * (d.y + 1), sun = powf(fmaxf(0, dot(d, unit((vec){-0.5f, 0.7f, 0.4f}))), 256);
    return add(add(scaled((vec){0.95f, 0.80f, 0.65f}, 0.55f * (1 - t)), scaled((vec){0.30f, 0.45f, 0.75f}, 0.55f * t)),
               scaled((vec){40, 34, 24}, sun));
}

static vec light_along(vec origin, vec direction, uint64_t *seed) {
    vec carried = {1, 1, 1};
    for (int bounce = 0; bounce < 8; bounce++) {
        float distance;
        const struct sphere *hit = nearest(origin, direction, &distance);
        if (!hit) return times(carried, sky(direction));
        if (hit->material == LIGHT) return times(carried, hit->colour);
        origin = add(origin, scaled(direction, distance));
        const vec n = scaled(sub(origin, hit->centre), 1 / hit->radius);
        vec colour = hit->colour;
        if (hit == scene && ((int)floorf(origin.x) + (int)floorf(origin.z)) % 2 != 0) colour = scaled(colour, 0.45f);
        if (hit->material != GLASS) carried = times(carried, colour);
        direction = hit->material == MATTE   ? cosine_around(n, seed)
                    : hit->material == METAL ? mirrored(direction, n)
                                             : through_glass(direction, n, seed);
    }
    return (vec){0, 0, 0};
}

static uint8_t as_byte(float light) {
    const float tone = light / (1 + light) * 1.35f; /* Reinhard's curve, then the screen's. */
    return (uint8_t)(255 * powf(fminf(tone, 1), 1 / 2.2f) + 0.5f);
}

/* The pixels of one tile: width * height times red, green, blue. */
int tile_render(mape_task *task, void *state, const void *input, size_t size) {
    struct tile tile;
    (void)state;
    if (size != sizeof tile) return mape_task_fail(task, 1, "the item is no tile");
    memcpy(&tile, input, sizeof tile);
    if (tile.paths == 0) abort();
    uint8_t *pixel = mape_task_output(task, (size_t)tile.width * (size_t)tile.height * 3);
    if (!pixel) return mape_task_fail(task, 2, "no memory for the tile");
    const vec eye = {0.4f, 1.9f, 6.2f}, forward = unit(sub((vec){0, 0.75f, 0}, eye)),
              right = unit(cross(forward, (vec){0, 1, 0}));
    const vec up = cross(right, forward);
    for (int y = tile.y; y < tile.y + tile.height; y++) {
        if (mape_task_cancelled(task)) return 1;
        mape_task_progress(task, (double)(y - tile.y) / tile.height);
        for (int x = tile.x; x < tile.x + tile.width; x++, pixel += 3) {
            uint64_t seed = ((uint64_t)y * (uint64_t)tile.picture_width + (uint64_t)x) * 0x9e3779b97f4a7c15u + 1;
            vec sum = {0, 0, 0};
            for (int i = 0; i < tile.paths; i++) {
                const float u =
                    (2 * ((float)x + random01(&seed)) - (float)tile.picture_width) / (float)tile.picture_height;
                const float v = 1 - 2 * ((float)y + random01(&seed)) / (float)tile.picture_height;
                const vec light =
                    light_along(eye, unit(add(add(scaled(right, u * 0.45f), scaled(up, v * 0.45f)), forward)), &seed);
                /* A rare path that met the sun would be a white dot. */
                sum = add(sum, (vec){fminf(light.x, 4), fminf(light.y, 4), fminf(light.z, 4)});
            }
            sum = scaled(sum, 1 / (float)tile.paths);
            pixel[0] = as_byte(sum.x), pixel[1] = as_byte(sum.y), pixel[2] = as_byte(sum.z);
        }
    }
    return 0;
}
