"""Finds libmapengine, and loads it once."""
from __future__ import annotations

import ctypes
import functools
import os
import pathlib

from . import _abi as abi

NATIVE = pathlib.Path(__file__).parent / "_native"
"""What the wheel brings: lib, libexec and bin, as an installed MapEngine has them."""


def path() -> pathlib.Path:
    """The library's file: what MAPENGINE_LIBRARY names, else the package's own."""
    named = os.environ.get("MAPENGINE_LIBRARY")
    return pathlib.Path(named) if named else NATIVE / "lib" / abi.SONAME


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """The library, with the types of its functions. Raises ImportError when there is none, or one of another interface."""
    found = path()
    try:
        loaded = abi.load(str(found))
    except (OSError, AttributeError) as error:
        raise ImportError(f"mapengine cannot load {found}: {error}", path=str(found)) from None
    return loaded
