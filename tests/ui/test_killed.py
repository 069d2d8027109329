"""The window is only a client: kill it, and the music goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import Play
from instrument.errors import HocketError
from tests.support.engine import ROOT, StartEngine, start_engine

__all__ = ["start_engine"]


def connected(seconds: float = 30.0) -> None:
    """Wait until an engine answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            EngineClient.connect(spawn=False).close()
            return
        except HocketError as error:
            if time.monotonic() > end:
                pytest.fail(f"no engine after {seconds:g} s: {error}")
            time.sleep(0.1)


def test_the_music_goes_on_when_the_window_is_killed(start_engine: StartEngine) -> None:
    call = "from instrument.cli import main; main()"
    window = subprocess.Popen(
        [sys.executable, "-c", call, "play", "--audio", "null", "--midi", "null"],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        connected()
        watcher = start_engine()  # a second client of the window's engine
        watcher.client.ask(Play())
        watcher.hear(3, 20)
    finally:
        window.kill()
        window.wait(10)
    watcher.hear(5, 20)
    assert watcher.telemetry.playing
