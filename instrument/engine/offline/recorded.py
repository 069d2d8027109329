"""Stand-ins for bundles of a take that are not installed: they play the recorded notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.knobs import INSTRUMENT, INSTRUMENT_KNOBS, split_name
from instrument.engine.performance.line import Line
from instrument.engine.performance.roster import Opened, OpenPlayer, planner_problem, same_bundle
from instrument.engine.performance.sound_seats import NOTES, kind
from instrument.engine.performance.takes import BundleRef, Entry, Input, Joined, Take, Turn
from instrument.errors import HocketError
from instrument.models.manifest import Knob
from instrument.models.notes.player import AsHeard, Ask
from instrument.models.sound.base import Knobs
from instrument.music.notes import Note
from instrument.music.timebase import MetreMap


@dataclass(frozen=True)
class RecordedBundle:
    """Stands in for a bundle of a take. Its knobs allow every value that they have in the take."""

    slug: str
    bundle_hash: str
    legacy_hash: str
    knobs: tuple[Knob, ...]
    parts: tuple[int, ...] = ()


class RecordedPlayer(AsHeard):
    """A `NotePlayer` that proposes the notes of a take and ignores its `Ask`."""

    def __init__(self, notes: Sequence[Note], position: Callable[[], int]) -> None:
        """notes: of this player, in the order in which they were committed; position: index of the next one."""
        self._notes, self._position = notes, position
        self.count = 0

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        """As `NotePlayer.reset`."""
        self.count = 0

    def propose(self, ask: Ask) -> Note:
        """The next recorded note. HocketError after the last one."""
        position = self._position()
        if position >= len(self._notes):
            raise HocketError(f"the take holds {len(self._notes)} notes of this player, not more")
        return self._notes[position]

    def feed(self, note: Note) -> None:
        """As `NotePlayer.feed`."""
        self.count += 1

    def rewind(self, count: int) -> None:
        """As `NotePlayer.rewind`."""
        self.count = count

    def forget_before(self, count: int) -> None:
        """As `NotePlayer.forget_before`."""


class SilentStream:
    """A silent `StreamModel` that stands in for a missing sound model."""

    rate, chunk = 44_100, 2048

    def reset(self, seed: int, player: int) -> None:
        """As `StreamModel.reset`."""

    def render(self, knobs: Knobs) -> NDArray[np.float32]:
        """Silence (chunk,)."""
        return np.zeros(self.chunk, np.float32)


class RecordedModels:
    """Opens the models of a take in the order of its replay: the same bundle if it is installed, else a stand-in.

    notices: a line for each stand-in; lines: of the performance that replays the take.
    """

    def __init__(self, take: Take, entries: Sequence[Entry], open_player: OpenPlayer) -> None:
        """entries: those of the take that are replayed."""
        self.notices: list[str] = []
        self.lines: Sequence[Line] = ()
        self._take, self._open = take, open_player
        later = [(e.player, e.bundle) for e in entries if isinstance(e, Input | Joined) and e.bundle]
        self._coming = iter([*enumerate(take.header.bundles), *later])
        self._sounds = {e.bundle.slug for e in entries if isinstance(e, Joined)}
        self._sounds |= {p.model for p in take.header.patch.players if "level" in p.knobs}  # a sound player's
        self._knobs = _knobs(take)
        self._planner = planner_problem(take)

    def open(self, slug: str) -> Opened:
        """The next model, as `catalog.open_player`."""
        player, bundle = next(self._coming)
        try:
            found = self._open(slug)
            if not same_bundle(bundle, found[0]):
                problem = f"the installed bundle is {found[0].bundle_hash[:12]}"
            elif self._planner and kind(found[1]) == NOTES:
                problem = self._planner
            else:
                return found
        except HocketError as error:
            problem = str(error)
        return self._stand_in(player, bundle, problem)

    def _stand_in(self, player: int, bundle: BundleRef, problem: str) -> Opened:
        silent = bundle.slug in self._sounds
        does = "is silent" if silent else "plays the notes that were recorded"
        notice = f"player {player} {does}: the take was played by {bundle.slug} {bundle.hash[:12]}; {problem}"
        if notice not in self.notices:
            self.notices.append(notice)
        info = RecordedBundle(bundle.slug, bundle.hash, bundle.hash, self._knobs)
        if silent:
            return info, SilentStream()
        notes = [note for number, note in self._take.heard() if number == player]
        return info, RecordedPlayer(notes, lambda: self._position(player))

    def _position(self, player: int) -> int:
        """How many notes of a player are committed or planned."""
        return next(line.count + len(line.plan) for line in self.lines if line.number == player)


def _knobs(take: Take) -> tuple[Knob, ...]:
    """The knobs of the models in a take, which allow all values that they have in it."""
    turned: list[tuple[str, Value]] = [pair for player in take.header.patch.players for pair in player.knobs.items()]
    for entry in take.entries:
        match entry:
            case Input() | Joined():
                turned += entry.knobs.items()
            case Turn():
                player, knob = split_name(entry.knob)
                turned += [(knob, entry.value)] if player != INSTRUMENT else []
    values: dict[str, list[Value]] = {}
    for knob, value in turned:
        values.setdefault(knob, []).append(value)
    for info in INSTRUMENT_KNOBS:
        values.pop(info.id, None)
    return tuple(_knob(knob, those) for knob, those in values.items())


def _knob(id: str, values: Sequence[Value]) -> Knob:
    """A knob that allows these values."""
    if all(isinstance(value, str) for value in values):
        return Knob(id, id, "choice", default=values[0], choices=tuple(dict.fromkeys(map(str, values))))
    numbers = [float(value) for value in values if not isinstance(value, str)]
    return Knob(id, id, low=min(numbers), high=max(numbers), default=numbers[0])
