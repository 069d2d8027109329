"""The chords written in a piece: as markers, or as block chords in a part of their own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from instrument.music.chords.names import Chord, identify, parse_chord
from instrument.music.chords.profiles import Beats
from instrument.music.notes import Part, Piece
from instrument.music.timebase import TICKS_PER_BEAT, MetreMap

PREFIX = "chord "
EARLY = TICKS_PER_BEAT // 3  # a chord struck up to this long before a beat counts as on it


class ChordChange(NamedTuple):
    """A chord that begins at a tick."""

    tick: int
    chord: Chord


def marked_chords(piece: Piece) -> list[ChordChange]:
    """The chords of the markers "chord ...", in order. Raises HocketError for one that cannot be read."""
    return [
        ChordChange(marker.tick, parse_chord(marker.text.removeprefix(PREFIX)))
        for marker in piece.markers
        if marker.text.startswith(PREFIX)
    ]


def block_chords(piece: Piece) -> list[ChordChange]:
    """The block chords of the part CHORDS, over the bass of the part BASS if there is one.

    Repeated strokes of the same block are one chord. A chord begins at the strongest place in the bar between the
    release of the last one and its own first stroke, because comping often comes late.
    """
    bars = MetreMap(piece.metres)
    bass = {int(row[0]): int(row[2]) for row in piece.notes if row[5] == Part.BASS}
    found: list[ChordChange] = []
    released = 0
    for pitches, struck in groupby(_blocks(piece), lambda block: block.pitches):
        group = list(struck)
        start = _strongest(bars, released, group[0].tick)
        released = group[-1].end
        chord = identify(pitches, bass.get(start, min(pitches)), start in bass)
        if found and found[-1].tick == start:
            found.pop()
        if not found or found[-1].chord != chord:
            found.append(ChordChange(start, chord))
    return found


def by_beat(changes: Sequence[ChordChange], beats: Beats) -> list[Chord | None]:
    """The chord of each beat: the one in force at its middle, None before the first."""
    ticks = [change.tick for change in changes]
    middles = ((beats.edges[:-1] + beats.edges[1:]) // 2).tolist()
    return [changes[i - 1].chord if (i := bisect_right(ticks, middle)) else None for middle in middles]


class _Block(NamedTuple):
    tick: int
    end: int
    pitches: frozenset[int]


def _blocks(piece: Piece) -> list[_Block]:
    rows = piece.notes[piece.notes[:, 5] == Part.CHORDS].tolist()
    return [
        _Block(tick, max(row[0] + row[3] for row in group), frozenset(row[2] for row in group))
        for tick, struck in groupby(rows, lambda row: row[0])
        if len(group := list(struck)) > 1
    ]


def _strongest(bars: MetreMap, released: int, struck: int) -> int:
    """The strongest tick of the bar (its start, its middle, or a beat) from a release to a third of a beat after a
    stroke. The stroke itself if there is none."""
    last = struck + EARLY
    first = max(last - bars.locate(last).offset, min(released, struck))
    best, found = 0, struck
    for tick in range(first, last + 1):
        place = bars.locate(tick)
        half = place.metre.bar_ticks // 2 if place.metre else 2 * TICKS_PER_BEAT
        strength = 3 if place.offset == 0 else 2 if place.offset == half else int(place.offset % TICKS_PER_BEAT == 0)
        if strength > best:
            best, found = strength, tick
    return found
