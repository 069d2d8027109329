"""A bass line for the chords of a piece: walking, or in patterns of a style. It plays the bass note at each change."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from instrument.music.chords.names import QUALITIES, Chord
from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT
from training.data.arranging.bars import Bar, Harmony, Row, struck, ticks
from training.data.arranging.styles import BassStroke, Style, pattern_of

RANGE = (28, 50)
WALK = "walk"  # a degree of walking basses only: a step towards the next chord
WALKING = (0.95, 80)  # share of the beat, velocity
BARS_ALIKE = 4
NEAR = 2  # ticks within which a stroke counts as on a change
CLOSEST = TICKS_PER_BEAT // 4  # ticks between notes that follow kicks
LEADING = 0.4  # how often such a note of a bar's last beat is no root
KICKED = 86  # velocity
STRIDE = 5  # semitones of a step of a walking bass, at most


class _Stroke(NamedTuple):
    start: int
    end: int
    degree: str
    velocity: int


def bass_line(
    style: Style, bars: Sequence[Bar], harmony: Harmony, kicks: Sequence[int], rng: np.random.Generator
) -> Iterator[Row]:
    """The bass of the bars, all of metres that the style plays. kicks: ticks of the bass drum, ascending, for
    styles whose bass follows it."""
    strokes = _with_changes(list(_strokes(style, bars, kicks, rng)), harmony)
    last = sum(RANGE) // 2
    for i, stroke in enumerate(strokes):
        chord, change = harmony.at(stroke.start), harmony.next_change(stroke.start)
        if chord.root is None or chord.bass is None:
            continue
        if stroke.degree == WALK:
            following = harmony.at(change)
            left = 1 + sum(other.start < change for other in strokes[i + 1 : i + 17])
            last = _step(chord, following if change < harmony.end and following.tones else chord, left, last, rng)
        else:
            last = _degree(chord, stroke.degree, last)
        yield from struck([last], stroke.start, min(stroke.end, change), stroke.velocity, Part.BASS, rng)


def _strokes(style: Style, bars: Sequence[Bar], kicks: Sequence[int], rng: np.random.Generator) -> Iterator[_Stroke]:
    pattern: tuple[BassStroke, ...] = ()
    for number, bar in enumerate(bars):
        if style.walking and bar.metre.denominator <= 4:
            share, velocity = WALKING
            for start in range(bar.start, bar.end, TICKS_PER_BEAT):
                yield _Stroke(start, start + ticks(share), WALK, velocity)
            continue
        if style.kick and (own := kicks[bisect_left(kicks, bar.start) : bisect_left(kicks, bar.end)]):
            yield from _with_kicks(own, bar, rng)
            continue
        choices = style.bass[pattern_of(bar.metre)]
        if number % BARS_ALIKE == 0 or pattern not in choices:
            pattern = choices[int(rng.integers(len(choices)))]
        for each in pattern:
            start = bar.start + ticks(style.swung(each.beat, bar.metre))
            if start < bar.end:
                yield _Stroke(start, start + ticks(each.length), each.degree, each.velocity)


def _with_kicks(kicks: Sequence[int], bar: Bar, rng: np.random.Generator) -> Iterator[_Stroke]:
    """Roots on the kicks of a bar; on its last beat sometimes the fifth or another octave."""
    last = -TICKS_PER_BEAT
    for kick in kicks:
        if kick - last >= CLOSEST:
            late = kick >= bar.end - TICKS_PER_BEAT and rng.random() < LEADING
            degree = ("fifth", "octave")[int(rng.integers(2))] if late else "root"
            yield _Stroke(kick, kick + 2 * TICKS_PER_BEAT, degree, KICKED)
            last = kick


def _with_changes(strokes: list[_Stroke], harmony: Harmony) -> list[_Stroke]:
    """The strokes within the harmony, with a root at each change."""
    first = harmony.changes[0].tick
    inside = [s for s in strokes if first - NEAR <= s.start < harmony.end]
    starts = np.array([s.start for s in inside], np.int64)
    for change in harmony.changes:
        near = np.flatnonzero(np.abs(starts - change.tick) <= NEAR)
        if len(near):
            inside[near[0]] = inside[near[0]]._replace(start=change.tick, degree="root")
        elif change.tick < harmony.end:
            inside.append(_Stroke(change.tick, change.tick + TICKS_PER_BEAT, "root", WALKING[1]))
    inside.sort()
    cut = [a._replace(end=min(a.end, b.start)) for a, b in pairwise(inside)]
    return [s for s in cut + inside[-1:] if s.end > s.start]


def _degree(chord: Chord, degree: str, last: int) -> int:
    """The pitch of a chord degree that is nearest to the last pitch; "octave" excludes the last pitch itself."""
    assert chord.root is not None
    assert chord.bass is not None
    if degree in ("root", "octave"):
        return _nearest(chord.bass, last, other=degree == "octave")
    intervals = QUALITIES[chord.quality]
    wanted = (3, 4, 5, 2) if degree == "third" else (7, 6, 8)
    interval = next((each for each in wanted if each in intervals), 0)
    return _nearest((chord.root + interval) % 12, last)


def _nearest(tone: int, last: int, other: bool = False) -> int:
    low, high = RANGE
    found = [pitch for pitch in range(low, high + 1) if pitch % 12 == tone and not (other and pitch == last)]
    return min(found or [last], key=lambda pitch: (abs(pitch - last), pitch))


def _step(chord: Chord, following: Chord, left: int, last: int, rng: np.random.Generator) -> int:
    """A step of a walking bass with `left` steps to the next chord. The last step is a semitone or a fifth from the
    next bass note, the earlier ones approach it by chord tones."""
    assert following.bass is not None
    target = _nearest(following.bass, last)
    low, high = RANGE
    if left <= 1:
        into = [target - 1, target + 1, _nearest((following.bass + 7) % 12, last)]
        fitting = [pitch for pitch in into if low <= pitch <= high and pitch != last]
        return fitting[int(rng.integers(len(fitting)))]
    aim = last + (target - last) / left + rng.normal(0, 1.5)
    tones = [p for p in range(low, high + 1) if p % 12 in chord.tones and 0 < abs(p - last) <= STRIDE]
    return min(tones, key=lambda pitch: abs(pitch - aim)) if tones else _nearest(following.bass, last, other=True)
