"""What workers print and log, in this process: into its sys.stdout, sys.stderr and loggers as they are then."""
from __future__ import annotations

import codecs
import sys
from typing import Any, Dict, Tuple

from . import _abi as abi
from ._engine import Event
from ._logs import Receiver


# In messages of the engine that users of a cluster have to see.
_OF_CLUSTERS = (b"cluster: ", b"other machines", b"mapengine-cluster")


class Output:
    """Writes output and logs of one pool. Used by one thread at a time."""

    def __init__(self) -> None:
        self._records = Receiver()
        self._decoders: Dict[Tuple[int, int], Any] = {}

    def write(self, event: Event) -> None:
        """An output or log event."""
        kind, code, worker, said = event[0], event[1], event[5], event[6]
        if kind == abi.MAPE_EVENT_OUTPUT:
            key = worker, code
            decoder = self._decoders.get(key)
            if decoder is None:
                decoder = self._decoders[key] = codecs.getincrementaldecoder("utf-8")("replace")
            stream = sys.stdout if code == 1 else sys.stderr
            text = decoder.decode(said)
            if stream is not None and text:
                try:
                    stream.write(text)
                    stream.flush()
                except Exception:  # A stream that is closed or cannot write this must not end the thread.
                    pass
        elif kind == abi.MAPE_EVENT_LOG:
            self._log(worker, code, said)

    def _log(self, worker: int, level: int, said: bytes) -> None:
        if said.startswith(b"\x01"):
            self._records.take(worker, said)
            return
        import logging

        logger = logging.getLogger("mapengine")
        if worker < 0 and level >= abi.MAPE_LOG_WARNING and any(one in said for one in _OF_CLUSTERS):
            logger.warning("%s", said.decode("utf-8", "replace"))
            return
        if logger.isEnabledFor(logging.DEBUG):  # Deaths are exceptions of their calls; this is for those who look for more.
            logger.debug("%s", said.decode("utf-8", "replace"))
