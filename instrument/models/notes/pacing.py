"""Paths between points of a latent space, paced by audible change.

Equal angles are not equal changes: on most of an arc the decoder gives the same phrase, and then much changes at once.
So the arc (`latent.slerp`) is decoded at many points, closer together where much changes. The number of tokens that
change between two neighbours is the length of that part, and half of it is passed in the middle of the part. Where
equal steps would still change over twice as much as on average, paths next to the arc are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from instrument.models.latent import LatentPath, Point, displaced, slerp
from instrument.music.phrases import Shape

PARTS = 128  # of a path, for phrases of two bars; longer phrases are decoded at fewer points
MIN_PARTS = 16
PROBABILITY_WEIGHT = 0.1  # weight of a change of probabilities, in changed tokens
CACHED_PATHS = 64
MIN_LENGTH = 1e-3  # of a part, in tokens
MAX_HALVINGS = 5  # of a part in which much changes
COARSE = 1 / 32  # share of all changes above which a part is halved
MAX_PATHS = 8  # that are tried
BEND = 0.4  # distance of a bent path from the arc half way, in lengths of the points
STOPS, BEGINNINGS = 16, 8  # equal steps along a path, and phases of the first step
MAX_UNEVENNESS = 2.0  # largest over mean change of an equal step

Tokens = NDArray[np.int64]
Logits = NDArray[np.float32]
Decode = Callable[[Sequence[Point]], tuple[Tokens, Logits]]


def decode_phrases(
    bundle: Bundle, shape: Shape, segments: int, points: Point, tokens_before: Callable[[int, Logits | None], Tokens]
) -> tuple[Logits, Tokens]:
    """Decode phrases at points (n, d), in one batch.

    tokens_before: from a step and the logits of the step before (None at the first), the tokens (n,) that the decoder
    gets. Returns logits (n, steps, vocabulary) and those tokens (n, steps).
    """
    contexts, first_hidden, first_cell = bundle.session("conductor").run({"z": points})
    step, length = bundle.session("step"), shape.steps // segments
    logits = np.empty((len(points), shape.steps, shape.vocabulary), np.float32)
    tokens = np.empty(logits.shape[:2], np.int64)
    for at in range(shape.steps):
        number, place = divmod(at, length)
        if place == 0:
            hidden, cell = first_hidden[:, number], first_cell[:, number]
        tokens[:, at] = tokens_before(at, logits[:, at - 1] if at else None)
        feeds = {
            "token": tokens[:, at].copy(),
            "place": np.full(len(points), place),
            "context": np.ascontiguousarray(contexts[:, number]),
            "hidden": np.ascontiguousarray(hidden),
            "cell": np.ascontiguousarray(cell),
        }
        logits[:, at], hidden, cell = step.run(feeds)
    return logits, tokens


def decode_greedily(bundle: Bundle, shape: Shape, segments: int, points: Point) -> tuple[Tokens, Logits]:
    """Greedy decoding of phrases at points (n, d): tokens (n, steps) and probabilities (n, steps, vocabulary)."""

    def tokens_before(_: int, before: Logits | None) -> Tokens:
        return np.full(len(points), shape.vocabulary) if before is None else before.argmax(-1)

    logits, _ = decode_phrases(bundle, shape, segments, points, tokens_before)
    probabilities = np.exp(logits - logits.max(-1, keepdims=True))
    return logits.argmax(-1), probabilities / probabilities.sum(-1, keepdims=True)


def pace(bundle: Bundle, shape: Shape, segments: int, a: Point, b: Point) -> LatentPath:
    """The path from a to b along which the decoded phrase changes most evenly.

    The arc and up to `MAX_PATHS` - 1 bent paths are measured; the first whose unevenness is at most `MAX_UNEVENNESS`
    is taken, else the most even one.
    """
    length = max(1, shape.steps // 32)  # in phrases of two bars
    parts, beginnings = max(MIN_PARTS, PARTS // length), max(1, BEGINNINGS // length)

    def decode(points: Sequence[Point]) -> tuple[Tokens, Logits]:
        return decode_greedily(bundle, shape, segments, np.stack(points))

    bends = np.random.default_rng(0).standard_normal((MAX_PATHS, len(a)), np.float32) * np.float32(
        BEND / np.sqrt(len(a))
    )
    bends[0] = 0
    best, least = None, np.inf
    for bend in bends:
        path = _measure_path(a, b, bend, parts, decode)
        worst = _unevenness(a, b, path, beginnings, decode)
        if worst < least:
            best, least = path, worst
        if least <= MAX_UNEVENNESS:
            break
    assert best
    return best


def point_at(a: Point, b: Point, path: LatentPath, share: float) -> Point:
    """The point (d,) of a path from a to b where a share of the change, 0 to 1, is reached."""
    angle = path.angle(share)
    return displaced(slerp(a, b, angle), path.offset(angle))


def _measure_path(a: Point, b: Point, bend: Point, parts: int, decode: Decode) -> LatentPath:
    """The path from a to b with this bend, measured in `parts` parts, which are halved where much changes."""
    angles = np.linspace(0, 1, parts + 1)
    uniform = LatentPath(angles, angles, bend)
    tokens, probabilities = decode([point_at(a, b, uniform, angle) for angle in angles])
    for _ in range(MAX_HALVINGS):
        changed = (tokens[1:] != tokens[:-1]).sum(1)
        coarse = np.flatnonzero((changed > 1) & (changed > COARSE * changed.sum()))
        if not len(coarse):
            break
        between = (angles[coarse] + angles[coarse + 1]) / 2
        new_tokens, new_probabilities = decode([point_at(a, b, uniform, angle) for angle in between])
        angles = np.insert(angles, coarse + 1, between)
        tokens = np.insert(tokens, coarse + 1, new_tokens, 0)
        probabilities = np.insert(probabilities, coarse + 1, new_probabilities, 0)
    changed = (tokens[1:] != tokens[:-1]).sum(1)
    probability_change = np.abs(np.diff(probabilities, axis=0)).sum((1, 2)) / 2
    lengths = changed + PROBABILITY_WEIGHT * probability_change + MIN_LENGTH
    before = np.cumsum(lengths) - lengths / 2
    middles = (angles[1:] + angles[:-1]) / 2
    return LatentPath(np.array([0, *before / lengths.sum(), 1]), np.array([0, *middles, 1]), bend)


def _unevenness(a: Point, b: Point, path: LatentPath, beginnings: int, decode: Decode) -> float:
    """The largest change of one of `STOPS` equal steps over the mean, for the worst of so many phases."""
    points = [point_at(a, b, path, share) for share in np.linspace(0, 1, STOPS * beginnings + 1)]
    tokens, _ = decode([point.astype(np.float16).astype(np.float32) for point in points])  # rounded as knobs hold them
    changed = (tokens[beginnings:] != tokens[:-beginnings]).sum(1)
    steps = (changed[first::beginnings] for first in range(beginnings))
    return max(float(step.max() / max(step.mean(), MIN_LENGTH)) for step in steps)


class PathCache:
    """Paths, measured on first use and cached."""

    def __init__(self, measure: Callable[[Point, Point], LatentPath]) -> None:
        """measure: `pace` of one model."""
        self._measure = measure
        self._kept: dict[bytes, LatentPath] = {}

    def between(self, a: Point, b: Point) -> LatentPath:
        """The path from a to b; that from b to a is the same one reversed."""
        if a.tobytes() > b.tobytes():
            return self.between(b, a).reversed()
        key = a.tobytes() + b.tobytes()
        if key not in self._kept:
            if len(self._kept) > CACHED_PATHS:
                self._kept.clear()
            self._kept[key] = self._measure(a, b)
        return self._kept[key]
