"""The condition vector of a note model: genre, density, register and parts, each with a setting "none", a histogram of
pitch classes, and for models that have learnt to follow a plan its chords.

It is [none, genre...] + [none, 8 densities] + [none, 8 registers] + [none, 5 parts] + [12 pitch classes] + [plan]. A
value between two anchors is shared between them, so every knob is continuous and genres can be blended. The histogram
counts the pitch classes before the note to come, decayed exponentially. The plan is [none, 12 tones, 12 basses] of the
chord at the last note, the same of the next chord, and [none, 7 distances] to the change.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.music.chords.names import KIND, KINDS, Chord
from instrument.music.notes import Part
from instrument.music.plan import Plan
from instrument.music.timebase import TICKS_PER_BEAT

DENSITIES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 7.0, 11.0)  # notes a beat
REGISTERS = (40.0, 47.0, 53.0, 58.0, 63.0, 68.0, 74.0, 81.0)  # mean pitch
WINDOW = 32  # notes over which density and register are taken
PARTS = 1 + len(Part)
PITCH_CLASSES = 12
HISTOGRAM_HALF_LIFE = 32  # in pitched notes
HISTOGRAM_BLOCK = 1024
DISTANCES = (6, 12, 24, 48, 96, 192, 384)  # ticks to the next change of chord
FARTHEST_CHANGE = 768  # ticks; a plan is always written farther ahead
CHORD_ROW = 1 + 2 * PITCH_CLASSES
PLAN_SIZE = 2 * CHORD_ROW + 1 + len(DISTANCES)
CHORD_NUMBERS = 1 + 12 * len(KINDS)  # of `chord_number`


def density_of(notes: NDArray[np.int32]) -> NDArray[np.float32]:
    """Notes a beat from each of the notes (n, 6) on, over the next `WINDOW` or as many as there are."""
    n = len(notes)
    end = np.minimum(np.arange(n) + WINDOW, n)
    begin = np.maximum(0, end - WINDOW)
    ticks = notes[:, 0]
    span = ticks[end - 1] - ticks[begin] + np.maximum(1, (ticks[-1] - ticks[0]) // max(1, n - 1))
    density: NDArray[np.float32] = ((end - begin) * TICKS_PER_BEAT / np.maximum(span, 1)).astype(np.float32)
    return density


def register_of(notes: NDArray[np.int32]) -> NDArray[np.float32]:
    """Mean pitch of the pitched notes over the same windows; nan where there are none."""
    n = len(notes)
    pitched = notes[:, 5] != Part.DRUMS
    total = np.concatenate([[0], np.cumsum(np.where(pitched, notes[:, 2], 0))])
    count = np.concatenate([[0], np.cumsum(pitched)])
    end = np.minimum(np.arange(n) + WINDOW, n)
    begin = np.maximum(0, end - WINDOW)
    counts = (count[end] - count[begin]).astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        register: NDArray[np.float32] = ((total[end] - total[begin]) / counts).astype(np.float32)
    return register


def share(values: NDArray[np.float32], anchors: Sequence[float]) -> NDArray[np.float32]:
    """(..., 1 + len(anchors)): each value shared between the two nearest anchors; nan gives [1, 0, ...]."""
    values = np.asarray(values, np.float32)
    place = np.interp(values, anchors, np.arange(len(anchors)))
    shares = np.maximum(0, 1 - np.abs(place[..., None] - np.arange(-1, len(anchors))))
    out: NDArray[np.float32] = shares.astype(np.float32)
    out[..., 0] = np.isnan(values)
    out[np.isnan(values), 1:] = 0
    return out


def density_at(knob: float) -> float:
    """Notes a beat at a position 1..8 of the density knob."""
    return float(np.interp(knob, np.arange(1, 1 + len(DENSITIES)), DENSITIES))


def density_knob(density: float) -> float:
    """The position 1..8 of the density knob for so many notes a beat."""
    return float(np.interp(density, DENSITIES, np.arange(1, 1 + len(DENSITIES))))


def condition_size(genres: int, plan: bool = False) -> int:
    """Length of a condition vector. plan: whether it ends with that of a plan."""
    size = 1 + genres + 1 + len(DENSITIES) + 1 + len(REGISTERS) + PARTS + PITCH_CLASSES
    return size + PLAN_SIZE * plan


def chord_number(chord: Chord | None) -> int:
    """The root and kind of a chord as one number, 0 for none."""
    if chord is None or chord.root is None:
        return 0
    return 1 + chord.root * len(KINDS) + KINDS.index(KIND[chord.quality])


@functools.lru_cache(maxsize=8192)
def chord_row(chord: Chord | None) -> NDArray[np.float32]:
    """(25,) of a chord: none, its tones, its bass. Read only."""
    row = np.zeros(CHORD_ROW, np.float32)
    if chord is None or chord.bass is None:
        row[0] = 1
    else:
        row[[1 + tone for tone in chord.tones]] = 1
        row[1 + PITCH_CLASSES + chord.bass] = 1
    row.flags.writeable = False
    return row


def distance_shares(ticks: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 8): distances to the next change, shared between the nearest of `DISTANCES` by their logarithm; nan (no
    change, or a far one) gives [1, 0, ...]."""
    near = np.where(ticks > FARTHEST_CHANGE, np.nan, ticks)
    return share(np.log2(np.maximum(near, 1)).astype(np.float32), tuple(np.log2(DISTANCES)))


def plan_row(plan: Plan | None, tick: int) -> NDArray[np.float32]:
    """(58,) of what a plan says at a tick, the onset of the last note. None: nothing."""
    now = plan.chord_at(tick) if plan else None
    change = plan.next_change(tick) if plan else None
    if change is not None and change.ticks > FARTHEST_CHANGE:
        change = None
    ticks = np.array(change.ticks if change else np.nan, np.float32)
    return np.concatenate([chord_row(now), chord_row(change.chord if change else None), distance_shares(ticks)])


def parts_share(parts: Iterable[int]) -> NDArray[np.float32]:
    """(6,): 1 for each of the parts that play, after a first value that is 1 where there are none."""
    out = np.zeros(PARTS, np.float32)
    out[[1 + part for part in parts] or [0]] = 1
    return out


def add_pitch_class(histogram: NDArray[np.float64], pitch: int) -> NDArray[np.float64]:
    """The histogram (12,) after a pitched note: all counts decay, that of its pitch class grows by one."""
    histogram = histogram * 0.5 ** (1 / HISTOGRAM_HALF_LIFE)
    histogram[pitch % 12] += 1
    return histogram


def pitch_class_histograms(notes: NDArray[np.int32]) -> NDArray[np.float64]:
    """The histograms (n, 12) before each of the notes (n, 6), as by `add_pitch_class`."""
    pitched = notes[:, 5] != Part.DRUMS
    struck = np.eye(PITCH_CLASSES)[notes[pitched, 2] % 12]
    fade = 0.5 ** (1 / HISTOGRAM_HALF_LIFE)
    after = np.zeros((len(struck) + 1, PITCH_CLASSES))
    for begin in range(0, len(struck), HISTOGRAM_BLOCK):  # in blocks, so that powers do not underflow
        block = struck[begin : begin + HISTOGRAM_BLOCK]
        powers = fade ** np.arange(1, len(block) + 1)[:, None]
        after[begin + 1 : begin + 1 + len(block)] = powers * (after[begin] + np.cumsum(block / powers, 0))
    before: NDArray[np.float64] = after[np.cumsum(pitched) - pitched]
    return before


def histogram_condition(histogram: NDArray[np.float64]) -> NDArray[np.float32]:
    """Histograms (..., 12) as a condition: about 12 times each share, less where few notes were counted."""
    total = histogram.sum(-1, keepdims=True)
    out: NDArray[np.float32] = (histogram * 12 / (total + 4)).astype(np.float32)
    return out


def knob_share(value: float, anchors: Sequence[float]) -> NDArray[np.float32]:
    """(1 + len(anchors),): a knob's position shared between the two nearest of none (0) and the anchors (1...)."""
    out = np.zeros(1 + len(anchors), np.float32)
    value = min(max(float(value), 0.0), float(len(anchors)))
    low = int(value)
    out[low] = 1 - (value - low)
    if low < len(anchors):
        out[low + 1] = value - low
    return out
