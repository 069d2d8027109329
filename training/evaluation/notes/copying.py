"""Copying: the longest run of notes that generated music has in common with a training piece.

A run is a stretch of one part's line with the same pitches and the same rhythm, in any key and at any place in time.
The line of a part is its highest note at each onset: a melody is recognised by it, and a copy is found even where the
accompaniment differs. Drums are left out: most of their patterns are shared by a whole genre. A note is compared by its
interval from the note before, in semitones, and by the time between both onsets, rounded to a thirty-second and at most
a bar.

Any two pieces share short runs, and scales or repeated notes make long ones. So the figure is reported with that of as
many notes of held-out pieces. These may be long too: a tune or an edition of a work can be in both splits.

The longest run is found by binary search over its length. For each length, all stretches of the training lines are
hashed with a polynomial rolling hash (Rabin & Karp, 1987), modulo 2^64, and looked up among those of the query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT
from training.data.notes.shards import PieceInfo, Shards
from training.evaluation.notes.long_run import ANY_GENRE, LongRun

RHYTHM_TICKS = TICKS_PER_BEAT // 8
LONGEST_GAP = 32  # thirty-seconds; longer gaps are equal
INTERVALS = 255  # -127..127 semitones
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2^64
INVERSE = np.uint64(pow(int(BASE), -1, 1 << 64))
BUCKETS = 22  # bits of a hash by which most stretches are sorted out

Symbols = NDArray[np.int64]
Hashes = NDArray[np.uint64]


class Run(NamedTuple):
    """notes: length of the longest run; source: path of the training piece, "" if there is no run."""

    notes: int
    source: str


def lines(notes: NDArray[np.int32]) -> Iterator[Symbols]:
    """The line of each pitched part of notes (n, 6), columns of `Note`: (m - 1,) a symbol for each of its m notes but
    the first. Parts with a single onset are left out."""
    for part in np.unique(notes[:, 5]):
        if part == Part.DRUMS:
            continue
        own = notes[notes[:, 5] == part]
        own = own[np.lexsort((own[:, 2], own[:, 0]))]
        own = own[np.append(np.diff(own[:, 0]) > 0, True)]
        if len(own) > 1:
            gaps = (np.diff(own[:, 0].astype(np.int64)) + RHYTHM_TICKS // 2) // RHYTHM_TICKS
            yield np.minimum(gaps, LONGEST_GAP) * INTERVALS + np.diff(own[:, 2].astype(np.int64)) + 127


def shorten(found: Sequence[Symbols], notes: int) -> list[Symbols]:
    """The first of the lines, `notes` notes in all."""
    kept: list[Symbols] = []
    for line in found:
        if notes < 2:
            break
        kept.append(line[: notes - 1])
        notes -= len(kept[-1]) + 1
    return kept


def note_count(found: Sequence[Symbols]) -> int:
    """Notes of these lines."""
    return sum(len(line) + 1 for line in found)


class TrainingLines:
    """The lines of all training pieces, to search in."""

    def __init__(self, shards: Shards, pieces: Sequence[PieceInfo]) -> None:
        found = [list(lines(np.asarray(shards.notes(info)))) for info in pieces]
        self.pieces = pieces
        self.sums = _prefix_sums([line for own in found for line in own], seed=1)
        self.ends = np.cumsum([note_count(own) for own in found])

    def longest_run(self, query: Sequence[Symbols]) -> Run:
        """The longest run that one of the query's lines has in common with a training line."""
        sums = _prefix_sums(query, seed=2)
        shortest, longest, place = 0, max((len(line) for line in query), default=0), 0
        while shortest < longest:  # `shortest` symbols are in common, more than `longest` are not
            length = (shortest + longest + 1) // 2
            at = self._find(sums, length)
            if at is None:
                longest = length - 1
            else:
                shortest, place = length, at
        if not shortest:
            return Run(0, "")
        return Run(shortest + 1, self.pieces[int(np.searchsorted(self.ends, place, "right"))].path)

    def _find(self, query: Hashes, length: int) -> int | None:
        """Where in the training lines a stretch of the query of that length begins, if anywhere."""
        wanted, hashes = np.unique(_stretches(query, length)), _stretches(self.sums, length)
        if not len(hashes):
            return None
        shift = np.uint64(64 - BUCKETS)
        table = np.zeros(1 << BUCKETS, bool)
        table[wanted >> shift] = True
        places = np.flatnonzero(table[hashes >> shift])
        places = places[np.isin(hashes[places], wanted)]
        return int(places[0]) if len(places) else None


def copying(
    runs: Sequence[LongRun], shards: Shards, training: Sequence[PieceInfo], held_out: Sequence[PieceInfo]
) -> dict[str, dict[str, Any]]:
    """Genre -> notes compared, the longest run of the long runs of that genre, the longest run of held-out pieces of
    the genre with as many notes, and the training pieces that these runs are in.

    held_out: pieces that are not among the `training` pieces. Genres without held-out notes are left out, and so is
    everything if there is nothing to train on.
    """
    if not training:
        return {}
    corpus = TrainingLines(shards, training)
    rows: dict[str, dict[str, Any]] = {}
    for genre in dict.fromkeys(run.genre for run in runs if run.genre != ANY_GENRE):
        generated = [line for run in runs if run.genre == genre for line in lines(run.piece.notes)]
        real = [line for info in held_out if info.genre == genre for line in lines(np.asarray(shards.notes(info)))]
        notes = min(note_count(generated), note_count(real))
        if notes:
            found, usual = (corpus.longest_run(shorten(each, notes)) for each in (generated, real))
            rows[genre] = {
                "notes": notes,
                "generated": found.notes,
                "held_out": usual.notes,
                "generated_source": found.source,
                "held_out_source": usual.source,
            }
    return rows


def _prefix_sums(found: Sequence[Symbols], seed: int) -> Hashes:
    """(n + 1,) sums of value x BASE^position over the lines in a row, modulo 2^64. After each line comes a value drawn
    from the seed, so that no stretch across two lines is found."""
    values = np.random.default_rng(0).integers(1 << 64, size=(LONGEST_GAP + 1) * INTERVALS, dtype=np.uint64)
    separators = np.random.default_rng(seed).integers(1 << 64, size=(len(found), 1), dtype=np.uint64)
    parts = [part for line, end in zip(found, separators, strict=True) for part in (values[line], end)]
    row = np.concatenate([np.zeros(0, np.uint64), *parts])
    return np.append(np.uint64(0), np.cumsum(row * _powers(BASE, len(row)), dtype=np.uint64))


def _stretches(sums: Hashes, length: int) -> Hashes:
    """A hash of each stretch of that length."""
    windows = sums[length:] - sums[:-length]
    return windows * _powers(INVERSE, len(windows))


def _powers(base: np.uint64, count: int) -> Hashes:
    return np.cumprod(np.append(np.uint64(1), np.full(max(0, count - 1), base)), dtype=np.uint64)[:count]
