"""Makes a planned bar of one player anew, while what comes before and after it stays.

Candidates are drawn with other seeds, from the state of the player before the bar. Each is then followed by the notes
that are planned after it, whose likelihood says how well it leads over to them. The best comes first; all can be heard
in turn. Which notes stand in the bar is in the take, so nothing of this happens when it is rendered.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from instrument.engine.performance.harmony.fullness import next_note
from instrument.engine.performance.line import Line
from instrument.engine.performance.player_state import PlayerState
from instrument.engine.performance.takes import Laid
from instrument.engine.performance.transport import bar_line
from instrument.errors import HocketError
from instrument.models.notes.player import Scoring
from instrument.music.notes import Note, Part
from instrument.music.plan import Plan
from instrument.music.timebase import TICKS_PER_BEAT, MetreMap

logger = logging.getLogger(__name__)

CANDIDATES = 4
FARTHEST = 16  # bars ahead
FOLLOWING = 24  # most notes after the bar by which a candidate is judged
BEYOND = 2 * TICKS_PER_BEAT  # ticks after the bar that are planned before it is made anew
MOST_NOTES = 128  # of a bar
SOON = TICKS_PER_BEAT  # ticks before a bar in which there may be no time to make it anew
SEED_STEP = 7919  # between the seeds of candidates


class Remakeable(Protocol):
    """What is needed of a performance."""

    metres: MetreMap

    @property
    def floor(self) -> int:
        """The tick before which everything has been committed."""
        ...

    @property
    def seed(self) -> int:
        """The seed of all draws."""
        ...

    def player(self, number: int) -> PlayerState:
        """The record of a player. HocketError if there is none of that number."""
        ...

    def put(self, number: int, *, ahead: tuple[Note, ...], laid: Laid) -> None:
        """Apply an input to a player."""
        ...


@dataclass
class Remake:
    """A bar that is made anew. bar: its number, from 0, when it was begun; original: what stood in it; candidates: (log
    likelihood of what follows, notes), the best first; chosen: which of them stands in it, -1 for the original."""

    player: int
    bar: int
    original: tuple[Note, ...] = ()
    candidates: list[tuple[float, tuple[Note, ...]]] | None = None
    chosen: int = -1


class Remaking:
    """The last bar that was made anew. `step` works on it, a note at a time, so that the music goes on meanwhile.

    problem: why the last one was not made, else empty.
    """

    def __init__(self, performance: Remakeable) -> None:
        self._performance = performance
        self.last: Remake | None = None
        self.problem = ""
        self._work: Iterator[None] = iter(())
        self._begun = 0

    def begin(self, player: int, bar: int) -> None:
        """Make a bar (from 0) of a player anew. HocketError if it has been played, or is too far ahead."""
        line = self._performance.player(player).line
        if line is None:
            raise HocketError(f"player {player} plays no notes: choose another one")
        remake = Remake(player, self._coming(player, bar))
        here = self._performance.metres.locate(self._performance.floor).bar
        if remake.bar > here + FARTHEST:
            raise HocketError(f"bar {bar + 1} is too far ahead: choose one up to {here + FARTHEST + 1}")
        line.tried_out(self._performance.floor)  # raises where a model cannot
        self.problem = ""
        self._begun += 1
        self.last, self._work = remake, self._make(remake, line)

    def begin_next(self, player: int) -> None:
        """Make the next bar of a player anew that is not too near. HocketError as `begin`."""
        performance = self._performance
        soon = bar_line(performance.metres, performance.floor + SOON)
        self.begin(player, performance.metres.locate(soon).bar)

    def step(self) -> bool:
        """Work on it, as long as a note takes. Returns False if there is nothing to do."""
        try:
            for _ in self._work:
                return True
        except HocketError as error:
            logger.warning("a bar was not made anew: %s", error)
            self.problem = str(error)
        return False

    def other(self) -> None:
        """Hear the next candidate in its place, if there is one; in a loop, when the bar comes again. HocketError if it
        has begun."""
        if self.last and self.last.candidates:
            self._place(self.last, (self.last.chosen + 1) % len(self.last.candidates))

    def undo(self) -> None:
        """Hear the original in its place, if it is another; in a loop, when the bar comes again. HocketError if it has
        begun."""
        if self.last and self.last.chosen >= 0:
            self._place(self.last, -1)

    def keep(self) -> None:
        """Keep what stands in the bar, and forget the candidates."""
        self.last, self._work = None, iter(())

    def _coming(self, player: int, bar: int) -> int:
        """The number of a bar, or of its next round in a loop. HocketError if it has begun and does not return."""
        performance, plan = self._performance, self._performance.player(player).plan
        loop = plan.loop if plan else None
        coming = bar
        while loop and coming >= loop[0] - loop[1] and performance.metres.start_of(coming) < performance.floor:
            coming += loop[1]
        if performance.metres.start_of(coming) < performance.floor:
            raise HocketError(f"bar {bar + 1} has begun: choose one that is still planned, or loop it")
        return coming

    def _make(self, remake: Remake, line: Line) -> Iterator[None]:
        """Find the candidates and put the best into the bar. Yields after each note."""
        performance, player = self._performance, self._performance.player(remake.player)
        start, end = (performance.metres.start_of(remake.bar + more) for more in (0, 1))
        while line.known < end + BEYOND:
            player.extend()
            yield
        remake.original = tuple(note for note in line.plan if start <= note.tick < end)
        following = [note for note in line.plan if note.tick >= end][:FOLLOWING]
        last = next((note for note in reversed(line.plan) if note.tick < start), None)
        drums = any(note.part == Part.DRUMS for note in line.plan)
        plan = player.plan.until(end) if player.plan else None
        free = _without_recall(plan, start)
        trial = line.tried_out(start)
        before, found = trial.count, []
        for number in range(CANDIDATES):
            trial.rewind(before)
            trial.reseed(performance.seed + SEED_STEP * (CANDIDATES * self._begun + number))
            notes: list[Note] = []
            for _ in range(MOST_NOTES):
                ask = line.ask.at(max(line.ask.floor, start))
                note = next_note(trial, ask, free, notes[-1] if notes else last, drums)
                if note.tick >= end:
                    break
                trial.feed(note)
                notes.append(note)
                yield
            likelihood = 0.0
            for note in following:
                likelihood += _likelihood(trial, note, line, plan, end)
                yield
            found.append((likelihood, tuple(notes)))
        remake.candidates = sorted(found, key=lambda each: (not each[1], -each[0]))  # silence comes last
        self._place(remake, 0)

    def _place(self, remake: Remake, chosen: int) -> None:
        """Put a candidate, or the original, into the bar, or into its next round."""
        performance, line = self._performance, self._performance.player(remake.player).line
        assert line
        assert remake.candidates
        metres, coming = performance.metres, self._coming(remake.player, remake.bar)
        was, start, end = (metres.start_of(bar) for bar in (remake.bar, coming, coming + 1))
        notes = remake.original if chosen < 0 else remake.candidates[chosen][1]
        moved = [note._replace(tick=note.tick - was + start) for note in notes]
        inside = [note for note in moved if note.tick < end]
        ahead: tuple[Note, ...] = ()  # what has not been planned up to the bar is planned when it comes
        if line.known >= start:
            before = [note for note in line.plan if performance.floor <= note.tick < start]
            ahead = (*before, *inside, *(note for note in line.plan if note.tick >= end))
        performance.put(remake.player, ahead=ahead, laid=Laid(start, end, tuple(inside)))
        remake.chosen = chosen


def _likelihood(trial: Scoring, note: Note, line: Line, plan: Plan | None, floor: int) -> float:
    """The log likelihood of the note that comes next, which is then fed."""
    found = trial.log_likelihood(note, replace(line.ask.at(max(line.ask.floor, floor)), plan=plan))
    trial.feed(note)
    return found


def _without_recall(plan: Plan | None, tick: int) -> Plan | None:
    """The plan, with nothing that returns from the bar at a tick on."""
    bar = plan.bar_at(tick) if plan else None
    if plan is None or bar is None:
        return plan
    return plan.replaced(bar, [each._replace(recall=None) for each in plan.bars[bar:]])


def read_bar(text: str) -> tuple[int, int]:
    """(player, bar from 0) of "0/3", in which bars count from 1. HocketError for anything else."""
    player, _, bar = text.partition("/")
    if not (player.isdecimal() and bar.isdecimal() and len(player) < 3 and len(bar) < 7 and int(bar)):
        raise HocketError(f"{text!r} names no bar: write PLAYER/BAR, as in 0/3 for the third bar of the first player")
    return int(player), int(bar) - 1
