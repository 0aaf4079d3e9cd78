"""Traces as pages to look at: the page of `mapengine report`, which does all of the looking itself, with a trace put into it.

A notebook shows the page in a frame of its own (`_repr_html_`): styles and scripts of either do not touch the other, and what the trace's names
say cannot reach the notebook. A notebook keeps its outputs, so there the trace is compressed.
"""
from __future__ import annotations

import base64
import html
import os
from typing import Tuple

from . import _library

# In bytes, of a compressed trace: a notebook with a larger one would be slow to save and to open.
LARGEST_IN_NOTEBOOK = 6 << 20


def template() -> str:
    """The page, in which the trace is missing. Raises OSError when it is not there."""
    with open(os.path.join(os.path.dirname(_library.folder()), "share", "mapengine", "report.html"), encoding="utf-8") as file:
        return file.read()


def page(trace: bytes) -> str:
    """A page, complete in itself, that shows a trace: the bytes of its file."""
    # JSON has `<` inside of texts only.
    return _filled("application/json", trace.decode("utf-8", "replace").replace("<", "\\u003c"))


def frame(trace: bytes) -> str:
    """The HTML of a frame that shows a trace, for a notebook; of one that is too large for that, what to do."""
    kind, packed = _packed(trace)
    if len(packed) > LARGEST_IN_NOTEBOOK:
        return (f"<p>This trace has {len(trace) / 1e6:.0f} MB, which is too large for a notebook. Write it to a file, and make a page of it: "
                "<code>mapengine report out.json -o report.html</code></p>")
    # It may run its scripts, and nothing more: it has an origin of its own.
    return ('<iframe title="MapEngine report" sandbox="allow-scripts" style="width: 100%; height: 860px; border: 0" '
            f'srcdoc="{html.escape(_filled(kind, packed))}"></iframe>')


def _filled(kind: str, trace: str) -> str:
    before, rest = template().split("@TYPE@", 1)
    between, behind = rest.split("@TRACE@", 1)
    return f"{before}{kind}{between}{trace}{behind}"


def _packed(trace: bytes) -> Tuple[str, str]:
    """The type and the text that hold a trace in few bytes. Some applications' Python has no zlib."""
    try:
        import gzip
    except ImportError:
        return "application/json", trace.decode("utf-8", "replace").replace("<", "\\u003c")
    return "application/gzip", base64.b64encode(gzip.compress(trace, 6, mtime=0)).decode()
