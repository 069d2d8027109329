"""Undo and redo: what a performance was before each step, and the way back.

A step is what has changed between two moments. To undo it, what it changed is put back by the same calls as when a
person turns a knob or loads a model, so that a take plays what was heard. What changed since by other means stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.knobs import INSTRUMENT, INSTRUMENT_KNOBS, knob_name, split_name
from instrument.engine.performance.pad import AXES
from instrument.engine.performance.patches import Patch
from instrument.errors import HocketError

MOST = 200  # steps that are kept
SAME_STEP_S = 0.7  # turns of the same knob within this time are one step
_LABELS = {info.id: info.label for info in INSTRUMENT_KNOBS}


class Moment(NamedTuple):
    """What can be undone: the patch, and the chords that a person wrote into bars, by number from 0."""

    patch: Patch
    chords: Mapping[int, str]


@dataclass(slots=True)
class Step:
    """What was done. names: of the knobs, or words for other things; gesture: 0, or a number that is the same for all
    that one movement of a hand did."""

    before: Moment
    after: Moment
    names: frozenset[str]
    gesture: int
    at: float

    @property
    def label(self) -> str:
        """What it changed, in a word or two."""
        if self.before.patch.name != self.after.patch.name:
            return f"patch {self.after.patch.name}" if self.after.patch.name else "patch"
        knobs = [name for name in self.names if "/" in name]
        if len(self.names) == 1 and knobs:
            id = split_name(knobs[0])[1]
            return _LABELS.get(id, id.replace("_", " "))
        return next((name for name in sorted(self.names) if "/" not in name), f"{len(knobs)} knobs")


class History:
    """The steps, for the notes thread. gesture: see `Step`; undoes, redoes: what the next undo or redo changes, for
    any thread."""

    def __init__(self, patch: Patch, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds."""
        self.gesture = 0
        self.restoring = False
        self._clock = clock
        self._now = Moment(patch, {})
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def undoes(self) -> str:
        """What the next undo changes, "" if there is nothing to undo."""
        return self._done[-1].label if self._done else ""

    @property
    def redoes(self) -> str:
        """What the next redo changes, "" if there is nothing to redo."""
        return self._undone[-1].label if self._undone else ""

    def note(self, patch: Patch, chords: Mapping[int, str], by_itself: bool = False) -> None:
        """Tell of the present state, after every change. by_itself: the change was nobody's wish."""
        before, self._now = self._now, Moment(patch, dict(chords))
        if self.restoring or by_itself or not (names := _changed(before, self._now)):
            return
        self._undone.clear()
        last, now = self._done[-1] if self._done else None, self._clock()
        if last and (
            (self.gesture and self.gesture == last.gesture) or (names == last.names and now - last.at < SAME_STEP_S)
        ):
            last.after, last.names, last.at = self._now, last.names | names, now
        else:
            self._done = [*self._done[1 - MOST :], Step(before, self._now, names, self.gesture, now)]

    def take(self, redo: bool) -> Moment:
        """Move the last step to the other list. Returns the moment to come back to. HocketError if there is no step."""
        there, other = (self._undone, self._done) if redo else (self._done, self._undone)
        if not there:
            raise HocketError(f"there is nothing to {'redo' if redo else 'undo'}")
        step = there.pop()
        other.append(step)
        back, forth = (step.after, step.before) if redo else (step.before, step.after)
        return _restored(self._now, forth, back)


def _changed(before: Moment, after: Moment) -> frozenset[str]:
    """The names of what differs: knobs by name, other things in a word."""
    one, other = before.patch, after.patch
    names = {knob_name(INSTRUMENT, id) for id in _different(one.knobs, other.knobs)}
    if seats(one) == seats(other):
        for number, (player, now) in enumerate(zip(one.players, other.players, strict=True)):
            turned = _different(player.knobs, now.knobs)
            names |= {knob_name(number, "pad" if id in AXES else id) for id in turned}
            names |= {"anchors"} if player.anchors != now.anchors else set()
    else:
        names.add("players")
    for what, differs in (
        ("macros", one.macros != other.macros),
        ("voices", one.voices != other.voices),
        ("chords", one.progression != other.progression or before.chords != after.chords),
        ("MIDI learn", one.routing.bindings != other.routing.bindings),
    ):
        names |= {what} if differs else set()
    return frozenset(names)


def _restored(now: Moment, forth: Moment, back: Moment) -> Moment:
    """The present with all that differs between `forth` and `back` as it is in `back`."""
    there, here, present = back.patch, forth.patch, now.patch
    players = present.players
    if not seats(present) == seats(here) == seats(there):
        players = there.players
    else:
        players = tuple(
            replace(
                player,
                knobs=_with(player.knobs, was.knobs, to.knobs),
                anchors=player.anchors if was.anchors == to.anchors else to.anchors,
            )
            for player, was, to in zip(players, here.players, there.players, strict=True)
        )
    fields = {
        field: getattr(there, field)
        for field in ("name", "about", "voices", "progression", "macros")
        if getattr(there, field) != getattr(here, field)
    }
    learnt = there.routing if there.routing.bindings != here.routing.bindings else present.routing
    patch = replace(
        present,
        knobs=_with(present.knobs, here.knobs, there.knobs),
        players=players,
        routing=replace(present.routing, bindings=learnt.bindings),
        **fields,
    )
    bars = {bar for bar in {*forth.chords, *back.chords} if forth.chords.get(bar) != back.chords.get(bar)}
    return Moment(patch, {**now.chords, **{bar: back.chords.get(bar, "") for bar in bars}})


def _different(one: Mapping[str, Value], other: Mapping[str, Value]) -> list[str]:
    return [id for id in {*one, *other} if one.get(id) != other.get(id)]


def _with(now: Mapping[str, Value], was: Mapping[str, Value], to: Mapping[str, Value]) -> dict[str, Value]:
    return {**now, **{id: to[id] for id in _different(was, to) if id in to}}


def seats(patch: Patch) -> list[tuple[str, tuple[str, ...]]]:
    """Who plays: the model and the parts of each player."""
    return [(player.model, player.parts) for player in patch.players]
