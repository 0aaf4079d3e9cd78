// options.h - the command line
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

/// What the user asked for.
struct Options {
    std::string mesh = "/usr/share/glmark2/models/bunny.obj";
    std::string out = "bake.png";
    uint32_t width = 1280;   ///< Pixels.
    uint32_t height = 960;   ///< Pixels.
    uint32_t rays = 512;     ///< Per vertex.
    uint32_t workers = 0;    ///< 0: as many as there are cores.
    uint32_t crash = 0;      ///< Vertices that kill their worker.
    bool fork = false;       ///< Workers are a snapshot of this program.
    bool compare = true;     ///< Bake once more with one worker.
    std::string cluster;     ///< The server over which nodes take part; empty: none.
    bool only_nodes = false; ///< No workers here.
};

/// Reads the command line.
/// @param exit_code receives what main is to return when the answer is false.
/// @return false when the program should end: help was printed, or an argument is wrong and a message says which.
bool parse_options(int argc, char **argv, Options &options, int &exit_code);
