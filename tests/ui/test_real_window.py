"""The window on a real X server, driven by a real mouse; its pictures are kept in artifacts/."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QImage

from instrument.ui import theme
from tests.support.xvfb import Xvfb, xvfb

__all__ = ["xvfb"]

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
PATIENCE_S = 30.0

pytestmark = pytest.mark.skipif(not shutil.which("xdotool"), reason="xdotool is not installed")


class Program:
    """The window's process."""

    def __init__(self, server: Xvfb, home: Path, scale: int, **environment: str) -> None:
        self._heard = b""
        self._environment = {
            **os.environ,
            "DISPLAY": server.display,
            "QT_QPA_PLATFORM": "xcb",
            "QT_SCALE_FACTOR": str(scale),
            "HOME": str(home),
            **environment,
        }
        self._environment.pop("WAYLAND_DISPLAY", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.ui.window_program", str(home / "window.ini")],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.places = self.hear()

    def hear(self) -> object:
        """The next line."""
        assert self._process.stdout is not None
        end = time.monotonic() + PATIENCE_S
        while b"\n" not in self._heard:
            pipe = self._process.stdout.fileno()
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready or not (piece := os.read(pipe, 1 << 16)):
                pytest.fail(f"the window said nothing for {PATIENCE_S:g} s")
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        return json.loads(line)

    def hear_of(self, kind: str) -> dict[str, object]:
        """The next command of a kind."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            said = self.hear()
            if isinstance(said, list) and said[0] == kind:
                return dict(said[1])
        pytest.fail(f"no {kind} came")

    def xdotool(self, *words: object) -> None:
        """Move the mouse, press keys."""
        command = ["xdotool", *map(str, words)]
        subprocess.run(command, env=self._environment, check=True, timeout=PATIENCE_S, capture_output=True)

    def at(self, name: str) -> tuple[int, int]:
        """The middle of a control on the screen."""
        assert isinstance(self.places, dict)
        x, y = self.places[name]
        return round(x), round(y)

    def picture(self, name: str) -> QImage:
        """The screen, kept under artifacts/."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n".encode())
        self._process.stdin.flush()
        while self.hear() != str(path):
            pass
        return QImage(str(path))

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.wait(PATIENCE_S)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture(params=[1, 2], ids=["1x", "2x"])
def scale(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def program(scale: int, tmp_path: Path) -> Iterator[Program]:
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed (Debian, Ubuntu: sudo apt install xvfb)")
    server = Xvfb(f"{1300 * scale}x{820 * scale}")
    try:
        made = Program(server, tmp_path, scale)
        yield made
        made.close()
    finally:
        server.stop()


def colours(picture: QImage) -> set[int]:
    return {picture.pixel(x, y) for y in range(0, picture.height(), 3) for x in range(0, picture.width(), 3)}


def test_a_knob_is_turned_by_the_mouse_while_the_music_plays(program: Program, scale: int) -> None:
    x, y = program.at("play")
    program.xdotool("mousemove", x, y, "click", 1)
    program.hear_of("Play")

    x, y = program.at("0/temperature")
    calm = program.picture(f"window-{scale}x")
    program.xdotool("mousemove", x, y)
    program.xdotool("mousedown", 1, "mousemove", x, y - 20 * scale, "mousemove", x, y - 50 * scale, "mouseup", 1)
    turned = program.hear_of("SetKnob")
    assert turned["knob"] == "temperature"
    values = [turned["value"]]
    program.xdotool("click", 4)  # the wheel, over whatever is there now: the mouse is still near the dial
    program.xdotool("mousemove", x, y, "click", 4)
    while values[-1] < 1.52:  # type: ignore[operator]
        values.append(program.hear_of("SetKnob")["value"])
    assert values == sorted(values)  # type: ignore[type-var]

    warm = program.picture(f"window-{scale}x-turned")
    side = 40 * scale
    knob = (round(x - side), round(y - side), 2 * side, 2 * side)
    assert calm.copy(*knob) != warm.copy(*knob)
    seen = colours(warm)
    for shade in (theme.GROUND, theme.PANEL, theme.ROLL, theme.ACCENT):
        assert QColor(shade).rgb() in seen, shade
    lit = {QColor(theme.PARTS[part]).rgb() for part in range(4)}
    assert lit & seen, "notes, or the keys they light, are on the screen"


def test_keys_reach_the_window(program: Program) -> None:
    program.xdotool("mousemove", *program.at("0/density"), "click", 1)
    program.xdotool("key", "Up")
    assert program.hear_of("SetKnob")["knob"] == "density"
    program.xdotool("mousemove", *program.at("1/level"), "click", 1)
    program.xdotool("key", "Home")
    assert program.hear_of("SetKnob") == {"type": "SetKnob", "knob": "level", "value": -60.0, "player": 1}
    program.xdotool("key", "space")
    program.hear_of("Play")
    program.xdotool("key", "Escape")
    program.hear_of("Panic")
