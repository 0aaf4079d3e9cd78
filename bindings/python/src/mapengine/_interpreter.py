"""Which interpreter runs the workers, and how it is started."""
from __future__ import annotations

import os
import sys
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

# What limits the threads that numeric libraries make.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS",
           "NUMEXPR_NUM_THREADS")


def find(python: Optional[str]) -> str:
    """The path of the workers' interpreter. Never a program that only embeds one: that would open a second window."""
    if python is not None:
        return os.fspath(python)
    # What this process runs, by whatever name. In a host that embeds Python `sys.executable` may as well be the Python that comes first on PATH.
    if sys.executable and os.path.realpath(sys.executable) == os.path.realpath("/proc/self/exe"):
        return sys.executable
    from ._hostpython import find_python

    return find_python()


def _needs_site() -> bool:
    """Whether modules are found by what site-packages install at the start of the interpreter: editable installs."""
    return any(getattr(finder, "__module__", type(finder).__module__).startswith("__editable__") for finder in sys.meta_path)


def search_path() -> List[str]:
    """Where workers look for modules: this process's sys.path as it is now, and the folder of this package."""
    home = os.path.abspath(__file__)
    for _ in __name__.split("."):
        home = os.path.dirname(home)
    path = [entry if entry else os.getcwd() for entry in sys.path if isinstance(entry, str)]
    return path if home in path else [*path, home]


def arguments(python: str, worker: str, preload: Sequence[str]) -> List[str]:
    """The zygote's argv. It has this process's sys.path as it is now, so `site` need not run, which would take longer than all else."""
    package = __name__.rpartition(".")[0]
    settings: Dict[str, Any] = {
        "path": search_path(), "worker": worker, "preload": list(preload), "version": list(sys.version_info[:2]),
        "abi": getattr(sys, "abiflags", ""), "no_site": sys.flags.no_site, "implementation": sys.implementation.name,
        "argv": [one for one in getattr(sys, "argv", None) or [""]],
    }
    code = f"import sys;c=eval(sys.argv.pop());sys.path[:]=c['path'];from {package}._zygote import main;main(c)"
    flags = [] if _needs_site() else ["-S"]
    flags += ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    flags += ["-B"] if sys.flags.dont_write_bytecode else []
    flags += ["-X", "dev"] if sys.flags.dev_mode else []
    flags += ["-X", "utf8"] if sys.flags.utf8_mode else []
    for option in sys.warnoptions:
        flags += ["-W", option]
    return [python, *flags, "-c", code, repr(settings)]


def environment(env: Optional[Mapping[str, Optional[str]]], threads: Optional[int], workers: int) -> Tuple[List[str], List[str]]:
    """What is set and what is unset in the workers: threads of numeric libraries, unless the user has set them, and what `env` says."""
    each = threads if threads is not None else max(1, (os.cpu_count() or 1) // workers)
    out: Dict[str, Optional[str]] = {name: str(each) for name in THREADS if threads is not None or name not in os.environ}
    if threads is not None or "ENABLE_IPC" not in os.environ:
        out["ENABLE_IPC"] = "1"
    out.update(env or {})
    return [f"{name}={value}" for name, value in out.items() if value is not None], [name for name, value in out.items() if value is None]


def cores() -> int:
    """How many processors this process may use."""
    count = getattr(os, "process_cpu_count", None)
    if count is not None:
        return int(count() or 1)
    return len(os.sched_getaffinity(0)) or 1
