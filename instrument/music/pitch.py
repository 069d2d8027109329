"""MIDI pitches and hertz, in equal temperament from A4 = 440 Hz."""

from __future__ import annotations

from typing import Any

import numpy as np

A4, A4_HZ = 69, 440.0


def to_hertz(pitch: Any) -> Any:
    """Hertz of a MIDI pitch (69 = A4, fractions allowed): a float, an array or a tensor, of the shape given."""
    return A4_HZ * 2 ** ((pitch - A4) / 12)


def to_pitch(hertz: Any) -> Any:
    """MIDI pitch of a frequency above 0: a float or an array, of the shape given."""
    return A4 + 12 * np.log2(np.asarray(hertz) / A4_HZ)
