"""Whether a note model keeps to the chords of a plan that it is asked to follow, beside the same model without one.

The plans are the progressions that ship, in their genres. Strong beats are the first and the middle one of a bar in
four. What each figure means is in `PlanFigures`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.manifest import Manifest
from instrument.models.notes.player import NotePlayer
from instrument.music.chords.analysis import recognise
from instrument.music.chords.names import Chord
from instrument.music.notes import Part, Piece
from instrument.music.plan import Plan
from instrument.music.progressions import Progression, progressions
from training.evaluation.bands.excerpt import cut
from training.evaluation.bands.harmony import clash
from training.evaluation.generation import Knobs, default_knobs, play
from training.measures.bars import jaccard, struck

BARS = 32
AHEAD = 16  # bars that the plan is written beyond them
GUIDANCES = (1.0, 1.5, 2.0)  # of the knob
HARMONY = 0.5  # of the knob, as it is by default
ON = frozenset({Part.MELODY, Part.CHORDS, Part.BASS})
FIFTH = 7
PHRASE = 8  # bars of a progression that are played over and over
RECALLS = (
    "A phrase of eight bars over and over: Jaccard's index of its bars and those of the first round, of the notes / of "
    "the onsets by part, by how closely they are to recall them. 0: not at all; 0.7 is the default (Vary at .3), 0.35 "
    "where the chords are others."
)
CLOSENESS = (0.0, 0.35, 0.7)  # of recalled bars: not at all; as by default where the chords are others, and the same


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


def plan_figures(player: NotePlayer, manifest: Manifest) -> dict[str, Any]:
    """plan: as by `plan_following`; guidance: as by `guided`, where the model has learnt to follow plans; recalls: as
    by `recalling`."""
    return {
        "plan": plan_following(player, manifest),
        "guidance": guided(player, manifest),
        "recalls": recalling(player, manifest),
    }


def plan_following(
    player: NotePlayer, manifest: Manifest, seeds: Sequence[int] = (1, 2, 3, 4), bars: int = BARS
) -> dict[str, dict[str, dict[str, float]]]:
    """genre -> "plan" and "none" -> figures, means over the seeds, for the genres that the model offers and that have a
    progression in four."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for genre, own in _forms(manifest).items():
        rows: dict[str, list[PlanFigures]] = {"plan": [], "none": []}
        for seed, plan in zip(seeds, _plans(own, seeds, bars), strict=True):
            for name, asked in (("plan", {"plan": plan, "harmony": HARMONY}), ("none", {})):
                knobs = default_knobs(manifest, genre=genre)
                rows[name].append(measure(_play(player, manifest, knobs, seed, plan.starts[bars], **asked), plan))
        found[genre] = {name: _mean(those) for name, those in rows.items()}
    return found


def guided(
    player: NotePlayer, manifest: Manifest, seeds: Sequence[int] = (1, 2), bars: int = BARS
) -> dict[str, dict[str, float]]:
    """Each of `GUIDANCES` -> figures, means over genres and seeds, and "ms", milliseconds of processor time a note.
    Empty where the model has no such knob."""
    if all(knob.id != "guidance" for knob in manifest.knobs):
        return {}
    found: dict[str, dict[str, float]] = {}
    for guidance in GUIDANCES:
        rows, notes, began = [], 0, time.process_time()
        for genre, own in _forms(manifest).items():
            for seed, plan in zip(seeds, _plans(own, seeds, bars), strict=True):
                knobs = default_knobs(manifest, genre=genre, guidance=guidance)
                piece = _play(player, manifest, knobs, seed, plan.starts[bars], plan=plan, harmony=HARMONY)
                rows.append(measure(piece, plan))
                notes += len(piece.notes)
        took = time.process_time() - began
        found[f"{guidance:g}"] = {**_mean(rows), "ms": round(1000 * took / max(1, notes), 2)}
    return found


def recalling(
    player: NotePlayer, manifest: Manifest, seed: int = 1, bars: int = BARS
) -> dict[str, dict[str, dict[str, float]]]:
    """genre -> how closely a phrase that is played over and over is to recall its first round (0: not at all) -> its
    `likeness` to that."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for genre, own in _forms(manifest).items():
        phrase = own[0].plan(tonic=(5 * seed) % 12).bars[:PHRASE]
        knobs = default_knobs(manifest, genre=genre)
        for closeness in CLOSENESS:
            plan = Plan(tuple(bar._replace(recall=None) for bar in phrase)).repeated(bars + AHEAD, closeness)
            piece = _play(player, manifest, knobs, seed, plan.starts[bars], plan=plan, harmony=HARMONY)
            found.setdefault(genre, {})[f"{closeness:g}"] = likeness(piece, plan, len(phrase), bars)
    return found


def recall_section(figures: dict[str, Any]) -> tuple[str, str, dict[str, dict[str, Any]]]:
    """Title, caption and rows of what `recalling` found."""
    rows = {
        genre: {f"asked {asked}": f"{found['notes']:.2f} / {found['rhythm']:.2f}" for asked, found in row.items()}
        for genre, row in figures.items()
    }
    return "Recalled bars", RECALLS, rows


def likeness(piece: Piece, plan: Plan, phrase: int, bars: int) -> dict[str, float]:
    """Mean Jaccard index of bars, up to bar `bars`, and the same ones of the first `phrase` bars, in a piece with one
    metre: `notes` of all that is struck, `rhythm` of the onsets of each part."""
    onsets = piece.notes.copy()
    onsets[:, 2], onsets[:, 5] = onsets[:, 5], 0
    found = {}
    for name, notes in (("notes", piece.notes), ("rhythm", onsets)):
        played = struck(notes, 0, plan.bars[0].ticks, bars)
        same = [jaccard(played[bar], played[bar % phrase]) for bar in range(phrase, bars)]
        found[name] = round(float(np.mean(same)), 3)
    return found


def _forms(manifest: Manifest) -> dict[str, list[Progression]]:
    """The progressions in four of each genre of the model that has one."""
    every = [p for p in progressions().values() if p.metre == (4, 4)]
    found = {genre: [p for p in every if p.genre == genre] for genre in manifest.genres}
    return {genre: own for genre, own in found.items() if own}


def _plans(own: Sequence[Progression], seeds: Sequence[int], bars: int) -> list[Plan]:
    """A plan for each seed, in another key each."""
    forms = (own[i % len(own)].plan(tonic=(5 * seed) % 12) for i, seed in enumerate(seeds))
    return [form.repeated(bars + AHEAD, 0.0) for form in forms]


def _play(player: NotePlayer, manifest: Manifest, knobs: Knobs, seed: int, ticks: int, **asked: Any) -> Piece:
    return play(player, knobs, seed, ticks, on=ON & frozenset(manifest.parts), **asked)


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
