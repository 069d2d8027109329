"""Folders of well-known data sets: what their names and tables say of a file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple, get_args

from instrument.errors import HocketError


class Facts(NamedTuple):
    """What a layout says of a file. group: files of one group are kept in one split."""

    genre: str = "none"
    group: str = ""
    split: str = ""
    licence: str = ""


Layout = Literal["maestro", "lakh", "lpd"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

_MAESTRO_SPLITS = {"train": "train", "validation": "valid", "test": "test"}


def facts(layout: str, folder: Path) -> Callable[[str], Facts]:
    """A function from a path within a data set's folder to its facts. HocketError for a layout there is not, and where
    the table of the data set is missing.

    maestro: its table maestro-v*.csv (Hawthorne et al., 2019); lakh, lpd: a folder a track (Raffel, 2016; Dong et al.,
    2018).
    """
    if layout == "maestro":
        table = _maestro(folder)
        return lambda path: table.get(path, Facts("classical"))
    if layout in LAYOUTS:
        return _by_track
    raise HocketError(f"there is no layout {layout!r}: choose one of {', '.join(LAYOUTS)}")


def _by_track(path: str) -> Facts:
    """Versions of a track share a folder of its name; the folders of a plain list are single letters."""
    parent = PurePosixPath(path).parent.name
    return Facts("none", parent if len(parent) > 1 else "", "", "CC BY 4.0")


def _maestro(folder: Path) -> Mapping[str, Facts]:
    tables = sorted(folder.glob("maestro-v*.csv"))
    if not tables:
        raise HocketError(f"{folder} has no maestro-v*.csv: give the folder of MAESTRO in which it is")
    try:
        with tables[-1].open(newline="", encoding="utf-8") as file:
            return {
                row["midi_filename"]: Facts(
                    "classical",
                    f"{row['canonical_composer']}: {row['canonical_title']}",
                    _MAESTRO_SPLITS[row["split"]],
                    "CC BY-NC-SA 4.0",
                )
                for row in csv.DictReader(file)
            }
    except (OSError, UnicodeError, csv.Error, KeyError) as error:
        raise HocketError(f"{tables[-1]} cannot be read as MAESTRO's table: {error!r}") from error
