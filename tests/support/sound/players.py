"""Sound models for tests: a stream and a voice of sines, whose pitch, level and joins can be measured."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.manifest import Knob
from instrument.models.notes.player import Ask
from instrument.music.notes import Note, Part
from tests.support.players import ScaleBundle, ScalePlayer, open_scale
from tests.support.soloists import CLICK_TICKS, ClickPlayer

AMPLITUDE = 0.2
MAJOR = (0, 2, 4, 5, 7, 9, 11)


@dataclass(frozen=True)
class SoundBundle:
    """What a performance asks of a manifest."""

    slug: str
    knobs: tuple[Knob, ...]
    bundle_hash: str = "50d" * 21
    legacy_hash: str = "01d" * 21
    parts: tuple[int, ...] = ()


class SineStream:
    """A sine at the MIDI pitch that its knob says, reached within a chunk. The seed says how it begins."""

    KNOBS = (Knob("pitch", "Pitch", low=0, high=127, default=69.0),)

    def __init__(self, rate: int = 44_100, chunk: int = 2048) -> None:
        self.rate, self.chunk = rate, chunk
        self.rendered = 0  # chunks
        self.reset(0, 0)

    def reset(self, seed: int, player: int) -> None:
        self.started = (seed, player)
        self._phase = float(seed % 4) / 4
        self._pitch: float | None = None
        self.rendered = 0

    def render(self, knobs: Mapping[str, float | str]) -> NDArray[np.float32]:
        wanted = float(knobs["pitch"])
        pitch = np.linspace(wanted if self._pitch is None else self._pitch, wanted, self.chunk)
        self._pitch = wanted
        self.rendered += 1
        cycles = self._phase + np.cumsum(440 * 2 ** ((pitch - 69) / 12) / self.rate)
        self._phase = float(cycles[-1] % 1)
        return (AMPLITUDE * np.sin(2 * np.pi * cycles)).astype(np.float32)


class NoiseStream(SineStream):
    """White noise, and the tones of the wrong keys."""

    KNOBS = ()

    def render(self, knobs: Mapping[str, float | str]) -> NDArray[np.float32]:
        draws = np.random.Generator(np.random.Philox(key=self.started[0], counter=(self.rendered, 0, 0, 0)))
        t = (self.rendered * self.chunk + np.arange(self.chunk)) / self.rate
        self.rendered += 1
        wrong = sum(np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t) for pitch in (49, 54, 61, 68, 73, 82))
        return (0.05 * draws.standard_normal(self.chunk) + 0.02 * wrong).astype(np.float32)


class SlowStream(SineStream):
    """Takes longer for a chunk than it lasts."""

    def render(self, knobs: Mapping[str, float | str]) -> NDArray[np.float32]:
        time.sleep(0.1)
        return super().render(knobs)


class FaintingStream(SineStream):
    """Fails after some chunks."""

    def render(self, knobs: Mapping[str, float | str]) -> NDArray[np.float32]:
        if self.rendered == 5:
            raise HocketError("the network gives no number: fetch the bundle again")
        return super().render(knobs)


class SineTones:
    """Sines of a short attack and release; the knob `octave` moves all that sound, gliding."""

    ATTACK_S, RELEASE_S, CUT_S, GLIDE_S = 0.003, 0.030, 0.005, 0.02

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._tones: dict[
            int, list[float]
        ] = {}  # pitch, gain, gain now, step of the gain, phase, bend now, and to come
        self._shift = self._target = 0.0

    def strike(self, tone: int, pitch: int, velocity: int) -> None:
        assert tone not in self._tones
        self._tones[tone] = [pitch, AMPLITUDE * velocity / 127, 0.0, 1 / self.ATTACK_S, 0.0, 0.0, 0.0]

    def release(self, tone: int) -> None:
        self._end(tone, self.RELEASE_S)

    def cut(self, tone: int) -> None:
        self._end(tone, self.CUT_S)

    def bend(self, tone: int, semitones: float) -> None:
        if tone in self._tones:
            fresh = self._tones[tone][2] == 0
            self._tones[tone][5:] = [semitones if fresh else self._tones[tone][5], semitones]

    def turn(self, knobs: Mapping[str, float | str]) -> None:
        self._target = 12 * float(knobs["octave"])

    def render(self, frames: int) -> NDArray[np.float32]:
        out = np.zeros(frames)
        t = np.arange(1, frames + 1) / self._rate
        moved = self._glide(self._shift, self._target, t)
        for tone, (pitch, top, gain, slope, phase, bend, bent) in list(self._tones.items()):
            gains = np.clip(gain + slope * t, 0, 1)
            bends = self._glide(bend, bent, t)
            cycles = phase + np.cumsum(440 * 2 ** ((pitch - 69 + moved + bends) / 12) / self._rate)
            out += top * gains * np.sin(2 * np.pi * cycles)
            self._tones[tone][2:] = [float(gains[-1]), slope, float(cycles[-1] % 1), float(bends[-1]), bent]
            if slope < 0 and gains[-1] == 0:
                del self._tones[tone]
        self._shift = float(self._glide(self._shift, self._target, t)[-1])
        return np.repeat(out[:, None], 2, axis=1).astype(np.float32)

    def _glide(self, now: float, target: float, t: NDArray[np.float64]) -> NDArray[np.float64]:
        return now + np.clip(target - now, -12 * t / self.GLIDE_S, 12 * t / self.GLIDE_S)

    @property
    def sounding(self) -> frozenset[int]:
        return frozenset(self._tones)

    def _end(self, tone: int, seconds: float) -> None:
        if tone in self._tones:
            self._tones[tone][3] = -1 / seconds


class SineVoice:
    """Starts them."""

    KNOBS = (Knob("octave", "Octave", low=-2, high=2, default=0.0),)

    def start(self, rate: int, live: bool = False) -> SineTones:
        return SineTones(rate)


class ScaleLine(ClickPlayer):
    """C major up from middle C, a note every three sixteenths, without an end."""

    def propose(self, ask: Ask) -> Note:
        note = super().propose(ask)
        step = note.tick // CLICK_TICKS
        return Note(note.tick, 0, 60 + 12 * (step // 7 % 2) + MAJOR[step % 7], 12, 100, Part.MELODY)


SOUNDS = {
    "sines": SineStream,
    "noise": NoiseStream,
    "slow-sines": SlowStream,
    "fainting": FaintingStream,
    "whistle": SineVoice,
}


def open_any(slug: str) -> tuple[ScaleBundle | SoundBundle, ScalePlayer | SineStream | SineVoice]:
    """As `catalog.open_player`: the sounds here, a scale, and the notes of `open_scale`."""
    if slug == "scale-line":
        return ScaleBundle(slug, "c11c" * 15), ScaleLine()
    if slug in SOUNDS:
        return SoundBundle(slug, SOUNDS[slug].KNOBS), SOUNDS[slug]()
    return open_scale(slug)
