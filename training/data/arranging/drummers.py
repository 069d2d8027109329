"""Drum performances by people, chosen by style and tempo and put under other pieces bar by bar."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instrument.music.timebase import TICKS_PER_BEAT, Metre
from training.data.arranging.bars import Bar
from training.data.notes.shards import PieceInfo

FEWEST_BARS = 8
NEAREST = 4  # performances nearest in tempo among which one is drawn
EARLY = TICKS_PER_BEAT // 8  # a note at most this long before a bar line belongs to the next bar
PHRASE = 4  # bars; a performance is started at a multiple of them
COMMON = 4 * TICKS_PER_BEAT  # ticks of bars that are also used for bars of half the length


@dataclass(frozen=True, slots=True)
class Performance:
    """A drummer's performance of one metre. notes: (n, 6); bars: how many whole ones it has."""

    info: PieceInfo
    notes: NDArray[np.int32]
    bar: int
    bars: int


def performance(info: PieceInfo, notes: NDArray[np.int32]) -> Performance | None:
    """A piece of drums alone as a performance, or None if it is too short or has several metres."""
    if not info.drums_only or len(info.metres) != 1:
        return None
    bar = Metre(*info.metres[0]).bar_ticks
    bars = (int(notes[-1, 0]) + EARLY) // bar + 1
    return Performance(info, notes, bar, bars) if bars >= FEWEST_BARS else None


def choose(
    performances: Sequence[Performance], style: str, bpm: float, bar: int, rng: np.random.Generator
) -> Performance | None:
    """One of the performances nearest in tempo, or None. style: a regular expression found in the subgenre; bar: length
    of a bar in ticks. Bars of half the length of 4/4 use performances in 4/4."""
    bar = COMMON if bar * 2 == COMMON else bar
    fitting = [p for p in performances if p.bar == bar and re.search(style, p.info.subgenre)]
    fitting.sort(key=lambda p: (abs(math.log(p.info.bpm / bpm)), p.info.path))
    return fitting[int(rng.integers(min(NEAREST, len(fitting))))] if fitting else None


def laid(chosen: Performance, bars: Sequence[Bar], rng: np.random.Generator) -> NDArray[np.int32]:
    """Notes (n, 6) of the performance for these bars. It starts at a random phrase and is repeated from its beginning.
    Bars whose length does not divide those of the performance get no drums."""
    at = chosen.notes[:, 0] + EARLY
    cursor = int(rng.integers(max(1, chosen.bars // PHRASE))) * PHRASE * chosen.bar
    found = [np.zeros((0, 6), np.int32)]
    for bar in bars:
        length = bar.end - bar.start
        if chosen.bar % length:
            continue
        inside = chosen.notes[(at >= cursor) & (at < cursor + length)].copy()
        inside[:, 0] += bar.start - cursor
        found.append(inside[inside[:, 0] >= 0])
        cursor = (cursor + length) % (chosen.bars * chosen.bar)
    return np.concatenate(found)
