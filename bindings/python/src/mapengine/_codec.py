"""How values travel, on the host's side. native/format.h has the same for workers.

Arguments go as pickles, large buffers within them (protocol 5) beside the pickle, where workers read them in place. Results come in encodings
that the worker chooses by type; they are read from shared memory, which a broken worker may have filled with anything: sizes are checked,
and with a sandbox nothing is unpickled that could call something.
"""
from __future__ import annotations

import marshal
import struct
import sys
from _pickle import PickleBuffer, loads
from ctypes import c_int64 as _WORD
from ctypes import string_at
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ._engine import Lease, leased_view
from ._format import (
    TAG_BUFFERS, TAG_BYTES, TAG_ERROR, TAG_FALSE, TAG_FLOAT, TAG_INT, TAG_KEPT, TAG_MARSHAL, TAG_NONE, TAG_PICKLE, TAG_SAME, TAG_SHORT_BYTES,
    TAG_SHORT_STR, TAG_STR, TAG_TRUE, TAIL,
)
from ._functions import encode_call

LARGE = 4096

_INT = struct.Struct("<q").unpack


class Corrupt(ValueError):
    """A worker's result is not what a worker writes."""


_array_pickles: Dict[Tuple[int, Tuple[int, ...], bool], Tuple[Any, bytes]] = {}  # By id of dtype, shape, writeable: (dtype, pickle).


def encode_element(element: Any, limit: int) -> Tuple[bytes, List[memoryview]]:
    """encode_call for an element. The pickle of an array of NumPy's whose bytes go beside it depends on its type and shape alone; so it is made once
    for arrays that are alike."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(element) is not numpy.ndarray or not element.flags.c_contiguous:
        return encode_call(element, limit)
    dtype = element.dtype
    key = id(dtype), element.shape, element.flags.writeable
    known = _array_pickles.get(key)
    if known is not None:
        return known[1], [PickleBuffer(element).raw()]
    data, buffers = encode_call(element, limit)
    if len(buffers) == 1 and buffers[0].nbytes == element.nbytes:
        if len(_array_pickles) >= 256:
            _array_pickles.clear()
        _array_pickles[key] = dtype, data
    return data, buffers


Unpickle = Callable[..., Any]


def decode(address: int, size: int, lease: Optional[Lease], unpickle: Unpickle = loads) -> Any:
    """The value of a result. With a lease, large buffers in it are not copied: they keep the lease."""
    if size == 8:
        return _WORD.from_address(address).value
    if size < 9:
        raise Corrupt(f"a result of {size} bytes")
    if size > LARGE and string_at(address + size - 1, 1)[0] & ~TAG_KEPT == TAG_BUFFERS:
        return _decode_buffers(address, size, lease, unpickle)  # Without reading all of it first.
    data = string_at(address, size)
    tag = data[-1] & ~TAG_KEPT
    if tag == TAG_PICKLE:  # What follows its end is not looked at
        return unpickle(data)
    if tag == TAG_MARSHAL:
        return _unmarshal(data, unpickle)
    if tag == TAG_STR:
        return data[:-1].decode()
    if tag == TAG_BYTES:
        return data[:-1]
    if tag == TAG_BUFFERS:
        return _decode_buffers(address, size, lease, unpickle)
    if size != 9:
        raise Corrupt(f"a result of {size} bytes with tag {tag}")
    return _word(data, tag)


def _word(data: bytes, tag: int) -> Any:
    if tag == TAG_FLOAT:
        return struct.unpack("<d", data[:8])[0]
    if tag == TAG_NONE:
        return None
    if tag == TAG_TRUE:
        return True
    if tag == TAG_FALSE:
        return False
    if tag == TAG_INT:
        return _INT(data[:8])[0]
    if tag == TAG_SHORT_STR:
        return data[:data[7]].decode()
    if tag == TAG_SHORT_BYTES:
        return data[:data[7]]
    raise Corrupt(f"a result with tag {tag}")


def _unmarshal(data: bytes, unpickle: Unpickle) -> Any:
    if unpickle is not loads:
        raise Corrupt("marshalled data from a sandbox")
    return marshal.loads(data)


def _decode_buffers(address: int, size: int, lease: Optional[Lease], unpickle: Unpickle) -> Any:
    """A pickle and its buffers, each of which is where the worker has written it, or copied without a lease."""
    if size < TAIL.size or size % 64:
        raise Corrupt(f"{size} bytes with buffers")
    sizes, count, pickle, pickle_size, _ = TAIL.unpack(string_at(address + size - TAIL.size, TAIL.size))
    if count > 256 or sizes + 8 * count > size or pickle + pickle_size > size:
        raise Corrupt("buffers beyond the result")
    buffers: List[Any] = []
    at = 0
    for length in struct.unpack(f"<{count}Q", string_at(address + sizes, 8 * count)):
        if length > size or at + length > sizes:
            raise Corrupt("a buffer beyond the result")
        if lease is not None and length:
            buffers.append(leased_view(lease, address + at, length))
        else:
            buffers.append(bytearray(string_at(address + at, length)))
        at += (length + 63) & ~63
    return unpickle(string_at(address + pickle, pickle_size), buffers=buffers)


def decode_error(address: int, size: int, unpickle: Unpickle = loads) -> Optional[Tuple[int, bytes, str, str, str]]:
    """What encode_error of _worker.py has made: (how, pickle, line, traceback, type's name). None when it is not there."""
    if not address or size < 2 or string_at(address + size - 1, 1)[0] & ~TAG_KEPT != TAG_ERROR:
        return None
    how, what, line, text, name = unpickle(string_at(address, size))
    return how, what, line, text, name


def same_as(address: int, size: int) -> Optional[int]:
    """The index of the item of its job with which a failed item has failed, where the worker says so."""
    if size != 9 or string_at(address + 8, 1)[0] != TAG_SAME:
        return None
    return int(_WORD.from_address(address).value)


def bulk(pool: Any, job: int, count: int) -> Optional[List[Any]]:
    """All results of a job that is done, when all are numbers, or all are None or bools; else None."""
    words = bytearray(8 * count)
    missing = pool.gather(job, words, 8)
    if missing == 0:
        return memoryview(words).cast("q").tolist()
    if missing is not None:
        return None
    words = bytearray(9 * count)
    if pool.gather(job, words, 9) != 0:
        return None
    tags = words[8::9]
    first = tags[0]
    if tags.count(first) == count:
        if first == TAG_NONE:
            return [None] * count
        if first == TAG_FLOAT:
            wide = bytearray(16 * count)
            pool.gather(job, wide, 16)
            return memoryview(wide).cast("d")[::2].tolist()
    if tags.count(TAG_TRUE) + tags.count(TAG_FALSE) == count:
        return [tag == TAG_TRUE for tag in tags]
    return None
