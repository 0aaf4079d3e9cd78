// window.h - a window in which a picture appears tile by tile
//
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "renderer.h"

#include <mapengine/qt.hpp>

#include <QElapsedTimer>
#include <QImage>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSlider>
#include <QTimer>
#include <QWidget>

#include <optional>
#include <thread>

/// What the program's options ask for; -1: nothing.
struct Script {
    int crash = -1;     ///< This tile kills its worker.
    int cancel_at = -1; ///< Cancel after so many tiles.
    int quit_at = -1;   ///< End the program after so many tiles.
    QString screenshot; ///< Where to write a picture of the window at the end, or empty.
    bool quits = false; ///< End the program when the picture is done.
};

/// The window, and the pool behind it. Everything in it runs on the main thread.
class Window : public QWidget {
public:
    explicit Window(Script script);

    /// Begins to render; while it does, cancels.
    void toggle();
    /// Ends the program after so many milliseconds.
    void end_after(int ms);

private:
    void start();
    void take(const mape::Item<uint32_t[]> &item);
    void finish(const mape_progress &progress);
    void tick();
    void end();

    const Script script;
    mape::Pool pool;
    TileFunction function;
    std::optional<mape::QtNotifier> notifier; // After the pool: it goes first.
    mape::Job<uint32_t[]> job;

    std::vector<Tile> tiles;
    QImage picture;
    QLabel *canvas, *state;
    QProgressBar *bar;
    QPushButton *button;
    QTimer ticker;
    QElapsedTimer since_tick;
    double longest_gap_ms = 0;
    int taken = 0, elsewhere = 0;
    const std::thread::id main_thread = std::this_thread::get_id();
};
