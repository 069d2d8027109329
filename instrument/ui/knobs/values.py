"""Conversions between a knob's value, its place on the dial, and its text."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.performance.knobs import value_at
from instrument.errors import HocketError
from instrument.music.harmony import KEYS

NOTCH = 0.01  # share of the dial: one notch of the wheel or one press of an arrow key
FINE = 0.1  # factor of a movement with Shift
_NOTE_UNIT = "note"
_SIGNS = {0x2212: "-", 0x066B: ",", 0x066C: " ", 0xA0: " ", 0x202F: " ", 0x2009: " "}  # minus, Arabic marks, spaces
_MARKS = ",.' "  # between thousands
_GROUPED = re.compile(r"-?\d{1,3}([,.' ])\d{3}(\1\d{3})*(?!\d)")


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of a knob of kind "number". Places run from 0 (low) to 1 (high)."""

    info: KnobInfo

    def snap(self, value: float) -> float:
        """The nearest value that the knob can have."""
        low, high, step = self.info.low, self.info.high, self.info.step
        value = min(max(value, low), high)
        return min(low + round((value - low) / step) * step, high) if step > 0 else value

    def place(self, value: float) -> float:
        """The place of `value` on the dial, 0..1."""
        low, high = self.info.low, self.info.high
        value = min(max(value, low), high)
        if high <= low:
            return 0.0
        if self._log:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    def value(self, place: float) -> float:
        """The value at a place on the dial."""
        return self.snap(float(value_at(self.info, min(max(place, 0.0), 1.0))))

    def moved(self, value: float, notches: float) -> float:
        """`value` after some notches of the wheel: at least one step for every whole notch."""
        target = self.value(self.place(value) + notches * NOTCH)
        step = self.info.step
        if step > 0 and abs(target - value) < step:
            target = self.snap(value + math.copysign(step * max(1.0, abs(notches)), notches))
        return target

    def text(self, value: float, unit: bool = True) -> str:
        """`value` as text, with its unit unless `unit` is false."""
        if self.info.unit == _NOTE_UNIT:
            return note_name(round(value))
        if value == 0 and self.info.zero:
            return self.info.zero
        number = f"{value:.{self._decimals}f}".replace("-", "\u2212")
        return f"{number} {self.info.unit}" if unit and self.info.unit else number

    def exact_text(self, value: float) -> str:
        """`value` as text from which `parse` gives exactly this value."""
        text = self.text(value)
        return text if self.parse(text) == value else repr(value)

    def parse(self, text: str) -> float:
        """The value of typed text, rounded to a step: with or without its unit, with a point or comma, in digits of any
        script; a share of 1 also in percent ("50 %").

        Raises HocketError if it is no number or outside the range.
        """
        low, high, unit = self.info.low, self.info.high, self.info.unit
        typed = self._plain(text)
        if self.info.unit == _NOTE_UNIT and (pitch := _pitch(typed)) is not None:
            number: float = pitch
        elif typed and typed.casefold() == self.info.zero.casefold():
            number = 0.0
        else:
            part = 0.01 if typed.endswith("%") and max(abs(low), abs(high)) <= 1 else 1.0
            for ending in filter(None, (unit.casefold(), "%" if part < 1 else "")):
                typed = typed.removesuffix(ending).strip()
            try:
                number = part * float(typed)
            except ValueError:
                number = math.nan
        if not low <= number <= high:  # also refuses NaN
            raise HocketError(
                f"{self.info.label} cannot be {text.strip()!r}: give {self.text(low)} to {self.text(high)}"
            )
        return self.snap(number)

    def _plain(self, text: str) -> str:
        """Typed text as `float` takes it. Numbers without decimals may have their thousands marked."""
        typed = text.translate(_SIGNS).strip().casefold()
        if self.info.step >= 1 and _GROUPED.match(typed):
            return "".join(letter for letter in typed if letter not in _MARKS)
        return typed.replace(",", ".")

    @property
    def origin(self) -> float:
        """The place where the value arc starts: 0 of a range that is symmetric about 0, else the low end."""
        symmetric = self.info.low < 0 and math.isclose(-self.info.low, self.info.high)
        return self.place(0.0) if symmetric else 0.0

    @property
    def _log(self) -> bool:
        return self.info.curve == "log" and 0 < self.info.low < self.info.high

    @property
    def _decimals(self) -> int:
        finest = self.info.step or (self.info.high - self.info.low) * NOTCH
        return min(max(0, math.ceil(-math.log10(finest) - 1e-9)), 4) if finest > 0 else 0


def note_name(pitch: int) -> str:
    """The name of a MIDI pitch; 60 is C4."""
    return f"{KEYS[pitch % 12]}{pitch // 12 - 1}"


def _pitch(text: str) -> int | None:
    letters = text.rstrip("-0123456789")
    octave = text[len(letters) :]
    names = {name.lower(): i for i, name in enumerate(KEYS)}
    names |= {"c#": 1, "d#": 3, "f#": 6, "g#": 8, "a#": 10}
    if letters.lower() not in names or not octave.lstrip("-").isdigit():
        return None
    return (int(octave) + 1) * 12 + names[letters.lower()]
