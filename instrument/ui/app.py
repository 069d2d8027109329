"""Starts the window: checks for a display, starts or finds the engine, and runs Qt."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from instrument.errors import HocketError

# Options that an engine started in place of a dead one does not receive: an autosave has newer values.
_SAVED = frozenset(("model", "patch", "midi-offset"))
_RECORDING = frozenset(("record",))  # never given again: the new engine would overwrite the recording
_PROBE_S = 3.0  # timeout of a connection to the display


def run_window(options: Mapping[str, str] | None = None, keep: bool = False, seconds: float = 0) -> int:
    """Open the window, start or find the engine, and return 0 after the window is closed. Where a window is open
    already, it comes to the front instead.

    options: for an engine that is started here, as `EngineClient.connect` takes them.
    keep: closing the window leaves the engine playing.
    seconds: close the window after this time; 0 means never.
    Raises HocketError if there is no display or the engine cannot be started.
    """
    check_display()
    from instrument.engine.ipc.client import EngineClient
    from instrument.engine.performance.patches import default_patch
    from instrument.paths import state_dir
    from instrument.ui.one_window import claim, come_forward

    state, given, began = state_dir(), dict(options or {}), time.time()
    if not _SAVED & given.keys() and (default := default_patch()):
        given["patch"] = default
    if (only := claim(state)) is None:
        print("hocket: a window is open already; it comes to the front", file=sys.stderr)
        return 0
    first_client: Future[EngineClient] = Future()

    def connect(first: bool) -> EngineClient:
        if first:
            return first_client.result()
        saved = any(file.stat().st_mtime >= began for file in state.glob("autosave*"))
        known = _RECORDING | (_SAVED if saved else frozenset())
        left = {name: value for name, value in given.items() if name not in known}
        return EngineClient.connect(keep=keep, options=left)

    def connect_first() -> None:
        try:
            first_client.set_result(EngineClient.connect(keep=keep, options=given))
        except (HocketError, OSError) as error:
            first_client.set_exception(error)

    # The engine starts while Qt is imported, because each takes about a second.
    threading.Thread(target=connect_first, name="engine-start", daemon=True).start()

    from PySide6.QtCore import QTimer
    from PySide6.QtGui import QIcon
    from PySide6.QtWidgets import QApplication

    from instrument.ui import fitting, icons, theme
    from instrument.ui.patches.drops import Drops
    from instrument.ui.settings import open_settings
    from instrument.ui.window import Window

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("hocket")
    app.setApplicationDisplayName("Hocket")
    app.setDesktopFileName("hocket")
    app.setWindowIcon(QIcon(icons.logo(256)))
    settings, notice = open_settings(state / "window.ini")
    look = str(settings.value("theme") or theme.DARK)
    theme.apply(app, fitting.possible_zoom(_zoom(settings), app.primaryScreen()), look)
    window = Window(connect, settings, keep, str(state / "engine.log"))
    window.setup.crashes.install()
    only.called.connect(lambda token: come_forward(window, token))
    only.listen()
    Drops(window, window.link, lambda: window.banner)
    if notice:
        window.banner.notify(notice)
    if seconds > 0:
        QTimer.singleShot(round(seconds * 1000), window.close)
    # Python handles signals between bytecodes only; the link's timer runs Python code 30 times a second.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close())
    window.show()
    window.start()
    app.exec()
    only.close()
    if window.error:
        raise HocketError(window.error)
    return 0


def check_display() -> None:
    """Raise HocketError if no window can be opened. Without this check Qt would abort the process."""
    if sys.platform in ("darwin", "win32") or os.environ.get("QT_QPA_PLATFORM"):
        return
    x, wayland = os.environ.get("DISPLAY", ""), os.environ.get("WAYLAND_DISPLAY", "")
    if not x and not wayland:
        raise HocketError("no display: neither DISPLAY nor WAYLAND_DISPLAY is set; play with --headless")
    if not (wayland and _wayland_answers(wayland)) and not (x and _x_answers(x)):
        named = " and ".join(filter(None, (x, wayland)))
        raise HocketError(f"no display: no server answers at {named}; play with --headless")


def _wayland_answers(name: str) -> bool:
    return _answers(socket.AF_UNIX, str(Path(os.environ.get("XDG_RUNTIME_DIR", "/"), name)))


def _x_answers(name: str) -> bool:
    """Whether an X server answers. name: as in DISPLAY, for example ":0", "unix:0.0" or "localhost:10.0"."""
    host, _, rest = name.rpartition(":")
    number = rest.partition(".")[0]
    if not number.isdecimal():
        return False
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        return any(_answers(socket.AF_UNIX, start + path) for start in ("\0", ""))  # the abstract socket, then the file
    return _answers(socket.AF_INET, (host, 6000 + int(number)))


def _answers(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        probe.connect(address)
        return True
    return False


def _zoom(settings: object) -> float:
    """The zoom factor saved last, else one from the desktop's text size."""
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
