"""The geometry of the latent pad: anchors on a square from -1 to 1, and their weights at a position of the puck."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, pi, sin, sqrt

from msgspec.structs import replace

from instrument.engine.ipc.messages import Anchor
from instrument.errors import HocketError

AXES = ("x", "y")  # the knobs that hold the position of the puck
MAX_ANCHORS = 16  # anchors of a pad
MIN_DISTANCE = 0.15  # least distance of a new anchor from the others; the pad is 2 wide
MAX_NAME = 40  # letters of a name
_GOLDEN = pi * (3 - sqrt(5))
_TRIES = 400


def anchor_weights(anchors: Sequence[Anchor], x: float, y: float) -> list[float]:
    """The weight of each anchor at (x, y), with a sum of 1: inverse distance weighting (Shepard 1968). On an anchor its
    weight is 1. With two anchors the weights change linearly on the line between them."""
    distances = [hypot(anchor.x - x, anchor.y - y) for anchor in anchors]
    if distances and min(distances) < 1e-9:
        nearest = distances.index(min(distances))
        return [float(i == nearest) for i in range(len(anchors))]
    closeness = [1 / distance for distance in distances]
    return [one / sum(closeness) for one in closeness]


def added(anchors: Sequence[Anchor], anchor: Anchor) -> tuple[Anchor, ...]:
    """The anchors with one more, with a unique name and at the nearest free place. HocketError if the pad is full."""
    if len(anchors) >= MAX_ANCHORS:
        raise HocketError(f"the pad has {MAX_ANCHORS} anchors: remove one first")
    x, y = _free_place(anchors, anchor.x, anchor.y)
    return (*anchors, replace(anchor, name=_free_name(anchors, anchor.name), x=x, y=y))


def changed(
    anchors: Sequence[Anchor], name: str, to: str = "", x: float | None = None, y: float | None = None
) -> tuple[Anchor, ...]:
    """The anchors with one renamed (`to`) or moved. HocketError if there is none of that name."""
    old = _find(anchors, name)
    others = [anchor for anchor in anchors if anchor is not old]
    new = replace(old, name=_free_name(others, to) if to.strip() else name)
    if x is not None and y is not None:
        x, y = _free_place(others, x, y)
        new = replace(new, x=x, y=y)
    return tuple(new if anchor is old else anchor for anchor in anchors)


def removed(anchors: Sequence[Anchor], name: str) -> tuple[Anchor, ...]:
    """The anchors without one. HocketError if there is none of that name."""
    old = _find(anchors, name)
    return tuple(anchor for anchor in anchors if anchor is not old)


def _find(anchors: Sequence[Anchor], name: str) -> Anchor:
    for anchor in anchors:
        if anchor.name == name:
            return anchor
    there = ", ".join(anchor.name for anchor in anchors) or "it is empty"
    raise HocketError(f"there is no anchor {name!r} on the pad: choose one of {there}")


def _free_name(anchors: Sequence[Anchor], name: str) -> str:
    name = " ".join(name.split())[:MAX_NAME] or "Anchor"
    taken = {anchor.name for anchor in anchors}
    numbered = (f"{name} {number}" for number in range(2, MAX_ANCHORS + 3))
    return next(one for one in (name, *numbered) if one not in taken)


def _free_place(anchors: Sequence[Anchor], x: float, y: float) -> tuple[float, float]:
    """The nearest place on a spiral around (x, y) that is `MIN_DISTANCE` away from all anchors."""
    for number in range(_TRIES):
        reach, turn = MIN_DISTANCE * sqrt(number) / 2, number * _GOLDEN
        at = tuple(min(max(middle + reach * step, -1.0), 1.0) for middle, step in ((x, cos(turn)), (y, sin(turn))))
        if all(hypot(anchor.x - at[0], anchor.y - at[1]) >= MIN_DISTANCE for anchor in anchors):
            return at[0], at[1]
    raise HocketError("there is no room left on the pad: remove an anchor")
