"""Whether a note model keeps to the chords of a plan that it is asked to follow, beside the same model without one.

The plans are the progressions that ship, in their genres. Strong beats are the first and the middle one of a bar in
four. What each figure means is in `PlanFigures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.manifest import Manifest
from instrument.models.notes.player import NotePlayer
from instrument.music.chords.analysis import recognise
from instrument.music.chords.names import Chord
from instrument.music.notes import Part, Piece
from instrument.music.plan import Plan
from instrument.music.progressions import progressions
from training.evaluation.bands.excerpt import cut
from training.evaluation.bands.harmony import clash
from training.evaluation.generation import default_knobs, play

BARS = 32
HARMONY = 0.5  # of the knob, as it is by default
ON = frozenset({Part.MELODY, Part.CHORDS, Part.BASS})
FIFTH = 7


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """melody, chords: share of the notes of the part on strong beats that are tones of the chord (chords with the part
    other); bass: share of the changes at which the bass sounds the root or the fifth; heard: share of the beats at
    which the analyser hears the root of the plan; clash: share of the time with a semitone or a minor ninth; entropy:
    of the melody's pitches, bits. nan where nothing could be counted."""

    melody: float
    chords: float
    bass: float
    heard: float
    clash: float
    entropy: float


def plan_following(
    player: NotePlayer, manifest: Manifest, seeds: Sequence[int] = (1, 2), bars: int = BARS
) -> dict[str, dict[str, dict[str, float]]]:
    """genre -> "plan" and "none" -> figures, means over the seeds, for the genres that the model offers and that have a
    progression in four."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for genre in manifest.genres:
        own = [p for p in progressions().values() if p.genre == genre and p.metre == (4, 4)]
        rows: dict[str, list[PlanFigures]] = {"plan": [], "none": []}
        for i, seed in enumerate(seeds if own else ()):
            form = own[i % len(own)].plan(tonic=(5 * seed) % 12)
            plan = form.repeated(bars + 16, 0.0)
            for name, asked in (("plan", {"plan": plan, "harmony": HARMONY}), ("none", {})):
                knobs = default_knobs(manifest, genre=genre)
                piece = play(player, knobs, seed, plan.starts[bars], on=ON & frozenset(manifest.parts), **asked)
                rows[name].append(measure(piece, plan))
        if own:
            found[genre] = {name: _mean(those) for name, those in rows.items()}
    return found


def measure(piece: Piece, plan: Plan) -> PlanFigures:
    """The figures of a piece in 4/4 beside a plan, whether or not it was asked to follow it."""
    strong = [row for row in piece.notes.tolist() if row[0] % 48 == 0]

    def share(parts: set[Part]) -> float:
        rows = [(row[2] % 12, plan.chord_at(row[0])) for row in strong if row[5] in parts]
        inside = [pitch in chord.tones for pitch, chord in rows if chord is not None]
        return float(np.mean(inside)) if inside else float("nan")

    melody = piece.notes[piece.notes[:, 5] == Part.MELODY, 2]
    try:
        clashes = clash(cut(piece))
    except HocketError:
        clashes = float("nan")
    return PlanFigures(
        share({Part.MELODY}),
        share({Part.CHORDS, Part.OTHER}),
        bass_at_changes(piece.notes[piece.notes[:, 5] == Part.BASS], plan),
        root_heard(piece, plan),
        clashes,
        entropy(melody),
    )


def changes(plan: Plan, end: int) -> list[tuple[int, Chord]]:
    """Tick and chord of every change of a plan before a tick."""
    rows = [(start + at, chord) for start, bar in zip(plan.starts, plan.bars, strict=False) for at, chord in bar.chords]
    kept = rows[:1] + [b for a, b in pairwise(rows) if b[1] != a[1]]
    return [(tick, chord) for tick, chord in kept if tick < end]


def bass_at_changes(bass: NDArray[np.int32], plan: Plan) -> float:
    """Share of the changes at which the bass, the note that sounds or the next one within half a bar, is the root or
    the fifth, of those at which there is one."""
    right = []
    ends = bass[:, 0] + bass[:, 3]
    for tick, chord in changes(plan, int(bass[-1, 0]) if len(bass) else 0):
        sounding = bass[(bass[:, 0] <= tick) & (ends > tick)]
        notes = sounding if len(sounding) else bass[(bass[:, 0] > tick) & (bass[:, 0] < tick + 48)][:1]
        if len(notes) and chord.root is not None:
            right.append(int(notes[:, 2].min()) % 12 in (chord.root, (chord.root + FIFTH) % 12, chord.bass))
    return float(np.mean(right)) if right else float("nan")


def root_heard(piece: Piece, plan: Plan) -> float:
    """Share of the beats at which the analyser hears the root that the plan has there."""
    if not (piece.notes[:, 5] != Part.DRUMS).any():
        return float("nan")
    beats, heard = recognise(piece)
    same = []
    for tick, chord in zip(beats.edges.tolist(), heard, strict=False):
        asked = plan.chord_at(tick)
        if asked is not None and asked.root is not None:
            same.append(chord.root == asked.root)
    return float(np.mean(same)) if same else float("nan")


def entropy(pitches: NDArray[np.int32]) -> float:
    """Bits of the distribution of pitches; nan without any."""
    if not len(pitches):
        return float("nan")
    shares = np.bincount(pitches, minlength=128) / len(pitches)
    return float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum())


def _mean(rows: Sequence[PlanFigures]) -> dict[str, float]:
    columns = {name: [asdict(row)[name] for row in rows] for name in PlanFigures.__slots__}
    return {
        name: round(float(np.nanmean(values)), 3) if not np.isnan(values).all() else float("nan")
        for name, values in columns.items()
    }
