"""Stand-ins for sound models: a voice, a stream and a vocoder that sound as the made-up corpora do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from instrument.models.manifest import VERSION, Golden, Graph, Knob, Manifest, write_manifest
from instrument.models.sound.spectral import MelFormat, hann, magnitudes
from tests.support.sound.corpus import GENRES, INSTRUMENTS, note

RATE = 16000


def sound_bundle(folder: Path, family: str, **fields):
    """What of a bundle an evaluation reads: its manifest, which is written, and its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "graph.onnx").write_bytes(b"\0" * 1000)
    manifest = Manifest(
        VERSION,
        folder.name,
        folder.name.capitalize(),
        family,
        "1.0.0",
        "CC0-1.0",
        (Graph("graph", "graph.onnx", "0" * 64, (), ()),),
        Golden("golden.npz", "0" * 64, 1e-3),
        **fields,
    )
    write_manifest(manifest, folder)
    return SimpleNamespace(manifest=manifest, folder=folder)


def voice_bundle(folder: Path):
    """The bundle of `SineVoice`."""
    names = tuple(INSTRUMENTS)
    knobs = (
        Knob("instrument", "Instrument", "choice", default=names[0], choices=names),
        Knob("instrument_b", "Second", "choice", default=names[1], choices=names),
        Knob("morph", "Morph"),
    )
    return sound_bundle(folder, "ddsp", condition_genres=names, knobs=knobs)


def stream_bundle(folder: Path):
    """The bundle of `MixedStream`."""
    names = tuple(GENRES)
    knobs = (
        Knob("genre", "Genre", "choice", default=names[0], choices=names),
        Knob("genre_b", "Other", "choice", default=names[1], choices=names),
        Knob("blend", "Blend"),
    )
    return sound_bundle(folder, "cmelgan", genres=names, condition_genres=names, knobs=knobs)


class SineVoice:
    """A `VoiceModel` that plays the instruments of the made-up notes. off: semitones that it is out of tune."""

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def start(self, rate: int, live: bool = False):
        """Silent tones."""
        return SineTones(rate, self.off)


class SineTones:
    """Tones of eight seconds, made when they are struck."""

    def __init__(self, rate: int, off: float) -> None:
        self.rate, self.off = rate, off
        self.sound = np.zeros(12 * rate)
        self.at, self.harmonics = 0, (1.0,)

    def turn(self, knobs):
        """Another instrument."""
        self.harmonics = INSTRUMENTS[knobs["instrument"]]

    def strike(self, tone, pitch, velocity):
        """Sound from here on."""
        made = note(self.harmonics, pitch + self.off, velocity, 2 * self.rate // 3, 3 * self.rate, self.rate)
        self.sound[self.at : self.at + len(made)] += 0.25 * made

    def release(self, tone):
        """They last as long as they last."""

    cut = release

    def bend(self, tone, semitones):
        """Not these."""

    def render(self, frames):
        """The next frames (n, 2)."""
        out = self.sound[self.at : self.at + frames]
        self.at += frames
        return np.repeat(out[:, None], 2, 1).astype(np.float32)

    @property
    def sounding(self):
        """Never asked for."""
        return frozenset()


class MixedStream:
    """A `StreamModel` that mixes two of the made-up genres."""

    rate, chunk = RATE, 512

    def reset(self, seed, player):
        """From the start."""
        self.seed, self.number, self.made = seed, 0, {}

    def render(self, knobs):
        """The next chunk."""
        times = (self.number * self.chunk + np.arange(self.chunk)) / self.rate
        self.number += 1
        share = knobs["blend"]
        out = (1 - share) * self._genre(knobs["genre"], times) + share * self._genre(knobs["genre_b"], times)
        return out.astype(np.float32)

    def _genre(self, name, times):
        if name not in self.made:  # half a minute of it, over and over
            long = np.arange(30 * self.rate) / self.rate
            sound = GENRES[name](np.random.default_rng([self.seed, list(GENRES).index(name)]), long)
            self.made[name] = sound / np.sqrt(np.mean(sound**2)) * 0.1
        return self.made[name][np.rint(times * self.rate).astype(int) % len(self.made[name])]


class NoiseVocoder:
    """Answers like a `Vocoder`: noise with the magnitudes that the mels tell, without memory of what came before."""

    def __init__(self, bundle=None) -> None:
        self.format = MelFormat(rate=RATE, hop=256, fft=1024, mels=64, low=0, high=8000)
        self.rate, self.hop, self.latency = RATE, 256, 0
        self.reset()

    def reset(self, seed=0):
        """From the start."""
        self.rng = np.random.default_rng(seed)

    def push(self, mels):
        """Samples of these frames."""
        out = []
        for frame in np.asarray(mels):
            spectrum = magnitudes(frame[None], self.format)[0] * np.exp(2j * np.pi * self.rng.random(self.format.bins))
            out.append((np.fft.irfft(spectrum) * hann(self.format.fft))[384:640])
        return np.concatenate(out).astype(np.float32)

    def render(self, mels, seed=0):
        """A whole."""
        self.reset(seed)
        return self.push(mels)
