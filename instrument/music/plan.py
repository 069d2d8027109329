"""The plan: for each bar its metre, section, chords, the bar it recalls, and the fullness of each part."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from instrument.errors import HocketError
from instrument.music.chords.degrees import check_mode
from instrument.music.chords.names import QUALITIES, Chord
from instrument.music.notes import Part
from instrument.music.timebase import Metre

LARGEST_METRE = 64
MOST_BARS = 100_000  # two days at 120 beats a minute
LONGEST_LABEL = 40
FREE: tuple[float | None, ...] = (None,) * len(Part)  # the fullness of all parts is left to the players


class PlannedChord(NamedTuple):
    """A chord that begins `offset` ticks after the start of its bar."""

    offset: int
    chord: Chord


class Recall(NamedTuple):
    """The earlier `bar` of the plan that a bar repeats, and how closely: 0 (free) .. 1 (as it was)."""

    bar: int
    closeness: float


class PlanBar(NamedTuple):
    """One bar.

    metre: numerator and denominator; section: its label, "" for none; begins: whether a section begins here;
    chords: by offset, the first at 0, none if the harmony is free; recall: the bar it repeats, or None;
    fullness: by `Part`, 0 (silent) .. 1 (fullest), None if the part is free.
    """

    metre: tuple[int, int] = (4, 4)
    section: str = ""
    begins: bool = False
    chords: tuple[PlannedChord, ...] = ()
    recall: Recall | None = None
    fullness: tuple[float | None, ...] = FREE

    @property
    def ticks(self) -> int:
        """Its length."""
        return Metre(0, *self.metre).bar_ticks


class Change(NamedTuple):
    """The next change of harmony: in how many ticks, and to which chord (None: the harmony is free from there)."""

    ticks: int
    chord: Chord | None


class Place(NamedTuple):
    """The place of a tick: bar of the plan, offset in ticks from its start, label of the section, bars of the section
    before this one (`since`) and after it (`left`)."""

    bar: int
    offset: int
    section: str
    since: int
    left: int


@dataclass(frozen=True)
class Plan:
    """Bars from tick 0 on, and the key they are in: (tonic 0..11, one of the `MODES`), or None.

    It is immutable: every operation returns a new plan. The constructor raises HocketError for an impossible value and
    names the bar (counted from 1) and the value.
    """

    bars: tuple[PlanBar, ...] = ()
    key: tuple[int, str] | None = None

    def __post_init__(self) -> None:
        if len(self.bars) > MOST_BARS:
            raise HocketError(f"a plan of {len(self.bars)} bars is too long: at most {MOST_BARS} are possible")
        if self.key is not None:
            check_mode(self.key[1])
            if not 0 <= self.key[0] < 12:
                raise HocketError(f"the plan's tonic is {self.key[0]}: give a pitch class, 0 (C) to 11 (B)")
        for number, bar in enumerate(self.bars):
            _check(number, bar)

    def __len__(self) -> int:
        return len(self.bars)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The tick at which each bar starts, followed by the tick at which the plan ends."""
        return tuple(accumulate((bar.ticks for bar in self.bars), initial=0))

    @property
    def end(self) -> int:
        """The tick at which the plan ends."""
        return self.starts[-1]

    def bar_at(self, tick: int) -> int | None:
        """The bar that contains a tick; None outside the plan."""
        return bisect_right(self.starts, tick) - 1 if 0 <= tick < self.end else None

    def chord_at(self, tick: int) -> Chord | None:
        """The chord at a tick; None where the harmony is free and outside the plan."""
        bar = self.bar_at(tick)
        if bar is None:
            return None
        chords = self.bars[bar].chords
        index = bisect_right(chords, tick - self.starts[bar], key=lambda planned: planned.offset)
        return chords[index - 1].chord if index else None

    def next_change(self, tick: int) -> Change | None:
        """The next change of harmony after a tick; None if there is none, or the tick is outside the plan."""
        first = self.bar_at(tick)
        if first is None:
            return None
        now = self.chord_at(tick)
        for bar in range(first, len(self.bars)):
            chords: Iterable[tuple[int, Chord | None]] = self.bars[bar].chords or ((0, None),)
            for offset, chord in chords:
                if self.starts[bar] + offset > tick and chord != now:
                    return Change(self.starts[bar] + offset - tick, chord)
        return None

    def place(self, tick: int) -> Place | None:
        """The place of a tick in bar and section; None outside the plan."""
        bar = self.bar_at(tick)
        if bar is None:
            return None
        began = next((i for i in range(bar, 0, -1) if self._begins(i)), 0)
        until = next((i for i in range(bar + 1, len(self.bars)) if self._begins(i)), len(self.bars))
        return Place(bar, tick - self.starts[bar], self.bars[bar].section, bar - began, until - bar - 1)

    def replaced(self, bar: int, bars: Iterable[PlanBar]) -> Plan:
        """The plan with everything from `bar` on replaced by `bars`. Raises HocketError if `bar` is beyond the end."""
        if not 0 <= bar <= len(self.bars):
            raise HocketError(f"the plan has no bar {bar + 1}: choose one of 1 to {len(self.bars) + 1}")
        return replace(self, bars=(*self.bars[:bar], *bars))

    def extended(self, bars: Iterable[PlanBar]) -> Plan:
        """The plan with more bars at its end."""
        return self.replaced(len(self.bars), bars)

    def repeated(self, length: int, closeness: float = 1.0) -> Plan:
        """The plan repeated from its start until it has `length` bars. A repeated bar recalls its original with this
        closeness. Raises HocketError for an empty plan."""
        form = self.bars
        if not form:
            raise HocketError("an empty plan cannot be repeated: give it at least one bar")
        return replace(
            self,
            bars=tuple(
                form[i] if i < len(form) else form[i % len(form)]._replace(recall=Recall(i % len(form), closeness))
                for i in range(max(length, len(form)))
            ),
        )

    def transposed(self, semitones: int) -> Plan:
        """The plan with chords and key transposed up by this many semitones."""
        return Plan(
            tuple(
                bar._replace(chords=tuple(PlannedChord(at, chord.transposed(semitones)) for at, chord in bar.chords))
                for bar in self.bars
            ),
            self.key and ((self.key[0] + semitones) % 12, self.key[1]),
        )

    def _begins(self, bar: int) -> bool:
        return self.bars[bar].begins or self.bars[bar].section != self.bars[bar - 1].section


def _check(number: int, bar: PlanBar) -> None:
    where = f"bar {number + 1} of the plan"
    if not all(1 <= value <= LARGEST_METRE for value in bar.metre):
        raise HocketError(f"{where} has the metre {bar.metre[0]}/{bar.metre[1]}: give numbers of 1 to {LARGEST_METRE}")
    if len(bar.section) > LONGEST_LABEL:
        raise HocketError(f"{where} has a section label of {len(bar.section)} letters: at most {LONGEST_LABEL}")
    last = -1
    for at, chord in bar.chords:
        if last < 0 < at or not last < at < bar.ticks:
            raise HocketError(
                f"{where} has a chord at tick {at}: the first is at 0, the others follow in order below {bar.ticks}"
            )
        last = at
        _check_chord(where, chord)
    if bar.recall is not None and not (0 <= bar.recall.bar < number and 0 <= bar.recall.closeness <= 1):
        raise HocketError(
            f"{where} recalls bar {bar.recall.bar + 1} to {bar.recall.closeness:g}: "
            "give an earlier bar, and a closeness of 0 to 1"
        )
    if len(bar.fullness) != len(Part) or not all(value is None or 0 <= value <= 1 for value in bar.fullness):
        raise HocketError(f"{where} has the fullness {bar.fullness}: give {len(Part)} values of 0 to 1 or none")


def _check_chord(where: str, chord: Chord) -> None:
    silent = chord.root is None or chord.bass is None
    if chord.quality not in QUALITIES or (chord.root is None) != (chord.bass is None):
        raise HocketError(f"{where} has an unknown chord {tuple(chord)}: choose one of {', '.join(QUALITIES)}")
    if silent != (not QUALITIES[chord.quality]):
        raise HocketError(f"{where} has the chord {tuple(chord)}: N alone has neither root nor bass")
    if not silent and not (0 <= (chord.root or 0) < 12 and 0 <= (chord.bass or 0) < 12):
        raise HocketError(f"{where} has the chord {tuple(chord)}: root and bass are pitch classes, 0 (C) to 11 (B)")
