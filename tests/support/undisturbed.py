"""Trials on a machine that has other things to do as well."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from instrument.io.priority import DEADLINE_PRIORITY, set_realtime_priority

QUIET_S = 2.0  # how long a machine must be quiet before a trial is repeated
LATE_S = 0.002  # a thread with real-time priority that wakes later than this was kept from its core

Result = TypeVar("Result")


def run_undisturbed(trial: Callable[[], tuple[Result, Mapping[str, int]]], attempts: int = 3) -> Result:
    """The result of the first trial that the machine did not disturb. The test fails where each was disturbed.

    `trial()` returns its result and how often each thing disturbed it while it lasted, by name in the plural
    (`{"xruns": 2}`). It returns early rather than fail where a disturbance kept it from its end; what is expected of
    an undisturbed trial is asserted of the result, without exception.
    """
    seen: list[str] = []
    for _ in range(attempts):
        if seen:
            wait_until_quiet()
        result, disturbances = trial()
        happened = [f"{count} {name}" for name, count in disturbances.items() if count]
        if not happened:
            return result
        seen.append(" and ".join(happened))
    pytest.fail(f"the machine disturbed each of {attempts} trials: {'; '.join(seen)}")


def wait_until_quiet(longest_s: float = 60.0) -> None:
    """Return when a thread with real-time priority has woken in time for `QUIET_S`, or after `longest_s`: another
    trial amid the same noise would tell nothing new."""

    def watch() -> None:
        set_realtime_priority(DEADLINE_PRIORITY)
        end = time.monotonic() + longest_s
        quiet_since = before = time.monotonic()
        while before < end and before - quiet_since < QUIET_S:
            time.sleep(0.001)
            now = time.monotonic()
            if now - before > 0.001 + LATE_S:
                quiet_since = now
            before = now

    with ThreadPoolExecutor(1) as thread:
        thread.submit(watch).result()
