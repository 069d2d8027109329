"""Notes by beat, and excerpts made of them, for tests of the figures of bands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from instrument.music.notes import Note, Part
from instrument.music.timebase import TICKS_PER_BEAT, Metre
from training.evaluation.bands.excerpt import Excerpt

COMMON = Metre(0, 4, 4)
M, C, B, D, OTHER = Part


def note(beat: float, pitch: int, beats: float = 1.0, part: Part = M, velocity: int = 80, micro: int = 0) -> Note:
    """A note that begins on a beat, counted from 0, and lasts for so many."""
    return Note(round(beat * TICKS_PER_BEAT), micro, pitch, round(beats * TICKS_PER_BEAT), velocity, part)


def block(beat: float, pitches: Iterable[int], beats: float, part: Part = C) -> list[Note]:
    """Notes struck together."""
    return [note(beat, pitch, beats, part) for pitch in pitches]


def excerpt(notes: Sequence[Note], bars: int, metre: Metre = COMMON, bpm: float = 120.0) -> Excerpt:
    """An excerpt of exactly these notes and so many bars."""
    rows = np.array(sorted(notes, key=lambda each: each.order), np.int32).reshape(-1, 6)
    return Excerpt(rows, metre, bars, bpm)
