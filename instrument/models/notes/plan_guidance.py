"""What a plan asks of the next note: tones of its chords, notes that end with them, bars that return.

The network is not retrained for this: logits are added to what it proposes, and the notes of a bar that returns are
given to its echo inputs, which it learned to follow. `harmony` 0 leaves it free, 1 is strict.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.models.notes.form_conditions import NOTHING, Learned
from instrument.music.chords.names import Chord
from instrument.music.codec import DRUM_ROW, ROWS
from instrument.music.notes import Part
from instrument.music.plan import Plan

# Logits for tones of the chord, at harmony 0, 0.5 and 1.
_HARMONY = (0.0, 0.5, 1.0)
_MELODY_STRONG, _MELODY_WEAK = (0.0, 1.0, 2.0), (0.0, 0.4, 1.0)
_CHORDS_STRONG, _CHORDS_WEAK = (0.0, 3.0, 8.0), (0.0, 2.0, 4.0)
_BASS_CHANGE, _BASS_ELSE = (0.0, 6.0, 8.0), (0.0, 2.0, 3.0)
FIFTH = 0.5  # share of the root's logits that the fifth gets in the bass at a change

EXACT = 0.99  # a recall this close is copied
LEARNED = (0.0, 0.0, 0.5)  # share of the melody's logits where the network has learnt to follow, at the same harmony
COPIED = 60.0  # logits that make it so
RHYTHM, PITCH = 12.0, 5.0  # logits for the onsets and the pitches of a recalled bar, times its closeness
LEARNED_RECALL = 0.4  # share of these where the network has learnt to recall
LOOK_AHEAD = 2  # bars in which the next recalled note is looked for


class Expected(NamedTuple):
    """The next note of a recalled bar. source: its index among the notes so far; tick: where it falls now; row:
    the source's row, moved into the chord of now; closeness: 0..1; share: of the logits that lead to it."""

    source: int
    tick: int
    row: int
    closeness: float
    share: float = 1.0

    @property
    def rhythm(self) -> float:
        """Logits for its onset, part and duration."""
        return COPIED if self.closeness >= EXACT else RHYTHM * self.closeness * self.share

    @property
    def pitch(self) -> float:
        """Logits for its pitch."""
        return COPIED if self.closeness >= EXACT else PITCH * self.closeness**2 * self.share


class PlanGuidance:
    """A plan, as the guide of one player. learned: what of it its network has learnt to follow by itself."""

    def __init__(self, plan: Plan, harmony: float, learned: Learned = NOTHING) -> None:
        self.plan = plan
        self.harmony = harmony
        self._melody = self._at(LEARNED) if learned.plan else 1.0
        self._recall = LEARNED_RECALL if learned.form else 1.0

    def allowed(self, tick: int) -> NDArray[np.bool_] | None:
        """(12,) the pitch classes of the chord, which may sound whatever the scale; None where the harmony is free."""
        chord = self.plan.chord_at(tick)
        if not self.harmony or chord is None or not chord.tones:
            return None
        tones = np.zeros(12, bool)
        tones[list(chord.tones)] = True
        return tones

    def pitch_bias(self, tick: int, part: int, last_bass: int) -> NDArray[np.float32] | None:
        """(256,) logits to add to those of the rows; None where there is nothing to add.

        last_bass: tick of the last onset of the bass.
        """
        chord = self.plan.chord_at(tick)
        if not self.harmony or part == Part.DRUMS or chord is None or not chord.tones:
            return None
        strong = self._is_strong(tick)
        bias = np.zeros(12, np.float32)
        if part == Part.BASS:
            assert chord.root is not None
            assert chord.bass is not None
            at_change = last_bass < self._began(tick, chord)
            weight = self._at(_BASS_CHANGE if at_change else _BASS_ELSE)
            bias[list(chord.tones)] = self._at(_BASS_ELSE) if not at_change else 0.0
            bias[(chord.root + 7) % 12] = max(bias[(chord.root + 7) % 12], FIFTH * weight)
            bias[chord.bass] = weight
        else:
            melody = part == Part.MELODY
            strengths = (_MELODY_STRONG if strong else _MELODY_WEAK) if melody else None
            strengths = strengths or (_CHORDS_STRONG if strong else _CHORDS_WEAK)
            bias[list(chord.tones)] = self._at(strengths) * (self._melody if melody else 1.0)
        rows = np.zeros(ROWS, np.float32)
        rows[:DRUM_ROW] = bias[np.arange(DRUM_ROW) % 12]
        return rows

    def duration(self, tick: int, part: int, pitch: int, duration: int) -> int:
        """`duration` in ticks, shortened so that a note which is no tone of the next chord ends with this one."""
        change = self.plan.next_change(tick) if self.harmony and part != Part.DRUMS else None
        if change is None or change.chord is None or duration <= change.ticks:
            return duration
        return duration if pitch % 12 in change.chord.tones else max(1, change.ticks)

    def expected(self, keys: Sequence[int], last: int) -> Expected | None:
        """The next note that recalled bars expect after the note of order `last` (-1: none yet). keys: `Note.order` of
        the notes so far, ascending. None where no bar that is near recalls anything."""
        plan = self.plan
        bar = plan.bar_at(max(0, last >> 8))
        if bar is None:
            return None
        for here in range(bar, min(bar + 1 + LOOK_AHEAD, len(plan))):
            recall = plan.bars[here].recall
            if recall is None or recall.closeness <= 0:
                continue
            start, source = plan.starts[here], plan.starts[recall.bar]
            lag = start - source
            begin = max(source << 8, last - (lag << 8) + 1)
            index = bisect_right(keys, begin - 1)
            end = min(source + plan.bars[here].ticks, plan.starts[recall.bar + 1])
            if index < len(keys) and keys[index] >> 8 < end:
                tick = (keys[index] >> 8) + lag
                row = self._moved(keys[index] & 255, keys[index] >> 8, tick)
                return Expected(index, tick, row, recall.closeness, self._recall)
        return None

    def recalled_at(self, keys: Sequence[int], tick: int, above: int) -> Expected | None:
        """The note that a recalled bar has at a tick, the first in a row above `above` (-1: any); None if it has none.
        keys: as in `expected`."""
        found = self.expected(keys, (tick << 8) + above)
        return found if found and found.tick == tick else None

    def recalling(self, keys: Sequence[int]) -> tuple[float, bool]:
        """How closely the note that comes next is recalled, nan if it is not; and whether the last of the notes so far
        is the one that was recalled. keys: as in `expected`."""
        if not keys:
            return np.nan, False
        coming, tick = self.expected(keys, keys[-1]), keys[-1] >> 8
        above = keys[-2] & 255 if len(keys) > 1 and keys[-2] >> 8 == tick else -1
        there = self.recalled_at(keys, tick, above)
        return coming.closeness if coming else np.nan, there is not None and there.row == keys[-1] & 255

    def _moved(self, row: int, then: int, now: int) -> int:
        return moved(row, self.plan.chord_at(then), self.plan.chord_at(now))

    def _is_strong(self, tick: int) -> bool:
        """Whether a tick is the first beat of its bar, or the middle one of a bar of four."""
        bar = self.plan.bar_at(tick)
        if bar is None:
            return False
        offset, ticks = tick - self.plan.starts[bar], self.plan.bars[bar].ticks
        return offset == 0 or (self.plan.bars[bar].metre[0] % 2 == 0 and 2 * offset == ticks)

    def _began(self, tick: int, chord: Chord) -> int:
        """The tick since which the chord holds."""
        bar = self.plan.bar_at(tick)
        assert bar is not None
        for planned in reversed(self.plan.bars[bar].chords):
            at = self.plan.starts[bar] + planned.offset
            if at <= tick:
                return at
        return self.plan.starts[bar]

    def _at(self, logits: tuple[float, ...]) -> float:
        return float(np.interp(self.harmony, _HARMONY, logits))


def moved(row: int, before: Chord | None, chord: Chord | None) -> int:
    """The row of a recalled note, moved from the chord of then to the nearest tone of the chord of now where that is
    another."""
    if row >= DRUM_ROW or chord is None or not chord.tones or chord == before or row % 12 in chord.tones:
        return row
    if before is not None and row % 12 not in before.tones:
        return row  # a passing note then, and now
    near = range(max(0, row - 6), min(127, row + 6) + 1)
    return min(near, key=lambda pitch: (pitch % 12 not in chord.tones, abs(pitch - row)))
