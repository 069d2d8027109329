"""The conditions of a note model as numbers: genre, density and register, each with a setting "none".

A condition vector is [none, genre...] + [none, 8 densities] + [none, 8 registers]; a value between two
anchors is shared out between them, so every knob is continuous and genres can be blended.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT

DENSITIES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 7.0, 11.0)  # notes a beat
REGISTERS = (40.0, 47.0, 53.0, 58.0, 63.0, 68.0, 74.0, 81.0)  # mean pitch
WINDOW = 32  # notes over which density and register are taken


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


def condition_size(genres: int) -> int:
    """Length of a condition vector."""
    return 1 + genres + 1 + len(DENSITIES) + 1 + len(REGISTERS)


def knob_share(value: float, anchors: Sequence[float]) -> NDArray[np.float32]:
    """The share of a knob's position: 0 = none, 1..len(anchors) = the anchors, with what lies between."""
    out = np.zeros(1 + len(anchors), np.float32)
    value = min(max(float(value), 0.0), float(len(anchors)))
    low = int(value)
    out[low] = 1 - (value - low)
    if low < len(anchors):
        out[low + 1] = value - low
    return out
