"""Keys: the pitches of a scale, and the keys that a histogram of pitch classes suggests."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from instrument.music.codec import DRUM_ROW
from instrument.music.harmony import scale_mask

IN_KEY = 8.0  # how much likelier a note inside the key is than one outside, for a genre without traits
MIN_ENTROPY = 2.4  # bits that a histogram should have, for a genre without traits
SMOOTHING = 8.0  # notes of the expected distribution that are added before entropy is taken
ENTROPY_MARGIN = 0.2  # bits below the minimum at which the expected distribution would replace the histogram
MAX_FLATTENING = 0.9
_MAJOR = np.stack([scale_mask(key, "major") for key in range(12)])  # and so their relative minors


@functools.cache
def inside(key: int, scale: str) -> NDArray[np.bool_]:
    """(128,) which pitches belong to the scale."""
    return scale_mask(key, scale)[np.arange(DRUM_ROW) % 12]


def key_logits(histogram: NDArray[np.float64], in_key: float = IN_KEY) -> NDArray[np.float64]:
    """(12,) log probability of each pitch class over that of chance, given a histogram (12,). Notes inside a key are
    taken to be `in_key` times as likely as those outside."""
    logits: NDArray[np.float64] = np.log(_expected(histogram, in_key) * 12)
    return logits


def flattened(histogram: NDArray[np.float64], in_key: float, least: float) -> NDArray[np.float64]:
    """The histogram (12,), mixed with the expected distribution of its keys where its entropy is below `least` bits;
    the lower the entropy, the more."""
    total = histogram.sum()
    expected = _expected(histogram, in_key)
    smoothed = (histogram + SMOOTHING * expected) / (total + SMOOTHING)
    weight = min(max((least - entropy(smoothed)) / ENTROPY_MARGIN, 0.0), MAX_FLATTENING)
    mixed: NDArray[np.float64] = (1 - weight) * histogram + weight * total * expected
    return mixed


def _expected(histogram: NDArray[np.float64], in_key: float) -> NDArray[np.float64]:
    """(12,) the share of each pitch class in the keys that the histogram suggests, by their likelihood."""
    profiles = _profiles(in_key)
    fit = np.log(profiles) @ histogram
    keys = np.exp(fit - fit.max())
    shares: NDArray[np.float64] = keys / keys.sum() @ profiles
    return shares


def entropy(shares: NDArray[np.float64]) -> float:
    """Entropy in bits of a distribution without zeros."""
    return float(-(shares * np.log2(shares)).sum())


def in_key_ratio(histogram: NDArray[np.float64]) -> tuple[float, float]:
    """The counts of histograms (..., 12) inside the major key that fits each row best, and outside it."""
    counts = histogram.reshape(-1, 12)
    within = (counts @ _MAJOR.T).max(1)
    return float(within.sum()), float((counts.sum(1) - within).sum())


@functools.cache
def _profiles(in_key: float) -> NDArray[np.float64]:
    weights = np.where(_MAJOR, in_key, 1.0)
    profiles: NDArray[np.float64] = weights / weights.sum(1, keepdims=True)
    return profiles


@functools.cache
def pitch_folding(
    key: int, scale: str, low: int, high: int, strict: bool
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Two arrays (128,): which pitches may sound, and for each pitch the allowed one that replaces it.

    Allowed are the pitches from low to high, if `strict` of the scale alone; if none is left, the one of the scale
    nearest to the range. A pitch is moved into the range by octaves, then to the nearest allowed one.
    """
    pitches = np.arange(DRUM_ROW)
    may = (pitches >= max(0, low)) & (pitches <= min(127, high))
    steps = inside(key, scale) if strict else np.ones(DRUM_ROW, bool)
    may &= steps
    if not may.any():
        may = pitches == np.argmin(np.where(steps, np.abs(pitches - (low + high) / 2), 999))
    there = np.flatnonzero(may)
    octaves = 12 * np.arange(-11, 12)[:, None]
    moved = pitches + octaves
    held = (moved >= there[0]) & (moved <= there[-1])
    best = np.argmin(np.where(held, np.abs(octaves), 999), 0)
    folded = np.where(held.any(0), moved[best, pitches], pitches)
    to = there[np.argmin(np.abs(folded[:, None] - there), 1)]
    return may, to
