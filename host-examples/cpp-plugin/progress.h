// progress.h - a progress bar on a terminal, a line now and then elsewhere
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

/// Shows one piece of work. Draws on standard output.
class ProgressBar {
public:
    /// @param title what is being done, for example "baking".
    explicit ProgressBar(std::string title);
    /// Leaves the line to what is printed next.
    ~ProgressBar();
    ProgressBar(const ProgressBar &) = delete;
    ProgressBar &operator=(const ProgressBar &) = delete;

    /// Draws, if there is something new to see; cheap enough for every frame.
    /// @param fraction 0 to 1.
    /// @param note     shown behind the bar.
    void draw(double fraction, const std::string &note);

private:
    const std::string title;
    const bool is_terminal;
    std::string shown;     ///< The line on the terminal.
    int shown_tenths = -1; ///< The last line written elsewhere.
};
