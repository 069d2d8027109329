"""What a screen reader is told of the window, read as it reads it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.xvfb import Xvfb, xvfb
from tests.ui.knobs.screen_reader import ScreenReader
from tests.ui.test_real_window import Program

__all__ = ["xvfb"]

TURNED_OR_PRESSED = ("dial", "spin box", "combo box", "push button", "check box", "slider", "toggle button")

pytestmark = pytest.mark.skipif(not shutil.which("dbus-send"), reason="dbus-send is not installed")


@pytest.fixture
def reader() -> Iterator[ScreenReader]:
    made = ScreenReader()
    yield made
    made.close()


def test_everything_has_a_name_and_the_large_parts_say_what_they_show(
    reader: ScreenReader, xvfb: Xvfb, tmp_path: Path
) -> None:
    program = Program(xvfb, tmp_path, 1, **reader.environment)
    try:
        spoken = list(reader.read())
        nameless = [each for each in spoken if each.role in TURNED_OR_PRESSED and not each.name]
        assert not nameless
        dials = [each.name for each in spoken if each.role == "dial"]
        assert {"Surprise", "Player 2: Level"} <= set(dials)
        paths = {each.name: each.path for each in spoken}
        assert "Notes played" in reader.description(paths["Piano roll"])
        assert "0.00 right, 0.00 up. 50 % Calm" in reader.description(paths["Pad"])
        assert "Bar 3: Cmaj7" in reader.description(paths["Chord lane"])
        assert {"Output level", "Notices", "Keyboard"} <= set(paths)
    finally:
        program.close()
