"""Real-time scheduling, where the system grants it: to root, and to whom a limit `rtprio` is set, as audio packages do
for their group on Linux. Elsewhere nothing happens.

A thread with priority still waits for the interpreter for as long as the thread that has it is not let run. So all
threads of an engine get priority; those that wake at deadlines, and what feeds a device, come before what computes.
"""

from __future__ import annotations

import os
from contextlib import suppress

COMPUTES, IN_TIME, DEVICE = 5, 6, 7  # below the 10 of a JACK server, far below the kernel's own


def hurry(priority: int, thread: int = 0) -> None:
    """Give a thread (by default the calling one) a real-time priority; threads and processes it starts have it too."""
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(priority))  # type: ignore[attr-defined,unused-ignore]


def hurry_all(priority: int) -> None:
    """Give a real-time priority to all threads that this process has by now."""
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            hurry(priority, int(thread))
