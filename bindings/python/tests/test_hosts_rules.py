"""Which loop a pool is attached to, and when it leaves it."""
import mapengine
import pytest
from hostrun import run


def test_a_plain_script_has_no_loop():
    assert mapengine.hosts.find() is None
    with pytest.raises(RuntimeError, match="dispatch"):
        mapengine.hosts.attach(object())
    with pytest.raises(RuntimeError, match="no loop of qt"):
        mapengine.hosts.attach(object(), "qt")
    with pytest.raises(ValueError, match="no host is called 'gnome'"):
        mapengine.hosts.attach(object(), "gnome")


def test_a_pool_with_a_thread_is_refused():
    class Threaded:
        mode = "threaded"

    with pytest.raises(ValueError, match="attached"):
        mapengine.hosts.attach(Threaded(), "asyncio")


@pytest.mark.once
def test_another_thread_than_the_main_one_has_no_application():
    run("""
    import sys, types, threading
    hou = types.ModuleType("hou")
    hou.isUIAvailable = lambda: True
    sys.modules["hou"] = hou
    import mapengine
    found = []
    thread = threading.Thread(target=lambda: found.append(mapengine.hosts.find()))
    thread.start(), thread.join()
    assert found == [None] and mapengine.hosts.find() == "houdini"
    print("right")
    """)


@pytest.mark.once
def test_a_pool_that_was_closed_leaves_the_loop():
    run("""
    import sys, types
    ticks = {}
    unreal = types.ModuleType("unreal")
    unreal.register_slate_post_tick_callback = lambda f: ticks.setdefault(1, f) and 1
    unreal.unregister_slate_post_tick_callback = ticks.pop
    sys.modules["unreal"] = unreal
    import mapengine
    class Pool:
        closed, calls = False, 0
        def dispatch(self, budget=None):
            self.calls += 1
    pool = Pool()
    attachment = mapengine.hosts.attach(pool)
    ticks[1](0.1)
    pool.closed = True
    ticks[1](0.1)
    assert not ticks and pool.calls == 2 and not attachment.alive
    print("right")
    """)


@pytest.mark.once
def test_a_descriptor_that_is_given_to_somebody_else_is_not_watched():
    """The pool closes its descriptor and another file gets the number."""
    run("""
    import asyncio, os, mapengine
    class Pool:
        closed = False
        def __init__(self):
            self.read, self.write = os.pipe()
        def fileno(self):
            return self.read
        def dispatch(self, budget=None):
            assert not self.closed, "dispatched for somebody else's file"
    async def main():
        pool = Pool()
        attachment = mapengine.hosts.attach(pool)
        pool.closed = True
        os.close(pool.read)
        other, full = os.pipe()
        assert other == pool.read
        os.write(full, b"x")
        await asyncio.sleep(0.05)
        attachment.detach()
        assert os.read(other, 1) == b"x"
    asyncio.run(main())
    print("right")
    """)
