// main_loop.cpp - frames, waiting, and Ctrl-C
//
// SPDX-License-Identifier: Apache-2.0
//
// Between two frames the loop sleeps in poll on the plugin's descriptor, as a GUI toolkit's loop would
// (QSocketNotifier, g_source_add_unix_fd, uv_poll_t). Whatever wakes it, it lets the plugin take in results for a few
// milliseconds at most.
#include "main_loop.h"

#include "progress.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>

#include <poll.h>

namespace {

constexpr int64_t frame_ns = 1'000'000'000 / 60;
constexpr int64_t tick_budget_ns = 4'000'000; // A quarter of a frame; the rest belongs to the host's own work.

volatile std::sig_atomic_t interrupted = 0;

int64_t now_ns() {
    const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since_start).count();
}

std::string note_for(const bake_status &status) {
    char text[128];
    std::snprintf(text, sizeof text, "%llu of %llu, %.1f s", static_cast<unsigned long long>(status.done),
                  static_cast<unsigned long long>(status.total), double(status.elapsed_ns) * 1e-9);
    std::string note = text;
    if (status.crashed > 0) note += ", " + std::to_string(status.crashed) + " crashed";
    return note;
}

} // namespace

void catch_ctrl_c() {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = 1; };
    // The handler serves once: afterwards Ctrl-C has its default meaning again. No SA_RESTART, so that poll wakes up.
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &action, nullptr);
}

bool ctrl_c_pressed() { return interrupted != 0; }

bake_status MainLoop::run(const bake_plugin_api &plugin, bake_session *session, const std::string &title) {
    pollfd events = {plugin.event_fd(session), POLLIN, 0};
    if (events.fd < 0) throw std::runtime_error(plugin.message(session));
    std::optional<ProgressBar> bar;
    if (!title.empty()) bar.emplace(title);

    bool cancelled = false;
    bake_status status = {};
    int64_t frame_began = now_ns();
    for (;;) {
        plugin.tick(session, tick_budget_ns, &status);
        const bool is_over = status.phase != BAKE_STARTING && status.phase != BAKE_WORKING;
        if (ctrl_c_pressed() && !cancelled) {
            plugin.cancel(session);
            cancelled = true;
        }
        // Starting has nothing that can be cancelled; closing the session ends it.
        if (is_over || (cancelled && status.phase == BAKE_STARTING)) {
            if (bar && status.phase == BAKE_DONE) bar->draw(1, note_for(status));
            return status;
        }

        const int64_t now = now_ns();
        if (now - frame_began >= frame_ns) {
            // A new frame: here a DCC would handle its input and draw its windows.
            longest_gap_ns = std::max(longest_gap_ns, now - frame_began);
            frame_began = now;
            ++frames;
            if (bar) bar->draw(status.fraction, note_for(status));
        }
        const int64_t left_ns = std::max<int64_t>(0, frame_began + frame_ns - now_ns());
        const timespec left = {0, left_ns};
        ppoll(&events, 1, &left, nullptr);
    }
}
