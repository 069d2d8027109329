"""The main window: builds its parts and passes messages between them and the engine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, pairwise

import msgspec
from PySide6.QtCore import QSettings
from PySide6.QtGui import QAction, QCloseEvent
from PySide6.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import (
    AnyCommand,
    Describe,
    Description,
    Learn,
    LoadModel,
    LoadPatch,
    Panic,
    Play,
    PlayTake,
    Press,
    Record,
    RemovePlayer,
    SetKnob,
    Stop,
    Telemetry,
    Undo,
)
from instrument.engine.performance.knobs import INSTRUMENT, MACROS, OF_THE_ROOM, ROUTING, knob_name
from instrument.paths import clips_dir
from instrument.ui import fitting, theme
from instrument.ui.band.panel import BandPanel
from instrument.ui.band.words import plain
from instrument.ui.banner import Banner
from instrument.ui.clips.tray import ClipTray
from instrument.ui.footer import CLIPS, KEYBOARD, Footer
from instrument.ui.knobs.board import Board
from instrument.ui.knobs.controls import Selector
from instrument.ui.knobs.steps import name_steps
from instrument.ui.layouts import add_actions, in_reading_order
from instrument.ui.link import Connect, EngineLink, LinkState
from instrument.ui.macros.strip import MacroStrip
from instrument.ui.macros.surprise import Surprise
from instrument.ui.meters import SILENCE
from instrument.ui.patches.files import PatchFiles
from instrument.ui.playing.acts import ACT_KNOBS
from instrument.ui.playing.panel import KeyboardPanel
from instrument.ui.roll.score import Score
from instrument.ui.setup.setup import Setup
from instrument.ui.stage import PART_IDS, Stage
from instrument.ui.studio.panel import StudioPanel
from instrument.ui.transport import TransportBar

_IN_TRANSPORT = ("tempo", "metre")
_ELSEWHERE = frozenset((*_IN_TRANSPORT, *OF_THE_ROOM, *ROUTING, *PART_IDS, *ACT_KNOBS, *MACROS, "remake"))
_STOPPED = {
    **dict.fromkeys(("committed", "plan", "player_levels", "banners"), ()),
    "playing": False,
    "levels": SILENCE,
    "spectrum": b"",
    "recording": "",
}


class Window(QMainWindow):
    """Hocket's window. keep: closing it leaves the engine playing; log: path of the engine's log, named after a
    crash."""

    def __init__(self, connect: Connect, settings: QSettings, keep: bool = False, log: str = "") -> None:
        super().__init__()
        self.setWindowTitle("Hocket")
        self.keep = keep
        self.error = ""  # why the engine could not be started the first time
        self._settings = settings
        self._log = log
        self._score = Score()
        self._description: Description | None = None
        self._telemetry: Telemetry | None = None
        self._ever_ran = self._ever_played = False
        self.link = EngineLink(connect)
        self.link.described.connect(self.show_description)
        self.link.measured.connect(self.show_telemetry)
        self.link.refused.connect(self._refused)
        self.link.answered.connect(self._answered)
        self.link.changed.connect(self._engine_changed)
        self.link.failed.connect(self._engine_failed)
        self.link.frame.connect(self._frame)
        self.patches = PatchFiles(self, self.link, settings)
        self.appearance = fitting.Appearance(self, settings)
        self.appearance.changed.connect(self._rebuild)
        self.setup, self.surprise = Setup(self, self.link, settings, self.appearance), Surprise(self, self.link)
        self._actions = self._make_actions()
        name_steps(self.link, *(action for action in self._actions if action.text() in ("Undo", "Redo")))
        self._build()
        self.resize(theme.px(fitting.USUAL.width()), theme.px(fitting.USUAL.height()))
        if geometry := settings.value("geometry"):
            self.restoreGeometry(geometry)
        self.appearance.fit()

    def start(self) -> None:
        """Begin to connect to the engine."""
        self._score.show_ghosts()
        self.roll.show_hint("Starting the engine\u2026", over=True)
        self.link.start()

    # -- parts

    def _build(self) -> None:
        self._knobs_shown: object = None
        self.board = Board()
        self.board.turned.connect(self.link.turn)
        self.board.gripped.connect(self.link.grip)
        self.board.asked.connect(self.link.send)
        self.macros = MacroStrip(self.board)
        self.macros.varied.connect(self.surprise.open)
        self.board.learned.connect(lambda player, knob, on: self.link.send(Learn(knob, player, on)))
        self.transport = TransportBar(self.board)
        self.transport.play_pressed.connect(self.play_or_stop)
        self.transport.keep_kind(self._settings)
        self.transport.panic_pressed.connect(self.panic)
        self.transport.tap_pressed.connect(lambda: self.link.send(Press("transport/tap")))
        self.transport.record_pressed.connect(lambda path: self.link.send(Record(path)))
        self.transport.patch_picked.connect(lambda name: self.link.send(LoadPatch(name)))
        self.transport.save_pressed.connect(self.patches.save)
        self.transport.menu.addActions([action for action in self._actions if action.text()])
        self.transport.add_learning(lambda name: self.link.send(Learn(name)))
        self.banner = Banner()
        self.banner.offered.connect(self.link.retry)
        self.footer = Footer()
        self.footer.opened.connect(lambda: self.link.send(Describe()))
        self.studio = StudioPanel(self.board, self)
        self.studio.addActions([action for action in self._actions if not action.isSeparator()])
        self.footer.studio_pressed.connect(self.studio.show)
        self.setup.show_in(self.studio, self.banner.notify)
        self.footer.folded.connect(self._fold)
        self.band = BandPanel(self.board)
        self.band.picked.connect(lambda slug, player: self.link.send(LoadModel(slug, player)))
        self.band.asked.connect(self._ask)
        self.band.add.picked.connect(self._add_player)
        self.band.chosen.connect(self._choose)
        self.stage = Stage(self.board, self._score, self.band.pads)
        self.roll, self.level = self.stage.roll, self.stage.level
        self.roll.still = self.appearance.still
        self.keyboard = KeyboardPanel(self._score, self)
        self.keyboard.struck.connect(self._begin)
        for asked in (self.footer.changed, self.studio.asked, self.stage.asked, self.keyboard.asked):
            asked.connect(self.link.send)
        self.clips = ClipTray(clips_dir())
        self.clips.kept.connect(lambda name: self.link.send(Press(name)))
        self.clips.played.connect(lambda path: self.link.send(PlayTake(path)))
        self.clips.failed.connect(self.banner.notify)
        self.clips.changed.connect(self._order_tabs)

        body = QWidget()
        middle = QVBoxLayout(body)
        middle.setContentsMargins(theme.px(8), theme.px(8), theme.px(8), theme.px(8))
        middle.setSpacing(theme.px(8))
        middle.addWidget(self.stage, 1)
        for part in (self.macros, self.clips, self.band, self.keyboard):
            middle.addWidget(part)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.transport)
        column.addWidget(body, 1)
        column.addWidget(self.footer)
        self.banner.float_over(self.roll)
        self.setCentralWidget(whole)
        for name in self.footer.folds:
            wanted = bool(self._settings.value(f"shows/{name}", name == KEYBOARD, type=bool))
            self.unfold(name, wanted and (name != KEYBOARD or self._is_high))

    @property
    def _is_high(self) -> bool:
        """Whether the screen has room for the keyboard, too."""
        return self.screen().availableSize().height() >= theme.px(fitting.ROOMY)

    def _make_actions(self) -> list[QAction]:
        """All actions with a shortcut. Those with a name are in the menu; one without keys is a separator there."""
        table: tuple[tuple[str, str, Callable[[], object]], ...] = (
            ("", "Space", self.play_or_stop),
            ("", "Esc", self.panic),
            ("", "T Ctrl+T", lambda: self.link.send(Press("transport/tap"))),
            ("", "Ctrl+R", lambda: self.transport.record.click()),
            ("Undo", "Ctrl+Z", lambda: self.link.send(Undo())),
            ("Redo", "Ctrl+Shift+Z Ctrl+Y", lambda: self.link.send(Undo(redo=True))),
            ("-", "", lambda: None),
            *self.patches.actions,
            ("-", "", lambda: None),
            *self.setup.actions,
            ("-", "", lambda: None),
            ("Larger", "Ctrl++ Ctrl+=", lambda: self.appearance.zoom(1)),
            ("Smaller", "Ctrl+-", lambda: self.appearance.zoom(-1)),
            ("Normal size", "Ctrl+0", lambda: self.appearance.zoom(0)),
            ("Light or dark", "Ctrl+L", self.appearance.change_look),
            ("Less motion", "Ctrl+Shift+L", self.appearance.change_motion),
            ("Stage view", "F11", self.change_stage_view),
            ("-", "", lambda: None),
            ("Quit", "Ctrl+Q", self.close),
        )
        return add_actions(self, table)

    # -- actions of the user

    def play_or_stop(self) -> None:
        """Start the music, or stop it."""
        self.link.send(Stop() if self.transport.playing else Play())

    def panic(self) -> None:
        """Stop all notes, or stop waiting for a MIDI controller."""
        waits = self._telemetry is not None and self._telemetry.learning
        self.link.send(Learn("") if waits else Panic())

    def change_stage_view(self) -> None:
        """Show only what is read from afar, on the whole screen, or all as usual."""
        large = not self.isFullScreen()
        self.stage.show_large(large)
        self.transport.show_large(large)
        folds = {self.keyboard: KEYBOARD, self.clips: CLIPS}
        for part in (self.band, self.macros, self.footer, self.keyboard, self.clips):
            part.setVisible(not large and (part not in folds or self.footer.folds[folds[part]].isChecked()))
        self.showFullScreen() if large else self.showNormal()

    def unfold(self, name: str, on: bool = True) -> None:
        """Show a part that can be folded away (`footer.FOLDS`), or fold it away."""
        self.footer.unfold(name, on)
        self._fold(name, on)

    def _fold(self, name: str, on: bool) -> None:
        self._settings.setValue(f"shows/{name}", on)
        if name == KEYBOARD:
            self.keyboard.open(on)
        elif name == CLIPS:
            self.clips.setVisible(on)
        self._order_tabs()

    def _choose(self) -> None:
        """Another row of the band is chosen."""
        self.roll.player = self.band.choice if isinstance(self.band.choice, int) else 0
        self._order_tabs()

    def _begin(self) -> None:
        """The first key that is struck starts the music; later ones are played, whether it runs or not."""
        if not self._ever_played:
            self._ever_played = True
            self.link.send(Play())

    def _rebuild(self) -> None:
        """Build everything anew, in other sizes or colours."""
        states = self.banner.text
        self.studio.deleteLater()
        self._build()
        self.setup.rebuild()
        if states:
            self.banner.notify(states)
        if self._description is not None:
            self.show_description(self._description)
        if self._telemetry is not None:
            self.show_telemetry(self._telemetry)
        self.appearance.fit()

    @property
    def models(self) -> list[Selector]:
        """The list of models of each player."""
        return self.band.models

    # -- reports of the engine

    def show_description(self, description: Description) -> None:
        """Show models, devices, patches and the values of the knobs."""
        knobs = tuple(map(plain, description.knobs))
        self._description = description = msgspec.structs.replace(description, knobs=knobs)
        self.patches.show_description(description)
        self.clips.show_description(description)
        padded = tuple(pad is not None for pad in description.pads)
        wanted = (description.knobs, len(description.players), description.kinds, padded, description.parts)
        if wanted != self._knobs_shown:
            self._knobs_shown = wanted
            focused = self._focused()
            self._make_controls(description)
            if focused in (names := self._named()):
                names[focused].setFocus()
        self.band.show_description(description)
        self.stage.show_description(description)
        self.keyboard.show_description(description)
        self.studio.show_description(description)
        self.board.show_values(description.values, self.link.pending)
        self.board.show_anchors(description.pads)
        self.board.show_bindings(description.bindings)
        self.transport.show_description(description)
        self.footer.show_description(description)
        name = description.patch or "Untitled"
        self.setWindowTitle(f"{name}{'*' if description.patch_changed else ''} \u2013 Hocket")

    def show_telemetry(self, report: Telemetry) -> None:
        """Show position, notes, levels and states."""
        self._telemetry, self.board.learning = report, report.learning
        self.transport.show_telemetry(report)
        self._ever_played = self._ever_played or report.playing
        self.stage.show_telemetry(report)
        self.banner.show_states(report.banners)
        self.band.show_telemetry(report, self._score.sounding)
        self.keyboard.show_telemetry(report)
        self.footer.show_telemetry(report)
        self.studio.show_telemetry(report)
        self.clips.show_telemetry(report)

    def _make_controls(self, description: Description) -> None:
        own = {info.id: info for info in description.knobs if info.player == INSTRUMENT}
        self.board.drop((INSTRUMENT, id) for id in _IN_TRANSPORT)
        self.transport.show_knobs(*(own.get(id) for id in _IN_TRANSPORT))
        self.stage.make(own)
        self.studio.make(description)
        self.band.make(
            description, [info for info in description.knobs if info.player >= 0 or info.id not in _ELSEWHERE]
        )
        self.macros.make(description)
        self.board.show_description(description)
        self._order_tabs()

    def _named(self) -> dict[object, QWidget]:
        """The controls that are rebuilt when the knobs change, by names that stay the same."""
        pads = ((f"pad {player}", pad) for player, pad in self.board.pads.items())
        return dict(chain(self.band.widgets().items(), self.board.controls.items(), pads))

    def _focused(self) -> object:
        return next((name for name, widget in self._named().items() if widget.hasFocus()), None)

    def _order_tabs(self) -> None:
        widgets = [*in_reading_order(self.centralWidget()), *in_reading_order(self.banner)]
        for first, second in pairwise(widgets):
            QWidget.setTabOrder(first, second)

    def _ask(self, command: AnyCommand) -> None:
        self.link.send(command)
        if isinstance(command, RemovePlayer):
            self.band.add.setFocus()  # else the focus would move to the next strip's close button

    def _add_player(self, slug: str) -> None:
        self.band.add.show_busy()
        self.link.send(LoadModel(slug, len(self.models)))

    def _answered(self, command: AnyCommand) -> None:
        if isinstance(command, SetKnob) and self._description is not None:
            name = knob_name(command.player, command.knob)
            self._description.values[name] = command.value
            self.board.show_values({name: command.value}, self.link.pending)

    def _refused(self, error: str, command: AnyCommand | None) -> None:
        self.banner.notify(error)
        if self._description is not None and isinstance(command, LoadModel | SetKnob | LoadPatch):
            self.show_description(self._description)

    def _engine_changed(self, state: LinkState) -> None:
        running = state == LinkState.RUNNING
        if not running and self._telemetry is not None:
            self.show_telemetry(msgspec.structs.replace(self._telemetry, **_STOPPED))
        waiting = state == LinkState.STARTING  # what is pressed then is kept until it runs
        self.transport.setEnabled(running or waiting)
        for part in (self.band, self.studio):
            part.setEnabled(running)
        if running:
            self.banner.offer("")
            self.roll.show_hint("Press Space to play")
            if self._ever_ran:
                self.banner.notify("The engine stopped and was started again from its last autosave.")
            self._ever_ran = True
        elif state == LinkState.RESTARTING:
            self.banner.offer("The engine stopped unexpectedly. Starting it again\u2026")

    def _engine_failed(self, reason: str) -> None:
        if not self._ever_ran:
            self.error = reason
            self.close()
            return
        self.banner.dismiss()
        self.banner.offer(f"{reason} Its log: {self._log}" if self._log else reason, "Start the engine again")
        self.banner.button.setFocus()

    def _frame(self) -> None:
        if self.link.state != LinkState.RUNNING:
            self.level.show_levels(SILENCE)
        self.stage.advance()
        self.banner.tick()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._settings.setValue("geometry", self.saveGeometry())
        self.keyboard.release_all()
        self.link.close(quit=not self.keep)
        super().closeEvent(event)
