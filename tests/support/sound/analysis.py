"""Ears for tests: pitch, level and clicks of rendered sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SILENT = -90.0  # dBFS


def level_db(sound: NDArray) -> float:
    """RMS in dBFS, at least -200."""
    return 10 * float(np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-20))


def peak_db(sound: NDArray) -> float:
    """Peak in dBFS, at least -200."""
    return 20 * float(np.log10(np.max(np.abs(sound), initial=0.0) + 1e-10))


def cents_off(sound: NDArray, rate: int, key: int, span: float = 150.0) -> float:
    """By how many cents the pitch of (n, 2) sound lies off a MIDI key: where, within `span`, the harmonics of a
    pitch gather most."""
    mono = sound.mean(axis=1)
    size = 1 << 17
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), size))
    cents = np.arange(-span, span + 1, 2.5)
    pitches = 440 * 2 ** ((key - 69) / 12 + cents / 1200)
    gathered = np.zeros(len(cents))
    for harmonic in range(1, 9):
        bins = np.round(pitches * harmonic * size / rate).astype(int)
        heard = bins < len(spectrum)
        gathered[heard] += spectrum[bins[heard]] / np.sqrt(harmonic)
    return float(cents[np.argmax(gathered)])


def roughness(sound: NDArray) -> NDArray:
    """Third differences (n - 3,): clicks stand out, music hardly shows."""
    return np.abs(np.diff(np.asarray(sound, np.float64), 3, axis=0)).max(axis=1)


def onset(sound: NDArray) -> int:
    """The first frame that is not silent; -1 if none is."""
    heard = np.nonzero(np.abs(sound).max(axis=1) > 1e-5)[0]
    return int(heard[0]) if len(heard) else -1


def chroma(sound: NDArray[np.floating], rate: int) -> NDArray[np.float64]:
    """Share of the energy between 65 Hz and 5 kHz that each pitch class has."""
    size, shares = 16384, np.zeros(12)
    hertz = np.fft.rfftfreq(size, 1 / rate)
    heard = (hertz > 65) & (hertz < 5000)
    classes = np.round(69 + 12 * np.log2(hertz[heard] / 440)).astype(int) % 12
    for start in range(0, len(sound) - size, size // 2):
        power = np.abs(np.fft.rfft(sound[start : start + size] * np.hanning(size))) ** 2
        shares += np.bincount(classes, power[heard], 12)
    return shares / shares.sum()
