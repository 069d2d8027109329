"""Form: how much the bars of a piece are like the bars 1, 2, 4, 8 and 16 bars before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import order_keys
from instrument.music.timebase import TICKS_PER_BEAT, Metre

LAGS = (1, 2, 4, 8, 16)
MINUTES = 3.0
GRID = TICKS_PER_BEAT // 4
FEWEST_PAIRS = 8  # of bars, with fewer of which nothing is said of a lag


def self_similarity(notes: NDArray[np.int32], start: int, end: int, metre: Metre) -> dict[int, float]:
    """For each of `LAGS` the mean similarity of bar i to bar i - lag, over all i for which both are whole bars
    of the stretch from tick `start` (the start of a bar) to `end`, and at least one of the two has notes.

    A bar is the set of the (sixteenth of the bar, pitch or drum) that are struck in it, whatever their
    duration, velocity and part; onsets go to the nearest sixteenth, which may be the next bar's first. The
    similarity of two bars is the share of what both have in what either has (Jaccard): 1 = the same, 0 =
    nothing in common. nan for a lag with fewer than `FEWEST_PAIRS` such pairs.
    """
    bars = _bars(notes, start, end, metre.bar_ticks)
    found = {}
    for lag in LAGS:
        pairs = [len(now & then) / len(now | then) for now, then in zip(bars[lag:], bars, strict=False) if now or then]
        found[lag] = float(np.mean(pairs)) if len(pairs) >= FEWEST_PAIRS else float("nan")
    return found


def _bars(notes: NDArray[np.int32], start: int, end: int, bar: int) -> Sequence[set[int]]:
    sixteenths = (notes[:, 0] - start + GRID // 2) // GRID
    bars: list[set[int]] = [set() for _ in range((end - start) // bar)]
    for sixteenth, row in zip(sixteenths.tolist(), (order_keys(notes) & 255).tolist(), strict=True):
        number, offset = divmod(sixteenth * GRID, bar)
        if 0 <= number < len(bars):
            bars[number].add(offset * 256 + row)
    return bars
