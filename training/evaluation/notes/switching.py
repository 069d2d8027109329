"""Whether a switch of genre is heard: in mid-play, from every genre to every other, judged by a `GenreEar`."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import Any

import numpy as np

from instrument.models.manifest import Manifest
from instrument.models.notes.player import NotePlayer
from training.evaluation.generation import default_knobs, play
from training.measures.genres import BAR, GenreEar

BEFORE, AFTER = 6, 4  # bars played in the old genre, and in the new
WINDOWS = {"bars 1-2": 0, "bars 3-4": 2}  # of two bars, from so many bars after the switch on
TOO_FEW = "too few notes"
GOAL = 0.8  # of the rate on real music


def switching(player: NotePlayer, manifest: Manifest, ear: GenreEar, times: int) -> dict[str, dict[str, Any]]:
    """Switches from every genre to every other, so many `times` each, all in pieces of their own.

    For each genre that the model offers and the ear knows: `real`, the rate at which the ear tells it in real
    pieces it was not trained on; for each of `WINDOWS` the rate over the `switches` to it; `unswitched`, that
    in the two bars before a switch from it to another; `share`, the rate of bars 1-2 as a share of `real`;
    `heard`, whether that is at least `GOAL`; and for what bars 1-2 are taken `instead` most often ("" if for
    nothing else). Two bars with too few notes to tell count as not told.
    """
    genres = [g for g in manifest.genres if g in ear.genres]
    told: dict[str, dict[str, list[str]]] = {g: {name: [] for name in (*WINDOWS, "unswitched")} for g in genres}
    for seed, (old, new) in enumerate([*permutations(genres, 2)] * times):
        before, after = (default_knobs(manifest, genre=genre) for genre in (old, new))
        notes = play(player, before, seed, (BEFORE + AFTER) * BAR, turns=[(BEFORE * BAR, after)]).notes
        for name, bars in WINDOWS.items():
            told[new][name].append(ear.tell(notes, (BEFORE + bars) * BAR) or TOO_FEW)
        told[old]["unswitched"].append(ear.tell(notes, (BEFORE - 2) * BAR) or TOO_FEW)
    rows = {}
    for genre, found in told.items():
        rates = {name: round(float(np.mean([t == genre for t in each])), 4) for name, each in found.items()}
        wrong = Counter(t for t in found["bars 1-2"] if t != genre).most_common(1)
        share = rates["bars 1-2"] / max(ear.recall[genre], 1e-9)
        rows[genre] = {
            "real": ear.recall[genre],
            **rates,
            "share": round(share, 4),
            "heard": share >= GOAL,
            "instead": wrong[0][0] if wrong else "",
            "switches": len(found["bars 1-2"]),
        }
    return rows
