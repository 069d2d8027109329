"""Takes: what it needs to play a performance again, note for note."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import msgspec

from instrument.engine.messages import Value
from instrument.engine.patches import Patch
from instrument.music.notes import COLUMNS, Note

VERSION = 1


class Bundle(msgspec.Struct, frozen=True):
    """A bundle by name and content."""

    slug: str
    hash: str


class Header(msgspec.Struct, frozen=True, tag="take"):
    """The first line: the patch a performance began with, seed included, and the bundle of every player."""

    patch: Patch
    bundles: tuple[Bundle, ...]
    version: int = VERSION


class Input(msgspec.Struct, frozen=True, tag="input", omit_defaults=True):
    """Something that changes which notes come, stamped with the note it came before.

    player: whose notes; count: notes that player had committed; floor: from now on no onset of his before this
    tick; spacing: least ticks between his onsets (thinning); knobs: what was turned, by id; bundle: a new model;
    prompt: notes given to the player as if he had played them.
    """

    player: int
    count: int
    floor: int
    spacing: int = 0
    knobs: dict[str, Value] = {}
    bundle: Bundle | None = None
    prompt: tuple[Note, ...] = ()


class Turn(msgspec.Struct, frozen=True, tag="turn"):
    """A knob that changes time or sound but no note (tempo, level), and the tick from which it holds."""

    tick: float
    knob: str
    value: Value


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """The transport stopped here."""

    tick: float


Entry = Input | Turn | Stopped


class Take:
    """A performance as it happened, growing while it is played: one thread appends, others may read.

    entries: everything but the notes, in order; the notes heard are kept apart and compactly.
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.entries: list[Entry] = []
        self._heard = array("i")  # player and the columns of `Note`, over and over

    @property
    def heard_count(self) -> int:
        """Notes heard so far, of all players."""
        return len(self._heard) // (1 + len(COLUMNS))

    def hear(self, player: int, note: Note) -> None:
        """A note was committed."""
        self._heard.extend((player, *note))

    def heard(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, Note]]:
        """(player, note) of the notes heard, in the order of their commitment."""
        width = 1 + len(COLUMNS)
        for i in range(start, self.heard_count if stop is None else stop):
            player, *note = self._heard[i * width : (i + 1) * width]
            yield player, Note(*note)
