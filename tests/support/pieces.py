"""Pieces of a few notes."""

from __future__ import annotations

import numpy as np

from instrument.music.notes import Part, Piece, tidy
from instrument.music.timebase import Metre

COMMON = Metre(0, 4, 4)


def piece(rows: list[tuple[int, int, int]], part: int = Part.MELODY, metres: tuple[Metre, ...] = (COMMON,)) -> Piece:
    """Of (tick, pitch, duration)."""
    return Piece(tidy(np.array([(t, 0, p, d, 80, part) for t, p, d in rows], np.int32)), metres)
