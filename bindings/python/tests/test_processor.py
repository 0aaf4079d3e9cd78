"""`Processor`: MapScale's example, and its promises."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import face_work as work
import pytest

from mapengine import MapErrors, Processor
from concurrent.futures.process import BrokenProcessPool


def counts(folder: Path, what: str) -> list[str]:
    return [path.read_text() for path in folder.glob(what + "-*")]


def test_the_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class WorkFunction:
        """Its own."""

        def __init__(self, args: int) -> None:
            self.args = args

        def __call__(self, x: float) -> float:
            return x**2.0

        def setup(self) -> None:
            print("Setting up")

        def cleanup(self) -> None:
            print("Cleaning up")

    mapper = Processor(WorkFunction(3), 2)
    assert mapper(range(5)) == [0.0, 1.0, 4.0, 9.0, 16.0]
    mapper.shutdown()
    text = capsys.readouterr().out
    assert 1 <= text.count("Setting up\n") <= 2 and text.count("Cleaning up\n") == text.count("Setting up\n")


def test_setup_and_cleanup_run_once_per_worker(tmp_path: Path) -> None:
    with Processor(work.Work(str(tmp_path), 3), 2) as processor:
        for _ in range(3):
            assert processor(range(100)) == [3 * x for x in range(100)]
        pids = processor.pids()
    assert 1 <= len(counts(tmp_path, "setup")) <= len(pids) == 2
    assert set(counts(tmp_path, "setup")) == set(counts(tmp_path, "cleanup")) == {"x"}
    assert len(counts(tmp_path, "cleanup")) == len(counts(tmp_path, "setup"))


def test_an_argument_is_never_taken_apart(tmp_path: Path) -> None:
    with Processor(work.Work(str(tmp_path), 3), 1) as processor:
        assert processor([[1, 2], "text", [[3]]]) == [[1, 2], "text", [[3]]]


def test_without_setup_and_cleanup() -> None:
    with Processor(work.Plain(), 1) as processor:
        assert processor([1, 2]) == [2, 3]
        assert list(processor.imap(iter(range(1000)), buffersize=8)) == list(range(1, 1001))
    with Processor(lambda x: -x, 1) as processor:
        assert processor([1, 2]) == [-1, -2]


def test_after_shutdown_it_is_inert() -> None:
    processor = Processor(work.Plain(), 1)
    assert processor([1]) == [2]
    processor.shutdown(sleep=1.0)
    for call in (lambda: processor([1]), lambda: processor.imap([1]), lambda: processor([1], callback=print)):
        with pytest.raises(RuntimeError, match="shut down"):
            call()
    processor.shutdown()


def test_callbacks_and_errors() -> None:
    got: list[Any] = []
    with Processor(work.fail_odd, 1) as processor:
        processor([2, 4], callback=got.append).join(60)
        assert got == [[2, 4]]
        with pytest.raises(MapErrors) as caught:
            processor([2, 3])
        assert caught.value.results == [2, None]
        assert isinstance(processor([3], return_exceptions=True)[0], ValueError)


class NoLicence(work.Plain):
    def setup(self) -> None:
        raise OSError("no licence")


def test_a_setup_that_fails_is_named() -> None:
    with Processor(NoLicence(), 1) as processor:
        with pytest.raises((MapErrors, BrokenProcessPool), match="no licence"):
            processor([1])


def test_callbacks_run_in_the_loop_of_the_application() -> None:
    threads = []

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def callback(values: list[Any]) -> None:
            threads.append(threading.current_thread())
            done.set_result(values)

        with Processor(work.Plain(), 1) as processor:
            assert processor.mode == "attached" and processor([1]) == [2]
            processor([1, 2], callback=callback)
            return await asyncio.wait_for(done, 60)

    assert asyncio.run(main()) == [2, 3] and threads == [threading.current_thread()]


def test_what_it_refuses() -> None:
    with pytest.raises(TypeError):
        Processor(3, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        Processor(work.Plain(), 0)
