"""Whether a screenshot of host-examples/qt has a picture in it, and a tile that has crashed: picture.py FILE

SPDX-License-Identifier: Apache-2.0
"""
import collections
import sys

from PySide6.QtGui import QColor, QImage

image = QImage(sys.argv[1])
assert not image.isNull(), "no image"
colours = collections.Counter(image.pixelColor(x, y).rgb() for y in range(0, image.height(), 2) for x in range(0, image.width(), 2))
crashed = colours[QColor(120, 20, 20).rgb()]
assert len(colours) > 1000, f"{len(colours)} colours"
assert crashed > 200, f"{crashed} pixels of a tile that has crashed"
print(f"{image.width()} x {image.height()}, {len(colours)} colours")
