"""Figures of predicted chords.

Slots and classes are those of `instrument.models.plan.slots`. A change is a slot with another chord than the
previous slot. Nats a change are all nats divided by the number of changes. Top-1 is the accuracy at changes, with the
previous chord excluded. Slots are pooled within a genre, and the figure is the mean of the genres.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.models.plan.slots import NONE, without_sections
from training.data.plans import PlanPiece
from training.families.plan.task import chord_nats

FIGURES = ("nats a slot", "nats a change", "top-1")
Judge = Callable[[Sequence["PieceFeatures"]], "list[tuple[NDArray[np.float64], NDArray[np.int64]]]"]


@dataclass(frozen=True, slots=True)
class PieceFeatures:
    """A piece and the features of its slots, (slots, `WIDTH`)."""

    piece: PlanPiece
    rows: NDArray[np.int8]

    @property
    def chords(self) -> NDArray[np.int64]:
        """Classes of its slots."""
        return np.array(self.piece.chords, np.int64)

    @property
    def changes(self) -> NDArray[np.bool_]:
        """Which slots are changes."""
        found: NDArray[np.bool_] = (self.rows[:, 0] != self.chords) & (self.rows[:, 0] != NONE)
        return found


def with_features(pieces: Sequence[PlanPiece]) -> list[PieceFeatures]:
    """Features of the pieces that have chords, with their sections known."""
    return [PieceFeatures(piece, piece.features()) for piece in pieces if piece.chords]


def hide_sections(pieces: Sequence[PieceFeatures]) -> list[PieceFeatures]:
    """The pieces with the features of sections set to unknown."""
    return [PieceFeatures(each.piece, without_sections(each.rows)) for each in pieces]


def measure(judge: Judge, pieces: Sequence[PieceFeatures]) -> dict[str, dict[str, float]]:
    """Genre -> the figures, and under "mean" their mean. judge: returns for each piece the nats of its slots,
    and at each the likeliest chord other than the previous one."""
    sums: dict[str, NDArray[np.float64]] = {}
    for each, (nats, guesses) in zip(pieces, judge(pieces), strict=True):
        changes = each.changes
        right = (guesses == each.chords)[changes].sum()
        own = np.array([nats.sum(), len(nats), changes.sum(), right], np.float64)
        sums[each.piece.genre] = sums.get(each.piece.genre, np.zeros(4)) + own
    found = {
        genre: dict(zip(FIGURES, (nats / slots, nats / max(changes, 1), right / max(changes, 1)), strict=True))
        for genre, (nats, slots, changes, right) in sums.items()
    }
    means = {name: float(np.mean([row[name] for row in found.values()])) for name in FIGURES}
    return {"mean": means} | {genre: {name: float(v) for name, v in row.items()} for genre, row in found.items()}


def network_judge(network: Any) -> Judge:
    """A `Judge` of a network or a `BundlePlan`."""
    return lambda pieces: chord_nats(network, [p.rows for p in pieces], [p.piece.chords for p in pieces])
