#!/usr/bin/env python3
"""A window in which worker processes render a picture, tile by tile, with C code that may crash.

    python render.py                      # a window; --help lists what else

The window stays alive whatever the workers do: the bar at the bottom shows the longest time that its own timer, of 5 ms, was late. The
slider adds and takes away workers meanwhile, "Cancel" ends the rest, and a tile whose worker crashes is marked, and can be rendered again by a
click on it.

Needs PySide6, the package mapengine (its hosts.attach puts the pool's descriptor into Qt's loop), ../python/cpool.py, and libtiles.so,
which `make` builds of tiles.c.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import os
import signal
import struct
import sys
import time

from PySide6.QtCore import QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSlider, QVBoxLayout, QWidget

import mapengine.hosts

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "python"))
import cpool  # noqa: E402
from cpool import abi  # noqa: E402

TILE = struct.Struct("=7i")  # struct tile of tiles.c


class Picture(QWidget):
    """The tiles that are there, and those that have crashed."""

    def __init__(self, width, height, again):
        super().__init__()
        self.setFixedSize(width, height)
        self.image = QImage(width, height, QImage.Format.Format_RGB888)
        self.image.fill(QColor(38, 40, 46))
        self.crashed = {}
        self.again = again

    def show_tile(self, place, pixels):
        self.crashed.pop((place.x(), place.y()), None)
        tile = QImage(pixels, place.width(), place.height(), place.width() * 3, QImage.Format.Format_RGB888)
        painter = QPainter(self.image)
        painter.drawImage(place.topLeft(), tile)
        painter.end()
        self.update(place)

    def show_crash(self, place, why):
        self.crashed[place.x(), place.y()] = place, why
        self.update(place)

    def paintEvent(self, event):
        painter = QPainter(self)
        painter.drawImage(QPoint(0, 0), self.image)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        for place, why in self.crashed.values():
            painter.fillRect(place, QColor(120, 20, 20))
            painter.setPen(QColor(255, 190, 180))
            painter.drawRect(place.adjusted(0, 0, -1, -1))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, why)

    def mousePressEvent(self, event):
        for place, _ in list(self.crashed.values()):
            if place.contains(event.position().toPoint()):
                self.again(place)


class Window(QWidget):
    """Pool, picture and controls."""

    def __init__(self, options):
        super().__init__()
        self.options = options
        self.setWindowTitle("MapEngine: a picture by worker processes")
        # Lower than the window's own priority: the loop gets its turn when all cores compute.
        self.pool = cpool.CPool(workers=options.workers, nice=5)
        self.render = self.pool.function(os.path.join(HERE, "build", "libtiles.so"), "tile_render")
        self.job = None
        self.on_end = lambda: None

        self.picture = Picture(options.width, options.height, self.again)
        self.bar = QProgressBar(maximum=1000)
        self.start_button = QPushButton("Render", clicked=self.start)
        self.cancel_button = QPushButton("Cancel", clicked=self.cancel)
        self.slider = QSlider(Qt.Orientation.Horizontal, minimum=1, maximum=max(8, options.workers), value=options.workers)
        self.slider.valueChanged.connect(self.resize_pool)
        self.workers = QLabel()
        self.workers.setMinimumWidth(90)
        self.status = QLabel()
        controls = QHBoxLayout()
        for one in (self.start_button, self.cancel_button, self.workers, self.slider, self.bar):
            controls.addWidget(one)
        layout = QVBoxLayout(self)
        layout.addWidget(self.picture)
        layout.addLayout(controls)
        layout.addWidget(self.status)

        self.attachment = mapengine.hosts.attach(self.pool, "qt")
        self.last_tick = None
        self.longest = 0.0
        self.said = "Nothing yet"
        self.timer = QTimer(self, timeout=self.tick)
        self.timer.start(5)
        self.resize_pool(options.workers)

    # ---- The work. ----

    def tiles(self):
        size = self.options.tile
        return [QRect(x, y, min(size, self.options.width - x), min(size, self.options.height - y))
                for y in range(0, self.options.height, size) for x in range(0, self.options.width, size)]

    def start(self):
        if self.job:
            return
        self.longest = 0.0
        self.last_tick = None
        self.submit(self.tiles(), self.options.crash)

    def again(self, place):
        if not self.job:
            self.submit([place])

    def submit(self, places, crash=None):
        """Has tiles rendered; the one of the number `crash` by code that aborts."""
        items = [TILE.pack(place.x(), place.y(), place.width(), place.height(), self.options.width, self.options.height,
                           0 if index == crash else self.options.paths) for index, place in enumerate(places)]
        self.began = time.monotonic()

        def on_item(index, result):
            if result.state == abi.MAPE_ITEM_OK:
                self.picture.show_tile(places[index], cpool.data(result))
            elif result.state == abi.MAPE_ITEM_CRASHED:
                self.picture.show_crash(places[index], f"crashed\n{signal.Signals(result.code).name}")

        self.job = self.pool.map(self.render, items, on_item, self.done)
        self.start_button.setEnabled(False)

    def cancel(self):
        if self.job:
            self.job.cancel()

    def done(self, progress):
        self.job = None
        self.start_button.setEnabled(True)
        self.bar.setValue(int(1000 * progress.fraction))
        self.said = f"{progress.ok} tiles in {time.monotonic() - self.began:.1f} s"
        for name in ("crashed", "failed", "cancelled"):
            count = getattr(progress, name)
            if count:
                self.said += f", {count} {name}"
        self.on_end()

    def resize_pool(self, workers):
        self.pool.resize(workers)
        self.workers.setText(f"{workers} worker{'s' * (workers != 1)}")

    # ---- The window. ----

    def tick(self):
        now = time.monotonic()
        if self.last_tick is not None:
            self.longest = max(self.longest, now - self.last_tick)
        self.last_tick = now
        if self.job:
            progress = self.job.progress()
            self.bar.setValue(int(1000 * progress.fraction))
            self.said = f"{progress.done} of {progress.total} tiles"
        self.status.setText(f"{self.said}.  Longest time between two ticks of this window: {self.longest * 1e3:.0f} ms")

    def closeEvent(self, event):
        self.timer.stop()
        self.attachment.detach()
        self.pool.close()
        event.accept()


def main():
    parser = argparse.ArgumentParser(description="A picture, rendered tile by tile in worker processes.")
    parser.add_argument("--width", type=int, default=960, help="of the picture, in pixels (default %(default)s)")
    parser.add_argument("--height", type=int, default=540)
    parser.add_argument("--tile", type=int, default=60, help="width and height of a tile (default %(default)s)")
    parser.add_argument("--paths", type=int, default=64, help="paths of light per pixel: more take longer, and have less noise (default %(default)s)")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--crash", type=int, metavar="N", help="have the worker of tile N crash")
    parser.add_argument("--shot", metavar="FILE", help="render, save a picture of the window as FILE, and end")
    options = parser.parse_args()
    application = QApplication(sys.argv[:1])
    window = Window(options)
    window.show()
    if options.shot:
        def shot():
            window.tick()
            window.grab().save(options.shot)
            print(window.status.text(), flush=True)
            window.close()

        window.on_end = lambda: QTimer.singleShot(0, shot)
        QTimer.singleShot(0, window.start)
    return application.exec()


if __name__ == "__main__":
    sys.exit(main())
