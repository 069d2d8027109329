"""Features of a pitched track: height, density, chords or single notes, and its place among the other tracks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FEATURES = (
    # of the track by itself
    "constant",
    "height",  # mean pitch, octaves above middle C
    "low",  # octaves by which that is below C3
    "range",  # octaves between the 5th and the 95th percentile of its pitches
    "chord share",  # of its onsets, those of several notes
    "voices",  # notes per onset minus one, at most three
    "density",  # log2 of its onsets a beat
    "length",  # log2 of the mean length of its notes in beats
    "steps",  # share of the intervals between its highest notes that are one or two semitones
    "repeats",  # share of those of 0 semitones
    "leaps",  # share of those beyond a fifth
    "even",  # share of the commonest time between onsets
    # among the others
    "polyphony",  # notes that sound at once minus one, at most three
    "top",  # share of its time in which it has the highest note of all
    "bottom",  # share of its time in which it has the lowest
    "coverage",  # share of the piece in which it sounds
    "together",  # share of its onsets that another track also has
)
CELLS = 4  # a beat: sixteenths, in which tracks are compared
LONGEST = 4 * CELLS  # cells of a note that count, because a file may have half a million long notes
TOGETHER = 16  # onsets within a beat / TOGETHER count as one


class TrackNotes(Protocol):
    """The notes of a pitched track: columns of one length, times in the file's ticks."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """Onsets."""

    @property
    def durations(self) -> NDArray[np.int64]:
        """Durations."""

    @property
    def pitches(self) -> NDArray[np.integer]:
        """MIDI 0..127."""


def features(tracks: Sequence[TrackNotes], resolution: int) -> NDArray[np.float64]:
    """The `FEATURES` of pitched tracks with notes, (tracks, features). Some compare a track with the others.
    resolution: ticks per beat."""
    if not tracks:
        return np.zeros((0, len(FEATURES)))
    spread = [_spread(track, resolution) for track in tracks]
    cells = 1 + max(int(where.max()) for where, _ in spread)
    top, bottom, struck = np.zeros(cells, np.int16), np.full(cells, 128, np.int16), np.zeros(cells, np.int32)
    for track, (where, pitches) in zip(tracks, spread, strict=True):
        np.maximum.at(top, where, pitches)
        np.minimum.at(bottom, where, pitches)
        struck += _marked(_cell(track.starts, resolution), cells)
    whole = int((top > 0).sum()) or 1
    rows = []
    for track, (where, pitches) in zip(tracks, spread, strict=True):
        time = int(_marked(where, cells).sum())
        onsets = _marked(_cell(track.starts, resolution), cells)
        rows.append(
            [
                *_by_itself(track, resolution),
                min(len(where) / time - 1, 3.0),
                _marked(where[pitches == top[where]], cells).sum() / time,
                _marked(where[pitches == bottom[where]], cells).sum() / time,
                min(time / whole, 1.0),
                (struck[onsets] > 1).mean(),
            ]
        )
    return np.array(rows, np.float64)


def _by_itself(track: TrackNotes, resolution: int) -> list[float]:
    order = np.lexsort((-track.pitches.astype(np.int64), track.starts))
    starts, pitches = track.starts[order].astype(np.int64), track.pitches[order].astype(np.int64)
    first = np.diff(starts, prepend=starts[0] - resolution) > resolution // TOGETHER
    at = np.flatnonzero(first)
    sizes = np.diff(at, append=len(starts))
    highest = np.maximum.reduceat(pitches, at)
    intervals = np.abs(np.diff(highest))
    gaps = np.rint(np.diff(starts[at]) * 12 / resolution).astype(np.int64).clip(0, 96)
    low, high = np.percentile(pitches, (5, 95))
    height = (pitches.mean() - 60) / 12
    beats = max(1.0, (starts[-1] - starts[0]) / resolution)
    return [
        1.0,
        height,
        max(0.0, -1 - height),
        (high - low) / 12,
        (sizes > 1).mean(),
        min(sizes.mean() - 1, 3.0),
        np.log2(len(at) / beats),
        np.log2(track.durations.clip(1).mean() / resolution),
        _share((intervals > 0) & (intervals <= 2)),
        _share(intervals == 0),
        _share(intervals > 7),
        np.bincount(gaps).max() / len(gaps) if len(gaps) else 1.0,
    ]


def _share(those: NDArray[np.bool_]) -> float:
    return float(those.mean()) if len(those) else 0.0


def _cell(ticks: NDArray[np.int64], resolution: int) -> NDArray[np.int64]:
    return (ticks.astype(np.int64) * CELLS * 2 + resolution) // (2 * resolution)


def _spread(track: TrackNotes, resolution: int) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """The cells in which notes sound and their pitches, one entry for each note and cell."""
    starts = _cell(track.starts, resolution)
    lengths = (_cell(track.starts + track.durations, resolution) - starts).clip(1, LONGEST)
    firsts = starts - np.cumsum(lengths) + lengths
    where = np.repeat(firsts.astype(np.int32), lengths) + np.arange(int(lengths.sum()), dtype=np.int32)
    return where, np.repeat(track.pitches.astype(np.int16), lengths)


def _marked(where: NDArray[np.integer], cells: int) -> NDArray[np.bool_]:
    found = np.zeros(cells, bool)
    found[where] = True
    return found
