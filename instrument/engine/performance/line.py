"""Generating ahead: one player's notes, first planned, then committed."""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from instrument.errors import HocketError
from instrument.models.notes.player import Ask, NotePlayer, feed_all
from instrument.music.notes import Note
from instrument.music.plan import Plan
from instrument.music.timebase import MetreMap

CONTEXT = 64  # notes a player is given again when its seed, its metre or its model changes
REWOUND = 32  # committed notes at most that come after one that is heard late, as a live note is


class Line:
    """What one player has played and means to play.

    `plan` holds the notes proposed and fed but not yet heard; `count` counts those committed. Notes come in
    `Note.order`, none before the floor of its `Ask`. Every note is a function of the notes before it and of
    the changes made before it was committed, never of time or of how often something was planned. One thread.
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
        self._recent: deque[Note] = deque(maxlen=CONTEXT)
        self.restart(player, seed, metres)

    @property
    def player(self) -> NotePlayer:
        """Who plays it."""
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
        """Plan one more note. It takes as long as the model takes for a note."""
        ask = self.ask
        if self.spacing and self.known > ask.floor:
            ask = ask.at(self.known)
        note = self._player.propose(replace(ask, plan=self._plan_until(self.known)))
        self._player.feed(note)
        self.plan.append(note)
        return note

    def commit(self, tick: int, whole: bool = False) -> list[Note]:
        """Commit the complete onset ticks before `tick`, and return their notes.

        An onset tick is complete once a later note is planned, or where the caller says so with `whole`.
        """
        edge = tick if whole else min(tick, self.known)
        committed = []
        while self.plan and self.plan[0].tick < edge:
            committed.append(self.plan.popleft())
        self._take(committed)
        return committed

    def take(self, count: int) -> list[Note]:
        """Commit the next `count` notes, planning them where they are not planned yet. For rendering."""
        while len(self.plan) < count:
            self.extend()
        committed = [self.plan.popleft() for _ in range(count)]
        self._take(committed)
        return committed

    def change(self, ask: Ask, spacing: int = 0) -> None:
        """Drop the plan and go on from the last committed note as `ask` says, from its floor.

        spacing: ticks from one onset to the next at least (0 = free, 1 = no chords), for a slow model.
        """
        self.ask = ask
        self.spacing = spacing
        if self.plan:
            self.plan.clear()
            self._player.rewind(self.count - self._offset)

    def restart(self, player: NotePlayer | None, seed: int, metres: MetreMap) -> None:
        """Drop the plan and go on with another seed, metre or player (None: the same), which is fed the last `CONTEXT`
        notes."""
        self.plan.clear()
        self._player: NotePlayer = player or self._player
        self._player.reset(seed, self.number, metres)
        feed_all(self._player, self._recent)
        self._offset = self.count - self._player.count

    def append(self, notes: Sequence[Note]) -> None:
        """Take `notes`, in order and after all there are, as played by this line. Drops the plan."""
        self.change(self.ask, self.spacing)
        feed_all(self._player, notes)
        self._take(notes)

    def insert_live(self, notes: Sequence[Note]) -> None:
        """Take live notes as played by this line too, each at its place among those committed. Drops the plan.

        The player does not hear what it played itself at that tick, or what lies too far back.
        """
        self.change(self.ask, self.spacing)
        recent = list(self._recent)
        known = {note.order for note in recent}
        earliest = recent[-REWOUND].order if len(recent) >= REWOUND else -1
        heard = {note.order: note for note in notes if note.order not in known and note.order > earliest}
        self.count += len(notes)
        self._offset += len(notes) - len(heard)
        if not heard:
            return
        at = bisect(recent, min(heard), key=lambda each: each.order)
        following = sorted((*heard.values(), *recent[at:]), key=lambda each: each.order)
        self._player.rewind(self._player.count - len(recent[at:]))
        with suppress(HocketError):  # asked first, so that all is taken in under the knobs that hold now
            self._player.propose(replace(self.ask, plan=self._plan_until(self.known)))
        for note in following:
            self._player.feed(note)
        self._recent = deque((*recent[:at], *following), maxlen=CONTEXT)
        self._forget()

    def _take(self, notes: Sequence[Note]) -> None:
        if notes:
            self.count += len(notes)
            self._recent.extend(notes)
            self._forget()

    def _forget(self) -> None:
        self._player.forget_before(max(0, self._player.count - len(self.plan) - REWOUND))
