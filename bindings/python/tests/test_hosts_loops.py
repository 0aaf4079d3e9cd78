"""Pools in event loops: each in a process of its own, with the real toolkit where it is there."""
import textwrap

import pytest
from hostrun import COUNT, POOLS, SEEDS, needs, run


ASYNCIO = f"""
    import asyncio, mapengine, hostpool
    async def main():
        assert mapengine.hosts.find() == "asyncio"
        pool = hostpool.EventPool()
        pool.start({COUNT})
        with mapengine.hosts.attach(pool, budget=0.0005) as attachment:
            assert attachment.host == "asyncio" and attachment.alive
            ticks = 0
            while not pool.idle():
                await asyncio.sleep(0.001)
                ticks += 1
        assert not attachment.alive and ticks > 1
        attachment.detach()
        pool.check(rounds=2)
        pool.close()
    assert mapengine.hosts.find() is None
    asyncio.run(main())
    assert mapengine.hosts.find() is None
    print("right")
"""


@POOLS
def test_asyncio(pool):
    run(ASYNCIO.replace("EventPool", pool))


@pytest.mark.once
def test_a_loop_that_was_closed_is_noticed():
    run("""
        import asyncio, mapengine, hostpool
        pool = hostpool.EventPool()
        async def main():
            return mapengine.hosts.attach(pool)
        attachment = asyncio.run(main())
        assert not attachment.alive
        attachment.detach()
        async def again():
            pool.start(100)
            with mapengine.hosts.attach(pool):
                while not pool.idle():
                    await asyncio.sleep(0.001)
        asyncio.run(again())
        pool.check()
        print("right")
    """)


@pytest.mark.once
def test_notebook():
    needs("nbclient, ipykernel")
    run("import hostnotebook; hostnotebook.main()")


QT = f"""
    import sys, mapengine, hostpool
    from {{binding}} import QtCore
    assert mapengine.hosts.find() is None
    app = QtCore.QCoreApplication(sys.argv[:1])
    assert mapengine.hosts.find() == "qt"
    pool = hostpool.EventPool()
    pool.start({COUNT})
    attachment = mapengine.hosts.attach(pool, budget=0.0005)
    ticks = []
    def tick():
        ticks.append(1)
        if pool.idle():
            app.quit()
    timer = QtCore.QTimer()
    timer.timeout.connect(tick)
    timer.start(1)
    app.exec() if hasattr(app, "exec") else app.exec_()
    pool.check(rounds=2)
    attachment.detach()
    # What comes after it stays where it is.
    had = len(pool.results)
    pool.start(10)
    assert pool.wait(60)
    QtCore.QTimer.singleShot(50, app.quit)
    app.exec() if hasattr(app, "exec") else app.exec_()
    assert len(pool.results) == had and ticks
    pool.close()
    print("right")
"""


@pytest.mark.once
@POOLS
@pytest.mark.parametrize("binding", ["PySide6", "PyQt6", "PySide2", "PyQt5"])
def test_qt(binding, pool):
    needs(f"{binding}.QtCore")
    run(QT.format(binding=binding).replace("EventPool", pool), QT_QPA_PLATFORM="offscreen")


@pytest.mark.once
@pytest.mark.parametrize("binding", ["PySide6", "PyQt5"])
def test_callbacks_of_map_in_qt(binding):
    needs(f"{binding}.QtCore")
    run(f"""
    import sys
    from {binding} import QtCore
    app = QtCore.QCoreApplication(sys.argv[:1])
    """ + SEEDS.format(end="len(told) == 3 and app.quit()") + """
    app.exec() if hasattr(app, "exec") else app.exec_()
    check()
    """, QT_QPA_PLATFORM="offscreen")


def test_callbacks_of_map_in_asyncio():
    """In two loops one after another."""
    run("""
    import asyncio
    async def main():
        done = asyncio.Event()
    """ + textwrap.indent(textwrap.dedent(SEEDS.format(end="len(told) == 3 and done.set()")), " " * 8) + """
        await asyncio.wait_for(done.wait(), 60)
        check()
    asyncio.run(main())
    asyncio.run(main())
    """)


def test_callbacks_of_map_without_a_loop_come_by_a_thread():
    run("""
    import threading
    import mapengine
    told = []
    handle = mapengine.map(abs, [-1, 2], callback=lambda values: told.append((values, threading.current_thread())))
    handle.join(60)
    assert told[0][0] == [1, 2] and told[0][1] is not threading.main_thread()
    print("right")
    """)


@pytest.mark.once
def test_a_callback_that_raises_does_not_end_qt():
    needs("PyQt5.QtCore")
    run("""
        import sys, mapengine, hostpool
        from PyQt5 import QtCore
        app = QtCore.QCoreApplication(sys.argv[:1])
        class Pool(hostpool.EventPool):
            def dispatch(self, budget=None):
                super().dispatch(budget)
                raise RuntimeError("as planned")
        pool = Pool()
        pool.start(5)
        mapengine.hosts.attach(pool)
        timer = QtCore.QTimer()
        timer.timeout.connect(lambda: pool.idle() and app.quit())
        timer.start(1)
        app.exec_()
        print("right")
    """)


@pytest.mark.once
@POOLS
def test_tkinter(pool):
    needs("tkinter")
    run(f"""
        import tkinter, mapengine, hostpool
        assert mapengine.hosts.find() is None
        root = tkinter.Tk()
        assert mapengine.hosts.find() == "tkinter"
        pool = hostpool.{pool}()
        pool.start({COUNT})
        attachment = mapengine.hosts.attach(pool, budget=0.0005)
        def tick():
            root.destroy() if pool.idle() else root.after(1, tick)
        root.after(1, tick)
        root.mainloop()
        pool.check(rounds=2)
        attachment.detach()
        print("right")
    """, display=True)


@pytest.mark.once
@POOLS
def test_glib(pool):
    needs("gi.repository.GLib")
    run(f"""
        import mapengine, hostpool
        from gi.repository import GLib
        assert mapengine.hosts.find() is None
        loop = GLib.MainLoop()
        pool = hostpool.{pool}()
        pool.start({COUNT})
        attachment = mapengine.hosts.attach(pool, budget=0.0005)
        assert attachment.host == "glib"
        found = []
        def tick():
            found.append(mapengine.hosts.find())
            if pool.idle():
                loop.quit()
            return True
        GLib.timeout_add(1, tick)
        loop.run()
        pool.check(rounds=2)
        assert set(found) == {{"glib"}}
        attachment.detach()
        pool.start(10)
        assert pool.wait(60)
        GLib.timeout_add(50, loop.quit)
        loop.run()
        assert len(pool.results) == {COUNT}
        print("right")
    """)
