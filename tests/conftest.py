"""What all tests share: no screen is needed, and nothing of the player's own is touched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest

from tests.support.jack import jack, jack_server

__all__ = ["hocket_home", "jack", "jack_server"]

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def hocket_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A home of its own for each test, by a short name: a socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="hocket-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("HOCKET_HOME", folder)
        yield folder
