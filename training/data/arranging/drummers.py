"""Drums that people played, laid under other pieces bar by bar, chosen by style and tempo."""

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
NEAREST = 4  # performances by tempo, among which one is chosen
EARLY = TICKS_PER_BEAT // 8  # a note so much before a bar line belongs behind it
PHRASE = 4  # bars, at multiples of which a performance is entered
COMMON = 4 * TICKS_PER_BEAT  # ticks of the bars that are also laid under half bars


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
    """One of the performances nearest in tempo whose style (subgenre) the expression finds, with bars of so many
    ticks; None where there is none. Bars of half the length of 4/4 take those of 4/4."""
    bar = COMMON if bar * 2 == COMMON else bar
    fitting = [p for p in performances if p.bar == bar and re.search(style, p.info.subgenre)]
    fitting.sort(key=lambda p: (abs(math.log(p.info.bpm / bpm)), p.info.path))
    return fitting[int(rng.integers(min(NEAREST, len(fitting))))] if fitting else None


def laid(chosen: Performance, bars: Sequence[Bar], rng: np.random.Generator) -> NDArray[np.int32]:
    """The performance under these bars, from one of its phrases on and again from its beginning: notes (n, 6). Bars
    of other metres have none."""
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
