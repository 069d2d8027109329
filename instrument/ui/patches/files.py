"""Saving and opening patches, and the actions for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, QSettings, Qt
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from instrument.engine.ipc.messages import Description, LoadPatch, Press, SavePatch
from instrument.engine.performance.patches import DEFAULT, default_patch, patch_files
from instrument.errors import HocketError
from instrument.ui.link import EngineLink
from instrument.ui.patches.browser import PatchBrowser
from instrument.ui.patches.drops import ENDINGS, command_for


class PatchFiles(QObject):
    """Asks for names of patches and sends what is wanted to the engine. browser: the list of all patches."""

    def __init__(self, window: QWidget, link: EngineLink, settings: QSettings) -> None:
        """window: behind the dialogs."""
        super().__init__(window)
        self._window, self._link = window, link
        self._patch = ""  # the name of the present one
        self.browser = PatchBrowser(window, settings)
        self.browser.asked.connect(link.send)

    @property
    def actions(self) -> tuple[tuple[str, str, Callable[[], object]], ...]:
        """Rows of the window's table of actions: name, keys, what it does."""
        return (
            ("Patches\u2026", "Ctrl+P", self.browser.open_list),
            ("New patch", "Ctrl+N", self.new),
            ("Previous patch", "Ctrl+PgUp", partial(self._link.send, Press("patch/previous"))),
            ("Next patch", "Ctrl+PgDown", partial(self._link.send, Press("patch/next"))),
            ("Random patch", "Ctrl+Shift+P", partial(self._link.send, Press("patch/random"))),
            ("Save patch", "Ctrl+S", self.save),
            ("Save patch as\u2026", "Ctrl+Shift+S", self.save_as),
            ("Open\u2026", "Ctrl+O", self.open),
        )

    def show_description(self, description: Description) -> None:
        """Take the name of the present patch, and the list."""
        self._patch = description.patch
        self.browser.show_description(description)

    def new(self) -> None:
        """Load the default patch: the user's own, else that of the first start."""
        self._link.send(LoadPatch(default_patch() or DEFAULT))

    def save(self) -> None:
        """Save the patch under its name, or ask for a name if it has none. One that came with Hocket is saved over only
        after a question."""
        if self._patch:
            self._save_under(self._patch)
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
        name = name.strip()
        file = next((file for file in patch_files() if file.name == name), None)
        if not name:
            return
        if file is None or file.own or not file.shipped:
            self._link.send(SavePatch(name))
            return
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("Save patch")
        box.setText(f"{name} came with Hocket. Save your version in its place?")
        box.setInformativeText("The list of patches (Ctrl+P) can put it back as it came.")
        over = box.addButton("Save in its place", QMessageBox.ButtonRole.AcceptRole)
        other = box.addButton("Another name\u2026", QMessageBox.ButtonRole.ActionRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        over.clicked.connect(lambda: self._link.send(SavePatch(name)))
        other.clicked.connect(self.save_as)
        box.open()

    def open(self) -> None:
        """Ask for a file and open it: a patch, a take, a chart or a model."""
        endings = " ".join(f"*{ending}" for ending in ENDINGS)
        dialog = QFileDialog(self._window, "Open", filter=f"Patches, takes, charts, models ({endings})")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.open_file)
        dialog.open()

    def open_file(self, path: str) -> None:
        """Open a file by its ending. The engine says what is wrong with it."""
        try:
            self._link.send(command_for(path))
        except HocketError as error:
            self._link.refused.emit(str(error), None)
