"""The files of a folder as people have them: links, hidden files, names that are no text."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path


def files(folder: Path) -> Iterator[str]:
    """Paths of all files within a folder, with "/", sorted by folder. Linked folders are followed, each folder is read
    once; hidden files and folders (and so the "._" files of a Mac) are left out."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        within = Path(place).relative_to(folder)
        for name in sorted(names):
            if not name.startswith("."):
                yield (within / name).as_posix()


def is_text(path: str) -> bool:
    """Whether a path can be written as UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str) -> str:
    """A path with what is no text in it written as codes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def others(folder: Path, suffixes: Collection[str]) -> Counter[str]:
    """The number of files with other suffixes, by suffix."""
    found = (Path(path).suffix.lower() for path in files(folder))
    return Counter(suffix for suffix in found if suffix not in suffixes)
