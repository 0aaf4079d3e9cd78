"""A pool's cluster: other machines that run its calls beside the workers of this one (docs/many-machines.md).

Functions and their results travel between interpreters of one kind alone, and between equal versions of this package. So nodes have both as a tag,
and a pool's URL says which tag it needs.
"""
from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # Without importing typing: nodes import this at their start.
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

VARIABLE = "MAPENGINE_CLUSTER"
SHARED = "_MAPENGINE_SHARED"  # Tells the zygote of this machine what no other machine is told: see _multiprocessing.


def tag() -> str:
    """What an interpreter is, as a tag of nodes: "cpython-3.11-mapengine-0.2.0"."""
    from ._abi import VERSION

    version = f"{sys.version_info[0]}.{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
    return f"{sys.implementation.name}-{version}-mapengine-{VERSION}"


def named(cluster: Optional[str]) -> str:
    """The URL of a pool's cluster: what its maker says, "" for none; else what the environment says."""
    return os.environ.get(VARIABLE, "") if cluster is None else cluster


def settings(url: str, only: bool, python: bool) -> Dict[str, Any]:
    """What the engine is configured with. `only`: without workers on this machine. `python`: nodes need an interpreter like this one."""
    if not url:
        if only:
            raise ValueError("cluster_only needs a cluster")
        return {}
    from . import _abi as abi

    if python:
        url += ("&" if "?" in url else "?") + "needs=" + tag()
    out: Dict[str, Any] = {"cluster": url, "cluster_flags": abi.MAPE_CLUSTER_ONLY if only else 0}
    helper = _helper()
    if helper:
        out["remote_path"] = helper
    return out


def _helper() -> Optional[str]:
    """The program that speaks with the server, where it was installed apart from this package; None: the library finds it."""
    import shutil

    from ._library import folder

    if os.access(os.path.join(os.path.dirname(folder()), "libexec", "mapengine-remote"), os.X_OK):
        return None
    tool = shutil.which("mapengine-cluster")
    if tool is None:
        return None
    beside = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(tool))), "libexec", "mapengine-remote")
    return beside if os.access(beside, os.X_OK) else None
