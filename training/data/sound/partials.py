"""Frames of real notes: how loud their partials are, how much noise is between them, how far they are off pitch.

The frames are those that `instrument.models.sound.additive` makes sound of.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from instrument.models.sound.additive import (
    EDGES,
    FRAME_RATE,
    KNOTS,
    MAX_HERTZ,
    NOISE_FLOOR,
    PARTIAL_FLOOR,
    oscillate,
    partial_interpolation,
    phasors,
)
from instrument.music.pitch import to_hertz

Floats = NDArray[np.floating]
DETUNED = 60  # cents: how far a note is searched for around its pitch
WANDERING = 80.0  # cents, of a frame around the note
SHORTEST = 0.024  # seconds of sound that a frame's partials are read from, at least
PERIODS = 3  # the same, in periods of the note
UPSAMPLED = 4
STIFFNESS = np.r_[0, 1e-5 * 2 ** (np.arange(17) / 2)]  # of strings: partial k lies at k sqrt(1 + B k^2)
RINGING = 3.0  # decay in decibels a second from which a tone rings freely and its partials may be inharmonic
RESOLVED = 24  # partials that are looked for one by one
GEOMETRIC = 1.781  # mean power over its geometric mean, of noise
LONG, LOW = 0.064, 0.3  # seconds of sound, and quantile of its bins, that noise between steady partials is read from


@dataclass(frozen=True, slots=True)
class Frames:
    """levels: (frames, PARTIALS + BANDS) decibels; cents: (frames,) off the pitch; tuning: (PARTIALS,) cents that
    partials are off the multiples; known: (PARTIALS + BANDS,) what the sample rate can represent."""

    levels: NDArray[np.float32]
    cents: NDArray[np.float32]
    tuning: NDArray[np.float32]
    known: NDArray[np.bool_]


def analyse(sound: Floats, rate: int, pitch: int) -> Frames:
    """Frames of a note of that MIDI pitch, the first centred on its first sample."""
    count = max(2, len(sound) * FRAME_RATE // rate + 1)
    nominal = float(to_hertz(pitch))
    hertz, tuning = tuned(sound, rate, nominal)
    cents = wandering(sound, rate, hertz, count)
    phase = np.cumsum(np.r_[0, _at_samples(hertz * 2 ** (cents / 1200), len(sound), rate)]) / rate
    order = np.arange(1, KNOTS[-1] + 1) * 2 ** (tuning @ partial_interpolation() / 1200)
    order = order[order * hertz < min(0.475 * rate, MAX_HERTZ)]
    order = order if len(order) else np.ones(1)
    found = partials(sound, rate, phase, hertz, order, count)
    residual = sound - _sound_of(found, phase, order, rate, len(sound))
    every = np.full((count, KNOTS[-1]), 10.0 ** (PARTIAL_FLOOR / 20))
    every[:, : len(order)] = np.maximum(np.abs(found), every[:, : len(order)])
    levels = np.concatenate([_at_knots(every), noise_bands(residual, rate, count)], 1)
    known = np.r_[len(order) >= KNOTS, EDGES[1:] < min(0.475 * rate, MAX_HERTZ * 1.06)]
    offset = 1200 * np.log2(hertz / nominal)
    return Frames(levels.astype(np.float32), (cents + offset).astype(np.float32), tuning.astype(np.float32), known)


def tuned(sound: Floats, rate: int, nominal: float) -> tuple[float, Floats]:
    """Hertz of a note near `nominal`, and cents (PARTIALS,) that its partials are off the multiples. What is driven
    (blown, bowed, sung) has its partials at multiples; what rings (struck, plucked) need not."""
    part = sound[int(0.02 * rate) : int(1.5 * rate)]
    size = 1 << 17 if rate < 30000 else 1 << 18
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), size))
    soft = np.sqrt(spectrum)
    cents = np.arange(-DETUNED, DETUNED + 1, 2.0)
    order = np.arange(1, max(2, min(21, int(0.45 * rate / nominal) + 1)))
    stiff = STIFFNESS[:, None, None] if _loss(part, rate) > RINGING else STIFFNESS[:1, None, None]
    places = nominal * 2 ** (cents[:, None] / 1200) * order * np.sqrt(1 + stiff * order**2) * (size / rate)
    total = np.interp(places, np.arange(len(spectrum)), soft).sum(-1)
    total *= np.where(np.arange(len(stiff)) > 0, 0.98, 1.0)[:, None]  # if in doubt, a string without stiffness
    row, column = np.unravel_index(total.argmax(), total.shape)
    stiffness, hertz = float(stiff[row, 0, 0]), nominal * 2 ** (cents[column] / 1200)
    fine = np.arange(-3, 3.1, 0.25)
    places = hertz * 2 ** (fine[:, None] / 1200) * order * np.sqrt(1 + stiffness * order**2) * (size / rate)
    hertz *= 2 ** (fine[np.interp(places, np.arange(len(spectrum)), soft).sum(-1).argmax()] / 1200)
    tuning = 600 * np.log2(1 + stiffness * KNOTS**2)
    if len(stiff) > 1:
        tuning[:RESOLVED] = _peaks(spectrum, rate / size, hertz, tuning[:RESOLVED])
    return float(hertz), tuning - tuning[0]


def _loss(part: Floats, rate: int) -> float:
    """Decibels a second by which a sound falls, from its first half second to the next."""
    half = rate // 2
    early, late = part[:half], part[half : 2 * half]
    if len(late) < half // 2:
        return 99.0
    return float(20 * np.log10((np.sqrt((early**2).mean()) + 1e-6) / (np.sqrt((late**2).mean()) + 1e-6)))


def _peaks(spectrum: Floats, bin_hertz: float, hertz: float, tuning: Floats) -> Floats:
    """Cents off the multiples of peaks near the expected partials; the expected cents where there is no peak."""
    out = tuning.copy()
    for i, expected in enumerate(tuning):
        centre, reach = (i + 1) * hertz * 2 ** (expected / 1200), 0.45 * hertz
        low, high = int((centre - reach) / bin_hertz), int((centre + reach) / bin_hertz) + 1
        if high >= len(spectrum):
            break
        there = spectrum[low:high]
        away = np.abs(np.arange(low, high) * bin_hertz - centre) / reach
        best = int((there * (1 - 0.7 * away)).argmax())
        if there[best] > 6 * np.median(there) and there[best] > 0.003 * spectrum.max():
            out[i] = 1200 * np.log2((low + best) * bin_hertz / ((i + 1) * hertz))
    return out


def wandering(sound: Floats, rate: int, hertz: float, count: int) -> Floats:
    """Cents (frames,) by which the lower partials of each frame are off `hertz`, from the speed of their phases."""
    order = np.arange(1, max(2, min(9, int(0.45 * rate / hertz) + 1)))
    size = 2 * int(max(0.5 * PERIODS / hertz, 0.01) * rate)
    base = np.exp(-2j * np.pi * np.outer(np.arange(size) - size // 2, order) * hertz / rate)
    found = _cut(sound, rate, count, size) @ (base * np.hanning(size + 1)[:-1, None])
    found = found * np.exp(-2j * np.pi * _centres(rate, count)[:, None] * order * hertz / rate)
    step = found[1:] * found[:-1].conj()
    step = step * np.exp(
        -1j * np.angle((step * np.abs(step)).sum(0))
    )  # a partial's constant deviation is not a change of pitch
    weight = np.abs(step) * order**2
    off = np.angle(step) * FRAME_RATE / (2 * np.pi * order)  # hertz of the fundamental
    mean = (weight * off).sum(1) / np.maximum(weight.sum(1), 1e-12)
    sure = weight.sum(1) / (weight.sum(1) + 1e-4 * weight.sum(1).max() + 1e-12)
    cents = 1200 * np.log2(np.clip(1 + mean / hertz, 0.9, 1.1)) * sure
    cents = np.interp(np.arange(count), np.arange(count - 1) + 0.5, cents)
    cents = np.convolve(np.pad(cents, 2, mode="edge"), [0.1, 0.2, 0.4, 0.2, 0.1], "valid")
    return np.clip(cents, -WANDERING, WANDERING)


def partials(
    sound: Floats, rate: int, phase: Floats, hertz: float, order: Floats, count: int
) -> NDArray[np.complex128]:
    """Amplitudes (frames, partials) of partials at `order` times a note's frequency, whose phase, in periods, is given
    at its samples (samples + 1,). The note is stretched until its periods are even, so that its pitch is constant."""
    periods = max(PERIODS, int(np.ceil(SHORTEST * hertz)))
    fine = 1 << int(np.ceil(np.log2(2 * order[-1] + 2)))  # samples a period
    size = fine * periods
    dense = _upsampled(sound, UPSAMPLED)
    samples = np.arange(len(phase))
    centre = np.interp(_centres(rate, count), samples, phase)
    away = (np.arange(size) - size // 2) / fine
    places = centre[:, None] + away
    stretched = np.interp(np.interp(places, phase, samples), np.arange(len(dense)) / UPSAMPLED, dense)
    stretched[(places < 0) | (places > phase[-1])] = 0
    window = np.hanning(size + 1)[:-1]
    base = np.exp(-2j * np.pi * np.outer(away, order)) * (window * (2 / window.sum()))[:, None]
    found = (stretched.astype(np.float32) @ np.ascontiguousarray(base.real, np.float32)) + 1j * (
        stretched.astype(np.float32) @ np.ascontiguousarray(base.imag, np.float32)
    )
    return found * np.exp(-2j * np.pi * order * centre[:, None])


def _sound_of(found: NDArray[np.complex128], phase: Floats, order: Floats, rate: int, samples: int) -> Floats:
    """The sound of partials with their phases, from frame to frame."""
    centres = _centres(rate, len(found))
    phase = np.r_[phase, phase[-1] + np.arange(1, rate // FRAME_RATE + 2) * (phase[-1] - phase[-2])]
    out = np.zeros(centres[-1] + 1)
    hop = np.diff(centres)
    for size in np.unique(hop):
        (rows,) = np.nonzero(hop == size)
        begin = centres[rows]
        first = (phase[begin + 1] - phase[begin])[:, None] * order
        last = (2 * (phase[begin + size] - phase[begin]) / size)[:, None] * order - first
        turned = phasors(phase[begin][:, None] * order)
        sound = oscillate(found[rows] * turned, found[rows + 1] * turned, first, last, int(size))
        out[begin[:, None] + np.arange(size)] = sound
    return np.pad(out, (0, max(0, samples - len(out))))[:samples]


def noise_bands(residual: Floats, rate: int, count: int) -> Floats:
    """Levels (frames, BANDS) of the power density of the noise between partials: the least of a short window's, and
    that of a long window between its peaks."""
    size = 2 * (rate // FRAME_RATE)
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    hertz, power = _density(residual, rate, count, window)
    logs = np.log(power)
    shape = np.array([np.clip(1 - np.abs(hertz - c) / max(w, rate / size), 0, 1) for c, w in _bands()])
    shape[:, (hertz < 20) | (hertz > 0.49 * rate)] = 0
    total = shape.sum(1)
    shape[total > 0] /= total[total > 0, None]
    short = logs @ shape.T + np.log(GEOMETRIC)
    size = 2 * int(LONG * rate / 2)
    hertz, power = _density(residual, rate, count, np.hanning(size + 1)[:-1])
    between = np.full_like(short, np.inf)
    for i, (centre, half) in enumerate(_bands()):
        if centre + half < 0.5 * rate:
            inside = power[:, np.abs(hertz - centre) <= half]
            rank = int(LOW * inside.shape[1])
            share = (rank + 0.7) / (inside.shape[1] + 0.4)
            between[:, i] = np.log(np.partition(inside, rank, 1)[:, rank] / -np.log(1 - share))
    levels = np.minimum(short, between) * (10 / np.log(10))
    levels[:, total == 0] = NOISE_FLOOR
    return np.maximum(levels, NOISE_FLOOR)


def _density(residual: Floats, rate: int, count: int, window: Floats) -> tuple[Floats, Floats]:
    """Frequencies (bins,) and power densities (frames, bins)."""
    size = len(window)
    power = np.abs(np.fft.rfft((_cut(residual, rate, count, size) * window).astype(np.float32))) ** 2
    power = power * np.float32(2 / (rate * (window**2).sum()))
    return np.arange(power.shape[1]) * rate / size, np.maximum(power, 10 ** (NOISE_FLOOR / 10) / GEOMETRIC)


def _bands() -> list[tuple[float, float]]:
    return [((low + high) / 2, (high - low) / 2) for low, high in pairwise(EDGES)]


def _centres(rate: int, count: int) -> NDArray[np.int64]:
    return np.rint(np.arange(count) * rate / FRAME_RATE).astype(np.int64)


def _cut(sound: Floats, rate: int, count: int, size: int) -> Floats:
    """Windows (frames, size) around the centres of frames, silence outside the sound."""
    first = _centres(rate, count) + size - size // 2
    padded = np.pad(sound, (size, max(size, int(first[-1]) + 2 * size - len(sound))))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[first]


def _at_samples(frames: Floats, samples: int, rate: int) -> Floats:
    return np.interp(np.arange(samples) * FRAME_RATE / rate, np.arange(len(frames)), frames)


def _upsampled(sound: Floats, times: int) -> Floats:
    size = -(-len(sound) // 4096) * 4096 + 4096
    return np.fft.irfft(np.fft.rfft(sound, size), size * times)[: len(sound) * times] * times


def _at_knots(every: Floats) -> Floats:
    """Levels (frames, PARTIALS) at the knots of the amplitudes (frames, all) of all partials."""
    power = every**2
    columns = [power[:, 0]]
    for before, knot, after in zip(KNOTS[:-1], KNOTS[1:], [*KNOTS[2:], KNOTS[-1] + 1], strict=True):
        index = np.arange(before + 1, after)
        weight = np.minimum((index - before) / (knot - before), (after - index) / (after - knot))
        columns.append(power[:, index - 1] @ (weight / weight.sum()))
    return 10 * np.log10(np.stack(columns, 1))
