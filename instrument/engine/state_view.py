"""The state of the performance for other threads to read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeVar

from instrument.engine.ipc.messages import Anchor, BarReport, KnobInfo, NoteReport, Value
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance, Played
from instrument.engine.surface.history import History
from instrument.io.ports import Clock
from instrument.music.chords.names import chord_name
from instrument.music.notes import Note
from instrument.music.plan import Plan

Item = TypeVar("Item")

SHOWN_BARS = 16  # of the plan, before the present one
SHOW_NS = 30_000_000  # between two updates of the planned notes


class Snapshot(NamedTuple):
    """A performance without its notes. values: by name ("0/temperature"); pads, kinds: by player."""

    patch: Patch
    knobs: tuple[KnobInfo, ...]
    values: dict[str, Value]
    pads: tuple[tuple[Anchor, ...] | None, ...]
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, performance: Performance) -> Snapshot:
        """Take a snapshot of a performance."""
        return cls(
            performance.current_patch(),
            performance.table.all,
            performance.values,
            performance.pads,
            performance.kinds,
        )

    def turned_since(self, before: Snapshot) -> dict[str, Value] | None:
        """The knobs whose values differ from those in `before`; None if more than values has changed."""
        if self._without_values() != before._without_values():
            return None
        return {name: value for name, value in self.values.items() if before.values[name] != value}

    def _without_values(self) -> tuple[object, ...]:
        """Everything but the values of knobs."""
        patch = self.patch
        players = tuple(PlayerPatch(player.model, anchors=player.anchors) for player in patch.players)
        return self.knobs, self.pads, self.kinds, patch.name, patch.voices, patch.macros, patch.routing, players


class StateView:
    """Written by the notes thread only, read by others.

    snapshot: replaced as a whole; plan: the planned notes, at most about `SHOW_NS` old; bars: those of the plan of
    chords, as old; led: the chord that a person leads with; committed: committed notes,
    which the reader removes.
    """

    def __init__(self, performance: Performance, clock: Clock) -> None:
        self.snapshot = Snapshot.of(performance)
        self.history = History(self.snapshot.patch)
        self.plan: tuple[NoteReport, ...] = ()
        self.committed: deque[NoteReport] = deque(maxlen=4096)
        self._clock = clock
        self._shown = 0
        self._plan_changed = True
        self.bars: tuple[BarReport, ...] = ()
        self.led = ""
        self._bars_of: tuple[Plan | None, frozenset[int]] | None = None

    def update(self, performance: Performance, by_itself: bool = False) -> None:
        """Take a new snapshot, as something other than the notes changed. by_itself: nobody asked for it."""
        self.snapshot = Snapshot.of(performance)
        self.history.note(self.snapshot.patch, performance.written_chords, by_itself)
        self._plan_changed = True

    def add(self, played: Iterable[Played]) -> None:
        """Add committed notes."""
        self.committed.extend(NoteReport(player, *note) for player, note in played)
        self._plan_changed = True

    def add_live(self, note: Note) -> None:
        """Add a note played by a person; it is shown with the first player."""
        self.add([(0, note)])

    def plan_changed(self) -> None:
        """Note that more notes have been planned."""
        self._plan_changed = True

    def show_plan(self, performance: Performance) -> None:
        """Update `plan`, at most every `SHOW_NS`."""
        now = self._clock.now()
        if self._plan_changed and now - self._shown > SHOW_NS:
            self._shown = now
            self._plan_changed = False
            self.plan = tuple(NoteReport(player, *note) for player, note in performance.planned(float("inf")))
            self._show_bars(performance)

    def _show_bars(self, performance: Performance) -> None:
        """Update `bars` and `led`, if the plan is another."""
        plan, written = performance.plan, frozenset(performance.written_chords)
        self.led = performance.led
        if (plan, written) == self._bars_of:
            return
        self._bars_of = plan, written
        if plan is None:
            self.bars = ()
            return
        first = max(0, performance.metres.locate(performance.floor).bar - SHOWN_BARS)
        self.bars = tuple(
            BarReport(
                number, plan.starts[number], bar.ticks, bar.section, bar.begins,
                tuple((at, chord_name(chord)) for at, chord in bar.chords),
                bar.recall.bar if bar.recall else -1, number in written,
            )
            for number, bar in enumerate(plan.bars[first:], first)
        )  # fmt: skip


def drained(queue: deque[Item]) -> Iterator[Item]:
    """Remove and yield everything in a queue that another thread fills."""
    with suppress(IndexError):
        while True:
            yield queue.popleft()
