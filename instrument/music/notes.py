"""Notes and pieces, the common currency of training and playing.

A note sits on a grid of 24 ticks a beat, as MIDI clock has, plus an offset within the tick
(microtiming) in eighths of a tick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.music.timebase import Metre

COLUMNS = ("tick", "micro", "pitch", "duration", "velocity", "part")


class Part(IntEnum):
    """The role a note plays. OTHER is used where the data does not say."""

    MELODY = 0
    CHORDS = 1
    BASS = 2
    DRUMS = 3
    OTHER = 4


LAST_TICK = 1 << 30  # of a note, and its longest duration
_PARTS = frozenset(Part)


class Note(NamedTuple):
    """One note.

    tick: onset in ticks from the start of the piece; micro: offset in eighths of a tick, -4..3;
    pitch: MIDI 0..127 (for DRUMS, the General MIDI percussion key); duration: ticks, at least 1;
    velocity: MIDI 1..127; part: a `Part`.
    """

    tick: int
    micro: int
    pitch: int
    duration: int
    velocity: int
    part: int

    @property
    def order(self) -> int:
        """Sort key: by tick, then pitch, drums above every pitch."""
        return self.tick * 256 + self.pitch + (128 if self.part == Part.DRUMS else 0)

    @property
    def possible(self) -> bool:
        """Whether every value is within its range."""
        return (
            0 <= self.tick <= LAST_TICK
            and -4 <= self.micro <= 3
            and 0 <= self.pitch <= 127
            and 1 <= self.duration <= LAST_TICK
            and 1 <= self.velocity <= 127
            and self.part in _PARTS
        )


@dataclass(frozen=True, slots=True)
class Marker:
    """A chord or key annotation: `text` is "chord B:maj" or "key Gb:maj"."""

    tick: int
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of music on the tick grid.

    notes: int32 array (n, 6) with the columns of `Note`, in `tidy` order;
    metres: changes of time signature, the first at or before the first note; empty = unmetered;
    tempos: (tick, beats a minute) changes; markers: chord and key annotations.
    """

    notes: NDArray[np.int32]
    metres: tuple[Metre, ...] = ()
    tempos: tuple[tuple[int, float], ...] = ((0, 120.0),)
    markers: tuple[Marker, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.notes)

    def as_notes(self) -> list[Note]:
        """The rows as `Note` tuples."""
        return [Note(*row) for row in self.notes.tolist()]


def order_keys(notes: NDArray[np.int32]) -> NDArray[np.int64]:
    """`Note.order` of every row of a note array (n, 6)."""
    drums = np.where(notes[:, 5] == Part.DRUMS, 128, 0)
    return notes[:, 0].astype(np.int64) * 256 + notes[:, 2] + drums


def tidy(notes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sort by (tick, pitch, drums last) and keep one of the notes that are equal in these: that of the lowest part, so
    that a melody keeps its notes where a pedalled piano doubles them for longer; within that part the longest."""
    notes = np.asarray(notes, np.int32).reshape(-1, len(COLUMNS))
    keys = order_keys(notes)
    notes = notes[np.lexsort((-notes[:, 3], notes[:, 5], keys))]
    keys = order_keys(notes)
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    return np.ascontiguousarray(notes[first])
