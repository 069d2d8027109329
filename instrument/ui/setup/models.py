"""The browser of models: what is installed, its card and licence, and importing another."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from instrument.engine.ipc.messages import Description, ImportModel, LoadModel, ModelInfo
from instrument.paths import models_dirs
from instrument.ui import theme
from instrument.ui.knobs.controls import Button, Selector

CARD = "CARD.md"
_KINDS = {"notes": "plays notes", "voice": "a sound for notes", "stream": "sound without notes", "": "part of others"}
_LARGEST_CARD = 100_000  # letters


class ModelBrowser(QDialog):
    """A window beside the main one. Signal: `asked` carries a command."""

    asked = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Models")
        self._models: tuple[ModelInfo, ...] = ()
        self._description: Description | None = None
        self._of = ""  # the model to which the list of players belongs
        self.list = QListWidget()
        self.list.setAccessibleName("Models")
        self.list.currentItemChanged.connect(self._show_current)
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.facts.setTextFormat(Qt.TextFormat.PlainText)
        self.card = QTextBrowser()
        self.card.setAccessibleName("Card of the model")
        self.card.setOpenLinks(False)
        self.player = Selector("Player", "Which player is to use this model")
        self.player.setFixedWidth(theme.px(160))
        self.list.setSpacing(theme.px(2))
        self.use = Button("Use", "Give this model to the player")
        self.use.clicked.connect(self._use)
        self.get = Button("Import\u2026", "Install a model from a .hocket file; it may be dropped on the window, too")
        self.get.clicked.connect(self._import)
        below = QHBoxLayout()
        below.addWidget(self.use)
        below.addWidget(self.player)
        below.addStretch(1)
        below.addWidget(self.get)
        right = QVBoxLayout()
        right.addWidget(self.facts)
        right.addWidget(self.card, 1)
        row = QHBoxLayout()
        row.addWidget(self.list, 2)
        row.addLayout(right, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme.px(12),) * 4)
        column.addLayout(row, 1)
        column.addLayout(below)
        self.resize(theme.px(720), theme.px(460))

    def show_description(self, description: Description) -> None:
        """Take the list of models and the players."""
        self._description = description
        if description.models != self._models:
            self._models = description.models
            chosen = self._slug
            self.list.clear()
            for model in sorted(
                self._models,
                key=lambda model: (
                    bool(model.problem),
                    not model.kind,
                    model.kind,
                    (model.name or model.slug).casefold(),
                ),
            ):
                item = QListWidgetItem(f"{model.name or model.slug}{' (cannot be used)' if model.problem else ''}")
                item.setData(Qt.ItemDataRole.UserRole, model.slug)
                self.list.addItem(item)
                if model.slug == chosen:
                    self.list.setCurrentItem(item)
        if self.list.currentRow() < 0:
            self.list.setCurrentRow(0)
        self._show_current()

    @property
    def _slug(self) -> str:
        item = self.list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item else ""

    def _show_current(self, *_: object) -> None:
        model = next((model for model in self._models if model.slug == self._slug), None)
        if model is None or self._description is None:
            return
        size = f"{model.bytes / 1e6:.1f} MB" if model.bytes else ""
        parts = (
            _KINDS.get(model.kind, ""),
            model.family,
            model.version,
            size,
            model.licence and f"licence {model.licence}",
        )
        self.facts.setText(model.problem or " \u00b7 ".join(filter(None, parts)))
        text = card_of(model.slug)
        if text != self.card.property("card"):
            self.card.setProperty("card", text)
            self.card.setMarkdown(text or "This model has no card.")
        players = [
            (str(number), f"in player {number + 1}", "")
            for number, kind in enumerate(self._description.kinds)
            if (kind == "notes") == (model.kind == "notes")
        ]
        new = len(self._description.kinds)
        items = [*players, (str(new), "in another player", "")]
        chosen = str(self.player.currentData() or "") if model.slug == self._of else ""
        self._of = model.slug
        self.player.show_items(items, chosen if chosen in {item[0] for item in items} else items[0][0])
        usable = bool(model.kind) and not model.problem
        self.use.setEnabled(usable)
        self.player.setEnabled(usable)

    def _use(self) -> None:
        self.asked.emit(LoadModel(self._slug, int(self.player.currentData())))

    def _import(self) -> None:
        dialog = QFileDialog(self, "Import a model", filter="Models (*.hocket)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.asked.emit(ImportModel(path)))
        dialog.open()


def card_of(slug: str) -> str:
    """The card of an installed model, as Markdown; "" if it has none."""
    for folder in models_dirs():
        with suppress(OSError), Path(folder, Path(slug).name, CARD).open(encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST_CARD)
    return ""
