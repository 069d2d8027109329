"""Loudness of stereo sound by ITU-R BS.1770-4, and how wide it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from instrument.errors import HocketError

RATE = 48_000  # hertz, for which the standard gives its filters
# K-weighting: a shelf that stands for the head, then a high-pass (numerator, denominator; BS.1770-4, tables 1 and 2).
SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
BLOCK, STEP = RATE * 2 // 5, RATE // 10  # 400 ms, with 75 % overlap
OFFSET = -0.691
ABSOLUTE, RELATIVE = -70.0, -10.0  # gates in LUFS, and in LU below the loudness of what passes the first


def loudness(sound: NDArray[np.floating], rate: int = RATE) -> float:
    """Integrated loudness in LUFS of stereo sound (n, 2) of full scale 1; -inf for silence. HocketError for another
    rate than 48 kHz, and for less than 400 ms."""
    if rate != RATE or len(sound) < BLOCK:
        raise HocketError(f"loudness is measured of 0.4 s or more at {RATE} Hz, not of {len(sound)} frames at {rate}")
    weighted = lfilter(*HIGH_PASS, lfilter(*SHELF, np.asarray(sound, np.float64), axis=0), axis=0)
    sums = np.concatenate((np.zeros((1, 2)), np.cumsum(np.square(weighted), axis=0)))
    starts = np.arange(0, len(sound) - BLOCK + 1, STEP)
    power = (sums[starts + BLOCK] - sums[starts]).sum(axis=1) / BLOCK
    power = power[_lufs(power) > ABSOLUTE]
    if not len(power):
        return float("-inf")
    return float(_lufs(power[_lufs(power) > _lufs(power.mean()) + RELATIVE].mean()))


def width(sound: NDArray[np.floating]) -> float:
    """How wide stereo sound (n, 2) is: the level of its sides (left less right) below that of its middle, in decibels;
    0 for two unrelated channels, -inf for mono."""
    left, right = np.asarray(sound, np.float64).T
    middle, sides = np.square(left + right).mean(), np.square(left - right).mean()
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(sides / max(middle, 1e-12)))


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return OFFSET + 10 * np.log10(power)
