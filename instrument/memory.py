"""The memory of this process: how much it holds, and limits on it. Standard library only."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

WATCH_S = 0.05  # between two looks at the memory held


def limit_growth(most: int) -> None:
    """Let allocations fail (MemoryError) where this process would address `most` bytes more than now. On Linux only;
    other systems do not keep to such a limit."""
    if sys.platform.startswith("linux"):
        import resource

        with suppress(ValueError, OSError):
            _, hard = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (_addressed() + most, hard))


def held() -> int:
    """Bytes of memory that this process holds; 0 where the system does not say. On macOS the most it ever held."""
    with suppress(OSError, ValueError):
        if sys.platform == "win32":
            return _held_on_windows()
        if sys.platform == "darwin":
            import resource

            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return _pages(1)
    return 0


def watch(most: int, exceeded: Callable[[int], None]) -> None:
    """Call `exceeded` with the bytes held, from a thread of its own, once this process holds more than `most`."""

    def look() -> None:
        while (now := held()) <= most:
            time.sleep(WATCH_S)
        exceeded(now)

    threading.Thread(target=look, name="memory", daemon=True).start()


def _addressed() -> int:
    return _pages(0)


def _pages(field: int) -> int:
    """Bytes in a field of /proc/self/statm."""
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[field]) * resource.getpagesize()


def _held_on_windows() -> int:
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        _fields_ = (
            ("size", wintypes.DWORD),
            ("faults", wintypes.DWORD),
            *((name, ctypes.c_size_t) for name in ("peak", "held", "a", "b", "c", "d", "e", "f")),
        )

    counters = Counters(size=ctypes.sizeof(Counters))
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    kernel.K32GetProcessMemoryInfo.argtypes = (wintypes.HANDLE, ctypes.POINTER(Counters), wintypes.DWORD)
    kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.size)
    return int(counters.held)
