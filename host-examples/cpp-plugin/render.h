// render.h - the picture, one row of pixels at a time
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bvh.h"
#include "scene.h"

#include <vector>

/// A perspective camera, and the size of what it takes.
struct View {
    Vec3 eye;
    Vec3 forward;    ///< Length 1.
    Vec3 right, up;  ///< From the picture's middle to its edges, at distance 1.
    uint32_t width;  ///< Pixels.
    uint32_t height; ///< Pixels.
};

/// All that a picture is made of, in shared memory.
struct RenderScene {
    BvhView bvh;
    const Vec3 *positions;
    const Vec3 *normals;
    const uint32_t *indices;
    const BakedPoint *vertices; ///< One per vertex.
    const BakedPoint *floor;    ///< Floor::count of them.
    View view;
};

/// Places the camera so that the mesh fills the picture, with room for its shadow.
/// @param positions the mesh's vertices, standing on the floor.
/// @param width     of the picture, in pixels.
/// @param height    of the picture, in pixels.
View frame_mesh(const std::vector<Vec3> &positions, uint32_t width, uint32_t height);

/// Renders one row.
/// @param scene the scene.
/// @param y     the row, 0 at the top.
/// @param rgb   receives width pixels of three bytes, sRGB.
void render_row(const RenderScene &scene, uint32_t y, uint8_t *rgb);
