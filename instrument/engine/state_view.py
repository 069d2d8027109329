"""What other threads may see of the performance that the notes thread plays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeVar

from instrument.engine.ipc.messages import Anchor, KnobInfo, NoteReport, Value
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance, Played
from instrument.io.ports import Clock
from instrument.music.notes import Note

Item = TypeVar("Item")

SHOW_NS = 30_000_000  # between two pictures of the plan


class Snapshot(NamedTuple):
    """A performance but for its notes. values: by name ("0/temperature"); pads, kinds: by player."""

    patch: Patch
    knobs: tuple[KnobInfo, ...]
    values: dict[str, Value]
    pads: tuple[tuple[Anchor, ...] | None, ...]
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, performance: Performance) -> Snapshot:
        """The performance as it is now."""
        return cls(
            performance.current_patch(),
            performance.table.all,
            performance.values,
            performance.pads,
            performance.kinds,
        )

    def turned_since(self, before: Snapshot) -> dict[str, Value] | None:
        """The knobs that have other values than `before`; None where more than values has changed."""
        if self._without_values() != before._without_values():
            return None
        return {name: value for name, value in self.values.items() if before.values[name] != value}

    def _without_values(self) -> tuple[object, ...]:
        """All but the values; of the patch what is no knob."""
        patch = self.patch
        players = tuple(PlayerPatch(player.model, anchors=player.anchors) for player in patch.players)
        return self.knobs, self.pads, self.kinds, patch.name, patch.voices, patch.routing, players


class StateView:
    """Written by the notes thread alone.

    snapshot: replaced as a whole; plan: the planned notes, as of some `SHOW_NS` ago; committed: notes that have been
    committed, for whoever reads them to take out.
    """

    def __init__(self, performance: Performance, clock: Clock) -> None:
        self.snapshot = Snapshot.of(performance)
        self.plan: tuple[NoteReport, ...] = ()
        self.committed: deque[NoteReport] = deque(maxlen=4096)
        self._clock = clock
        self._shown = 0
        self._plan_changed = True

    def update(self, performance: Performance) -> None:
        """Something other than the notes changed."""
        self.snapshot = Snapshot.of(performance)
        self._plan_changed = True

    def add(self, played: Iterable[Played]) -> None:
        """These notes have been committed."""
        self.committed.extend(NoteReport(player, *note) for player, note in played)
        self._plan_changed = True

    def add_live(self, note: Note) -> None:
        """A person plays this note; it belongs to the first player, which hears it."""
        self.add([(0, note)])

    def plan_changed(self) -> None:
        """More has been planned."""
        self._plan_changed = True

    def show_plan(self, performance: Performance) -> None:
        """Renew `plan`, as often as somebody looks."""
        now = self._clock.now()
        if self._plan_changed and now - self._shown > SHOW_NS:
            self._shown = now
            self._plan_changed = False
            self.plan = tuple(NoteReport(player, *note) for player, note in performance.planned(float("inf")))


def drained(queue: deque[Item]) -> Iterator[Item]:
    """Everything in a queue that another thread fills, removed from it."""
    with suppress(IndexError):
        while True:
            yield queue.popleft()
