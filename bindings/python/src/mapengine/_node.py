"""What `mapengine node --python` runs: an interpreter that workers of other machines' pools are forked from.

It is the zygote's program of _zygote.py. What that is told by its host when it starts, comes here with the pool's function: see arrive().
"""
from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # Without importing typing, which takes longer than all else of a worker's start.
if TYPE_CHECKING:
    from typing import Any, Dict

# What many pools' functions need.
_PRELOAD = (f"{__package__}._light", f"{__package__}._globals", f"{__package__}._elements", f"{__package__}._vendor.cloudpickle")


def tell() -> None:
    """Prints which functions can run here: the tag."""
    from ._cluster import tag
    from ._library import library

    library()
    print(tag())


def main(workers: int, name: str) -> None:
    """Becomes the zygote of a pool with so many workers, on the node of that name."""
    from ._interpreter import THREADS
    from ._library import WORKER, folder

    each = str(max(1, (os.cpu_count() or 1) // workers))
    for variable in THREADS:
        os.environ.setdefault(variable, each)
    from . import _worker, _zygote

    _worker.machine = name
    _zygote.become(f"{folder()}/{WORKER}", [""], _PRELOAD)


def arrive(told: Dict[str, Any]) -> None:
    """In a new worker: it gets what a worker on the host's machine has from its zygote. Raises ImportError when a module is not to be had."""
    sys.argv[:] = told["argv"]
    for variable, value in told["env"].items():
        if value is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = value
    # What is installed here comes first. The others are there where machines share folders.
    sys.path += [entry for entry in told["path"] if entry not in sys.path and os.path.exists(entry)]
    for module in told["modules"]:
        try:
            __import__(module)
        except ImportError as error:
            raise ImportError(f"{error}. Install it for {sys.executable} on machine {machine()}, or have it in a folder that both machines "
                              "see by the same path") from error
        except BaseException:  # It is the call's to tell.
            pass


def machine() -> str:
    """The node's name."""
    from . import _worker

    return _worker.machine
