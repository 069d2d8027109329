"""All figures of a band in one table, and the function that computes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from instrument.music.notes import Part
from training.evaluation.bands.excerpt import Excerpt
from training.evaluation.bands.form import LAGS, form_figures
from training.evaluation.bands.harmony import harmony_figures
from training.evaluation.bands.melody import melody_figures
from training.evaluation.bands.rhythm import part_figures, rhythm_figures

M, C, B, D = Part.MELODY, Part.CHORDS, Part.BASS, Part.DRUMS


class Figure(NamedTuple):
    """One figure. needs: the parts without which it is undefined; played: it is undefined for a piece that
    was written rather than played (no dynamics, swing as straight eighths)."""

    name: str
    group: str
    description: str
    unit: str
    needs: frozenset[Part] = frozenset()
    played: bool = False


def _each(name: str, group: str, description: str, unit: str, played: bool = False) -> list[Figure]:
    """The figure for each of the four parts."""
    return [
        Figure(name.format(part.name.lower()), group, description.format(part.name.lower()), unit,
               frozenset({part}), played)
        for part in (M, C, B, D)
    ]  # fmt: skip


FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        *_each("{} bars", "parts", "bars in which the {} part sounds (drums: is struck)", "share"),
        Figure("melody enters", "parts", "bars before the one of the first melody note", "bars", frozenset({M})),
        *_each("{} rest", "parts", "longest rest of the {} part", "bars"),
        Figure("in chord", "chords", "sounding duration within the chord of its half bar", "share"),
        *(
            Figure(
                f"{part.name.lower()} on strong beats",
                "chords",
                f"{part.name.lower()} notes on strong beats that are in the chord",
                "share",
                frozenset({part}),
            )
            for part in (M, C, B)
        ),
        Figure(
            "bass at changes",
            "chords",
            "chord changes with root or fifth in the bass (or lowest line)",
            "share",
        ),
        Figure("chord changes", "chords", "changes of root or of major to minor", "per bar"),
        Figure("diatonic chords", "chords", "successive chords within the scale of the key", "share"),
        Figure("V-I", "chords", "dominant to tonic", "per 16 bars"),
        Figure("IV-I", "chords", "subdominant to tonic", "per 16 bars"),
        Figure("ii-V", "chords", "supertonic to dominant", "per 16 bars"),
        Figure("clash", "chords", "time with a semitone or minor ninth that lasts longer than an eighth", "share"),
        *(
            Figure(f"like {lag} before", "form", f"mean similarity of a bar to the one {lag} before", "0..1")
            for lag in LAGS
        ),
        Figure(
            "phrase likeness",
            "form",
            "mean similarity to the bars 4 and 8 before, less that to those 3, 5, 7, 9 before",
            "0..1",
        ),
        Figure("recalled", "form", "bars half or more like one at least 16 bars before, without drums", "share"),
        Figure("recalled in order", "form", "recalled bars whose next bar is recalled with them", "share"),
        Figure("exact repeats", "form", "bars equal to one of the 32 before", "share"),
        Figure("returns after leaving", "form", "two bars of melody that come back after others", "share"),
        Figure("section boundaries", "form", "peaks of novelty", "per 32 bars"),
        Figure("steps", "melody", "intervals of 1 or 2 semitones", "share"),
        Figure("leaps", "melody", "intervals above 7 semitones", "share"),
        Figure("repeated notes", "melody", "intervals of 0", "share"),
        Figure("contour entropy", "melody", "of the next contour class given the last", "bits"),
        Figure("range", "melody", "5th to 95th percentile of pitch", "semitones"),
        Figure("phrase length", "melody", "median between rests of a beat", "beats"),
        Figure("bar-line intervals", "melody", "mean size across bar lines, less that within bars", "semitones"),
        Figure(
            "drum bars alike",
            "rhythm",
            "mean similarity of a bar of drums to the one before",
            "0..1",
            frozenset({D}),
        ),
        Figure(
            "kicks with bass",
            "rhythm",
            "kicks with a bass onset within a thirty-second",
            "share",
            frozenset({B, D}),
        ),
        Figure("swing", "rhythm", "where in the beat the off-beat eighth falls", "beats", played=True),
        Figure("off-beats", "rhythm", "notes whose sixteenth is not on a beat", "share"),
        Figure("notes a second", "rhythm", "notes of all parts", "per second"),
        *_each("{} a second", "rhythm", "notes of the {} part", "per second"),
        *_each("{} dynamics", "rhythm", "standard deviation of velocities of the {} part", "velocity", True),
    )
}


def figures(excerpt: Excerpt) -> dict[str, float]:
    """All figures of an excerpt, in the order of `FIGURES`, without those that are undefined."""
    found = (
        part_figures(excerpt)
        | harmony_figures(excerpt)
        | form_figures(excerpt)
        | melody_figures(excerpt)
        | rhythm_figures(excerpt)
    )
    return {name: float(found[name]) for name in FIGURES if not np.isnan(found[name])}
