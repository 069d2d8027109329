"""The interface of a sound model: an endless stream, or a voice whose tones are struck and released.

A family is opened by a function that `models.families` names, imported when it is first needed:

    instrument/models/sound/cmelgan.py    def open_stream(bundle: Bundle, vocoder: Bundle) -> StreamModel
    instrument/models/sound/ddsp.py       def open_voice(bundle: Bundle) -> VoiceModel
    instrument/models/sound/gansynth.py   def open_voice(bundle: Bundle) -> VoiceModel

The bundles that a manifest `needs` are opened by the catalogue and passed after the bundle itself, in their order. A
model that is open has run once, so its first chunk or tone takes no longer than the others. Knobs are those of the
manifest, all of them in every call, with valid values; level, mute and the like belong to the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError

Knobs = Mapping[str, float | str]  # knob id -> value
LOUDEST = 32.0  # times full scale


@runtime_checkable
class StreamModel(Protocol):
    """An endless stream of mono sound, chunk by chunk. Used by one thread at a time, and for one stream."""

    rate: int  # frames a second
    chunk: int  # frames of every chunk, 20 to 50 ms

    def reset(self, seed: int, player: int) -> None:
        """Start again at chunk 0. Draws are counter-based, keyed by seed, player and position."""
        ...

    def render(self, knobs: Knobs) -> NDArray[np.float32]:
        """The next chunk (chunk,), of full scale 1. It depends on seed, player, the number of the chunk and the knobs
        so far alone. A change of knobs makes no click."""
        ...


@runtime_checkable
class Tones(Protocol):
    """The tones of a voice. Used by one thread at a time; the engine keeps at most 16 tones held or ringing out, in
    addition to those that are being cut.

    Calls take effect at the next frame that is rendered (or the model's next control frame, at most 6 ms later), and
    the sound does not depend on how rendering is divided into calls. No method may take longer than a millisecond or
    two (rendering, a third of the rendered duration), since the mixer waits for it.
    """

    def strike(self, tone: int, pitch: int, velocity: int) -> None:
        """Start a tone: its number, which no sounding tone has; MIDI pitch 0..127; velocity 1..127."""
        ...

    def release(self, tone: int) -> None:
        """The key was released: the tone rings out. Nothing happens if it does not sound."""
        ...

    def cut(self, tone: int) -> None:
        """Fade a tone out within 5 ms, as for voice stealing and panic. Nothing happens if it does not sound."""
        ...

    def bend(self, tone: int, semitones: float) -> None:
        """Bend a tone by so many semitones: smoothly if it is heard already. Nothing happens if it does not sound."""
        ...

    def turn(self, knobs: Knobs) -> None:
        """Set the knobs: smoothly for sounding tones where the family can, else for later ones. Called once before the
        first tone."""
        ...

    def render(self, frames: int) -> NDArray[np.float32]:
        """The next frames (n, 2), the sum of all tones; one tone at velocity 127 peaks at about 0.25. Called also while
        no tone sounds, when it must be fast."""
        ...

    @property
    def sounding(self) -> frozenset[int]:
        """The numbers of the tones that are not yet silent."""
        ...


@runtime_checkable
class VoiceModel(Protocol):
    """A voice. It may be started several times, each with its own tones."""

    def start(self, rate: int, live: bool = False) -> Tones:
        """Silent tones at the mixer's rate, within 20 ms.

        live: long computations at a strike may run in a thread of the model, and the tone start late; else every tone
        sounds from its frame, and the same calls give the same sound to the bit.
        """
        ...


SoundModel = StreamModel | VoiceModel


def checked_sound(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a model made. HocketError for NaN and for what is louder than `LOUDEST`."""
    if sound.size and not (sound.max() <= LOUDEST and sound.min() >= -LOUDEST):  # comparisons with NaN are false
        raise HocketError(f"it produced NaN, or sound over {LOUDEST:g} times full scale: install its bundle again")
    return sound


def warm_up(voice: VoiceModel) -> None:
    """Run a voice once, since the first run of a graph takes longer."""
    tones = voice.start(48000)
    tones.strike(0, 60, 90)
    tones.render(512)


def one_note(tones: Tones, pitch: int, velocity: int, held_s: float, seconds: float, rate: int) -> NDArray[np.float32]:
    """One note alone, mono (samples,): struck at once, released after `held_s`."""
    tones.strike(0, pitch, velocity)
    held, whole = round(min(held_s, seconds) * rate), round(seconds * rate)
    sound = tones.render(held)
    tones.release(0)
    alone: NDArray[np.float32] = np.concatenate([sound, tones.render(whole - held)])[:, 0]
    return alone
