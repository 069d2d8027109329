"""The spectrum of the output, small enough to be sent thirty times a second."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from instrument.engine.voices.gain import Frames

BANDS = 96
LOW_HZ, HIGH_HZ = 40.0, 16_000.0
FLOOR_DB = -90.0
SIZE = 4096  # frames of the window


def spectrum(sound: Frames, rate: int) -> bytes:
    """Peaks of sound (n, 2) in `BANDS` bands of equal width in pitch: a byte each, from 0 (`FLOOR_DB` and less) to 255
    (a sine of full scale). Empty for silence."""
    if not sound.any():
        return b""
    mono = np.zeros(SIZE, np.float32)
    last = sound[-SIZE:].mean(axis=1)
    mono[SIZE - len(last) :] = last
    window = np.hanning(SIZE).astype(np.float32)
    magnitudes = np.abs(np.fft.rfft(mono * window)) / (window.sum() / 2)
    peaks = np.maximum.reduceat(magnitudes, _edges(rate))[:BANDS]
    db = 20 * np.log10(np.maximum(peaks, 1e-9))
    return np.clip((db - FLOOR_DB) * 255 / -FLOOR_DB, 0, 255).astype(np.uint8).tobytes()


@functools.cache
def _edges(rate: int) -> NDArray[np.int64]:
    """The first bin of each band, and of what lies above the last."""
    hertz = LOW_HZ * (HIGH_HZ / LOW_HZ) ** (np.arange(BANDS + 1) / BANDS)
    return np.minimum(np.round(hertz * SIZE / rate).astype(np.int64), SIZE // 2)
