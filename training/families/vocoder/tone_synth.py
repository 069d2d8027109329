"""Synthetic training sounds: tones of all pitches, steady, struck, gliding, chords and noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.music.pitch import to_hertz

HARMONICS = 48
LOWEST, MIDDLE, HIGHEST = 24.0, 52.0, 100.0  # MIDI pitches


def mixture(rng: np.random.Generator, samples: int, rate: int) -> NDArray[np.float32]:
    """Up to four tones (samples,), sometimes with noise under them, or noise alone; peaks about 1."""
    out = np.zeros(samples, np.float32)
    tones = rng.choice([0, 1, 1, 2, 3, 4])
    for _ in range(tones):
        out += tone(rng, samples, rate)
    if not tones or rng.random() < 0.5:
        out += np.float32(10 ** rng.uniform(-3, -0.7)) * noise(rng, samples)
    return out / np.float32(max(1e-3, np.abs(out).max()))


def tone(rng: np.random.Generator, samples: int, rate: int) -> NDArray[np.float32]:
    """A tone with harmonics, from a sine to a sawtooth, odd ones only at times; it starts within the sound or
    before it, decays or is held, and may glide or have vibrato."""
    times = np.arange(samples) / rate
    pitch = rng.uniform(LOWEST, MIDDLE if rng.random() < 0.6 else HIGHEST)
    f0 = to_hertz(pitch)
    semitones = np.zeros(samples)
    if rng.random() < 0.3:
        semitones += rng.uniform(0.05, 0.6) * np.sin(2 * np.pi * (rng.uniform(3, 8) * times + rng.random()))
    if rng.random() < 0.15:
        semitones += rng.uniform(-12, 12) * times
    cycles = np.cumsum(f0 / rate * 2 ** (semitones / 12)) + rng.random()
    turn = np.exp(2j * np.pi * cycles).astype(np.complex64)
    count = int(np.clip(0.9 * rate / 2 / (f0 * 2 ** (semitones.max() / 12)), 1, HARMONICS))
    sizes = np.arange(1, count + 1) ** -rng.uniform(0.5, 3) * np.exp(rng.normal(0, rng.uniform(0, 0.8), count))
    if rng.random() < 0.2:
        sizes[1::2] *= 0.05
    if rng.random() < 0.2:
        sizes[1:] = 0  # a sine
    coefficients = (sizes * np.exp(2j * np.pi * rng.random(count))).astype(np.complex64)
    sound = np.zeros(samples, np.complex64)
    for coefficient in coefficients[::-1]:  # Horner's scheme: harmonics are powers
        sound = (sound + coefficient) * turn
    start = rng.uniform(-1, 0.8) * times[-1]
    since = times - start
    shape = np.clip(since / rng.choice([0.002, 0.01, 0.05]), 0, 1) * np.exp(
        -np.maximum(since, 0) * rng.choice([0.0, 1.0, 4.0, 15.0])
    )
    return (sound.real * shape / np.abs(sizes).sum() * rng.uniform(0.2, 1)).astype(np.float32)


def noise(rng: np.random.Generator, samples: int) -> NDArray[np.float32]:
    """Noise of some colour."""
    spectrum = np.fft.rfft(rng.standard_normal(samples, np.float32))
    spectrum *= np.maximum(np.arange(len(spectrum)), len(spectrum) / 200) ** -rng.uniform(0, 1)
    out = np.fft.irfft(spectrum, samples)
    return (out / np.abs(out).max()).astype(np.float32)
