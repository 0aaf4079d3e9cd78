// bake_session.h - the plugin's side that lives in the host: a pool, and the two jobs given to it
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bake_plugin.h"
#include "scene.h"

#include <mapengine.h>

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
    void submit(mape_function_id function, const mape_items &items, uint32_t attempts, mape_event_fn on_done);
    void require_idle() const;
    void check(int status, const char *what) const;
    template <typename T> void set_global(const char *name, const std::vector<T> &values);

    // Called back by MapEngine, inside tick. An exception must not pass through the engine, hence noexcept.
    static void on_progress(void *context, const mape_event *event) noexcept;
    static void on_baked(void *context, const mape_event *event) noexcept;
    static void on_rendered(void *context, const mape_event *event) noexcept;
    void take_progress(const mape_progress &progress);
    bool finish(const mape_event &event);
    void note_losses(mape_job *job);
    std::vector<BakedPoint> finished_points();

    const bake_options options;
    std::vector<Vec3> positions;
    std::vector<uint32_t> indices;
    mape_pool *pool = nullptr;
    mape_buffer *points = nullptr; ///< The items of the bake, in memory that workers read in place.
    size_t point_count = 0;
    mape_function_id bake_function = 0;
    mape_function_id render_function = 0;
    mape_job *job = nullptr;
    std::vector<std::string> casualty_texts;
    bake_status status{};
};
