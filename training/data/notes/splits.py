"""Splits of a collection that has none: by genre, copies of a piece together, by bars where pieces are few."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT, Metre
from training.data.notes.shards import PieceInfo

TEST_SHARE = VALID_SHARE = 0.05
LEAST = 2  # pieces of a genre in valid and in test
FEW = 10  # groups of a genre below which pieces are cut
CUT_BARS, CUT_NOTES = 20, 48  # that a piece needs to be cut
CUTS = (0.8, 0.9)  # shares of its bars before the slices for valid and for test
SHINGLE = 10  # steps of a melody that are looked at together
SKETCH = 24  # of its shingles that are kept
ALIKE = 0.5  # share of their sketches that copies have in common
COMMON = 40  # pieces with the same shingle from which on it says nothing
MULTIPLIERS = np.random.default_rng(0).integers(1, 1 << 62, SHINGLE, dtype=np.uint64) | np.uint64(1)


class Outline(NamedTuple):
    """What is kept of the notes of a piece to decide its split. sketch: see `sketch`; cuts: its notes before the slices
    for valid and for test, none if it is too short; drums: whether each of the three slices is drums alone."""

    sketch: NDArray[np.uint64]
    cuts: tuple[int, int] | None
    drums: tuple[bool, bool, bool] = (False, False, False)


def outline(notes: NDArray[np.int32], info: PieceInfo) -> Outline:
    """The outline of a piece with these notes (n, 6)."""
    cuts = _cuts(notes, info)
    if cuts is None:
        return Outline(sketch(notes), None)
    parts = np.split(notes[:, 5], cuts)
    drums = tuple(bool((part == Part.DRUMS).all()) for part in parts)
    return Outline(sketch(notes), cuts, (drums[0], drums[1], drums[2]))


def sketch(notes: NDArray[np.int32]) -> NDArray[np.uint64]:
    """A fingerprint that does not depend on key and tempo: the smallest hashes of the shingles of the highest notes at
    each onset, of each the interval from the note before and whether the time to it is shorter, about the same or
    longer than the last. Notes of drums alone count as they are. Empty for a piece of few notes."""
    pitched = notes[notes[:, 5] != Part.DRUMS]
    own = pitched if len(pitched) else notes
    own = own[np.lexsort((own[:, 2], own[:, 0]))]
    top = own[np.flatnonzero(np.diff(own[:, 0], append=own[-1, 0] + 1))].astype(np.int64)
    if len(top) < SHINGLE + 2:
        return np.zeros(0, np.uint64)
    gaps = np.diff(top[:, 0])
    longer = np.sign(np.rint(2 * np.log2(gaps[1:] / gaps[:-1]))).astype(np.int64)
    steps = np.diff(top[:, 2])[1:] if len(pitched) else top[2:, 2]
    symbols = ((steps + 128) * 3 + longer + 1).astype(np.uint64)
    shingles = np.lib.stride_tricks.sliding_window_view(symbols, SHINGLE)
    hashes = (shingles * MULTIPLIERS).sum(1, dtype=np.uint64)
    hashes ^= hashes >> np.uint64(29)
    return np.unique(hashes * MULTIPLIERS[0])[:SKETCH]


def assign(
    pieces: Sequence[PieceInfo], hashes: Sequence[str], groups: Sequence[str], outlines: Sequence[Outline]
) -> tuple[list[PieceInfo], list[str]]:
    """The pieces with splits for those that had none, some cut into slices; and lines about what was done.

    hashes: of the notes of each, which decide; groups: pieces of one are kept together, "" for none.
    """
    family = _families(pieces, groups, outlines)
    split = {family[i]: piece.split for i, piece in enumerate(pieces) if piece.split}
    places: dict[int, float] = {}
    for i, digest in enumerate(hashes):
        places[family[i]] = min(places.get(family[i], 1.0), int(digest[:12], 16) / 16**12)
    by_genre: dict[str, list[int]] = defaultdict(list)
    for i, piece in enumerate(pieces):
        if not piece.split:
            by_genre[piece.genre].append(i)
    few: dict[str, list[int]] = {}
    for genre, own in sorted(by_genre.items(), key=lambda one: len(one[1])):
        ranked = sorted({family[i] for i in own}, key=lambda f: places[f])
        if len(ranked) >= FEW:
            _hold_out(ranked, places, split, LEAST)
        elif len(ranked) > 2 and all(outlines[i].cuts is None for i in own):  # too short to cut
            _hold_out(ranked, places, split, 1)
        else:
            few[genre] = [i for i in own if family[i] not in split]
    cut = {i for own in few.values() for i in own}
    done: list[PieceInfo] = []
    for i, piece in enumerate(pieces):
        if i in cut:
            done += sliced(piece, outlines[i])
        else:
            done.append(piece if piece.split else msgspec.structs.replace(piece, split=split.get(family[i], "train")))
    lines = [
        f"{genre}: fewer than {FEW} different pieces, so validation and test take the last fifth of the bars of "
        f"{sum(outlines[i].cuts is not None for i in own)} of {len(own)}"
        for genre, own in sorted(few.items())
        if own
    ]
    return done, lines


def _hold_out(ranked: Sequence[int], places: Mapping[int, float], split: dict[int, str], least: int) -> None:
    """Put some families of a genre, given in the order of their places, into test and valid, so many at least."""
    for name, share, order in (("test", TEST_SHARE, ranked), ("valid", VALID_SHARE, ranked[::-1])):
        for one in order:
            near = places[one] if name == "test" else 1 - places[one]
            if near >= share and sum(split.get(f) == name for f in ranked) >= least:
                break
            split.setdefault(one, name)


def sliced(piece: PieceInfo, outline: Outline) -> list[PieceInfo]:
    """A piece as slices for train, valid and test; all of it for train if it is too short."""
    if outline.cuts is None:
        return [msgspec.structs.replace(piece, split="train")]
    edges = (0, *outline.cuts, piece.count)
    found = []
    for name, begin, end, drums in zip(("train", "valid", "test"), edges, edges[1:], outline.drums, strict=False):
        found.append(
            msgspec.structs.replace(
                piece,
                path=piece.path if name == "train" else f"{piece.path}#{name}",
                split=name,
                start=piece.start + begin,
                count=end - begin,
                seconds=round(piece.seconds * (end - begin) / piece.count, 3),
                drums_only=drums,
            )
        )
    return found


def _cuts(notes: NDArray[np.int32], info: PieceInfo) -> tuple[int, int] | None:
    """Numbers of notes at whole bars of its first metre."""
    bar = Metre(*info.metres[0]).bar_ticks if info.metres else 4 * TICKS_PER_BEAT
    first = info.metres[0][0] if info.metres else int(notes[0, 0])
    begin, end = (int((tick - first) // bar) for tick in (notes[0, 0], notes[-1, 0]))
    bars = end - begin + 1
    if bars < CUT_BARS or len(notes) < CUT_NOTES:
        return None
    ticks = [first + bar * (begin + round(share * bars)) for share in CUTS]
    valid, test = (int(at) for at in np.searchsorted(notes[:, 0], ticks))
    return (valid, test) if 0 < valid < test - 1 and test < len(notes) - 1 else None


class _Families:
    """Numbers that are joined to sets, each known by its first one."""

    def __init__(self, count: int) -> None:
        self._first = list(range(count))

    def of(self, i: int) -> int:
        while self._first[i] != i:
            self._first[i] = self._first[self._first[i]]
            i = self._first[i]
        return i

    def join(self, several: Iterable[int]) -> None:
        roots = sorted({self.of(i) for i in several})
        for other in roots[1:]:
            self._first[other] = roots[0]


def _families(pieces: Sequence[PieceInfo], groups: Sequence[str], outlines: Sequence[Outline]) -> list[int]:
    """For each piece the number of the first one that it is kept together with."""
    found = _Families(len(pieces))
    together: dict[tuple[str, str], list[int]] = defaultdict(list)
    holders: dict[int, list[int]] = defaultdict(list)
    for i, (piece, group, known) in enumerate(zip(pieces, groups, outlines, strict=True)):
        if group:
            together[piece.dataset, group].append(i)
        for shingle in known.sketch.tolist():
            holders[shingle].append(i)
    for several in together.values():
        found.join(several)
    shared = Counter(
        pair for several in holders.values() if len(several) <= COMMON for pair in itertools.combinations(several, 2)
    )
    for (one, other), count in shared.items():
        if count >= ALIKE * min(len(outlines[one].sketch), len(outlines[other].sketch)):
            found.join((one, other))
    return [found.of(i) for i in range(len(pieces))]
