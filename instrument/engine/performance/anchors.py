"""Anchors as points of a latent space, and interpolation between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from instrument.engine.ipc.messages import Anchor, Value
from instrument.engine.performance.pad import AXES, MAX_ANCHORS, anchor_weights
from instrument.errors import HocketError
from instrument.models.latent import LatentPath, Point, displaced, from_text, to_text
from instrument.models.notes.player import LatentPlayer, NotePlayer

MAX_PACED = 4  # with more anchors, ways are not measured: four have six ways of some tenths of a second
_LEAST = 1e-6  # least share of an angle
_ROUNDS = 30  # iterations of the mean on the sphere; two points need one

Pace = Callable[[Point, Point], LatentPath]


def fits(player: NotePlayer, anchor: Anchor) -> bool:
    """Whether an anchor is a point of the player's latent space."""
    if not isinstance(player, LatentPlayer):
        return False
    try:
        return bool(from_text(anchor.latent, player.space.size).size)
    except HocketError:
        return False


def fitting(player: NotePlayer, anchors: Sequence[Anchor]) -> tuple[Anchor, ...]:
    """The anchors that are points of the player's latent space."""
    return tuple(anchor for anchor in anchors if fits(player, anchor))[:MAX_ANCHORS]


def on_pad(player: NotePlayer, values: Mapping[str, Value], anchors: Sequence[Anchor]) -> dict[str, Value]:
    """A player's knobs as they are passed to its model. With anchors, the position of the puck gives the point `latent`
    between them; without anchors, x and y move the model along directions of its own."""
    if not anchors or not isinstance(player, LatentPlayer):
        return dict(values)
    x, y = (float(values.get(axis, 0.0)) for axis in AXES)
    point = latent_at(anchors, x, y, player.space.size, _pace_of(player, anchors))
    return {**values, **dict.fromkeys(AXES, 0.0), "latent": point}


def prepare(player: LatentPlayer, anchors: Sequence[Anchor]) -> None:
    """Measure and cache the ways between all anchors, so that moving the puck does not wait for it."""
    if pace := _pace_of(player, anchors):
        for a, b in combinations([from_text(anchor.latent, player.space.size) for anchor in anchors], 2):
            pace(a, b)


def _pace_of(player: LatentPlayer, anchors: Sequence[Anchor]) -> Pace | None:
    return player.pace if len(anchors) <= MAX_PACED else None


def latent_at(anchors: Sequence[Anchor], x: float, y: float, size: int, pace: Pace | None = None) -> str:
    """The point at the position of the puck, as text: on an anchor its own point, elsewhere the mean on the sphere by
    `anchor_weights`, with the mean of the lengths. Between two anchors it is `latent.slerp`. With `pace` the weights
    are changed so that equal movements of the puck are equal changes of the music."""
    counts = np.array(anchor_weights(anchors, x, y))
    if counts.max() == 1.0:
        return anchors[int(counts.argmax())].latent
    points = np.stack([from_text(anchor.latent, size) for anchor in anchors])
    aside = np.zeros(size, np.float32)
    if pace:
        counts, aside = _paced(points, counts, pace)
    return to_text(displaced(sphere_mean(points.astype(np.float64), counts).astype(np.float32), aside))


def _paced(points: Point, counts: NDArray[np.float64], pace: Pace) -> tuple[NDArray[np.float64], Point]:
    """Weights (n,) on the sphere, and the offset (d,) of the path from the arc (`LatentPath.offset`), for weights
    `counts` (n,) on the pad. Two points follow their measured path; of more, each pair does in proportion to its
    weight."""
    odds, aside = np.zeros((len(points), len(points))), np.zeros(points.shape[1], np.float32)
    for i, j in combinations(range(len(points)), 2):
        pair = counts[i] + counts[j]
        way = pace(points[i], points[j])
        angle = min(max(way.angle(counts[j] / pair), _LEAST), 1 - _LEAST)
        odds[j, i] = np.log(angle / (1 - angle))
        odds[i, j] = -odds[j, i]
        aside += np.float32(pair) * way.offset(angle)
    weights = np.exp(odds @ counts)
    return weights / weights.sum(), aside


def sphere_mean(points: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean (d,) of points (n, d) with weights `counts` (n,), whose sum is 1. Its direction has the least weighted
    sum of squared angles to theirs (Buss and Fillmore 2001); its length is the mean of their lengths."""
    lengths = np.linalg.norm(points, axis=1)
    flat: NDArray[np.float64] = counts @ points
    if lengths.min() < 1e-6:
        return flat
    units = points / lengths[:, None]
    mean = counts @ units
    if np.linalg.norm(mean) < 1e-6:  # they cancel out: there is no way between them
        return flat
    mean /= np.linalg.norm(mean)
    for _ in range(_ROUNDS):
        cosines = np.clip(units @ mean, -1, 1)
        across = units - cosines[:, None] * mean
        sines = np.linalg.norm(across, axis=1)
        stretch = np.where(sines > 1e-9, np.arctan2(sines, cosines) / np.maximum(sines, 1e-9), 1.0)
        step = counts @ (stretch[:, None] * across)
        angle = np.linalg.norm(step)
        if angle < 1e-10:
            break
        mean = np.cos(angle) * mean + np.sin(angle) * step / angle
        mean /= np.linalg.norm(mean)
    out: NDArray[np.float64] = (counts @ lengths) * mean
    return out
