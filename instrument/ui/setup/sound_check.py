"""The check of the sound: four notes, and what to do if they are not heard."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import PlayKeys, Telemetry
from instrument.ui import theme
from instrument.ui.knobs.controls import Button

NOTES = (60, 64, 67, 72)
NOTE_MS = 350
_HEARD_DB = -50.0  # of the output: louder, and the sound has left Hocket
_ON, _OFF = 0x90, 0x80


class SoundCheck(QDialog):
    """Plays notes and asks whether they are heard. Signal: `asked` carries a command."""

    asked = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Sound check")
        self._report: Telemetry | None = None
        self._loudest = -120.0
        self.text = QLabel("Press Play the notes. Four notes rise.")
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setMinimumWidth(theme.px(360))
        self.play = Button("Play the notes", "Play four notes with the sound of the keyboard")
        self.play.clicked.connect(self.play_notes)
        self.heard = Button("I hear them", "Close: all is well")
        self.heard.clicked.connect(self.accept)
        self.silent = Button("I hear nothing", "Find out why")
        self.silent.clicked.connect(self._explain)
        row = QHBoxLayout()
        for button in (self.play, self.heard, self.silent):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme.px(16),) * 4)
        column.setSpacing(theme.px(12))
        column.addWidget(self.text)
        column.addLayout(row)

    def show_telemetry(self, report: Telemetry) -> None:
        """Take the device and the level of the output."""
        self._report = report
        self._loudest = max(self._loudest, *report.levels)

    def play_notes(self) -> None:
        """Play the notes, one after the other."""
        self._loudest = -120.0
        for number, pitch in enumerate(NOTES):
            QTimer.singleShot(number * NOTE_MS, self, partial(self._key, _ON, pitch, 100))
            QTimer.singleShot((number + 1) * NOTE_MS, self, partial(self._key, _OFF, pitch, 0))

    def _key(self, status: int, pitch: int, velocity: int) -> None:
        self.asked.emit(PlayKeys((bytes((status, pitch, velocity)),)))

    def _explain(self) -> None:
        """Say what is wrong, as far as it can be known, and what to do."""
        device = self._report.audio if self._report else "no device"
        if device.startswith("null"):
            text = "No sound device is in use: choose one under Sound goes to."
        elif self._loudest > _HEARD_DB:
            text = (
                f"Hocket sends sound to {device}. Raise the volume of the system, look whether headphones are plugged "
                "in, or choose another device under Sound goes to."
            )
        else:
            text = "Hocket makes no sound: raise the knobs Level and Keys level, then play the notes again."
        self.text.setText(text)
