from __future__ import annotations

import sys

import pytest

from instrument.errors import HocketError
from instrument.ui.app import check_display, run_window
from tests.support.xvfb import Xvfb, xvfb

__all__ = ["xvfb"]

needs_x = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="there is always a display")


@needs_x
def test_without_a_display_it_says_so_before_qt_aborts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(HocketError, match=r"no display.*--headless"):
        run_window()


@needs_x
@pytest.mark.parametrize("display", [":4711", "unix:4711", "localhost:4711.0", "nonsense", ":"])
def test_a_display_that_nobody_serves_is_none(monkeypatch: pytest.MonkeyPatch, display: str) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(HocketError, match=r"no display: no server answers at .*--headless"):
        check_display()


@needs_x
def test_a_real_display_will_do(monkeypatch: pytest.MonkeyPatch, xvfb: Xvfb) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-4711")
    monkeypatch.setenv("DISPLAY", xvfb.display)
    check_display()


def test_a_platform_of_the_players_choice_is_not_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    check_display()
