from __future__ import annotations

import sys

import pytest

from instrument.errors import HocketError
from instrument.ui.app import check_display, run_window

needs_x = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="there is always a display")


@needs_x
def test_without_a_display_it_says_so_before_qt_aborts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(HocketError, match=r"no display.*--headless"):
        run_window()


@needs_x
@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"])
def test_any_way_to_show_a_window_will_do(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, ":7")
    check_display()
