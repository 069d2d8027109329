"""How a MIDI controller holds a knob: soft take-over, relative encoders and 14-bit controllers."""

from __future__ import annotations

from collections.abc import Iterable

from instrument import midi_spec
from instrument.engine.ipc.bindings import Binding
from instrument.engine.ipc.messages import KnobInfo, Value
from instrument.engine.performance.knobs import place_of, value_at
from instrument.midi_spec import CONTROL, FINE

NEAR = 2 / 127  # so close to its knob a controller takes hold of it
STEPS = 127  # steps of a relative encoder from one end of a knob to the other

# What a relative encoder says, by mode: the change that a value 0..127 means.
RELATIVE = {
    "relative": lambda value: value if value < 64 else value - 128,  # two's complement: 1 and 127
    "offset": lambda value: value - 64,  # 65 and 63
    "sign": lambda value: value if value < 64 else 64 - value,  # 1 and 65
}


def matching(bindings: Iterable[Binding], message: bytes) -> list[Binding]:
    """The bindings that a message moves: controllers (also the fine half of one) and keys, on their channel or any."""
    kind, channel, number, _ = midi_spec.parse(message)
    named = "control" if kind == CONTROL else "note" if kind in (midi_spec.NOTE_ON, midi_spec.NOTE_OFF) else ""
    return [
        each
        for each in bindings
        if each.kind == named
        and each.channel in (0, channel + 1)
        and (each.number == number or (each.mode == "fine" and each.number + FINE == number))
    ]


class Grip:
    """A controller and what it turns or presses.

    A knob is turned once it is caught, where the controller comes to its place or passes it, so that it never leaps.
    Choices and switches need no catching.
    """

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self._coarse = 0
        self._last: float | None = None  # place of the controller
        self._set: Value | None = None  # what it set last
        self._down = False
        self._rest = 0.0  # of a step that was not enough to turn the knob

    def pressed(self, message: bytes) -> bool:
        """Whether a message presses a button: a key that goes down, or a controller that comes to its upper half."""
        parsed = midi_spec.parse(message)
        before, self._down = self._down, parsed.starts or (parsed.kind == CONTROL and parsed.second >= 64)
        return self._down and (parsed.starts or not before)

    def turned(self, message: bytes, info: KnobInfo, value: Value) -> Value | None:
        """What the knob, which is at `value`, becomes; None: it stays."""
        _, _, number, data = midi_spec.parse(message)
        if change := RELATIVE.get(self.binding.mode):
            return self._stepped(change(data), info, value)
        place = self._place(number, data)
        if info.kind != "number":
            return value_at(info, place)
        there, last, self._last = place_of(info, value), self._last, place
        passed = last is not None and (last - there) * (place - there) <= 0
        if value == self._set or passed or abs(place - there) <= NEAR:
            return value_at(info, place)
        return None

    def keep(self, value: Value) -> None:
        """The value that the knob took from `turned`."""
        self._set = value

    def _place(self, number: int, data: int) -> float:
        if self.binding.mode != "fine":
            return data / 127
        if number == self.binding.number:
            self._coarse = data
            return (data << 7) / 16383
        return (self._coarse << 7 | data) / 16383

    def _stepped(self, change: int, info: KnobInfo, value: Value) -> Value:
        if info.kind == "switch":
            return float(change > 0) if change else value
        if info.kind == "choice":
            at = info.choices.index(str(value)) + change
            return info.choices[min(max(at, 0), len(info.choices) - 1)]
        if info.step and (info.high - info.low) / info.step <= STEPS:
            return min(max(float(value) + change * info.step, info.low), info.high)
        if value != self._set:
            self._rest = 0.0
        place = min(max(place_of(info, value) + self._rest + change / STEPS, 0.0), 1.0)
        taken = value_at(info, place)
        if info.step:  # what is smaller than a step is kept for the next message
            steps = round((float(taken) - info.low) / info.step)
            self._rest = place - place_of(info, info.low + steps * info.step)
        return taken
