"""The players in the window: a panel for each note player, a strip for each sound player, and latent pads."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from instrument.engine.ipc.messages import Description, KnobInfo, Press, RemovePlayer, Telemetry
from instrument.engine.performance.arrangement import SENDING
from instrument.engine.performance.pad import AXES
from instrument.ui import theme
from instrument.ui.form import FormPanel
from instrument.ui.knobs.board import NOTES, SOUNDS, Board, instrument_panel, model_items, player_panel
from instrument.ui.knobs.controls import Selector
from instrument.ui.layouts import ScrollRow, clear
from instrument.ui.meters import SILENCE
from instrument.ui.sounds import STRIP_HEIGHT, SoundStrip

_PANEL_HEIGHT = 158
_KEYBOARD = "keys_"  # how the ids of the knobs of the keyboard begin


class Players(QObject):
    """The controls of all players: two rows of panels and strips, and pads next to the roll.

    Signals: `picked` carries a model's slug and the number of the player that is to use it; `asked` carries a command.
    """

    picked = Signal(str, int)
    asked = Signal(object)

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.models: list[Selector] = []  # by player
        self.form = FormPanel()
        self.strips: dict[int, SoundStrip] = {}  # by player
        self.panel_row, self.strip_row = ScrollRow(_PANEL_HEIGHT), ScrollRow(STRIP_HEIGHT)
        self.strip_row.hide()
        self.pads = QVBoxLayout()
        self.pads.setContentsMargins(theme.px(8), theme.px(10), 0, 0)
        self.pads.setSpacing(theme.px(10))
        self._board = board

    def make(self, description: Description, instrument: Iterable[KnobInfo]) -> None:
        """Build all controls. instrument: the knobs of the panel that belongs to no single player."""
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
            knobs = [info for info in description.knobs if info.player == player and info.id not in SENDING]
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
        instrument = list(instrument)
        keys = [info for info in instrument if info.id.startswith(_KEYBOARD)]
        self.panel_row.contents.addWidget(instrument_panel(self._board, (i for i in instrument if i not in keys)))
        self.panel_row.contents.addWidget(instrument_panel(self._board, keys, "Keyboard"))
        self.form = FormPanel()
        self.form.pressed.connect(lambda name: self.asked.emit(Press(name)))
        self.panel_row.contents.addWidget(self.form)
        self.strip_row.contents.addStretch(1)
        self.strip_row.setVisible(bool(self.strips))

    def show_description(self, description: Description) -> None:
        """Show the models to choose from, and those in use."""
        for player, selector in enumerate(self.models):
            selector.show_items(
                model_items(description.models, _kinds(description, player)), description.players[player]
            )

    def show_telemetry(self, report: Telemetry) -> None:
        """Show the levels of the sound players."""
        for player, strip in self.strips.items():
            reported = player < len(report.player_levels)  # not while the engine restarts or loads the player
            strip.show_levels(*(report.player_levels[player], report.underruns[player]) if reported else (SILENCE, 0))

    def widgets(self) -> dict[object, QWidget]:
        """The widgets that `make` builds, apart from the board's controls, by names that stay the same."""
        removes = ((("remove", player), strip.remove) for player, strip in self.strips.items())
        form = ((("form", name), button) for name, button in self.form.buttons.items())
        return {**dict(enumerate(self.models)), **dict(removes), **dict(form)}

    def _pick(self, player: int, slug: str) -> None:
        self.models[player].show_busy("Loading\u2026")
        self.picked.emit(slug, player)


def _kinds(description: Description, player: int) -> tuple[str, ...]:
    """The kinds of models that a player can use."""
    return SOUNDS if description.kinds[player : player + 1] not in ((), NOTES) else NOTES
