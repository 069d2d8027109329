"""Trials on a machine that has other things to do as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import pytest

Result = TypeVar("Result")


def run_undisturbed(trial: Callable[[], tuple[Result, Mapping[str, int]]], attempts: int = 3) -> Result:
    """The result of the first trial that the machine did not disturb. The test fails where each was disturbed.

    `trial()` returns its result and how often each thing disturbed it while it lasted, by name in the plural
    (`{"xruns": 2}`). It returns early rather than fail where a disturbance kept it from its end; what is expected of
    an undisturbed trial is asserted of the result, without exception.
    """
    seen = []
    for _ in range(attempts):
        result, disturbances = trial()
        happened = [f"{count} {name}" for name, count in disturbances.items() if count]
        if not happened:
            return result
        seen.append(" and ".join(happened))
    pytest.fail(f"the machine disturbed each of {attempts} trials: {'; '.join(seen)}")
