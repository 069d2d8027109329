"""The bar at the top of the window: play, record, position, tempo, patch, panic."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSettings, QStandardPaths, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QSizePolicy, QWidget

from instrument.engine.ipc.messages import Description, KnobInfo, Telemetry
from instrument.engine.surface.buttons import BUTTONS
from instrument.ui import icons, theme
from instrument.ui.knobs.board import Board
from instrument.ui.knobs.controls import Button, Choice, Field, NumberBox, Selector

RECORDINGS = (("wav", "Sound"), ("mid", "Notes"), ("take.json", "Take"))  # suffix, name in the list


KIND = "recording/kind"  # key of the settings
_NAMED_FROM = 1120  # width of the window from which there is room for the name
PATCH_HELP = "Load a patch; an asterisk marks unsaved changes"


class Position(QLabel):
    """Shows bar and beat."""

    def __init__(self) -> None:
        super().__init__("1.1")
        self.show_large(False)
        self.setAccessibleName("Bar and beat")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_large(self, large: bool) -> None:
        """Show it larger, or as usual."""
        size = theme.DISPLAY * (2.4 if large else 1)
        self.setFixedHeight(theme.px(theme.CONTROL * (2 if large else 1)))
        self.setStyleSheet(f"font-size: {theme.px(size)}px; font-weight: 600;")

    def show_place(self, bar: int, beat: int) -> None:
        """Show bar and beat, both counted from 1."""
        text = f"{bar}.{beat}"
        if text != self.text():
            self.setText(text)


class TransportBar(QFrame):
    """The top bar. It emits signals and does nothing else by itself."""

    play_pressed, panic_pressed, tap_pressed = Signal(), Signal(), Signal()
    record_pressed = Signal(str)  # a path; empty stops the recording
    patch_picked, save_pressed = Signal(str), Signal()

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.setObjectName("bar")
        self._board = board
        self.playing = False
        self.tempo: NumberBox | None = None

        mark, name = QLabel(), QLabel("hocket")
        picture = icons.logo(round(theme.px(24) * self.devicePixelRatioF()))
        picture.setDevicePixelRatio(self.devicePixelRatioF())
        mark.setPixmap(picture)
        mark.setFixedHeight(theme.px(theme.CONTROL))
        name.setStyleSheet(f"font-size: {theme.px(20)}px; font-weight: 600; letter-spacing: -0.4px;")
        name.setFixedHeight(theme.px(theme.CONTROL))
        self.play = Button("Play", "Start the music (Space)", icons.icon("play", theme.ON_ACCENT), "play")
        self.play.setFixedWidth(theme.px(88))
        self.play.clicked.connect(self.play_pressed)
        self.record = Button("", "", icons.icon("record", theme.RECORD), "record")
        self.record.setAccessibleName("Record")
        self.record.setCheckable(True)
        self.record.clicked.connect(self._record)
        self.kind = Selector("What to record", "Record sound (WAV), notes (MIDI), or a take, which can be played again")
        self.kind.show_items(((kind, name, "") for kind, name in RECORDINGS), RECORDINGS[0][0])
        self.kind.picked.connect(lambda _: self._show_kind())
        self.position = Position()
        self.tap = Button("Tap", "Tap the tempo (T)")
        self.tap.clicked.connect(self.tap_pressed)
        self.patch = Selector("Patch", PATCH_HELP)
        self.patch.picked.connect(self.patch_picked)
        self.save = Button("Save", "Save the patch (Ctrl+S)")
        self.save.clicked.connect(self.save_pressed)
        self.panic = Button("Panic", "Stop all notes on all outputs (Esc)", icons.icon("panic", theme.WARN), "panic")
        self.panic.clicked.connect(self.panic_pressed)
        self.menu = QMenu(self)
        self.more = Button("", "More", icons.icon("menu", theme.MUTED), "flat")
        self.more.clicked.connect(lambda: self.menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft())))
        self._show_kind()

        self._name = name
        self.large = False
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(theme.px(14), theme.px(5), theme.px(10), theme.px(7))
        self._row.setSpacing(theme.px(8))
        self._add(mark)
        self._add(name, 8)
        self._add(self.play)
        self._add(self.record)
        self._add(Field("Record", self.kind, 94), 4)
        self._place = Field("Bar", self.position, 78)
        self._add(self._place)
        self._tempo_at = self._row.count()
        self._add(self.tap)
        self._row.addStretch(1)
        self._row.addWidget(Field("Patch", self.patch, 230, 130), 4, Qt.AlignmentFlag.AlignBottom)
        self._add(self.save, 4)
        self._add(self.panic)
        self._add(self.more)

    def _add(self, widget: QWidget, space: float = 0) -> None:
        """Add a widget to the row, aligned at the bottom. space: additional room after it."""
        self._row.addWidget(widget, 0, Qt.AlignmentFlag.AlignBottom)
        if space:
            self._row.addSpacing(theme.px(space))

    def keep_kind(self, settings: QSettings) -> None:
        """Record what was chosen last, and keep the choice."""
        kind = str(settings.value(KIND))
        if kind in dict(RECORDINGS):
            self.kind.setCurrentIndex(self.kind.findData(kind))
            self._show_kind()
        self.kind.picked.connect(partial(settings.setValue, KIND))

    def show_large(self, large: bool) -> None:
        """Show the position so large that it can be read from afar, or as usual."""
        self.position.show_large(large)
        self._place.setFixedWidth(theme.px(190 if large else 78))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._name.setVisible(self.width() >= theme.px(_NAMED_FROM))

    def add_learning(self, learn: Callable[[str], object]) -> None:
        """Add a menu of all buttons, for each of which a MIDI key or controller can be learnt."""
        menu = self.menu.addMenu("Learn a MIDI key or controller for")
        for button in BUTTONS:
            menu.addAction(button.label, partial(learn, button.name))

    def show_knobs(self, tempo: KnobInfo | None, metre: KnobInfo | None) -> None:
        """Build the controls of tempo and metre when their knobs are first known."""
        if self.tempo is None and tempo is not None:
            self.tempo = NumberBox(tempo, decimals=1)
            self.tempo.setObjectName("tempo")
            self._board.add(tempo, self.tempo)
            self._row.insertWidget(self._tempo_at, Field("Tempo", self.tempo, 84), 0, Qt.AlignmentFlag.AlignBottom)
            if metre is not None:
                choice = Choice(metre)
                self._board.add(metre, choice)
                field = Field("Metre", choice, 76)
                self._row.insertWidget(self._tempo_at + 2, field, 0, Qt.AlignmentFlag.AlignBottom)

    def show_description(self, description: Description) -> None:
        """Show the list of patches and whether the present one has unsaved changes."""
        star = " *" if description.patch_changed else ""
        current = description.patch
        names = description.patches if current in description.patches else (current, *description.patches)
        items = ((name, (name or "Untitled") + (star if name == current else ""), "") for name in names)
        self.patch.show_items(items, current)
        self.patch.setToolTip(description.about or PATCH_HELP)
        self.save.setEnabled(description.patch_changed or not current)

    def show_telemetry(self, report: Telemetry) -> None:
        """Show position, playing and recording."""
        self.position.show_place(report.bar, report.beat)
        if report.playing != self.playing:
            self.playing = report.playing
            self.play.setText("Stop" if report.playing else "Play")
            self.play.setAccessibleName(self.play.text())
            self.play.setToolTip("Stop the music (Space)" if report.playing else "Start the music (Space)")
            self.play.setIcon(icons.icon("stop" if report.playing else "play", theme.ON_ACCENT))
        if bool(report.recording) != self.record.isChecked():
            self.record.setChecked(bool(report.recording))
        minutes, seconds = divmod(int(report.recording_s), 60)
        elapsed = f"{minutes}:{seconds:02d}" if report.recording else ""
        if elapsed != self.record.text():
            self.record.setText(elapsed)
        self._show_kind(report.recording)

    @property
    def _kind(self) -> str:
        return str(self.kind.currentData())

    def _show_kind(self, recording: str = "") -> None:
        help = f"Stop recording {recording} (Ctrl+R)" if recording else f"Record a .{self._kind} file (Ctrl+R)"
        if help != self.record.toolTip():
            self.record.setToolTip(help)
            self.record.setAccessibleDescription(help)

    def _record(self, on: bool) -> None:
        path = recording_path(self._kind) if on else None
        if path is not None:
            with suppress(OSError):  # the engine reports why it cannot write there
                path.parent.mkdir(parents=True, exist_ok=True)
        self.record_pressed.emit(str(path or ""))


def recording_path(kind: str, now: datetime | None = None) -> Path:
    """The path of the next recording: in the user's music folder, named by the time. kind: the suffix."""
    music = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MusicLocation)
    stamp = (now or datetime.now()).strftime("%Y-%m-%d %H.%M.%S")
    return Path(music or Path.home()) / "Hocket" / f"Hocket {stamp}.{kind}"
