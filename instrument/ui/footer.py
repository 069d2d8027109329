"""The bar at the bottom of the window: the devices in use, and figures of the engine's load."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout

from instrument.engine.ipc.messages import Description, KnobInfo, SetDevice, Telemetry
from instrument.engine.performance.patches import MAX_OFFSET_MS
from instrument.ui import theme
from instrument.ui.knobs.controls import Button, Field, NumberBox, Selector
from instrument.ui.meters import Health

_OFFSET = KnobInfo(
    "midi-offset",
    "MIDI offset",
    unit="ms",
    low=-MAX_OFFSET_MS,
    high=MAX_OFFSET_MS,
    step=1,
    help="Delay of the MIDI output against the built-in voices, in milliseconds; negative sends earlier",
)


class Footer(QFrame):
    """Lists of devices, and `Health`. Signals: `changed` carries a command; `opened`: a list of devices is shown;
    `studio_pressed`: open that panel."""

    changed = Signal(object)
    opened, studio_pressed = Signal(), Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.audio = Selector("Audio device", "Output device of the built-in sounds")
        self.midi = Selector("MIDI port", "Port that the notes are sent to; connect your synthesizer or DAW to it")
        self.input = Selector(
            "Keyboard", "MIDI keyboard to play along on: you hear what you play, and the model continues from it"
        )
        self.health = Health()
        self._devices: tuple[str, ...] = ()
        self._ports: tuple[str, ...] = ()
        self._inputs: tuple[str, ...] = ()
        self.offset = NumberBox(_OFFSET)
        self.audio.picked.connect(lambda name: self.changed.emit(SetDevice(audio=name)))
        self.midi.picked.connect(lambda name: self.changed.emit(SetDevice(midi=name)))
        self.input.picked.connect(lambda name: self.changed.emit(SetDevice(midi_in=name)))
        self.offset.turned.connect(lambda ms: self.changed.emit(SetDevice(offset_ms=ms)))
        self.studio = Button("Studio\u2026", "Clocks, metronome, MIDI ports and channels, MIDI maps")
        self.studio.clicked.connect(self.studio_pressed)
        for selector in (self.audio, self.midi, self.input):
            selector.opened.connect(self.opened)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(16), theme.px(8), theme.px(16), theme.px(10))
        row.setSpacing(theme.px(12))
        row.addWidget(Field("Audio", self.audio, 210, 110), 8)
        row.addWidget(Field("MIDI out", self.midi, 200, 110), 8)
        row.addWidget(Field("Offset, ms", self.offset, 64))
        row.addWidget(Field("MIDI in", self.input, 200, 110), 8)
        row.addWidget(self.studio, 0, Qt.AlignmentFlag.AlignBottom)
        row.addStretch(1)
        row.addWidget(self.health)

    def show_description(self, description: Description) -> None:
        """Take the lists of devices and the MIDI offset."""
        self.offset.show_value(description.offset_ms)
        self._devices, self._ports = description.audio_devices, description.midi_ports
        self._inputs = description.midi_inputs

    def show_telemetry(self, report: Telemetry) -> None:
        """Show which devices are in use."""
        _show_in_use(self.audio, _AUDIO, self._devices, report.audio)
        _show_in_use(self.midi, _MIDI, self._ports, report.midi)
        _show_in_use(self.input, _INPUT, self._inputs, report.midi_in)
        self.health.show_telemetry(report)


class _FixedItem(NamedTuple):
    """An item that every list of its kind has. start: the beginning of the engine's report of it."""

    id: str
    text: str
    start: str


_AUDIO = (_FixedItem("", "Default device", "default"), _FixedItem("null", "No sound", "null"))
_MIDI = (_FixedItem("virtual", "Hocket, a virtual port", "Hocket"), _FixedItem("null", "No port", "null"))

_INPUT = (
    _FixedItem("virtual", "Hocket in, a virtual port", "Hocket in"),
    _FixedItem("null", "No keyboard", "null"),
)


def _show_in_use(selector: Selector, fixed: tuple[_FixedItem, _FixedItem], names: tuple[str, ...], in_use: str) -> None:
    """Show the list and select the device in use. in_use: its name, maybe with details ("Speakers, 48000 Hz")."""
    if selector.view().isVisible() or not in_use:
        return
    first, last = fixed
    known = [first, *(_FixedItem(name, name, name) for name in names if name != last.id), last]
    current = max((one for one in known if in_use.startswith(one.start)), key=lambda one: len(one.start), default=None)
    if current is None:
        current = _FixedItem(in_use, in_use, in_use)
        known.insert(0, current)
    more = current is not last and current.id != ""
    selector.show_items(((one.id, in_use if more and one is current else one.text, "") for one in known), current.id)
