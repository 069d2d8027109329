"""Primers: bars of a genre that are fed to a model, unheard, when the genre is switched to. The model then goes on as
in the middle of a piece and not as at its beginning.

A bundle's primers.npz: `notes` int16 (n, 6), the columns of `Note`, ticks from the start of the first bar of 4/4;
`lengths` (k,), notes of each primer, in order; `genres` (k,), which of the manifest's `condition_genres` it is in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.notes.player import Ask
from instrument.music.harmony import scale_mask
from instrument.music.notes import Note, Part
from instrument.music.timebase import TICKS_PER_BEAT, MetreMap

BARS = 4  # of a primer
BAR = 4 * TICKS_PER_BEAT
MOST_NOTES = 64  # the last ones of a primer

Primer = NDArray[np.int32]


class Primers:
    """The primers of a bundle, by genre."""

    def __init__(self, by_genre: Mapping[str, list[Primer]]) -> None:
        self._by_genre = by_genre

    @classmethod
    def of(cls, bundle: Bundle) -> Primers:
        """The primers of a bundle, which may have none. HocketError if they are damaged."""
        found: dict[str, list[Primer]] = {}
        arrays = bundle.primers()
        if arrays:
            genres = bundle.manifest.condition_genres
            notes, lengths, which = (arrays[name].astype(np.int32) for name in ("notes", "lengths", "genres"))
            if notes.shape != (lengths.sum(), 6) or len(which) != len(lengths) or (which >= len(genres)).any():
                raise HocketError(f"bundle {bundle.manifest.slug!r}: its primers do not fit together: install it again")
            for primer, genre in zip(np.split(notes, np.cumsum(lengths)[:-1]), which, strict=True):
                found.setdefault(genres[genre], []).append(primer)
        return cls(found)

    def has(self, genre: str) -> bool:
        """Whether there are any of that genre."""
        return genre in self._by_genre

    def before(
        self, genre: str, floor: int, ask: Ask, histogram: NDArray[np.float64], metres: MetreMap, draw: float
    ) -> list[Note]:
        """The notes of a primer of `genre`, moved so that it ends at tick `floor`; empty where there is none, and
        outside 4/4.

        It is transposed into the scale of `ask`, or without one into the key of `histogram` (12,), the pitch classes
        played recently. draw: 0..1, selects the primer.
        """
        there = self._by_genre.get(genre, [])
        where = metres.locate(max(0, floor - 1))
        begin = floor - 1 - where.offset - (BARS - 1) * BAR
        common = where.metre is not None and where.metre.bar_ticks == BAR
        if not there or not common or metres.locate(max(0, begin)).metre != where.metre:
            return []
        wanted = histogram if ask.scale == "chromatic" else scale_mask(ask.key, ask.scale).astype(float)
        primer = there[int(draw * len(there))]
        rows = primer[(primer[:, 0] + begin >= 0) & (primer[:, 0] + begin < floor)][-MOST_NOTES:].copy()
        rows[:, 0] += begin
        pitched = rows[:, 5] != Part.DRUMS
        rows[pitched, 2] = np.clip(rows[pitched, 2] + _shift(rows[pitched, 2], wanted), 0, 127)
        return sorted({(note.tick, note.order): note for note in (Note(*map(int, row)) for row in rows)}.values(),
                      key=lambda note: note.order)  # fmt: skip


def _shift(pitches: NDArray[np.int32], wanted: NDArray[np.float64]) -> int:
    """The transposition, -6..5 semitones, after which the pitches agree best with the weights `wanted` (12,)."""
    counts = np.bincount(pitches % 12, minlength=12).astype(float)
    return max(range(-6, 6), key=lambda shift: (float(np.roll(counts, shift) @ wanted), -abs(shift)))
