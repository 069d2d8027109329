"""Clocks, which are passed in: the system's, and one that tests advance."""

from __future__ import annotations

import threading
import time

_COARSE_NS = 1_000_000  # a sleep may wake this late, so the last of a wait is spent yielding


class SystemClock:
    """`time.perf_counter_ns`, which every process of the machine reads alike and which never jumps."""

    def now(self) -> int:
        """Nanoseconds."""
        return time.perf_counter_ns()

    def sleep_until(self, ns: int) -> None:
        """Sleep to 1 ms before `ns`, then yield until it is reached."""
        while (left := ns - time.perf_counter_ns()) > 0:
            time.sleep(max(0, left - _COARSE_NS) / 1e9)


class ManualClock:
    """The stand-in: time changes only by `advance` and `sleep_until`, which return at once. Any thread may call it."""

    def __init__(self, ns: int = 1_000_000_000) -> None:
        self._ns = ns
        self._lock = threading.Lock()

    def now(self) -> int:
        """Nanoseconds."""
        return self._ns

    def advance(self, ns: int) -> None:
        """Let `ns` nanoseconds pass."""
        with self._lock:
            self._ns += ns

    def sleep_until(self, ns: int) -> None:
        """Set the time to `ns`, unless it is later already."""
        with self._lock:
            self._ns = max(self._ns, ns)
