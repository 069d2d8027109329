"""Real-time scheduling (SCHED_RR) on Linux, where it is granted: to root, and to users with a limit `rtprio`, which
audio packages set for their group. Elsewhere nothing happens.

A thread with priority that waits for the interpreter's lock depends on the thread that holds it. So all threads of an
engine get priority: those that wake at deadlines more than those that compute, device processes most.

A JACK server without real-time scheduling would be kept from its work by threads with priority: next to one, none is
set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

JACK_SERVERS = ("jackd", "jackdbus")
# Below the 10 of a JACK server, far below the kernel's own.
COMPUTE_PRIORITY, DEADLINE_PRIORITY, DEVICE_PRIORITY = 5, 6, 7


def set_realtime_priority(priority: int, thread: int = 0) -> None:
    """Give a thread (by default the calling one) a real-time priority; threads and processes that it starts inherit
    it."""
    if not jack_lacks_realtime():
        _set_priority(priority, thread)


@contextmanager
def normal_priority() -> Iterator[None]:
    """Run the calling thread, and what it starts, without real-time priority: a process that loads for a tenth of a
    second would keep a core from threads with deadlines."""
    try:
        policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)  # type: ignore[attr-defined,unused-ignore]
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # type: ignore[attr-defined,unused-ignore]
    except (AttributeError, OSError):
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, policy, parameters)  # type: ignore[attr-defined,unused-ignore]


def set_realtime_priority_of_process(priority: int) -> None:
    """Give a real-time priority to all present threads of this process."""
    if not jack_lacks_realtime():
        with suppress(OSError):
            for thread in os.listdir("/proc/self/task"):
                _set_priority(priority, int(thread))


def _set_priority(priority: int, thread: int) -> None:
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(priority))  # type: ignore[attr-defined,unused-ignore]


def jack_lacks_realtime() -> bool:
    """Whether a JACK server runs without real-time scheduling (Linux)."""
    for name in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if name.read_text().strip() in JACK_SERVERS:
                threads = [int(thread.name) for thread in (name.parent / "task").iterdir()]
                policies = {os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK for thread in threads}
                if not policies & {os.SCHED_FIFO, os.SCHED_RR}:
                    return True
    return False
