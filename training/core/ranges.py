"""Ranges of settings, as types of the fields of recipes, and values checked by them."""

from __future__ import annotations

import math
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

MOST = 100_000_000  # of what is counted

Count = Annotated[int, Meta(ge=1, le=MOST)]
AtLeastTwo = Annotated[int, Meta(ge=2, le=MOST)]
Whole = Annotated[int, Meta(ge=0, le=MOST)]
Semitones = Annotated[int, Meta(ge=0, le=60)]
Share = Annotated[float, Meta(ge=0, le=1)]
BelowOne = Annotated[float, Meta(ge=0, lt=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, lt=2**31)]

BOUNDS = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
PLAIN = {
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    bool: "true or false",
    dict[str, Any]: "a table",
}


def checked(value: Any, kind: Any) -> Any:
    """A value as TOML or JSON gives it, as the type `kind`, with its bounds. ValueError, saying what is allowed."""
    try:
        found = msgspec.convert(value, kind)
        numbers = found if isinstance(found, tuple) else (found,)
        if all(math.isfinite(number) for number in numbers if isinstance(number, float)):
            return found
    except msgspec.ValidationError:
        pass
    raise ValueError(f"{value!r} is not allowed: give {allowed(kind)}")


def allowed(kind: Any) -> str:
    """What values of a type are: "a whole number from 1 to 100"."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        limits = (f"{word} {getattr(parts[1], name):g}" for name, word in BOUNDS.items() if _has(parts[1], name))
        return " ".join([allowed(parts[0]), *limits])
    if origin is Literal:
        return f"one of {', '.join(map(repr, parts))}"
    if origin is tuple and parts[-1] is Ellipsis:
        return f"a list, each {allowed(parts[0])}"
    if origin is tuple:
        return f"a list of {len(parts)}, each {allowed(parts[0])}"
    if origin in (Union, UnionType):
        return " or ".join(allowed(part) for part in parts if part is not type(None))
    return PLAIN.get(kind, str(kind))


def _has(meta: Meta, name: str) -> bool:
    return getattr(meta, name) is not None
