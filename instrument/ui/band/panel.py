"""The panel of the band: a list of the players at the left, the knobs of the chosen one at the right."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import Description, KnobInfo, NoteReport, RemovePlayer, Telemetry
from instrument.engine.performance.arrangement import SENDING
from instrument.engine.performance.pad import AXES
from instrument.ui import theme
from instrument.ui.band.adding import AddPlayer
from instrument.ui.band.page import KnobPage
from instrument.ui.band.rows import HEIGHT, ROW_KNOBS, PlayerRow
from instrument.ui.band.words import YOU
from instrument.ui.knobs.board import NOTES, SOUNDS, Board, model_items
from instrument.ui.knobs.controls import Button, Selector
from instrument.ui.layouts import ScrollColumn, clear
from instrument.ui.meters import FLOOR_DB, SILENCE

_LIST = 0.43  # share of the width, up to
_LIST_WIDEST = 520
_LEAST, _MOST = 136, 0.42  # height in pixels, and as a share of the window's
BAND, YOUR = "band", "you"
_ROLES = {frozenset(("melody", "chords", "bass", "drums", "other")): "Whole band", frozenset(): "Whole band"}


class BandPanel(QFrame):
    """Signals: `picked` carries a model's slug and the number of the player that is to use it; `asked` carries a
    command; `chosen`: another row is chosen.

    models, rows: by player; pads: the latent pads, of which that of the chosen player is shown.
    """

    picked = Signal(str, int)
    asked = Signal(object)
    chosen = Signal()

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAccessibleName("Band")
        self._board = board
        self.models: list[Selector] = []
        self.rows: dict[int, PlayerRow] = {}
        self.pads = QStackedWidget()
        self.pads.hide()
        self.add = AddPlayer()
        self.choice: object = 0
        self._heads = {
            BAND: Button("Whole band", "Knobs of the whole band: key, chords, loudness", name="act"),
            YOUR: Button("You", "How the band plays with you, and your keyboard", name="act"),
        }
        self._pages: dict[object, KnobPage] = {}
        self._pad_of: dict[object, QWidget] = {}
        self._list, self._knobs = ScrollColumn(), ScrollColumn()
        head = QHBoxLayout()
        head.setSpacing(theme.px(4))
        for name, button in self._heads.items():
            button.setCheckable(True)
            button.clicked.connect(partial(self.choose, name))
            head.addWidget(button)
        head.addStretch(1)
        head.addWidget(self.add)
        left = QVBoxLayout()
        left.setSpacing(theme.px(4))
        left.addLayout(head)
        left.addWidget(self._list, 1)
        self._left = QWidget()
        self._left.setLayout(left)
        left.setContentsMargins(theme.px(8), theme.px(6), 0, theme.px(6))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._left)
        row.addWidget(self._knobs, 1)

    def make(self, description: Description, knobs: Sequence[KnobInfo]) -> None:
        """Build all controls. knobs: those of the instrument that belong here, and of all players."""
        clear(self._list.contents)
        clear(self._knobs.contents)
        while (last := self.pads.widget(0)) is not None:
            self.pads.removeWidget(last)
            last.deleteLater()
        self.models, self.rows, self._pages, self._pad_of = [], {}, {}, {}
        own = [info for info in knobs if info.player < 0]
        self._add(BAND, "Whole band", BAND, [info for info in own if info.id not in YOU])
        for player in range(len(description.players)):
            self._add_player(description, player, [info for info in knobs if info.player == player])
        self._add(YOUR, "You", YOUR, [info for info in own if info.id in YOU])
        self._list.contents.addStretch(1)
        self.choose(self.choice if self.choice in self._pages else 0 if self.rows else BAND)

    def choose(self, which: object, _checked: bool = False) -> None:
        """Show the knobs of a player, of the "band" or of "you"."""
        self.choice = which
        for head, button in self._heads.items():
            button.setChecked(head == which)
        for player, row in self.rows.items():
            row.show_chosen(player == which)
        for name, page in self._pages.items():
            page.setVisible(name == which)
        pad = self._pad_of.get(which) or next(iter(self._pad_of.values()), None)
        if pad is not None:
            self.pads.setCurrentWidget(pad)
        self.pads.setVisible(pad is not None)
        self._fit()
        self.chosen.emit()

    @property
    def page(self) -> KnobPage:
        """The knobs that are shown."""
        return self._pages[self.choice]

    def show_description(self, description: Description) -> None:
        """Show the models to choose from, and those in use."""
        for player, selector in enumerate(self.models):
            items = model_items(description.models, _kinds(description, player))
            selector.show_items(items, description.players[player])
        self.add.show_models(description.models, len(description.players))

    def show_telemetry(self, report: Telemetry, sounding: Sequence[NoteReport]) -> None:
        """Show the levels of the players. sounding: the notes that sound now, which stand for the level of those that
        play notes."""
        struck: dict[int, int] = {}
        for note in sounding:
            struck[note.player] = max(note.velocity, struck.get(note.player, 0))
        for player, row in self.rows.items():
            levels, underruns = SILENCE, 0
            if player < len(report.player_levels):  # not while the engine restarts or loads the player
                levels, underruns = report.player_levels[player], report.underruns[player]
            if player in struck:
                levels = (FLOOR_DB * (1 - struck[player] / 127),) * 2
            row.show_levels(levels, underruns)

    def widgets(self) -> dict[object, QWidget]:
        """The widgets that `make` builds, apart from the board's controls, by names that stay the same."""
        found: dict[object, QWidget] = dict(enumerate(self.models))
        found.update({("remove", player): row.remove for player, row in self.rows.items()})
        found.update({("row", player): row.badge for player, row in self.rows.items()})
        found.update({("more", name): page.more for name, page in self._pages.items()})
        return found

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    def _fit(self) -> None:
        """Take the height that the list and the knobs need, within limits."""
        self._left.setFixedWidth(min(round(self.width() * _LIST), theme.px(_LIST_WIDEST)))
        if (page := self._pages.get(self.choice)) is None:
            return
        knobs = page.needed_height(self.width() - self._left.width())
        rows = theme.px(48) + len(self.rows) * theme.px(HEIGHT + 2)
        most = round(self.window().height() * _MOST)
        self.setFixedHeight(max(min(max(knobs, rows), most), theme.px(_LEAST)))

    def _add(self, name: object, title: str, of: str, knobs: Sequence[KnobInfo]) -> None:
        page = self._pages[name] = KnobPage(self._board, title, of, knobs)
        page.resized.connect(self._fit)
        self._knobs.contents.addWidget(page)

    def _add_player(self, description: Description, player: int, knobs: Sequence[KnobInfo]) -> None:
        selector = Selector(f"Model of player {player + 1}", "The model that plays")
        selector.picked.connect(partial(self._pick, player))
        self.models.append(selector)
        kind = description.kinds[player] if player < len(description.kinds) else NOTES[0]
        row = PlayerRow(self._board, player + 1, _role(description, player, kind), selector, knobs)
        row.removed.connect(partial(self.asked.emit, RemovePlayer(player)))
        row.chosen.connect(partial(self.choose, player))
        self.rows[player] = row
        self._list.contents.addWidget(row)
        knobs = [info for info in knobs if info.id not in SENDING and info.id not in ROW_KNOBS]
        if player < len(description.pads) and description.pads[player] is not None:
            several = sum(pad is not None for pad in description.pads) > 1
            pad = self._board.add_pad(player, knobs, f"Pad of player {player + 1}" if several else "Pad")
            pad.asked.connect(self.asked)
            self.pads.addWidget(pad)
            self._pad_of[player] = pad
            knobs = [info for info in knobs if info.id not in AXES]
        self._add(player, f"Player {player + 1}", kind, knobs)

    def _pick(self, player: int, slug: str) -> None:
        self.models[player].show_busy("Loading\u2026")
        self.picked.emit(slug, player)


def _role(description: Description, player: int, kind: str) -> str:
    """What a player does, in a word or two."""
    if kind not in NOTES:
        return {"voice": "Voice", "stream": "Stream"}.get(kind, "Sound")
    parts = description.parts[player] if player < len(description.parts) else ()
    return _ROLES.get(frozenset(parts), ", ".join(parts).capitalize())


def _kinds(description: Description, player: int) -> tuple[str, ...]:
    """The kinds of models that a player can use."""
    return SOUNDS if description.kinds[player : player + 1] not in ((), NOTES) else NOTES
