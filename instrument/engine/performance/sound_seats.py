"""Sound players: their kinds, their knobs, and everything that their sound depends on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.arrangement import GENRE, LIVE_CHANNEL, SENDING_KNOBS
from instrument.engine.performance.knobs import INSTRUMENT, split_name
from instrument.engine.performance.patches import PartName, VoicePatch
from instrument.engine.performance.takes import Entry, Input, Joined, Left, Take, Turn
from instrument.engine.voices.programs import NONE
from instrument.models.manifest import Knob
from instrument.models.notes.player import NotePlayer
from instrument.models.sound.base import SoundModel, StreamModel, VoiceModel
from instrument.music.harmony import KEYS, PitchClasses, scale_mask
from instrument.music.midifile import CHANNELS
from instrument.music.notes import Part

NOTES, STREAM, VOICE = "notes", "stream", "voice"
FREEZE = "freeze"

_MELODIC = {part.name.lower(): (channel,) for part, channel in CHANNELS.items() if part != Part.DRUMS}
PARTS: dict[str, tuple[int, ...]] = {  # the part that a voice plays -> MIDI channels
    **_MELODIC,
    "keys": (LIVE_CHANNEL,),
    "all": (*(channel for (channel,) in _MELODIC.values()), LIVE_CHANNEL),
}
_STRIP = (
    Knob("level", "Level", low=-60.0, high=6.0, default=0.0, unit="dB", help="Loudness of this player"),
    Knob("mute", "Mute", "switch", step=1, help="Whether this player is silent"),
    Knob("pan", "Pan", low=-1.0, high=1.0, default=0.0, help="Where this player stands: -1 left, 1 right"),
    Knob("width", "Width", help="How far its sound spreads to the sides; left and right together stay the same"),
)
# The seat of a note player in the band. They are no knobs of its model.
_SEAT = (
    Knob("volume", "Level", low=-30.0, high=6.0, default=0.0, unit="dB", help="How hard its notes are struck"),
    Knob("mute", "Mute", "switch", step=1, help="Whether this player rests"),
    Knob("solo", "Solo", "switch", step=1, help="Whether all players rest that are not solo, too"),
    Knob("hear", "Hear", "switch", step=1,
         help="Whether what the players before it have played is part of what it goes on from"),
    Knob(FREEZE, "Freeze", low=0.0, high=8.0, step=1.0, unit="bars",
         help="How many of its last bars it repeats, note for note; 0 goes on"),
)  # fmt: skip
SEAT = frozenset(knob.id for knob in _SEAT)
# Knobs of the engine for each kind of player, in addition to those of the model.
KNOBS: dict[str, tuple[Knob, ...]] = {
    NOTES: (*_SEAT, *SENDING_KNOBS),
    STREAM: (
        *_STRIP,
        Knob("tune", "Tune", help="How strongly resonators tune it to the key and scale of the band"),
        Knob("chords", "Chords", "switch", step=1, default=1.0,
             help="Whether Tune follows the chords that the band plays, or only its key"),
        Knob("duck", "Duck", help="How far its level falls at every beat"),
    ),
    VOICE: (
        *_STRIP,
        Knob("part", "Part", "choice", default="melody", choices=tuple(PARTS),
             help="The part that it plays; keys: your keyboard; all: everything but drums"),
    ),
}  # fmt: skip


def kind(model: NotePlayer | SoundModel) -> str:
    """The kind of player that a model is: "notes", "stream" or "voice"."""
    if isinstance(model, StreamModel):
        return STREAM
    return VOICE if isinstance(model, VoiceModel) else NOTES


def with_strip(knobs: Sequence[Knob], kind: str) -> tuple[Knob, ...]:
    """All knobs of a player: of its model, then of the engine."""
    own = KNOBS[kind]
    return (*(knob for knob in knobs if knob.id not in {each.id for each in own}), *own)


class SoundSeat(NamedTuple):
    """A sound player: its number, its model, and the values of all its knobs by id."""

    player: int
    model: SoundModel
    values: Mapping[str, Value]

    @property
    def model_knobs(self) -> dict[str, Value]:
        """The knobs of the model, without those of the engine."""
        ours = {knob.id for knob in KNOBS[kind(self.model)]}
        return {knob: value for knob, value in self.values.items() if knob not in ours}

    @property
    def gain_db(self) -> float:
        """The level of its mixer strip in decibels."""
        return -120.0 if self.values["mute"] else float(self.values["level"])


class Scene(NamedTuple):
    """Everything that the sound depends on apart from the notes. seats: the sound players; seed; tones: pitch classes
    of the key; genre: of the band; voices: those that the patch sets; level, keys_level: of everything, and of the
    built-in voice that plays the keyboard, in decibels."""

    seats: tuple[SoundSeat, ...] = ()
    seed: int = 0
    tones: PitchClasses = tuple(range(12))
    genre: str = NONE
    voices: Mapping[PartName, VoicePatch] = {}
    level: float = 0.0
    keys_level: float = 0.0

    @staticmethod
    def of(
        seats: Sequence[SoundSeat],
        values: Mapping[str, Value],
        genre: str = NONE,
        voices: Mapping[PartName, VoicePatch] | None = None,
    ) -> Scene:
        """values: the instrument's knobs, by id."""
        mask = scale_mask(KEYS.index(str(values["key"])), str(values["scale"]))
        tones = tuple(i for i in range(12) if mask[i])
        levels = float(values["level"]), float(values["keys_level"])
        return Scene(tuple(seats), int(values["seed"]), tones, genre, voices or {}, *levels)


class SoundModels(NamedTuple):
    """The models of the sound players of a performance: those at its beginning, by player, and those that joined later,
    in order."""

    first: dict[int, SoundModel]
    joined: list[SoundModel]


def scenes(take: Take, models: SoundModels) -> Iterator[tuple[float, Scene]]:
    """(tick from which it holds, scene) of a take, in order. Players whose model is not in `models` are left out."""
    patch = take.header.patch
    coming = iter(models.joined)
    values = dict(patch.knobs)
    seats = [SoundSeat(player, model, patch.players[player].knobs) for player, model in models.first.items()]
    genres = [str(player.knobs.get(GENRE, NONE)) for player in patch.players]
    for tick, entry in ((0.0, None), *((_from(entry), entry) for entry in take.entries)):
        match entry:
            case None:
                pass
            case Turn():
                player, knob = split_name(entry.knob)
                if player == INSTRUMENT:
                    values[knob] = entry.value
                else:
                    seats = [seat._replace(values={**seat.values, knob: entry.value}) if seat.player == player else seat
                             for seat in seats]  # fmt: skip
                    genres[player] = str(entry.value) if knob == GENRE else genres[player]
            case Input() if entry.knobs.keys() & {*values, GENRE}:
                values |= {knob: value for knob, value in entry.knobs.items() if knob in values}
                genres[entry.player] = str(entry.knobs.get(GENRE, genres[entry.player]))
            case Joined():
                others = [seat for seat in seats if seat.player != entry.player]
                came = [SoundSeat(entry.player, model, entry.knobs) for model in islice(coming, 1)]
                seats = sorted([*others, *came], key=lambda seat: seat.player)
                genres[entry.player : entry.player + 1] = [str(entry.knobs.get(GENRE, NONE))]
            case Left():
                seats = _without(seats, entry.player)
                del genres[entry.player]
            case _:
                continue
        yield tick, Scene.of(seats, values, next(iter(genres), NONE), patch.voices)


def _from(entry: Entry) -> float:
    """The tick from which an entry of a take holds."""
    return float(entry.floor) if isinstance(entry, Input) else float(entry.tick)


def _without(seats: Sequence[SoundSeat], player: int) -> list[SoundSeat]:
    """The sound players after one left and the numbers of those behind it went down."""
    return [seat._replace(player=seat.player - (seat.player > player)) for seat in seats if seat.player != player]
