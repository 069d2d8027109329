"""The chord changes of prepared pieces, kept beside their shards, for players that learn to follow a plan.

`chords.npz` of a prepared folder holds `places` (pieces, 2), the shard of each piece and its first row there, `starts`
(pieces + 1,) and `changes` (m, 4) int32: tick, root (-1: no chord), index in `QUALITIES`, bass. The changes of piece i
are rows starts[i] .. starts[i + 1].
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.chords.analysis import recognise
from instrument.music.chords.changes import ChordChange, block_chords, marked_chords
from instrument.music.chords.names import QUALITIES, Chord
from instrument.music.notes import Part, Piece
from training.data.notes.chords import written_chords
from training.data.notes.shards import INDEX_VERSION, Index, PieceInfo, Shards

NAME = "chords.npz"
BATCH_PIECES = 200
INDEX = {quality: i for i, quality in enumerate(QUALITIES)}
Changes = NDArray[np.int32]
Sourced = tuple[PieceInfo, PieceInfo | None]  # a piece, and the one that it was realised from
NO_CHANGES: Changes = np.zeros((0, 4), np.int32)


class PieceRows:
    """Rows of all pieces of a prepared folder, from one file beside its shards; without the file, of none."""

    def __init__(self, shards: Shards, name: str, none: Changes) -> None:
        """name: of the file; none: no rows. HocketError if the file does not belong to these shards."""
        path = shards.folder / name
        self._slices: dict[tuple[int, int], slice] = {}
        self._rows = none
        if not path.exists():
            return
        with np.load(path, allow_pickle=False) as kept:
            places, starts, self._rows = kept["places"].tolist(), kept["starts"].tolist(), kept["changes"]
        self._slices = {(shard, row): slice(*rows) for (shard, row), rows in zip(places, pairwise(starts), strict=True)}
        if starts[-1] != len(self._rows) or not self._slices.keys() >= {_place(p) for p in shards.pieces}:
            raise HocketError(f"{path} belongs to other pieces: delete it and prepare the folder again")

    def of(self, info: PieceInfo) -> NDArray[np.int32]:
        """The rows of a piece, in order."""
        return self._rows[self._slices.get(_place(info), slice(0))]


class PieceChords(PieceRows):
    """The chord changes (n, 4) of all pieces of a prepared folder; without the file, of none."""

    def __init__(self, shards: Shards) -> None:
        """HocketError if the file does not belong to these shards."""
        super().__init__(shards, NAME, NO_CHANGES)


def _place(info: PieceInfo) -> tuple[int, int]:
    return info.shard, info.start


def write(shards: Shards, jobs: int = 0) -> None:
    """Find the chords of all pieces of a folder, and write them beside its shards. jobs: processes, 0 = one a
    processor."""
    write_rows(shards, NAME, _of_batch, NO_CHANGES, jobs)


def write_rows(
    shards: Shards,
    name: str,
    of_batch: Callable[[Path, Sequence[Sourced]], list[NDArray[np.int32]]],
    none: NDArray[np.int32],
    jobs: int = 0,
) -> None:
    """Write the rows of all pieces of a folder for `PieceRows`. of_batch: finds those of some pieces, in a process that
    holds no others; none: no rows; jobs: processes, 0 = one a processor."""
    sources = {info.path: info for info in shards.pieces if not info.realised}
    pieces = [(info, sources.get(info.path.rpartition(" [")[0]) if info.realised else None) for info in shards.pieces]
    groups = [pieces[i : i + BATCH_PIECES] for i in range(0, len(pieces), BATCH_PIECES)]
    folders = [shards.folder] * len(groups)
    if jobs == 1 or len(groups) < 2:
        found = [rows for group in map(of_batch, folders, groups) for rows in group]
    else:
        with ProcessPoolExecutor(jobs or os.cpu_count() or 1) as pool:
            found = [rows for group in pool.map(of_batch, folders, groups) for rows in group]
    starts = np.cumsum([0, *map(len, found)])
    changes = np.concatenate(found) if found else none
    places = np.array([_place(info) for info in shards.pieces], np.int64).reshape(-1, 2)
    partial = shards.folder / f"{name}.partial.npz"
    np.savez_compressed(partial, places=places, starts=starts, changes=changes)
    partial.replace(shards.folder / name)


def only(folder: Path, pieces: Sequence[Sourced]) -> Shards:
    """The shards of a folder with some of its pieces."""
    return Shards(folder, Index(INDEX_VERSION, [info for info, _ in pieces], ""))


def _of_batch(folder: Path, pieces: Sequence[Sourced]) -> list[Changes]:
    shards = only(folder, pieces)
    return [as_rows(changes_of(shards, info, source)) for info, source in pieces]


def changes_of(shards: Shards, info: PieceInfo, source: PieceInfo | None) -> list[ChordChange]:
    """The chords written in a piece, or recognised where none can be read. Those of a full band made by rule are its
    source's, by which it was made. Without pitched notes there are none."""
    piece = shards.piece(info)
    if not (piece.notes[:, 5] != Part.DRUMS).any():
        return []
    with suppress(HocketError):
        if source is not None:
            lead_sheet = shards.piece(source)
            written = marked_chords(lead_sheet) or block_chords(lead_sheet)
        else:
            written = written_chords(piece, info.dataset) or []
        if written:
            return written
    beats, chords = recognise(Piece(np.asarray(piece.notes), piece.metres), None)
    return [ChordChange(int(tick), chord) for tick, chord in zip(beats.edges, chords, strict=False)]


def as_rows(changes: Sequence[ChordChange]) -> Changes:
    """Rows (n, 4) of changes, without repeats of the same chord."""
    rows: list[tuple[int, int, int, int]] = []
    last: Chord | None = None
    for tick, chord in sorted({change.tick: change for change in changes}.values()):
        if chord != last:
            root, bass = (-1, -1) if chord.root is None or chord.bass is None else (chord.root, chord.bass)
            rows.append((tick, root, INDEX[chord.quality], bass))
            last = chord
    return np.array(rows, np.int32).reshape(-1, 4)


def chords_of(changes: Changes) -> list[Chord]:
    """The chords of changes (n, 4)."""
    qualities = list(QUALITIES)
    return [
        Chord(None, qualities[quality], None) if root < 0 else Chord(root, qualities[quality], bass)
        for _, root, quality, bass in changes.tolist()
    ]


def transposed(changes: Changes, semitones: int) -> Changes:
    """The same changes, higher by this many semitones."""
    out = changes.copy()
    for column in (1, 3):
        out[:, column] = np.where(out[:, column] < 0, -1, (out[:, column] + semitones) % 12)
    return out
