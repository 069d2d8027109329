"""A line: the notes of one note player, first planned, then committed."""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain

from instrument.engine.performance.harmony.fullness import next_note
from instrument.engine.performance.takes import Laid
from instrument.engine.performance.transport import bar_line
from instrument.errors import HocketError
from instrument.models.notes.player import Ask, NotePlayer, Scoring, feed_all
from instrument.music.notes import Note, Part
from instrument.music.plan import Plan
from instrument.music.timebase import MetreMap

REPEATED = 1024  # most committed notes that can be repeated
CONTEXT = 64  # notes that are fed to a player again after a change of seed, metre or model
REWOUND = 32  # most committed notes that may follow an inserted live note


class Line:
    """The planned and the committed notes of one player.

    cue: a tick at which its melody has to come in, None: none; plan: notes that were proposed and fed but are not
    committed; count: number of committed notes. Notes come in `Note.order`, none before the floor of the `Ask`. Every
    note is a function of the notes before it and of the changes made before it was committed, never of time or of how
    often something was planned. For one thread.
    """

    def __init__(
        self,
        player: NotePlayer,
        seed: int,
        number: int,
        metres: MetreMap,
        ask: Ask,
        plan_until: Callable[[int], Plan | None] = lambda tick: None,
    ) -> None:
        """plan_until: the plan of chords and bars, written well beyond a tick; None where there is none."""
        self.number = number
        self._plan_until = plan_until
        self.count = 0
        self.plan: deque[Note] = deque()
        self.ask = ask
        self.spacing = 0
        self._laid: list[Laid] = []
        self.cue: int | None = None
        self._frozen: tuple[int, int] | None = None  # from which tick on notes are repeated, and after how many ticks
        self._played: deque[Note] = deque(maxlen=REPEATED)  # by this line itself
        self._recent: deque[Note] = deque(maxlen=CONTEXT)
        self.restart(player, seed, metres)

    @property
    def player(self) -> NotePlayer:
        """The note player."""
        return self._player

    @property
    def known(self) -> int:
        """The tick up to which the line is planned: no further note will have its onset before it."""
        return max(self.ask.floor, self._next)

    @property
    def _next(self) -> int:
        """The earliest onset that the last note allows."""
        if self.plan:
            return self.plan[-1].tick + self.spacing
        return self._recent[-1].tick + self.spacing if self._recent else 0

    def extend(self) -> Note:
        """Plan one more note. Takes as long as one step of the model. HocketError for an impossible one."""
        ask = self.ask
        if self.spacing and self.known > ask.floor:
            ask = ask.at(self.known)
        last = self.plan[-1] if self.plan else self._recent[-1] if self._recent else None
        note = self._next_laid(ask, last) if self._laid else self._repeated(ask, last) or self._proposed(ask, last)
        self._player.feed(note)
        self.plan.append(note)
        return note

    def lay(self, laid: Laid, ahead: Sequence[Note]) -> None:
        """Let the notes of a bar stand fast, also when the plan is dropped later. Plan `ahead` (in order, after all
        committed notes) in the place of what is planned."""
        self.change(self.ask, self.spacing)
        feed_all(self._player, ahead)
        self.plan.extend(ahead)
        others = [each for each in self._laid if each.start >= laid.end or each.end <= laid.start]
        self._laid = sorted([*others, laid])

    def freeze(self, bars: int, metres: MetreMap) -> None:
        """Repeat the last bars note for note from the next bar line on; 0: go on. A part that is off is left out."""
        self._frozen = None
        if bars:
            bar = max(bars, metres.locate(bar_line(metres, self.ask.floor)).bar)
            start = metres.start_of(bar)
            self._frozen = start, start - metres.start_of(bar - bars)

    def _repeated(self, ask: Ask, last: Note | None) -> Note | None:
        """The next note of those that are repeated, None if another one comes before, or there are none."""
        if self._frozen is None:
            return None
        start, lag = self._frozen
        earliest, after = max(start, ask.floor), last.order if last else -1
        parts = ask.parts or frozenset(Part)
        before = (note for note in chain(self._played, self.plan) if note.tick + lag >= earliest and note.part in parts)
        again = (note._replace(tick=note.tick + lag) for note in before)
        found = next((note for note in again if note.order > after), None)
        if found is None or self.known >= start:
            return found
        proposed = self._proposed(ask, last)
        return proposed if proposed.tick < start else found

    def _proposed(self, ask: Ask, last: Note | None) -> Note:
        drums = any(note.part == Part.DRUMS for note in (*self._recent, *self.plan))
        if self.cue is not None and (last is None or last.tick < self.cue):
            ask = replace(ask, floor=self.cue, latest=self.cue, parts=frozenset((int(Part.MELODY),)))
        return next_note(self._player, ask, self._plan_until(self.known), last, drums)

    def _next_laid(self, ask: Ask, last: Note | None) -> Note:
        """The next note, where notes are laid: of those, or what the player proposes outside them."""
        at, after = self.known, last.order if last else -1
        for laid in self._laid:
            if laid.end <= at:
                continue
            if at < laid.start and (proposed := self._proposed(ask.at(at), last)).tick < laid.start:
                return proposed
            for note in laid.notes:
                if note.tick >= at and note.order > after:
                    return note
            at = laid.end
        return self._proposed(ask.at(at), last)

    def commit(self, tick: int, whole: bool = False) -> list[Note]:
        """Commit the complete onset ticks before `tick`, and return their notes.

        An onset tick is complete once a later note is planned, or if the caller sets `whole`.
        """
        edge = tick if whole else min(tick, self.known)
        committed = []
        while self.plan and self.plan[0].tick < edge:
            committed.append(self.plan.popleft())
        self._take(committed)
        return committed

    def tried_out(self, tick: int) -> Scoring:
        """Another player in the state before the planned notes from `tick` on. HocketError if it has no such."""
        if not isinstance(self._player, Scoring):
            raise HocketError("this model cannot make a bar anew")
        other = self._player.fork()
        other.rewind(self.count - self._offset + sum(note.tick < tick for note in self.plan))
        return other

    def take(self, count: int) -> list[Note]:
        """Commit the next `count` notes and plan those that are missing. For rendering."""
        while len(self.plan) < count:
            self.extend()
        committed = [self.plan.popleft() for _ in range(count)]
        self._take(committed)
        return committed

    def change(self, ask: Ask, spacing: int = 0) -> None:
        """Drop the plan and continue after the last committed note with a new `ask`, from its floor.

        spacing: ticks from one onset to the next at least (0 = free, 1 = no chords), for a slow model.
        """
        self.ask = ask
        self.spacing = spacing
        self._laid = [laid for laid in self._laid if laid.end > ask.floor]
        if self.plan:
            self.plan.clear()
            self._player.rewind(self.count - self._offset)

    def restart(self, player: NotePlayer | None, seed: int, metres: MetreMap, fresh: bool = False) -> None:
        """Drop the plan and continue with another seed, metre or player (None: the same). The player is fed the last
        `CONTEXT` notes; fresh: those of the last onset only, so that it knows where it is and nothing else."""
        self.plan.clear()
        if fresh and self._recent:
            last = self._recent[-1].tick
            self._recent = deque((note for note in self._recent if note.tick == last), maxlen=CONTEXT)
        self._player: NotePlayer = player or self._player
        self._player.reset(seed, self.number, metres)
        feed_all(self._player, self._recent)
        self._offset = self.count - self._player.count

    def append(self, notes: Sequence[Note]) -> None:
        """Append notes (in order, after all committed ones) as if this line had played them. Drops the plan."""
        self.change(self.ask, self.spacing)
        feed_all(self._player, notes)
        self._take(notes)

    def insert(self, notes: Sequence[Note], own: bool = True) -> None:
        """Insert notes of others into the committed notes, each at its place, as context of the player. Drops the plan.
        own: they count as notes of this line, as those of a person do.

        Notes that the player itself played at that tick, or that lie too far back, are not inserted.
        """
        self.change(self.ask, self.spacing)
        recent = list(self._recent)
        known = {note.order for note in recent}
        earliest = recent[-REWOUND].order if len(recent) >= REWOUND else -1
        inserted = {note.order: note for note in notes if note.order not in known and note.order > earliest}
        self.count += len(notes) * own
        self._offset += len(notes) * own - len(inserted)
        if not inserted:
            return
        at = bisect(recent, min(inserted), key=lambda each: each.order)
        following = sorted((*inserted.values(), *recent[at:]), key=lambda each: each.order)
        self._player.rewind(self._player.count - len(recent[at:]))
        with suppress(HocketError):  # so that the notes are fed under the present knobs
            self._player.propose(replace(self.ask, plan=self._plan_until(self.known)))
        for note in following:
            self._player.feed(note)
        self._recent = deque((*recent[:at], *following), maxlen=CONTEXT)
        self._forget()

    def _take(self, notes: Sequence[Note]) -> None:
        if notes:
            self.count += len(notes)
            self._played.extend(notes)
            self._recent.extend(notes)
            self._forget()

    def _forget(self) -> None:
        self._player.forget_before(max(0, self._player.count - len(self.plan) - REWOUND))
