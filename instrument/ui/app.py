"""The window as a program."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping

from instrument.errors import HocketError

# What an engine that takes the place of a dead one is not told where it finds an autosave: that knows better.
_SAVED = frozenset(("model", "patch"))


def run_window(
    options: Mapping[str, str] | None = None, keep: bool = False, seconds: float = 0, record: str = ""
) -> int:
    """Open the window, start or find the engine, and return 0 when the window was closed.

    options: for an engine that is started here, as `EngineClient.connect` takes them; keep: closing the window
    leaves the engine playing; seconds: close by itself after so long, 0 = never; record: a file to record to
    from the start (.wav, .mid or .take.json).
    Raises HocketError where there is no display, and where the engine cannot be started.
    """
    check_display()
    from PySide6.QtCore import QSettings, QTimer
    from PySide6.QtWidgets import QApplication

    from instrument.engine.client import EngineClient
    from instrument.paths import state_dir
    from instrument.ui import theme
    from instrument.ui.window import Window

    given = dict(options or {})
    began = time.time()

    def connect(first: bool) -> EngineClient:
        saved = not first and any(file.stat().st_mtime >= began for file in state_dir().glob("autosave*"))
        options = {name: value for name, value in given.items() if not saved or name not in _SAVED}
        return EngineClient.connect(keep=keep, options=options)

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("hocket")
    app.setApplicationDisplayName("Hocket")
    app.setDesktopFileName("hocket")
    settings = QSettings(str(state_dir() / "window.ini"), QSettings.Format.IniFormat)
    theme.apply(app, _zoom(settings))
    window = Window(connect, settings, keep, record, str(state_dir() / "engine.log"))
    if seconds > 0:
        QTimer.singleShot(round(seconds * 1000), window.close)
    # Python sees signals between two steps of its own; the window's timer takes such steps 30 times a second.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close())
    window.show()
    window.start()
    app.exec()
    if window.error:
        raise HocketError(window.error)
    return 0


def check_display() -> None:
    """Raise HocketError where a window cannot be: Qt would abort the process without one word of ours."""
    if sys.platform in ("darwin", "win32") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise HocketError("no display: neither DISPLAY nor WAYLAND_DISPLAY is set; play with --headless")


def _zoom(settings: object) -> float:
    """The zoom chosen last, else what the desktop's text size asks for."""
    from PySide6.QtCore import QSettings
    from PySide6.QtGui import QGuiApplication

    assert isinstance(settings, QSettings)
    try:
        if chosen := settings.value("zoom"):
            return float(str(chosen))
    except ValueError:
        pass
    screen = QGuiApplication.primaryScreen()
    return screen.logicalDotsPerInch() / 96 if screen and sys.platform not in ("darwin", "win32") else 1.0
