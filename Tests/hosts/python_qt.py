"""A Qt program (PySide6) measured: a window with a progress bar, QTimer, QSocketNotifier by mapengine.hosts."""
import PySide6
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QProgressBar

import mapengine.hosts
from measure_host import Measure, say

application = QApplication([])
say(f"host PySide6 {PySide6.__version__} ({application.platformName()}), QSocketNotifier")
bar = QProgressBar()
bar.show()
measure = Measure(application.quit)
timer = QTimer()
timer.timeout.connect(measure.tick)
timer.start(5)
if measure.pool:
    attachment = mapengine.hosts.attach(measure.pool)
    assert attachment.host == "qt", attachment.host
application.exec()
