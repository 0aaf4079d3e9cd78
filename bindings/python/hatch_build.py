"""Tags the wheel: any Python 3 with this machine's processor, and the glibc that the library needs (docs/architecture.md)."""
import platform
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Tag(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_2_28_{platform.machine()}"
