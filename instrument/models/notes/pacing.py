"""Ways between points of a latent space, paced by what is heard.

Equal angles are not equal changes: on most of an arc the decoder says the same, and then much at once. So the arc
(`latent.slerp`) is decoded at many places, closer together where much changes, and what changes from one to the next
is the length of that part. It changes somewhere in the middle of the part, so that is where half of it is behind.
Where an equal way would still change over twice as much as they all do on average, since tokens that follow from one
another change at once, or change to and fro, ways beside the arc are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from instrument.models.latent import Point, Way, bent, slerp
from instrument.music.phrases import Shape

PARTS = 128  # of a way of two bars; longer phrases change in smaller steps, and are decoded at fewer places
FEWEST = 16
LEANING = 0.1  # how much a change of likelihoods counts that changes no token
KEPT = 64  # ways that are kept
LEAST = 1e-3  # tokens that every part is long at least
HALVINGS = 5  # of a part that changes much
COARSE = 1 / 32  # of all that changes
TRIES = 8  # ways
BEND = 0.4  # how far a way is from the arc half way, in lengths of the points
STOPS, BEGINNINGS = 16, 8  # equal ways, and places where the first of them begins
EVEN = 2.0

Tokens = NDArray[np.int64]
Logits = NDArray[np.float32]
Decode = Callable[[Sequence[Point]], tuple[Tokens, Logits]]


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


def pace(bundle: Bundle, shape: Shape, segments: int, a: Point, b: Point) -> Way:
    """The first way from a to b, of their arc and some beside it, that no equal way changes by over `EVEN` times the
    mean; else the most even of them."""
    length = max(1, shape.steps // 32)  # in phrases of two bars
    parts, beginnings = max(FEWEST, PARTS // length), max(1, BEGINNINGS // length)

    def decode(points: Sequence[Point]) -> tuple[Tokens, Logits]:
        return likeliest(bundle, shape, segments, np.stack(points))

    bends = np.random.default_rng(0).standard_normal((TRIES, len(a)), np.float32) * np.float32(BEND / np.sqrt(len(a)))
    bends[0] = 0
    best, least = None, np.inf
    for bend in bends:
        way = _measured(a, b, bend, parts, decode)
        worst = _unevenness(a, b, way, beginnings, decode)
        if worst < least:
            best, least = way, worst
        if least <= EVEN:
            break
    assert best
    return best


def along(a: Point, b: Point, way: Way, share: float) -> Point:
    """The point of a way from a to b where one has come so far, 0 to 1."""
    angle = way.angle(share)
    return bent(slerp(a, b, angle), way.aside(angle))


def _measured(a: Point, b: Point, bend: Point, parts: int, decode: Decode) -> Way:
    """The way from a to b that has this bend, measured from `parts` parts on."""
    angles = np.linspace(0, 1, parts + 1)
    even = Way(angles, angles, bend)
    tokens, chances = decode([along(a, b, even, angle) for angle in angles])
    for _ in range(HALVINGS):
        changed = (tokens[1:] != tokens[:-1]).sum(1)
        coarse = np.flatnonzero((changed > 1) & (changed > COARSE * changed.sum()))
        if not len(coarse):
            break
        between = (angles[coarse] + angles[coarse + 1]) / 2
        new_tokens, new_chances = decode([along(a, b, even, angle) for angle in between])
        angles = np.insert(angles, coarse + 1, between)
        tokens = np.insert(tokens, coarse + 1, new_tokens, 0)
        chances = np.insert(chances, coarse + 1, new_chances, 0)
    changed = (tokens[1:] != tokens[:-1]).sum(1)
    leant = np.abs(np.diff(chances, axis=0)).sum((1, 2)) / 2
    lengths = changed + LEANING * leant + LEAST
    before = np.cumsum(lengths) - lengths / 2
    middles = (angles[1:] + angles[:-1]) / 2
    return Way(np.array([0, *before / lengths.sum(), 1]), np.array([0, *middles, 1]), bend)


def _unevenness(a: Point, b: Point, way: Way, beginnings: int, decode: Decode) -> float:
    """The most that one of `STOPS` equal ways changes, over what they do on average, wherever of so many places the
    first begins."""
    points = [along(a, b, way, share) for share in np.linspace(0, 1, STOPS * beginnings + 1)]
    tokens, _ = decode([point.astype(np.float16).astype(np.float32) for point in points])  # as knobs are told them
    changed = (tokens[beginnings:] != tokens[:-beginnings]).sum(1)
    steps = (changed[first::beginnings] for first in range(beginnings))
    return max(float(step.max() / max(step.mean(), LEAST)) for step in steps)


class Paces:
    """Ways, measured when they are first asked for, and kept."""

    def __init__(self, measure: Callable[[Point, Point], Way]) -> None:
        """measure: as `pace`, of one model."""
        self._measure = measure
        self._kept: dict[bytes, Way] = {}

    def between(self, a: Point, b: Point) -> Way:
        """The way from a to b; back, it is the same."""
        if a.tobytes() > b.tobytes():
            return self.between(b, a).back()
        key = a.tobytes() + b.tobytes()
        if key not in self._kept:
            if len(self._kept) > KEPT:
                self._kept.clear()
            self._kept[key] = self._measure(a, b)
        return self._kept[key]
