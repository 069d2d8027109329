"""The features of Yang & Lerch (2020, "On the evaluation of generative models in music") of an excerpt.

Pitch features are of the pitched notes, since a drum's number is no pitch; intervals and transitions go from
each note to the next in the codec's order (by onset, then upwards). Transition matrices are shares, so that
they do not depend on the number of notes. Of drums alone, kinds stand for pitches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part, Piece
from instrument.music.phrases import KIND_OF, KINDS
from instrument.music.timebase import TICKS_PER_BEAT

BAR_UNITS = 96
LENGTHS = np.array([96, 48, 24, 12, 6, 72, 36, 18, 9, 32, 16, 8])  # classes of note length, in 1/96 of a bar
UNMETERED_BAR = 4 * TICKS_PER_BEAT
SCALARS = ("pitch count", "note count", "pitch range", "mean interval", "mean onset interval")
NAMES = (*SCALARS, "pitch classes", "pitch class transitions", "note lengths", "note length transitions")


def excerpt(piece: Piece, bars: int) -> Piece:
    """The first `bars` bars of a piece, counted from the bar of its first note and by its first metre."""
    bar = bar_ticks(piece)
    first = int(piece.notes[0, 0])
    start = first - (first - piece.metres[0].tick) % bar if piece.metres else first
    return Piece(piece.notes[piece.notes[:, 0] < start + bars * bar], piece.metres, piece.tempos)


def bar_ticks(piece: Piece) -> int:
    """Length of a bar of its first metre; where there is none, of four beats."""
    return piece.metres[0].bar_ticks if piece.metres else UNMETERED_BAR


def measure(piece: Piece) -> dict[str, NDArray[np.float64]] | None:
    """Every feature of `NAMES` as a vector: (1,), (12,) or (144,). None of a piece with fewer than two
    pitched notes or onsets, for which the features are undefined.

    Counts are in notes or pitches, range and interval in semitones, the interval between onsets in beats;
    histograms and matrices are shares that add up to 1.
    """
    pitched = piece.notes[piece.notes[:, 5] != Part.DRUMS]
    onsets = np.unique(piece.notes[:, 0])
    if len(pitched) < 2 or len(onsets) < 2:
        return None
    pitch = pitched[:, 2].astype(np.int64)
    classes = pitch % 12
    lengths = length_classes(pitched[:, 3], bar_ticks(piece))
    return {
        "pitch count": np.array([len(np.unique(pitch))], float),
        "note count": np.array([len(piece)], float),
        "pitch range": np.array([np.ptp(pitch)], float),
        "mean interval": np.array([np.abs(np.diff(pitch)).mean()]),
        "mean onset interval": np.array([np.diff(onsets).mean() / TICKS_PER_BEAT]),
        "pitch classes": _shares(np.bincount(classes, pitched[:, 3], 12)),
        "pitch class transitions": _transitions(classes),
        "note lengths": _shares(np.bincount(lengths, minlength=12)),
        "note length transitions": _transitions(lengths),
    }


def measure_drums(piece: Piece) -> dict[str, NDArray[np.float64]] | None:
    """As `measure`, features of the drums: how many keys, notes, beats between onsets; shares of the nine kinds (9,),
    and of the sixteenths of a bar (16,) at which something is struck."""
    drums = piece.notes[piece.notes[:, 5] == Part.DRUMS]
    onsets = np.unique(drums[:, 0])
    kinds = KIND_OF[drums[:, 2]]
    if len(onsets) < 2 or (kinds < 0).all():
        return None
    bar = bar_ticks(piece)
    return {
        "pitch count": np.array([len(np.unique(drums[:, 2]))], float),
        "note count": np.array([len(drums)], float),
        "mean onset interval": np.array([np.diff(onsets).mean() / TICKS_PER_BEAT]),
        "drum kinds": _shares(np.bincount(kinds[kinds >= 0], minlength=len(KINDS))),
        "drum places": _shares(np.bincount(onsets % bar * 16 // bar, minlength=16)),
    }


def length_classes(durations: NDArray[np.int32], bar: int) -> NDArray[np.int64]:
    """Index into `LENGTHS` of the class nearest to each duration in ticks; the earlier of two as near."""
    units = durations * (BAR_UNITS / bar)
    return np.abs(units[:, None] - LENGTHS).argmin(1)


def _transitions(classes: NDArray[np.int64]) -> NDArray[np.float64]:
    return _shares(np.bincount(classes[:-1] * 12 + classes[1:], minlength=144))


def _shares(counts: NDArray) -> NDArray[np.float64]:
    return counts / counts.sum()
