"""What all tests share: no screen is needed, nothing of the player's own is touched, and Ctrl-C reaches children."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.jack import jack, jack_server, jack_with_long_periods, long_period_server

__all__ = [
    "hocket_home",
    "interruptible",
    "jack",
    "jack_server",
    "jack_with_long_periods",
    "long_period_server",
]

SCREEN = Path(__file__).parent / "ui" / "screen.json"  # the size of the screen that is not there
os.environ.setdefault("QT_QPA_PLATFORM", f"offscreen:configfile={SCREEN}")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # PyTorch's threads spin while they wait for a core that others use


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long trials take (`make trials`)."""
    parser.addoption("--soak-minutes", type=float, default=20.0, help="length of the soak")
    parser.addoption("--mutation-share", type=float, default=1.0, help="share of the damaged files that are used")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Children can be interrupted, although a shell starts what runs in its background with SIGINT ignored, and
    an ignored signal is inherited."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def hocket_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A home of its own for each test, by a short name: a socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="hocket-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("HOCKET_HOME", folder)
        yield folder
