"""The window on screens of several sizes, under a window manager: nothing is beyond the edge or cut off."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.xvfb import Xvfb
from tests.ui.test_real_window import Program

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("Xvfb", "openbox", "xdotool"))), reason="Xvfb, openbox or xdotool is not installed"
)


@contextmanager
def on_screen(size: str, scale: int, home: Path, zoom: str = "1") -> Iterator[Program]:
    """The window's program on a screen of its own, with a window manager."""
    server = Xvfb(size)
    manager = subprocess.Popen(
        ["openbox", "--sm-disable"], env={**os.environ, "DISPLAY": server.display}, stderr=subprocess.DEVNULL
    )
    try:
        program = Program(server, home, scale, WINDOW_ZOOM=zoom)
        yield program
        program.close()
    finally:
        manager.terminate()
        manager.wait(5)
        server.stop()


def check(program: Program, screen: str, scale: int) -> None:
    """The frame is on the screen, and no control is cut off."""
    wide, high = (int(side) / scale for side in screen.split("x"))
    assert isinstance(program.places, dict)
    x, y, width, height = program.places["frame"]
    assert x >= 0
    assert y >= 0
    assert x + width <= wide
    assert y + height <= high
    assert not program.places["cut off"]
    assert program.places["least text"] >= 11


@pytest.mark.parametrize(("screen", "scale"), [("1024x600", 1), ("1366x768", 1), ("3840x2160", 2)])
def test_nothing_is_beyond_the_edge(screen: str, scale: int, tmp_path: Path) -> None:
    with on_screen(screen, scale, tmp_path) as program:
        check(program, screen, scale)
        program.picture(f"screen-{screen}")


def test_a_zoom_that_the_screen_has_no_room_for_is_less(tmp_path: Path) -> None:
    with on_screen("1366x768", 1, tmp_path, zoom="2.0") as program:
        check(program, "1366x768", 1)
        assert isinstance(program.places, dict)
        assert 1.2 < program.places["zoom"] < 1.5


def test_a_window_of_a_larger_screen_opens_on_a_smaller_one(tmp_path: Path) -> None:
    with on_screen("1920x1080", 1, tmp_path) as program:
        program.xdotool("search", "--onlyvisible", "--name", "Hocket", "windowsize", 1700, 980, "windowmove", 150, 60)
        program.xdotool("mousemove", *program.at("play"), "key", "ctrl+q")
        program.wait()
    assert "geometry" in (tmp_path / "window.ini").read_text()
    with on_screen("1024x600", 1, tmp_path) as program:
        check(program, "1024x600", 1)
