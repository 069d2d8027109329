"""The browser of patches: search, tags, favourites, and what can be done with a patch."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from instrument.engine.ipc.messages import Description, LoadPatch, Press, RemovePatch
from instrument.engine.performance.patches import default_patch, set_default_patch
from instrument.errors import HocketError
from instrument.ui import theme
from instrument.ui.knobs.controls import Button, Field, Selector, pretty
from instrument.ui.patches.library import CHANGED, FAVOURITE, OWN, SHIPPED, Entry, entries, tags_of

FAVOURITES = "patches/favourites"  # key of the settings
_ALL = ("", "All", "")


class PatchBrowser(QDialog):
    """A window beside the main one. Signal: `asked` carries a command."""

    asked = Signal(object)

    def __init__(self, parent: QWidget, settings: QSettings) -> None:
        super().__init__(parent)
        self.setWindowTitle("Patches")
        self._settings = settings
        self._entries: list[Entry] = []
        self._files: object = None  # of what the entries are
        self._present, self._changed = "", False
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search names and descriptions")
        self.search.setAccessibleName("Search")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._show_list)
        self.tag = Selector("Tag", "Show only patches with a tag")
        self.tag.picked.connect(self._show_list)
        self.list = QListWidget()
        self.list.setAccessibleName("Patches")
        self.list.setUniformItemSizes(True)
        self.list.setSpacing(theme.px(2))
        self.list.itemActivated.connect(self._load)
        self.list.currentItemChanged.connect(self._show_current)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        self.load = Button("Load", "Load this patch (Enter)")
        self.load.clicked.connect(self._load)
        self.favourite = Button("Favourite", "Mark this patch as a favourite, or no longer")
        self.favourite.clicked.connect(self._toggle_favourite)
        self.default = Button("Make default", "Begin with this patch after a start, and at New patch")
        self.default.clicked.connect(self._toggle_default)
        self.remove = Button("", "")
        self.remove.clicked.connect(lambda: self.asked.emit(RemovePatch(self._name)))
        steps = QHBoxLayout()
        for name, text in (("patch/previous", "Previous"), ("patch/next", "Next"), ("patch/random", "Random")):
            step = Button(text, f"{text} patch: load it")
            step.clicked.connect(partial(self._press, name))
            steps.addWidget(step)
        steps.addStretch(1)
        above = QHBoxLayout()
        above.addWidget(self.search, 1)
        above.addWidget(Field("Tag", self.tag, 150))
        below = QHBoxLayout()
        for button in (self.load, self.favourite, self.default, self.remove):
            below.addWidget(button)
        below.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme.px(12),) * 4)
        column.setSpacing(theme.px(8))
        column.addLayout(above)
        column.addLayout(steps)
        column.addWidget(self.list, 1)
        column.addWidget(self.about)
        column.addLayout(below)
        self.resize(theme.px(520), theme.px(460))

    def show_description(self, description: Description) -> None:
        """Take the names of the patches, and which is present."""
        self._present, self._changed = description.patch, description.patch_changed
        files = (description.patches, description.patch, description.patch_changed)
        if files != self._files and self.isVisible():
            self._files = files
            self._look()

    def open_list(self) -> None:
        """Show the browser with the patches as they are now."""
        self._look()
        self.show()
        self.raise_()
        self.search.setFocus()

    @property
    def favourites(self) -> list[str]:
        """The names of the favourites."""
        value = self._settings.value(FAVOURITES) or []
        return [value] if isinstance(value, str) else [str(each) for each in value]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up) and self.search.hasFocus():
            self.list.setFocus()
            step = 1 if event.key() == Qt.Key.Key_Down else -1
            self.list.setCurrentRow(min(max(self.list.currentRow() + step, 0), self.list.count() - 1))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.search.hasFocus():
            self._load()
        else:
            super().keyPressEvent(event)

    @property
    def _name(self) -> str:
        item = self.list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item else ""

    def _look(self) -> None:
        """Read the patches again."""
        self._entries = entries()
        tags = [(tag, pretty(tag), "") for tag in (FAVOURITE, OWN, SHIPPED, CHANGED, *tags_of(self._entries))]
        chosen = str(self.tag.currentData() or "")
        self.tag.show_items((_ALL, *tags), chosen if chosen in {tag[0] for tag in tags} else "")
        self._show_list()

    def _show_list(self, _: object = None) -> None:
        wanted, favourites = self._name or self._present, self.favourites
        self.list.blockSignals(True)
        self.list.clear()
        tag = str(self.tag.currentData() or "")
        for entry in self._entries:
            if entry.fits(self.search.text(), tag, favourites):
                star = " *" if entry.name == self._present and self._changed else ""
                marks = ("\u2605 " if entry.name in favourites else "") + entry.name + star
                item = QListWidgetItem(f"{marks}\n{entry.about or entry.problem}")
                item.setData(Qt.ItemDataRole.UserRole, entry.name)
                self.list.addItem(item)
                if entry.name == wanted:
                    self.list.setCurrentItem(item)
        if self.list.currentRow() < 0:
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        self._show_current()

    def _show_current(self, *_: object) -> None:
        entry = next((entry for entry in self._entries if entry.name == self._name), None)
        for button in (self.load, self.favourite, self.default):
            button.setEnabled(entry is not None)
        self.load.setEnabled(entry is not None and not entry.problem)
        self.remove.setVisible(entry is not None and entry.origin != SHIPPED)
        if entry is None:
            self.about.setText("No patch has all these words." if self._entries else "")
            return
        self.favourite.setText("No favourite" if entry.name in self.favourites else "Favourite")
        self.default.setText("No default" if entry.name == default_patch() else "Make default")
        text, help = (
            ("Put back as it came", "Remove your version, so that the one that came with Hocket is there again")
            if entry.origin == CHANGED
            else ("Remove", "Remove this patch of yours; its file is kept among the removed patches")
        )
        self.remove.setText(text)
        self.remove.setToolTip(help)
        self.remove.setAccessibleName(text)
        self.about.setText(" \u00b7 ".join(filter(None, (pretty(entry.origin), *map(pretty, entry.tags)))))

    def _load(self, *_: object) -> None:
        if self._name and self.load.isEnabled():
            self.asked.emit(LoadPatch(self._name))

    def _press(self, name: str, *_: object) -> None:
        self.asked.emit(Press(name))

    def _toggle_favourite(self) -> None:
        favourites = self.favourites
        changed = [name for name in favourites if name != self._name]
        self._settings.setValue(FAVOURITES, changed if self._name in favourites else [*favourites, self._name])
        self._show_list()

    def _toggle_default(self) -> None:
        try:
            set_default_patch("" if self._name == default_patch() else self._name)
        except HocketError as error:
            self.about.setText(str(error))
        else:
            self._show_list()
