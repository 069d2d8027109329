"""Form: how similar the bars of a piece are to the bars 1, 2, 4, 8 and 16 bars before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.music.timebase import Metre
from training.measures.bars import self_similarity, struck

LAGS = (1, 2, 4, 8, 16)
MINUTES = 3.0


def similarity_by_lag(notes: NDArray[np.int32], start: int, end: int, metre: Metre) -> dict[int, float]:
    """`self_similarity` at each of `LAGS` of the whole bars from tick `start` (the start of a bar) to `end`.

    notes: (n, 6), columns of `Note`. 1: the bars are the same, 0: they have nothing in common, nan: too few pairs.
    """
    bars = struck(notes, start, metre.bar_ticks, (end - start) // metre.bar_ticks)
    return {lag: self_similarity(bars, lag) for lag in LAGS}
