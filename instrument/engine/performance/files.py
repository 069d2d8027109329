"""Files that Hocket writes for the player: versioned, migrating, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from instrument.errors import HocketError

LARGEST = 64 << 20  # bytes; nothing that Hocket saves comes near

Fields = dict[str, Any]
Migrations = Mapping[int, Callable[[Fields], Fields]]  # version -> its fields made those of the next
Saved = TypeVar("Saved")


def read_bytes(path: Path, what: str) -> bytes:
    """The content of a file. what: how errors call it ("the patch"). HocketError if it cannot be read."""
    try:
        if path.stat().st_size > LARGEST:
            raise HocketError(f"{what} {path} is larger than {LARGEST >> 20} MiB: it is not one of Hocket's")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have that name
        reason = getattr(error, "strerror", None) or error
        raise HocketError(f"cannot read {what} {str(path)!r}: {reason}; give another file") from error


def restored(data: bytes, kind: type[Saved], what: str, version: int, migrations: Migrations) -> Saved:
    """The struct of `kind` in JSON of this version or an older one. HocketError for anything else."""
    try:
        fields = msgspec.json.decode(data, type=Fields)
        found = fields.get("version")
        if not isinstance(found, int) or not 1 <= found <= version:
            raise HocketError(f"{what} has version {found!r}, but 1 to {version} are known: update Hocket")
        for step in range(found, version):
            fields = {**migrations[step](fields), "version": step + 1}
        return msgspec.convert(fields, kind, str_keys=True)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise HocketError(f"{what} is damaged: {error}") from error


def write_whole(path: Path, data: bytes, what: str) -> None:
    """Write `data` beside `path` and rename it, so that there is the old file or the new, never half of one.

    HocketError if the folder cannot be written or the disk is full.
    """
    written = None
    try:
        handle, written = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(written, path)
    except (OSError, ValueError) as error:
        if written:
            with suppress(OSError):
                os.unlink(written)
        reason = getattr(error, "strerror", None) or error
        raise HocketError(
            f"cannot save {what} to {str(path)!r}: {reason}; choose another place or make room"
        ) from error
