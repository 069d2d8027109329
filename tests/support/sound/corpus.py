"""Small corpora of sound, made up: genres that anyone can tell apart, and notes of three instruments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.sound.corpus import Clip, Corpus, CorpusWriter

SPLITS = ("train", "train", "train", "valid", "test")  # of every five groups
RNG = np.random.default_rng


def steady(rng: np.random.Generator, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Long chords of three soft tones."""
    root = rng.integers(48, 60)
    return sum(np.sin(2 * np.pi * hertz(root + step) * times + rng.random()) for step in (0, 4, 7)) / 3


def beaten(rng: np.random.Generator, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noise struck four times a second."""
    return rng.standard_normal(len(times)) * np.exp(-24 * (times % 0.25)) * 0.3


def bright(rng: np.random.Generator, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """A tune of plucked tones with many harmonics."""
    pitches = rng.integers(60, 84, int(times[-1] * 5) + 1)
    f0, within = hertz(pitches[(times * 5).astype(int)]), times * 5 % 1
    return sum(np.sin(2 * np.pi * f0 * h * times) / h for h in range(1, 6)) * np.exp(-3 * within) * 0.4


GENRES = {"ambient": steady, "drumming": beaten, "plucked": bright}
INSTRUMENTS = {
    "flute": (1.0, 0.2, 0.05),
    "organ": (1.0, 0.9, 0.7, 0.5, 0.4),
    "reed": (1.0, 0.1, 0.8, 0.1, 0.6),
}


def hertz(pitch: float | NDArray[np.integer]) -> float | NDArray[np.float64]:
    """Of a MIDI pitch."""
    return 440.0 * 2 ** ((pitch - 69) / 12)


def make_stream_corpus(folder: Path, rate: int = 44100, seconds: float = 3.0, clips: int = 10) -> Corpus:
    """A corpus of music: so many clips of each of GENRES, every one of a group of its own; of ten, six are
    train, two valid, two test. One clip of each genre may not train what ships."""
    writer = CorpusWriter(folder, rate)
    times = np.arange(round(seconds * rate)) / rate
    for number, (genre, play) in enumerate(GENRES.items()):
        for i in range(clips):
            sound = play(RNG([number, i]), times)
            licence = "GPL-2.0+" if i == 0 else "CC0-1.0"
            name = f"{genre}/{i:02}.wav"
            writer.add(Clip(name, "made-up", genre, licence, SPLITS[i % 5], group=name), level(sound))
    return writer.finish()


def make_note_corpus(
    folder: Path,
    rate: int = 16000,
    seconds: float = 1.0,
    pitches: tuple[int, ...] = (48, 52, 55, 60, 64, 67, 72),
) -> Corpus:
    """A corpus of single notes: every pitch of each of INSTRUMENTS, softly and loudly, the key released after
    two thirds; of seven pitches five are train, one valid, one test."""
    writer = CorpusWriter(folder, rate)
    for instrument, harmonics in INSTRUMENTS.items():
        for i, pitch in enumerate(pitches):
            for velocity in (50, 100):
                held = round(seconds * 2 / 3 * rate)
                name = f"{instrument}/{instrument}_{pitch:03}_{velocity:03}.wav"
                split = (*SPLITS, "train", "train")[i % 7]
                clip = Clip(name, "made-up", "", "CC0-1.0", split, 0, 0, name, instrument, pitch, velocity, held)
                writer.add(clip, note(harmonics, pitch, velocity, held, round(seconds * rate), rate))
    return writer.finish()


def note(
    harmonics: tuple[float, ...], pitch: int, velocity: int, held: int, frames: int, rate: int
) -> NDArray[np.float64]:
    """A tone with these harmonic amplitudes, 10 ms of attack, a slow decay, and 50 ms of release."""
    times = np.arange(frames) / rate
    f0 = hertz(pitch)
    tone = sum(a * np.sin(2 * np.pi * f0 * h * times) for h, a in enumerate(harmonics, 1) if f0 * h < rate / 2)
    released = np.clip(1 - (times - held / rate) / 0.05, 0, 1)
    return tone / sum(harmonics) * np.clip(times / 0.01, 0, 1) * np.exp(-times) * released * 0.7 * velocity / 127


def level(sound: NDArray[np.float64], rms: float = 0.1) -> NDArray[np.float64]:
    """The sound at a loudness, within -1..1."""
    return np.clip(sound * (rms / np.sqrt(np.mean(sound**2))), -1, 1)
