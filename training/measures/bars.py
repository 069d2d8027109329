"""Bars as sets of what is struck in them, and how similar they are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT

SIXTEENTH = TICKS_PER_BEAT // 4
DRUM_ROW = 128  # added to the number of a drum, so that it is no pitch
FEWEST_PAIRS = 8  # pairs of bars; the similarity of fewer is undefined


def to_sixteenth(ticks: NDArray[np.int32]) -> NDArray[np.int32]:
    """Ticks moved to the nearest sixteenth, halves upwards."""
    return (ticks + SIXTEENTH // 2) // SIXTEENTH * SIXTEENTH


def struck(notes: NDArray[np.int32], start: int, length: int, count: int) -> list[frozenset[int]]:
    """What is struck in each of `count` stretches of `length` ticks from tick `start` on.

    notes: (n, 6), columns of `Note`. A set has one number for each (sixteenth of the stretch, pitch or drum) that is
    struck, whatever its duration, velocity and part. Onsets go to the nearest sixteenth, which may be the first of the
    next stretch.
    """
    found: list[set[int]] = [set() for _ in range(count)]
    rows = notes[:, 2] + np.where(notes[:, 5] == Part.DRUMS, DRUM_ROW, 0)
    for onset, row in zip(to_sixteenth(notes[:, 0] - start).tolist(), rows.tolist(), strict=True):
        stretch, offset = divmod(onset, length)
        if 0 <= stretch < count:
            found[stretch].add(offset * 2 * DRUM_ROW + row)
    return [frozenset(each) for each in found]


def jaccard(a: AbstractSet[Hashable], b: AbstractSet[Hashable]) -> float:
    """Jaccard's index: the size of the intersection as a share of that of the union; 0 where both sets are empty."""
    return len(a & b) / max(1, len(a | b))


def self_similarity(bars: Sequence[frozenset[int]], lag: int) -> float:
    """Mean Jaccard index of each bar and the one `lag` bars before, over pairs of which at least one has notes; nan of
    fewer than `FEWEST_PAIRS` pairs."""
    found = [jaccard(now, then) for now, then in zip(bars[lag:], bars, strict=False) if now or then]
    return float(np.mean(found)) if len(found) >= FEWEST_PAIRS else float("nan")
