// window.cpp - the window, and what it does with tiles
//
// SPDX-License-Identifier: Apache-2.0
#include "window.h"

#include <QApplication>
#include <QHBoxLayout>
#include <QPainter>
#include <QVBoxLayout>

#include <cstdio>

Window::Window(Script wanted)
    : script(std::move(wanted)), picture(tiles_across * tile_size, tiles_down * tile_size, QImage::Format_RGB32) {
    setWindowTitle("Tiles in worker processes");
    canvas = new QLabel, state = new QLabel, bar = new QProgressBar, button = new QPushButton("Render");
    auto *workers = new QSlider(Qt::Horizontal);
    workers->setRange(1, 8);
    workers->setValue(2);
    picture.fill(Qt::black);
    canvas->setPixmap(QPixmap::fromImage(picture));
    bar->setRange(0, tile_count);

    auto *row = new QHBoxLayout;
    for (QWidget *widget : std::initializer_list<QWidget *>{button, bar, new QLabel("Workers"), workers})
        row->addWidget(widget);
    auto *column = new QVBoxLayout(this);
    column->addWidget(canvas);
    column->addLayout(row);
    column->addWidget(state);

    mape::PoolOptions options;
    options.workers = 2;
    options.nice = 5; // The window comes first.
    // Qt's event loop lets no exception through: what a callback throws ends the program with its text.
    options.on_exception = [](std::exception_ptr thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception &error) {
            qFatal("%s", error.what());
        }
    };
    pool = mape::Pool::create(options).value();
    function = register_renderer(pool).value();
    notifier.emplace(pool.handle());

    connect(button, &QPushButton::clicked, this, [this] { toggle(); });
    connect(workers, &QSlider::valueChanged, this, [this](int count) { (void)pool.resize(uint32_t(count)); });
    ticker.setTimerType(Qt::PreciseTimer);
    connect(&ticker, &QTimer::timeout, this, [this] { tick(); });
    since_tick.start();
    ticker.start(5);
}

void Window::toggle() {
    if (job.handle()) (void)job.cancel();
    else start();
}

void Window::start() {
    tiles.clear();
    for (int i = 0; i < tile_count; ++i)
        tiles.push_back({i % tiles_across * tile_size, i / tiles_across * tile_size, i == script.crash ? 1u : 0u});
    picture.fill(Qt::black);
    taken = 0, longest_gap_ms = 0;
    TileFunction::Options options;
    options.drop = 1; // Each result goes after its callback; workers are at most 64 tiles ahead of the window.
    options.window = 64;
    options.on_item = [this](const mape::Item<uint32_t[]> &item) { take(item); };
    options.on_done = [this](const auto &, const mape_progress &progress) { finish(progress); };
    job = pool.map(function, tiles, options).value();
    button->setText("Cancel");
}

// A tile has come: its pixels are read where the worker wrote them.
void Window::take(const mape::Item<uint32_t[]> &item) {
    if (std::this_thread::get_id() != main_thread) ++elsewhere;
    const Tile &tile = tiles[item.index()];
    const auto pixels = item.span();
    QPainter painter(&picture);
    if (!pixels.empty()) {
        painter.drawImage(
            tile.x, tile.y,
            QImage(reinterpret_cast<const uchar *>(pixels.data()), tile_size, tile_size, QImage::Format_RGB32));
    } else if (item.state() == MAPE_ITEM_CRASHED) {
        painter.fillRect(tile.x, tile.y, tile_size, tile_size, QColor(220, 0, 120));
        painter.setPen(QPen(Qt::white, 3));
        painter.drawLine(tile.x + 8, tile.y + 8, tile.x + 24, tile.y + 24);
        painter.drawLine(tile.x + 24, tile.y + 8, tile.x + 8, tile.y + 24);
        state->setToolTip(item.message());
        std::printf("tile %d: %s\n", int(item.index()), item.message());
    }
    painter.end();
    bar->setValue(++taken);
    canvas->setPixmap(QPixmap::fromImage(picture));
    if (taken == script.cancel_at) toggle();
    if (taken == script.quit_at) std::exit(0); // Workers end with the program, however it ends.
}

void Window::finish(const mape_progress &p) {
    job = {};
    button->setText("Render");
    std::printf("%d tiles: %d ok, %d crashed, %d cancelled\n", int(p.total), int(p.ok), int(p.crashed),
                int(p.cancelled));
    tick();
    state->setText(state->text() + QString("; %1 tiles in %2 s, %3 crashed, %4 cancelled")
                                       .arg(p.ok)
                                       .arg(double(p.elapsed_ns) * 1e-9, 0, 'f', 1)
                                       .arg(p.crashed)
                                       .arg(p.cancelled));
    if (!script.screenshot.isEmpty() && !grab().save(script.screenshot)) qFatal("cannot write the screenshot");
    if (script.quits) end();
}

void Window::end() {
    std::printf("Qt %s: off the main thread %d, the longest gap between two ticks of 5 ms was %.1f ms\n", qVersion(),
                elsewhere, longest_gap_ms);
    QApplication::quit();
}

void Window::end_after(int ms) {
    QTimer::singleShot(ms, this, [this] { end(); });
}

void Window::tick() {
    longest_gap_ms = std::max(longest_gap_ms, double(since_tick.nsecsElapsed()) * 1e-6);
    since_tick.restart();
    state->setText(QString("Longest gap between two ticks of 5 ms: %1 ms").arg(longest_gap_ms, 0, 'f', 1));
}
