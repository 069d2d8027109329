"""Chords that a person leads with: from their tick on they take the place of the plan's.

The left hand of an arranger keyboard: keys below the split name the chord, and the band turns to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from instrument.engine.performance.transport import bar_line
from instrument.errors import HocketError
from instrument.music.chords.names import NO_CHORD, Chord, identify, parse_chord
from instrument.music.plan import Plan, PlanBar, PlannedChord
from instrument.music.timebase import TICKS_PER_BEAT, MetreMap

OFF, HELD, HOLD, HEARD = LEADING = ("off", "held", "hold", "heard")  # values of the knob "lead"
SIXTEENTH, BEAT, BAR = GRIDS = ("sixteenth", "beat", "bar")  # values of the knob "turn"
NOW = "now"
ACCOMPANY = "accompany"  # value of the knob "mode" in which chords are heard
PLACES = (NOW, BEAT, BAR)  # values of the knobs "changes" and "mutes"
_STEPS = {SIXTEENTH: TICKS_PER_BEAT // 4, BEAT: TICKS_PER_BEAT}
FEWEST_KEYS = 3  # different pitch classes that name a chord
FIFTH = 7


class Lead(NamedTuple):
    """A chord from a tick on; None goes back to the plan."""

    tick: int
    chord: Chord | None


def read_lead(symbol: str) -> Chord | None:
    """The chord of a symbol, None for an empty one: back to the plan. HocketError for one that cannot be read."""
    try:
        return parse_chord(symbol) if symbol.strip() else None
    except HocketError as error:
        raise HocketError(f"this chord cannot be used: {error}") from error


def on_grid(grid: str, metres: MetreMap, tick: int) -> int:
    """The first place of the grid, one of `GRIDS`, at or after a tick."""
    if grid not in _STEPS:
        return bar_line(metres, tick)
    start = metres.start_of(metres.locate(tick).bar)
    step = _STEPS[grid]
    return min(start - (start - tick) // step * step, bar_line(metres, tick))


def hand_chord(keys: Iterable[int]) -> Chord | None:
    """The chord that held keys (MIDI pitches) name: three different tones, or a root and its fifth. None for fewer."""
    pitches = frozenset(keys)
    tones = {pitch % 12 for pitch in pitches}
    bass = min(pitches, default=0)
    if len(tones) >= FEWEST_KEYS or tones == {bass % 12, (bass + FIFTH) % 12}:
        return identify(pitches, bass)
    return None


def clear_chord(keys: Iterable[int]) -> Chord | None:
    """The chord of held keys where it is clear: three different tones or more, all of one chord, that lack its fifth at
    most; a highest key may be a melody's. None where it is not."""
    pitches = sorted(set(keys))
    for heard in (pitches, pitches[:-1]):
        tones = frozenset(pitch % 12 for pitch in heard)
        if len(tones) < FEWEST_KEYS:
            continue
        chord = identify(tones, heard[0])
        if chord.root is not None and tones <= chord.tones and chord.tones - tones <= {(chord.root + FIFTH) % 12}:
            return chord
    return None


def led(plan: Plan, leads: Sequence[Lead], kept: Sequence[PlanBar] = ()) -> Plan:
    """The plan with the chords of `leads`, which are in order of time. kept: its first bars, where they are known."""
    if not leads or leads[0].tick >= plan.end:
        return plan.replaced(0, (*kept, *plan.bars[len(kept) :]))
    ticks = [lead.tick for lead in leads]
    first = max(len(kept), plan.bar_at(max(0, ticks[0])) or 0)
    bars = [_led(plan.bars[bar], plan.starts[bar], leads, ticks) for bar in range(first, len(plan))]
    return plan.replaced(0, (*kept, *plan.bars[len(kept) : first], *bars))


def _led(bar: PlanBar, start: int, leads: Sequence[Lead], ticks: Sequence[int]) -> PlanBar:
    """One bar, which starts at a tick. ticks: of the leads."""
    here = ticks[bisect_right(ticks, start) : bisect_left(ticks, start + bar.ticks)]
    begins = [tick - start for tick in here]
    chords: list[PlannedChord] = []
    for at in sorted({0, *begins, *(offset for offset, _ in bar.chords)}):
        lead = bisect_right(ticks, start + at) - 1
        chord = leads[lead].chord if lead >= 0 else None
        if chord is None:
            chord = next((own for offset, own in reversed(bar.chords) if offset <= at), NO_CHORD)
        if not chords or chords[-1].chord != chord:
            chords.append(PlannedChord(at, chord))
    return bar._replace(chords=() if chords == [(0, NO_CHORD)] else tuple(chords))
