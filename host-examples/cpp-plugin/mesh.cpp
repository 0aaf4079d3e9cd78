// mesh.cpp - loading through assimp
//
// SPDX-License-Identifier: Apache-2.0
#include "mesh.h"

#include <assimp/Importer.hpp>
#include <assimp/config.h>
#include <assimp/postprocess.h>
#include <assimp/scene.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace {

/// Adds the triangles of every part of the scene to one mesh.
Mesh gather(const aiScene &scene) {
    Mesh mesh;
    for (unsigned part = 0; part < scene.mNumMeshes; ++part) {
        const aiMesh &from = *scene.mMeshes[part];
        if (from.mPrimitiveTypes != aiPrimitiveType_TRIANGLE) continue;
        const uint32_t first = uint32_t(mesh.positions.size());
        for (unsigned i = 0; i < from.mNumVertices; ++i) {
            const aiVector3D &p = from.mVertices[i];
            mesh.positions.push_back({p.x, p.y, p.z});
        }
        for (unsigned i = 0; i < from.mNumFaces; ++i)
            for (int k = 0; k < 3; ++k) mesh.indices.push_back(first + from.mFaces[i].mIndices[k]);
    }
    return mesh;
}

/// Puts the mesh on the floor, in the middle, at a size the camera and the ray lengths are made for.
void stand_on_floor(std::vector<Vec3> &positions) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    Vec3 lo{infinity, infinity, infinity}, hi{-infinity, -infinity, -infinity};
    for (const Vec3 p : positions) {
        lo = lesser(lo, p);
        hi = greater(hi, p);
    }
    const Vec3 size = hi - lo;
    const float longest = std::max({size.x, size.y, size.z});
    if (!(longest > 0) || !std::isfinite(longest)) throw std::runtime_error("its vertices all lie in one point");
    const Vec3 foot{(lo.x + hi.x) / 2, lo.y, (lo.z + hi.z) / 2};
    for (Vec3 &p : positions) p = (p - foot) * (2 / longest);
}

/// Smooth normals, each triangle counting by its angle at the vertex, so that they do not depend on how a flat part
/// was cut into triangles. Source: Thürmer and Wüthrich, "Computing Vertex Normals from Polygonal Facets" (1998).
std::vector<Vec3> smooth_normals(const std::vector<Vec3> &positions, const std::vector<uint32_t> &indices) {
    std::vector<Vec3> normals(positions.size(), Vec3{0, 0, 0});
    for (size_t i = 0; i < indices.size(); i += 3) {
        Vec3 corner[3];
        for (int k = 0; k < 3; ++k) corner[k] = positions[indices[i + k]];
        const Vec3 face = normalized(cross(corner[1] - corner[0], corner[2] - corner[0]));
        for (int k = 0; k < 3; ++k) {
            const Vec3 a = normalized(corner[(k + 1) % 3] - corner[k]);
            const Vec3 b = normalized(corner[(k + 2) % 3] - corner[k]);
            normals[indices[i + k]] += face * std::acos(clamped(dot(a, b), -1, 1));
        }
    }
    for (Vec3 &n : normals) n = length(n) > 0 ? normalized(n) : Vec3{0, 1, 0};
    return normals;
}

} // namespace

Mesh load_mesh(const std::string &path) {
    Assimp::Importer importer;
    // Only the shape is wanted. With normals and texture coordinates gone, corners that share a place become one
    // vertex, which is then baked once.
    importer.SetPropertyInteger(AI_CONFIG_PP_RVC_FLAGS, aiComponent_NORMALS | aiComponent_TANGENTS_AND_BITANGENTS |
                                                            aiComponent_COLORS | aiComponent_TEXCOORDS |
                                                            aiComponent_MATERIALS | aiComponent_TEXTURES);
    importer.SetPropertyInteger(AI_CONFIG_PP_SBP_REMOVE, aiPrimitiveType_POINT | aiPrimitiveType_LINE);
    const aiScene *scene =
        importer.ReadFile(path, aiProcess_RemoveComponent | aiProcess_Triangulate | aiProcess_SortByPType |
                                    aiProcess_PreTransformVertices | aiProcess_JoinIdenticalVertices);
    if (!scene)
        throw std::runtime_error("cannot load mesh '" + path + "': " + importer.GetErrorString() +
                                 "\ngive another file with --mesh");
    Mesh mesh = gather(*scene);
    if (mesh.indices.empty()) throw std::runtime_error("mesh '" + path + "' has no triangles: choose another file");
    try {
        stand_on_floor(mesh.positions);
    } catch (const std::runtime_error &e) {
        throw std::runtime_error("cannot use mesh '" + path + "': " + e.what());
    }
    mesh.normals = smooth_normals(mesh.positions, mesh.indices);
    return mesh;
}
