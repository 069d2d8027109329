"""A simple synthesiser for machines without FluidSynth: wavetables of a few harmonics, envelopes, noise drums."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument import midi_spec
from instrument.engine.voices.base import FADE_S
from instrument.engine.voices.gain import Frames, Ramp
from instrument.midi_spec import CHANNELS, DRUM_CHANNEL
from instrument.music.pitch import to_hertz

Wave = NDArray[np.float32]
POLYPHONY = 40  # notes, released ones included
TABLE_BITS = 13
TABLE = 1 << TABLE_BITS  # frames of a wavetable; the top bits of a 32-bit phase are the index
INAUDIBLE = 1e-7
STEAL_S = 0.006  # fade-out of a note that makes room for another
LEVEL = 0.20  # of one note


class PlainTimbre(NamedTuple):
    """A pitched sound. harmonics: amplitudes; attack, decay (to 1/e) and release: seconds; sustain: amplitude after the
    decay, 0..1."""

    harmonics: tuple[float, ...]
    attack: float
    decay: float
    sustain: float
    release: float


_STRUCK = (1, 0.5, 0.28, 0.16, 0.1, 0.06, 0.04)
_BRIGHT = tuple(1 / n for n in range(1, 13))
_HOLLOW = (1, 0, 0.4, 0, 0.22, 0, 0.12)
_SOFT = (1, 0.3, 0.1, 0.04)

TIMBRES = (  # one for each family of eight General MIDI programs
    PlainTimbre(_STRUCK, 0.002, 0.9, 0.0, 0.30),  # piano
    PlainTimbre((1, 0, 0.1, 0.35), 0.001, 0.6, 0.0, 0.80),  # chromatic percussion
    PlainTimbre((1, 0.7, 0.5, 0.35, 0, 0.2, 0, 0.15), 0.008, 1.0, 1.0, 0.10),  # organ
    PlainTimbre(_STRUCK, 0.002, 0.6, 0.0, 0.25),  # guitar
    PlainTimbre((1, 0.6, 0.3, 0.12), 0.003, 0.8, 0.15, 0.15),  # bass
    PlainTimbre(_BRIGHT[:8], 0.05, 1.0, 0.9, 0.50),  # strings
    PlainTimbre(_SOFT, 0.07, 1.0, 0.9, 0.80),  # ensemble
    PlainTimbre(_BRIGHT[:10], 0.025, 0.4, 0.75, 0.25),  # brass
    PlainTimbre(_HOLLOW, 0.02, 0.5, 0.8, 0.20),  # reed
    PlainTimbre(_SOFT, 0.03, 0.5, 0.85, 0.25),  # pipe
    PlainTimbre(_BRIGHT, 0.004, 0.4, 0.6, 0.15),  # synth lead
    PlainTimbre(_SOFT, 0.25, 1.0, 0.9, 1.20),  # synth pad
    PlainTimbre(_HOLLOW, 0.01, 1.0, 0.3, 0.90),  # synth effects
    PlainTimbre(_STRUCK, 0.002, 0.5, 0.0, 0.30),  # ethnic
    PlainTimbre((1, 0.2, 0.5, 0.3), 0.001, 0.25, 0.0, 0.30),  # percussive
    PlainTimbre(_HOLLOW, 0.05, 1.0, 0.5, 0.60),  # sound effects
)
ONE_SHOT = PlainTimbre((), 0.0, 1.0, 0.0, 0.0)  # drums: the wave has its own envelope


class Drum(NamedTuple):
    """A drum sound. tone: hertz at the start and the end, and amplitude; noise: amplitude, and its high-passed share
    0..1; decay: seconds to 1/e."""

    tone: tuple[float, float, float]
    noise: tuple[float, float]
    decay: float


KICK = Drum((150, 48, 1.6), (0.15, 0.2), 0.11)
SNARE = Drum((210, 180, 0.5), (0.8, 0.7), 0.09)
RIM = Drum((900, 800, 0.8), (0.3, 0.9), 0.02)
CLAP = Drum((0, 0, 0), (0.8, 0.6), 0.05)
CLOSED = Drum((0, 0, 0), (0.5, 1), 0.025)
OPEN = Drum((0, 0, 0), (0.5, 1), 0.16)
CRASH = Drum((0, 0, 0), (0.7, 0.95), 0.6)
RIDE = Drum((3100, 3100, 0.1), (0.3, 1), 0.3)
BELL = Drum((820, 810, 0.7), (0.05, 1), 0.12)
DRUMS = {
    35: KICK, 36: KICK, 37: RIM, 38: SNARE, 39: CLAP, 40: SNARE, 42: CLOSED, 44: CLOSED, 46: OPEN, 49: CRASH,
    51: RIDE, 52: CRASH, 53: RIDE, 54: OPEN, 55: CRASH, 56: BELL, 57: CRASH, 59: RIDE, 69: CLOSED, 70: CLOSED,
    75: RIM, 76: RIM, 77: RIM, 80: BELL, 81: BELL, 82: CLOSED,
}  # fmt: skip


def drum_of(key: int) -> Drum:
    """The drum of a General MIDI key. Keys that are not in `DRUMS` are toms, tuned by the key."""
    pitch = 70 * 2 ** ((key - 41) / 12)
    return DRUMS.get(key, Drum((1.5 * pitch, pitch, 1.2), (0.1, 0.3), 0.16))


def drum_wave(key: int, rate: int) -> Wave:
    """One stroke of a drum, mono (n,) at `rate` frames a second."""
    drum = drum_of(key)
    time = np.arange(round(6 * drum.decay * rate)) / rate
    first, last, loud = drum.tone
    pitch = last + (first - last) * np.exp(-time / 0.03)
    tone = loud * np.sin(2 * np.pi * np.cumsum(pitch) / rate)
    noise = np.random.default_rng(key).standard_normal(len(time)) / 3
    amplitude, high = drum.noise
    hiss = np.diff(noise, prepend=0) * high + noise * (1 - high)
    ending = np.minimum(1, (len(time) - np.arange(len(time))) / (0.2 * len(time)))
    wave: Wave = ((tone + amplitude * hiss) * np.exp(-time / drum.decay) * ending).astype(np.float32)
    return wave


def pitched_wave(timbre: PlainTimbre, turns: float) -> Wave:
    """One period of a timbre (TABLE,). turns: periods a frame; harmonics above 0.45 of the sample rate are left out."""
    place = np.arange(TABLE) / TABLE
    audible = [(n, loud) for n, loud in enumerate(timbre.harmonics, 1) if n * turns < 0.45]
    sound = sum((loud * np.sin(2 * np.pi * n * place) for n, loud in audible), np.zeros(TABLE))
    wave: Wave = (sound / np.sqrt(sum(loud**2 for loud in timbre.harmonics))).astype(np.float32)
    return wave


def envelope(timbre: PlainTimbre, rate: int) -> Wave:
    """Attack and decay of a held note (n,), until it has reached its sustain level."""
    ages = np.arange(round((timbre.attack - np.log(INAUDIBLE) * timbre.decay) * rate))
    decay = timbre.sustain + (1 - timbre.sustain) * np.exp(-ages / (timbre.decay * rate))
    curve: Wave = (decay * np.minimum(1.0, ages / max(1.0, timbre.attack * rate))).astype(np.float32)
    return curve


@dataclass(slots=True)
class PlainTone:
    """A sounding note. age: frames since its start; step: phase increment in 2**-32 periods a frame, 0 for a wave that
    is played once; phase: at the frame `turned`; ends: (first frame, frames) of its fade-outs."""

    channel: int
    key: int
    gain: float
    timbre: PlainTimbre
    wave: Wave
    curve: Wave
    step: int
    age: int = 0
    phase: int = 0
    turned: int = 0
    held: bool = False  # by the pedal after its key was released
    ends: list[tuple[int, int]] = field(default_factory=list)

    def turn(self) -> int:
        """The phase now, in 2**-32 periods."""
        return (self.phase + (self.age - self.turned) * self.step) & 0xFFFFFFFF

    def render(self, frames: int) -> Wave:
        """The next frames (n,)."""
        if self.step:
            phases = np.arange(frames, dtype=np.uint32) * np.uint32(self.step) + np.uint32(self.turn())
            sound: Wave = self.wave[phases >> (32 - TABLE_BITS)]
            sound *= self._piece(self.curve, frames, self.timbre.sustain)
        else:
            sound = self._piece(self.wave, frames, 0.0)
        sound *= self.gain
        for start, length in self.ends:
            sound *= np.clip(1 - (self.age + np.arange(frames) - start) / length, 0, 1) ** 3
        self.age += frames
        return sound

    def over(self) -> bool:
        """True when it has become silent."""
        if self.timbre.sustain == 0 and self.age >= len(self.curve):
            return True
        return any(self.age >= start + length for start, length in self.ends)

    def _piece(self, curve: Wave, frames: int, after: float) -> Wave:
        piece = curve[self.age : self.age + frames]
        if len(piece) == frames:
            return piece.copy()
        return np.concatenate((piece, np.full(frames - len(piece), after, np.float32)))


class PlainVoice:
    """A `Voice`, exact to the frame. Programs select one of sixteen timbres; there is no reverb."""

    grain = 1

    def __init__(self, rate: int, name: str = "plain voice") -> None:
        self.name = name
        self.rate = rate
        self._tones: list[PlainTone] = []
        self._waves: dict[tuple[int, int], Wave] = {}
        self._drums: dict[int, Wave] = {}
        self._curves: dict[int, Wave] = {}
        self._programs = [0] * CHANNELS
        self._volumes = [100] * CHANNELS
        self._expressions = [127] * CHANNELS
        self._pans = [64] * CHANNELS
        self._faders = [1.0] * CHANNELS
        self._bends = [1.0] * CHANNELS
        self._pedals = [False] * CHANNELS
        self._gains = [(Ramp(left), Ramp(right)) for left, right in map(self._balance, range(CHANNELS))]

    def note_on(self, channel: int, key: int, velocity: int) -> None:
        """As `Voice.note_on`."""
        drums = channel == DRUM_CHANNEL
        if not drums:
            self._end(lambda tone: tone.channel == channel and tone.key == key, STEAL_S)
        self._make_room()
        family = self._programs[channel] // 8
        loud = LEVEL * (velocity / 127) ** 1.7
        if drums:
            wave = self._drum(key)
            self._tones.append(PlainTone(channel, key, 2 * loud, ONE_SHOT, wave, wave, 0))
        else:
            turns = to_hertz(key) / self.rate
            wave, curve = self._wave(family, key, turns), self._curve(family)
            step = round(turns * self._bends[channel] * 2**32)
            self._tones.append(PlainTone(channel, key, loud, TIMBRES[family], wave, curve, step))

    def note_off(self, channel: int, key: int) -> None:
        """As `Voice.note_off`."""
        self._release(channel, (key,))

    def program(self, channel: int, number: int) -> None:
        """As `Voice.program`."""
        self._programs[channel] = number

    def control(self, channel: int, number: int, value: int) -> None:
        """As `Voice.control`."""
        match number:
            case midi_spec.VOLUME:
                self._volumes[channel] = value
                self._move(channel)
            case midi_spec.EXPRESSION:
                self._expressions[channel] = value
                self._move(channel)
            case midi_spec.PAN:
                self._pans[channel] = value
                self._move(channel)
            case midi_spec.SUSTAIN:
                self._pedals[channel] = value >= midi_spec.PEDAL_DOWN
                self._end_released(channel)
            case midi_spec.NOTES_OFF:
                self._release(channel, range(128))
            case midi_spec.RESET_CONTROLLERS:
                self._expressions[channel], self._pedals[channel] = 127, False
                self._move(channel)
                self._end_released(channel)
                self.bend(channel, 0.0)
            case midi_spec.SOUND_OFF:
                self._end(lambda tone: tone.channel == channel, STEAL_S)

    def bend(self, channel: int, semitones: float) -> None:
        """As `Voice.bend`."""
        bend = 2 ** (semitones / 12)
        for tone in self._tones:
            if tone.channel == channel:
                tone.phase, tone.turned = tone.turn(), tone.age
                tone.step = round(tone.step * bend / self._bends[channel])
        self._bends[channel] = bend

    def pressure(self, channel: int, value: int) -> None:
        """Ignored: it has no vibrato."""

    def fade(self, channel: int, gain: float) -> None:
        """As `Voice.fade`."""
        self._faders[channel] = gain
        self._move(channel)

    def all_off(self) -> None:
        """As `Voice.all_off`."""
        self._tones.clear()

    def render(self, frames: int) -> Frames:
        """As `Voice.render`."""
        sums: dict[int, NDArray[np.float64]] = {}
        for tone in self._tones:
            sums.setdefault(tone.channel, np.zeros((frames, 1)))[:, 0] += tone.render(frames)
        self._tones = [tone for tone in self._tones if not tone.over()]
        out = np.zeros((frames, 2))
        for channel, sides in enumerate(self._gains):
            for side, ramp in enumerate(sides):
                gain = ramp.take(frames)
                if channel in sums:
                    out[:, side : side + 1] += gain * sums[channel]
        return out.astype(np.float32)

    def close(self) -> None:
        """As `Voice.close`."""

    def _make_room(self) -> None:
        """End the oldest note, a released one if there is one. In a flood, oldest notes end at once."""
        lasting = [tone for tone in self._tones if len(tone.ends) < 2]
        if len(lasting) >= POLYPHONY:
            oldest = next((tone for tone in lasting if tone.ends), lasting[0])
            oldest.ends += [(oldest.age, max(1, round(STEAL_S * self.rate)))] * 2
        del self._tones[: max(0, len(self._tones) - 2 * POLYPHONY)]

    def _release(self, channel: int, keys: Container[int]) -> None:
        """The keys go up; a pedal that is down holds their tones. A drum rings to its end."""
        for tone in self._tones:
            if tone.channel == channel != DRUM_CHANNEL and tone.key in keys and not tone.ends:
                tone.held = True
        self._end_released(channel)

    def _end_released(self, channel: int) -> None:
        """End the tones that only the pedal held, unless it is down."""
        if not self._pedals[channel]:
            self._end(lambda tone: tone.channel == channel and tone.held)

    def _end(self, which: Callable[[PlainTone], bool], seconds: float | None = None) -> None:
        """Fade the selected tones out, over `seconds` or by default the release time of their timbre."""
        for tone in self._tones:
            if which(tone) and (seconds or not tone.ends):
                tone.held = False
                tone.ends.append((tone.age, max(1, round((seconds or tone.timbre.release) * self.rate))))

    def _wave(self, family: int, key: int, turns: float) -> Wave:
        if (family, key) not in self._waves:
            self._waves[family, key] = pitched_wave(TIMBRES[family], turns)
        return self._waves[family, key]

    def _drum(self, key: int) -> Wave:
        if key not in self._drums:
            self._drums[key] = drum_wave(key, self.rate)
        return self._drums[key]

    def _curve(self, family: int) -> Wave:
        if family not in self._curves:
            self._curves[family] = envelope(TIMBRES[family], self.rate)
        return self._curves[family]

    def _balance(self, channel: int) -> tuple[float, float]:
        """Left and right amplitude of a channel, by the constant-power pan law."""
        loud = self._faders[channel] * (self._volumes[channel] * self._expressions[channel] / 127**2) ** 2
        angle = self._pans[channel] / 127 * np.pi / 2
        return loud * float(np.cos(angle)), loud * float(np.sin(angle))

    def _move(self, channel: int) -> None:
        for ramp, target in zip(self._gains[channel], self._balance(channel), strict=True):
            ramp.move(target, round(FADE_S * self.rate))
