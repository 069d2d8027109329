"""Writing shards: pieces one after another, each with its facts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.data.notes.shards import INDEX_NAME, INDEX_VERSION, Index, PieceInfo, shard_name

SHARD_NOTES = 2_000_000


class ShardWriter:
    """Writes the shards of a folder, whose old ones are deleted. `pieces`: what was added so far."""

    def __init__(self, folder: Path) -> None:
        (folder / INDEX_NAME).unlink(missing_ok=True)
        for old in folder.glob(shard_name(0).replace("00000", "*")):
            old.unlink()
        self.folder = folder
        self.pieces: list[PieceInfo] = []
        self._digest = hashlib.sha256()
        self._pending: list[NDArray[np.int32]] = []
        self._rows = self._shard = 0

    def add(self, info: PieceInfo, notes: NDArray[np.int32]) -> None:
        """Add a piece with its notes (n, 6); where it is in the shards is filled in."""
        if self._rows and self._rows + len(notes) > SHARD_NOTES:
            self._flush()
        self.pieces.append(msgspec.structs.replace(info, shard=self._shard, start=self._rows, count=len(notes)))
        self._pending.append(notes)
        self._rows += len(notes)

    def finish(self, pieces: list[PieceInfo], source_hash: str) -> None:
        """Write what is left and the index, of these pieces: those that were added, perhaps with other facts."""
        self._flush()
        self._digest.update(msgspec.json.encode(pieces))
        index = Index(INDEX_VERSION, pieces, self._digest.hexdigest(), source_hash)
        write_whole(self.folder / INDEX_NAME, msgspec.json.encode(index))

    def _flush(self) -> None:
        array = np.concatenate(self._pending).astype("<i4")
        self._digest.update(array.tobytes())
        temporary = self.folder / f"{shard_name(self._shard)}.tmp"
        with temporary.open("wb") as file:
            np.save(file, array)
        temporary.replace(self.folder / shard_name(self._shard))
        self._pending, self._rows, self._shard = [], 0, self._shard + 1


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
