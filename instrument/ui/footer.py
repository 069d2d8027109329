"""The bar along the bottom: which devices are in use, and how the machine copes."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout

from instrument.engine.ipc.messages import Description, KnobInfo, Telemetry
from instrument.engine.performance.patches import MAX_OFFSET_MS
from instrument.ui import theme
from instrument.ui.knobs.controls import Field, NumberBox, Selector
from instrument.ui.meters import Health

_OFFSET = KnobInfo(
    "midi-offset",
    "MIDI offset",
    unit="ms",
    low=-MAX_OFFSET_MS,
    high=MAX_OFFSET_MS,
    step=1,
    help="Send MIDI so many milliseconds later than the built-in voices play; below zero: earlier",
)


class Footer(QFrame):
    """Devices to choose from, and `Health`. opened: the player is looking at a list of devices."""

    audio_picked, midi_picked, input_picked = Signal(str), Signal(str), Signal(str)
    offset_turned = Signal(float)
    opened = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.audio = Selector("Audio device", "Where the built-in voices play")
        self.midi = Selector("MIDI port", "Where the notes go; connect your synth or DAW to it")
        self.input = Selector("Keyboard", "What you play along on: it sounds, and the model hears it")
        self.health = Health()
        self._devices: tuple[str, ...] = ()
        self._ports: tuple[str, ...] = ()
        self._inputs: tuple[str, ...] = ()
        self.offset = NumberBox(_OFFSET)
        self.audio.picked.connect(self.audio_picked)
        self.midi.picked.connect(self.midi_picked)
        self.input.picked.connect(self.input_picked)
        self.offset.turned.connect(self.offset_turned)
        for selector in (self.audio, self.midi, self.input):
            selector.opened.connect(self.opened)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(16), theme.px(8), theme.px(16), theme.px(10))
        row.setSpacing(theme.px(12))
        row.addWidget(Field("Audio", self.audio, 210, 110), 8)
        row.addWidget(Field("MIDI out", self.midi, 200, 110), 8)
        row.addWidget(Field("Offset, ms", self.offset, 64))
        row.addWidget(Field("MIDI in", self.input, 200, 110), 8)
        row.addStretch(1)
        row.addWidget(self.health)

    def show_description(self, description: Description) -> None:
        """Take the lists of devices, and the offset."""
        self.offset.show_value(description.offset_ms)
        self._devices, self._ports = description.audio_devices, description.midi_ports
        self._inputs = description.midi_inputs

    def show_telemetry(self, report: Telemetry) -> None:
        """Show what is in use."""
        _show_in_use(self.audio, _AUDIO, self._devices, report.audio)
        _show_in_use(self.midi, _MIDI, self._ports, report.midi)
        _show_in_use(self.input, _INPUT, self._inputs, report.midi_in)
        self.health.show_telemetry(report)


class _Standing(NamedTuple):
    """A choice that is always there. start: how the engine's report of it begins."""

    id: str
    text: str
    start: str


_AUDIO = (_Standing("", "Default device", "default"), _Standing("null", "No sound", "null"))
_MIDI = (_Standing("virtual", "Hocket, a virtual port", "Hocket"), _Standing("null", "No port", "null"))

_INPUT = (
    _Standing("virtual", "Hocket in, a virtual port", "Hocket in"),
    _Standing("null", "No keyboard", "null"),
)


def _show_in_use(
    selector: Selector, standing: tuple[_Standing, _Standing], names: tuple[str, ...], in_use: str
) -> None:
    """in_use: a name, maybe with more said about it ("Speakers, 48000 Hz")."""
    if selector.view().isVisible() or not in_use:
        return
    first, last = standing
    known = [first, *(_Standing(name, name, name) for name in names if name != last.id), last]
    current = max((one for one in known if in_use.startswith(one.start)), key=lambda one: len(one.start), default=None)
    if current is None:
        current = _Standing(in_use, in_use, in_use)
        known.insert(0, current)
    more = current is not last and current.id != ""
    selector.show_items(((one.id, in_use if more and one is current else one.text, "") for one in known), current.id)
