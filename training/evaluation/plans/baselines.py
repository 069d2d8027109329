"""Baselines: counts of chords in context, and copies of earlier chords.

Counts are interpolated after Witten and Bell (1991). Wider contexts get more weight than there, as the slots of one
piece are not independent. A copy is mixed in with a weight for each length of its run, the number of slots for which it
would have been right. These weights are fitted by expectation maximisation on another split than the counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.models.plan.form import ANSWERS, DISTINCT, KNOWN
from instrument.models.plan.slots import CLASSES, COLUMNS, ECHOES, NONE, RUNS
from training.evaluation.plans.yardstick import Judge, PieceFeatures
from training.families.plan.task import judged

NOVELTY = 10.0  # factor on the weight of wider contexts for chords; for sections it is 1
ROUNDS = 8  # of expectation maximisation
SMALLEST = 1e-6
Shares = NDArray[np.float64]
Contexts = Callable[[NDArray[np.int8]], tuple[Hashable, ...]]


class Counts:
    """Interpolated probabilities of `size` values, given contexts from the widest to the narrowest."""

    def __init__(self, size: int, novelty: float = 1.0) -> None:
        self._size, self._novelty = size, novelty
        self._counts: dict[Hashable, NDArray[np.float64]] = {}

    def add(self, contexts: Sequence[Hashable], value: int) -> None:
        """Count a value in its contexts."""
        for order, context in enumerate(contexts):
            row = self._counts.setdefault((order, context), np.zeros(self._size))
            row[value] += 1

    def shares(self, contexts: Sequence[Hashable]) -> Shares:
        """Probabilities (size,) of all values: the counts of each context, interpolated with those of the wider one."""
        found = np.full(self._size, 1 / self._size)
        for order, context in enumerate(contexts):
            row = self._counts.get((order, context))
            if row is not None:
                left = self._novelty * np.count_nonzero(row)
                found = (row + left * found) / (row.sum() + left)
        return found


def _column(name: str) -> int:
    return COLUMNS.index(name)


def _unigram(row: NDArray[np.int8]) -> tuple[Hashable, ...]:
    genre, minor = int(row[_column("genre")]), int(row[_column("minor")])
    return (), genre, (genre, minor)


def _trigram(row: NDArray[np.int8]) -> tuple[Hashable, ...]:
    previous, before, position = (int(row[_column(name)]) for name in ("previous", "before", "position"))
    genre, minor = int(row[_column("genre")]), int(row[_column("minor")])
    return (
        *_unigram(row),
        (minor, previous),
        (genre, minor, previous),
        (genre, minor, previous, position),
        (genre, minor, previous, before, position),
    )


class CountModel:
    """Chords by counts in contexts."""

    def __init__(self, contexts: Contexts, pieces: Sequence[PieceFeatures]) -> None:
        self._contexts, self._counts = contexts, Counts(CLASSES, NOVELTY)
        for piece in pieces:
            for row, chord in zip(piece.rows, piece.chords, strict=True):
                self._counts.add(contexts(row), int(chord))

    def shares(self, piece: PieceFeatures) -> Shares:
        """Probabilities (slots, 97)."""
        return np.stack([self._counts.shares(self._contexts(row)) for row in piece.rows])


class CopyModel:
    """A mixture of another model and the copy of an echo."""

    def __init__(self, base: CountModel | CopyModel, echo: str | None, fitted_on: Sequence[PieceFeatures]) -> None:
        """echo: one of `ECHOES`; None: the previous chord."""
        self._base, self._echo = base, None if echo is None else ECHOES.index(echo)
        self._weights = np.full(RUNS, 0.5)
        parts = [self._parts(piece) for piece in fitted_on]
        base_shares, right, run = (np.concatenate([part[i] for part in parts]) for i in range(3))
        for _ in range(ROUNDS):
            copied = self._weights[run] * right
            share = copied / np.maximum(copied + (1 - self._weights[run]) * base_shares, SMALLEST)
            total = np.bincount(run, minlength=RUNS)
            self._weights = np.bincount(run, share, RUNS) / np.maximum(total, 1)

    def shares(self, piece: PieceFeatures) -> Shares:
        """Probabilities (slots, 97)."""
        chord, run = self._copied(piece)
        weight = np.where(chord == NONE, 0.0, self._weights[run])
        found = self._base.shares(piece) * (1 - weight[:, None])
        there = np.flatnonzero(chord != NONE)
        found[there, chord[there]] += weight[there]
        return found

    def _copied(self, piece: PieceFeatures) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The copied chord of each slot, and the run of the copy."""
        if self._echo is None:
            return piece.rows[:, 0].astype(np.int64), np.ones(len(piece.rows), np.int64)
        at = len(COLUMNS) + self._echo
        return piece.rows[:, at].astype(np.int64), piece.rows[:, at + len(ECHOES)].astype(np.int64)

    def _parts(self, piece: PieceFeatures) -> tuple[Shares, Shares, NDArray[np.int64]]:
        """Where there is a copy: what the other model gives the right chord, whether the copy is right, and its run."""
        chord, run = self._copied(piece)
        there = np.flatnonzero(chord != NONE)
        base_shares = self._base.shares(piece)[there, piece.chords[there]]
        return base_shares, (chord[there] == piece.chords[there]).astype(float), run[there]


def baselines(train: Sequence[PieceFeatures], valid: Sequence[PieceFeatures]) -> dict[str, Judge]:
    """Name -> baseline. train: the pieces that are counted; valid: those that the weights of copies are fitted on."""
    unigram = CountModel(_unigram, train)
    found: dict[str, CountModel | CopyModel] = {"unigram": unigram, "repeat the last": CopyModel(unigram, None, valid)}
    model: CountModel | CopyModel = CountModel(_trigram, train)
    found["trigram"] = model
    for echo in ("lag16", "lag8", "lag4"):
        model = CopyModel(model, echo, valid)
    found["+ copy of 4, 8, 16 bars ago"] = model
    found["+ copy of the section"] = CopyModel(model, "last", valid)
    return {name: _judge(each) for name, each in found.items()}


def _judge(model: CountModel | CopyModel) -> Judge:
    return lambda pieces: [
        judged(np.log(np.maximum(model.shares(p), SMALLEST)), p.rows[:, 0], p.piece.chords) for p in pieces
    ]


# --- sections


def form_contexts(row: NDArray[np.int64]) -> tuple[Hashable, ...]:
    """Contexts of the next section, by genre, the number of sections so far, and the last two sections."""
    previous, before, _, _, genre, count, distinct, *_ = (int(value) for value in row)
    return (), genre, (genre, distinct), (genre, distinct, previous), (genre, distinct, previous, before, count)


class FormCounts:
    """Sections by counts in contexts."""

    def __init__(self, forms: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> None:
        self._counts = Counts(ANSWERS)
        for rows, right in forms:
            for row, answer in zip(rows[1:], right[1:, 0], strict=True):
                self._counts.add(form_contexts(row), int(answer))

    def logs(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log probabilities (sections, answers), with impossible answers excluded."""
        found = np.stack([self._counts.shares(form_contexts(row)) for row in rows])
        distinct = rows[:, DISTINCT]
        answers = np.arange(ANSWERS)
        found[(answers < KNOWN) & (answers >= distinct[:, None])] = 0.0
        found /= found.sum(-1, keepdims=True)
        return np.log(np.maximum(found, math.exp(-30)))
