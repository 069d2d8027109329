"""Where MIDI files come from: a folder with a manifest and an archive per dataset, or any folder."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import msgspec

from instrument.errors import HocketError
from training.data.layouts import facts
from training.data.notes.midi import MAX_BYTES
from training.data.tree import files, is_text, shown

MANIFEST_NAME = "manifest.csv"
ARCHIVE = ".zip"
ENCRYPTED = 1  # bit of the flags of a member
FOLDER = "folder"  # how files are grouped
SPLITS = ("train", "valid", "test")
SUFFIXES = (".mid", ".midi", ".kar", ".rmi", ".smf", ".npz")


class Source(msgspec.Struct, frozen=True):
    """One MIDI file, or file of piano rolls. An empty `split` is decided later, by the notes; `drums_only` None too.

    archive: the zip it is in, or "" for a plain file; path: its name in there, or within the folder; member: its name
    in the archive, if `path` is another; size, stamp: change when the file does; group: files of one group are kept in
    one split; problem: why it cannot be read, if that is known.
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
    member: str = ""
    group: str = ""
    problem: str = ""


def find(folder: Path, layout: str = "", genre: str = "", group_by: str = "") -> list[Source]:
    """All MIDI files of a source folder, sorted by path.

    layout: of a known data set (`training.data.layouts`); genre: of all files; group_by: what files of one group have
    in common: FOLDER, or what a regular expression finds in their paths (its first group, if it has one). HocketError
    if there are no files, or for an unknown layout or expression.
    """
    if not folder.is_dir():
        raise HocketError(f"{folder} is not a folder: give a folder of .mid files")
    manifest = folder / MANIFEST_NAME
    sources = _from_manifest(folder, manifest) if manifest.is_file() and not layout else _from_tree(folder)
    if not sources:
        raise HocketError(f"{folder} holds no MIDI files ({' or '.join(SUFFIXES)})")
    if layout:
        of, by_layout = facts(layout, folder), []
        for source in sources:
            known = of(source.path)._asdict() | {"dataset": layout}
            by_layout.append(msgspec.structs.replace(source, **known))
        sources = by_layout
    if genre:
        sources = [msgspec.structs.replace(source, genre=genre) for source in sources]
    if group_by:
        group_of = _grouping(group_by)
        sources = [msgspec.structs.replace(source, group=group_of(source.path)) for source in sources]
    return sorted(sources, key=lambda s: s.path)


def _grouping(group_by: str) -> Callable[[str], str]:
    if group_by == FOLDER:
        return lambda path: str(PurePosixPath(path).parent)
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise HocketError(f"{group_by!r} is no regular expression: {error}; or give {FOLDER!r}") from error

    def group_of(path: str) -> str:
        match = pattern.search(path)
        return match[min(1, pattern.groups)] or "" if match else ""

    return group_of


@contextmanager
def reader(folder: Path) -> Iterator[Callable[[Source], bytes]]:
    """A function that gives the bytes of a source; it keeps archives open. OSError or BadZipFile if it
    cannot, HocketError if the file is too large."""
    archives: dict[str, zipfile.ZipFile] = {}

    def read(source: Source) -> bytes:
        if source.problem:
            raise HocketError(source.problem)
        if source.size > MAX_BYTES:
            raise HocketError(f"it has {source.size} bytes: at most {MAX_BYTES} are read")
        if not source.archive:
            return (folder / source.path).read_bytes()
        if source.archive not in archives:
            archives[source.archive] = zipfile.ZipFile(folder / source.archive)
        return archives[source.archive].read(source.member or source.path)

    try:
        yield read
    finally:
        for archive in archives.values():
            archive.close()


def _from_tree(folder: Path) -> list[Source]:
    sources: list[Source] = []
    for path in files(folder):
        suffix = PurePosixPath(path).suffix.lower()
        if suffix not in (*SUFFIXES, ARCHIVE):
            continue
        if not is_text(path):
            named, problem = shown(path), "its name is not UTF-8: rename it"
            sources.append(Source(named, "", 0, 0, folder.name, _genre(named), problem=problem))
        elif suffix == ARCHIVE:
            sources += _from_archive(folder, path)
        else:
            size, stamp = _stat(folder / path)
            sources.append(Source(path, "", size, stamp, folder.name, _genre(path)))
    return sources


def _from_archive(folder: Path, archive: str) -> list[Source]:
    """The MIDI files in a .zip, which counts as a folder."""
    members, problem = _members(folder / archive)
    if problem:
        return [Source(archive, archive, 0, 0, folder.name, _genre(archive), problem=problem)]
    sources = []
    for name, info in members.items():
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
        if hidden or PurePosixPath(name).suffix.lower() not in SUFFIXES or not is_inside(name):
            continue
        path = f"{archive.removesuffix(ARCHIVE)}/{name}"
        known = Source(path, archive, info.file_size, info.CRC, folder.name, _genre(path))
        sources.append(msgspec.structs.replace(known, member=name, problem=_problem(info)))
    return sources


def _genre(path: str) -> str:
    """The first folder."""
    parts = PurePosixPath(path).parts
    return parts[0] if len(parts) > 1 else "none"


def _from_manifest(folder: Path, manifest: Path) -> list[Source]:
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise HocketError(f"{manifest} cannot be read: {error}") from error
    members: dict[str, tuple[dict[str, zipfile.ZipInfo], str]] = {}
    sources: dict[str, Source] = {}
    for line, row in enumerate(rows, 2):
        if "path" not in row:
            raise HocketError(f"{manifest} has no column 'path'")
        path, split = row["path"], row.get("split", "")
        dataset, genre, licence = row.get("dataset", folder.name), row.get("genre", ""), row.get("licence", "")
        if None in (path, dataset, genre, split, licence):
            raise HocketError(f"{manifest}, line {line}: it has fewer columns than the first line")
        if split not in ("", *SPLITS):
            raise HocketError(f"{manifest}, line {line}: split is {split!r}, not one of {', '.join(SPLITS)}")
        if not all(is_inside(p) for p in (path, dataset)):
            raise HocketError(f"{manifest}, line {line}: {path!r} is not inside the folder")
        if dataset not in members:
            archive = folder / f"{dataset}{ARCHIVE}"
            members[dataset] = _members(archive) if archive.is_file() else ({}, "")
        held, problem = members[dataset]
        info = held.get(path)
        size, stamp = (info.file_size, info.CRC) if info else _stat(folder / path)
        if not size and problem:
            problem = f"{dataset}{ARCHIVE}: {problem}"
        sources[path] = Source(
            path,
            f"{dataset}{ARCHIVE}" if info else "",
            size,
            stamp,
            dataset,
            genre or "none",
            row.get("subgenre") or "",
            licence,
            split,
            row.get("drums_only") == "1" if row.get("drums_only") else None,
            row.get("realised") == "1",
            group=row.get("group") or "",
            problem=_problem(info) if info else problem if not size else "",
        )
    return list(sources.values())


def is_inside(name: str) -> bool:
    """Whether a relative path stays inside its folder."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _members(archive: Path) -> tuple[dict[str, zipfile.ZipInfo], str]:
    """What is in an archive by name, or the problem with it."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return {info.filename: info for info in opened.infolist()}, ""
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        return {}, f"it cannot be read as an archive: {error}"


def _problem(info: zipfile.ZipInfo) -> str:
    return "it is encrypted: unpack it first" if info.flag_bits & ENCRYPTED else ""


def _stat(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0  # reading it will report the error
    return stat.st_size, stat.st_mtime_ns
