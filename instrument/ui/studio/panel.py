"""The studio panel: whose time holds, what is sent where, MIDI maps. It is folded away behind a button."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QHBoxLayout, QInputDialog, QLabel, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import (
    AnyCommand,
    Description,
    FindOffset,
    KnobInfo,
    LoadMidiMap,
    SaveMidiMap,
    Telemetry,
)
from instrument.engine.performance.arrangement import PORT, SENDING
from instrument.engine.performance.knobs import INSTRUMENT, OF_THE_ROOM, ROUTING
from instrument.music.notes import Part
from instrument.ui import theme
from instrument.ui.knobs.board import NOTES, Board
from instrument.ui.knobs.controls import Button, Choice, Field, Selector

_CELL, _HEAD = 92, 118  # widths of the table's columns
_PARTS = tuple(part.name.lower() for part in Part)
_COLUMNS = (PORT, *(f"{part}_channel" for part in _PARTS))
_LOOP = (
    "Connect the MIDI output to the MIDI input, by a cable or in JACK: "
    "the time that a note takes is measured, and the offset is set by it"
)
_NO_MAP = ("", "None", "")


class Light(QLabel):
    """A dot with a name, which is lit or not."""

    def __init__(self, name: str, help: str) -> None:
        super().__init__()
        self._name = name
        self.lit = True
        self.setToolTip(help)
        self.show_lit(False)

    def show_lit(self, lit: bool) -> None:
        """Light it, or not."""
        if lit != self.lit:
            self.lit = lit
            colour = theme.ACCENT if lit else theme.TRACK
            self.setText(f'<span style="color: {colour}">\u25cf</span> {self._name}')
            self.setAccessibleName(f"{self._name}: {'yes' if lit else 'no'}")


class StudioPanel(QDialog):
    """Everything that connects Hocket with other devices and programs, apart from the choice of devices.

    Signal: `asked` carries a command.
    """

    asked = Signal(object)

    def __init__(self, board: Board, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Studio")
        self._board = board
        self._device = ""  # the MIDI input in use, where it is one of a controller
        self.seen = Light("Clock seen", "A MIDI clock, or the transport that is followed, arrives")
        self.sent = Light("Clock sent", "A MIDI clock is sent")
        self.time = QLabel()
        self.time.setProperty("role", "caption")
        self.maps = Selector("MIDI map", "What a controller turns and presses; choose one for yours")
        self.maps.picked.connect(lambda name: self.asked.emit(LoadMidiMap(name)))
        self.save = Button("Save as\u2026", "Save what MIDI controllers turn and press as a MIDI map")
        self.save.clicked.connect(self._ask_for_name)
        self.find_offset = Button("Find the offset", _LOOP)
        self.find_offset.clicked.connect(lambda: self.asked.emit(FindOffset()))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(*(theme.px(12),) * 4)
        self._column.setSpacing(theme.px(10))
        self._made: list[QWidget] = []

    def make(self, description: Description) -> None:
        """Build the controls of the knobs."""
        for each in (self.seen, self.sent, self.time, self.maps, self.save, self.find_offset):
            each.setParent(None)
        for panel in self._made:
            self._column.removeWidget(panel)
            panel.deleteLater()
        own = {info.id: info for info in description.knobs if info.player == INSTRUMENT}
        notes = [player for player, kind in enumerate(description.kinds) if kind in NOTES]
        table = {
            player: {info.id: info for info in description.knobs if info.player == player and info.id in SENDING}
            for player in notes
        }
        self._made = [self._time_panel(own), self._port_panel(own, table)]
        for panel in self._made:
            self._column.addWidget(panel)
        self._column.addStretch(1)

    def show_description(self, description: Description) -> None:
        """Take the list of MIDI maps."""
        chosen = str(self.maps.currentData() or "")
        items = ((name, name, "") for name in description.midi_maps)
        known = chosen if chosen in description.midi_maps and description.bindings else ""
        self.maps.show_items((_NO_MAP, *items), known)

    def show_telemetry(self, report: Telemetry) -> None:
        """Show the lights, and the time that is followed."""
        self.seen.show_lit(report.clock_seen)
        self.sent.show_lit(report.clock_sent)
        if report.time != self.time.text():
            self.time.setText(report.time)
        name = report.midi_in.rpartition(" (")[0]
        self._device = "" if name.startswith("Hocket in") else name

    def _time_panel(self, own: Mapping[str, KnobInfo]) -> QFrame:
        controls = [(own[id], self._board.make(own[id])) for id in OF_THE_ROOM if id in own and id != "buffer"]
        row = QHBoxLayout()
        row.setSpacing(theme.px(14))
        for info, control in controls:
            if isinstance(control, Choice):
                row.addWidget(Field(info.label, control, 110), 0, Qt.AlignmentFlag.AlignVCenter)
            else:
                row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        lights = QHBoxLayout()
        lights.setSpacing(theme.px(14))
        for light in (self.seen, self.sent, self.time):
            lights.addWidget(light)
        lights.addStretch(1)
        return _panel("Time", row, lights)

    def _port_panel(self, own: Mapping[str, KnobInfo], table: Mapping[int, Mapping[str, KnobInfo]]) -> QFrame:
        first = QHBoxLayout()
        first.setSpacing(theme.px(12))
        for id in ROUTING[:1]:
            if id in own:
                first.addWidget(Field(own[id].label, self._board.make(own[id]), 110))
        first.addWidget(Field("MIDI map", self.maps, 190))
        for button in (self.save, self.find_offset):
            first.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)
        first.addStretch(1)
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px(8))
        grid.setVerticalSpacing(theme.px(6))
        for column, name in enumerate(("Port", *(part.capitalize() for part in _PARTS)), start=1):
            grid.addWidget(_caption(name), 0, column)
        for row, (player, infos) in enumerate(table.items(), start=1):
            name = f"Player {player + 1}" if len(table) > 1 else "Player"
            grid.addWidget(_caption(f"{name}: channels"), row, 0)
            self._fill(grid, row, 1, (infos[id] for id in _COLUMNS if id in infos), f"{name}: ")
        last = len(table) + 1
        grid.addWidget(_caption("Programs"), last, 0)
        self._fill(grid, last, 2, (own[id] for id in ROUTING[1:] if id in own), "")
        grid.setColumnMinimumWidth(0, theme.px(_HEAD))
        for column in range(1, len(_COLUMNS) + 1):
            grid.setColumnMinimumWidth(column, theme.px(_CELL))
        grid.setColumnStretch(len(_COLUMNS) + 1, 1)
        return _panel("MIDI ports and channels", first, grid)

    def _fill(self, grid: QGridLayout, row: int, column: int, infos: Iterable[KnobInfo], whose: str) -> None:
        for place, info in enumerate(infos, start=column):
            control = self._board.make(info)
            assert isinstance(control, Choice)
            control.setFixedWidth(theme.px(_CELL))
            control.setAccessibleName(f"{whose}{info.label}")
            grid.addWidget(control, row, place)

    def _ask_for_name(self) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Save the MIDI map")
        dialog.setLabelText("Name of the map" + (f" of {self._device}" if self._device else ""))
        dialog.setTextValue(str(self.maps.currentData() or self._device))
        dialog.textValueSelected.connect(self._save_under)
        dialog.open()

    def _save_under(self, name: str) -> None:
        if name.strip():
            command: AnyCommand = SaveMidiMap(name.strip(), self._device)
            self.asked.emit(command)


def _panel(title: str, *rows: QHBoxLayout | QGridLayout) -> QFrame:
    panel = QFrame()
    panel.setObjectName("panel")
    panel.setAccessibleName(title)
    column = QVBoxLayout(panel)
    column.setContentsMargins(theme.px(16), theme.px(12), theme.px(16), theme.px(14))
    column.setSpacing(theme.px(10))
    heading = QLabel(title.upper())
    heading.setProperty("role", "title")
    column.addWidget(heading)
    for row in rows:
        column.addLayout(row)
    return panel


def _caption(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "caption")
    return label
