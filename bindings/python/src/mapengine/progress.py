"""Bars: those of tqdm if it is installed (in a notebook its own kind), else a plain one; and the calls of p_tqdm."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Bar", "p_imap", "p_map", "p_uimap", "p_umap"]


class PlainBar:
    """A bar of one line on `sys.stderr`, drawn ten times a second at most; nothing if there is no `sys.stderr`, as in hosts with windows."""

    WIDTH = 40
    PAUSE = 0.1

    def __init__(self, total: int | None = None, desc: str | None = None, **_: Any) -> None:
        self.total = total
        self.n = 0
        self._title = f"{desc}: " if desc else ""
        self._began = time.monotonic()
        self._drawn = 0.0
        self._is_closed = False

    def update(self, n: int = 1) -> None:
        """Counts `n` more."""
        self.n += n
        if time.monotonic() - self._drawn >= self.PAUSE:
            self._draw()

    def close(self) -> None:
        """Draws it a last time and leaves the line."""
        if not self._is_closed:
            self._is_closed = True
            self._draw("\n")

    def _draw(self, end: str = "") -> None:
        self._drawn = time.monotonic()
        seconds = self._drawn - self._began
        if self.total:
            filled = min(self.WIDTH, self.WIDTH * self.n // self.total)
            text = f"{100 * self.n // self.total:3d} % [{'#' * filled}{'.' * (self.WIDTH - filled)}] {self.n}/{self.total}"
        else:
            text = str(self.n)
        stream = sys.stderr
        if stream is None:
            return
        try:
            stream.write(f"\r{self._title}{text}, {seconds:.1f} s{end}")
            stream.flush()
        except (OSError, ValueError):
            # Closed, or a pipe that nobody reads: no reason to end the work.
            pass


def make_bar(total: int | None, **options: Any) -> Any:
    """A bar with ``update(n)``, ``n`` and ``close()``."""
    if sys.stderr is None and "file" not in options:
        return PlainBar(total, **options)
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return PlainBar(total, **options)
    return tqdm(total=total, **options)


class Bar:
    """The bar of work under way: shows how many of its elements are done."""

    def __init__(self, progress: Callable[[], tuple[int, int | None]], **options: Any) -> None:
        self._progress = progress
        self._bar = make_bar(progress()[1], **options)

    @classmethod
    def of_job(cls, job: Any, **options: Any) -> Bar:
        """That of a `MapJob`."""
        return cls(job.progress, **options)

    def show(self) -> None:
        """Draws what is done by now."""
        done, _ = self._progress()
        if done > self._bar.n:
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leaves it as it is."""
        self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# ---- The calls of p_tqdm. ----


def _values(
    ordered: bool, function: Callable[..., Any], iterables: tuple[Iterable[Any], ...], num_cpus: float | None, options: dict[str, Any]
) -> Iterator[Any]:
    from ._default import default_pool
    from ._taken import Taken
    from .pool import Pool

    total = options.pop("total", None)
    if total is None:
        # Of one without a length nothing is known before its end.
        lengths = [len(iterable) for iterable in iterables if isinstance(iterable, Sized)]
        total = min(lengths, default=None)
    pool: Any = default_pool() if num_cpus is None else Pool(_count(num_cpus))
    bar = make_bar(total, **options)
    try:
        star = len(iterables) != 1
        window = max(256, 16 * pool._workers.count)
        job = pool._workers.map(
            function, zip(*iterables) if star else iterables[0], star=star, ordered=ordered, buffersize=window
        )
        try:
            taken: Taken[Any] = Taken(job)
            while taken.refill():
                bar.update(len(taken.values))
                while not taken.is_empty():
                    yield taken.pop()
        finally:
            job.cancel(running=True)
    finally:
        bar.close()
        if num_cpus is not None:
            pool.terminate()
            pool.join()


def _count(num_cpus: float) -> int:
    """Workers: a whole number as it is, a fraction of the cores."""
    import os

    if isinstance(num_cpus, int):
        return num_cpus
    return max(1, round(num_cpus * len(os.sched_getaffinity(0))))


def p_imap(function: Callable[..., Any], *iterables: Iterable[Any], num_cpus: float | None = None, **tqdm: Any) -> Iterator[Any]:
    """The values of ``map(function, *iterables)`` one by one, in order, with a bar.

    num_cpus
        Workers, or as a float a fraction of the cores; the default are the workers of `mapengine.map`.
    tqdm
        Options of the bar: ``desc``, ``total``, ``disable`` …
    """
    return _values(True, function, iterables, num_cpus, tqdm)


def p_uimap(function: Callable[..., Any], *iterables: Iterable[Any], num_cpus: float | None = None, **tqdm: Any) -> Iterator[Any]:
    """`p_imap` with values as they come."""
    return _values(False, function, iterables, num_cpus, tqdm)


def p_map(function: Callable[..., Any], *iterables: Iterable[Any], num_cpus: float | None = None, **tqdm: Any) -> list[Any]:
    """``list(map(function, *iterables))`` with a bar; see `p_imap`."""
    return list(_values(True, function, iterables, num_cpus, tqdm))


def p_umap(function: Callable[..., Any], *iterables: Iterable[Any], num_cpus: float | None = None, **tqdm: Any) -> list[Any]:
    """`p_map` with values in the order in which they came."""
    return list(_values(False, function, iterables, num_cpus, tqdm))
