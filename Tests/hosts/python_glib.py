"""A GLib program (PyGObject) measured: timeout_add, unix_fd_add_full by mapengine.hosts."""
from gi.repository import GLib

import mapengine.hosts
from measure_host import Measure, say

loop = GLib.MainLoop()
say(f"host GLib {GLib.MAJOR_VERSION}.{GLib.MINOR_VERSION}.{GLib.MICRO_VERSION} in Python, unix_fd_add")
measure = Measure(loop.quit)
GLib.timeout_add(5, lambda: measure.tick() or True)
if measure.pool:
    attachment = mapengine.hosts.attach(measure.pool)
    assert attachment.host == "glib", attachment.host
if not measure.ended:
    loop.run()
