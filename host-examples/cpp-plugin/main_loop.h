// main_loop.h - the host's heartbeat: what a GUI program does all day
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bake_plugin.h"

#include <csignal>
#include <cstdint>
#include <string>

/// Catches the first Ctrl-C and sets a flag; the second ends the program as if nobody had caught it.
void catch_ctrl_c();

/// Whether Ctrl-C was pressed.
bool ctrl_c_pressed();

/// A loop with 60 frames a second, which never waits for the plugin and measures whether that is true.
class MainLoop {
public:
    /// Draws frames until the session is no longer doing what it is doing (BAKE_STARTING or BAKE_WORKING). Ctrl-C
    /// cancels the work.
    /// @param plugin  the plugin's functions.
    /// @param session the session.
    /// @param title   for the progress bar; empty: none.
    /// @return how the session stands.
    bake_status run(const bake_plugin_api &plugin, bake_session *session, const std::string &title);

    int64_t longest_gap_ns = 0; ///< From the beginning of one frame to that of the next, over all runs.
    uint64_t frames = 0;        ///< Frames drawn, over all runs.
};
