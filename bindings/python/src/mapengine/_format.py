"""What host and workers write to each other, as native/format.h says it: numbers and structures. A test compares both."""
from __future__ import annotations

import struct

# enum call_flags
CALL_STAR, CALL_MARSHAL, CALL_OWN, CALL_VECTOR = 1, 2, 4, 8

# enum result_tag
TAG_NONE, TAG_TRUE, TAG_FALSE, TAG_FLOAT, TAG_INT = b"NTFfi"
TAG_STR, TAG_BYTES, TAG_SHORT_STR, TAG_SHORT_BYTES = b"sbSB"
TAG_MARSHAL, TAG_PICKLE, TAG_BUFFERS = b"mpo"
TAG_ERROR, TAG_SAME = b"e="
TAG_KEPT = 0x80

HEAD = struct.Struct("<16sII")  # struct spec, or call_head: key, size, flags
BLOCK = struct.Struct("<16sIIQQQQIIII")  # struct block_head: the spec, number, chunk_items, table, chunks, element, format, layout, unused
TAIL = struct.Struct("<QQQQ31xB")  # struct result_tail
