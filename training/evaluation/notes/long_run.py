"""Long runs: whether what is played after eight minutes still resembles real music.

Minutes 8 to 10 of a render are compared with windows of real pieces as long (in beats), by figures that show
the usual failures of such models: they thin out or clutter, drift to a few notes or to all, loop or never
come back to anything, fall silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.models.manifest import Manifest
from instrument.models.notes.player import NotePlayer
from instrument.music.notes import Part, Piece, order_keys
from instrument.music.timebase import TICKS_PER_BEAT, Metre, MetreMap
from training.data.notes.shards import PieceInfo, Shards
from training.evaluation.generation import COMMON_TIME, Knobs, play

MINUTES = (8, 10)  # the part of a run that is measured
WINDOWS = 160  # real pieces that a genre is compared with, one window each
ENOUGH = 40  # real pieces that must be as long as a window; else windows are shorter
FEWEST = 8  # with fewer real windows there are no bounds
LAGS = 16  # bars; a loop is looked for at every lag up to this
LONGEST_GAP = 2.0  # bars
FIGURES = ("density", "entropy", "repeated", "loop", "gap")
ANY_GENRE, ANY_TEMPO = "none", 120.0


def figures(notes: NDArray[np.int32], start: int, end: int, metres: Sequence[Metre]) -> dict[str, float]:
    """Figures of the notes (n, 6) with onsets in start..end - 1, with at least one metre.

    density: notes a beat; entropy: of pitch classes, in bits; repeated: share of the bars with notes that
    have the onsets and pitches of an earlier one in the window; loop: longest run of bars that are each the
    same as the bar some fixed number of bars before, as a share of the window; gap: longest time without an
    onset, in bars.
    """
    notes = notes[(notes[:, 0] >= start) & (notes[:, 0] < end)]
    bars = bar_contents(notes, start, end, metres)
    full = [bar for bar in bars if bar]
    bar_ticks = MetreMap(metres).locate(start).metre.bar_ticks  # type: ignore[union-attr]
    onsets = np.concatenate([[start], notes[:, 0], [end]])
    pitched = notes[notes[:, 5] != Part.DRUMS, 2]
    return {
        "density": len(notes) * TICKS_PER_BEAT / (end - start),
        "entropy": _entropy(np.bincount(pitched % 12, minlength=12)),
        "repeated": 1 - len(set(full)) / len(full) if full else 0.0,
        "loop": longest_loop(bars) / len(bars),
        "gap": float(np.diff(onsets).max()) / bar_ticks,
    }


def bar_contents(notes: NDArray[np.int32], start: int, end: int, metres: Sequence[Metre]) -> list[bytes]:
    """What is struck in each bar, where in it and which pitch or drum; empty for an empty bar."""
    starts = np.array([m.tick for m in metres])
    lengths = np.array([m.bar_ticks for m in metres])
    before = np.array([MetreMap(metres).locate(m.tick).bar for m in metres])

    def place(ticks: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        which = np.maximum(np.searchsorted(starts, ticks, "right") - 1, 0)
        bars, offsets = np.divmod(ticks - starts[which], lengths[which])
        return before[which] + bars, offsets

    bars, offsets = place(notes[:, 0].astype(np.int64))
    first, last = place(np.array([start, end - 1]))[0]
    content = offsets * 256 + (order_keys(notes) & 255)
    edges = np.searchsorted(bars, np.arange(first, last + 2))
    return [content[a:b].tobytes() for a, b in pairwise(edges)]


def longest_loop(bars: Sequence[bytes]) -> int:
    """The longest run of bars with notes that are each the same as the bar `lag` bars before."""
    longest = 0
    for lag in range(1, min(LAGS, len(bars) - 1) + 1):
        run = 0
        for i in range(lag, len(bars)):
            run = run + 1 if bars[i] and bars[i] == bars[i - lag] else 0
            longest = max(longest, run)
    return longest


class Reference:
    """Real windows of one genre, or of all of them evenly for "none".

    bpm: the median tempo of its pieces; span: length of a window in ticks, two minutes at that tempo, or
    what enough pieces have; windows: figures of each window, (n, 5), columns as `FIGURES`.
    """

    def __init__(self, shards: Shards, genre: str, genres: Sequence[str]) -> None:
        self.genre = genre
        pieces = [p for p in shards.select(drums_only=False, realised=False) if p.metres and p.genre in genres]
        if genre != ANY_GENRE:
            pieces = [p for p in pieces if p.genre == genre]
        self.bpm = ANY_TEMPO
        if pieces and genre != ANY_GENRE:
            self.bpm = float(np.clip(round(float(np.median([p.bpm for p in pieces]))), 40, 240))
        beats = np.sort([_beats(p) for p in pieces])[::-1]
        wanted = (MINUTES[1] - MINUTES[0]) * self.bpm
        if len(beats) and genre != ANY_GENRE:
            wanted = min(wanted, float(beats[min(ENOUGH, len(beats)) - 1]))
        self.span = max(1, int(wanted)) * TICKS_PER_BEAT
        self.windows = np.array(
            [
                list(found.values())
                for info in _spread(pieces, genre, self.span / TICKS_PER_BEAT)
                if (found := _window(shards.piece(info), self.span)) is not None
            ]
        ).reshape(-1, len(FIGURES))

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """What each figure may be: the 5th to 95th percentile of the windows; for a loop at most their
        95th percentile; for a gap at most two bars. Empty if there are too few windows."""
        if len(self.windows) < FEWEST:
            return {}
        low, high = np.percentile(self.windows, [5, 95], 0)
        bounds = {name: (float(low[i]), float(high[i])) for i, name in enumerate(FIGURES)}
        return bounds | {"loop": (0.0, bounds["loop"][1]), "gap": (0.0, LONGEST_GAP)}


def long_run(player: NotePlayer, knobs: Knobs, seed: int, reference: Reference) -> Piece:
    """Ten minutes at the genre's tempo, in common time."""
    end = int(MINUTES[1] * reference.bpm * TICKS_PER_BEAT)
    return play(player, knobs, seed, end)


def long_figures(piece: Piece, reference: Reference) -> dict[str, float]:
    """Figures of minutes 8 to 10 of a long run: means over windows of the reference's length, but the longest
    gap of all."""
    start, end = (int(minute * reference.bpm * TICKS_PER_BEAT) for minute in MINUTES)
    count = max(1, (end - start) // reference.span)
    rows = [
        figures(piece.notes, start + i * reference.span, start + (i + 1) * reference.span, COMMON_TIME)
        for i in range(count)
    ]
    means = {name: float(np.mean([row[name] for row in rows])) for name in FIGURES}
    return means | {"gap": figures(piece.notes, start, end, COMMON_TIME)["gap"]}


def judge(found: dict[str, float], bounds: dict[str, tuple[float, float]]) -> dict[str, bool]:
    """Whether each figure is within its bounds."""
    return {name: low <= found[name] <= high for name, (low, high) in bounds.items()}


@dataclass(frozen=True, slots=True)
class LongRun:
    """Ten minutes of one genre, with the real music that it is compared with."""

    genre: str
    seed: int
    reference: Reference
    piece: Piece


def long_runs(
    player: NotePlayer,
    manifest: Manifest,
    shards: Shards,
    knobs: Knobs,
    seeds: Sequence[int],
) -> list[LongRun]:
    """Long runs of every genre the model offers, and of none."""
    runs = []
    for genre in (ANY_GENRE, *manifest.genres):
        reference = Reference(shards, genre, manifest.genres)
        runs += [
            LongRun(genre, seed, reference, long_run(player, {**knobs, "genre": genre}, seed, reference))
            for seed in seeds
        ]
    return runs


def judged(runs: Sequence[LongRun]) -> list[dict[str, Any]]:
    """The figures of long runs, each with its bounds and whether it is within them."""
    rows = []
    for run in runs:
        found, bounds = long_figures(run.piece, run.reference), run.reference.bounds
        rows.append(
            {
                "genre": run.genre,
                "seed": run.seed,
                "bpm": run.reference.bpm,
                "beats": run.reference.span // TICKS_PER_BEAT,
                "windows": len(run.reference.windows),
                "figures": {n: round(v, 4) for n, v in found.items()},
                "bounds": {n: [round(v, 4) for v in both] for n, both in bounds.items()},
                "within": judge(found, bounds),
            }
        )
    return rows


def _beats(info: PieceInfo) -> float:
    return info.seconds * info.bpm / 60


def _spread(pieces: list[PieceInfo], genre: str, beats: float) -> list[PieceInfo]:
    """Up to `WINDOWS` pieces that are long enough, spread over the collection; of all genres evenly."""
    long = [p for p in pieces if _beats(p) >= beats]
    groups = sorted({p.genre for p in long}) if genre == ANY_GENRE else [genre]
    chosen: list[PieceInfo] = []
    for group in groups:
        own = [p for p in long if p.genre == group]
        count = min(len(own), -(-WINDOWS // len(groups)))
        chosen += [own[i * len(own) // count] for i in range(count)]
    return chosen


def _window(piece: Piece, span: int) -> dict[str, float] | None:
    """Figures of a window in the middle of the piece, from the start of a bar; None if it has no room."""
    first, last = int(piece.notes[0, 0]), int(piece.notes[-1, 0])
    places = MetreMap(piece.metres)
    where = places.locate(max(first, (first + last - span) // 2))
    start = places.start_of(where.bar)
    if last < start + span - where.metre.bar_ticks:  # type: ignore[union-attr]
        return None
    return figures(piece.notes, start, start + span, piece.metres)


def _entropy(counts: NDArray[Any]) -> float:
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(-(shares * np.log2(shares)).sum())
