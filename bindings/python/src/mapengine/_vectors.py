"""Maps that call their function with an array of elements instead of one element: see Workers.map, `vectorized`.

Nothing is pickled but the function. Elements are items of the engine as they lie in the array, ranges of which workers read in place, and results
are written as elements of the caller's array.
"""
from __future__ import annotations

import array
import importlib.util
import sys
from _pickle import dumps
from typing import Any, Iterator, List, Optional, Tuple

from ._arrays import NUMBERS, Elements, Out, elements_of
from ._encoder import Encoded, Encoder, Target
from ._format import CALL_STAR, CALL_VECTOR

CHUNK_BYTES = 512 << 10  # Of the elements of a call, or of its results, at most, unless the caller says how many; a cache holds both.
BLOCK_BYTES = 16 << 20  # Of the elements that are submitted at once; the first blocks have less, so that workers begin soon.
INT64 = range(-2**63, 2**63)


def place_of(items: Any, out: Any, others: Any, buffersize: Optional[int]) -> Out:
    """The caller's array as the place of results. ValueError for what does not go together."""
    if others:
        raise ValueError("vectorized= does not go with star= and buffersize=")
    if out is None:
        raise ValueError("vectorized= needs out=, an array for the results")
    if buffersize is not None:
        raise ValueError("out= does not go with buffersize=: it has a place for each element")
    return Out(out, len(items))


def encoder_of(items: Any, spec: Tuple[bytes, bytes], star: bool, chunk: Optional[int], workers: int, places: Any, out: Out, vectorized: bool) -> Any:
    """What makes blocks for results in the caller's array."""
    if vectorized:
        return VectorEncoder(items, spec, chunk, workers, out)
    found = out.elements
    target = Target(found.size, ord(found.format)) if found.format and not found.shape else Target(found.size, 0, dumps((found.dtype, found.shape), 5))
    return Encoder(items, spec, CALL_STAR if star else 0, chunk, workers, places, target)


def is_range(items: Any) -> bool:
    """Whether it is a range that travels by its bounds."""
    return type(items) is range and (not items or (items[0] in INT64 and items[-1] in INT64 and items.step in INT64))


class VectorEncoder:
    """Makes blocks of the elements of an array or a range, in the place of an Encoder.

    Raises TypeError for what is neither.
    """

    def __init__(self, items: Any, spec: Tuple[bytes, bytes], chunk: Optional[int], workers: int, out: Out) -> None:
        self._spec, self._out, self.at = spec, out.elements, 0
        self.drawn: List[Any] = []  # Nothing is: see Encoder.
        self._range: Any = items if is_range(items) else None
        self._elements = None if self._range is not None else _packed(items)
        self.total: Optional[int] = len(items)
        size = max(self._out.size, 8 if self._elements is None else self._elements.size)
        self._chunk = chunk or max(1, min(CHUNK_BYTES // size, -(-len(items) // (4 * workers))))
        self._most = max(self._chunk * workers, BLOCK_BYTES // size)
        self._next = max(self._chunk * workers, self._most // 16)

    def next(self, room: Optional[int]) -> Iterator[Encoded]:
        """The next block; nothing at the end. `room` is never given: a window goes with lazy input."""
        count = min(self._next, (self.total or 0) - self.at)
        if count <= 0:
            return
        self._next = min(2 * self._next, self._most)
        one = Encoded(count, self._chunk)
        one.spec, one.flags = self._spec, CALL_VECTOR
        found = self._elements
        going: Any
        if found is None:
            going = "q", (), self._range[self.at], self._range.step
        else:
            going = found.dtype, found.shape, None, None
            one.base = found.address + self.at * found.stride, found.stride, found.size
        one.target = Target(self._out.size, 0, dumps((going, (self._out.dtype, self._out.shape)), 5))
        yield one


def _packed(items: Any) -> Elements:
    """The elements of an array such that each lies in one piece; a copy if need be."""
    found = elements_of(items)
    if found is None:
        raise TypeError(f"vectorized= takes an array (NumPy's, an array.array, a memoryview) or a range of 64-bit integers, not {type(items).__name__}")
    if found.is_packed and found.size:
        return found
    numpy = sys.modules.get("numpy")
    if numpy is None or not found.size:
        raise ValueError("the elements of the array must have bytes, and without NumPy lie one behind another")
    copied = elements_of(numpy.ascontiguousarray(items))
    assert copied is not None
    return copied


def has_numpy() -> bool:
    """Whether workers will find a NumPy; which is not imported for that."""
    return "numpy" in sys.modules or importlib.util.find_spec("numpy") is not None


def made_for(workers: Any, func: Any, items: Any, **options: Any) -> Any:
    """An array for the results of a vectorized map: func is called with the first element, whose result says what they are. Waits for that, and
    raises what func raises. For no elements it is an empty array of numbers."""
    if not len(items):
        return first_of(range(1))[:0]
    future = workers.submit(func, (first_of(items),), **options)
    try:
        return made_like(future.result(), len(items))
    except (KeyboardInterrupt, SystemExit):
        future.kill()
        raise


def first_of(items: Any) -> Any:
    """An array of the first element alone, as workers get it."""
    if is_range(items):
        if has_numpy():
            import numpy

            return numpy.arange(items[0], items[0] + 1)
        return array.array("q", items[:1])
    found = _packed(items)
    if hasattr(items, "__array_interface__"):
        return items[:1].copy()
    if has_numpy():
        import numpy

        return numpy.array(memoryview(items)[:1])
    if found.shape or found.format not in NUMBERS.replace("?", ""):
        raise ValueError("without NumPy such an array needs out=")
    return array.array(found.format, memoryview(items)[:1].tolist())


def made_like(sample: Any, count: int) -> Any:
    """An array for `count` results, of which `sample` is an array of the first."""
    found = elements_of(sample)
    if found is None or found.length != 1:
        raise TypeError("a vectorized function returns an array of as many elements as it is called with, "
                        f"not {type(sample).__name__}{'' if found is None else f' of {found.length} for 1'}")
    if hasattr(sample, "__array_interface__"):
        import numpy

        return numpy.empty((count, *found.shape), found.dtype)
    if found.shape:
        raise ValueError("without NumPy results of several dimensions need out=")
    return array.array(found.format, bytes(count * found.size)) if found.format != "?" else bytearray(count)
