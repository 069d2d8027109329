"""The form of prepared pieces, kept beside their shards, for players that learn to recall bars and to know where in a
section they are: sections, and for each bar the earlier one that it is most like.

Sections are read where the file has them as markers (`wjazzd_band`), else found: one begins at a peak of the novelty of
the bars (Foote, 2000), and where a run of recalled bars begins or ends. A bar recalls the earlier one with the most
equal notes, but rather the one after that which the bar before recalls, so that phrases are recalled in order.
`form.npz` of a prepared folder is as `chords.npz` (see `harmony`), with one row (6,) for each bar: its first tick, bars
of the section before and after it, whether the piece ends with a short section and this is it, first tick of the bar
that it recalls (-1: none), and how like it is, in percent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from instrument.music.notes import Part, Piece, order_keys
from instrument.music.timebase import TICKS_PER_BEAT
from training.data.notes.harmony import PieceRows, Sourced, only, write_rows
from training.data.notes.shards import PieceInfo, Shards

NAME = "form.npz"
Form = NDArray[np.int32]
NO_FORM: Form = np.zeros((0, 6), np.int32)
TICK, SINCE, LEFT, ENDING, SOURCE, LIKENESS = range(6)
SIXTEENTH = TICKS_PER_BEAT // 4
MOST_BARS = 3000
NEAREST = 2  # bars back at least that a bar recalls
IN_ORDER, IN_PHASE = 0.2, 0.05  # likeness that the bar after the last recalled one is worth, and multiples of 4 bars
LIKE, STILL_LIKE = 0.25, 0.1  # least likeness of a recalled bar, and of one in a run
RUN = 4  # bars of a run of recalled ones, or of a section, at least
KERNEL, PEAK = 8, 0.2  # of novelty: bars to both sides, and its least value
SHORT_ENDING = 8  # bars
MARKER = re.compile(r"form (?P<label>\S+)")


class PieceForm(PieceRows):
    """The form of all pieces of a prepared folder; without the file, of none."""

    def __init__(self, shards: Shards) -> None:
        """HocketError if the file does not belong to these shards."""
        super().__init__(shards, NAME, NO_FORM)


def write(shards: Shards, jobs: int = 0) -> None:
    """Find the form of all pieces of a folder, and write it beside its shards. jobs: processes, 0 = one a processor."""
    write_rows(shards, NAME, _of_batch, NO_FORM, jobs)


def _of_batch(folder: Path, pieces: Sequence[Sourced]) -> list[Form]:
    shards = only(folder, pieces)
    return [form_of(shards.piece(info), info) for info, _ in pieces]


def form_of(piece: Piece, info: PieceInfo | None = None) -> Form:
    """The rows of a piece's bars, none of one without bars. info: of the piece, with its markers."""
    starts = bar_starts(piece)
    if len(starts) < 2 or len(starts) > MOST_BARS:
        return NO_FORM
    sources, likeness = recalls(piece, starts)
    marked = [tick for tick, text in info.markers if MARKER.match(text)] if info else []
    begins = np.searchsorted(starts, marked) if marked else found_sections(piece, starts, sources)
    begins = np.unique(np.concatenate([[0], begins[begins < len(starts) - RUN // 2]]))
    ends = np.append(begins[1:], len(starts))
    section = np.searchsorted(begins, np.arange(len(starts)), "right") - 1
    bars = np.arange(len(starts))
    short = len(begins) > 1 and ends[-1] - begins[-1] <= SHORT_ENDING
    rows = np.stack(
        [
            starts,
            bars - begins[section],
            ends[section] - bars - 1,
            (section == len(begins) - 1) & short,
            np.where(sources < 0, -1, starts[sources]),
            np.rint(100 * likeness),
        ],
        1,
    )
    return rows.astype(np.int32)


def bar_starts(piece: Piece) -> NDArray[np.int64]:
    """The first tick of each bar, from the metres on to the last note; none of a piece without metres."""
    if not piece.metres:
        return np.zeros(0, np.int64)
    end = int(piece.notes[-1, 0]) + 1
    until = [*(min(metre.tick, end) for metre in piece.metres[1:]), end]
    return np.concatenate(
        [np.arange(m.tick, tick, m.bar_ticks) for m, tick in zip(piece.metres, until, strict=True)], dtype=np.int64
    )


def recalls(piece: Piece, starts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each bar the earlier one that it recalls, -1 for none, and how like that is: Jaccard's index of what is
    struck in them, sixteenth by sixteenth."""
    bar, places = _struck(piece, starts)
    named, columns = np.unique(places, return_inverse=True)
    held = csr_array((np.ones(len(bar), np.float32), (bar, columns)), (len(starts), len(named)))
    held.data[:] = 1  # what is struck twice counts once
    counts = np.asarray(held.sum(1)).ravel()
    common = (held @ held.T).toarray()
    sources, likeness = np.full(len(starts), -1), np.zeros(len(starts))
    for now in range(NEAREST, len(starts)):
        if not counts[now]:
            continue
        then = np.arange(now - NEAREST + 1)
        like = common[now, then] / np.maximum(1, counts[now] + counts[then] - common[now, then])
        following = sources[now - 1] + 1 if sources[now - 1] >= 0 else -1
        worth = like + IN_ORDER * (then == following) + IN_PHASE * ((now - then) % 4 == 0)
        best = int(len(worth) - 1 - worth[::-1].argmax())
        if like[best] >= (STILL_LIKE if best == following else LIKE):
            sources[now], likeness[now] = best, like[best]
    return sources, likeness


def found_sections(piece: Piece, starts: NDArray[np.int64], sources: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bars at which sections begin."""
    bars = np.arange(len(starts))
    lag = np.where(sources < 0, 0, bars - sources)
    turns = np.flatnonzero(np.diff(lag, prepend=lag[0])).tolist()
    begins: list[int] = []
    for first, end in zip([0, *turns], [*turns, len(starts)], strict=True):
        if end - first >= RUN and lag[first] >= RUN:
            begins += [*range(first, end, lag[first]), end]  # a section over and over begins anew each time
    found = novelty(bar_features(piece, starts))
    for bar in bars[found > PEAK].tolist():
        if found[bar] == found[max(0, bar - RUN) : bar + RUN + 1].max():
            begins.append(bar)
    kept = [0]
    for bar in begins:  # those of runs first: they are exact
        if bar < len(starts) and min(abs(bar - other) for other in kept) >= RUN:
            kept.append(bar)
    return np.array(sorted(kept), np.int64)


def novelty(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """How different the eight bars before and after each bar line are, beyond how different those of a side are among
    one another, for features (bars, d); 0 nearer than eight bars to either end."""
    found = np.zeros(len(features))
    for bar in range(KERNEL, len(features) - KERNEL + 1):
        both = features[bar - KERNEL : bar + KERNEL]
        distance = np.linalg.norm(both[:, None] - both[None], axis=2)
        within = (distance[:KERNEL, :KERNEL].mean() + distance[KERNEL:, KERNEL:].mean()) / 2
        found[bar] = distance[:KERNEL, KERNEL:].mean() - within
    return found


def bar_features(piece: Piece, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(bars, 17): shares of the pitch classes struck in each bar, and log(1 + onsets) / 3 of each part."""
    bar, notes = _bars(piece, starts)
    pitched = notes[:, 5] != Part.DRUMS
    profile, onsets = np.zeros((len(starts), 12)), np.zeros((len(starts), len(Part)))
    np.add.at(profile, (bar[pitched], notes[pitched, 2] % 12), notes[pitched, 3])
    np.add.at(onsets, (bar, notes[:, 5]), 1)
    profile /= np.maximum(profile.sum(1, keepdims=True), 1)
    return np.hstack([profile, np.log1p(onsets) / 3])


def _bars(piece: Piece, starts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The bar of each note in one, and these notes."""
    bar = np.searchsorted(starts, piece.notes[:, 0], "right") - 1
    return bar[bar >= 0], np.asarray(piece.notes)[bar >= 0]


def _struck(piece: Piece, starts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each note its bar, and the sixteenth of the bar and the row as one number."""
    bar, notes = _bars(piece, starts)
    offset = (notes[:, 0] - starts[bar]) // SIXTEENTH
    return bar, offset * 256 + (order_keys(notes) & 255)
