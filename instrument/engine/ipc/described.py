"""What the messages are about: knobs, models, anchors."""

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
