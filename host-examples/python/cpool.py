"""A pool of C workers for a Python that belongs to an application: items in, callbacks on the loop's thread.

    pool = cpool.CPool(workers=4)
    render = pool.function("./libtiles.so", "tile_render", data=scene)
    job = pool.map(render, tiles, on_item=show, on_done=finish)     # tiles: a list of bytes, one per item
    mapengine.hosts.attach(pool)                                    # Qt, Blender, GLib, asyncio, ...; or call pool.dispatch() now and then

on_item(index, result) is called for each item that has ended, on_done(progress) once: both structures as include/mapengine.h has them, valid
until the callback returns. No Python runs in the workers, and the declarations are mapengine_abi, which is made from
the header and lies in share/mapengine of the installation: /usr/local, or where MAPE_PREFIX says.

SPDX-License-Identifier: Apache-2.0
"""
import ctypes
import os
import select
import sys

try:
    import mapengine_abi as abi
except ImportError:
    sys.path.append(os.path.join(os.environ.get("MAPE_PREFIX", "/usr/local"), "share", "mapengine"))
    import mapengine_abi as abi
from ctypes import byref

_PREFIX = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(abi.__file__)), "..", ".."))
_LIBRARY = os.path.join(_PREFIX, "lib", abi.SONAME)


def cause(result):
    """How an item ended that did not end well, in a few words."""
    return result.message.decode("utf-8", "replace")


def data(result):
    """The bytes of an item's result."""
    return ctypes.string_at(result.data, result.size) if result.size else b""


class CPool:
    """Worker processes that run C functions. All methods on the thread of the loop. What `mapengine.hosts.attach` needs is here:
    fileno, dispatch, wait, idle, closed."""

    def __init__(self, workers=0, **settings):
        """`workers`: how many, 0: as many as cores. `settings`: further fields of mape_pool_config."""
        self.lib = abi.load(_LIBRARY if os.path.exists(_LIBRARY) else abi.SONAME)
        self.handle = abi.mape_pool()
        self.closed = False
        self.jobs = set()
        self._check(self.lib.mape_pool_create(byref(self.handle), byref(abi.mape_pool_config(workers=workers, **settings))))

    def function(self, library, symbol, data=b"", setup=None, cleanup=None):
        """Registers a function of a shared library, and has the workers load it. `data`: bytes for its `setup`."""
        keep = ctypes.create_string_buffer(data, len(data))
        described = abi.mape_function(library=os.fsencode(library), run_symbol=symbol.encode(),
                                      data=ctypes.addressof(keep) if data else None, data_size=len(data), setup_symbol=setup and setup.encode(),
                                      cleanup_symbol=cleanup and cleanup.encode())
        return self._register(described)

    def typed(self, library, prototype):
        """Registers a C function of any type, of a library that knows nothing of this one: "double cbrt(double x)". Its items are packed as
        mapengine/native.h says."""
        return self._register(abi.mape_function(library=os.fsencode(library), prototype=prototype.encode()))

    def _register(self, described):
        found = ctypes.c_uint32()
        self._check(self.lib.mape_function_register(byref(found), self.handle, byref(described)))
        return found.value

    def start(self, timeout=None):
        """Waits until all workers are there. Without it the first job starts them, and nobody waits."""
        self._check(self.lib.mape_pool_start(self.handle, abi.MAPE_FOREVER if timeout is None else int(timeout * 1e9)))

    def set_global(self, name, data):
        """Bytes that the functions of later jobs read by mape_task_global."""
        self._check(self.lib.mape_pool_set_global(self.handle, name.encode(), data, len(data)))

    def map(self, function, items, on_item=None, on_done=None, **settings):
        """Runs a function over items, each of them bytes. `settings`: further fields of mape_job_config."""
        return Job(self, function, items, on_item, on_done, settings)

    def resize(self, workers):
        """Changes the number of workers; those that leave finish what they are on."""
        self._check(self.lib.mape_pool_resize(self.handle, workers))

    def stats(self):
        """The figures of mape_stats."""
        stats = abi.mape_stats()
        self._check(self.lib.mape_pool_stats(byref(stats), self.handle))
        return stats

    def fileno(self):
        """The descriptor that is readable while there is something to dispatch."""
        found = ctypes.c_int()
        self._check(self.lib.mape_pool_event_fd(byref(found), self.handle))
        return found.value

    def dispatch(self, budget=0):
        """Runs the callbacks of what has come, for `budget` seconds; 0: all of them."""
        if not self.closed:
            self._check(self.lib.mape_pool_dispatch(self.handle, 0, int((budget or 0) * 1e9)))
            errors = [error for error in (job.take_error() for job in self.jobs) if error]
            self.jobs = {job for job in self.jobs if not job.ended}
            if errors:
                raise errors[0]

    def wait(self, timeout=None):
        """Waits for something to dispatch; for programs without a loop."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def idle(self):
        """Whether all jobs are done, and delivered."""
        return not self.jobs

    def close(self):
        """Ends all work and all processes. A second call does nothing."""
        if not self.closed:
            self.closed = True
            self.jobs.clear()
            self.lib.mape_pool_release(self.handle)

    def _check(self, status):
        if status < 0:
            text = ctypes.create_string_buffer(2048)
            self.lib.mape_message(text, len(text), self.handle)
            raise RuntimeError(f"{self.lib.mape_status_string(status).decode()}: {text.value.decode('utf-8', 'replace')}")


class Job:
    """A map that runs."""

    def __init__(self, pool, function, items, on_item, on_done, settings):
        self.pool, self.on_item, self.on_done = pool, on_item, on_done
        self.handle = abi.mape_job()
        self.error = None
        self.ended = False
        # ctypes' callables live as long as the job does.
        self._callbacks = abi.mape_event_fn(self._item), abi.mape_event_fn(self._done)
        # The engine copies the items before mape_map returns.
        spans = (abi.mape_span * len(items))(*[(ctypes.cast(item, ctypes.c_void_p), len(item)) for item in items])
        described = abi.mape_items(count=len(items), spans=spans)
        config = abi.mape_job_config(on_item=self._callbacks[0], on_done=self._callbacks[1], **settings)
        pool._check(pool.lib.mape_map(byref(self.handle), pool.handle, function, byref(described), byref(config)))
        pool.jobs.add(self)

    def cancel(self):
        """Ends what has not begun, and asks what runs to end; its events still come."""
        if not self.ended:
            self.pool._check(self.pool.lib.mape_job_cancel(self.handle))

    def progress(self):
        """The figures of mape_progress."""
        progress = abi.mape_progress()
        self.pool._check(self.pool.lib.mape_job_progress(byref(progress), self.handle))
        return progress

    # An exception in a function that C has called would be printed and forgotten: it is kept, and raised by `dispatch`.

    def take_error(self):
        error, self.error = self.error, None
        return error

    def _item(self, _, event):
        try:
            if self.on_item:
                self.on_item(event.contents.index, event.contents.result)
        except BaseException as error:
            self.error = error

    def _done(self, _, event):
        self.ended = True
        try:
            if self.on_done:
                self.on_done(event.contents.progress)
        except BaseException as error:
            self.error = error
        self.pool.lib.mape_job_release(self.handle)
