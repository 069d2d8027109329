"""The bar along the bottom: which devices are in use, and how the machine copes."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout

from instrument.engine.messages import Description, Telemetry
from instrument.ui import theme
from instrument.ui.controls import Field, Selector
from instrument.ui.meters import Health


class Footer(QFrame):
    """Devices to choose from, and `Health`."""

    audio_picked, midi_picked = Signal(str), Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.audio = Selector("Audio device", "Where the built-in voices play")
        self.midi = Selector("MIDI port", "Where the notes go; connect your synth or DAW to it")
        self.health = Health()
        self._devices: tuple[str, ...] = ()
        self._ports: tuple[str, ...] = ()
        self.audio.picked.connect(self.audio_picked)
        self.midi.picked.connect(self.midi_picked)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(16), theme.px(8), theme.px(16), theme.px(10))
        row.setSpacing(theme.px(12))
        row.addWidget(Field("Audio", self.audio, 210))
        row.addWidget(Field("MIDI", self.midi, 210))
        row.addStretch(1)
        row.addWidget(self.health)

    def show_description(self, description: Description) -> None:
        """Take the lists of devices."""
        self._devices, self._ports = description.audio_devices, description.midi_ports

    def show_telemetry(self, report: Telemetry) -> None:
        """Show what is in use."""
        _show_in_use(self.audio, self._devices, report.audio)
        _show_in_use(self.midi, self._ports, report.midi)
        self.health.show_telemetry(report)


def _show_in_use(selector: Selector, names: tuple[str, ...], in_use: str) -> None:
    """in_use: one of `names`, maybe with more said about it ("Speakers, 48000 Hz")."""
    if not selector.view().isVisible():
        current = max((name for name in names if name and in_use.startswith(name)), key=len, default=in_use)
        selector.show_items(((name, in_use if name == current else name, "") for name in names), current)
