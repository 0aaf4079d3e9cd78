"""memoryviews, which pickle refuses: they travel as buffers with a format and a shape."""
from __future__ import annotations

import io
from _pickle import PickleBuffer, Pickler

TYPE_CHECKING = False  # Without importing typing, which takes longer than all else of a worker's start.
if TYPE_CHECKING:
    from typing import Any, Callable, Optional


def view(buffer: Any, format: str, shape: Any) -> memoryview:
    """A memoryview as it was, over the bytes that have come."""
    flat = memoryview(buffer).cast("B")
    return flat.cast(format) if len(shape) == 1 else flat.cast(format, shape)  # type: ignore[call-overload, no-any-return]


def _reduce(value: memoryview) -> Any:
    if not value.c_contiguous:
        value = memoryview(value.tobytes()).cast(value.format, value.shape)  # type: ignore[call-overload]
    return view, (PickleBuffer(value), value.format, value.shape)


def dumps(value: Any, buffers: Optional[Callable[[Any], Any]] = None) -> bytes:
    """As pickle.dumps, for values with memoryviews in them."""
    out = io.BytesIO()
    pickler = Pickler(out, 5, buffer_callback=buffers)
    pickler.dispatch_table = {memoryview: _reduce}
    pickler.dump(value)
    return out.getvalue()
