"""Chords for a melody in the rhythm of a style, with minimal movement of the voices (voice leading)."""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np

from instrument.music.chords.names import QUALITIES, Chord
from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT
from training.data.arranging.bars import Bar, Harmony, Row, struck, ticks
from training.data.arranging.styles import Stroke, Style, pattern_of

RANGE = (50, 76)
MOST_VOICES = 4
BARS_ALIKE = 2
EARLY = TICKS_PER_BEAT // 2  # a stroke at most this long before a change, and held beyond it, plays the next chord
CLASHES = (1, 11, 13)  # semitones from a melody note at which a chord tone is left out


def comping(
    style: Style, bars: Sequence[Bar], harmony: Harmony, tune: Sequence[Row], rng: np.random.Generator
) -> Iterator[Row]:
    """The chords of the bars, all of metres that the style plays. tune: the melody's notes by onset."""
    onsets = [row[0] for row in tune]
    voicing: tuple[int, ...] = ()
    for bar, pattern in _patterns(style, bars, rng):
        for stroke in pattern:
            start = bar.start + ticks(style.swung(stroke.beat, bar.metre))
            end = start + ticks(stroke.length)
            if start >= min(bar.end, harmony.end):
                continue
            chord, limit = _chord(harmony, start, end)
            if chord.root is None:
                continue
            voicing = lead(voicing, chord, style.rootless)
            over = tune[i - 1] if (i := bisect_right(onsets, start)) else None
            sung = over[2] if over and over[0] + over[3] > start else None
            kept = [pitch for pitch in voicing if sung is None or abs(pitch - sung) not in CLASHES]
            yield from struck(kept, start, min(end, limit), stroke.velocity, Part.CHORDS, rng)


@functools.cache
def lead(before: tuple[int, ...], chord: Chord, rootless: bool) -> tuple[int, ...]:
    """The close voicing of a chord that is nearest to the last voicing. It has at most four tones. rootless: leave the
    root out of chords of four tones and more."""
    assert chord.root is not None
    tones = [(chord.root + interval) % 12 for interval in QUALITIES[chord.quality]]
    if rootless and len(tones) >= MOST_VOICES:
        tones.remove(chord.root)
    if len(tones) > MOST_VOICES and (fifth := (chord.root + 7) % 12) in tones:
        tones.remove(fifth)
    tones = tones[-MOST_VOICES:]
    low, high = RANGE
    closes = [tuple(sorted(lowest + (t - lowest) % 12 for t in tones)) for lowest in range(low, high - 11)]
    found = [pitches for lowest, pitches in zip(range(low, high - 11), closes, strict=True) if lowest % 12 in tones]
    return min(found, key=lambda pitches: (_way(before, pitches), abs(sum(pitches) / len(pitches) - (low + high) / 2)))


def _way(before: Sequence[int], after: Sequence[int]) -> int:
    """The movement of the voices in semitones, each to and from the nearest."""
    if not before:
        return 0
    return sum(min(abs(a - b) for b in before) for a in after) + sum(min(abs(a - b) for a in after) for b in before)


def _patterns(style: Style, bars: Sequence[Bar], rng: np.random.Generator) -> Iterator[tuple[Bar, tuple[Stroke, ...]]]:
    """Each bar and its pattern, which holds for two bars."""
    pattern: tuple[Stroke, ...] = ()
    for number, bar in enumerate(bars):
        choices = style.comping[pattern_of(bar.metre)]
        if number % BARS_ALIKE == 0 or pattern not in choices:
            pattern = choices[int(rng.integers(len(choices)))]
        yield bar, pattern


def _chord(harmony: Harmony, start: int, end: int) -> tuple[Chord, int]:
    """The chord that a stroke plays, and the tick at which this chord ends."""
    change = harmony.next_change(start)
    if change - start <= EARLY and end > change < harmony.end:
        return harmony.at(change), harmony.next_change(change)
    return harmony.at(start), change
