"""Errors of the window itself: they are logged, and told in a dialog that names the log."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QMessageBox, QWidget

from instrument.errors import one_line

WINDOW_LOG = "window.log"  # in the state folder
_LARGEST = 1_000_000  # bytes, after which the log begins anew


class CrashReports:
    """Takes the errors that nothing else has caught. The same one is shown once."""

    def __init__(self, window: QWidget, log: Path, diagnostics: Callable[[], str]) -> None:
        """diagnostics: gives the text that is copied."""
        self._window, self._log, self._diagnostics = window, log, diagnostics
        self._shown: set[str] = set()

    def install(self) -> None:
        """Take errors from now on."""
        sys.excepthook = self.take

    def take(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Log an error and show it."""
        if isinstance(error, KeyboardInterrupt):
            self._window.close()
            return
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(text)
        with suppress(OSError):
            fresh = self._log.exists() and self._log.stat().st_size > _LARGEST
            with self._log.open("w" if fresh else "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}\n")
        line = one_line(error)
        if line not in self._shown:
            self._shown.add(line)
            self.show("Something went wrong in the window. The music goes on.", line)

    def show(self, text: str, detail: str) -> None:
        """Show a dialog that names the log. detail: what happened, in one line."""
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("Hocket")
        box.setIcon(QMessageBox.Icon.Warning)
        box.setText(text)
        box.setInformativeText(f"{detail}\n\nThe details are in {self._log}")
        look = box.addButton("Open the log", QMessageBox.ButtonRole.ActionRole)
        look.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._log))))
        copy = box.addButton("Copy diagnostics", QMessageBox.ButtonRole.ActionRole)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._diagnostics()))
        box.addButton(QMessageBox.StandardButton.Close)
        box.open()
