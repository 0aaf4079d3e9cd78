// bake_session.cpp - a host's whole dealings with MapEngine, in the order they happen
//
// SPDX-License-Identifier: Apache-2.0
//
//   open        pool, globals (the mesh and its BVH), a buffer with the items, two functions, start
//   start_bake  one map over the buffer: bake_vertex for each vertex and each point of the floor
//   tick        mape_pool_dispatch: on_progress now and then; on_baked gathers the results and lists the losses
//   start_render two more globals (baked points, view), one map over the rows: bake_render_row
#include "bake_session.h"

#include "bake_worker.h"
#include "bvh.h"
#include "render.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace {

/// How far rays look for something in their way. The mesh is 2 wide; farther than this nothing darkens visibly.
constexpr float reach = 1.1f;

std::vector<Vec3> to_vectors(const float *floats, uint32_t count) {
    std::vector<Vec3> vectors(count);
    for (uint32_t i = 0; i < count; ++i) vectors[i] = {floats[3 * i], floats[3 * i + 1], floats[3 * i + 2]};
    return vectors;
}

/// Chooses vertices that lie far from each other: each next one is the farthest from all before, so any number of them
/// is spread over the whole mesh. Source: Gonzalez, "Clustering to Minimize the Maximum Intercluster Distance" (1985).
std::vector<uint32_t> spread_over(const std::vector<Vec3> &positions, uint32_t count) {
    std::vector<uint32_t> chosen;
    std::vector<float> distance(positions.size(), std::numeric_limits<float>::infinity());
    while (chosen.size() < count) {
        const auto farthest = std::max_element(distance.begin(), distance.end());
        chosen.push_back(uint32_t(farthest - distance.begin()));
        for (size_t i = 0; i < positions.size(); ++i)
            distance[i] = std::min(distance[i], length(positions[i] - positions[chosen.back()]));
    }
    return chosen;
}

} // namespace

bake_session::bake_session(const bake_mesh &mesh, const bake_options &options) : options(options) {
    try {
        make_pool();
        share_mesh(mesh);
        lay_out_points(mesh);
        register_functions();
        // A timeout of 0 begins the start and does not wait for it: the host's window stays alive meanwhile.
        look_whether_ready();
    } catch (...) {
        mape_pool_release(pool);
        throw;
    }
}

bake_session::~bake_session() {
    // Lets cleanup run in each worker; release alone would do, and also end those that hang.
    mape_pool_shutdown(pool, MAPE_SHUTDOWN_CANCEL, MAPE_SECONDS(2));
    mape_pool_release(pool);
}

/// Turns a failed call into an exception that holds the engine's own explanation.
void bake_session::check(int result, const char *what) const {
    if (result >= 0) return;
    char text[1024] = "";
    mape_message(text, sizeof text, pool);
    throw std::runtime_error(std::string(what) + ": " + (text[0] ? text : mape_status_string(result)));
}

void bake_session::make_pool() {
    mape_pool_config config = MAPE_POOL_CONFIG_INIT;
    config.workers = options.workers;
    config.start = options.fork ? MAPE_START_FORK : MAPE_START_EXEC;
    check(mape_pool_create(&pool, &config), "cannot make a pool of workers");
}

template <typename T> void bake_session::set_global(const char *name, const std::vector<T> &values) {
    check(mape_pool_set_global(pool, name, values.data(), values.size() * sizeof(T)),
          "cannot share data with the workers");
}

/// Builds the BVH, once, and puts it where all workers read the same bytes.
void bake_session::share_mesh(const bake_mesh &mesh) {
    positions = to_vectors(mesh.positions, mesh.vertex_count);
    indices.assign(mesh.indices, mesh.indices + 3 * size_t(mesh.triangle_count));
    const Bvh bvh = build_bvh(positions.data(), indices.data(), mesh.triangle_count);
    set_global(global::nodes, bvh.nodes);
    set_global(global::triangles, bvh.triangles);
    set_global(global::positions, positions);
    set_global(global::normals, to_vectors(mesh.normals, mesh.vertex_count));
    set_global(global::indices, indices);
}

/// Writes the items of the bake into a buffer of the pool: a map over it copies nothing.
void bake_session::lay_out_points(const bake_mesh &mesh) {
    const uint32_t vertices = mesh.vertex_count;
    point_count = size_t(vertices) + Floor::count;
    void *memory = nullptr;
    check(mape_buffer_create(&points, pool, point_count * sizeof(BakePoint)), "cannot make memory for the vertices");
    check(mape_buffer_data(&memory, nullptr, points), "cannot make memory for the vertices");
    auto *item = static_cast<BakePoint *>(memory);
    for (uint32_t i = 0; i < vertices; ++i) {
        const float *n = mesh.normals + 3 * size_t(i);
        *item++ = {positions[i], {n[0], n[1], n[2]}, 0};
    }
    for (uint32_t i = 0; i < Floor::count; ++i) *item++ = {Floor::position(i), {0, 1, 0}, 0};
    for (const uint32_t victim : spread_over(positions, options.crash))
        static_cast<BakePoint *>(memory)[victim].crash = 1;
}

void bake_session::register_functions() {
    const BakeSettings settings{options.rays, reach};
    mape_function bake = MAPE_FUNCTION_INIT;
    bake.name = "bake_vertex";
    bake.run = bake_vertex;
    bake.setup = bake_setup;
    bake.cleanup = bake_cleanup;
    bake.data = &settings;
    bake.data_size = sizeof settings;
    check(mape_function_register(&bake_function, pool, &bake), "cannot register bake_vertex");

    mape_function render = MAPE_FUNCTION_INIT;
    render.name = "bake_render_row";
    render.run = bake_render_row;
    check(mape_function_register(&render_function, pool, &render), "cannot register bake_render_row");
}

/// Moves on from BAKE_STARTING once every worker has loaded the plugin and run bake_setup.
void bake_session::look_whether_ready() {
    const int result = mape_pool_start(pool, 0);
    if (result == MAPE_E_TIMEOUT || result == MAPE_E_AGAIN) return;
    check(result, "cannot start the workers");
    status.phase = BAKE_IDLE;
}

void bake_session::require_idle() const {
    if (status.phase != BAKE_IDLE && status.phase != BAKE_DONE) throw std::runtime_error("the session is not idle");
}

void bake_session::submit(mape_function_id function, const mape_items &items, uint32_t attempts,
                          mape_event_fn on_done) {
    mape_job_config config = MAPE_JOB_CONFIG_INIT;
    config.attempts = attempts;
    config.context = this;
    config.on_progress = on_progress;
    config.on_done = on_done;
    check(mape_map(&job, pool, function, &items, &config), "cannot submit the work");
    status.phase = BAKE_WORKING;
    status.fraction = 0;
    status.done = status.ok = status.crashed = 0;
    status.total = items.count;
    status.elapsed_ns = 0;
}

void bake_session::start_bake() {
    require_idle();
    void *memory = nullptr;
    check(mape_buffer_data(&memory, nullptr, points), "cannot read the vertices");
    mape_items items = MAPE_ITEMS_INIT;
    items.count = point_count;
    items.base = memory;
    items.item_size = sizeof(BakePoint);
    casualties.clear();
    casualty_texts.clear();
    // One attempt: a vertex that kills its worker would kill the next one, too.
    submit(bake_function, items, 1, on_baked);
}

void bake_session::start_render(uint32_t width, uint32_t height) {
    require_idle();
    if (occlusion.empty()) throw std::runtime_error("nothing has been baked yet: call start_bake first");
    set_global(global::baked, finished_points());
    set_global(global::view, std::vector<View>{frame_mesh(positions, width, height)});
    pixels.assign(size_t(width) * 3 * height, 0);

    std::vector<uint32_t> rows(height);
    std::iota(rows.begin(), rows.end(), 0);
    mape_items items = MAPE_ITEMS_INIT;
    items.count = height;
    items.base = rows.data(); // Not in a buffer, so mape_map copies them before it returns.
    items.item_size = sizeof(uint32_t);
    // A second attempt, as a worker that dies here was killed from outside, and the picture needs every row.
    submit(render_function, items, 2, on_rendered);
}

void bake_session::cancel() {
    if (status.phase == BAKE_WORKING) mape_job_cancel(job);
}

int bake_session::event_fd() {
    int fd = -1;
    check(mape_pool_event_fd(&fd, pool), "cannot make a descriptor to wait on");
    return fd;
}

void bake_session::tick(int64_t budget_ns, bake_status &out) {
    try {
        if (status.phase == BAKE_STARTING) look_whether_ready();
        check(mape_pool_dispatch(pool, 0, budget_ns), "cannot fetch results");
    } catch (const std::exception &e) {
        message = e.what();
        status.phase = BAKE_FAILED;
    }
    mape_stats stats = MAPE_STATS_INIT;
    if (mape_pool_stats(&stats, pool) == MAPE_OK) {
        status.workers = stats.workers;
        status.processes = stats.workers_started;
    }
    out = status;
}

void bake_session::take_progress(const mape_progress &progress) {
    status.fraction = progress.fraction;
    status.done = progress.done;
    status.ok = progress.ok;
    status.total = progress.total;
    status.crashed = progress.crashed;
    status.elapsed_ns = progress.elapsed_ns;
}

void bake_session::on_progress(void *context, const mape_event *event) noexcept {
    static_cast<bake_session *>(context)->take_progress(event->progress);
}

/// What the ends of both jobs have in common. Returns whether there are results to take.
bool bake_session::finish(const mape_event &event) {
    const mape_progress &p = event.progress;
    take_progress(p);
    status.phase = BAKE_DONE;
    if (p.cancelled > 0) {
        status.phase = BAKE_CANCELLED;
    } else if (p.ok + p.crashed < p.total) {
        // Failed, timed out or abandoned: nothing here expects that, so it is an error. The first one explains it.
        status.phase = BAKE_FAILED;
        message = "the work failed";
        for (uint64_t i = 0; i < p.total; ++i) {
            mape_result result = MAPE_RESULT_INIT;
            if (mape_job_result(&result, event.job, i) != MAPE_OK) continue;
            if (result.state == MAPE_ITEM_OK || result.state == MAPE_ITEM_CRASHED) continue;
            message = "item " + std::to_string(i) + " failed: " + result.message;
            break;
        }
    }
    return status.phase == BAKE_DONE;
}

void bake_session::on_baked(void *context, const mape_event *event) noexcept {
    auto &self = *static_cast<bake_session *>(context);
    if (self.finish(*event)) {
        // Where a worker died the place keeps this value, until finished_points puts its neighbours' in.
        self.occlusion.assign(self.point_count, 0.0f);
        uint64_t missing = 0;
        const int result = mape_job_gather(self.occlusion.data(), self.occlusion.size() * sizeof(float), sizeof(float),
                                           &missing, event->job);
        if (result != MAPE_OK) {
            self.message = std::string("cannot gather the results: ") + mape_status_string(result);
            self.status.phase = BAKE_FAILED;
        } else {
            self.status.rays = event->progress.ok * self.options.rays;
            if (missing > 0) self.note_losses(event->job);
        }
    }
    mape_job_release(event->job);
}

/// Lists the items whose worker died. The engine blames exactly the item a worker was on, so only marked ones are here.
void bake_session::note_losses(mape_job *from) {
    for (uint64_t i = 0; i < point_count; ++i) {
        mape_result result = MAPE_RESULT_INIT;
        if (mape_job_result(&result, from, i) != MAPE_OK || result.state != MAPE_ITEM_CRASHED) continue;
        const int32_t signal = result.cause == MAPE_CAUSE_SIGNAL ? result.code : 0;
        casualties.push_back({uint32_t(i), signal, nullptr});
        casualty_texts.emplace_back(result.message);
    }
    // Only now do the texts stay where they are.
    for (size_t k = 0; k < casualties.size(); ++k) casualties[k].text = casualty_texts[k].c_str();
}

void bake_session::on_rendered(void *context, const mape_event *event) noexcept {
    auto &self = *static_cast<bake_session *>(context);
    if (self.finish(*event)) {
        const size_t row_size = self.pixels.size() / event->progress.total;
        const int result = mape_job_gather(self.pixels.data(), self.pixels.size(), row_size, nullptr, event->job);
        if (result != MAPE_OK || event->progress.crashed > 0) {
            self.message = "rows of the picture are missing";
            self.status.phase = BAKE_FAILED;
        }
    }
    mape_job_release(event->job);
}

/// The baked points as the renderer wants them: lost ones get the mean of their neighbours, and the mark that says so.
std::vector<BakedPoint> bake_session::finished_points() {
    std::vector<BakedPoint> baked(point_count);
    for (size_t i = 0; i < point_count; ++i) baked[i] = {occlusion[i], 0};

    std::vector<uint8_t> is_lost(positions.size(), 0);
    std::vector<float> sum(positions.size(), 0), weight(positions.size(), 0);
    for (const bake_casualty &c : casualties)
        if (c.vertex < positions.size()) is_lost[c.vertex] = 1;
    float longest_edge = 0;
    for (size_t i = 0; i < indices.size(); ++i) {
        const uint32_t a = indices[i], b = indices[i % 3 == 2 ? i - 2 : i + 1];
        longest_edge = std::max(longest_edge, length(positions[a] - positions[b]));
        for (const auto &[lost, other] : {std::pair(a, b), std::pair(b, a)}) {
            if (!is_lost[lost] || is_lost[other]) continue;
            sum[lost] += occlusion[other];
            weight[lost] += 1;
        }
    }
    // A triangle can show a part of a mark though its corners lie outside, hence the edge added to the radius.
    std::vector<float> nearest(positions.size(), mark_radius + longest_edge);
    for (const bake_casualty &c : casualties) {
        if (c.vertex >= positions.size()) continue;
        if (weight[c.vertex] > 0) baked[c.vertex].occlusion = sum[c.vertex] / weight[c.vertex];
        for (size_t i = 0; i < positions.size(); ++i) {
            const float distance = length(positions[i] - positions[c.vertex]);
            if (distance >= nearest[i]) continue;
            nearest[i] = distance;
            baked[i].mark = c.vertex + 1;
        }
    }
    return baked;
}
