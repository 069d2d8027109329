"""Figures of the melody, or of the top line where no part is the melody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from instrument.music.timebase import TICKS_PER_BEAT
from training.evaluation.bands.excerpt import Excerpt, LineNote, mean, melody_line

STEP, LEAP = 2, 7  # semitones: the largest step, and what a leap is larger than
FEWEST = 16  # intervals; with fewer the figures are undefined
FEWEST_SEAMS = 8  # intervals across bar lines
NAMES = (
    "steps", "leaps", "repeated notes", "contour entropy", "range", "phrase length", "bar-line intervals"
)  # fmt: skip
REST = TICKS_PER_BEAT  # that ends a phrase


def melody_figures(excerpt: Excerpt) -> dict[str, float]:
    """The figures of the melody, nan where undefined."""
    line = melody_line(excerpt)
    intervals = np.diff([note.pitch for note in line])
    found = dict.fromkeys(NAMES, np.nan)
    if len(intervals) < FEWEST:
        return found
    sizes = np.abs(intervals)
    low, high = np.percentile([note.pitch for note in line], (5, 95))
    return {
        "steps": float(((sizes > 0) & (sizes <= STEP)).mean()),
        "leaps": float((sizes > LEAP).mean()),
        "repeated notes": float((sizes == 0).mean()),
        "contour entropy": contour_entropy(intervals.tolist()),
        "range": float(high - low),
        "phrase length": float(np.median(phrase_lengths(line))),
        "bar-line intervals": bar_line_intervals(line, excerpt.bar),
    }


def contour(interval: int) -> int:
    """The class of an interval in semitones: 0 the same, 1 up by a step, 2 up by more, -1 and -2 down."""
    size = 0 if interval == 0 else 1 if abs(interval) <= STEP else 2
    return size if interval > 0 else -size


def contour_entropy(intervals: Sequence[int]) -> float:
    """Conditional entropy, in bits, of the class of the next interval given that of the last."""
    pairs = Counter(pairwise(map(contour, intervals)))
    before: Counter[int] = Counter()
    for (last, _), count in pairs.items():
        before[last] += count
    total = sum(before.values())
    return -sum(count / total * float(np.log2(count / before[last])) for (last, _), count in pairs.items())


def phrase_lengths(line: Sequence[LineNote]) -> list[float]:
    """Lengths in beats, from first onset to last end, of the phrases between rests of at least a beat."""
    starts = [line[0].onset, *(b.onset for a, b in pairwise(line) if b.onset - a.end >= REST)]
    ends = [*(a.end for a, b in pairwise(line) if b.onset - a.end >= REST), line[-1].end]
    return [(end - start) / TICKS_PER_BEAT for start, end in zip(starts, ends, strict=True)]


def bar_line_intervals(line: Sequence[LineNote], bar: int) -> float:
    """Mean size in semitones of the intervals from one bar (of `bar` ticks) to another, less that of the intervals
    within bars; nan of fewer than eight of either."""
    sizes = [(abs(b.pitch - a.pitch), a.onset // bar != b.onset // bar) for a, b in pairwise(line)]
    across = mean((size for size, crosses in sizes if crosses), FEWEST_SEAMS)
    return across - mean((size for size, crosses in sizes if not crosses), FEWEST_SEAMS)
