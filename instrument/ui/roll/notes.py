"""The data of the piano roll, without Qt: notes, bar lines, and the position between two reports."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from instrument.engine.ipc.messages import NoteReport
from instrument.engine.performance.transport import metre_map
from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT, Metre, MetreMap

KEPT_TICKS = 32 * 4 * TICKS_PER_BEAT
_JUMP = TICKS_PER_BEAT  # ticks; from this difference on the position has jumped
_CORRECTION = 0.15  # share of a smaller difference that every report corrects
_STROKE = 6  # ticks for which a drum note is highlighted
_EXTRAPOLATED_S = 0.25  # how long the playhead moves on without a report

# General MIDI percussion keys by lane, from the bottom. All other keys are in the last lane.
DRUM_LANES = ("Kick", "Snare", "Toms", "Hats", "Cymbals", "Perc")
_DRUM_KEYS = (
    (35, 36), (37, 38, 39, 40), (41, 43, 45, 47, 48, 50), (42, 44, 46), (49, 51, 52, 53, 55, 57, 59),
)  # fmt: skip
_LANE_OF = {key: lane for lane, keys in enumerate(_DRUM_KEYS) for key in keys}


def drum_lane(key: int) -> int:
    """The lane of a percussion key, counted from the bottom."""
    return _LANE_OF.get(key, len(DRUM_LANES) - 1)


class RollNotes:
    """The notes committed within the last `KEPT_TICKS`, and the planned notes.

    count: notes ever committed. performance, planned_version: incremented with every new performance and every change
    of the planned notes.
    """

    def __init__(self) -> None:
        self.committed: deque[NoteReport] = deque()
        self.planned: tuple[NoteReport, ...] = ()
        self.count = self.performance = self.planned_version = 0
        self.drums = False  # whether there has been any drum note
        self.span: tuple[int, int] | None = None  # lowest and highest pitch, without drums
        self._unfinished: list[NoteReport] = []  # committed notes that have not ended

    def commit(self, notes: Sequence[NoteReport]) -> None:
        """Add committed notes and forget those older than `KEPT_TICKS`."""
        if not notes:
            return
        self.committed.extend(notes)
        self._unfinished.extend(notes)
        self.count += len(notes)
        oldest = self.committed[-1].tick - KEPT_TICKS
        while self.committed[0].tick < oldest:
            self.committed.popleft()
        self._look_at(notes)

    def set_planned(self, notes: tuple[NoteReport, ...]) -> None:
        """Replace the planned notes."""
        if notes != self.planned:
            self.planned = notes
            self.planned_version += 1
            self._look_at(notes)

    def begin(self) -> None:
        """Begin another performance: forget the committed notes."""
        self.committed.clear()
        self._unfinished.clear()
        self.performance += 1
        self._look_at(())

    def sounding(self, tick: float) -> list[NoteReport]:
        """The committed notes that sound at `tick`. Within a performance, `tick` must not decrease."""
        self._unfinished = [note for note in self._unfinished if tick < note.tick + _shown_ticks(note)]
        return [note for note in self._unfinished if note.tick <= tick]

    def _look_at(self, fresh: Sequence[NoteReport]) -> None:
        self.drums = self.drums or any(note.part == Part.DRUMS for note in fresh)
        pitches = [note.pitch for note in (*self.committed, *self.planned) if note.part != Part.DRUMS]
        self.span = (min(pitches), max(pitches)) if pitches else None


def _shown_ticks(note: NoteReport) -> int:
    """How long a note is highlighted: long enough to be visible, a drum note for `_STROKE` ticks."""
    return _STROKE if note.part == Part.DRUMS else max(note.duration, _STROKE // 2)


class Playhead:
    """The position of the music at any time, smoothed between the engine's reports."""

    def __init__(self) -> None:
        self._tick = self._now = self._rate = 0.0

    def report(self, tick: float, bpm: float, now: float) -> None:
        """Take a report: at `now` (seconds) the music is at `tick` and moves at `bpm`."""
        here = self.at(now)
        drifted = self._rate > 0 and abs(tick - here) < _JUMP
        self._tick = here + (tick - here) * _CORRECTION if drifted else tick
        self._now = now
        self._rate = bpm * TICKS_PER_BEAT / 60

    def halt(self, tick: float) -> None:
        """Stop at `tick`."""
        self._tick, self._rate = tick, 0.0

    def at(self, now: float) -> float:
        """The tick at `now`, with a fraction."""
        return self._tick + self._rate * min(max(now - self._now, 0.0), _EXTRAPOLATED_S)


class BarLines(NamedTuple):
    """bars: (tick, bar counted from 1); beats: the ticks of the beats between them."""

    bars: list[tuple[int, int]]
    beats: list[int]


class Bars:
    """Bar lines of a performance, derived from the bar and beat of the engine's reports."""

    def __init__(self) -> None:
        self.metre = "4/4"  # value of the metre knob
        self.map: MetreMap = metre_map(self.metre)
        self._cached_for: tuple[MetreMap, int, int] | None = None
        self._lines = BarLines([], [])

    def restart(self) -> None:
        """Begin a new performance in the metre of the knob."""
        self.map = metre_map(self.metre)

    def report(self, tick: float, bar: int, beat: int) -> None:
        """Take a report: `tick` is in `bar`, on `beat`, both counted from 1. A mismatch means a new metre."""
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
        """Bar lines and beats from the bar of tick `first` to the bar of tick `last`."""
        bar, end = (self.map.locate(max(0, int(tick))).bar for tick in (first, last))
        if (self.map, bar, end) != self._cached_for:
            self._cached_for = (self.map, bar, end)
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
