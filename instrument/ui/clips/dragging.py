"""A button that is dragged out of the window as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication

from instrument.ui.knobs.controls import Button

MakeFile = Callable[[], Path | None]


class FileButton(Button):
    """Drag it to another program or a folder, which receives the file; press it to open the folder with the file.

    press_help: what a press does.
    file: gives the path, None if there is nothing to give; called when a drag begins, or at a press.
    """

    press_help = "; a click opens its folder"

    def __init__(self, text: str, help: str, file: MakeFile) -> None:
        super().__init__(text, f"{help}. Drag it to a DAW or a folder{self.press_help}")
        self._file = file
        self._pressed: QPoint | None = None
        self.clicked.connect(self.press)

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
        if path := self._file():
            data = QMimeData()
            data.setUrls([QUrl.fromLocalFile(str(path))])
            drag = QDrag(self)
            drag.setMimeData(data)
            drag.setPixmap(self.grab())
            drag.exec(Qt.DropAction.CopyAction)

    def press(self) -> None:
        """Open the folder with the file."""
        if path := self._file():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))
