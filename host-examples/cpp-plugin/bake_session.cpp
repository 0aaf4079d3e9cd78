// bake_session.cpp - a host's whole dealings with MapEngine, in the order they happen
//
// SPDX-License-Identifier: Apache-2.0
//
//   open         pool, globals (the mesh and its BVH), a buffer with the items, two functions, start
//   start_bake   one map over the buffer: a Baker is called for each vertex and each point of the floor
//   tick         Pool::dispatch: take_progress now and then; take_bake gathers the results and lists the losses
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

/// The value of a call, or an exception that says what could not be done, and the engine's own words for why.
template <class T> T must(mape::Result<T> result, const char *what) {
    if (!result) throw std::runtime_error(std::string(what) + ": " + result.error().text());
    if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

} // namespace

bake_session::bake_session(const bake_mesh &mesh, const bake_options &options) : options(options) {
    make_pool();
    share_mesh(mesh);
    lay_out_points(mesh);
    register_functions();
    // A timeout of 0 begins the start and does not wait for it: the host's window stays alive meanwhile.
    look_whether_ready();
}

bake_session::~bake_session() {
    // Lets destructors run in each worker; without it the pool would end them all the same, and those that hang.
    (void)pool.shutdown(MAPE_SHUTDOWN_CANCEL, std::chrono::seconds(2));
}

void bake_session::make_pool() {
    mape::PoolOptions settings;
    settings.workers = options.workers;
    settings.start = options.fork ? MAPE_START_FORK : MAPE_START_EXEC;
    // This line is all that a program needs for its maps to run on other machines.
    settings.cluster = options.cluster;
    if (options.cluster && options.only_nodes) settings.cluster_flags = MAPE_CLUSTER_ONLY;
    pool = must(mape::Pool::create(settings), "cannot make a pool of workers");
}

/// Builds the BVH, once, and puts it where all workers read the same bytes.
void bake_session::share_mesh(const bake_mesh &mesh) {
    positions = to_vectors(mesh.positions, mesh.vertex_count);
    indices.assign(mesh.indices, mesh.indices + 3 * size_t(mesh.triangle_count));
    const Bvh bvh = build_bvh(positions.data(), indices.data(), mesh.triangle_count);
    const char *what = "cannot share data with the workers";
    must(pool.set_global(global::nodes, bvh.nodes), what);
    must(pool.set_global(global::triangles, bvh.triangles), what);
    must(pool.set_global(global::positions, positions), what);
    must(pool.set_global(global::normals, to_vectors(mesh.normals, mesh.vertex_count)), what);
    must(pool.set_global(global::indices, indices), what);
}

/// Writes the items of the bake into a buffer of the pool: a map over it copies nothing.
void bake_session::lay_out_points(const bake_mesh &mesh) {
    const uint32_t vertices = mesh.vertex_count;
    points = must(pool.buffer<BakePoint>(size_t(vertices) + Floor::count), "cannot make memory for the vertices");
    for (uint32_t i = 0; i < vertices; ++i) {
        const float *n = mesh.normals + 3 * size_t(i);
        points[i] = {positions[i], {n[0], n[1], n[2]}, 0};
    }
    for (uint32_t i = 0; i < Floor::count; ++i) points[vertices + i] = {Floor::position(i), {0, 1, 0}, 0};
    for (const uint32_t victim : spread_over(positions, options.crash)) points[victim].crash = 1;
}

void bake_session::register_functions() {
    bake_function = must(pool.worker<Baker>(BakeSettings{options.rays, reach}, "bake"), "cannot register the baker");
    // It writes its result itself, so its type does not say what that is.
    mape_function render = mape::by_pointer(&mape::run<&bake_render_row>);
    render.name = "render";
    render_function = must(pool.function<uint32_t, uint8_t[]>(render), "cannot register the renderer");
}

/// Moves on from BAKE_STARTING once every worker has loaded the plugin and made its Baker.
void bake_session::look_whether_ready() {
    const auto started = pool.start(std::chrono::nanoseconds(0));
    if (started.status() == MAPE_E_TIMEOUT || started.status() == MAPE_E_AGAIN) return;
    must(started, "cannot start the workers");
    status.phase = BAKE_IDLE;
}

void bake_session::require_idle() const {
    if (status.phase != BAKE_IDLE && status.phase != BAKE_DONE) throw std::runtime_error("the session is not idle");
}

template <class Out> mape::JobOptions<Out> bake_session::options_for(uint32_t attempts) {
    mape::JobOptions<Out> settings;
    settings.attempts = attempts;
    settings.on_progress = [this](const mape_progress &progress) { take_progress(progress); };
    return settings;
}

void bake_session::begin(uint64_t items) {
    status.phase = BAKE_WORKING;
    status.fraction = 0;
    status.done = status.ok = status.crashed = 0;
    status.total = items;
    status.elapsed_ns = 0;
}

void bake_session::start_bake() {
    require_idle();
    casualties.clear();
    casualty_texts.clear();
    // One attempt: a vertex that kills its worker would kill the next one, too.
    auto settings = options_for<float>(1);
    settings.on_done = [this](const auto &job, const mape_progress &progress) { take_bake(job, progress); };
    bake_job = must(pool.map(bake_function, points, settings), "cannot submit the work");
    begin(points.size());
}

void bake_session::start_render(uint32_t width, uint32_t height) {
    require_idle();
    if (occlusion.empty()) throw std::runtime_error("nothing has been baked yet: call start_bake first");
    must(pool.set_global(global::baked, finished_points()), "cannot share data with the workers");
    must(pool.set_global(global::view, frame_mesh(positions, width, height)), "cannot share data with the workers");
    pixels.assign(size_t(width) * 3 * height, 0);
    std::vector<uint32_t> rows(height); // Not in a buffer, so map copies them before it returns.
    std::iota(rows.begin(), rows.end(), 0);
    // A second attempt, as a worker that dies here was killed from outside, and the picture needs every row.
    auto settings = options_for<uint8_t[]>(2);
    settings.on_done = [this](const auto &job, const mape_progress &progress) { take_picture(job, progress); };
    render_job = must(pool.map(render_function, rows, settings), "cannot submit the work");
    begin(height);
}

void bake_session::cancel() {
    if (status.phase != BAKE_WORKING) return;
    // Of the two jobs only one is there.
    (void)bake_job.cancel();
    (void)render_job.cancel();
}

int bake_session::event_fd() { return must(pool.event_fd(), "cannot make a descriptor to wait on"); }

void bake_session::tick(int64_t budget_ns, bake_status &out) {
    try {
        if (status.phase == BAKE_STARTING) look_whether_ready();
        must(pool.dispatch(0, std::chrono::nanoseconds(budget_ns)), "cannot fetch results");
    } catch (const std::exception &e) {
        message = e.what();
        status.phase = BAKE_FAILED;
    }
    if (const auto stats = pool.stats()) {
        status.workers = stats->workers;
        status.processes = stats->workers_started;
        status.nodes = stats->nodes;
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

/// What the ends of both jobs have in common. Returns whether there are results to take.
template <class Out> bool bake_session::finish(const mape::JobRef<Out> &job, const mape_progress &progress) {
    take_progress(progress);
    status.phase = progress.cancelled > 0 ? BAKE_CANCELLED : BAKE_DONE;
    if (progress.cancelled > 0 || progress.ok + progress.crashed == progress.total) return status.phase == BAKE_DONE;
    // Failed, timed out or abandoned: nothing here expects that, so it is an error. The first one explains it.
    for (uint64_t i = 0; i < progress.total; ++i) {
        const auto item = job.item(i);
        if (item && !*item && item->state() != MAPE_ITEM_CRASHED) throw std::runtime_error(item->error().text());
    }
    throw std::runtime_error("the work failed");
}

void bake_session::take_bake(const mape::JobRef<float> &job, const mape_progress &progress) {
    if (finish(job, progress)) {
        // Where a worker died the place keeps this value, until finished_points puts its neighbours' in.
        occlusion.assign(points.size(), 0.0f);
        const uint64_t missing = must(job.gather(occlusion), "cannot gather the results");
        status.rays = progress.ok * options.rays;
        if (missing > 0) note_losses(job);
    }
    bake_job = {}; // Releases it, results and all. The lambda that calls this lives until it has ended.
}

/// Lists the items whose worker died. The engine blames exactly the item a worker was on, so only marked ones are here.
void bake_session::note_losses(const mape::JobRef<float> &job) {
    for (size_t i = 0; i < points.size(); ++i) {
        const auto item = job.item(i);
        if (!item || item->state() != MAPE_ITEM_CRASHED) continue;
        casualties.push_back({uint32_t(i), item->cause() == MAPE_CAUSE_SIGNAL ? item->code() : 0, nullptr});
        casualty_texts.emplace_back(item->message());
    }
    // Only now do the texts stay where they are.
    for (size_t k = 0; k < casualties.size(); ++k) casualties[k].text = casualty_texts[k].c_str();
}

void bake_session::take_picture(const mape::JobRef<uint8_t[]> &job, const mape_progress &progress) {
    if (finish(job, progress)) {
        must(job.gather(pixels, pixels.size() / progress.total), "cannot gather the picture");
        if (progress.crashed > 0) throw std::runtime_error("rows of the picture are missing");
    }
    render_job = {};
}

/// The baked points as the renderer wants them: lost ones get the mean of their neighbours, and the mark that says so.
std::vector<BakedPoint> bake_session::finished_points() {
    std::vector<BakedPoint> baked(points.size());
    for (size_t i = 0; i < baked.size(); ++i) baked[i] = {occlusion[i], 0};

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
