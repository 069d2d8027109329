"""Anchors as points of a latent space, and what lies between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.engine.messages import Anchor, Value
from instrument.engine.pad import AXES, MOST, shares
from instrument.errors import HocketError
from instrument.models.latent import from_text, to_text
from instrument.models.musicvae import MusicVaePlayer
from instrument.models.players import NotePlayer

_ROUNDS = 30  # of the mean on the sphere; two points need one


def has_space(player: NotePlayer) -> bool:
    """Whether a player decodes points of a latent space."""
    return isinstance(player, MusicVaePlayer)


def fits(player: NotePlayer, anchor: Anchor) -> bool:
    """Whether an anchor is a point of the player's latent space."""
    if not isinstance(player, MusicVaePlayer):
        return False
    try:
        return bool(from_text(anchor.latent, player.space.size).size)
    except HocketError:
        return False


def fitting(player: NotePlayer, anchors: Sequence[Anchor]) -> tuple[Anchor, ...]:
    """The anchors that fit the player: others, from another model, are passed over."""
    return tuple(anchor for anchor in anchors if fits(player, anchor))[:MOST]


def on_pad(player: NotePlayer, values: Mapping[str, Value], anchors: Sequence[Anchor]) -> dict[str, Value]:
    """A player's knobs as its model is told them. Where there are anchors, the puck's place says the point
    (`latent`) between them; without any, it moves the model along its own directions."""
    if not anchors or not isinstance(player, MusicVaePlayer):
        return dict(values)
    x, y = (float(values.get(axis, 0.0)) for axis in AXES)
    return {**values, **dict.fromkeys(AXES, 0.0), "latent": latent_at(anchors, x, y, player.space.size)}


def latent_at(anchors: Sequence[Anchor], x: float, y: float, size: int) -> str:
    """The point where the puck stands, as text: an anchor's own on the anchor, and in between the mean on the sphere
    by `shares`, its length the mean of theirs. Between two it is `latent.slerp`."""
    counts = shares(anchors, x, y)
    if 1.0 in counts:
        return anchors[counts.index(1.0)].latent
    points = np.stack([from_text(anchor.latent, size) for anchor in anchors]).astype(np.float64)
    return to_text(sphere_mean(points, np.array(counts)).astype(np.float32))


def sphere_mean(points: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of points (n, d) by their counts (n,), which add up to 1: of their directions, the one with the least
    sum of squared angles to theirs (Buss and Fillmore 2001); of their lengths, the mean."""
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
