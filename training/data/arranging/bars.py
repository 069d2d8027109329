"""The input of accompaniments: the bars of a piece, its chords, and rows of notes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from instrument.music.chords.changes import ChordChange
from instrument.music.chords.names import NO_CHORD, Chord
from instrument.music.notes import Part, Piece
from instrument.music.timebase import TICKS_PER_BEAT, Metre, MetreMap

TOUCH = 5.0  # standard deviation of velocities
LOOSE = 0.7  # standard deviation of microtiming, in eighths of a tick
SHORTEST = 2  # ticks

Row = tuple[int, int, int, int, int, int]  # the columns of a note


class Bar(NamedTuple):
    """A bar: its first tick, the tick after its end, and its metre. It may be shorter than the metre."""

    start: int
    end: int
    metre: Metre


@dataclass(frozen=True, slots=True)
class Harmony:
    """The chords of a piece, ascending, the last one held until `end`."""

    changes: Sequence[ChordChange]
    end: int

    def at(self, tick: int) -> Chord:
        """The chord in force at a tick."""
        i = self._index(tick)
        return NO_CHORD if i < 0 else self.changes[i].chord

    def next_change(self, tick: int) -> int:
        """The tick of the first change after a tick, or the end."""
        i = self._index(tick) + 1
        return self.changes[i].tick if i < len(self.changes) else self.end

    def _index(self, tick: int) -> int:
        return bisect_right(self.changes, tick, key=lambda change: change.tick) - 1


def bars_of(piece: Piece, end: int) -> list[Bar]:
    """The bars of a piece with metres, from that of its first note to the last that begins before `end`."""
    places = MetreMap(piece.metres)
    number = places.locate(max(0, int(piece.notes[0, 0]))).bar
    found: list[Bar] = []
    while (start := places.start_of(number)) < end:
        metre = places.locate(start).metre
        assert metre is not None  # of a piece with metres
        found.append(Bar(start, places.start_of(number + 1), metre))
        number += 1
    return found


def ticks(beats: float) -> int:
    """The nearest whole number of ticks."""
    return round(beats * TICKS_PER_BEAT)


def struck(
    pitches: Iterable[int], start: int, end: int, velocity: int, part: Part, rng: np.random.Generator
) -> Iterator[Row]:
    """Notes with a common onset, with random variation of velocity and microtiming (eighths of a tick)."""
    for pitch in pitches:
        touch = min(max(round(velocity + rng.normal(0, TOUCH)), 1), 127)
        micro = min(max(round(rng.normal(0, LOOSE)), -2), 2)
        yield start, micro, pitch, max(SHORTEST, end - start), touch, int(part)
