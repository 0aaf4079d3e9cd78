// png.cpp - writing the picture, through stb_image_write
//
// SPDX-License-Identifier: Apache-2.0
#include "png.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <unistd.h>

// The library is this header; here is the one place that compiles it.
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

namespace {

[[noreturn]] void fail(const std::string &path, const std::string &why) {
    throw std::runtime_error("cannot write '" + path + "': " + why + "; name another file with --out");
}

} // namespace

void require_writable(const std::string &path) {
    const std::filesystem::path file(path);
    const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored)) fail(path, "it is a folder");
    const bool exists = std::filesystem::exists(file, ignored);
    if (access(exists ? path.c_str() : folder.c_str(), W_OK) != 0) fail(path, std::strerror(errno));
}

void write_png(const std::string &path, const uint8_t *pixels, uint32_t width, uint32_t height) {
    errno = 0;
    if (!stbi_write_png(path.c_str(), int(width), int(height), 3, pixels, int(width) * 3))
        fail(path, errno ? std::strerror(errno) : "the encoder is out of memory");
}
