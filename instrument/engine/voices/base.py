"""The interface of voices, and how MIDI messages are passed to one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from instrument import midi_spec

BEND_SEMITONES = 2.0  # of a bend in a MIDI message
FADE_S = 0.020  # duration of fader movements, so that none clicks


class Voice(Protocol):
    """A synthesiser of 16 MIDI channels, channel 9 (counted from 0) the drums. Not for several threads at once.

    name: as shown to the person playing; grain: calls take effect at the next frame that is a multiple of this, counted
    in rendered frames.
    """

    name: str
    grain: int

    def note_on(self, channel: int, key: int, velocity: int) -> None:
        """Start a note: key 0..127, velocity 1..127."""
        ...

    def note_off(self, channel: int, key: int) -> None:
        """Release a note."""
        ...

    def program(self, channel: int, number: int) -> None:
        """General MIDI program 0..127 of the following notes; on channel 9 the drum kit."""
        ...

    def control(self, channel: int, number: int, value: int) -> None:
        """A MIDI controller, value 0..127: volume (7), pan (10), expression (11), sustain pedal (64), reverb send (91),
        all notes off (123: released, or held by the pedal), all sound off (120, at once) and reset (121: the pedal up,
        expression full, bend and pressure 0); others may be ignored."""
        ...

    def bend(self, channel: int, semitones: float) -> None:
        """Bend a channel by so many semitones, -96..96."""
        ...

    def pressure(self, channel: int, value: int) -> None:
        """Pressure (aftertouch) of a channel, 0..127: vibrato, where the voice has one."""
        ...

    def fade(self, channel: int, gain: float) -> None:
        """Move the channel's fader to an amplitude 0..1, over `FADE_S`."""
        ...

    def all_off(self) -> None:
        """Silent at once, reverberation too. Programs, controllers and faders stay."""
        ...

    def render(self, frames: int) -> NDArray[np.float32]:
        """The next frames, (n, 2). The sound does not depend on how it is cut into calls."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


def perform(voice: Voice, message: bytes, first_channel: int = 0) -> None:
    """Pass a short MIDI message to a voice, a bend over two semitones up or down. Other kinds are ignored.

    first_channel: what the voice calls MIDI channel 0.
    """
    if len(message) < 2:
        return
    kind, channel, first, second = midi_spec.parse(message)
    channel += first_channel
    match kind:
        case midi_spec.NOTE_ON:
            voice.note_on(channel, first, second)
        case midi_spec.NOTE_OFF:
            voice.note_off(channel, first)
        case midi_spec.CONTROL:
            voice.control(channel, first, second)
        case midi_spec.PROGRAM:
            voice.program(channel, first)
        case midi_spec.BEND:
            voice.bend(channel, BEND_SEMITONES * ((first | second << 7) / midi_spec.BEND_CENTRE - 1))
        case midi_spec.PRESSURE:
            voice.pressure(channel, first)
