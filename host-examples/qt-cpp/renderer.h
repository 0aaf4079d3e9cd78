// renderer.h - a picture in tiles, rendered by workers
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mapengine.hpp>

#include <cstdint>

constexpr int tile_size = 32;                     ///< Pixels, each way.
constexpr int tiles_across = 25, tiles_down = 16; ///< Tiles in the picture.
constexpr int tile_count = tiles_across * tiles_down;

/// An item: one tile of the picture.
struct Tile {
    int32_t x, y;     ///< Of its upper left pixel.
    uint32_t crashes; ///< 1: the worker that renders it writes through a null pointer.
};

/// The result of a tile: its pixels, row by row, as QImage::Format_RGB32 has them.
using TileFunction = mape::Function<Tile, uint32_t[]>;

/// Registers the function that renders a tile.
mape::Result<TileFunction> register_renderer(mape::Pool &pool);
