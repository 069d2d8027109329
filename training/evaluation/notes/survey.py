"""Real and generated pieces analysed beside each other: metre, key, loudness and form, and how they drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.models.manifest import Manifest
from instrument.models.notes.player import NotePlayer
from instrument.music.harmony import KEYS
from instrument.music.timebase import TICKS_PER_BEAT, Metre
from training.data.notes.shards import PieceInfo, Shards
from training.evaluation.generation import Knobs, play
from training.evaluation.notes import form
from training.evaluation.notes.long_run import MINUTES, LongRun
from training.measures import analysis

REAL = 60  # pieces of a genre
FEWEST_BARS, LONGEST = 16, 10.0  # bars of a real piece; minutes of it
FEWEST = 8  # real pieces that bound a figure
BOUNDS = (10, 90)  # percentiles of real pieces
METRE_WINDOWS = 4  # that a metre is kept for in the test of metres, each of `analysis.METRE_BARS` bars
COMMON = Metre(0, 4, 4)
ASKED = {"4/4": COMMON, "3/4": Metre(0, 3, 4), "6/8": Metre(0, 6, 8)}

Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Real:
    """A real piece of one metre throughout. start, end: ticks, from the start of its first bar."""

    info: PieceInfo
    notes: NDArray[np.int32]
    metre: Metre
    start: int
    end: int


def real_pieces(shards: Shards, infos: Sequence[PieceInfo]) -> list[Real]:
    """Up to `REAL` of them, spread evenly, that have one metre and 16 bars at least; of longer ones, the first
    ten minutes."""
    chosen = [p for p in infos if len({m[1:] for m in p.metres}) == 1]
    count = min(REAL, len(chosen))
    found = []
    for info in (chosen[i * len(chosen) // count] for i in range(count)):
        notes, metre = np.array(shards.notes(info)), Metre(*info.metres[0])
        first = int(notes[0, 0])
        start = first - (first - metre.tick) % metre.bar_ticks
        bars = -(-(int(notes[-1, 0]) + 1 - start) // metre.bar_ticks)
        if bars >= FEWEST_BARS:
            end = min(start + bars * metre.bar_ticks, start + _ticks(LONGEST, info.bpm))
            found.append(Real(info, notes, metre, start, end))
    return found


def bounds(rows: Sequence[dict[Any, float]]) -> dict[Any, list[float]]:
    """For each figure the 10th and 90th percentile of the rows that have it, if these are `FEWEST` at least."""
    found = {}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows if not np.isnan(row[name])]
        if len(values) >= FEWEST:
            found[name] = [round(float(v), 4) for v in np.percentile(values, BOUNDS)]
    return found


def analyses(runs: Sequence[LongRun], real: dict[str, list[Real]]) -> list[dict[str, Any]]:
    """The figures of `analysis.analyse` of every long run, whole, beside the bounds of real pieces of its
    genre, and whether each is within them."""
    limits = {
        genre: bounds(
            [analysis.analyse(r.notes, r.start, r.end, r.info.bpm, r.metre, not r.info.velocity_constant) for r in own]
        )
        for genre, own in real.items()
    }
    return [
        _beside(
            run,
            analysis.analyse(run.piece.notes, 0, _end(run, MINUTES[1]), run.reference.bpm, COMMON),
            limits[run.genre],
        )
        for run in runs
        if run.genre in limits
    ]


def forms(runs: Sequence[LongRun], real: dict[str, list[Real]]) -> list[dict[str, Any]]:
    """`form.self_similarity` of the first three minutes of every long run, beside the bounds of the first three
    minutes of real pieces."""
    limits = {
        genre: bounds(
            [
                form.self_similarity(r.notes, r.start, min(r.end, r.start + _ticks(form.MINUTES, r.info.bpm)), r.metre)
                for r in own
            ]
        )
        for genre, own in real.items()
    }
    return [
        _beside(run, form.self_similarity(run.piece.notes, 0, _end(run, form.MINUTES), COMMON), limits[run.genre])
        for run in runs
        if run.genre in limits
    ]


def metres(
    player: NotePlayer,
    manifest: Manifest,
    knobs: Knobs,
    runs: Sequence[LongRun],
    real: dict[str, list[Real]],
    seed: int = 1,
) -> dict[str, Rows]:
    """genre -> metre asked for -> `real`, the share of the windows of real pieces (mean of the `pieces`) in which
    the estimate is what the piece is written in; `early` and `late`, the share of windows in the first and
    second half of what the model plays in that metre in which it is what was asked for. 4/4 is that of the long
    runs. None where there is nothing to tell from."""
    rows: dict[str, Rows] = {}
    for genre in manifest.genres:
        rows[genre] = {}
        for name, asked in ASKED.items():
            if asked == COMMON:
                played = [(run.piece.notes, _end(run, MINUTES[1])) for run in runs if run.genre == genre]
            else:
                end = METRE_WINDOWS * analysis.METRE_BARS * asked.bar_ticks
                played = [(play(player, {**knobs, "genre": genre}, seed, end, (asked,)).notes, end)]
            own = [
                agreed
                for r in real.get(genre, [])
                if analysis.SIGNATURES.get((r.metre.numerator, r.metre.denominator)) == name
                and (agreed := analysis.metre_agreement(r.notes, r.start, r.end, name))
            ]
            halves = [
                [
                    ok
                    for notes, end in played
                    for ok in analysis.metre_agreement(notes, half * end // 2, (half + 1) * end // 2, name)
                ]
                for half in (0, 1)
            ]
            rows[genre][name] = {
                "real": _mean([float(np.mean(agreed)) for agreed in own]),
                "pieces": len(own),
                "early": _mean(halves[0]),
                "late": _mean(halves[1]),
            }
    return rows


def key_estimator(real: dict[str, list[Real]]) -> dict[str, float]:
    """How often the estimated key signature of eight bars is that which a piece is annotated with (those with
    one key marker): `right`, and the number of `windows`."""
    found = []
    for r in (r for own in real.values() for r in own):
        told = [text.removeprefix("key ") for _, text in r.info.markers if text.startswith("key ")]
        if len(told) != 1:
            continue
        root, mode = told[0].split(":")
        key = analysis.signature(KEYS.index(root) + 12 * (mode == "min"))
        window = analysis.KEY_BARS * r.metre.bar_ticks
        found += [analysis.signature(each) == key for each, _ in analysis.keys(r.notes, r.start, r.end, window)]
    return {"right": _mean(found) or 0.0, "windows": len(found)}


def _beside(run: LongRun, found: dict[Any, float], limits: dict[Any, list[float]]) -> dict[str, Any]:
    known = {name: value for name, value in found.items() if not np.isnan(value)}
    return {
        "genre": run.genre,
        "seed": run.seed,
        "figures": {str(name): round(value, 4) for name, value in known.items()},
        "bounds": {str(name): both for name, both in limits.items()},
        "within": {str(name): limits[name][0] <= v <= limits[name][1] for name, v in known.items() if name in limits},
    }


def _end(run: LongRun, minutes: float) -> int:
    return _ticks(min(minutes, MINUTES[1]), run.reference.bpm)


def _ticks(minutes: float, bpm: float) -> int:
    return int(minutes * bpm * TICKS_PER_BEAT)


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if len(values) else None
