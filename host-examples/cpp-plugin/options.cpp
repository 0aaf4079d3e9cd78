// options.cpp - the command line, through CLI11
//
// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace {

/// Reads "1280x960". An empty answer is good, as CLI11's validators have it; else it says what is wrong.
std::string read_size(const std::string &text, uint32_t &width, uint32_t &height) {
    char rest = 0;
    unsigned w = 0, h = 0;
    if (std::sscanf(text.c_str(), "%ux%u%c", &w, &h, &rest) != 2) return "'" + text + "' is no size: write 1280x960";
    if (w < 16 || h < 16 || w > 16384 || h > 16384) return "'" + text + "' is not between 16x16 and 16384x16384";
    width = w;
    height = h;
    return {};
}

} // namespace

bool parse_options(int argc, char **argv, Options &options, int &exit_code) {
    CLI::App app{
        "Bakes ambient occlusion into a mesh, in worker processes through MapEngine, and renders a picture of it.\n"
        "Ctrl-C cancels; a second Ctrl-C ends the program at once."};
    app.option_defaults()->always_capture_default();
    app.add_option("--mesh", options.mesh, "Mesh to bake, in a format assimp reads, y up")->type_name("FILE");
    app.add_option("--out", options.out, "Picture to write")->type_name("FILE.png");
    std::string size = "1280x960";
    app.add_option("--size", size, "Size of the picture in pixels")
        ->type_name("WxH")
        ->check([&options](const std::string &text) { return read_size(text, options.width, options.height); });
    app.add_option("--rays", options.rays, "Rays per vertex")->type_name("N")->check(CLI::Range(1u, 1000000u));
    app.add_option("--workers", options.workers, "Worker processes; 0: as many as there are cores")
        ->type_name("N")
        ->check(CLI::Range(0u, 1024u));
    std::string start = "exec";
    app.add_option("--start", start, "How workers are born: a clean program, or a snapshot of this one")
        ->type_name("exec|fork")
        ->check(CLI::IsMember({"exec", "fork"}).description(""));
    app.add_option("--crash", options.crash, "So many vertices kill their worker; the picture marks them")
        ->type_name("N")
        ->check(CLI::Range(0u, 1000u));
    app.add_option("--cluster", options.cluster, "Server over which other machines, nodes, take part")
        ->type_name("URL");
    app.add_flag("--only-nodes", options.only_nodes, "With --cluster: no workers on this machine");
    bool no_single = false;
    app.add_flag("--no-single", no_single, "Leave out the comparison with one worker");
    app.footer("Exit codes: 0 the picture is written, 130 cancelled by Ctrl-C, 1 something went wrong.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError &e) {
        // CLI11 prints the help or the fault. Its own exit codes, one per kind of fault, become the 1 that we promise.
        exit_code = app.exit(e) == 0 ? 0 : 1;
        return false;
    }
    options.fork = start == "fork";
    options.compare = !no_single;
    return true;
}
