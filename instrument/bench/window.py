"""Times the window for `hocket bench`: `python -m instrument.bench.window` opens it, prints the `perf_counter_ns` of
its first painting, and ends when its standard input is closed. Then it prints what its frames cost, in ms of processor
time, as JSON: everything that the window does between two frames, with painting in software."""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

from instrument.ui.app import run_window
from instrument.ui.window import Window

SETTLED = 60  # frames at the beginning that are not counted, as the window is built in them


class Watcher(QObject):
    """Prints the time of the first painting, and counts frames from then on."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[int] = []  # processor time of this thread at each frame, ns

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and not self.frames:
            self.frames.append(time.thread_time_ns())
            print(time.perf_counter_ns(), flush=True)
            for widget in QApplication.topLevelWidgets():
                if isinstance(widget, Window):
                    widget.link.frame.connect(lambda: self.frames.append(time.thread_time_ns()))
            QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]
        return False

    @property
    def costs_ms(self) -> list[float]:
        """What each frame took."""
        return [(later - earlier) / 1e6 for earlier, later in zip(self.frames, self.frames[1:], strict=False)][SETTLED:]


def main(_: list[str]) -> int:
    """Run the window; see the module."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and sys.platform.startswith("linux"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QApplication(sys.argv[:1])
    watcher = Watcher()
    app.installEventFilter(watcher)

    def wait() -> None:
        sys.stdin.read()
        print(json.dumps(watcher.costs_ms), flush=True)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
    run_window()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
