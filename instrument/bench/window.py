"""Times the window for `hocket bench`: `python -m instrument.bench.window` opens it, prints the `perf_counter_ns` of
its first painting, and ends when its standard input is closed."""

from __future__ import annotations

import os
import sys
import threading
import time

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

from instrument.ui.app import run_window


class FirstPicture(QObject):
    """Prints the time of the first painting."""

    seen = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and not self.seen:
            self.seen = True
            print(time.perf_counter_ns(), flush=True)
        return False


def main(_: list[str]) -> int:
    """Run the window; see the module."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and sys.platform.startswith("linux"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QApplication(sys.argv[:1])
    first = FirstPicture()
    app.installEventFilter(first)

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
    run_window()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
