"""Styles of accompaniment, read from assets/styles.toml, which explains the fields."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from instrument.errors import HocketError
from instrument.music.timebase import Metre
from instrument.paths import assets_dir

TABLE = "styles.toml"  # in assets/
Beat = Annotated[float, Meta(ge=0, lt=4)]
Length = Annotated[float, Meta(gt=0, le=4)]
Velocity = Annotated[int, Meta(ge=1, le=127)]
Degree = Literal["root", "third", "fifth", "octave"]


class Stroke(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A chord of a bar's pattern, times in quarter notes."""

    beat: Beat
    length: Length
    velocity: Velocity


class BassStroke(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A bass note of a bar's pattern."""

    beat: Beat
    length: Length
    degree: Degree
    velocity: Velocity


class Style(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A way of accompanying. comping, bass: metre ("4/4") -> bars to choose from."""

    genres: dict[str, Annotated[float, Meta(gt=0)]]
    tempo: tuple[float, float]
    swing: Annotated[float, Meta(ge=0.5, le=0.75)]
    drums: str
    rootless: bool
    walking: bool
    kick: bool
    comping: dict[str, Annotated[tuple[tuple[Stroke, ...], ...], Meta(min_length=1)]]
    bass: dict[str, Annotated[tuple[tuple[BassStroke, ...], ...], Meta(min_length=1)]]

    def plays(self, metre: Metre) -> bool:
        """Whether there are patterns for bars of this metre."""
        return pattern_of(metre) in self.comping and pattern_of(metre) in self.bass

    def swung(self, beat: float, metre: Metre) -> float:
        """A place in the bar in quarter notes, with off-beat eighths where the style has them."""
        return beat + self.swing - 0.5 if beat % 1 == 0.5 and metre.denominator <= 4 else beat


def pattern_of(metre: Metre) -> str:
    """The metre whose patterns are used for a metre: 4/4 for 2/2 and (cut short) 2/4, else the metre itself."""
    name = f"{metre.numerator}/{metre.denominator}"
    return "4/4" if name in ("2/2", "2/4") else name


def read_styles(path: Path | None = None) -> dict[str, Style]:
    """The styles of a table, by name; by default those that ship. Raises HocketError if the table cannot be read."""
    path = assets_dir() / TABLE if path is None else path
    try:
        styles = msgspec.toml.decode(path.read_bytes(), type=dict[str, Style])
        for style in styles.values():
            re.compile(style.drums)
    except (OSError, msgspec.MsgspecError, re.error) as error:
        raise HocketError(f"{path} cannot be read: {error}") from error
    return styles
