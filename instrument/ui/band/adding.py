"""The button that adds a player, with a list of the models."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import groupby

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QMenu

from instrument.engine.ipc.messages import ModelInfo
from instrument.ui import icons, theme
from instrument.ui.knobs.board import NOTES, SOUNDS
from instrument.ui.knobs.controls import Button, pretty

MAX_PLAYERS = 16  # most players of a patch
_FAMILIES = {
    "cmelgan": "Endless streams", "ddsp": "Voices that morph while held", "gansynth": "Voices",
    "lstm": "Players of notes", "transformer": "Players of notes", "musicvae": "Phrases with a pad",
}  # fmt: skip


class AddPlayer(Button):
    """Opens a list of the models, by what they do. The signal `picked` carries a slug."""

    picked = Signal(str)

    def __init__(self) -> None:
        help = "Add a player: of notes, a voice that plays a part, or an endless stream"
        super().__init__("Add player", help, icons.icon("add", theme.MUTED), "fold")
        self.setIconSize(QSize(theme.px(12), theme.px(12)))
        self._models: tuple[ModelInfo, ...] = ()
        self.clicked.connect(lambda: self.menu_of_models().popup(self.mapToGlobal(self.rect().topLeft())))

    def show_models(self, models: Iterable[ModelInfo], players: int) -> None:
        """Take the list. models: all models; players: the number of players in the patch."""
        self._models = tuple(model for model in models if model.kind in (*NOTES, *SOUNDS))
        self.setText("Add player")
        self.setEnabled(players < MAX_PLAYERS and bool(self._models))

    def show_busy(self) -> None:
        """Show that a model is being loaded, until `show_models`."""
        self.setText("Loading\u2026")
        self.setEnabled(False)

    def menu_of_models(self) -> QMenu:
        """The list as a menu; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        named = sorted((_FAMILIES.get(m.family, pretty(m.family)), m.name or m.slug, m.slug) for m in self._models)
        models = {model.slug: model for model in self._models}
        for family, rows in groupby(named, lambda row: row[0]):
            menu.addAction(family).setEnabled(False)
            for _, name, slug in rows:
                action = menu.addAction(f"   {name}", partial(self.picked.emit, slug))
                action.setEnabled(not models[slug].problem)
                action.setToolTip(models[slug].problem)
            menu.addSeparator()
        return menu
