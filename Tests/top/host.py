"""A host in Python: two workers in a function of its own, until its standard input ends. With "qt" in a Qt program's loop."""
import sys
import time

import mapengine


def shade_tiles(element):
    while True:
        time.sleep(0.01)


if __name__ == "__main__":
    pool = mapengine.Pool(2, mode="attached" if "qt" in sys.argv else None)
    futures = [pool.apply_async(shade_tiles, (i,)) for i in range(5)]
    if "qt" in sys.argv:
        from PySide6.QtCore import QSocketNotifier
        from PySide6.QtWidgets import QApplication, QProgressBar

        import mapengine.hosts

        application = QApplication(sys.argv)
        bar = QProgressBar()
        bar.show()
        attachment = mapengine.hosts.attach(pool)
        notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
        notifier.activated.connect(lambda *_: application.quit())
        print("ready", flush=True)
        application.exec()
    else:
        print("ready", flush=True)
        sys.stdin.read()
    pool.terminate()
