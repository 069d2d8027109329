"""Foils: music that is clearly not a good band, or not of the genre, and must be outside the bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT, Metre
from training.evaluation.bands.bounds import BANDS, Bound, Foil, judge, medians, parts_of
from training.evaluation.bands.excerpt import SECONDS, Excerpt
from training.evaluation.bands.figures import figures

PIECES = 9  # of a genre, of which foils are made
GROUP = 3  # pieces whose median is a cell, as the seeds of a render are
LOOP_BARS = 4
REAL, LOOP, SHUFFLED, RANDOM, OTHER = "real", "loop", "shuffled", "random tune", "other genre"
FOILS = (LOOP, SHUFFLED, RANDOM, OTHER)
SCALE = (0, 2, 4, 5, 7, 9, 11)
RANDOM_BPM, RANDOM_VELOCITY = 100.0, 80


class Made(NamedTuple):
    """A foil. source: the real piece that it is made of, if it is, and the genre of that."""

    excerpt: Excerpt
    source: Excerpt | None = None
    genre: str = ""


def foils(
    excerpts: Mapping[str, Sequence[Excerpt]], bounds: Mapping[str, Mapping[str, Bound]]
) -> dict[str, dict[str, Foil]]:
    """genre -> foil -> its comparison with the genre's bounds; also "real": the pieces that loops and shuffles
    are made of. Only figures of the parts that a foil has are judged. None of a genre with fewer than three pieces."""
    found = {}
    for genre in bounds:
        if len(excerpts[genre]) < GROUP:
            continue
        own = chosen(excerpts[genre])
        foreign = others(excerpts, genre)
        kinds: dict[str, list[Made]] = {
            REAL: [Made(each) for each in own],
            LOOP: [Made(loop(each), each, genre) for each in own],
            SHUFFLED: [Made(shuffled(each, seed), each, genre) for seed, each in enumerate(own)],
            RANDOM: [Made(random_tune(seed)) for seed in range(PIECES)],
            OTHER: [Made(each, each, name) for name, each in foreign],
        }
        found[genre] = {name: _foil(made, genre, bounds) for name, made in kinds.items() if made}
    return found


def chosen(excerpts: Sequence[Excerpt], count: int = PIECES) -> list[Excerpt]:
    """`count` of them, spread evenly over the longer half (in bars), as short pieces have little form to lose."""
    longer = sorted(excerpts, key=lambda each: -each.bars)[: max(count, len(excerpts) // 2)]
    return [longer[i * len(longer) // min(count, len(longer))] for i in range(min(count, len(longer)))]


def others(excerpts: Mapping[str, Sequence[Excerpt]], genre: str) -> list[tuple[str, Excerpt]]:
    """Real pieces of other genres, one of each in turn, with their genre."""
    rest = {name: chosen(own) for name, own in sorted(excerpts.items()) if name != genre and len(own) >= GROUP}
    names = [name for _, name in zip(range(PIECES), cycle(rest), strict=False)]
    return [(name, rest[name][(i // len(rest)) % len(rest[name])]) for i, name in enumerate(names)]


def loop(excerpt: Excerpt) -> Excerpt:
    """Four bars of a piece, the fifth to the eighth, repeated for three minutes."""
    bars = int(SECONDS * excerpt.bpm / 60 * TICKS_PER_BEAT) // excerpt.bar
    length = LOOP_BARS * excerpt.bar
    own = _between(excerpt.notes, length, 2 * length)
    own[:, 0] -= length
    own[:, 3] = np.minimum(own[:, 3], length - own[:, 0])
    rows = [own + np.array([i * length, 0, 0, 0, 0, 0], np.int32) for i in range(-(-bars // LOOP_BARS))]
    return replace(excerpt, notes=_between(np.concatenate(rows), 0, bars * excerpt.bar), bars=bars)


def shuffled(excerpt: Excerpt, seed: int) -> Excerpt:
    """A piece with its bars in another order."""
    places = np.random.default_rng(seed).permutation(excerpt.bars)
    notes = excerpt.notes.copy()
    bars = np.minimum(notes[:, 0] // excerpt.bar, excerpt.bars - 1)
    notes[:, 0] += (places[bars] - bars) * excerpt.bar
    notes[:, 3] = np.minimum(notes[:, 3], excerpt.end - notes[:, 0])
    return replace(excerpt, notes=notes[np.lexsort((notes[:, 2], notes[:, 0]))])


def random_tune(seed: int) -> Excerpt:
    """Block chords over their root in the bass, drawn from a major scale bar by bar; eighths drawn from the scale."""
    rng = np.random.default_rng(seed)
    metre, tonic = Metre(0, 4, 4), int(rng.integers(12))
    bars = int(SECONDS * RANDOM_BPM / 60 * TICKS_PER_BEAT) // metre.bar_ticks
    rows = []
    for bar, degree in enumerate(rng.integers(len(SCALE), size=bars).tolist()):
        start, length = bar * metre.bar_ticks, metre.bar_ticks
        rows.append((start, 0, 36 + tonic + SCALE[degree], length, RANDOM_VELOCITY, Part.BASS))
        for third in range(3):
            octave, step = divmod(degree + 2 * third, len(SCALE))
            pitch = 48 + tonic + 12 * octave + SCALE[step]
            rows.append((start, 0, pitch, length, RANDOM_VELOCITY, Part.CHORDS))
        for eighth in range(0, length, TICKS_PER_BEAT // 2):
            octave, step = divmod(int(rng.integers(2 * len(SCALE))), len(SCALE))
            pitch = 60 + tonic + 12 * octave + SCALE[step]
            rows.append((start + eighth, 0, pitch, TICKS_PER_BEAT // 2, RANDOM_VELOCITY, Part.MELODY))
    return Excerpt(np.array(sorted(rows), np.int32), metre, bars, RANDOM_BPM)


def _foil(made: Sequence[Made], genre: str, bounds: Mapping[str, Mapping[str, Bound]]) -> Foil:
    rows = [figures(each.excerpt) for each in made]
    single = [_judged(row, genre, bounds) for row in rows]
    grouped = [_judged(medians(rows[i : i + GROUP]), genre, bounds) for i in range(0, len(rows), GROUP)]
    outside = [{name for name, inside in cells.items() if not inside} for cells in single]
    newly = [
        found & {name for name, inside in _judged(figures(each.source), each.genre, bounds).items() if inside}
        if each.source else found
        for found, each in zip(outside, made, strict=True)
    ]  # fmt: skip
    return Foil(
        len(rows), min(map(len, outside)), float(np.median([*map(len, outside)])),
        float(np.median([*map(len, newly)])), _share(single), _share(grouped), medians(rows),
    )  # fmt: skip


def _judged(row: dict[str, float], genre: str, bounds: Mapping[str, Mapping[str, Bound]]) -> dict[str, bool]:
    return judge(row, bounds[genre], BANDS[genre] & parts_of(row))


def _share(rows: Sequence[dict[str, bool]]) -> float:
    cells = [inside for row in rows for inside in row.values()]
    return round(float(np.mean(cells)), 4) if cells else float("nan")


def _between(notes: NDArray[np.int32], start: int, end: int) -> NDArray[np.int32]:
    return notes[(notes[:, 0] >= start) & (notes[:, 0] < end)].copy()
