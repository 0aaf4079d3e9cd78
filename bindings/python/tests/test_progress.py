"""Bars, and the calls of p_tqdm."""

from __future__ import annotations

import io
import itertools
import sys
from typing import Any, Callable

import face_work as work
import pytest

import mapengine
from mapengine import progress


Redirect = Callable[[], io.StringIO]


@pytest.fixture(params=["tqdm", "plain"])
def redirect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Redirect:
    """Gives a test its own standard error, with tqdm and without. Not before the test: pytest sets its own then."""
    if request.param == "tqdm":
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)

    def set_stderr() -> io.StringIO:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return set_stderr


def test_a_map_with_a_bar(redirect: Redirect) -> None:
    stderr = redirect()
    assert mapengine.map(work.square, range(50), progress=True) == [x * x for x in range(50)]
    assert "50/50" in stderr.getvalue() and "100" in stderr.getvalue()


def test_a_callback_with_a_bar(redirect: Redirect) -> None:
    stderr = redirect()
    got: list[Any] = []
    mapengine.map(work.square, range(50), callback=got.append, progress=True).join(60)
    assert got == [[x * x for x in range(50)]] and "50/50" in stderr.getvalue()


def test_the_calls_of_p_tqdm(redirect: Redirect) -> None:
    stderr = redirect()
    assert mapengine.p_map(work.square, range(50), desc="squares") == [x * x for x in range(50)]
    assert "squares" in stderr.getvalue() and "50/50" in stderr.getvalue()
    assert list(mapengine.p_imap(work.add, range(50), itertools.count(1))) == [2 * x + 1 for x in range(50)]
    assert sorted(mapengine.p_umap(work.square, range(50))) == sorted(x * x for x in range(50))
    assert sorted(mapengine.p_uimap(work.square, iter(range(50)), total=50)) == sorted(x * x for x in range(50))
    with pytest.raises(ValueError, match="1 is odd"):
        mapengine.p_map(work.fail_odd, range(4))


def test_workers_of_ones_own() -> None:
    pids = mapengine.p_map(work.pid, range(10), num_cpus=1, disable=True) if has_tqdm() else mapengine.p_map(work.pid, range(10), num_cpus=1)
    assert len(set(pids)) == 1
    assert progress._count(3) == 3 and progress._count(0.001) == 1


def has_tqdm() -> bool:
    try:
        import tqdm  # noqa: F401
    except ImportError:
        return False
    return True


def test_without_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert mapengine.map(work.square, range(5), progress=True) == [0, 1, 4, 9, 16]
    assert mapengine.p_map(work.square, range(5)) == [0, 1, 4, 9, 16]


def test_the_plain_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    for total, expected in (4, "4/4"), (None, "4,"), (0, "4,"):
        bar = progress.PlainBar(total, desc="work")
        for _ in range(4):
            bar.update()
        bar.close()
        bar.close()
        assert stream.getvalue().splitlines()[-1].startswith("work: ") and expected in stream.getvalue()
    stream.close()
    progress.PlainBar(1).close()
