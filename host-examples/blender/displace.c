/* displace.c - what the workers run: moves vertices along their normals by fractal noise
 *
 * The noise is Perlin's (Improving Noise, SIGGRAPH 2002), summed over octaves; the ridges are Musgrave's (Texturing and Modeling, ch. 16).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What a job brings along, and how __init__.py packs it ("=fffii"). */
struct settings {
    float strength, scale, seed;
    int32_t octaves;
    int32_t crash; /* 1: abort, as broken code does. */
};

/* An item is a block of vertices: positions and normals in turn, and its result their new positions. */
struct vertex {
    float position[3], normal[3];
};

static uint32_t hashed(int32_t x, int32_t y, int32_t z) {
    uint32_t h = (uint32_t)x * 0x8da6b343u ^ (uint32_t)y * 0xd8163841u ^ (uint32_t)z * 0xcb1ab31fu;
    h = (h ^ (h >> 15)) * 0x2c1b3c6du;
    h = (h ^ (h >> 12)) * 0x297a2d39u;
    return h ^ (h >> 15);
}

static float slope(uint32_t h, float x, float y, float z) {
    const float u = (h & 8) ? y : x, v = (h & 12) == 0 ? y : (h & 13) == 12 ? x : z;
    return ((h & 1) ? -u : u) + ((h & 2) ? -v : v);
}

static float fade(float t) { return t * t * t * (t * (t * 6 - 15) + 10); }
static float mix(float t, float a, float b) { return a + t * (b - a); }

static float noise(float x, float y, float z) {
    const float fx = floorf(x), fy = floorf(y), fz = floorf(z);
    const int32_t i = (int32_t)fx, j = (int32_t)fy, k = (int32_t)fz;
    float corner[8];
    x -= fx, y -= fy, z -= fz;
    for (int n = 0; n < 8; n++) {
        const int a = n & 1, b = n >> 1 & 1, c = n >> 2;
        corner[n] = slope(hashed(i + a, j + b, k + c), x - (float)a, y - (float)b, z - (float)c);
    }
    const float u = fade(x), v = fade(y), w = fade(z);
    return mix(w, mix(v, mix(u, corner[0], corner[1]), mix(u, corner[2], corner[3])),
               mix(v, mix(u, corner[4], corner[5]), mix(u, corner[6], corner[7])));
}

/* Between about -1 and 1: wide hills, and ridges on them. */
static float height(const struct settings *settings, const float at[3]) {
    float sum = 0, weight = 0.5f, scale = settings->scale;
    for (int octave = 0; octave < settings->octaves; octave++) {
        const float value = noise(at[0] * scale + settings->seed, at[1] * scale, at[2] * scale);
        sum += weight * (octave < 2 ? value : 0.5f - fabsf(value) * 2);
        weight *= 0.5f;
        scale *= 2.03f;
    }
    return sum;
}

int displace_vertices(mape_task *task, void *state, const void *input, size_t size) {
    size_t settings_size = 0;
    const struct settings *settings = mape_task_job_data(&settings_size, task);
    const struct vertex *vertices = input;
    const size_t count = size / sizeof *vertices;
    float(*moved)[3] = mape_task_output(task, count * sizeof *moved);
    (void)state;
    if (settings_size != sizeof *settings || size % sizeof *vertices != 0)
        return mape_task_fail(task, 1, "wrong settings or vertices");
    if (settings->crash && mape_task_index(task) == 0) abort();
    if (!moved) return mape_task_fail(task, 2, "no memory for the vertices");
    for (size_t i = 0; i < count; i++) {
        if (i % 64 == 0 && mape_task_cancelled(task)) return 1;
        const float by = settings->strength * height(settings, vertices[i].position);
        for (int axis = 0; axis < 3; axis++)
            moved[i][axis] = vertices[i].position[axis] + by * vertices[i].normal[axis];
    }
    return 0;
}
