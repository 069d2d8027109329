"""The main window: builds its parts and passes messages between them and the engine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, pairwise

import msgspec
from PySide6.QtCore import QSettings
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QVBoxLayout,
    QWidget,
)

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
from instrument.engine.performance.knobs import INSTRUMENT, OF_THE_ROOM, ROUTING, knob_name
from instrument.music.notes import Part
from instrument.paths import clips_dir
from instrument.ui import theme
from instrument.ui.banner import Banner
from instrument.ui.clips.tray import ClipTray
from instrument.ui.footer import Footer
from instrument.ui.knobs.board import Board
from instrument.ui.knobs.chip import PartChip
from instrument.ui.knobs.controls import Selector
from instrument.ui.layouts import clear, in_reading_order
from instrument.ui.link import Connect, EngineLink, LinkState
from instrument.ui.meters import SILENCE, LevelMeter
from instrument.ui.patches.files import PatchFiles
from instrument.ui.players import Players
from instrument.ui.roll.piano_roll import PianoRoll
from instrument.ui.roll.score import Score
from instrument.ui.setup.setup import Setup
from instrument.ui.sounds import STRIP_HEIGHT, AddSound
from instrument.ui.spectrogram import Spectrogram
from instrument.ui.studio.panel import StudioPanel
from instrument.ui.transport import TransportBar

_IN_TRANSPORT = ("tempo", "metre")
_ELSEWHERE = frozenset((*_IN_TRANSPORT, *OF_THE_ROOM, *ROUTING))
_STOPPED = {
    **dict.fromkeys(("committed", "plan", "player_levels", "banners"), ()),
    "playing": False,
    "levels": SILENCE,
    "spectrum": b"",
    "recording": "",
}
_LOWEST = 640  # least height of the window in pixels, without sound players
_PART_IDS = tuple(part.name.lower() for part in Part)


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
        self._ever_ran = False
        self.link = EngineLink(connect)
        self.link.described.connect(self.show_description)
        self.link.measured.connect(self.show_telemetry)
        self.link.refused.connect(self._refused)
        self.link.answered.connect(self._answered)
        self.link.changed.connect(self._engine_changed)
        self.link.failed.connect(self._engine_failed)
        self.link.frame.connect(self._frame)
        self.patches = PatchFiles(self, self.link, settings)
        self.setup = Setup(self, self.link)
        self.setup.zoomed.connect(self._zoom_to)
        self._actions = self._make_actions()
        self._build()
        self.resize(theme.px(1280), theme.px(800))
        if geometry := settings.value("geometry"):
            self.restoreGeometry(geometry)

    def start(self) -> None:
        """Begin to connect to the engine."""
        self.roll.show_hint("Starting the engine\u2026")
        self.link.start()

    # -- parts

    def _build(self) -> None:
        self._knobs_shown: object = None
        self.board = Board()
        self.board.turned.connect(self.link.turn)
        self.board.gripped.connect(self.link.grip)
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
        self.roll, self.level = PianoRoll(self._score), LevelMeter()
        self.footer, self.add_sound, self.spectrogram = Footer(), AddSound(), Spectrogram()
        self.footer.opened.connect(lambda: self.link.send(Describe()))
        self.studio = StudioPanel(self.board, self)
        for asked in (self.footer.changed, self.studio.asked, self.roll.asked):
            asked.connect(self.link.send)
        self.studio.addActions([action for action in self._actions if not action.isSeparator()])
        self.footer.studio_pressed.connect(self.studio.show)
        self.setup.show_in(self.studio, self.banner.notify)
        self.players = Players(self.board)
        self.players.picked.connect(lambda slug, player: self.link.send(LoadModel(slug, player)))
        self.players.asked.connect(self._ask)
        self.add_sound.picked.connect(self._add_sound)
        self.clips = ClipTray(clips_dir())
        self.clips.kept.connect(lambda name: self.link.send(Press(name)))
        self.clips.played.connect(lambda path: self.link.send(PlayTake(path)))
        self.clips.failed.connect(self.banner.notify)
        self.clips.changed.connect(self._order_tabs)

        stage = QFrame()
        stage.setObjectName("stage")
        stage_row = QHBoxLayout(stage)
        stage_row.setContentsMargins(theme.px(8), 0, theme.px(4), theme.px(10))
        stage_row.setSpacing(theme.px(6))
        self._chips = QHBoxLayout()
        self._chips.setSpacing(theme.px(6))
        above_roll = QHBoxLayout()
        above_roll.setContentsMargins(theme.px(52), theme.px(12), 0, theme.px(2))
        above_roll.addLayout(self._chips)
        above_roll.addStretch(1)
        above_roll.addWidget(self.add_sound)
        roll_column = QVBoxLayout()
        roll_column.setSpacing(0)
        roll_column.addLayout(above_roll)
        roll_column.addWidget(self.roll, 5)
        roll_column.addSpacing(theme.px(6))
        roll_column.addWidget(self.spectrogram, 1)
        stage_row.addLayout(roll_column, 1)
        stage_row.addLayout(self.players.pads)
        meter = QVBoxLayout()
        meter.setContentsMargins(0, theme.px(14), 0, 0)
        meter.addWidget(self.level)
        stage_row.addLayout(meter)

        body = QWidget()
        middle = QVBoxLayout(body)
        middle.setContentsMargins(theme.px(10), theme.px(10), theme.px(10), theme.px(10))
        middle.setSpacing(theme.px(10))
        middle.addWidget(stage, 1)
        middle.addWidget(self.clips)
        middle.addWidget(self.players.panel_row)
        middle.addWidget(self.players.strip_row)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.transport)
        column.addWidget(body, 1)
        column.addWidget(self.footer)
        self.banner.float_over(body)
        self.setCentralWidget(whole)
        self._fit()

    def _make_actions(self) -> list[QAction]:
        """All actions with a shortcut. Those with a name are in the menu; one without keys is a separator there."""
        table: tuple[tuple[str, str, Callable[[], object]], ...] = (
            ("", "Space", self.play_or_stop),
            ("", "Esc", self.panic),
            ("", "T", lambda: self.link.send(Press("transport/tap"))),
            ("", "Ctrl+R", lambda: self.transport.record.click()),
            ("Undo", "Ctrl+Z", lambda: self.link.send(Undo())),
            ("Redo", "Ctrl+Shift+Z Ctrl+Y", lambda: self.link.send(Undo(redo=True))),
            ("-", "", lambda: None),
            *self.patches.actions,
            ("-", "", lambda: None),
            *self.setup.actions,
            ("-", "", lambda: None),
            ("Larger", "Ctrl++ Ctrl+=", lambda: self._zoom(1)),
            ("Smaller", "Ctrl+-", lambda: self._zoom(-1)),
            ("Normal size", "Ctrl+0", lambda: self._zoom(0)),
            ("-", "", lambda: None),
            ("Quit", "Ctrl+Q", self.close),
        )
        actions = []
        for name, keys, do in table:
            action = QAction(name, self)
            action.setSeparator(not keys)
            action.setShortcuts([QKeySequence(key) for key in keys.split()])
            action.setAutoRepeat(False)
            action.triggered.connect(do)
            self.addAction(action)
            actions.append(action)
        return actions

    # -- actions of the user

    def play_or_stop(self) -> None:
        """Start the music, or stop it."""
        self.link.send(Stop() if self.transport.playing else Play())

    def panic(self) -> None:
        """Stop all notes, or stop waiting for a MIDI controller."""
        waits = self._telemetry is not None and self._telemetry.learning
        self.link.send(Learn("") if waits else Panic())

    def _zoom(self, by: int) -> None:
        at = min(range(len(theme.ZOOMS)), key=lambda i: abs(theme.ZOOMS[i] - theme.zoom()))
        self._zoom_to(1.0 if by == 0 else theme.ZOOMS[min(max(at + by, 0), len(theme.ZOOMS) - 1)])

    def _zoom_to(self, factor: float) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self._settings.setValue("zoom", factor)
        theme.apply(app, factor)
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

    @property
    def models(self) -> list[Selector]:
        """The list of models of each player."""
        return self.players.models

    # -- reports of the engine

    def show_description(self, description: Description) -> None:
        """Show models, devices, patches and the values of the knobs."""
        self._description = description
        self.patches.show_description(description)
        self.clips.show_description(description)
        padded = tuple(pad is not None for pad in description.pads)
        wanted = (description.knobs, len(description.players), description.kinds, padded)
        if wanted != self._knobs_shown:
            self._knobs_shown = wanted
            focused = self._focused()
            self._make_controls(description)
            if focused in (names := self._named()):
                names[focused].setFocus()
        self.players.show_description(description)
        self.studio.show_description(description)
        self.add_sound.show_models(description.models, len(description.players))
        self.board.show_values(description.values, self.link.pending)
        self.board.show_anchors(description.pads)
        self.board.show_bindings(description.bindings)
        self.roll.show_values(description.values)
        self.transport.show_description(description)
        self.footer.show_description(description)
        name = description.patch or "Untitled"
        self.setWindowTitle(f"{name}{'*' if description.patch_changed else ''} \u2013 Hocket")

    def show_telemetry(self, report: Telemetry) -> None:
        """Show position, notes, levels and states."""
        self._telemetry, self.board.learning = report, report.learning
        self.transport.show_telemetry(report)
        self.roll.show_telemetry(report)
        self.level.show_levels(report.levels)
        self.players.show_telemetry(report)
        self.spectrogram.show_spectrum(report.spectrum)
        self.footer.show_telemetry(report)
        self.studio.show_telemetry(report)
        self.clips.show_telemetry(report)
        self.banner.show_states(report.banners)

    def _make_controls(self, description: Description) -> None:
        own = {info.id: info for info in description.knobs if info.player == INSTRUMENT}
        self.board.drop((INSTRUMENT, id) for id in _IN_TRANSPORT)
        self.transport.show_knobs(*(own.get(id) for id in _IN_TRANSPORT))
        clear(self._chips)
        for part, id in enumerate(_PART_IDS):
            if id in own:
                chip = PartChip(own[id], theme.PARTS[part])
                self.board.add(own[id], chip)
                self._chips.addWidget(chip)
        self.studio.make(description)
        self.players.make(description, (own[id] for id in own if id not in (*_ELSEWHERE, *_PART_IDS)))
        self._fit()
        self._order_tabs()

    def _fit(self) -> None:
        """Set the least height so that the roll keeps its room."""
        self.setMinimumHeight(theme.px(_LOWEST + (STRIP_HEIGHT if self.players.strips else 0)))

    def _named(self) -> dict[object, QWidget]:
        """The controls that are rebuilt when the knobs change, by names that stay the same."""
        pads = ((f"pad {player}", pad) for player, pad in self.board.pads.items())
        return dict(chain(self.players.widgets().items(), self.board.controls.items(), pads))

    def _focused(self) -> object:
        return next((name for name, widget in self._named().items() if widget.hasFocus()), None)

    def _order_tabs(self) -> None:
        widgets = [*in_reading_order(self), *in_reading_order(self.banner)]
        for first, second in pairwise(widgets):
            QWidget.setTabOrder(first, second)

    def _ask(self, command: AnyCommand) -> None:
        self.link.send(command)
        if isinstance(command, RemovePlayer):
            self.add_sound.setFocus()  # else the focus would move to the next strip's close button

    def _add_sound(self, slug: str) -> None:
        self.add_sound.show_busy()
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
        self.transport.setEnabled(running)
        for part in (self.players.panel_row, self.players.strip_row, self.add_sound, self.studio):
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
        self.roll.advance()
        self.banner.tick()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._settings.setValue("geometry", self.saveGeometry())
        self.link.close(quit=not self.keep)
        super().closeEvent(event)
