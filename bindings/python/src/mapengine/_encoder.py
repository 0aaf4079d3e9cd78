"""The elements of a map as the engine takes them: see native/format.h.

Small elements share pickles, by the chunk: one pickle of many is far cheaper than many of one, and one of too many is dear again, since its
memo grows. Large ones have a pickle each, and their buffers beside it.
"""
from __future__ import annotations

import array
import ctypes
import itertools
import marshal
import struct
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import _abi as abi
from ._codec import encode_element
from ._format import BLOCK, CALL_OWN
from ._functions import pickled
from ._library import native
from ._places import Found

CHUNK_BYTES = 256 << 10  # Of a chunk's pickle.
CHUNK_ITEMS = 8192
LARGE = 16 << 10  # An element whose pickle has more bytes, has one of its own.
BLOCK_BYTES = 1 << 20
BLOCK_CHUNKS = 16
OWN_BYTES = 16 << 20  # Of a block of elements with an input of their own; the first have a quarter and a half.
IN_PLACE = 8  # What workers read in place is not copied: of its bytes a part counts there.


class Target(NamedTuple):
    """What results become: with `size`, elements of an array of so many bytes. format and layout as in native/format.h."""

    size: int = 0
    format: int = 0
    layout: bytes = b""


ENCODED = Target()


class Encoded:
    """Consecutive elements, encoded: a block to be."""

    __slots__ = ("count", "chunk", "spec", "flags", "chunks", "error", "pieces", "keep", "buffers", "target", "base")

    def __init__(self, count: int, chunk: int) -> None:
        self.count, self.chunk = count, chunk
        self.target = ENCODED
        self.base: Any = None  # (address, bytes from one to the next, bytes), for elements of an array.
        self.spec: Any = None
        self.flags = 0
        self.chunks: List[bytes] = []
        self.error: Optional[BaseException] = None  # Why the one element cannot be encoded.
        self.pieces: Any = None  # The first of an array of mape_pieces, for elements with an input of their own.
        self.keep: List[Any] = []  # What has to live until the submission.
        self.buffers: Any = None  # What has to live until the block has ended, since workers read it in place.

    def say(self, items: Any) -> None:
        """Says to the engine (mape_items) where elements lie that have an input each."""
        if self.pieces is not None:
            items.pieces = self.pieces
        elif self.base is not None:
            items.base, items.stride, items.item_size = self.base

    def data(self, number: int) -> bytes:
        """The data of the block's job."""
        key, inline = self.spec
        size, code, layout = self.target
        head = BLOCK.size + len(inline) + len(layout)
        pad = -head % 8
        table = head + pad
        at = table + 8 * (len(self.chunks) + 1)
        bounds = [at]
        for one in self.chunks:
            at += len(one)
            bounds.append(at)
        fixed = BLOCK.pack(key, len(inline), self.flags, number, self.chunk if self.chunks else 0, table, len(self.chunks), size, code,
                           len(layout), 0)
        return b"".join((fixed, inline, layout, bytes(pad), struct.pack(f"<{len(bounds)}Q", *bounds), *self.chunks))


class Encoder:
    """Makes blocks of the elements of a sequence or an iterator.

    spec: (key, bytes to send with each block). places: where large buffers go, see _places.Places. workers: how many there are to be.
    target: what results become.
    """

    def __init__(self, items: Any, spec: Tuple[bytes, bytes], flags: int, chunk: Optional[int], workers: int, places: Any,
                 target: Target = ENCODED) -> None:
        self._spec, self._flags, self._asked, self._places, self._target = spec, flags, chunk, places, target
        if type(items) is memoryview:
            items = numbers_of(items)
        self._sequence: Optional[Sequence[Any]] = items if _sliceable(items) else None
        self._iterator: Iterator[Any] = iter(()) if self._sequence is not None else iter(items)
        self.at = 0  # Elements that were submitted, and in front of an iterator those that were drawn from it and were not. Kept by the MapJob.
        self.drawn: List[Any] = []
        self.total = len(items) if self._sequence is not None else None
        self._share = max(1, self.total // (4 * workers)) if self.total is not None else CHUNK_ITEMS
        self._chunk = 0  # Elements in a chunk; 0 before the first element was seen.
        self._chunks = max(2, workers)  # In the next block.
        self._own_bytes = OWN_BYTES // 4
        self._failed: Optional[BaseException] = None
        self._plain: Any = None  # Whether a chunk is of builtins alone, and marshalled then; None: all are pickled.

    def _pickled(self, part: Sequence[Any]) -> bytes:
        """A chunk. marshal is some times as fast as pickle for dicts, lists and tuples, and writes nothing but builtins."""
        plain = self._plain
        if plain is not None:
            part = part if type(part) is list else list(part)
            if plain(part):
                return marshal.dumps(part)
        return pickled(part)

    def _take(self, count: int) -> Tuple[Sequence[Any], int, int]:
        """The next elements, as a part of a sequence; the same ones again until they have been submitted. What the iterator raises is raised behind
        those before it; a Ctrl-C at once."""
        if self._sequence is not None:
            return self._sequence, self.at, min(self.at + count, self.total or 0)
        drawn = self.drawn
        if self._failed is None and len(drawn) < count:
            try:
                drawn.extend(itertools.islice(self._iterator, count - len(drawn)))
            except Exception as error:
                self._failed = error
        if not drawn and self._failed is not None:
            failed, self._failed, self._iterator = self._failed, None, iter(())
            raise failed
        out = drawn[:count]
        return out, 0, len(out)

    def next(self, room: Optional[int]) -> Iterator[Encoded]:
        """The next block: at most `room` elements. More than one when an element in it cannot be encoded; none at the end."""
        if not self._chunk:
            items, begin, end = self._take(1)
            if begin < end:
                yield from self._first(items[begin:end], room)
            return
        if self._chunk < 0:
            items, begin, end = self._take(64 if room is None else min(64, room))
            yield from self._own(items[begin:end])
            return
        most = self._chunk * self._chunks
        self._chunks = min(self._chunks * 2, BLOCK_CHUNKS)
        items, begin, end = self._take(most if room is None else min(most, room))
        yield from self._shared(items, begin, end, self._chunk)

    def _first(self, first: Sequence[Any], room: Optional[int]) -> Iterator[Encoded]:
        """The first element decides how the others are encoded."""
        try:
            data, buffers = encode_element(first, LARGE)  # Buffers beside it: nothing large is copied only to see its size.
            size = len(data) + sum(buffer.nbytes for buffer in buffers)
        except Exception:
            size = 256
        if size > LARGE:
            self._chunk = -1
            yield from self._own(first)
            return
        items, begin, end = self._take(1 + (min(31, self._share) if room is None else min(31, room - 1)))
        sample = list(items[begin:end])
        if type(sample[0]) in (dict, list, tuple):
            found = native()
            self._plain = found.mapengine_python_is_plain if found is not None else None
        try:
            size = len(pickled(sample)) // len(sample)
        except Exception:
            pass
        self._chunk = max(1, min(CHUNK_ITEMS, CHUNK_BYTES // max(1, size), self._share))
        if self._asked is not None and self._asked > 1:
            self._chunk = max(1, min(self._asked, CHUNK_BYTES // max(1, size)))
        yield from self._shared(sample, 0, len(sample), max(1, min(self._chunk, (len(sample) + 1) // 2)))

    def _encoded(self, count: int, chunk: int, flags: int) -> Encoded:
        one = Encoded(count, chunk)
        one.spec, one.flags, one.target = self._spec, self._flags | flags, self._target
        return one

    def _shared(self, items: Sequence[Any], begin: int, end: int, chunk: int) -> Iterator[Encoded]:
        chunks: List[bytes] = []
        size = 0
        for at in range(begin, end, chunk):
            part = items[at:min(at + chunk, end)]
            try:
                data = self._pickled(part)
            except Exception:
                if chunks:
                    yield self._of_chunks(chunks, at - begin, chunk)
                yield from self._one_by_one(part)
                chunks, begin, size = [], at + len(part), 0
                continue
            chunks.append(data)
            size += len(data)
            if size >= BLOCK_BYTES:
                yield self._of_chunks(chunks, at + len(part) - begin, chunk)
                chunks, begin, size = [], at + len(part), 0
            if len(data) > 2 * CHUNK_BYTES and chunk > 1:
                self._chunk = max(1, self._chunk // 4)
        if chunks:
            yield self._of_chunks(chunks, end - begin, chunk)

    def _of_chunks(self, chunks: List[bytes], count: int, chunk: int) -> Encoded:
        one = self._encoded(count, chunk, 0)
        one.chunks = chunks
        return one

    def _one_by_one(self, items: Sequence[Any]) -> Iterator[Encoded]:
        """A chunk that cannot be pickled as a whole: each of its elements alone, to find those that are to blame."""
        for item in items:
            try:
                data = pickled([item])
            except Exception as error:
                one = self._encoded(1, 1, 0)
                one.error = error
                yield one
            else:
                yield self._of_chunks([data], 1, 1)

    def _own(self, items: Sequence[Any]) -> Iterator[Encoded]:
        """Elements with an input of their own, in blocks of some MiB that are to be copied."""
        ready: List[Tuple[bytes, List[Found]]] = []
        size = 0
        for item in items:
            try:
                data, buffers = encode_element(item, LARGE)
            except Exception as error:
                if ready:
                    yield self._of_inputs(ready)
                    ready, size = [], 0
                one = self._encoded(1, 1, 0)
                one.error = error
                yield one
                continue
            found = self._places.find(buffers)
            ready.append((data, found))
            size += len(data) + sum(buffer.size // (IN_PLACE if buffer.holder is not None else 1) for buffer in found)
            if size >= self._own_bytes:
                yield self._of_inputs(ready)
                ready, size = [], 0
                self._own_bytes = min(2 * self._own_bytes, OWN_BYTES)
        if ready:
            yield self._of_inputs(ready)

    def _of_inputs(self, inputs: List[Tuple[bytes, List[Found]]]) -> Encoded:
        """A block of elements, each of a pickle and its buffers. What the engine takes (mape_pieces, mape_span) is written as numbers: one object of
        ctypes per element would cost more than all else."""
        one = self._encoded(len(inputs), 1, CALL_OWN)
        pickles = b"".join([data for data, _ in inputs])
        at = ctypes.cast(ctypes.c_char_p(pickles), ctypes.c_void_p).value or 0
        placed, spans_of = self._places.place([buffer for _, found in inputs for buffer in found])
        numbers: List[int] = []  # Of the spans: address and size of each.
        pieces: List[int] = []  # Of the elements: where its spans begin, in numbers, and how many.
        place = iter(spans_of)
        for data, found in inputs:
            pieces += len(numbers), 1 + len(found)
            numbers += at, len(data)
            at += len(data)
            for _ in found:
                numbers += next(place)
        spans = (ctypes.c_uint64 * len(numbers))(*numbers)
        base = ctypes.addressof(spans)
        pieces[::2] = [base + 8 * offset for offset in pieces[::2]]
        table = (ctypes.c_uint64 * len(pieces))(*pieces)
        one.pieces = ctypes.cast(table, ctypes.POINTER(abi.mape_pieces))
        one.keep = [pickles, spans, table]
        one.buffers = placed or None
        return one


def _sliceable(items: Any) -> bool:
    """Whether slices of it are cheap, can be pickled, and have the same elements."""
    kind = type(items)
    return kind in (list, tuple, range, array.array, bytes, bytearray) or (
        kind.__module__ == "numpy" and getattr(items, "ndim", 0) > 0 and not getattr(items.dtype, "hasobject", True))


def numbers_of(view: memoryview) -> Any:
    """The elements of a memoryview in what can be pickled by parts; as they are where there is no such thing."""
    code = view.format.lstrip("@")
    if view.ndim != 1 or code not in "bBhHiIlLqQfd":
        return view
    return array.array(code, view.tobytes())
