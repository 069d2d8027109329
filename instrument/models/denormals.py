"""Denormal numbers as zero while a graph runs: processors compute with them many times more slowly.

The mode belongs to a thread. onnxruntime sets it for good, in whichever thread loads the first graph, where it changes
the results of all other code; so it is set here, for one run at a time.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import platform
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_WORDS = 64  # more than any fenv_t has
# Machine -> index of the 32-bit word of glibc's fenv_t that holds the mode, and its bits.
_MODE = {"x86_64": (7, 0x8040), "aarch64": (0, 1 << 24)}


@functools.cache
def _libm() -> ctypes.CDLL | None:
    """The C library, where its `fenv_t` is known."""
    name = ctypes.util.find_library("m") if sys.platform == "linux" and platform.machine() in _MODE else None
    return ctypes.CDLL(name) if name else None


class _Buffers(threading.local):
    """Of one thread: its mode, as it is found and as it is while a graph runs."""

    def __init__(self) -> None:
        self.before, self.during = (ctypes.c_uint32 * _WORDS)(), (ctypes.c_uint32 * _WORDS)()


_buffers = _Buffers()


def run_as_zero(run: Callable[[], Result]) -> Result:
    """What a function returns, with denormal numbers taken as zero in this thread meanwhile. Elsewhere than on Linux
    nothing is changed."""
    libm = _libm()
    if libm is None:
        return run()
    before, during = _buffers.before, _buffers.during
    libm.fegetenv(before)
    libm.fegetenv(during)
    word, bits = _MODE[platform.machine()]
    during[word] |= bits
    libm.fesetenv(during)
    try:
        return run()
    finally:
        libm.fesetenv(before)
