"""The frozen bounds: what they hold, how they are stored, and which figures of a band are within them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from instrument.errors import HocketError
from instrument.music.notes import Part
from training.evaluation.bands.figures import FIGURES

VERSION = 1
BOUNDS_FILE = Path(__file__).with_name("bounds.json")
ROUNDING = 1e-4  # stored figures are rounded to four places

M, C, B, D = Part.MELODY, Part.CHORDS, Part.BASS, Part.DRUMS
# The parts of a band in each genre. The voices that a chorale names are its melody and its bass.
BANDS: dict[str, frozenset[Part]] = {
    "chorale": frozenset({M, B}),
    "classical": frozenset({M, C}),
    "electronic": frozenset({M, C, B, D}),
    "folk": frozenset({M}),
    "funk": frozenset({M, C, B, D}),
    "game": frozenset({M, C, B, D}),
    "jazz": frozenset({M, C, B, D}),
    "latin": frozenset({M, C, B, D}),
    "pop": frozenset({M, C, B, D}),
    "ragtime_blues": frozenset({M, C}),
    "rock": frozenset({M, C, B, D}),
}


class Bound(msgspec.Struct, frozen=True, array_like=True):
    """10th percentile, median and 90th percentile of real pieces; pieces: their number; pool: their genres, "" if
    they are all of the genre itself."""

    low: float
    median: float
    high: float
    pieces: int
    pool: str = ""

    def holds(self, value: float) -> bool:
        """Whether the value is within."""
        return self.low - ROUNDING <= value <= self.high + ROUNDING


class Foil(msgspec.Struct, frozen=True):
    """Some pieces of one kind, compared with the bounds.

    fewest, usual: how many figures of a piece are outside, at least and in the median; newly: how many of these are, in
    the median, within in the real piece that it is made of (by the bounds of that piece's genre); within, within_three:
    share of the figures within, of a piece and of the median of three; figures: their medians.
    """

    pieces: int
    fewest: int
    usual: float
    newly: float
    within: float
    within_three: float
    figures: dict[str, float]


class Bounds(msgspec.Struct, frozen=True):
    """All bounds. pieces: dataset, path and the start of the SHA-256 of each reference piece; bounds: genre -> figure;
    foils: genre -> name of the foil, "real" for real pieces of the genre."""

    version: int
    seconds: float
    reading_rules: int
    pieces: list[tuple[str, str, str]]
    bounds: dict[str, dict[str, Bound]]
    foils: dict[str, dict[str, Foil]]


def read_bounds(path: Path = BOUNDS_FILE) -> Bounds:
    """The bounds in a file. HocketError if it is not one."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Bounds)
    except (OSError, msgspec.DecodeError) as error:
        raise HocketError(f"{path} holds no bounds ({error}): make them with the command `bounds`") from error
    if found.version != VERSION:
        raise HocketError(f"{path} has version {found.version}: only version {VERSION} is read")
    return found


def write_bounds(bounds: Bounds, path: Path) -> None:
    """Write them, a piece and a genre a line."""
    raw = msgspec.to_builtins(bounds)
    parts = []
    for name, value in raw.items():
        if isinstance(value, dict | list) and value:
            items = value.items() if isinstance(value, dict) else ((None, each) for each in value)
            lines = [(f"{_line(key)}:" if key is not None else "") + _line(each) for key, each in items]
            opening, closing = "{}" if isinstance(value, dict) else "[]"
            parts.append(f'"{name}":{opening}\n' + ",\n".join(lines) + f"\n{closing}")
        else:
            parts.append(f'"{name}":{_line(value)}')
    path.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


def judge(figures: Mapping[str, float], bounds: Mapping[str, Bound], parts: Iterable[Part]) -> dict[str, bool]:
    """For each figure that has bounds, is defined and needs no part but these: whether it is within."""
    band = frozenset(parts)
    return {
        name: bounds[name].holds(value)
        for name, value in figures.items()
        if name in bounds and FIGURES[name].needs <= band
    }


def parts_of(figures: Mapping[str, float]) -> frozenset[Part]:
    """The parts that sound in a piece with these figures."""
    return frozenset(part for part in (M, C, B, D) if figures[f"{part.name.lower()} bars"] > 0)


def band_of(genre: str) -> frozenset[Part]:
    """The parts of a band of the genre. HocketError if it is unknown."""
    if genre not in BANDS:
        raise HocketError(f"there are no bounds for genre {genre!r}: choose one of {', '.join(BANDS)}")
    return BANDS[genre]


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over the rows that have it."""
    return {
        name: round(float(np.median(values)), 4)
        for name in FIGURES
        if (values := [row[name] for row in rows if name in row])
    }


def _line(value: object) -> str:
    return msgspec.json.encode(value).decode()
