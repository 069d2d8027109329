"""The keys below the split, or all keys where no split is set: together they are the chord that the band follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from instrument import midi_spec
from instrument.engine.ipc.messages import Value
from instrument.engine.performance.harmony.leading import ACCOMPANY, HEARD, HELD, OFF, clear_chord, hand_chord
from instrument.midi_spec import DRUM_CHANNEL
from instrument.music.chords.names import chord_name


class HandSettings(NamedTuple):
    """mode: the knob "lead", or its value "heard" while the band accompanies; split: the lowest key that is not of the
    left hand."""

    mode: str
    split: int

    @classmethod
    def of(cls, knobs: Mapping[str, Value]) -> HandSettings:
        """Those of the instrument's knobs, by id."""
        heard = knobs["mode"] == ACCOMPANY and knobs["lead"] == OFF
        return cls(HEARD if heard else str(knobs["lead"]), int(knobs["split"]))


def is_left(message: bytes, settings: HandSettings) -> bool:
    """Whether a message strikes a key of the left hand."""
    kind, channel, key, velocity = midi_spec.parse(message)
    pressed = kind == midi_spec.NOTE_ON and velocity > 0
    return pressed and settings.mode not in (OFF, HEARD) and channel != DRUM_CHANNEL and key < settings.split


class LeftHand:
    """Which keys the left hand holds, and the chord that follows from them. For one thread.

    led: the chord that the band follows, "" for the plan's.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], bool] = {}  # (channel, key) -> whether it is silent
        self.led = ""

    def take(self, message: bytes, settings: HandSettings) -> bool:
        """Take a message. Returns whether it was one of the left hand, and is not to be played."""
        parsed = midi_spec.parse(message)
        key = parsed.channel, parsed.first
        if is_left(message, settings):
            self._held[key] = True
            return True
        if parsed.ends and key in self._held:
            return self._held.pop(key)
        if parsed.starts and settings.mode == HEARD and parsed.channel != DRUM_CHANNEL:
            self._held[key] = False  # it is played, too
        return False

    def symbol(self, settings: HandSettings) -> str | None:
        """The chord to follow from now on, "" for the plan's, None where nothing changes. Too few keys name none:
        the last chord holds until there are none at all, and on hold until there is another."""
        if settings.mode == OFF:
            self.led = ""
            return None
        keys = [key for _, key in self._held]
        chord = clear_chord(keys) if settings.mode == HEARD else hand_chord(keys)
        wanted = self.led
        if chord is not None:
            wanted = chord_name(chord)
        elif not self._held and settings.mode == HELD:
            wanted = ""
        if wanted == self.led:
            return None
        self.led = wanted
        return wanted
