"""The table of grooves: tempo, swing, accents and microtiming of each genre."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import msgspec

from instrument.engine.voices.programs import NONE
from instrument.errors import HocketError
from instrument.music.grooves import MOST_SWING, ROWS, SLOTS, STRAIGHT, row_of
from instrument.music.timebase import TEMPO_RANGE
from instrument.paths import assets_dir
from instrument.saved import read_table

TABLE = Path("grooves.toml")  # in assets/

FEEL, DYNAMICS = 0.7, 0.6  # of a genre, where the patch does not say

BySlot = Annotated[tuple[int, ...], msgspec.Meta(min_length=SLOTS, max_length=SLOTS)]


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a part or drum: accents (velocity) and delays (eighths of a tick) by sixteenth of a bar of four beats, and
    the standard deviation of the velocities that accents leave."""

    accents: BySlot
    delays: BySlot
    spread: Annotated[float, msgspec.Meta(ge=0, le=127)]


class Groove(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The groove of a genre. tempo: beats a minute; swing: where in the beat the off-beat eighth falls; the rows of
    `music.grooves.ROWS`, None: as in "none"."""

    tempo: Annotated[float, msgspec.Meta(ge=TEMPO_RANGE[0], le=TEMPO_RANGE[1])]
    swing: Annotated[float, msgspec.Meta(ge=STRAIGHT, le=MOST_SWING)]
    melody: Row | None = None
    chords: Row | None = None
    bass: Row | None = None
    kick: Row | None = None
    snare: Row | None = None
    hat: Row | None = None
    drums: Row | None = None


def read_grooves(path: Path) -> dict[str, Groove]:
    """Genre -> groove, from a table such as assets/grooves.toml. HocketError if it cannot be read, or lacks a row of
    "none"."""
    table = read_table(path, Groove, "grooves")
    if NONE not in table or any(getattr(table[NONE], row) is None for row in ROWS):
        raise HocketError(f'{path} is no table of grooves: "{NONE}" lacks one of {", ".join(ROWS)}')
    return table


@functools.cache
def _table() -> dict[str, Groove]:
    return read_grooves(assets_dir() / TABLE)


def groove_of(genre: str) -> Groove:
    """The groove of a genre; that of "none" for a genre that is not in the table."""
    return _table().get(genre, _table()[NONE])


def groove_row(genre: str, part: int, pitch: int) -> Row:
    """The row of a note's part or drum in a genre."""
    row = row_of(part, pitch)
    found: Row | None = getattr(groove_of(genre), row) or getattr(_table()[NONE], row)
    assert found is not None
    return found


def expression_values(genre: str) -> dict[str, float]:
    """Tempo, swing, feel and dynamics of a genre. Without a genre notes are left as played."""
    groove = groove_of(genre)
    feel, dynamics = (FEEL, DYNAMICS) if genre in _table() and genre != NONE else (0.0, 0.0)
    return {"tempo": groove.tempo, "swing": groove.swing, "feel": feel, "dynamics": dynamics}
