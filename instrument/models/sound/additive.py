"""Additive synthesis: tones as partials and filtered noise, after Serra and Smith (1990).

A frame, `FRAME_RATE` of them a second, has `LEVELS` = partials + bands values in decibels. The first 48 partials have a
level each; those above are interpolated between `KNOTS`. A band has the power density of noise, in decibels of full
scale squared per hertz. Frames do not depend on a sample rate, so a tone is the same at every rate.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

FRAME_RATE = 125
KNOTS = np.array([*range(1, 49), 52, 56, 60, 64, 72, 80, 96, 112, 128])
PARTIALS = len(KNOTS)
HIGHEST = int(KNOTS[-1])  # partial
NARROW = 40  # bands up to 8 kHz, growing from 100 to 350 Hz; above it wider ones
EDGES = np.append(
    3000 * np.expm1(np.linspace(0, np.log1p(8000 / 3000), NARROW + 1)), 8000 * 2.5 ** (np.arange(1, 11) / 10)
)  # hertz
BANDS = len(EDGES) - 1
LEVELS = PARTIALS + BANDS
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2
PARTIAL_FLOOR, NOISE_FLOOR = -110.0, -145.0  # decibels that count as silence
FLOOR = np.r_[np.full(PARTIALS, PARTIAL_FLOOR), np.full(BANDS, NOISE_FLOOR)].astype(np.float32)
SILENT_AMPLITUDE = 1e-5  # partials at the top below this are not rendered
MAX_HERTZ = 20000.0  # nothing is rendered above
BLOCK = 32  # samples of one matrix product


@cache
def partial_interpolation() -> NDArray[np.float32]:
    """(PARTIALS, HIGHEST): values at the knots @ this = values of all partials, linear between knots."""
    index = np.arange(1, HIGHEST + 1)
    return np.array([np.interp(index, KNOTS, row) for row in np.eye(PARTIALS)], np.float32)


@cache
def band_shapes(bins: int, rate: int) -> NDArray[np.float32]:
    """(bands, bins): densities of bands @ this = density at each of `bins` frequencies up to half the rate."""
    hertz = np.linspace(0, rate / 2, bins)
    shapes = np.array([np.interp(hertz, CENTRES, row) for row in np.eye(BANDS)])
    shapes[:, (hertz < 20) | (hertz > MAX_HERTZ)] = 0
    return shapes.astype(np.float32)


def amplitudes(levels: Floats) -> NDArray[np.float32]:
    """Amplitudes (n, HIGHEST) of all partials, from levels at the knots (n, PARTIALS) in decibels."""
    decibels = levels.astype(np.float32) @ partial_interpolation()
    return np.asarray(np.exp(decibels * np.float32(np.log(10) / 20)), np.float32)


def ratios(cents: Floats) -> NDArray[np.float32]:
    """Ratios (n, HIGHEST) of all partials to the tone's frequency, from their distance in cents (n, PARTIALS) from its
    multiples."""
    off = cents.astype(np.float32) @ partial_interpolation()
    return np.asarray(np.arange(1, HIGHEST + 1) * np.exp2(off / 1200), np.float32)


def audible(hertz: Floats, rate: int) -> NDArray[np.float32]:
    """Gain 0..1 of partials at these frequencies: they fade out below the highest that is rendered, so that a tone can
    glide across it."""
    highest = min(MAX_HERTZ, 0.46 * rate)
    gain = (highest - np.asarray(hertz, np.float32)) * np.float32(20 / highest)
    return np.asarray(np.minimum(np.maximum(gain, np.float32(0)), np.float32(1)), np.float32)


def phasors(cycles: Floats) -> NDArray[np.complex64]:
    """Points on the unit circle at phases in cycles, of the same shape."""
    angle = ((cycles - np.rint(cycles)) * (2 * np.pi)).astype(np.float32)
    out = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    return out


def oscillate(start: NDArray[Any], end: NDArray[Any], first: Floats, last: Floats, frames: int) -> NDArray[np.float32]:
    """Samples (n, frames) of n sums of partials.

    start, end: complex amplitudes (n, partials), interpolated linearly, both with the phases at the start; first, last:
    frequencies (n, partials) in cycles a sample, likewise. Within a block of `BLOCK` samples each partial has a
    constant frequency. So the sum over partials is a matrix product of the phasors at the middles of blocks and those
    within a block; from middle to middle phases are exact.
    """
    count, partials = start.shape
    blocks = -(-frames // BLOCK)
    slope = (last - first) / frames
    turn = phasors(first * BLOCK + slope * (BLOCK * BLOCK))
    gain = phasors(slope * (BLOCK * BLOCK))
    stand = np.empty((count, blocks, partials), np.complex64)
    stand[:, 0] = phasors(first * (BLOCK / 2) + slope * (BLOCK * BLOCK / 8))
    for block in range(1, blocks):
        np.multiply(stand[:, block - 1], turn, out=stand[:, block])
        turn = turn * gain
    within = np.empty((count, BLOCK, partials), np.complex64)
    within[:, 0] = phasors((first + last) * (BLOCK / 4))
    step, known = phasors((first + last) / -2), 1  # conjugate: the real part of a product is a product of pairs
    while known < BLOCK:
        np.multiply(within[:, :known], step[:, None], out=within[:, known : 2 * known])
        step, known = step * step, 2 * known
    both = np.empty((count, 2, blocks, partials), np.complex64)
    np.multiply(stand, start.astype(np.complex64)[:, None], out=both[:, 0])
    np.multiply(stand, (end - start).astype(np.complex64)[:, None], out=both[:, 1])
    left = both.view(np.float32).reshape(count, 2 * blocks, 2 * partials)
    sound = left @ within.view(np.float32).transpose(0, 2, 1)
    sound = sound.reshape(count, 2, blocks * BLOCK)[:, :, :frames]
    out: NDArray[np.float32] = sound[:, 0] + sound[:, 1] * (np.arange(frames, dtype=np.float32) / np.float32(frames))
    return out


def noise_frames(levels: Floats, phasors: NDArray[np.complex64], rate: int) -> NDArray[np.float32]:
    """Frames of noise (n, size) under a sine window; overlapped by half, their power is constant. levels: of the bands
    (n, BANDS) in decibels; phasors: (n, size // 2 + 1) on the unit circle."""
    bins = phasors.shape[1]
    size = 2 * (bins - 1)
    power = np.exp(levels.astype(np.float32) * np.float32(np.log(10) / 10))
    power[levels < NOISE_FLOOR + 1] = 0
    density = power @ band_shapes(bins, rate)
    frames = np.fft.irfft(phasors * np.sqrt(density * np.float32(size * rate / 2)), size)
    return np.asarray(frames * sine_window(size), np.float32)


@cache
def sine_window(size: int) -> NDArray[np.float32]:
    """(size,) half a period of a sine."""
    return np.sin(np.pi * (np.arange(size) + 0.5) / size).astype(np.float32)


def partials_needed(start: Floats, end: Floats) -> NDArray[np.int64]:
    """How many partials (n,) of each tone are to be rendered, at least 1; those above are silent.

    start, end: amplitudes (n, partials) at both ends of a frame.
    """
    silent = (np.maximum(start, end) < SILENT_AMPLITUDE)[:, ::-1]
    quiet = np.where(silent.all(1), silent.shape[1], silent.argmin(1))
    return np.asarray(np.maximum(1, silent.shape[1] - quiet))
