"""The beats of a piece, and profiles of the pitch classes that sound in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.notes import Part, Piece
from instrument.music.timebase import TICKS_PER_BEAT, Metre, MetreMap

CELL = 3  # ticks: sounding notes are sampled every thirty-second
MOST_BEATS = 20_000  # nearly three hours at 120 beats a minute
DOWNBEAT, MIDDLE, WEAK = range(3)  # places of a beat in its bar


@dataclass(frozen=True, slots=True)
class Beats:
    """The beats of a piece, n of them.

    edges: ticks (n + 1), ascending, beat i lasting from edges[i] to edges[i + 1]; bars: int64 (n), the bar of each
    beat; places: int64 (n), DOWNBEAT, MIDDLE (the middle of a bar that has one) or WEAK.
    """

    edges: NDArray[np.int64]
    bars: NDArray[np.int64]
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bars)

    def at(self, tick: int) -> int:
        """The beat that contains a tick, the first or last one for ticks outside."""
        return int(np.clip(np.searchsorted(self.edges, tick, "right") - 1, 0, len(self) - 1))


def beat_ticks(metre: Metre | None) -> int:
    """The length of a beat in ticks: a dotted quarter in 6/8, 9/8 and 12/8, else one of the denominator, at most a
    quarter note."""
    if metre is None:
        return TICKS_PER_BEAT
    if metre.denominator == 8 and metre.numerator % 3 == 0 and metre.numerator > 3:
        return TICKS_PER_BEAT * 3 // 2
    return min(TICKS_PER_BEAT, max(CELL, TICKS_PER_BEAT * 4 // metre.denominator))


def beats_of(piece: Piece) -> Beats:
    """The beats from tick 0 to the end of the last note. Without a metre they are quarter notes, four to a bar.

    Raises HocketError for a piece of more than `MOST_BEATS`.
    """
    end = int((piece.notes[:, 0] + piece.notes[:, 3]).max()) if len(piece) else 1
    bars = MetreMap(piece.metres)
    starts, numbers, places = [], [], []
    first = bars.locate(0).bar
    bar = first
    while (start := bars.start_of(bar)) < end:
        metre = bars.locate(start).metre
        length, step = bars.start_of(bar + 1) - start, beat_ticks(metre)
        for offset in range(0, length, step):
            if start + offset >= 0:
                starts.append(start + offset)
                numbers.append(bar - first)
                places.append(DOWNBEAT if offset == 0 else MIDDLE if offset * 2 == length else WEAK)
        if len(starts) > MOST_BEATS:
            raise HocketError(f"a piece of over {MOST_BEATS} beats is too long for its chords to be found: cut it")
        bar += 1
    return Beats(
        np.array([*starts, bars.start_of(bar)], np.int64),
        np.array(numbers, np.int64),
        np.array(places, np.int64),
    )


class Profiles(NamedTuple):
    """Pitch classes in each of n spans, arrays (n, 12). Drums are left out.

    sounding: time in quarter notes, where a pitch class in two octaves counts twice; lowest: time in which it is the
    lowest that sounds; struck: how many notes begin.
    """

    sounding: NDArray[np.float32]
    lowest: NDArray[np.float32]
    struck: NDArray[np.float32]


def profiles(piece: Piece, edges: NDArray[np.int64]) -> Profiles:
    """The profiles of the n spans between the edges (n + 1), ascending ticks."""
    notes = piece.notes[piece.notes[:, 5] != Part.DRUMS]
    cells = (int(edges[-1]) + CELL - 1) // CELL
    starts = np.clip((notes[:, 0] + CELL // 2) // CELL, 0, cells - 1)
    ends = np.clip((notes[:, 0] + notes[:, 3] + CELL // 2) // CELL, starts + 1, cells)
    steps = np.zeros((cells + 1, 128), np.int16)
    np.add.at(steps, (starts, notes[:, 2]), 1)
    np.add.at(steps, (ends, notes[:, 2]), -1)
    sounding = steps.cumsum(0, dtype=np.int16)[:-1] > 0  # (cells, 128)
    lowest = np.zeros_like(sounding)
    cells_with_notes = np.flatnonzero(sounding.any(1))
    lowest[cells_with_notes, sounding[cells_with_notes].argmax(1)] = True
    struck = np.zeros((len(edges) - 1, 12), np.float32)
    spans = np.searchsorted(edges, starts * CELL, "right") - 1
    within = (spans >= 0) & (spans < len(struck))
    np.add.at(struck, (spans[within], notes[within, 2] % 12), 1)
    return Profiles(_by_class(sounding, edges), _by_class(lowest, edges), struck)


def _by_class(sounding: NDArray[np.bool_], edges: NDArray[np.int64]) -> NDArray[np.float32]:
    padded = np.pad(sounding, ((0, 0), (0, 132 - 128)))
    classes = padded.reshape(len(padded), 11, 12).sum(1, dtype=np.int64)
    total = np.concatenate((np.zeros((1, 12), np.int64), classes.cumsum(0)))
    at = np.minimum((edges + CELL // 2) // CELL, len(classes))
    return np.asarray((total[at[1:]] - total[at[:-1]]) * (CELL / TICKS_PER_BEAT), np.float32)
