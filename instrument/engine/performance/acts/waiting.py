"""Changes that wait for the next beat or bar: another genre or model, parts that fall silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from instrument.engine.ipc.messages import KnobInfo, Value
from instrument.engine.performance.arrangement import GENRE
from instrument.engine.performance.harmony.leading import NOW, on_grid
from instrument.engine.performance.knobs import INSTRUMENT, knob_name
from instrument.engine.performance.patches import PART_NAMES, PlayerPatch
from instrument.music.timebase import TICKS_PER_BEAT, MetreMap

EARLY = TICKS_PER_BEAT // 4  # ticks before its place at which a change is made, so that its first notes are in time


class Change(NamedTuple):
    """A change, the tick at which it takes effect, and what it brings: values of knobs by name, seats by player."""

    tick: int
    act: Callable[[], object]
    values: Mapping[str, Value] = {}
    seats: Mapping[int, PlayerPatch] = {}


def timing_knob(info: KnobInfo) -> str:
    """The id of the instrument's knob that says when a turn of a knob takes effect; empty: at once."""
    if info.id == GENRE:
        return "changes"
    return "mutes" if info.id in (*PART_NAMES, "mute", "solo") else ""


def when_of(info: KnobInfo, knobs: Mapping[str, Value]) -> str:
    """When a turn of a knob takes effect, one of `leading.PLACES`. knobs: all, by name."""
    timing = timing_knob(info)
    return str(knobs[knob_name(INSTRUMENT, timing)]) if timing else NOW


def place(when: str, metres: MetreMap, floor: int) -> int:
    """The tick of the next place of one of `leading.PLACES`, from the tick `floor` on."""
    return floor if when == NOW else on_grid(when, metres, floor)


class Waiting:
    """The changes that wait, the last one of each name. done: how many have been made."""

    def __init__(self) -> None:
        self._changes: dict[str, Change] = {}
        self.done = 0

    @property
    def tick(self) -> int | None:
        """Where the next change takes effect, None if none waits."""
        return min((change.tick for change in self._changes.values()), default=None)

    @property
    def values(self) -> dict[str, Value]:
        """The values of knobs that changes will bring, by name."""
        return {name: value for change in self._changes.values() for name, value in change.values.items()}

    @property
    def seats(self) -> dict[int, PlayerPatch]:
        """The players that changes will bring, by number."""
        return {player: seat for change in self._changes.values() for player, seat in change.seats.items()}

    def add(self, name: str, change: Change) -> None:
        """Let a change wait in place of that of the same name."""
        self._changes[name] = change

    def drop(self, name: str) -> None:
        """Forget a change, if there is one of this name."""
        self._changes.pop(name, None)

    def take(self, tick: int) -> list[Callable[[], object]]:
        """Remove those that take effect up to a tick. Returns what they do, in order of time."""
        due = sorted((change.tick, name) for name, change in self._changes.items() if change.tick <= tick)
        self.done += len(due)
        return [self._changes.pop(name).act for _, name in due]
