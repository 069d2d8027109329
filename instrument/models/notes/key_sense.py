"""A sense of key: which scale steps are in, and which keys the last notes may have been in."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from instrument.music.codec import DRUM_ROW
from instrument.music.harmony import scale_mask

IN_KEY = 8.0  # how much likelier a note inside the key is than one outside, where the genre does not tell
MIN_ENTROPY = 2.4  # bits that tones should have, where the genre does not tell
SMOOTHING = 8.0  # notes in the expected shares that what was heard is mixed with
ENTROPY_MARGIN = 0.2  # bits short of enough at which what was heard would give way to what is expected
MAX_FLATTENING = 0.9
_MAJOR = np.stack([scale_mask(key, "major") for key in range(12)])  # and so their relative minors


@functools.cache
def inside(key: int, scale: str) -> NDArray[np.bool_]:
    """(128,) which pitches belong to the scale."""
    return scale_mask(key, scale)[np.arange(DRUM_ROW) % 12]


def key_logits(histogram: NDArray[np.float64], in_key: float = IN_KEY) -> NDArray[np.float64]:
    """(12,) log probability of each pitch class, over that of chance, after hearing the tones (12,), where
    notes inside the key are `in_key` times as likely as those outside."""
    logits: NDArray[np.float64] = np.log(_expected(histogram, in_key) * 12)
    return logits


def flattened(histogram: NDArray[np.float64], in_key: float, least: float) -> NDArray[np.float64]:
    """The tones (12,), or where they have less entropy than `least` bits, mixed with as many of the keys that
    they may be in: the narrower, the more."""
    total = histogram.sum()
    expected = _expected(histogram, in_key)
    smoothed = (histogram + SMOOTHING * expected) / (total + SMOOTHING)
    weight = min(max((least - entropy(smoothed)) / ENTROPY_MARGIN, 0.0), MAX_FLATTENING)
    mixed: NDArray[np.float64] = (1 - weight) * histogram + weight * total * expected
    return mixed


def _expected(histogram: NDArray[np.float64], in_key: float) -> NDArray[np.float64]:
    """(12,) the share of each pitch class in the keys that the tones may be in."""
    profiles = _profiles(in_key)
    fit = np.log(profiles) @ histogram
    keys = np.exp(fit - fit.max())
    shares: NDArray[np.float64] = keys / keys.sum() @ profiles
    return shares


def entropy(shares: NDArray[np.float64]) -> float:
    """Bits of entropy of some shares, which add up to one and are none of them 0."""
    return float(-(shares * np.log2(shares)).sum())


def in_key_ratio(histogram: NDArray[np.float64]) -> tuple[float, float]:
    """How many of the tones (..., 12) lie inside the major key that fits each row best, and how many
    outside."""
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
    """(128,) which pitches may sound: those from low to high, if `strict` of the scale alone, or where none of it
    lies there its step that is nearest; and (128,) for each pitch the one that stands for it: itself, or brought
    into the range by octaves, then the nearest."""
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
