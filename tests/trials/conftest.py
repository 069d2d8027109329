"""Trials: `make trials`. Each keeps a row; the page is written from all rows when a session has added any."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.trials.report import Row, load, record, write_page

Keep = Callable[[str, str, dict[str, str]], None]


@pytest.fixture(scope="session")
def page() -> Iterator[Keep]:
    """Keep a row: section, name, columns."""
    yield lambda section, name, columns: record(Row(section, name, columns, load()))
    write_page()


@pytest.fixture
def share(request: pytest.FixtureRequest) -> float:
    """Of the cases of mutation that are run."""
    return float(request.config.getoption("--mutation-share"))


@pytest.fixture
def soak_s(request: pytest.FixtureRequest) -> float:
    """Seconds of the soak."""
    return 60 * float(request.config.getoption("--soak-minutes"))
