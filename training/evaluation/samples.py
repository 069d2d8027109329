"""Excerpts to compare: the beginnings of held-out pieces, and what a bundle plays in the same metres."""

from __future__ import annotations

from collections.abc import Sequence

from instrument.models.notes.player import NotePlayer
from instrument.music.notes import Piece
from instrument.music.timebase import Metre
from training.data.notes.shards import PieceInfo, Shards
from training.evaluation.generation import Knobs, play
from training.evaluation.notes.features import bar_ticks, excerpt

BARS = 8


def excerpts(shards: Shards, pieces: Sequence[PieceInfo], count: int) -> list[Piece]:
    """The first bars of up to `count` of the pieces, spread over them."""
    count = min(count, len(pieces))
    return [excerpt(shards.piece(pieces[i * len(pieces) // count]), BARS) for i in range(count)]


def generate_like(player: NotePlayer, knobs: Knobs, real: Sequence[Piece], count: int, seed: int = 1) -> list[Piece]:
    """`count` excerpts that the player generates, in the metres of the real ones in turn."""
    made = []
    for i in range(count):
        model = real[i % len(real)]
        first = model.metres[:1]
        metres = tuple(Metre(0, m.numerator, m.denominator) for m in first)
        made.append(play(player, knobs, seed + i, BARS * bar_ticks(model), metres))
    return made
