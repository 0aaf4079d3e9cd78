"""Records that workers log, in the host's loggers. A record travels as texts of the engine's log, in parts: \\1, its number, a letter (m: more
follows, e: the end), and a piece of JSON."""
from __future__ import annotations

import sys

TYPE_CHECKING = False  # Without importing typing, which takes longer than all else of a worker's start.
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

PART = 900  # Bytes; the engine cuts texts at 1023.

# ---- in the worker ----

_busy = False


def install(level: int, send: Any) -> None:
    """Lets the root logger of this worker send what it gets. `send` takes bytes. logging itself is imported when somebody else does."""
    if "logging" in sys.modules:
        _attach(level, send)
    else:
        sys.meta_path.insert(0, _Watcher(level, send))


class _Watcher:
    """Notices the import of logging, once."""

    def __init__(self, level: int, send: Any) -> None:
        self.level, self.send = level, send

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        run, level, send = spec.loader.exec_module, self.level, self.send

        def exec_module(module: Any) -> None:
            run(module)
            sys.modules["logging"] = module
            _attach(level, send)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _attach(level: int, send: Any) -> None:
    import logging
    from os import urandom

    class ToHost(logging.Handler):
        number = int.from_bytes(urandom(5), "little")  # Records of all machines come the same way.

        def emit(self, record: logging.LogRecord) -> None:
            global _busy
            if _busy:
                return
            _busy = True
            try:
                import json

                text = {"name": record.name, "levelno": record.levelno, "msg": record.getMessage(), "pathname": record.pathname,
                        "lineno": record.lineno, "func": record.funcName, "created": record.created, "process": record.process,
                        "processName": record.processName, "threadName": record.threadName}
                if record.exc_info:
                    text["exc_text"] = logging.Formatter().formatException(record.exc_info)
                data = json.dumps(text).encode()
                ToHost.number += 1
                for at in range(0, len(data), PART):
                    last = at + PART >= len(data)
                    send(b"\1%d%s" % (ToHost.number, b"e" if last else b"m") + data[at:at + PART])
            except Exception:
                self.handleError(record)
            finally:
                _busy = False

    root = logging.getLogger()
    root.handlers[:] = [ToHost()]  # Those of a host that was copied would write a second time.
    root.setLevel(level)


# ---- in the host ----


class Receiver:
    """Puts records together. Used by one thread at a time."""

    def __init__(self) -> None:
        self._parts: Dict[Tuple[int, int], bytes] = {}

    def take(self, worker: int, text: bytes) -> None:
        """A part of a record. What is no such thing is dropped: a worker may write anything."""
        at = next((i for i in range(1, min(len(text), 24)) if text[i:i + 1] in (b"m", b"e")), 0)
        if not at or not text[1:at].isdigit():
            return
        key = worker, int(text[1:at])
        data = self._parts.pop(key, b"") + text[at + 1:]
        if text[at:at + 1] == b"m":
            if len(self._parts) < 64 and len(data) < 1 << 20:
                self._parts[key] = data
            return
        try:
            import json

            self._handle(json.loads(data))
        except Exception:
            pass

    @staticmethod
    def _handle(told: Any) -> None:
        import logging

        logger = logging.getLogger(str(told["name"]))
        level = int(told["levelno"])
        if not logger.isEnabledFor(level):
            return
        record = logger.makeRecord(logger.name, level, str(told["pathname"]), int(told["lineno"]), str(told["msg"]), (), None,
                                   str(told["func"]))
        record.exc_text = told.get("exc_text")
        record.created = float(told["created"])
        record.process, record.processName, record.threadName = told["process"], told["processName"], told["threadName"]
        logger.handle(record)
