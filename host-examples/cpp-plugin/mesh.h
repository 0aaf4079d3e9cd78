// mesh.h - a triangle mesh from a file
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vec3.h"

#include <cstdint>
#include <string>
#include <vector>

/// Triangles with shared vertices, standing on the floor y = 0 around the y axis.
struct Mesh {
    std::vector<Vec3> positions;   ///< The longest side of their box is 2.
    std::vector<Vec3> normals;     ///< One per vertex, length 1, smooth.
    std::vector<uint32_t> indices; ///< Three per triangle.
};

/// Loads whatever assimp can read (OBJ, PLY, STL, glTF, FBX, 3DS, …), y up.
/// @param path the file.
/// @throws std::runtime_error with a text for the user.
Mesh load_mesh(const std::string &path);
