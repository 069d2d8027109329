"""Training plans of chords and sections: read from plans.jsonl.gz and forms.jsonl.gz, stored as one file of pieces.

A prepared folder holds `plans.json`: pieces whose chords are classes on slots (`instrument.models.plan.slots`), and
pieces of sections alone.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.plan.slots import (
    ENDING,
    GENRES,
    INTRO,
    PLAIN,
    Section,
    class_of,
    features,
    slots_in_bar,
)
from instrument.music.chords.names import chord
from training.core.recipe import Data
from training.data.licences import licence_allows_shipping

VERSION = 1
FILE = "plans.json"
PLANS, FORMS = "plans.jsonl.gz", "forms.jsonl.gz"
FORM_GENRE = "forms"  # genre of pieces that have only sections
SPLITS = ("train", "valid", "test")
LETTERED = ("mcgill_billboard",)  # sources where letters identify sections, and labels give only the kind
LARGEST = 64 << 20  # bytes of a file, unpacked
_KINDS = ((re.compile(r"intro", re.IGNORECASE), INTRO), (re.compile(r"outro|coda|fade", re.IGNORECASE), ENDING))


class PlanPiece(msgspec.Struct, frozen=True):
    """A piece. metres: of its bars; sections: (id, bars, kind) in order, id -1 if unknown; chords: classes of its
    slots. A piece that has only sections has neither metres nor chords."""

    id: str
    source: str
    genre: str
    licence: str
    split: str
    minor: bool
    metres: list[tuple[int, int]]
    sections: list[tuple[int, int, int]]
    chords: list[int]

    @property
    def form(self) -> list[Section]:
        """Its known sections."""
        return [Section(*section) for section in self.sections if section[0] >= 0]

    def features(self) -> NDArray[np.int8]:
        """The features of its slots, (slots, `WIDTH`)."""
        return features(self.genre, self.minor, self.metres, [Section(*s) for s in self.sections], self.chords)


class Plans(msgspec.Struct, frozen=True):
    """A prepared folder."""

    version: int
    data_hash: str
    pieces: list[PlanPiece]

    def select(self, split: str, data: Data | None = None) -> list[PlanPiece]:
        """The pieces of a split that a recipe's data may use."""
        return [
            piece
            for piece in self.pieces
            if piece.split == split
            and (data is None or piece.source not in data.exclude)
            and (data is None or not data.ship_only or licence_allows_shipping(piece.licence))
        ]


def open_plans(folder: Path | str) -> Plans:
    """Open a prepared folder. Raises HocketError if it is missing, damaged or of another version."""
    path = Path(folder) / FILE
    try:
        plans = msgspec.json.decode(path.read_bytes(), type=Plans)
    except FileNotFoundError as error:
        raise HocketError(f"{folder} holds no {FILE}: run `python -m training prepare-plans`") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise HocketError(f"{path} cannot be read ({error}): prepare the plans again") from error
    if plans.version != VERSION:
        raise HocketError(f"{path} has version {plans.version}, not {VERSION}: prepare it again")
    return plans


def prepare_plans(source: Path, out: Path) -> Plans:
    """Read the plans in a folder, and the forms if there are any, and write them to `out`. Raises HocketError if a file
    cannot be read or there are no plans."""
    pieces = [piece for row in _rows(source / PLANS) if (piece := _piece(row, source / PLANS)) is not None]
    if (source / FORMS).is_file():
        pieces += [_form(row, source / FORMS) for row in _rows(source / FORMS)]
    if not any(piece.chords for piece in pieces):
        raise HocketError(f"{source / PLANS} holds no plan with a key and two bars in one of {', '.join(GENRES)}")
    data_hash = hashlib.sha256(msgspec.json.encode(pieces)).hexdigest()
    plans = Plans(VERSION, data_hash, pieces)
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).write_bytes(msgspec.json.encode(plans))
    return plans


def licences(pieces: Iterable[PlanPiece]) -> dict[str, str]:
    """Source -> its licences."""
    found: dict[str, set[str]] = {}
    for piece in pieces:
        found.setdefault(piece.source, set()).add(piece.licence)
    return {name: "; ".join(sorted(those)) for name, those in sorted(found.items())}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise HocketError(f"{path} unpacks to more than {LARGEST} bytes: split it")
        yield from (json.loads(line) for line in data.decode().splitlines() if line.strip())
    except (OSError, EOFError, ValueError) as error:
        raise HocketError(f"{path} cannot be read: {error}") from error


def _piece(row: dict[str, Any], path: Path) -> PlanPiece | None:
    """The piece of a row; None for one without a key, with less than two bars, or of another genre."""
    try:
        genre, key, bars = row["genre"], row["key"], row["bars"]
        if genre not in GENRES or not key or len(bars) < 2:
            return None
        metres = [(bar["metre"][0], bar["metre"][1]) for bar in bars]
        chords = [c for bar, metre in zip(bars, metres, strict=True) for c in _slots(bar, metre, genre, key[0])]
        return PlanPiece(
            row["id"],
            row["source"],
            genre,
            row["licence"],
            _split(row),
            key[1] == "minor",
            metres,
            sections_of(bars, row["source"] in LETTERED),
            chords,
        )
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise HocketError(f"{path}: piece {row.get('id')!r} is not as it should be ({error!r})") from error


def _form(row: dict[str, Any], path: Path) -> PlanPiece:
    try:
        names = list(dict.fromkeys(label for label, *_ in row["sections"]))
        sections = [(names.index(label), bars, kind_of(label)) for label, bars, *_ in row["sections"]]
        return PlanPiece(row["id"], row["source"], FORM_GENRE, row["licence"], _split(row), False, [], sections, [])
    except (KeyError, TypeError, ValueError) as error:
        raise HocketError(f"{path}: form {row.get('id')!r} is not as it should be ({error!r})") from error


def _split(row: dict[str, Any]) -> str:
    if row["split"] not in SPLITS:
        raise ValueError(f"split {row['split']!r}")
    return str(row["split"])


def _slots(bar: dict[str, Any], metre: tuple[int, int], genre: str, tonic: int) -> list[int]:
    """The classes of a bar's slots. A slot has the last chord at or before its start."""
    slots = slots_in_bar(metre, genre)
    offsets = [row[0] for row in bar["chords"]]
    at = [max(0, bisect_right(offsets, metre[0] * slot / slots) - 1) for slot in range(slots)]
    chosen = [bar["chords"][i] for i in at]
    return [class_of(chord(root or 0, quality, bass), tonic) for _, root, quality, bass, *_ in chosen]


def sections_of(bars: list[dict[str, Any]], lettered: bool) -> list[tuple[int, int, int]]:
    """(id, bars, kind) of the sections of a piece's bars. lettered: sections are identified by their
    letters without primes, else by their labels."""
    found: list[list[int]] = []
    names: list[str] = []
    last: str | None = None
    for number, bar in enumerate(bars):
        label = bar.get("section")
        name = label if not lettered or not bar.get("letter") else bar["letter"].rstrip("'")
        if number == 0 or bar.get("start") or name != last:
            if label is not None and name not in names:
                names.append(name)
            found.append([-1 if label is None else names.index(name), 0, kind_of(label or "")])
        found[-1][1] += 1
        last = name
    return [(id, length, kind) for id, length, kind in found]


def kind_of(label: str) -> int:
    """The kind of section by its label: intro, ending or plain."""
    return next((kind for pattern, kind in _KINDS if pattern.search(label)), PLAIN)
