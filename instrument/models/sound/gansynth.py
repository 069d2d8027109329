"""A voice of whole notes: each is generated as log magnitudes and frequencies (`notespectra`) and made sound frame by
frame, while it sounds.

The network says any frames of a note at once, so the first ones are there when a key goes down and the others
follow in time. Frames are laid out on the Fourier grid of the mixer's rate: there is nothing to resample, and a bend
is other frequencies. What a note is, is decided when it is struck; one that is held for longer than a second
goes over to another timbre, block by block. Beyond its last frame, a note goes to and fro in its steady part, and
goes on to decay as it did there; its phases run on, so there is no seam.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.latent import slerp
from instrument.models.sound.base import one_note, warm_up
from instrument.models.sound.note_spectra import PARTIALS, QUIET, Array, Maps, comb, first_phases, grid
from instrument.models.sound.note_spectra import (
    round_trip as round_trip,  # what the best of these voices could keep
)

BLOCKS = (8, 16)  # frames that are generated at once: first, and then
TIMBRE_FOLLOWS = 64  # frames after which a held note goes over to another timbre
STEADY = 48  # frames, of its last, in which a note goes on
STEADY_DECAY = 0.004  # nats a frame (some 2 dB a second): what decays more slowly is steady
PITCH_MARGIN = 4  # semitones beyond its notes in training to which an instrument is told its pitch
SOFTEST, HARDEST = 35, 115  # likewise velocities; beyond
GROWTH = 35.0  # decibels that a note grows by with ten times the velocity
HEADROOM = 0.22  # level of notes among others: the hardest peak at about a quarter
CUT_SECONDS = 0.005  # seconds
SILENT = -9.5  # nats: notes that fell so low have ended


class NoteTimbre(NamedTuple):
    """What notes are made of: weights of instruments (n,), latent (d,), seconds in which they fade by 60 dB when
    released, the lowest and highest pitch that may be told."""

    weights: Array
    latent: Array
    release: float
    low: float
    high: float


class GanSynth:
    """A `VoiceModel`. Graph `generator`, see `training.families.gansynth.network`; what the bundle tells of its latent
    space: `mean` (instruments, latent), where an instrument's notes lie; `directions` (2, latent) and `leanings` (2,
    instruments), what x and y add to the latent and to the weights of instruments; `release` (instruments,) in
    seconds; `range` (instruments, 2), lowest and highest pitches."""

    def __init__(self, bundle: Bundle) -> None:
        """HocketError if the bundle is incomplete."""
        self.manifest = manifest = bundle.manifest
        self.instruments = manifest.condition_genres
        self.generator = bundle.session("generator")
        n, told = len(self.instruments), bundle.latents()
        size = manifest.latent
        shapes = {"mean": (n, size), "directions": (2, size), "leanings": (2, n), "release": (n,), "range": (n, 2)}
        for name, shape in shapes.items():
            if name not in told or told[name].shape != shape or not np.isfinite(told[name]).all() or not n:
                raise HocketError(f"bundle {manifest.slug!r}: its latents have no {name} of {shape}: reinstall it")
        self.told = {name: told[name].astype(np.float32) for name in shapes}
        self.frames = manifest.codec.get("frames", 0)
        if self.frames <= STEADY:
            raise HocketError(f"bundle {manifest.slug!r}: notes of {self.frames} frames are too short: reinstall it")

    def timbre(self, knobs: Mapping[str, float | str]) -> NoteTimbre:
        """What the knobs say: an instrument, on its way (`morph`) to another, moved by x and y."""
        morph = float(np.clip(float(knobs.get("morph", 0.0)), 0, 1))
        names = [str(knobs.get(id, "")) for id in ("instrument", "instrument_b")]
        a, b = (self.instruments.index(name) if name in self.instruments else 0 for name in names)
        weights = np.zeros(len(self.instruments), np.float32)
        weights[a] += 1 - morph
        weights[b] += morph
        latent = slerp(self.told["mean"][a], self.told["mean"][b], morph)
        pad = np.array([float(knobs.get("x", 0.0)), float(knobs.get("y", 0.0))], np.float32)
        low, high = ((1 - morph) * self.told["range"][a] + morph * self.told["range"][b]).tolist()
        release = float(np.exp(weights @ np.log(np.maximum(self.told["release"], 0.01))))
        weights = weights + pad @ self.told["leanings"]
        return NoteTimbre(
            weights, latent + pad @ self.told["directions"], release, low - PITCH_MARGIN, high + PITCH_MARGIN
        )

    def maps(
        self,
        timbres: list[NoteTimbre],
        pitch: NDArray[np.int64],
        velocity: NDArray[np.int64],
        frames: NDArray[np.int64],
    ) -> Maps:
        """Maps (lanes, n, ...) of frames (lanes, n) of notes."""
        pitches = [np.clip(p, t.low, t.high) for p, t in zip(pitch, timbres, strict=True)]
        loud = np.clip(velocity, SOFTEST, HARDEST)
        feeds: dict[str, NDArray[Any]] = {
            "instrument": np.stack([t.weights for t in timbres]),
            "latent": np.stack([t.latent for t in timbres]).astype(np.float32),
            "pitch": np.asarray(pitches, np.float32),
            "velocity": (loud / 127).astype(np.float32),
            "frames": frames.astype(np.int64),
        }
        level, deviation, noise = self.generator.run(feeds)
        beyond = (GROWTH / 20 * np.log(10) * np.log10(np.maximum(velocity, 1) / loud)).astype(np.float32)[:, None, None]
        return Maps(level + beyond, deviation, noise + beyond)

    def start(self, rate: int, live: bool = False) -> GanTones:
        """Silent tones at a sample rate. `live` changes nothing: a tone is there from its first frame on."""
        return GanTones(self, rate)


def open_voice(bundle: Bundle) -> GanSynth:
    """The voice of a bundle."""
    voice = GanSynth(bundle)
    warm_up(voice)
    return voice


@dataclass
class GanTone:
    """A tone that sounds. at: the next frame, which begins two hops before its centre; block: frames that were
    generated, from `begins` on; slope: what its levels lose a frame beyond the end; ready: samples that are done,
    tail: what frames yet to come add to; released, cutting: samples since (-1: not yet)."""

    number: int
    pitch: int
    velocity: int
    timbre: NoteTimbre
    serial: int
    comb: Array
    phase: NDArray[np.float64]
    tail: Array
    at: int = -1
    begins: int = 0
    block: Maps | None = None
    slope: tuple[Array, Array] | None = None
    frequency: Array | None = None
    ready: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    released: int = -1
    cutting: int = -1


class GanTones:
    """A polyphony, see `sounding.Tones`."""

    def __init__(self, voice: GanSynth, rate: int) -> None:
        self.voice, self.rate, self.grid = voice, rate, grid(rate)
        self.tones: list[GanTone] = []
        self.count = 0
        self.bend_now = 0.0
        self.timbre = voice.timbre({k.id: k.default for k in voice.manifest.knobs})
        self.told: dict[str, float | str] = {}
        assert self.grid.noise is not None  # made now, not when the first key goes down

    # --- what is asked of it

    def strike(self, tone: int, pitch: int, velocity: int) -> None:
        """Start a tone with the next frame."""
        self.cut(tone)
        for there in self.tones:
            if there.number == tone:
                there.number = -1  # it ends under no name
        self.count += 1
        tail, phase = np.zeros(self.grid.fft, np.float32), first_phases(self.count).astype(np.float64)
        self.tones.append(GanTone(tone, pitch, velocity, self.timbre, self.count, comb(pitch), phase, tail))

    def release(self, tone: int) -> None:
        """It fades as its instrument does."""
        for there in self.tones:
            if there.number == tone and there.released < 0:
                there.released = 0

    def cut(self, tone: int) -> None:
        """Fade out within 5 ms."""
        for there in self.tones:
            if there.number == tone and there.cutting < 0:
                there.cutting = 0
        self.tones = [t for t in self.tones if t.cutting != 0 or t.at >= 0]  # struck, and nothing rendered yet

    def bend(self, semitones: float) -> None:
        """Of all tones, from the next frame on."""
        self.bend_now = semitones

    def turn(self, knobs: Mapping[str, float | str]) -> None:
        """Another timbre for tones to come, and for those held long."""
        if dict(knobs) != self.told:
            self.told = dict(knobs)
            self.timbre = self.voice.timbre(knobs)

    def render(self, frames: int) -> NDArray[np.float32]:
        """The next frames, (n, 2)."""
        while short := [t for t in self.tones if len(t.ready) < frames]:
            self._add_frame(short)
        out = np.zeros(frames, np.float32)
        for tone in self.tones:
            sound, tone.ready = tone.ready[:frames], tone.ready[frames:]
            out += self._faded(tone, sound)
        self.tones = [t for t in self.tones if not self._over(t)]
        return np.repeat((HEADROOM * out)[:, None], 2, 1)

    @property
    def sounding(self) -> frozenset[int]:
        """Numbers of tones that are not yet silent."""
        return frozenset(t.number for t in self.tones if t.number >= 0)

    # --- fading

    def _faded(self, tone: GanTone, sound: Array) -> Array:
        since = np.arange(len(sound))
        if tone.released >= 0:
            rate = np.log(1000) / (tone.timbre.release * self.rate)
            sound = sound * np.exp(-rate * (tone.released + since)).astype(np.float32)
            tone.released += len(sound)
        if tone.cutting >= 0:
            left = 1 - (tone.cutting + since) / (CUT_SECONDS * self.rate)
            sound = sound * np.maximum(0, left).astype(np.float32)
            tone.cutting += len(sound)
        return sound

    def _over(self, tone: GanTone) -> bool:
        return tone.cutting >= CUT_SECONDS * self.rate or tone.released > 1.5 * tone.timbre.release * self.rate

    # --- frames

    def _add_frame(self, tones: list[GanTone]) -> None:
        """The next frame of each tone: the samples that are done with it are ready."""
        self._generate([t for t in tones if t.block is None or t.at >= t.begins + len(t.block.level)])
        rows = [max(0, t.at - t.begins) for t in tones]
        blocks = [t.block for t in tones if t.block is not None]
        level, deviation, noise = (
            np.stack([block[i][row] for block, row in zip(blocks, rows, strict=True)]) for i in range(3)
        )
        frequency = np.stack([t.comb for t in tones]) * (1 + deviation) * np.float32(2 ** (self.bend_now / 12))
        phase = np.empty((len(tones), PARTIALS))
        for i, tone in enumerate(tones):
            if tone.frequency is not None:
                tone.phase += (tone.frequency + frequency[i]) * (np.pi * self.grid.hop / self.rate)
                tone.phase %= 2 * np.pi
            tone.frequency, phase[i] = frequency[i], tone.phase
        numbers = np.array([t.at + 17 * t.serial for t in tones])
        frames = self.grid.frames(self.grid.spectra(level, frequency, phase.astype(np.float32), noise, numbers))
        hop = self.grid.hop
        silent = (level.max(1) < SILENT) & (noise.max(1) < SILENT)
        for tone, frame, ended in zip(tones, frames, silent, strict=True):
            tone.tail += frame
            if tone.at >= 2:  # earlier ones end before the key was struck
                tone.ready = np.concatenate([tone.ready, tone.tail[:hop]])
            tone.tail[:-hop] = tone.tail[hop:]
            tone.tail[-hop:] = 0
            tone.at += 1
            if ended and tone.at > 2 * BLOCKS[0] and tone.cutting < 0:
                tone.cutting = 0

    def _generate(self, tones: list[GanTone]) -> None:
        """The next block of each tone."""
        for first in (True, False):
            some = [t for t in tones if (t.block is None) == first]
            if some:
                self._generate_blocks(some, BLOCKS[0] if first else BLOCKS[1])

    def _generate_blocks(self, tones: list[GanTone], length: int) -> None:
        begins = np.array([max(0, t.at) for t in tones])
        wanted = begins[:, None] + np.arange(length)
        before = [t.timbre for t in tones]
        for tone, begin in zip(tones, begins, strict=True):
            if begin >= TIMBRE_FOLLOWS:
                tone.timbre = self.timbre
        maps = self._maps(tones, wanted, [t.timbre for t in tones])
        turned = [i for i, t in enumerate(tones) if t.timbre is not before[i]]
        if turned:
            old = self._maps([tones[i] for i in turned], wanted[turned], [before[i] for i in turned])
            share = (np.arange(1, length + 1, dtype=np.float32) / length)[:, None]
            for mine, theirs in zip(maps, old, strict=True):
                mine[turned] = share * mine[turned] + (1 - share) * theirs
        for i, tone in enumerate(tones):
            tone.begins, tone.block = int(begins[i]), Maps(*(m[i] for m in maps))

    def _maps(self, tones: list[GanTone], wanted: NDArray[np.int64], timbres: list[NoteTimbre]) -> Maps:
        """Maps of frames (lanes, n), beyond a note's end too."""
        last = self.voice.frames - 1
        past = np.maximum(wanted - last, 0)
        around = past % (2 * STEADY)
        there = np.minimum(wanted, last) - np.minimum(around, 2 * STEADY - around)
        pitch, velocity = (np.array([getattr(t, name) for t in tones]) for name in ("pitch", "velocity"))
        level, deviation, noise = (m.copy() for m in self.voice.maps(timbres, pitch, velocity, there))
        for i in np.flatnonzero(past.any(1)):
            if tones[i].slope is None:
                tones[i].slope = self._slope(tones[i])
            gone = (wanted[i] - there[i]).astype(np.float32)[:, None]
            fall, hush = tones[i].slope or (0.0, 0.0)
            level[i] = np.maximum(level[i] + gone * fall, QUIET)
            noise[i] = np.maximum(noise[i] + gone * hush, QUIET)
        return Maps(level, deviation, noise)

    def _slope(self, tone: GanTone) -> tuple[Array, Array]:
        """What levels of partials and of noise change by, a frame, in the steady part of a note; none rises."""
        last = self.voice.frames - 1
        at = np.arange(last - STEADY, last + 1, 4)
        maps = self.voice.maps([tone.timbre], np.array([tone.pitch]), np.array([tone.velocity]), at[None])
        line = (at - at.mean()) / ((at - at.mean()) ** 2).sum()
        level, noise = ((line @ m[0]).astype(np.float32) for m in (maps.level, maps.noise))
        return np.where(level < -STEADY_DECAY, level, 0), np.where(noise < -STEADY_DECAY, noise, 0)


def render_note(
    model: GanSynth, instrument: str, pitch: int, velocity: int, held_s: float, seconds: float, rate: int
) -> NDArray[np.float32]:
    """One note alone at its own level, (samples,): struck at once, released after `held_s`. HocketError for an
    instrument that the model does not know."""
    if instrument not in model.instruments:
        raise HocketError(f"unknown instrument {instrument!r}: choose one of {', '.join(model.instruments)}")
    tones = model.start(rate)
    tones.turn({"instrument": instrument, "instrument_b": instrument})
    return one_note(tones, pitch, velocity, held_s, seconds, rate) / np.float32(HEADROOM)
