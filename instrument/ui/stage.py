"""The stage: chord lane, roll and spectrogram on one axis of time, with the parts, the pad and the output level."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import Description, KnobInfo, Telemetry
from instrument.music.notes import Part
from instrument.ui import theme
from instrument.ui.knobs.board import Board
from instrument.ui.knobs.chip import PartChip
from instrument.ui.layouts import clear
from instrument.ui.meters import LevelMeter
from instrument.ui.playing.acts import ActsBar
from instrument.ui.roll.chords import ChordLane
from instrument.ui.roll.piano_roll import PianoRoll
from instrument.ui.roll.score import Score
from instrument.ui.spectrogram import Spectrogram

PART_IDS = tuple(part.name.lower() for part in Part)
_SPECTROGRAM_FROM = 300  # height of the stage, from which there is room for it


class Stage(QFrame):
    """The signal `asked` carries a command."""

    asked = Signal(object)

    def __init__(self, board: Board, score: Score, pads: QWidget) -> None:
        super().__init__()
        self.setObjectName("stage")
        self._board = board
        self.roll, self.level, self.spectrogram, self.acts = PianoRoll(score), LevelMeter(), Spectrogram(), ActsBar()
        self.lane = ChordLane(self.roll)
        for part in (self.roll, self.lane, self.acts):
            part.asked.connect(self.asked)
        self._chips = QHBoxLayout()
        self._chips.setSpacing(theme.px(6))
        parts = QHBoxLayout()
        parts.setContentsMargins(theme.px(52), theme.px(4), 0, theme.px(4))
        parts.addLayout(self._chips)
        parts.addStretch(1)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(parts)
        column.addWidget(self.lane)
        column.addWidget(self.roll, 5)
        column.addSpacing(theme.px(4))
        column.addWidget(self.spectrogram, 1)
        meter = QVBoxLayout()
        meter.setContentsMargins(0, theme.px(4), 0, 0)
        meter.addWidget(self.level)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(theme.px(8), theme.px(6), theme.px(4), theme.px(6))
        whole.setSpacing(0)
        whole.addWidget(self.acts)
        row = QHBoxLayout()
        row.setSpacing(theme.px(6))
        whole.addLayout(row, 1)
        row.addLayout(column, 1)
        row.addWidget(pads)
        row.addLayout(meter)

    def make(self, own: dict[str, KnobInfo]) -> None:
        """Build the controls. own: the knobs of the instrument."""
        clear(self._chips)
        for part, id in enumerate(PART_IDS):
            if id in own:
                chip = PartChip(own[id], theme.PARTS[part])
                self._board.add(own[id], chip)
                self._chips.addWidget(chip)
        self.acts.make(own.get("mode"))

    def show_description(self, description: Description) -> None:
        """Show the values of the knobs."""
        self.roll.show_values(description.values)
        self.acts.show_description(description)

    def show_telemetry(self, report: Telemetry) -> None:
        """Show notes, chords and levels."""
        self.roll.show_telemetry(report)
        self.lane.show_telemetry(report)
        self.level.show_levels(report.levels)
        self.acts.show_telemetry(report)
        if report.playing:
            self.spectrogram.show_spectrum(report.spectrum, report.tick)

    def advance(self) -> None:
        """Move to the present time; called with every frame."""
        self.roll.advance()
        self.lane.advance()
        (left, right), _ = self.roll.lane.viewRange()
        self.spectrogram.show_axis(left, right, self.roll.score.position)

    def show_large(self, large: bool) -> None:
        """Show what is to be read from afar, or all as usual."""
        self.lane.show_large(large)
        self.acts.setVisible(not large)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.spectrogram.setVisible(self.height() >= theme.px(_SPECTROGRAM_FROM))
