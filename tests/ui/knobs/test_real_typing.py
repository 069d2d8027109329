"""A tempo typed into the real window, in locales with a comma and with other digits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.xvfb import Xvfb, xvfb
from tests.ui.test_real_window import Program

__all__ = ["xvfb"]

pytestmark = pytest.mark.skipif(not shutil.which("xdotool"), reason="xdotool is not installed")


@pytest.mark.parametrize("locale", ["de_DE.UTF-8", "ar_EG.UTF-8"])
def test_the_tempo_is_what_was_typed_and_is_undone(locale: str, xvfb: Xvfb, tmp_path: Path) -> None:
    program = Program(xvfb, tmp_path, 1, LC_ALL=locale, LANG=locale)
    try:
        program.xdotool("mousemove", *program.at("-1/tempo"), "click", 1, "key", "ctrl+a")
        program.xdotool("type", "96,5")
        program.xdotool("key", "Return")
        assert program.hear_of("SetKnob")["value"] == 96.5
        program.xdotool("key", "ctrl+a")
        program.xdotool("type", "103.25")
        program.xdotool("key", "Return", "key", "ctrl+z")
        assert program.hear_of("SetKnob")["value"] == 103.25
        assert program.hear_of("Undo")["redo"] is False
    finally:
        program.close()
