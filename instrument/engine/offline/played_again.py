"""A take that is played again in real time: its notes as they were recorded, not what the models would play now."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from math import ceil

from msgspec.structs import replace

from instrument.engine.ipc.messages import Value
from instrument.engine.offline.recorded import RecordedPlayer
from instrument.engine.performance.acts.waiting import Change
from instrument.engine.performance.arrangement import GENRE
from instrument.engine.performance.knobs import AUTO, knob_name, split_name
from instrument.engine.performance.patches import PART_NAMES, Patch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.roster import Opened, OpenPlayer
from instrument.engine.performance.takes import Entry, Input, Take, Turn
from instrument.errors import HocketError
from instrument.models.notes.player import Ask
from instrument.models.sound.base import SoundModel
from instrument.music.notes import LAST_TICK, Note, Part

_OPEN = {"mute": 0.0, "solo": 0.0, "freeze": 0.0}  # knobs that would keep recorded notes back


class PlayedAgain(Performance):
    """Note players play what was recorded; knobs of sound and tempo, and genres, turn where they did. The music ends
    where the take does, and the next start is one of the models, from the patch of the take."""

    def __init__(self, take: Take, patch: Patch, open_player: OpenPlayer) -> None:
        """patch: of the take, as it is to be here (devices, the room); open_player: gives the models of sound players
        and the bundles of note players. HocketError if a model is not there or a value is out of range."""
        self._played, self._after = take, patch
        self._opened_players = 0
        super().__init__(_unmuted(patch), partial(self._opened, open_player))
        for number, entry in enumerate(take.entries):
            for tick, knob, value in _turns(entry):
                act = partial(self._turn_again, knob, value)
                self.waiting.add(f"take/{number}", Change(tick, act)) if tick else act()

    @property
    def ends(self) -> int | None:
        """The tick at which the take ends."""
        stopped = self._played.stopped
        if stopped is not None:
            return ceil(stopped)
        return max((note.tick + note.duration for _, note in self._played.sounded()), default=0)

    def next_patch(self) -> Patch:
        """The patch of the take, for its models."""
        return self._after

    def _opened(self, open_player: OpenPlayer, slug: str) -> Opened:
        bundle, model = open_player(slug)
        number = self._opened_players
        self._opened_players += 1
        if isinstance(model, SoundModel):
            return bundle, model
        notes = {note.order: note for player, note in self._played.sounded() if player == number}
        return bundle, _AsRecorded([notes[order] for order in sorted(notes)], partial(self._position, number))

    def _position(self, number: int) -> int:
        """How many notes of a player are committed or planned."""
        return next(line.count + len(line.plan) for line in self.lines if line.number == number)

    def _turn_again(self, knob: str, value: Value) -> None:
        player, id = split_name(knob)
        with suppress(HocketError):  # a knob that the model had then
            self.set(id, value, player)


class _AsRecorded(RecordedPlayer):
    """Has nothing more to play after its last note."""

    def propose(self, ask: Ask) -> Note:
        """The next recorded note, after the last one a note that never comes."""
        try:
            return super().propose(ask)
        except HocketError:
            return Note(LAST_TICK, 0, 60, 1, 1, Part.OTHER)


def _turns(entry: Entry) -> list[tuple[int, str, Value]]:
    """(tick, name, value) of the knobs of sound and tempo, and of genres, that an entry turns."""
    if isinstance(entry, Turn):
        return [(ceil(entry.tick), entry.knob, entry.value)]
    if isinstance(entry, Input) and GENRE in entry.knobs:
        return [(entry.floor, knob_name(entry.player, GENRE), entry.knobs[GENRE])]
    return []


def _unmuted(patch: Patch) -> Patch:
    """The patch with nothing that keeps notes back."""
    players = tuple(replace(player, knobs=player.knobs | _OPEN, parts=()) for player in patch.players)
    return replace(patch, knobs=patch.knobs | dict.fromkeys(PART_NAMES, AUTO), players=players)
