"""Saved files: they carry a version, older ones are migrated, and a file is written whole or not at all."""

from __future__ import annotations

import dataclasses
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from instrument.errors import HocketError

LARGEST = 64 << 20  # bytes; nothing that Hocket saves comes near

Fields = dict[str, Any]
Migrations = Mapping[int, Callable[[Fields], Fields]]  # version -> makes its fields those of the next version
Saved = TypeVar("Saved")


def read_bytes(path: Path, what: str) -> bytes:
    """The content of a file. what: how errors call it ("the patch"). HocketError if it cannot be read."""
    try:
        there = path.stat()
        if not stat.S_ISREG(there.st_mode):  # a FIFO or a device might never end
            raise HocketError(f"{what} {path} is no plain file: give another file")
        if there.st_size > LARGEST:
            raise HocketError(f"{what} {path} is larger than {LARGEST >> 20} MiB: it is not one of Hocket's")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have that name
        reason = getattr(error, "strerror", None) or error
        raise HocketError(f"cannot read {what} {str(path)!r}: {reason}; give another file") from error


def read_table(path: Path, row: type[Saved], what: str, of: str = "") -> dict[str, Saved]:
    """Name -> struct, from a TOML table in assets/. what: how errors call it ("grooves"); of: the same, as what it is a
    table of. HocketError if it cannot be read."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=dict[str, row])  # type: ignore[valid-type]
    except OSError as error:
        raise HocketError(f"cannot read the {what} {path} ({error.strerror}): install Hocket again") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HocketError(f"{path} is no table of {of or what}: {error}") from error


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """The versions of a kind of file.

    version: the newest, which this program writes; migrations: how to get there from each of the older ones; field:
    where a file has its version; inside: fields that hold something with a version of its own.
    """

    version: int
    migrations: Migrations
    field: str = "version"
    inside: Mapping[str, Format] = dataclasses.field(default_factory=dict)

    def restored(self, data: bytes, kind: type[Saved], what: str) -> Saved:
        """The struct of `kind` in JSON of any version. HocketError for damaged files and for newer versions."""
        try:
            return self.converted(msgspec.json.decode(data), kind, what)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise HocketError(f"{what} is damaged: {error}") from error

    def converted(self, fields: object, kind: type[Saved], what: str) -> Saved:
        """The struct of `kind` in decoded fields. HocketError for a newer version, ValueError for other fields."""
        return msgspec.convert(self.upgraded(fields, what), kind, str_keys=True)

    def upgraded(self, fields: object, what: str) -> Fields:
        """Fields of any version as those of the newest. HocketError as `check_version`, ValueError as `migrated`."""
        fields = msgspec.convert(fields, Fields)
        found = check_version(fields.get(self.field), self.version, what)
        fields = self.migrated(fields, found) | {self.field: self.version}
        for name in self.inside.keys() & fields.keys():
            fields[name] = self.inside[name].upgraded(fields[name], what)
        return fields

    def migrated(self, fields: Fields, found: int) -> Fields:
        """Fields of version `found` as those of the newest; the version itself is left as it is. ValueError where they
        are not what that version had."""
        try:
            for version in range(found, self.version):
                fields = self.migrations[version](fields)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"it is not as files of version {found} are ({error!r})") from error
        return fields


def check_version(found: object, newest: int, what: str) -> int:
    """`found`, if it is a version from 1 to `newest`. HocketError names both versions where it is a newer one."""
    if not isinstance(found, int) or found < 1:
        raise HocketError(f"{what} has version {found!r}: it is damaged, or not one of Hocket's")
    if found > newest:
        raise HocketError(f"{what} has version {found}, this Hocket reads up to version {newest}: update Hocket")
    return found


def write_whole(path: Path, data: bytes, what: str) -> None:
    """Write `data` to another file in the same folder and rename it, so that a reader sees the old
    file or the new one, never a part of it.

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
