"""A window in a process of its own on which files are dropped: prints the paths it received, one JSON list a drop."""

import json
import sys

from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget


class Target(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        print(json.dumps([url.toLocalFile() for url in event.mimeData().urls()]), flush=True)


def main(x: int, y: int) -> None:
    app = QApplication(sys.argv[:1])
    target = Target()
    target.setGeometry(x, y, 200, 200)
    target.show()
    print("ready", flush=True)
    app.exec()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
