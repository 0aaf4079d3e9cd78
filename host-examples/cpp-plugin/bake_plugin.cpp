// bake_plugin.cpp - the plugin's door: the one exported symbol, and C++ exceptions turned into C answers
//
// SPDX-License-Identifier: Apache-2.0
#include "bake_plugin.h"

#include "bake_session.h"

#include <exception>

namespace {

// The plugin is for one thread, so the text of a failed `open` can live here.
std::string open_message;

/// Runs a body that may throw. Returns 0, or -1 with the text in the session's message.
template <typename Body> int guarded(bake_session *session, Body body) {
    try {
        body();
        return 0;
    } catch (const std::exception &e) {
        session->message = e.what();
        return -1;
    }
}

int open_session(bake_session **out, const bake_mesh *mesh, const bake_options *options) {
    *out = nullptr;
    try {
        *out = new bake_session(*mesh, *options);
        return 0;
    } catch (const std::exception &e) {
        open_message = e.what();
        return -1;
    }
}

void close_session(bake_session *session) { delete session; }

int start_bake(bake_session *session) {
    return guarded(session, [&] { session->start_bake(); });
}

int start_render(bake_session *session, uint32_t width, uint32_t height) {
    return guarded(session, [&] { session->start_render(width, height); });
}

void cancel(bake_session *session) { session->cancel(); }

int event_fd(bake_session *session) {
    int fd = -1;
    guarded(session, [&] { fd = session->event_fd(); });
    return fd;
}

void tick(bake_session *session, int64_t budget_ns, bake_status *out) { session->tick(budget_ns, *out); }

const float *occlusion(bake_session *session, size_t *out_count) {
    *out_count = session->occlusion.size();
    return session->occlusion.data();
}

const bake_casualty *casualties(bake_session *session, size_t *out_count) {
    *out_count = session->casualties.size();
    return session->casualties.data();
}

const uint8_t *pixels(bake_session *session) { return session->pixels.data(); }

const char *message(bake_session *session) { return session ? session->message.c_str() : open_message.c_str(); }

const bake_plugin_api api = {
    BAKE_PLUGIN_VERSION, open_session, close_session, start_bake, start_render, cancel, event_fd, tick,
    occlusion,           casualties,   pixels,        message,
};

} // namespace

// All that the host asks for. What else the library exports is for workers on other machines: bake_worker.h.
extern "C" __attribute__((visibility("default"))) const bake_plugin_api *bake_plugin(void) { return &api; }
