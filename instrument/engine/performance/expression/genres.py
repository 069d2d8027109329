"""What a genre makes of the instrument's knobs that a patch leaves to it: tempo, expression, parts and plan."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.expression.grooves import expression_values
from instrument.engine.performance.harmony.plan_in_force import FREE, SOURCES
from instrument.engine.performance.knobs import AUTO, ON
from instrument.errors import HocketError
from instrument.models.manifest import PartName
from instrument.music.notes import Part
from instrument.paths import assets_dir
from instrument.saved import read_table

TABLE = Path("genres.toml")  # in assets/


class GenreBand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """plan, vary: values of the knobs of these names; parts: those that must play."""

    plan: str
    parts: tuple[PartName, ...]
    vary: Annotated[float, Meta(ge=0, le=1)] = 0.3


def read_bands(path: Path) -> dict[str, GenreBand]:
    """Genre -> band, from a table such as assets/genres.toml. HocketError if it cannot be read."""
    table = read_table(path, GenreBand, "bands")
    for genre, band in table.items():
        if band.plan not in SOURCES:
            raise HocketError(
                f"{path}: the plan {band.plan!r} of {genre} is unknown; choose one of {', '.join(SOURCES)}"
            )
    return table


@functools.cache
def _bands() -> dict[str, GenreBand]:
    return read_bands(assets_dir() / TABLE)


def genre_values(genre: str) -> dict[str, Value]:
    """Values of the instrument's knobs that a patch leaves to its genre. Without a genre notes are left as played, and
    nothing leads."""
    band = _bands().get(genre, GenreBand(FREE, ()))
    parts = {name: ON if name in band.parts else AUTO for name in (part.name.lower() for part in Part)}
    return {**expression_values(genre), "plan": band.plan, "vary": band.vary, **parts}
