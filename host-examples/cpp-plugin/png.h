// png.h - writing the picture
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

/// Asks whether a file can be written there, before much work is done for it. Touches nothing.
/// @param path the file.
/// @throws std::runtime_error with a text for the user.
void require_writable(const std::string &path);

/// Writes a PNG file.
/// @param path   the file.
/// @param pixels three bytes per pixel, sRGB, rows from the top.
/// @param width  in pixels.
/// @param height in pixels.
/// @throws std::runtime_error with a text for the user.
void write_png(const std::string &path, const uint8_t *pixels, uint32_t width, uint32_t height);
