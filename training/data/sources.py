"""Where MIDI files come from: a folder with a manifest and an archive per dataset, or any folder."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import msgspec

from instrument.errors import HocketError
from training.data.notes.midi import MAX_BYTES

MANIFEST_NAME = "manifest.csv"
SPLITS = ("train", "valid", "test")
SUFFIXES = (".mid", ".midi")


class Source(msgspec.Struct, frozen=True):
    """One MIDI file to read. An empty `split` is decided later, by the notes; `drums_only` None as well.

    archive: the zip it is in, or "" for a plain file; path: its name in there, or within the folder;
    size, stamp: change when the file does.
    """

    path: str
    archive: str
    size: int
    stamp: int
    dataset: str
    genre: str
    subgenre: str = ""
    licence: str = ""
    split: str = ""
    drums_only: bool | None = None
    realised: bool = False


def find(folder: Path) -> list[Source]:
    """All MIDI files of a source folder, sorted by path. Raises HocketError if there are none."""
    if not folder.is_dir():
        raise HocketError(f"{folder} is not a folder: give a folder of .mid files")
    manifest = folder / MANIFEST_NAME
    sources = _from_manifest(folder, manifest) if manifest.is_file() else _from_tree(folder)
    if not sources:
        raise HocketError(f"{folder} holds no MIDI files ({' or '.join(SUFFIXES)})")
    return sorted(sources, key=lambda s: s.path)


@contextmanager
def reader(folder: Path) -> Iterator[Callable[[Source], bytes]]:
    """A function that gives the bytes of a source; it keeps archives open. OSError or BadZipFile if it
    cannot, HocketError if the file is too large."""
    archives: dict[str, zipfile.ZipFile] = {}

    def read(source: Source) -> bytes:
        if source.size > MAX_BYTES:
            raise HocketError(f"it has {source.size} bytes: at most {MAX_BYTES} are read")
        if not source.archive:
            return (folder / source.path).read_bytes()
        if source.archive not in archives:
            archives[source.archive] = zipfile.ZipFile(folder / source.archive)
        return archives[source.archive].read(source.path)

    try:
        yield read
    finally:
        for archive in archives.values():
            archive.close()


def _from_tree(folder: Path) -> list[Source]:
    sources = []
    for path in folder.rglob("*"):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            within = path.relative_to(folder)
            stat = path.stat()
            genre = within.parts[0] if len(within.parts) > 1 else "none"
            sources.append(
                Source(within.as_posix(), "", stat.st_size, stat.st_mtime_ns, dataset=folder.name, genre=genre)
            )
    return sources


def _from_manifest(folder: Path, manifest: Path) -> list[Source]:
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise HocketError(f"{manifest} cannot be read: {error}") from error
    members: dict[str, dict[str, zipfile.ZipInfo]] = {}
    sources: dict[str, Source] = {}
    for line, row in enumerate(rows, 2):
        try:
            path, dataset, genre, split = row["path"], row["dataset"], row["genre"], row["split"]
            licence = row["licence"]
        except KeyError as error:
            raise HocketError(f"{manifest} has no column {error}") from error
        if None in (path, dataset, genre, split, licence) or split not in SPLITS:
            raise HocketError(f"{manifest}, line {line}: split is {split!r}, not one of {', '.join(SPLITS)}")
        if not all(is_inside(p) for p in (path, dataset)):
            raise HocketError(f"{manifest}, line {line}: {path!r} is not inside the folder")
        if dataset not in members:
            members[dataset] = _members(folder / f"{dataset}.zip")
        info = members[dataset].get(path)
        archive = f"{dataset}.zip" if info else ""
        size, stamp = (info.file_size, info.CRC) if info else _stat(folder / path)
        sources[path] = Source(
            path,
            archive,
            size,
            stamp,
            dataset,
            genre or "none",
            row.get("subgenre") or "",
            licence,
            split,
            row.get("drums_only") == "1" if row.get("drums_only") else None,
            row.get("realised") == "1",
        )
    return list(sources.values())


def is_inside(name: str) -> bool:
    """Whether a relative path stays inside its folder."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _members(archive: Path) -> dict[str, zipfile.ZipInfo]:
    if not archive.is_file():
        return {}
    try:
        with zipfile.ZipFile(archive) as opened:
            return {info.filename: info for info in opened.infolist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise HocketError(f"{archive} cannot be read: {error}") from error


def _stat(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0  # reading it will report the error
    return stat.st_size, stat.st_mtime_ns
