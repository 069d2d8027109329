"""What the piano roll shows, without a screen: notes kept, bars, and where the music is between two reports."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from instrument.engine.messages import NoteReport
from instrument.engine.transport import metre_map
from instrument.music.notes import Part
from instrument.music.timebase import TICKS_PER_BEAT, Metre, MetreMap

KEPT_TICKS = 32 * 4 * TICKS_PER_BEAT
_JUMP = TICKS_PER_BEAT  # a difference from which on the music has jumped, rather than drifted
_PULL = 0.15  # of the difference that is made up with every report
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
    """The notes committed of late, and the plan; a version of each changes whenever they do."""

    def __init__(self) -> None:
        self.committed: deque[NoteReport] = deque()
        self.plan: tuple[NoteReport, ...] = ()
        self.version = self.plan_version = 0
        self.drums = False  # whether there ever were any

    def commit(self, notes: Iterable[NoteReport]) -> None:
        """Add committed notes; those long past are forgotten."""
        before = len(self.committed)
        self.committed.extend(notes)
        if len(self.committed) == before:
            return
        horizon = self.committed[-1].tick - KEPT_TICKS
        while self.committed[0].tick < horizon:
            self.committed.popleft()
        self.version += 1
        self._look_for_drums(self.committed)

    def replan(self, notes: tuple[NoteReport, ...]) -> None:
        """Take another plan."""
        if notes != self.plan:
            self.plan = notes
            self.plan_version += 1
            self._look_for_drums(notes)

    def forget_committed(self) -> None:
        """Begin anew with the plan there is."""
        self.committed.clear()
        self.version += 1

    def sounding(self, tick: float) -> list[NoteReport]:
        """The committed notes that sound at `tick`."""
        return [note for note in self.committed if note.tick <= tick < note.tick + max(note.duration, 3)]

    def span(self) -> tuple[int, int] | None:
        """Lowest and highest pitch there is, drums apart; None without any."""
        pitches = [
            note.pitch for notes in (self.committed, self.plan) for note in notes if note.part != Part.DRUMS
        ]
        return (min(pitches), max(pitches)) if pitches else None

    def _look_for_drums(self, notes: Iterable[NoteReport]) -> None:
        self.drums = self.drums or any(note.part == Part.DRUMS for note in notes)


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


class Bars:
    """Bar lines of a performance, learnt from the bar and beat in the engine's reports."""

    def __init__(self) -> None:
        self.metre = "4/4"  # what the metre knob says
        self.map: MetreMap = metre_map(self.metre)

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

    def lines(self, first: float, last: float) -> tuple[list[tuple[int, int]], list[int]]:
        """Bar lines as (tick, bar counted from 1) and the ticks of the beats between, from `first` to `last`."""
        bars: list[tuple[int, int]] = []
        beats: list[int] = []
        bar = self.map.locate(max(0, int(first))).bar
        while (start := self.map.start_of(bar)) <= last:
            bars.append((start, bar + 1))
            metre = self.map.locate(start).metre
            step = TICKS_PER_BEAT * 4 // metre.denominator if metre else TICKS_PER_BEAT
            beats.extend(range(start + step, self.map.start_of(bar + 1), step))
            bar += 1
        return bars, beats
