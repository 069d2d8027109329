"""Figures of harmony: notes in their chord, the bass at changes, how chords move, clashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT
from training.evaluation.bands.chords import TEMPLATES, Chord, Harmony, is_diatonic, key, recognise
from training.evaluation.bands.excerpt import SLACK, Excerpt, mean
from training.measures.bars import SIXTEENTH, to_sixteenth

FEWEST_NOTES, FEWEST_CHORDS = 8, 4  # with fewer the figure is undefined
CLASHES = (1, 13)  # semitones
CLASH_TICKS = TICKS_PER_BEAT // 2  # that a clash lasts for longer than
CADENCE_BARS = 16

# Steps above the tonic and whether the chord must be minor (None: either), of the first chord and the second.
Motion = tuple[tuple[int, bool | None], tuple[int, bool | None]]
MOTIONS: dict[str, Motion] = {
    "V-I": ((7, False), (0, None)),
    "IV-I": ((5, None), (0, None)),
    "ii-V": ((2, True), (7, False)),
}


def harmony_figures(excerpt: Excerpt) -> dict[str, float]:
    """The figures of harmony, nan where undefined."""
    found = recognise(excerpt)
    changes = list(change_places(found))
    successive = [found.chords[i] for i in _first_sounding(found)] + [found.chords[i] for i in changes]
    tonic, minor = key(excerpt) if len(excerpt.pitched) else (0, False)
    diatonic = [float(is_diatonic(chord, tonic, minor)) for chord in successive]
    return {
        "in chord": in_chord(found),
        "melody on strong beats": on_strong_beats(excerpt, found, Part.MELODY),
        "chords on strong beats": on_strong_beats(excerpt, found, Part.CHORDS),
        "bass on strong beats": on_strong_beats(excerpt, found, Part.BASS),
        "bass at changes": bass_at_changes(excerpt, found, changes),
        "chord changes": len(changes) / excerpt.bars if found.sounding.any() else float("nan"),
        "diatonic chords": mean(diatonic, FEWEST_CHORDS),
        **{name: motions(successive, tonic, motion, excerpt.bars) for name, motion in MOTIONS.items()},
        "clash": clash(excerpt),
    }


def in_chord(found: Harmony) -> float:
    """Share of the sounding duration that is within the chord of its half bar."""
    total = found.chroma.sum()
    return float((found.chroma * TEMPLATES[found.states]).sum() / total) if total else float("nan")


def on_strong_beats(excerpt: Excerpt, found: Harmony, part: Part) -> float:
    """Share of the notes of the part on a strong beat that are in the chord: the first beat of a bar and, where the
    metre has an even number of beats, the middle one."""
    notes = excerpt.part(part)
    onsets = to_sixteenth(notes[:, 0])
    strong = excerpt.bar // 2 if excerpt.metre.numerator % 2 == 0 else excerpt.bar
    chosen = onsets % strong == 0
    halves = np.searchsorted(found.edges, onsets[chosen], "right") - 1
    inside = TEMPLATES[found.states[halves], notes[chosen, 2] % 12]
    return mean(inside.tolist(), FEWEST_NOTES)


def change_places(found: Harmony) -> Iterator[int]:
    """The half bars in which something sounds and whose chord has another root or another third, minor or not, than the
    last chord that sounded."""
    last: Chord | None = None
    for i, (chord, sounds) in enumerate(zip(found.chords, found.sounding.tolist(), strict=True)):
        if not sounds:
            continue
        if last is not None and (chord.root, chord.minor) != (last.root, last.minor):
            yield i
        last = chord


def bass_at_changes(excerpt: Excerpt, found: Harmony, changes: Sequence[int]) -> float:
    """Share of the chord changes at which the bass is the root or the fifth, of those at which there is one: the lowest
    note of the bass (without that part: of all pitched notes) that sounds at the change or, if none does, the next
    one struck within the half bar. A note that sounds on for less than a thirty-second does not count."""
    bass = excerpt.part(Part.BASS)
    notes = bass if len(bass) else excerpt.pitched
    onsets = to_sixteenth(notes[:, 0])
    ends = notes[:, 0] + notes[:, 3]
    right = []
    for i in changes:
        at, after = int(found.edges[i]), int(found.edges[i + 1])
        candidates = (onsets == at) | ((onsets < at) & (ends > at + SLACK))
        if not candidates.any():
            within = onsets[(onsets > at) & (onsets < after)]
            if not len(within):
                continue
            candidates = onsets == within.min()
        lowest = int(notes[candidates, 2].min()) % 12
        right.append(float(lowest in (found.chords[i].root, found.chords[i].fifth)))
    return mean(right, FEWEST_CHORDS)


def motions(chords: Sequence[Chord], tonic: int, motion: Motion, bars: int) -> float:
    """How often two successive chords are those of the motion, in sixteen bars; nan with fewer than four chords."""
    if len(chords) < FEWEST_CHORDS:
        return float("nan")
    count = sum(
        all(_is(chord, tonic, *step) for chord, step in zip(pair, motion, strict=True)) for pair in pairwise(chords)
    )
    return count * CADENCE_BARS / bars


def clash(excerpt: Excerpt) -> float:
    """Share of the sixteenths at which two notes a semitone or a minor ninth apart sound that sound together for longer
    than an eighth; nan without pitched notes."""
    notes = excerpt.pitched
    if not len(notes):
        return float("nan")
    starts, ends = notes[:, 0], notes[:, 0] + notes[:, 3]
    places = [np.flatnonzero(notes[:, 2] == pitch) for pitch in range(128)]
    clashing = np.zeros(-(-excerpt.end // SIXTEENTH), bool)
    for distance in CLASHES:
        for low, high in zip(places, places[distance:], strict=False):
            begins = np.maximum(starts[low][:, None], starts[high])
            finishes = np.minimum(ends[low][:, None], ends[high])
            for i, j in np.argwhere(finishes - begins > CLASH_TICKS).tolist():
                clashing[-(-int(begins[i, j]) // SIXTEENTH) : -(-int(finishes[i, j]) // SIXTEENTH)] = True
    return float(clashing.mean())


def _first_sounding(found: Harmony) -> NDArray[np.int64]:
    return np.flatnonzero(found.sounding)[:1]


def _is(chord: Chord, tonic: int, step: int, minor: bool | None) -> bool:
    return (chord.root - tonic) % 12 == step and minor in (None, chord.minor)
