"""Figures of form: repetition of bars, and boundaries of sections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from training.evaluation.bands.excerpt import Excerpt, LineNote, mean, melody_line, struck
from training.measures.bars import jaccard, self_similarity

LAGS = (1, 2, 4, 8, 16)
FEWEST = 8  # bars that could recall an earlier one
PHRASE_LAGS, OTHER_LAGS = (4, 8), (3, 5, 7, 9)
RECALL_LAG, RECALLED = 16, 0.5
ORDER_LAG = 4
REPEAT_BARS = 32
UNIT_BARS, UNIT_ONSETS = 2, 3
FIRST_UNIT, UNIT_LAG, FEWEST_UNITS = 4, 3, 4
RETURNED, LEFT = 0.6, 0.35
KERNEL, PEAK, PEAK_BARS, BOUNDARY_BARS = 8, 0.2, 4, 32
ONSETS_SCALE, PITCH_SCALE = 3, 48


def form_figures(excerpt: Excerpt) -> dict[str, float]:
    """The figures of form, NaN where undefined."""
    bars, pitched = struck(excerpt, excerpt.notes), struck(excerpt, excerpt.pitched)
    return {
        **{f"like {lag} before": self_similarity(bars, lag) for lag in LAGS},
        "phrase likeness": phrase_similarity(bars),
        "recalled": recalled(pitched),
        "recalled in order": recalled_in_order(pitched),
        "exact repeats": exact_repeats(bars),
        "returns after leaving": returns(units(melody_line(excerpt), excerpt)),
        "section boundaries": boundaries(excerpt),
    }


def phrase_similarity(bars: Sequence[frozenset[int]]) -> float:
    """Mean similarity to the bars 4 and 8 before, minus that to the bars 3, 5, 7 and 9 before. Phrases of four bars
    that are repeated have a high value; the same bars in another order do not."""
    phrase = [self_similarity(bars, lag) for lag in PHRASE_LAGS]
    return float(np.mean(phrase) - np.mean([self_similarity(bars, lag) for lag in OTHER_LAGS]))


def recalled_in_order(bars: Sequence[frozenset[int]]) -> float:
    """Share of the recalled bars whose next bar is recalled with them. A bar with notes, before another one with notes,
    is recalled if its similarity to some bar four or more bars earlier is at least .5. It is in order if, for one of
    these, the bars after both have a similarity of at least .5. NaN for fewer than eight recalled bars."""
    in_order = []
    for i in range(ORDER_LAG, len(bars) - 1):
        if bars[i] and bars[i + 1]:
            places = [j for j in range(i - ORDER_LAG + 1) if jaccard(bars[i], bars[j]) >= RECALLED]
            if places:
                in_order.append(float(any(jaccard(bars[i + 1], bars[j + 1]) >= RECALLED for j in places)))
    return mean(in_order, FEWEST)


def recalled(bars: Sequence[frozenset[int]]) -> float:
    """Share of the bars with notes, from the 17th on, whose similarity to some bar 16 or more bars earlier is at least
    .5. NaN for fewer than eight such bars."""
    return mean(
        (
            float(any(jaccard(bars[i], then) >= RECALLED for then in bars[: i - RECALL_LAG + 1]))
            for i in range(RECALL_LAG, len(bars))
            if bars[i]
        ),
        FEWEST,
    )


def exact_repeats(bars: Sequence[frozenset[int]]) -> float:
    """Share of the bars with notes, from the second on, that are equal to one of the 32 before."""
    return mean((float(bars[i] in bars[max(0, i - REPEAT_BARS) : i]) for i in range(1, len(bars)) if bars[i]), FEWEST)


def units(line: Sequence[LineNote], excerpt: Excerpt) -> list[frozenset[int]]:
    """The onsets of a line in each two bars, numbered as by `struck`."""
    rows = np.array([(n.onset, 0, n.pitch, 1, 1, Part.MELODY) for n in line], np.int32).reshape(-1, 6)
    return struck(excerpt, rows, UNIT_BARS)


def returns(found: Sequence[frozenset[int]]) -> float:
    """Share of the units, from the fifth on, that return after leaving: their similarity is at least .6 to a unit three
    or more units earlier, and less than .35 to some unit between the two. Only units with at least three onsets count.
    NaN for fewer than four units."""
    full = [i for i, unit in enumerate(found) if len(unit) >= UNIT_ONSETS]
    judged = []
    for i in full:
        if i < FIRST_UNIT:
            continue
        similarity = {j: jaccard(found[i], found[j]) for j in full if j < i}
        judged.append(float(any(
            value >= RETURNED and any(similarity[k] < LEFT for k in similarity if j < k)
            for j, value in similarity.items() if j <= i - UNIT_LAG
        )))  # fmt: skip
    return mean(judged, FEWEST_UNITS)


def boundaries(excerpt: Excerpt) -> float:
    """Section boundaries in 32 bars: peaks of `novelty` above .2 that are the highest within four bars to both sides;
    NaN for fewer than 24 bars."""
    if excerpt.bars < 3 * KERNEL:
        return float("nan")
    found = novelty(bar_features(excerpt))
    peaks = 0
    for i in range(len(found)):
        before, after = found[max(0, i - PEAK_BARS) : i], found[i + 1 : i + 1 + PEAK_BARS]
        peaks += bool(found[i] > PEAK and (before < found[i]).all() and (after <= found[i]).all())
    return peaks * BOUNDARY_BARS / excerpt.bars


def novelty(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Checkerboard novelty at each bar line (Foote 2000) of features (bars, d): the mean Euclidean distance between the
    eight bars before and the eight bars after, minus the mean distance among the eight of each side. It is 0 nearer
    than eight bars to either end."""
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    found = np.zeros(len(features))
    for i in range(KERNEL, len(features) - KERNEL + 1):
        before, after = slice(i - KERNEL, i), slice(i, i + KERNEL)
        within = (distance[before, before].mean() + distance[after, after].mean()) / 2
        found[i] = distance[before, after].mean() - within
    return found


def bar_features(excerpt: Excerpt) -> NDArray[np.float64]:
    """(bars, 18): durations of the pitch classes struck in each bar, as shares; log(1 + onsets) / 3 of each of the five
    parts; mean pitch / 48 (of a bar without pitches: the mean of the excerpt)."""
    notes, pitched = excerpt.notes, excerpt.pitched
    onsets = np.zeros((excerpt.bars, len(Part)))
    np.add.at(onsets, (_bar_of(notes, excerpt), notes[:, 5]), 1)
    own = _bar_of(pitched, excerpt)
    profile = np.zeros((excerpt.bars, 12))
    np.add.at(profile, (own, pitched[:, 2] % 12), pitched[:, 3])
    profile /= np.maximum(profile.sum(1, keepdims=True), 1)
    count = np.bincount(own, minlength=excerpt.bars)
    total = np.bincount(own, pitched[:, 2], excerpt.bars)
    usual = pitched[:, 2].mean() if len(pitched) else 0.0
    pitch = np.where(count > 0, total / np.maximum(count, 1), usual)
    return np.hstack([profile, np.log1p(onsets) / ONSETS_SCALE, pitch[:, None] / PITCH_SCALE])


def _bar_of(notes: NDArray[np.int32], excerpt: Excerpt) -> NDArray[np.int32]:
    bars: NDArray[np.int32] = np.minimum(notes[:, 0] // excerpt.bar, excerpt.bars - 1)
    return bars
