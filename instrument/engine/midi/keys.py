"""The keys that a person holds, and what the settings of the keyboard make of its messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from instrument import midi_spec
from instrument.engine.performance.knobs import ALL_CHANNELS, INSTRUMENT, knob_name
from instrument.midi_spec import CHANNELS, CONTROL, DRUM_CHANNEL, NOTE_OFF, NOTE_ON, NOTES_OFF, POLY_PRESSURE, SOUND_OFF

OCTAVE = 12


class KeySettings(NamedTuple):
    """channel: 0..15, the only one that is heard, or None; transpose: semitones; velocity: -1 softer .. 1 louder."""

    channel: int | None = None
    transpose: int = 0
    velocity: float = 0.0

    @staticmethod
    def of(values: Mapping[str, float | str]) -> KeySettings:
        """From the values of all knobs, by name."""
        channel, transpose, velocity = (
            values[knob_name(INSTRUMENT, f"keys_{id}")] for id in ("channel", "transpose", "velocity")
        )
        return KeySettings(
            None if channel == ALL_CHANNELS else int(channel) - 1, round(float(transpose)), float(velocity)
        )

    def key(self, channel: int, key: int) -> int:
        """The key that sounds: transposed, unless it is a drum, by octaves into the range of MIDI."""
        key += self.transpose if channel != DRUM_CHANNEL else 0
        while not 0 <= key <= 127:
            key += OCTAVE if key < 0 else -OCTAVE
        return key

    def struck(self, velocity: int) -> int:
        """The velocity that sounds, by a curve that ends at 127."""
        return max(1, round(127 * float((velocity / 127) ** (2**-self.velocity))))


class Keys:
    """Keeps count of the keys that are down, so that each is released as it was struck, whatever the settings are by
    then. Any thread may read `held`."""

    def __init__(self) -> None:
        self._down: dict[tuple[int, int], int] = {}  # (channel, key) -> the key that sounds
        self._used: set[int] = set()  # channels on which something was played

    @property
    def held(self) -> tuple[int, ...]:
        """The keys that sound, from low to high."""
        return tuple(sorted({*self._down.copy().values()}))

    @property
    def is_idle(self) -> bool:
        """Whether nothing has been played since all was released."""
        return not self._used

    def take(self, message: bytes, settings: KeySettings) -> bytes:
        """What is played for a message, empty if nothing is."""
        kind, channel, first, second = midi_spec.parse(message)
        here = channel, first
        if kind == NOTE_OFF:
            key = self._down.pop(here, None)
            return b"" if key is None else midi_spec.note_off(channel, key, second)
        if settings.channel not in (None, channel):
            return b""
        self._used.add(channel)
        if kind == NOTE_ON:
            self._down[here] = settings.key(channel, first)
            return midi_spec.note_on(channel, self._down[here], settings.struck(second))
        if kind == POLY_PRESSURE:
            return bytes((POLY_PRESSURE | channel, self._down[here], second)) if here in self._down else b""
        if kind == CONTROL and (first == SOUND_OFF or first >= NOTES_OFF):
            self._down = {key: sounds for key, sounds in self._down.items() if key[0] != channel}
        return message

    def release(self) -> list[bytes]:
        """The messages that end all that was played, pedals and bends too."""
        offs = [midi_spec.note_off(channel, key) for (channel, _), key in self._down.items()]
        resets = [midi_spec.control(channel, midi_spec.RESET_CONTROLLERS, 0) for channel in sorted(self._used)]
        self._down = {}
        self._used = set()
        return offs + resets


class Through:
    """What a person plays, on its way to the MIDI output. For one thread at a time."""

    def __init__(self) -> None:
        self.sends = False
        self.channel: int | None = None  # 0..15, on which all but drums is sent; None: as played
        self._sounding: dict[tuple[int, int], int] = {}  # (channel, key) -> channel on which it was sent

    def take(self, message: bytes) -> list[bytes]:
        """The messages to send for one that is played."""
        parsed = midi_spec.parse(message)
        channel = parsed.channel if self.channel is None or parsed.channel == DRUM_CHANNEL else self.channel
        if parsed.ends:
            sent = self._sounding.pop((parsed.channel, parsed.first), None)
            return [] if sent is None else [midi_spec.note_off(sent, parsed.first, parsed.second)]
        if parsed.kind == CONTROL and (parsed.first == SOUND_OFF or parsed.first >= NOTES_OFF):
            return self.release(parsed.channel)  # the band may play on the channel
        if not self.sends:
            return []
        if parsed.starts:
            self._sounding[parsed.channel, parsed.first] = channel
        return [bytes((parsed.kind | channel, *message[1:]))]

    def release(self, *channels: int) -> list[bytes]:
        """The note-offs of what sounds: on these channels as played, by default on all."""
        ended = [key for key in self._sounding if key[0] in (channels or range(CHANNELS))]
        return [midi_spec.note_off(self._sounding.pop(key), key[1]) for key in ended]
