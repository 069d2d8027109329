"""Pieces with chords that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instrument.music.chords.names import parse_chord
from instrument.music.notes import Marker, Part, Piece, tidy
from instrument.music.reading import DEFAULT_METRE
from instrument.music.timebase import Metre


def block_piece(
    symbols: Sequence[str],
    ticks: int = 48,
    *,
    metre: Metre | None = DEFAULT_METRE,
    markers: Sequence[Marker] = (),
) -> Piece:
    """Chords one after another, each held for so many ticks as a block above its bass; N.C. is a rest."""
    rows = []
    for i, symbol in enumerate(symbols):
        chord = parse_chord(symbol)
        pitches = [60 + tone for tone in sorted(chord.tones)]
        rows += [(i * ticks, 0, pitch, ticks, 80, Part.CHORDS) for pitch in pitches]
        if chord.bass is not None:
            rows.append((i * ticks, 0, 36 + chord.bass, ticks, 80, Part.BASS))
    return Piece(tidy(np.array(rows, np.int32)), (metre,) if metre else (), markers=tuple(markers))
