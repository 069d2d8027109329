"""What the engine asks of a sound model: a stream that never ends, or a voice whose tones are struck and released.

How a family comes in (`models.families` names its opener, imported when it is first needed):

    instrument/models/sound/cmelgan.py    def open_stream(bundle: Bundle, vocoder: Bundle) -> StreamModel
    instrument/models/sound/ddsp.py       def open_voice(bundle: Bundle) -> VoiceModel
    instrument/models/sound/gansynth.py   def open_voice(bundle: Bundle) -> VoiceModel

The bundles that a manifest `needs` are opened by the catalogue and handed over after the bundle itself, in the order
in which they are named. A model that opened has run once: its first chunk or tone takes no longer than the others.
The knobs are those of the manifest, all of them in every call, checked; level, mute and the like are the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Knobs = Mapping[str, float | str]  # knob id -> value


@runtime_checkable
class StreamModel(Protocol):
    """An endless stream of mono sound, chunk by chunk. Used by one thread at a time, and for one stream."""

    rate: int  # frames a second
    chunk: int  # frames of every chunk, 20 to 50 ms

    def reset(self, seed: int, player: int) -> None:
        """Begin anew with chunk 0. Draws are counter-based, keyed by seed, player and place."""
        ...

    def render(self, knobs: Knobs) -> NDArray[np.float32]:
        """The next chunk (chunk,), of full scale 1. It depends on seed, player, the number of the chunk and the knobs
        told so far, and on nothing else; other knobs than for the last chunk make no click."""
        ...


@runtime_checkable
class Tones(Protocol):
    """A polyphony. Used by one thread at a time; the engine sees to it that no more than 16 tones are held or ring out,
    besides those that are being cut.

    Everything holds from the next frame that is rendered (or the model's next control frame, 6 ms later at most), and
    the sound does not depend on how it is cut into calls. No method may take longer than a millisecond or two (a
    tone a third of its duration): it is the mixer that waits.
    """

    def strike(self, tone: int, pitch: int, velocity: int) -> None:
        """Start a tone: its number, which no sounding tone has; MIDI pitch 0..127; velocity 1..127."""
        ...

    def release(self, tone: int) -> None:
        """The key was released: the tone rings out. Nothing happens if it does not sound."""
        ...

    def cut(self, tone: int) -> None:
        """Fade a tone out within 5 ms: it was stolen, or there is panic. Nothing happens if it does not sound."""
        ...

    def bend(self, semitones: float) -> None:
        """Pitch bend of all tones, those to come too, smoothly."""
        ...

    def turn(self, knobs: Knobs) -> None:
        """Other knobs, heard smoothly in the tones that sound where the family can, else in those to come. Told once
        before the first tone."""
        ...

    def render(self, frames: int) -> NDArray[np.float32]:
        """The next frames, (n, 2), all tones together; one tone at velocity 127 peaks at about 0.25. Called all the
        time: it costs next to nothing while no tone sounds."""
        ...

    @property
    def sounding(self) -> frozenset[int]:
        """The numbers of the tones that are not yet silent."""
        ...


@runtime_checkable
class VoiceModel(Protocol):
    """A voice: it may be started several times, for several polyphonies at once."""

    def start(self, rate: int, live: bool = False) -> Tones:
        """A polyphony at the mixer's rate, silent. Quick: 20 ms at most. live: a person waits for the sound, so what
        takes long when a tone is struck may go to a thread of the model's own, and the tone come in when it
        is there; else every tone sounds from its frame, and the same calls give the same sound to the bit."""
        ...


SoundModel = StreamModel | VoiceModel


def warm_up(voice: VoiceModel) -> None:
    """Run a voice once: the first run of a graph takes longer."""
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
