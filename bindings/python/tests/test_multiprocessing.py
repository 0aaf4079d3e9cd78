"""What workers have in common with the host's multiprocessing."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from multiprocessing import shared_memory
from typing import Any

import pytest

from mapengine import Executor

held: Any = None


def hold(*what: Any) -> None:
    global held
    held = what


def use(x: int) -> int:
    lock, queue, event, pipe = held
    event.wait(60)
    with lock:
        queue.put(x)
        pipe.send(x)
    return x


def test_locks_queues_events_and_pipes_reach_workers_by_initargs() -> None:
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    lock, queue, event = context.Lock(), context.Queue(), context.Event()
    with Executor(2, initializer=hold, initargs=(lock, queue, event, writer)) as executor:
        futures = [executor.submit(use, x) for x in range(4)]
        event.set()
        assert [future.result(60) for future in futures] == [0, 1, 2, 3]
    assert sorted(queue.get(timeout=60) for _ in range(4)) == [0, 1, 2, 3]
    assert sorted(reader.recv() for _ in range(4)) == [0, 1, 2, 3]


def test_a_connection_that_cannot_be_opened_again_is_named() -> None:
    one, other = multiprocessing.get_context("spawn").Pipe()
    with Executor(1, initializer=hold, initargs=(one,)) as executor:
        with pytest.raises(Exception, match="duplex=False"):
            executor.submit(abs, 1).result(60)
    other.close()


def store(table: Any, x: int) -> None:
    table[x] = x * x


def test_proxies_of_a_manager() -> None:
    with multiprocessing.Manager() as manager, Executor(2) as executor:
        table = manager.dict()
        for future in [executor.submit(store, table, x) for x in range(3)]:
            future.result(60)
        assert dict(table) == {0: 0, 1: 1, 2: 4}


def test_a_manager_that_comes_after_the_workers() -> None:
    """In a program that had not imported multiprocessing when its first call was made."""
    done = subprocess.run([sys.executable, "-c", """
import sys, mapengine

def in_a_pool_of_its_own():
    with mapengine.Executor(1) as executor:
        return executor.submit(abs, -2).result()

with mapengine.Executor(1) as executor:
    assert "multiprocessing.process" not in sys.modules
    assert executor.submit(in_a_pool_of_its_own).result() == 2
    import multiprocessing
    if __name__ == "__main__":
        with multiprocessing.get_context("fork").Manager() as manager:
            table = manager.dict()
            executor.submit(lambda table: table.update(a=1), table).result()
            assert dict(table) == {"a": 1}
print("right")
"""], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.endswith("right\n"), done.stdout


def read(name: str) -> bytes:
    memory = shared_memory.SharedMemory(name)
    try:
        return bytes(memory.buf[:3])
    finally:
        memory.close()


def test_shared_memory_outlives_the_workers_that_look_at_it() -> None:
    memory = shared_memory.SharedMemory(create=True, size=3)
    try:
        memory.buf[:3] = b"abc"
        with Executor(1) as executor:
            assert executor.submit(read, memory.name).result(60) == b"abc"
        assert read(memory.name) == b"abc"
    finally:
        memory.close()
        memory.unlink()


def test_interpreters_that_workers_start_find_what_is_installed() -> None:
    """Workers run without `site`, for speed; what they start by the usual flags does not."""

    def flags() -> list[str]:
        import multiprocessing.util

        return multiprocessing.util._args_from_interpreter_flags()  # type: ignore[attr-defined]

    program = "import sys; print(sys.flags.no_site)"
    with Executor(1) as executor:
        arguments = executor.submit(flags).result(60)
    assert subprocess.check_output([sys.executable, *arguments, "-c", program], text=True) == "0\n"


def put_late(x: int) -> None:
    (queue,) = held
    queue.put(bytes(1000))  # Starts the thread that writes what is put into the queue.
    queue.put(x)


def test_what_a_call_has_put_into_a_queue_is_not_lost_with_its_worker() -> None:
    queue = multiprocessing.get_context("spawn").Queue()
    for x in range(20):
        with Executor(1, initializer=hold, initargs=(queue,)) as executor:
            executor.submit(put_late, x).result(60)
        assert (queue.get(timeout=60), queue.get(timeout=60)) == (bytes(1000), x)


def test_children_of_the_host_outlive_workers_that_are_copies_of_it() -> None:
    context = multiprocessing.get_context("fork")
    child = context.Process(target=time.sleep, args=(600,), daemon=True)
    child.start()
    try:
        with Executor(2, mp_context=context) as executor:
            assert list(executor.map(abs, range(-3, 3))) == [3, 2, 1, 0, 1, 2]
        assert child.is_alive()
    finally:
        child.kill()
        child.join()
