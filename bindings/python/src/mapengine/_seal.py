"""A digest that tells functions apart."""
from __future__ import annotations

try:
    from _blake2 import blake2b  # hashlib itself costs milliseconds.
except ImportError:
    from hashlib import blake2b


def digest(data: bytes) -> bytes:
    """16 bytes; never all zero."""
    return blake2b(data, digest_size=16).digest()
