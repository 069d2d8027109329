"""A button that is dragged out of the window as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDrag, QGuiApplication, QMouseEvent
from PySide6.QtWidgets import QApplication

from instrument.ui.knobs.controls import Button

MakeFile = Callable[[], Path | None]


class FileButton(Button):
    """Drag it to another program or a folder, which receives a copy of the file; press it to copy the file to the
    clipboard. file: gives the path, None if there is nothing to give; called when a drag or a copy begins."""

    def __init__(self, text: str, help: str, file: MakeFile) -> None:
        super().__init__(text, f"{help}. Drag it to a DAW or a folder; a click copies it")
        self._file = file
        self._pressed: QPoint | None = None
        self.clicked.connect(self._copy)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position().toPoint() if event.button() == Qt.MouseButton.LeftButton else None
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        far = QApplication.startDragDistance()
        if self._pressed is None or (event.position().toPoint() - self._pressed).manhattanLength() < far:
            super().mouseMoveEvent(event)
            return
        self._pressed = None
        self.setDown(False)
        if data := self._data():
            drag = QDrag(self)
            drag.setMimeData(data)
            drag.setPixmap(self.grab())
            drag.exec(Qt.DropAction.CopyAction)

    def _copy(self) -> None:
        if data := self._data():
            QGuiApplication.clipboard().setMimeData(data)

    def _data(self) -> QMimeData | None:
        path = self._file()
        if path is None:
            return None
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        return data
