"""What the messages are about: knobs, models, anchors, bars of the plan."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Value = float | str
Place = Annotated[float, Meta(ge=-1, le=1)]


class Anchor(msgspec.Struct, frozen=True):
    """A point of a player's latent space (`models.latent.to_text`), placed on its pad at x (right) and y (up)."""

    name: str
    x: Place
    y: Place
    latent: Annotated[str, Meta(max_length=16384)] = ""


class KnobInfo(msgspec.Struct, frozen=True):
    """A knob as the window draws it. kind: "number", "choice" (value is one of choices) or "switch" (0/1).

    curve: "linear" or "log"; step: smallest change, 0 = continuous; zero: what 0 is called where it is no amount
    ("free"); player -1: the instrument's own.
    """

    id: str
    label: str
    kind: str = "number"
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    step: float = 0.0
    default: Value = 0.0
    choices: tuple[str, ...] = ()
    curve: str = "linear"
    help: str = ""
    player: int = 0
    zero: str = ""


class ModelInfo(msgspec.Struct, frozen=True):
    """A bundle as `hocket models` lists it. kind: "notes", "stream" or "voice"; empty: it is only a part
    of other bundles."""

    slug: str
    family: str
    name: str
    version: str
    bytes: int
    genres: tuple[str, ...] = ()
    licence: str = ""
    problem: str = ""
    kind: str = ""


class BarReport(msgspec.Struct, frozen=True, array_like=True):
    """A bar of the plan for the chord lane. chords: (offset in ticks, name); recall: the number of the bar that it
    repeats, from 0, or -1; written: its chords were written into it by `SetChords`."""

    number: int
    tick: int
    ticks: int
    section: str
    begins: bool
    chords: tuple[tuple[int, str], ...]
    recall: int = -1
    written: bool = False


class RemadeBar(msgspec.Struct, frozen=True, array_like=True):
    """The bar that was made anew last. bar: from 1; candidates: how many there are, 0 until it is made; chosen: which
    of them stands in it, from 0, -1: what was there before."""

    player: int
    bar: int
    candidates: int
    chosen: int


class NoteReport(msgspec.Struct, frozen=True, array_like=True):
    """A note for the piano roll. state: 0 planned (ghost), 1 committed."""

    player: int
    tick: int
    micro: int
    pitch: int
    duration: int
    velocity: int
    part: int
