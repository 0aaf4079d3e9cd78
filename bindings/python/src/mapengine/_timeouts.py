"""`TimeoutError` of a `Pool`. In a module of its own, because it is multiprocessing's too: to import that takes longer than all of ours."""

from __future__ import annotations

import builtins
import concurrent.futures
import multiprocessing
import sys

__all__ = ["TimeoutError"]

if sys.version_info >= (3, 11):

    class TimeoutError(multiprocessing.TimeoutError, builtins.TimeoutError):
        """A wait has taken too long; what was waited for goes on. It is the class of this name of all modules that have one."""

else:  # Before 3.11 concurrent.futures has a class of its own.

    class TimeoutError(
        multiprocessing.TimeoutError, concurrent.futures.TimeoutError, builtins.TimeoutError
    ):
        """A wait has taken too long; what was waited for goes on. It is the class of this name of all modules that have one."""
