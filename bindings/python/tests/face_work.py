"""What the faces' tests run in workers: a module, as users have one."""

from __future__ import annotations

import os
import signal
import time
from typing import Any


def square(x: Any) -> Any:
    return x * x


def add(x: Any, y: Any = 0) -> Any:
    return x + y


def same(x: Any) -> Any:
    return x


def pid(_: Any = None) -> int:
    return os.getpid()


def fail_odd(x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


def die_at_three(x: int) -> int:
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def wait_for(path: str) -> str:
    """Runs until there is a file of that name."""
    while not os.path.exists(path):
        time.sleep(0.005)
    return path


def touch_and_wait(paths: tuple[str, str]) -> None:
    """Makes the first file, and runs until there is the second."""
    with open(paths[0], "w"):
        pass
    wait_for(paths[1])


def note(path: str) -> None:
    with open(path, "a") as file:
        file.write("x")


class Work:
    """A work object as those of MapScale."""

    def __init__(self, folder: str, factor: int) -> None:
        self.folder, self.factor = folder, factor

    def setup(self) -> None:
        note(os.path.join(self.folder, f"setup-{os.getpid()}"))
        print("Setting up")

    def __call__(self, x: Any) -> Any:
        return x if isinstance(x, (list, str)) else self.factor * x

    def cleanup(self) -> None:
        note(os.path.join(self.folder, f"cleanup-{os.getpid()}"))
        print("Cleaning up")


class Plain:
    """One without setup and cleanup."""

    def __call__(self, x: Any) -> Any:
        return x + 1
