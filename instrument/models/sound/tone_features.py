"""Input features of the networks of tones, the same in training and playing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PITCH_STEP = 1.5  # semitones: sampled instruments have a recording for every few keys
PITCHES = np.arange(20.0, 110.0, PITCH_STEP)
NOTE = len(PITCHES) + 3
MAX_AGE = 1.904  # seconds: the greatest age that a network gets
FOLD_AGE = 1.3  # seconds: the age of a longer tone goes back and forth between this and MAX_AGE
AGE_SCALE = 0.02  # seconds: the scale of ages is linear below, logarithmic above
AGES = 28  # points of the scale of ages
AGE = AGES + 1


def note_features(pitch: NDArray[np.floating], velocity: NDArray[np.floating]) -> NDArray[np.float32]:
    """Features (n, NOTE) of MIDI pitches and velocities (n,): the pitch by Gaussian basis functions at `PITCHES` and as
    a number, the velocity, and how far it is below 70."""
    near = np.exp(-(((pitch[:, None] - PITCHES) / PITCH_STEP) ** 2))
    rest = np.stack([(pitch - 64) / 24, (velocity - 80) / 30, np.maximum(0, (70 - velocity) / 30)], 1)
    return np.concatenate([near, rest], 1).astype(np.float32)


def age_features(age: NDArray[np.floating]) -> NDArray[np.float32]:
    """Features (n, AGE) of ages (n,) in seconds, at most MAX_AGE: Gaussian basis functions and the place on the
    scale."""
    place = np.log1p(np.clip(age, 0, MAX_AGE) / AGE_SCALE) / np.log1p(MAX_AGE / AGE_SCALE)
    near = np.exp(-(((place[:, None] * (AGES - 1) - np.arange(AGES)) / 1.2) ** 2))
    return np.concatenate([near, place[:, None]], 1).astype(np.float32)


def folded_age(age: NDArray[np.floating]) -> NDArray[np.floating]:
    """The age that the network gets for ages (n,) in seconds: above MAX_AGE it goes back and forth between FOLD_AGE and
    MAX_AGE, so that a held tone keeps changing."""
    span = MAX_AGE - FOLD_AGE
    beyond = np.maximum(age - MAX_AGE, 0) % (2 * span)
    return np.where(age <= MAX_AGE, age, MAX_AGE - np.minimum(beyond, 2 * span - beyond))
