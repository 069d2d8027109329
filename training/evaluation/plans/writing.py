"""Plans that a model writes, compared with held-out pieces: copying, and figures of chords and sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from instrument.models.plan.outline import classes_of, outline_of
from instrument.models.plan.slots import GENRES, NO_CHORD_CLASS, TONICS, Section, slots_in_bar
from instrument.models.plan.writer import PlanWriter, Settings
from instrument.music.plan import Plan
from training.data.plans import PlanPiece, Plans
from training.evaluation.plans.copying import Progressions, changes_of

BARS = 64
MODES = ("major", "minor")
LONG = 4  # bars from which the end of a section is counted
TONIC, DOMINANT = 0, 7


def write_plans(writer: PlanWriter, count: int) -> dict[str, list[Plan]]:
    """Genre -> `count` plans of `BARS` bars, alternately in major and minor."""
    found: dict[str, list[Plan]] = {}
    for genre in GENRES:
        for seed in range(count):
            empty = Plan(key=(0, MODES[seed % 2]))
            found.setdefault(genre, []).append(empty.extended(writer.bars(empty, BARS, Settings(genre, seed=seed))))
    return found


def slots_of(plan: Plan, genre: str) -> list[int]:
    """Classes of a plan's slots."""
    tonic = plan.key[0] if plan.key else 0
    return [chord for bar in plan.bars for chord in classes_of(bar, slots_in_bar(bar.metre, genre), tonic)]


def copied(plans: Plans, written: dict[str, list[Plan]], held: Sequence[PlanPiece]) -> dict[str, Any]:
    """Genre -> chords of the longest progressions in common with a training piece."""
    known = Progressions([piece.chords for piece in plans.select("train") if piece.chords])
    found = {}
    for genre, own in written.items():
        ours = [known.longest_common(slots_of(plan, genre)) for plan in own]
        theirs = [known.longest_common(_first_bars(piece)) for piece in held if piece.genre == genre]
        found[genre] = {
            f"{name}, {figure}": value
            for name, lengths in (("written", ours), ("held out", theirs))
            for figure, value in (
                ("median", float(np.median(lengths)) if lengths else None),
                ("longest", max(lengths, default=None)),
            )
        }
    return found


def written_figures(written: dict[str, list[Plan]], held: Sequence[PlanPiece]) -> dict[str, Any]:
    """Genre -> figure -> its value for written plans and for held-out pieces (None if not defined for these)."""
    found: dict[str, Any] = {}
    for genre, own in written.items():
        ours = [
            describe(slots_of(plan, genre), [bar.metre for bar in plan.bars], outline_of(plan).sections, genre)
            for plan in own
        ]
        theirs = [
            describe(piece.chords, piece.metres, [Section(*section) for section in piece.sections], genre)
            for piece in held
            if piece.genre == genre and piece.chords
        ]
        names = list(dict.fromkeys(name for row in ours for name in row))
        found[genre] = {name: [_mean(rows, name) for rows in (ours, theirs)] for name in names}
        recalls = float(np.mean([bar.recall is not None for plan in own for bar in plan.bars]))
        found[genre]["bars that recall"] = [recalls, None]
    return found


def describe(
    chords: Sequence[int], metres: Sequence[tuple[int, int]], sections: Sequence[Section], genre: str
) -> dict[str, float]:
    """Changes of chord a bar, the share of known sections that return, and the share of those of `LONG` bars or more
    that end on tonic or dominant."""
    found = {"changes a bar": len(changes_of(chords)) / max(len(metres), 1)}
    ends = np.cumsum([slots_in_bar(metre, genre) for metre in metres])
    seen: set[int] = set()
    returns, cadences, bar = [], [], 0
    for section in sections:
        bar += section.bars
        if section.id < 0:
            continue
        if seen:
            returns.append(section.id in seen)
        seen.add(section.id)
        if section.bars >= LONG and bar <= len(ends):
            last = chords[ends[bar - 1] - 1]
            cadences.append(last != NO_CHORD_CLASS and last % TONICS in (TONIC, DOMINANT))
    if returns:
        found["sections that return"] = float(np.mean(returns))
    if cadences:
        found["ends on tonic or dominant"] = float(np.mean(cadences))
    return found


def _first_bars(piece: PlanPiece) -> list[int]:
    return piece.chords[: sum(slots_in_bar(metre, piece.genre) for metre in piece.metres[:BARS])]


def _mean(rows: Sequence[dict[str, float]], name: str) -> float | None:
    values = [row[name] for row in rows if name in row]
    return float(np.mean(values)) if values else None
