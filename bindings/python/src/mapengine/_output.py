"""What workers print and log, in this process: into its sys.stdout, sys.stderr and loggers as they are then."""
from __future__ import annotations

import codecs
import sys
from typing import Any, Dict, Tuple

from . import _abi as abi
from ._engine import Event
from ._logs import Receiver


class Output:
    """Writes output and logs of one pool. Used by one thread at a time."""

    def __init__(self) -> None:
        self._records = Receiver()
        self._decoders: Dict[Tuple[int, int], Any] = {}

    def write(self, event: Event) -> None:
        """An output or log event."""
        if event.type == abi.MAPE_EVENT_OUTPUT:
            key = event.worker, event.code
            decoder = self._decoders.get(key)
            if decoder is None:
                decoder = self._decoders[key] = codecs.getincrementaldecoder("utf-8")("replace")
            stream = sys.stdout if event.code == 1 else sys.stderr
            text = decoder.decode(event.text)
            if stream is not None and text:
                try:
                    stream.write(text)
                    stream.flush()
                except Exception:  # A stream that is closed or cannot write this must not end the thread.
                    pass
        elif event.type == abi.MAPE_EVENT_LOG:
            self._log(event)

    def _log(self, event: Event) -> None:
        if event.text.startswith(b"\x01"):
            self._records.take(event.worker, event.text)
            return
        import logging

        logger = logging.getLogger("mapengine")
        if logger.isEnabledFor(logging.DEBUG):  # Deaths are exceptions of their calls; this is for those who look for more.
            logger.debug("%s", event.text.decode("utf-8", "replace"))
