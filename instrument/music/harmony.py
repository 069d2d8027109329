"""Keys and scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError

PitchClasses = tuple[int, ...]  # in ascending order, C = 0

KEYS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")

# Semitones above the root. "chromatic" locks nothing.
SCALES: dict[str, tuple[int, ...]] = {
    "chromatic": tuple(range(12)),
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
}


def scale_mask(key: int, scale: str) -> NDArray[np.bool_]:
    """Which of the 12 pitch classes (C = 0) belong to `scale` on root `key`. HocketError if unknown."""
    if scale not in SCALES:
        raise HocketError(f"unknown scale {scale!r}: choose one of {', '.join(SCALES)}")
    mask = np.zeros(12, bool)
    mask[(np.array(SCALES[scale]) + key) % 12] = True
    return mask


# The key signature of a scale: semitones from the root to the tonic of the key, and whether that is minor. Other scales
# have none.
_SIGNATURES = {
    "major": (0, False),
    "minor": (0, True),
    "harmonic minor": (0, True),
    "melodic minor": (0, True),
    "dorian": (10, False),
    "phrygian": (8, False),
    "lydian": (7, False),
    "mixolydian": (5, False),
    "major pentatonic": (0, False),
    "minor pentatonic": (0, True),
    "blues": (0, True),
}
_MINOR_KEYS = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")


def key_signature(key: int, scale: str) -> str | None:
    """The key signature of `scale` on root `key` (C = 0), as "Bb" or "F#m"; None for a scale without one."""
    if scale not in _SIGNATURES:
        return None
    distance, minor = _SIGNATURES[scale]
    return (_MINOR_KEYS if minor else KEYS)[(key + distance) % 12]
