"""Ways between points of a latent space, paced by what is heard.

Equal angles are not equal changes: on most of an arc the decoder says the same, and then much at once. So the arc
(`latent.slerp`) is decoded at `PARTS` + 1 places, and what changes from one to the next is the length of that part.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from instrument.models.latent import Point, slerp
from instrument.music.phrases import Shape

PARTS = 128  # of a way of two bars; longer phrases change in smaller steps, and are decoded at fewer places
FEWEST = 16
LEANING = 0.1  # how much a change of likelihoods counts that changes no token
KEPT = 64  # ways whose pace is kept
LEAST = 1e-3  # tokens that every part is long at least

Tokens = NDArray[np.int64]
Logits = NDArray[np.float32]


def walk(
    bundle: Bundle, shape: Shape, segments: int, points: Point, told: Callable[[int, Logits | None], Tokens]
) -> tuple[Logits, Tokens]:
    """Phrases decoded at points (n, d), all side by side. told: step and the logits of the one before (None: there is
    none) -> the tokens (n,) before it -> logits (n, steps, vocabulary), and what was told (n, steps)."""
    contexts, first_hidden, first_cell = bundle.session("conductor").run({"z": points})
    step, length = bundle.session("step"), shape.steps // segments
    logits = np.empty((len(points), shape.steps, shape.vocabulary), np.float32)
    tokens = np.empty(logits.shape[:2], np.int64)
    for at in range(shape.steps):
        number, place = divmod(at, length)
        if place == 0:
            hidden, cell = first_hidden[:, number], first_cell[:, number]
        tokens[:, at] = told(at, logits[:, at - 1] if at else None)
        feeds = {
            "token": tokens[:, at].copy(),
            "place": np.full(len(points), place),
            "context": np.ascontiguousarray(contexts[:, number]),
            "hidden": np.ascontiguousarray(hidden),
            "cell": np.ascontiguousarray(cell),
        }
        logits[:, at], hidden, cell = step.run(feeds)
    return logits, tokens


def likeliest(bundle: Bundle, shape: Shape, segments: int, points: Point) -> tuple[Tokens, Logits]:
    """Phrases decoded at points (n, d), always the likeliest token -> tokens (n, steps) and their step's
    probabilities (n, steps, vocabulary)."""

    def told(_: int, before: Logits | None) -> Tokens:
        return np.full(len(points), shape.vocabulary) if before is None else before.argmax(-1)

    logits, _ = walk(bundle, shape, segments, points, told)
    chances = np.exp(logits - logits.max(-1, keepdims=True))
    return logits.argmax(-1), chances / chances.sum(-1, keepdims=True)


def pace(bundle: Bundle, shape: Shape, segments: int, a: Point, b: Point) -> NDArray[np.float64]:
    """How far, from 0 to 1, one has come from a to b at equal angles, by what was heard to change."""
    parts = max(FEWEST, PARTS * 32 // max(32, shape.steps))
    points = np.stack([slerp(a, b, i / parts) for i in range(parts + 1)])
    tokens, chances = likeliest(bundle, shape, segments, points)
    changed = (tokens[1:] != tokens[:-1]).sum(1)
    leant = np.abs(np.diff(chances, axis=0)).sum((1, 2)) / 2
    way = np.concatenate([[0.0], np.cumsum(changed + LEANING * leant + LEAST)])
    paced: NDArray[np.float64] = way / way[-1]
    return paced


class Paces:
    """The paces of ways, measured when they are first asked for, and kept."""

    def __init__(self, measure: Callable[[Point, Point], NDArray[np.float64]]) -> None:
        """measure: as `pace`, of one model."""
        self._measure = measure
        self._kept: dict[bytes, NDArray[np.float64]] = {}

    def between(self, a: Point, b: Point) -> NDArray[np.float64]:
        """How far one has come from a to b; back, it is the same way."""
        if a.tobytes() > b.tobytes():
            return 1 - self.between(b, a)[::-1]
        key = a.tobytes() + b.tobytes()
        if key not in self._kept:
            if len(self._kept) > KEPT:
                self._kept.clear()
            self._kept[key] = self._measure(a, b)
        return self._kept[key]


def angle_at(paced: NDArray[np.float64], share: float) -> float:
    """The share of the angle at which one has come so far, 0 to 1, of a way that `pace` measured."""
    return float(np.interp(share, paced, np.linspace(0, 1, len(paced))))
