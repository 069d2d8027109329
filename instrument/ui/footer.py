"""The bar at the bottom of the window: what is folded away, advice when something is wrong, and figures of the load."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from instrument.engine.ipc.messages import Description, KnobInfo, SetDevice, Telemetry
from instrument.engine.performance.patches import MAX_OFFSET_MS
from instrument.ui import theme
from instrument.ui.knobs.controls import Button, Field, NumberBox, Selector
from instrument.ui.meters import Health

KEYBOARD, CLIPS, DEVICES = FOLDS = ("keyboard", "clips", "devices")
_FOLDS = {
    KEYBOARD: ("Keyboard", "Play along on the screen or on the computer's keys"),
    CLIPS: ("Clips", "Keep the last bars, and drag clips into other programs"),
    DEVICES: ("Devices", "Where the sound goes, and which MIDI keyboard and port are used"),
}
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
    """Signals: `changed` carries a command; `opened`: a list of devices is shown; `studio_pressed`: open that panel;
    `folded`: a part is to be shown (True) or folded away.

    folds: the buttons, by `FOLDS`.
    """

    changed = Signal(object)
    opened, studio_pressed = Signal(), Signal()
    folded = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.audio = Selector("Audio device", "Output device of the built-in sounds")
        self.midi = Selector("MIDI port", "Port that the notes are sent to; connect your synthesizer or DAW to it")
        self.input = Selector(
            "MIDI keyboard", "MIDI keyboard to play along on: you hear what you play, and the model continues from it"
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
        self.studio = Button("Studio\u2026", "Clocks, metronome, MIDI ports and channels, MIDI maps", name="fold")
        self.studio.clicked.connect(self.studio_pressed)
        for selector in (self.audio, self.midi, self.input):
            selector.opened.connect(self.opened)
        self._choices = QWidget()
        devices = QHBoxLayout(self._choices)
        devices.setContentsMargins(0, theme.px(2), 0, theme.px(4))
        devices.setSpacing(theme.px(12))
        devices.addWidget(Field("Sound goes to", self.audio, 260, 110), 8)
        devices.addWidget(Field("Notes go to (MIDI out)", self.midi, 260, 110), 8)
        devices.addWidget(Field("Offset, ms", self.offset, 70))
        devices.addWidget(Field("You play on (MIDI in)", self.input, 260, 110), 8)
        devices.addStretch(1)
        self.advice = QLabel()
        self.advice.setProperty("role", "alarm")
        self.advice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        bar = QHBoxLayout()
        bar.setSpacing(theme.px(4))
        self.folds: dict[str, Button] = {}
        for name, (text, help) in _FOLDS.items():
            button = self.folds[name] = Button(text, help, name="fold")
            button.setCheckable(True)
            button.toggled.connect(partial(self._fold, name))
            bar.addWidget(button)
        bar.addWidget(self.studio)
        bar.addWidget(self.advice, 1)
        bar.addWidget(self.health)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.px(10), theme.px(3), theme.px(12), theme.px(4))
        column.setSpacing(0)
        column.addWidget(self._choices)
        column.addLayout(bar)
        self._choices.hide()

    def unfold(self, name: str, on: bool = True) -> None:
        """Show a part, or fold it away."""
        self.folds[name].setChecked(on)

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
        if self.health.advice != self.advice.text():
            self.advice.setText(self.health.advice)
            self.advice.setToolTip(self.health.advice)

    def _fold(self, name: str, on: bool) -> None:
        if name == DEVICES:
            self._choices.setVisible(on)
        self.folded.emit(name, on)


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
