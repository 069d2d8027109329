"""Shards: the notes of many pieces in memory-mapped arrays, with an index of facts.

A folder holds `notes-00000.npy`, ... (int32, (n, 6), the columns of `Note`) and `index.json`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.notes import COLUMNS, Marker, Piece
from instrument.music.timebase import Metre
from training.core.recipe import Data
from training.data.licences import licence_allows_shipping

INDEX_VERSION = 1
INDEX_NAME = "index.json"


class PieceInfo(msgspec.Struct, frozen=True):
    """What is known of one piece.

    path: in its source; start, count: its rows in shard `shard`; seconds: from its first onset to its
    last release; bpm: its mean tempo; metres: (tick, numerator, denominator), none if unmetered;
    markers: (tick, text) chord and key annotations; phase: eighths of a tick that its notes were moved
    by to lie on the grid; weight: how much it should count when pieces are sampled.
    """

    path: str
    dataset: str
    genre: str
    subgenre: str
    licence: str
    split: str
    shard: int
    start: int
    count: int
    seconds: float
    bpm: float
    drums_only: bool
    realised: bool
    velocity_constant: bool
    metres: list[tuple[int, int, int]]
    tempos: list[tuple[int, float]]
    markers: list[tuple[int, str]]
    phase: int
    weight: float = 1.0


class Index(msgspec.Struct, frozen=True):
    """The contents of index.json. `source_hash` names the files and options that it was made from."""

    version: int
    pieces: list[PieceInfo]
    data_hash: str
    source_hash: str = ""


def shard_name(number: int) -> str:
    """File name of shard `number`."""
    return f"notes-{number:05d}.npy"


class Shards:
    """A folder of shards, opened for reading."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder
        self.pieces = index.pieces
        self.data_hash = index.data_hash
        self._arrays: dict[int, NDArray[np.int32]] = {}

    @classmethod
    def open(cls, folder: Path | str) -> Shards:
        """Open a prepared folder; raises HocketError if it is not one or is damaged."""
        folder = Path(folder)
        path = folder / INDEX_NAME
        try:
            index = msgspec.json.decode(path.read_bytes(), type=Index)
        except FileNotFoundError as error:
            raise HocketError(f"{folder} holds no {INDEX_NAME}: run `python -m training prepare`") from error
        except (OSError, msgspec.MsgspecError) as error:
            raise HocketError(f"{path} cannot be read ({error}): prepare the data again") from error
        if index.version != INDEX_VERSION:
            raise HocketError(f"{path} has version {index.version}, not {INDEX_VERSION}: prepare it again")
        return cls(folder, index)

    def select(
        self,
        split: str | None = None,
        genres: Collection[str] | None = None,
        ship_only: bool = False,
        drums_only: bool | None = None,
        realised: bool | None = None,
    ) -> list[PieceInfo]:
        """The pieces for which all that is given holds; `ship_only` leaves out what may not train a
        bundle that ships."""
        return [
            p
            for p in self.pieces
            if (split is None or p.split == split)
            and (genres is None or p.genre in genres)
            and (not ship_only or licence_allows_shipping(p.licence))
            and (drums_only is None or p.drums_only == drums_only)
            and (realised is None or p.realised == realised)
        ]

    def notes(self, info: PieceInfo) -> NDArray[np.int32]:
        """The notes of a piece: a read-only, memory-mapped int32 array (count, 6)."""
        if info.shard not in self._arrays:
            path = self.folder / shard_name(info.shard)
            try:
                array = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise HocketError(f"{path} cannot be read ({error}): prepare the data again") from error
            if array.dtype != np.int32 or array.ndim != 2 or array.shape[1] != len(COLUMNS):
                raise HocketError(f"{path} is no shard: it must be an int32 array (n, {len(COLUMNS)})")
            self._arrays[info.shard] = array
        rows = self._arrays[info.shard][info.start : info.start + info.count]
        if len(rows) != info.count or info.start < 0:
            raise HocketError(f"{self.folder / shard_name(info.shard)} is too short: prepare the data again")
        return rows

    def piece(self, info: PieceInfo) -> Piece:
        """The whole piece, its notes still memory-mapped."""
        return Piece(
            self.notes(info),
            tuple(Metre(*m) for m in info.metres),
            tuple(info.tempos),
            tuple(Marker(*m) for m in info.markers),
        )


def training_pieces(data: Data) -> tuple[Shards, list[PieceInfo], tuple[str, ...]]:
    """The shards of a recipe's data, the pieces to learn from, and their genres. HocketError if there are none."""
    shards = Shards.open(data.folder)
    pieces = [p for p in shards.select(split="train", ship_only=data.ship_only) if p.dataset not in data.exclude]
    if not pieces:
        raise HocketError(f"no training pieces in {data.folder}: prepare more data")
    return shards, pieces, tuple(sorted({p.genre for p in pieces}))


class Licensed(Protocol):
    """A piece or a clip."""

    dataset: str
    licence: str


def licences(pieces: Iterable[Licensed]) -> dict[str, str]:
    """Data set -> its licences, of pieces or clips that were trained on."""
    found: dict[str, set[str]] = {}
    for piece in pieces:
        found.setdefault(piece.dataset, set()).add(piece.licence)
    return {name: "; ".join(sorted(those)) for name, those in sorted(found.items())}
