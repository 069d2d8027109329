"""An X server without a screen, for tests that need a real window under a real mouse."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

READY_S = 15.0


class Xvfb:
    """`Xvfb` on a display of its own choosing; `display` is ":N"."""

    def __init__(self, size: str = "1400x900") -> None:
        read, write = os.pipe()
        self._process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"],
            pass_fds=(write,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        try:
            self.display = f":{_line(read, READY_S)}"
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(read)

    def stop(self) -> None:
        """End it, and whoever is still connected loses the display."""
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(3)


def _line(pipe: int, seconds: float) -> str:
    """The line that the server writes once it can be reached."""
    end, text = time.monotonic() + seconds, b""
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        if not ready or not (piece := os.read(pipe, 100)):
            pytest.fail(f"Xvfb did not start within {seconds:g} s")
        text += piece
    return text.decode().strip()


@pytest.fixture
def xvfb() -> Iterator[Xvfb]:
    """A running X server; programs are given its `display`, this process stays as it is."""
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed (Debian, Ubuntu: sudo apt install xvfb)")
    server = Xvfb()
    yield server
    server.stop()
