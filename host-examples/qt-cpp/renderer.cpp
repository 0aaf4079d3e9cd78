// renderer.cpp - the part of a picture that a worker renders: a Julia set, smoothly coloured
//
// SPDX-License-Identifier: Apache-2.0
//
// z goes to z^2 + c until it has left the plane's middle; the colour follows from how soon. Smooth counts: https://iquilezles.org/articles/msetsmooth/.
#include "renderer.h"

#include <cmath>
#include <complex>

namespace {

constexpr int width = tiles_across * tile_size, height = tiles_down * tile_size;
constexpr int samples = 3; // Each way, per pixel.
constexpr int most_steps = 700;

/// Between 0 and 255: one channel of a palette of cosines.
uint32_t channel(double t, double phase) { return uint32_t(127.5 - 127.5 * std::cos(6.2831853 * (t + phase))); }

double escape_time(std::complex<double> z) {
    const std::complex<double> c(-0.745, 0.186);
    for (int step = 0; step < most_steps; ++step) {
        z = z * z + c;
        if (std::norm(z) > 256) return step - std::log2(std::log2(std::norm(z))) + 4;
    }
    return 0;
}

uint32_t pixel(int x, int y) {
    uint32_t red = 0, green = 0, blue = 0;
    for (int s = 0; s < samples * samples; ++s) {
        const double px = x + (s % samples + 0.5) / samples, py = y + (s / samples + 0.5) / samples;
        const double time = escape_time({(px / width - 0.5) * 3.1, (py / height - 0.5) * 3.1 * height / width});
        if (time <= 0) continue;
        const double t = std::sqrt(time) * 0.11;
        red += channel(t, 0.95), green += channel(t, 0.05), blue += channel(t, 0.2);
    }
    constexpr uint32_t n = samples * samples;
    return 0xff000000u | (red / n) << 16 | (green / n) << 8 | blue / n;
}

std::vector<uint32_t> render(const Tile &tile) {
    volatile int *volatile nowhere = nullptr;
    if (tile.crashes) *nowhere = 1;
    std::vector<uint32_t> pixels(size_t(tile_size) * tile_size);
    for (int i = 0; i < tile_size * tile_size; ++i)
        pixels[size_t(i)] = pixel(tile.x + i % tile_size, tile.y + i / tile_size);
    return pixels;
}

} // namespace

mape::Result<TileFunction> register_renderer(mape::Pool &pool) { return pool.function<&render>("render"); }
