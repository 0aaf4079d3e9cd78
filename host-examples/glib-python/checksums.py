#!/usr/bin/env python3
"""A GLib main loop, as of a GTK program, with C functions in worker processes: python3 checksums.py FILE...

Each file's CRC-32 is computed by zlib's own C function. GLib watches the pool's descriptor, and calls back on the thread of the loop;
GTK's own events, and all that g_timeout_add does, go on meanwhile.

Needs python3-gi and ../python/cpool.py.

SPDX-License-Identifier: Apache-2.0
"""
import os
import struct
import sys

from gi.repository import GLib

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import cpool  # noqa: E402
from cpool import abi  # noqa: E402


def main(paths):
    loop = GLib.MainLoop()
    pool = cpool.CPool(workers=2)
    crc32 = pool.typed("libz.so.1", "unsigned long crc32(unsigned long crc, const void *data [length], unsigned int length)")
    texts = [open(path, "rb").read() for path in paths]

    def on_item(index, result):
        if result.state == abi.MAPE_ITEM_OK:
            print(f"{struct.unpack('L', cpool.data(result))[0]:08x}  {paths[index]}")
        else:
            print(f"{paths[index]}: {cpool.cause(result)}")

    # A packed item of a typed function: the number, where the bytes are and how many, their number; then the bytes.
    head = struct.Struct("=QQQI4x")
    items = [head.pack(0, head.size, len(text), len(text)) + text for text in texts]
    pool.map(crc32, items, on_item, lambda progress: loop.quit(), ordered=1)

    # mapengine.hosts.attach(pool) does the same, if the Python package is there.
    GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, pool.fileno(), GLib.IOCondition.IN, lambda *_: pool.dispatch(budget=0.005) or True)
    loop.run()
    pool.close()


if __name__ == "__main__":
    main(sys.argv[1:])
