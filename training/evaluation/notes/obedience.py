"""Whether the knobs for density and register have their effect: turned in mid-play, measured in the bars after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from instrument.models.manifest import Manifest
from instrument.models.notes.conditions import DENSITIES, REGISTERS
from instrument.models.notes.player import NotePlayer
from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT
from training.evaluation.generation import default_knobs, play

BARS = 4  # that a position is held, and a start with the knob at its default
BAR = 4 * TICKS_PER_BEAT
# Values of positions 1, 2, ... of these knobs, if 0 means no condition; else they go from little to much.
ANCHORS = {"density": DENSITIES, "register": REGISTERS}


def obedience(player: NotePlayer, manifest: Manifest, seed: int = 1) -> dict[str, dict[str, Any]]:
    """For each knob of `ANCHORS` that the model has: `by_genre`, Spearman's rank correlation of its positions
    with what is measured in the four bars that each is held, all positions in random order, in every genre
    offered; `spearman`, the mean of these; `positions`: for each position what it asks for (None: more or less of
    it) and the median measured over the genres. Density is in notes a beat, register the mean pitch of the pitched
    notes."""
    found: dict[str, dict[str, Any]] = {}
    for knob, setting in sorted((k.id, k) for k in manifest.knobs if k.id in ANCHORS):
        named = bool(setting.zero)
        anchors: Sequence[float | None] = ANCHORS[knob] if named else [None] * len(ANCHORS[knob])
        places = (
            np.arange(1, 1 + len(anchors)) if named else np.linspace(setting.low, setting.high, len(anchors)).round(2)
        )
        rows: dict[str, NDArray[np.float64]] = {}
        for i, genre in enumerate(manifest.genres or ("none",)):
            knobs = default_knobs(manifest, genre=genre)
            order = np.random.default_rng((seed, i)).permutation(len(anchors))
            turns = [((1 + j) * BARS * BAR, {**knobs, knob: float(places[at])}) for j, at in enumerate(order)]
            notes = play(player, knobs, seed + i, (1 + len(order)) * BARS * BAR, turns=turns).notes
            rows[genre] = np.full(len(anchors), np.nan)
            for (start, _), at in zip(turns, order, strict=True):
                rows[genre][at] = measured(knob, notes, start, start + BARS * BAR)
        by_genre = {genre: rank_correlation(row) for genre, row in rows.items()}
        columns = (column[~np.isnan(column)] for column in np.array(list(rows.values())).T)
        middles = [round(float(np.median(column)), 2) if len(column) else None for column in columns]
        found[knob] = {
            "spearman": round(float(np.mean(list(by_genre.values()))), 4),
            "by_genre": by_genre,
            "positions": {
                f"{place:g}": {"asked": asked, "measured": middle}
                for place, asked, middle in zip(places, anchors, middles, strict=True)
            },
        }
    return found


def measured(knob: str, notes: NDArray[np.int32], start: int, end: int) -> float:
    """Notes a beat, or the mean pitch of the pitched ones (nan if there are none), from `start` to `end`."""
    notes = notes[(notes[:, 0] >= start) & (notes[:, 0] < end)]
    if knob == "density":
        return len(notes) * TICKS_PER_BEAT / (end - start)
    pitches = notes[notes[:, 5] != Part.DRUMS, 2]
    return float(pitches.mean()) if len(pitches) else float("nan")


def rank_correlation(values: NDArray[np.float64]) -> float:
    """Spearman's correlation of the values with their places; nan is left out, and equal or too few values
    have none (0)."""
    places = np.flatnonzero(~np.isnan(values))
    if len(places) < 3 or np.ptp(values[places]) == 0:
        return 0.0
    return round(float(spearmanr(places, values[places]).statistic), 4)
