"""All players in the window: a panel for each that plays notes, a strip for each that sounds, and latent pads."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from instrument.engine.ipc.messages import Description, KnobInfo, RemovePlayer, Telemetry
from instrument.engine.performance.pad import AXES
from instrument.ui import theme
from instrument.ui.knobs.board import NOTES, SOUNDS, Board, instrument_panel, model_items, player_panel
from instrument.ui.knobs.controls import Selector
from instrument.ui.layouts import ScrollRow, clear
from instrument.ui.meters import SILENCE
from instrument.ui.sounds import STRIP_HEIGHT, SoundStrip

_PANEL_HEIGHT = 158


class Players(QObject):
    """What the window shows of its players, on two shelves and beside the roll. picked: a slug and the number of the
    player that is to have it; asked: a command."""

    picked = Signal(str, int)
    asked = Signal(object)

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.models: list[Selector] = []  # by player
        self.strips: dict[int, SoundStrip] = {}  # by player
        self.panel_row, self.strip_row = ScrollRow(_PANEL_HEIGHT), ScrollRow(STRIP_HEIGHT)
        self.strip_row.hide()
        self.pads = QVBoxLayout()
        self.pads.setContentsMargins(theme.px(8), theme.px(10), 0, 0)
        self.pads.setSpacing(theme.px(10))
        self._board = board

    def make(self, description: Description, instrument: Iterable[KnobInfo]) -> None:
        """Make all controls anew. instrument: the knobs for the panel of what belongs to all."""
        clear(self.panel_row.contents)
        clear(self.strip_row.contents)
        clear(self.pads)
        self.models, self.strips = [], {}
        kinds = [_kinds(description, player) for player in range(len(description.players))]
        many = kinds.count(NOTES) > 1
        pads = sum(pad is not None for pad in description.pads)
        for player, sounds in enumerate(kind == SOUNDS for kind in kinds):
            selector = Selector(f"Model of player {player + 1}" if many else "Model")
            selector.picked.connect(partial(self._pick, player))
            self.models.append(selector)
            knobs = [info for info in description.knobs if info.player == player]
            if player < len(description.pads) and description.pads[player] is not None:
                name = f"Latent pad {player + 1}" if pads > 1 else "Latent pad"
                pad = self._board.add_pad(player, knobs, name)
                pad.asked.connect(self.asked)
                self.pads.addWidget(pad)
                knobs = [info for info in knobs if info.id not in AXES]
            if sounds:
                strip = SoundStrip(self._board, len(self.strips) + 1, selector, knobs)
                strip.removed.connect(partial(self.asked.emit, RemovePlayer(player)))
                self.strips[player] = strip
                self.strip_row.contents.addWidget(strip)
            else:
                title = f"Player {player + 1}" if many else "Player"
                self.panel_row.contents.addWidget(player_panel(self._board, title, selector, knobs), 1)
        self.panel_row.contents.addWidget(instrument_panel(self._board, instrument))
        self.strip_row.contents.addStretch(1)
        self.strip_row.setVisible(bool(self.strips))

    def show_description(self, description: Description) -> None:
        """Show which models there are, and which are in use."""
        for player, selector in enumerate(self.models):
            selector.show_items(
                model_items(description.models, _kinds(description, player)), description.players[player]
            )

    def show_telemetry(self, report: Telemetry) -> None:
        """Show how loud those are that sound."""
        for player, strip in self.strips.items():
            told = player < len(report.player_levels)  # the engine may not know of it yet, or be gone
            strip.show_levels(*(report.player_levels[player], report.underruns[player]) if told else (SILENCE, 0))

    def widgets(self) -> dict[object, QWidget]:
        """What is made anew with the knobs beside the board's controls, by names that outlive it."""
        removes = ((("remove", player), strip.remove) for player, strip in self.strips.items())
        return {**dict(enumerate(self.models)), **dict(removes)}

    def _pick(self, player: int, slug: str) -> None:
        self.models[player].show_busy("Loading\u2026")
        self.picked.emit(slug, player)


def _kinds(description: Description, player: int) -> tuple[str, ...]:
    """The kinds of models that a player can have."""
    return SOUNDS if description.kinds[player : player + 1] not in ((), NOTES) else NOTES
