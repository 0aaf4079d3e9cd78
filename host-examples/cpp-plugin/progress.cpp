// progress.cpp - drawing the bar
//
// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <algorithm>
#include <cstdio>

#include <unistd.h>

ProgressBar::ProgressBar(std::string title) : title(std::move(title)), is_terminal(isatty(STDOUT_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
    if (is_terminal && !shown.empty()) std::printf("\n");
    std::fflush(stdout);
}

void ProgressBar::draw(double fraction, const std::string &note) {
    fraction = std::clamp(fraction, 0.0, 1.0);
    if (!is_terminal) {
        // In a log, or a CI's console, a line that redraws itself is noise: one line for every 10 % instead.
        const int tenths = int(fraction * 10);
        if (tenths == shown_tenths) return;
        shown_tenths = tenths;
        std::printf("%-10s %3d %%  %s\n", title.c_str(), tenths * 10, note.c_str());
        std::fflush(stdout);
        return;
    }
    constexpr int width = 36;
    const int filled = int(fraction * width);
    char head[64];
    std::snprintf(head, sizeof head, "%-10s %3d %% [", title.c_str(), int(fraction * 100));
    std::string line = head + std::string(filled, '#') + std::string(width - filled, '.') + "]  " + note;
    if (line == shown) return;
    // Back to the start, the new line, and the rest of a longer old one erased.
    std::printf("\r%s\x1b[K", line.c_str());
    std::fflush(stdout);
    shown = std::move(line);
}
