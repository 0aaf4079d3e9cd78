"""`Processor` of *MapScale*: a work object with data, set up once per worker, called over many lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from . import hosts
from ._face import Face, Options, chunk
from ._handle import Handle
from ._workers import Workers

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = ["Processor"]


class Processor(Face):
    """Workers that hold a work object.

    work
        A callable with one argument, which may be anything: lists and rows of arrays are not taken apart. What ``__init__`` stored in it
        travels to each worker once. Its ``setup()`` runs once in each worker before the first call, its ``cleanup()`` once when a worker
        ends in peace; it may have neither.
    workers
        Number of workers; the default is the number of cores that this process may use.
    python
        The interpreter that runs the workers, as a path; the same minor version as this one. The default is this interpreter, or, in a
        host that only embeds one, the one that the host brings.
    options
        See `mapengine.Options`.

    Call it as often as you like; then `shutdown`. The block of a ``with`` does that at its end. Made on the thread of a loop that
    `mapengine.hosts` knows, it belongs to that loop: callbacks run there.
    """

    def __init__(
        self, work: Callable[[Any], Any], workers: int | None = None, *, python: str | None = None, **options: Unpack[Options]
    ) -> None:
        if not callable(work):
            raise TypeError("work must be a callable")
        if workers is not None and workers < 1:
            raise ValueError("workers must be greater than 0")
        # In an application with a loop callbacks run there, unless the caller says where.
        loop = hosts.find() if "mode" not in options else None
        if loop is not None:
            options["mode"] = "attached"
        self._workers = Workers(
            workers, python=python, initializer=_set_up, initargs=(work,), finalizer=_clean_up, **options
        )
        self._is_inert = False
        self._attachment = None if loop is None else hosts.attach(self)

    def __call__(
        self,
        jobs: Iterable[Any],
        callback: Callable[[list[Any]], object] | None = None,
        *,
        chunk_size: int = 1,
        errback: Callable[[BaseException], object] | None = None,
        return_exceptions: bool = False,
        timeout: float | None = None,
        attempts: int | None = None,
        priority: int = 0,
        progress: bool = False,
    ) -> Any:
        """The work over `jobs`: the list of values in order, or with `callback` at once a `Handle`. Parameters and errors are those of
        `mapengine.map`."""
        self._check()
        job = self._workers.map(
            _work, jobs, chunk_size=chunk(chunk_size), timeout=timeout, attempts=attempts, priority=priority, bulk=True
        )
        handle = Handle(self._workers, job, callback, errback, return_exceptions, progress)
        if callback is not None:
            return handle
        return handle.wait_here()

    def imap(self, jobs: Iterable[Any], *, ordered: bool = True, buffersize: int = 256) -> Iterator[Any]:
        """The values one by one as they come; at most `buffersize` jobs are taken from the iterable whose values have not been fetched."""
        from .executor import _values

        self._check()
        return _values(self._workers.map(_work, jobs, ordered=ordered, buffersize=buffersize), None)

    def shutdown(self, wait: bool = True, *, sleep: float = 0) -> None:
        """Ends the workers when they are done; the work's ``cleanup()`` runs in each. Later calls raise RuntimeError.

        `sleep`, which *MapScale* had, says nothing any more: how long it takes is known, not guessed.
        """
        self._is_inert = True
        if self._attachment is not None:
            self._attachment.detach()
        self._workers.close(wait=wait)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._workers.terminate()
        self.shutdown()

    def _check(self) -> None:
        if self._is_inert:
            raise RuntimeError("the processor has been shut down")


# ---- In the worker. ----


class _Here:
    """What a worker holds: there is one processor per worker."""

    work: Any = None


def _set_up(work: Any) -> None:
    _Here.work = work
    setup = getattr(work, "setup", None)
    if setup is not None:
        setup()


def _work(job: Any) -> Any:
    return _Here.work(job)


def _clean_up() -> None:
    cleanup = getattr(_Here.work, "cleanup", None)
    if cleanup is not None:
        cleanup()
