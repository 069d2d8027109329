"""What the piano roll shows, without a screen: notes kept, bars, and where the music is between two reports."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from instrument.engine.ipc.messages import NoteReport
from instrument.engine.performance.transport import metre_map
from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT, Metre, MetreMap

KEPT_TICKS = 32 * 4 * TICKS_PER_BEAT
_JUMP = TICKS_PER_BEAT  # a difference from which on the music has jumped, rather than drifted
_PULL = 0.15  # of the difference that is made up with every report
_STROKE = 6
_BLIND_S = 0.25  # the playhead runs on for as long without a report

# General MIDI percussion by the lane it is drawn in, from the bottom; what is not named goes to the last.
DRUM_LANES = ("Kick", "Snare", "Toms", "Hats", "Cymbals", "Perc")
_DRUM_KEYS = (
    (35, 36), (37, 38, 39, 40), (41, 43, 45, 47, 48, 50), (42, 44, 46), (49, 51, 52, 53, 55, 57, 59),
)  # fmt: skip
_LANE_OF = {key: lane for lane, keys in enumerate(_DRUM_KEYS) for key in keys}


def drum_lane(key: int) -> int:
    """The lane, counted from the bottom, of a percussion key."""
    return _LANE_OF.get(key, len(DRUM_LANES) - 1)


class RollNotes:
    """The notes committed of late, and the plan.

    count: notes ever committed; performance and planned_version: changed by every new performance and plan.
    """

    def __init__(self) -> None:
        self.committed: deque[NoteReport] = deque()
        self.planned: tuple[NoteReport, ...] = ()
        self.count = self.performance = self.planned_version = 0
        self.drums = False  # whether there ever were any
        self.span: tuple[int, int] | None = None  # lowest and highest pitch there is, drums apart
        self._live: list[NoteReport] = []  # committed notes that are not over yet

    def commit(self, notes: Sequence[NoteReport]) -> None:
        """Add committed notes; those long past are forgotten."""
        if not notes:
            return
        self.committed.extend(notes)
        self._live.extend(notes)
        self.count += len(notes)
        horizon = self.committed[-1].tick - KEPT_TICKS
        while self.committed[0].tick < horizon:
            self.committed.popleft()
        self._look_at(notes)

    def set_planned(self, notes: tuple[NoteReport, ...]) -> None:
        """Take another plan."""
        if notes != self.planned:
            self.planned = notes
            self.planned_version += 1
            self._look_at(notes)

    def begin(self) -> None:
        """Another performance: forget what was committed."""
        self.committed.clear()
        self._live.clear()
        self.performance += 1
        self._look_at(())

    def sounding(self, tick: float) -> list[NoteReport]:
        """The committed notes that sound at `tick`, which never goes back within a performance."""
        self._live = [note for note in self._live if tick < note.tick + _shown_ticks(note)]
        return [note for note in self._live if note.tick <= tick]

    def _look_at(self, fresh: Sequence[NoteReport]) -> None:
        self.drums = self.drums or any(note.part == Part.DRUMS for note in fresh)
        pitches = [note.pitch for note in (*self.committed, *self.planned) if note.part != Part.DRUMS]
        self.span = (min(pitches), max(pitches)) if pitches else None


def _shown_ticks(note: NoteReport) -> int:
    """How long a note lights up: long enough to be seen, a drum no longer than its stroke."""
    return _STROKE if note.part == Part.DRUMS else max(note.duration, _STROKE // 2)


class Playhead:
    """Where the music is at any instant, steady between the engine's reports."""

    def __init__(self) -> None:
        self._tick = self._now = self._rate = 0.0

    def report(self, tick: float, bpm: float, now: float) -> None:
        """The engine says: at `now` (seconds) the music is at `tick`, and goes on at `bpm`."""
        here = self.at(now)
        drifted = self._rate > 0 and abs(tick - here) < _JUMP
        self._tick = here + (tick - here) * _PULL if drifted else tick
        self._now = now
        self._rate = bpm * TICKS_PER_BEAT / 60

    def halt(self, tick: float) -> None:
        """Stand at `tick`."""
        self._tick, self._rate = tick, 0.0

    def at(self, now: float) -> float:
        """The tick at `now`, with its fraction."""
        return self._tick + self._rate * min(max(now - self._now, 0.0), _BLIND_S)


class BarLines(NamedTuple):
    """bars: (tick, bar counted from 1); beats: the ticks of those between."""

    bars: list[tuple[int, int]]
    beats: list[int]


class Bars:
    """Bar lines of a performance, learnt from the bar and beat in the engine's reports."""

    def __init__(self) -> None:
        self.metre = "4/4"  # what the metre knob says
        self.map: MetreMap = metre_map(self.metre)
        self._asked: tuple[MetreMap, int, int] | None = None
        self._lines = BarLines([], [])

    def restart(self) -> None:
        """A new performance begins, in the knob's metre."""
        self.map = metre_map(self.metre)

    def report(self, tick: float, bar: int, beat: int) -> None:
        """The engine says: `tick` is in `bar`, on `beat` (both counted from 1)."""
        place = self.map.locate(int(tick))
        if place.metre is not None:
            beat_ticks = TICKS_PER_BEAT * 4 // place.metre.denominator
            if (place.bar + 1, place.offset // beat_ticks + 1) == (bar, beat):
                return
        new = metre_map(self.metre).metres[0]
        beat_ticks = TICKS_PER_BEAT * 4 // new.denominator
        start = int(tick) // beat_ticks * beat_ticks - (beat - 1) * beat_ticks
        if start > self.map.metres[-1].tick:
            self.map = MetreMap((*self.map.metres, Metre(start, new.numerator, new.denominator)))

    def lines(self, first: float, last: float) -> BarLines:
        """Bar lines and beats in the bars from the one of tick `first` to the one of tick `last`."""
        bar, end = (self.map.locate(max(0, int(tick))).bar for tick in (first, last))
        if (self.map, bar, end) != self._asked:
            self._asked = (self.map, bar, end)
            self._lines = self._find_lines(bar, end)
        return self._lines

    def _find_lines(self, bar: int, end: int) -> BarLines:
        bars: list[tuple[int, int]] = []
        beats: list[int] = []
        for at in range(bar, end + 1):
            start = self.map.start_of(at)
            bars.append((start, at + 1))
            metre = self.map.locate(start).metre
            step = TICKS_PER_BEAT * 4 // metre.denominator if metre else TICKS_PER_BEAT
            beats.extend(range(start + step, self.map.start_of(at + 1), step))
        return BarLines(bars, beats)
