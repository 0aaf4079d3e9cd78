// bake_session.h - the plugin's side that lives in the host: a pool, and the two jobs given to it
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bake_plugin.h"
#include "scene.h"

#include <mapengine.hpp>

#include <string>
#include <vector>

/// Everything between opening and closing. Its functions throw std::runtime_error with a text for the user; the table
/// in bake_plugin.cpp turns that into -1 and `message`.
struct bake_session {
    bake_session(const bake_mesh &mesh, const bake_options &options);
    ~bake_session();
    bake_session(const bake_session &) = delete;
    bake_session &operator=(const bake_session &) = delete;

    void start_bake();
    void start_render(uint32_t width, uint32_t height);
    void cancel();
    int event_fd();
    void tick(int64_t budget_ns, bake_status &out);

    std::vector<float> occlusion;
    std::vector<bake_casualty> casualties;
    std::vector<uint8_t> pixels;
    std::string message;

private:
    void make_pool();
    void share_mesh(const bake_mesh &mesh);
    void lay_out_points(const bake_mesh &mesh);
    void register_functions();
    void look_whether_ready();
    void require_idle() const;
    void begin(uint64_t items);
    template <class Out> mape::JobOptions<Out> options_for(uint32_t attempts);

    // Called inside tick. What they throw comes out of Pool::dispatch there.
    void take_progress(const mape_progress &progress);
    template <class Out> bool finish(const mape::JobRef<Out> &job, const mape_progress &progress);
    void take_bake(const mape::JobRef<float> &job, const mape_progress &progress);
    void take_picture(const mape::JobRef<uint8_t[]> &job, const mape_progress &progress);
    void note_losses(const mape::JobRef<float> &job);
    std::vector<BakedPoint> finished_points();

    const bake_options options;
    std::vector<Vec3> positions;
    std::vector<uint32_t> indices;
    mape::Pool pool;
    mape::Buffer<BakePoint> points; ///< The items of the bake, in memory that workers read in place.
    mape::Function<BakePoint, float> bake_function;
    mape::Function<uint32_t, uint8_t[]> render_function;
    mape::Job<float> bake_job;
    mape::Job<uint8_t[]> render_job;
    std::vector<std::string> casualty_texts;
    bake_status status{};
};
