"""Which elements of `mapengine.map` give one argument, and which give several.

*map for Maya* passed ``func(*element)`` when an element had ``__iter__``. That was Python 2, where text had none.
"""

from __future__ import annotations

import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["is_splatted", "splatting"]

_SINGLE = (str, bytes, bytearray, memoryview, Mapping)


def _type_is_splatted(kind: type) -> bool:
    return hasattr(kind, "__iter__") and not issubclass(kind, _SINGLE)


def is_splatted(element: object) -> bool:
    """Whether ``func(*element)`` is called, not ``func(element)``."""
    # An array without dimensions has the method, and cannot be iterated over.
    return _type_is_splatted(type(element)) and getattr(element, "ndim", 1) != 0


def splatting(iterable: Iterable[Any]) -> tuple[Iterable[Any], bool | Callable[[Any], bool]]:
    """The elements, and whether they are splatted: all, none, or as a function tells of each.

    That all are alike is found out once where it costs little; the function costs as much as a short element.
    """
    if isinstance(iterable, (range, array.array, bytes, bytearray)):
        return iterable, False
    dimensions = getattr(iterable, "ndim", None)
    if hasattr(iterable, "__array_interface__") and isinstance(dimensions, int) and getattr(iterable, "dtype", None) != object:
        return iterable, dimensions > 1
    if not isinstance(iterable, (list, tuple)):
        iterable = list(iterable)
    kinds = set(map(type, iterable))
    if not any(_type_is_splatted(kind) for kind in kinds):
        return iterable, False
    if all(_type_is_splatted(kind) and not hasattr(kind, "ndim") for kind in kinds):
        return iterable, True
    return iterable, is_splatted
