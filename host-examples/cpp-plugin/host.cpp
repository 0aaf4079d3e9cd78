// host.cpp - a program in the role of Maya: it has a main loop, loads a plugin, and wants a mesh baked
//
// SPDX-License-Identifier: Apache-2.0
//
// It never links MapEngine; see bake_plugin.h for what it knows. It loads a mesh, runs its loop while the plugin's
// workers bake and render, writes the picture, and bakes again with a single worker to say what the others were worth.
#include "bake_plugin.h"
#include "main_loop.h"
#include "mesh.h"
#include "options.h"
#include "png.h"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <system_error>

#include <dlfcn.h>

namespace {

namespace fs = std::filesystem;

/// Thrown to leave everything behind after Ctrl-C.
struct Cancelled {};

/// Loads the plugin that lies beside this program.
const bake_plugin_api &load_plugin() {
    const fs::path path = fs::read_symlink("/proc/self/exe").parent_path() / "libbake_plugin.so";
    // Never closed: a program that ends unloads it anyway.
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
        throw std::runtime_error(
            std::string("cannot load the plugin: ") + dlerror() +
            "\nIt must lie beside this program, and find libmapengine.so: build both again, or set "
            "LD_LIBRARY_PATH to the folder of libmapengine.so");
    const auto entry = reinterpret_cast<bake_plugin_fn>(dlsym(library, "bake_plugin"));
    if (!entry) throw std::runtime_error(path.string() + " is no bake plugin: build it again");
    const bake_plugin_api *api = entry();
    if (api->version != BAKE_PLUGIN_VERSION)
        throw std::runtime_error(path.string() + " is of another version than this program: build both again");
    return *api;
}

Mesh load_mesh_or_explain(const std::string &path) {
    std::error_code ignored;
    if (!fs::exists(path, ignored))
        throw std::runtime_error("there is no mesh '" + path +
                                 "': install Debian's glmark2-data for the bunny, or give another file with --mesh");
    return load_mesh(path);
}

/// A session that is closed when it goes out of scope.
class Session {
public:
    Session(const bake_plugin_api &plugin, const Mesh &mesh, const bake_options &options, MainLoop &loop)
        : plugin(plugin), loop(loop), handle(nullptr, plugin.close) {
        const bake_mesh view = {&mesh.positions[0].x, &mesh.normals[0].x, uint32_t(mesh.positions.size()),
                                mesh.indices.data(), uint32_t(mesh.indices.size() / 3)};
        bake_session *session = nullptr;
        if (plugin.open(&session, &view, &options) != 0) throw std::runtime_error(plugin.message(nullptr));
        handle.reset(session);
        follow("");
    }

    bake_status bake(const char *title) {
        check(plugin.start_bake(get()));
        return follow(title);
    }

    bake_status render(uint32_t width, uint32_t height) {
        check(plugin.start_render(get(), width, height));
        return follow("rendering");
    }

    bake_session *get() const { return handle.get(); }

private:
    /// Runs the main loop until the session has done what it was given.
    bake_status follow(const char *title) {
        const bake_status status = loop.run(plugin, get(), title);
        if (status.phase == BAKE_FAILED) throw std::runtime_error(plugin.message(get()));
        if (status.phase == BAKE_CANCELLED)
            std::printf("%s: %" PRIu64 " of %" PRIu64 " items were done\n", title, status.ok, status.total);
        if (ctrl_c_pressed()) throw Cancelled{};
        return status;
    }

    void check(int result) const {
        if (result != 0) throw std::runtime_error(plugin.message(get()));
    }

    const bake_plugin_api &plugin;
    MainLoop &loop;
    std::unique_ptr<bake_session, void (*)(bake_session *)> handle;
};

double seconds(int64_t ns) { return double(ns) * 1e-9; }

void print_bake(const char *label, const bake_status &status) {
    std::printf("%-12s %.2f s with %u worker%s", label, seconds(status.elapsed_ns), status.workers,
                status.workers == 1 ? "" : "s");
    if (status.nodes > 0) std::printf(" and %u node%s", status.nodes, status.nodes == 1 ? "" : "s");
    std::printf(": %.1f million rays, %.2f million per second\n", double(status.rays) * 1e-6,
                double(status.rays) * 1e-6 / seconds(status.elapsed_ns));
}

/// Lists the lost vertices: how many by which signal, and the first few by name.
void print_casualties(const bake_plugin_api &plugin, bake_session *session) {
    size_t count = 0;
    const bake_casualty *lost = plugin.casualties(session, &count);
    if (count == 0) return;
    std::map<int, int> by_signal;
    for (size_t i = 0; i < count; ++i) ++by_signal[lost[i].signal];
    for (const auto &[signal, times] : by_signal)
        std::printf("crashed      %d vert%s, by %s (signal %d); marked in the picture\n", times,
                    times == 1 ? "ex" : "ices", signal ? strsignal(signal) : "other ways", signal);
    constexpr size_t listed = 5;
    for (size_t i = 0; i < count && i < listed; ++i)
        std::printf("             vertex %u: %s\n", lost[i].vertex, lost[i].text);
    if (count > listed) std::printf("             and %zu more\n", count - listed);
}

/// How many results of two bakes differ, in any bit. Lost vertices have none to compare.
size_t count_differences(const bake_plugin_api &plugin, bake_session *a, bake_session *b) {
    size_t count = 0, lost_count = 0, differences = 0;
    const float *first = plugin.occlusion(a, &count);
    const float *second = plugin.occlusion(b, &count);
    const bake_casualty *lost = plugin.casualties(a, &lost_count);
    size_t next_lost = 0;
    for (size_t i = 0; i < count; ++i) {
        if (next_lost < lost_count && lost[next_lost].vertex == i) ++next_lost;
        else if (std::memcmp(first + i, second + i, sizeof(float)) != 0) ++differences;
    }
    return differences;
}

void print_gap(const MainLoop &loop) {
    std::printf("main loop    %" PRIu64 " frames, the longest %.1f ms; at 60 a second one is 16.7 ms\n", loop.frames,
                double(loop.longest_gap_ns) * 1e-6);
}

void run(const Options &options) {
    require_writable(options.out);
    const bake_plugin_api &plugin = load_plugin();
    const Mesh mesh = load_mesh_or_explain(options.mesh);
    std::printf("mesh         %s: %zu vertices, %zu triangles\n", options.mesh.c_str(), mesh.positions.size(),
                mesh.indices.size() / 3);
    if (options.crash > mesh.positions.size())
        throw std::runtime_error("--crash is more than the mesh has vertices: give a lower number");

    MainLoop loop;
    bake_options how = {};
    how.workers = options.workers;
    how.fork = options.fork;
    how.rays = options.rays;
    how.crash = options.crash;
    how.cluster = options.cluster.empty() ? nullptr : options.cluster.c_str();
    how.only_nodes = options.only_nodes;
    Session session(plugin, mesh, how, loop);
    const bake_status baked = session.bake("baking");
    const bake_status rendered = session.render(options.width, options.height);
    write_png(options.out, plugin.pixels(session.get()), options.width, options.height);

    print_bake("bake", baked);
    std::printf("points       %zu vertices and %zu points of the floor, %u rays each\n", mesh.positions.size(),
                size_t(baked.total) - mesh.positions.size(), options.rays);
    print_casualties(plugin, session.get());
    if (rendered.processes > rendered.workers)
        std::printf("workers      %" PRIu64 " processes were started to keep %u at work\n", rendered.processes,
                    rendered.workers);
    std::printf("render       %.2f s, %u x %u pixels\n", seconds(rendered.elapsed_ns), options.width, options.height);
    std::printf("picture      %s\n", options.out.c_str());

    if (options.compare && (baked.workers > 1 || how.cluster)) {
        how.workers = 1;
        how.cluster = nullptr;
        how.crash = 0; // A fair measure of the work, and a reference for every result.
        Session single(plugin, mesh, how, loop);
        const bake_status alone = single.bake("one worker");
        print_bake("one worker", alone);
        const size_t differences = count_differences(plugin, session.get(), single.get());
        std::printf("speed-up     %.2f times; ", double(alone.elapsed_ns) / double(baked.elapsed_ns));
        std::printf(differences == 0 ? "both bakes agree in every bit\n" : "%zu RESULTS DIFFER\n", differences);
        if (differences != 0) throw std::runtime_error("the bakes differ, which must not be: please report this");
    }
    print_gap(loop);
}

} // namespace

int main(int argc, char **argv) {
    Options options;
    int exit_code = 0;
    if (!parse_options(argc, argv, options, exit_code)) return exit_code;
    catch_ctrl_c();
    try {
        run(options);
        return 0;
    } catch (const Cancelled &) {
        std::printf("cancelled by Ctrl-C\n");
        return 130; // As shells count a program that Ctrl-C ended: 128 + SIGINT.
    } catch (const std::exception &e) {
        std::fflush(stdout);
        std::fprintf(stderr, "bake: %s\n", e.what());
        return 1;
    }
}
