"""Saving and opening patches."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

from instrument.engine.ipc.messages import Description, LoadPatch, SavePatch
from instrument.ui.link import EngineLink


class PatchFiles(QObject):
    """Asks for names of patches and sends what is wanted to the engine."""

    def __init__(self, window: QWidget, link: EngineLink) -> None:
        """window: behind the dialogs."""
        super().__init__(window)
        self._window, self._link = window, link
        self._patch = ""  # the name of the present one

    def show_description(self, description: Description) -> None:
        """Take the name of the present patch."""
        self._patch = description.patch

    def save(self) -> None:
        """Save the patch under its name, or ask for a name if it has none."""
        if self._patch:
            self._link.send(SavePatch(self._patch))
        else:
            self.save_as()

    def save_as(self) -> None:
        """Ask for a name and save the patch."""
        dialog = QInputDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Save patch")
        dialog.setLabelText("Name of the patch")
        dialog.setTextValue(self._patch)
        dialog.textValueSelected.connect(self._save_under)
        dialog.open()

    def _save_under(self, name: str) -> None:
        if name.strip():
            self._link.send(SavePatch(name.strip()))

    def open(self) -> None:
        """Ask for a patch file and load it."""
        dialog = QFileDialog(self._window, "Open patch", filter="Patches (*.json)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self._link.send(LoadPatch(path)))
        dialog.open()
