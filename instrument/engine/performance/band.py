"""The players of a performance, and everything that their patch says of them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from instrument.engine.ipc.messages import Anchor, Value
from instrument.engine.performance.acts.waiting import Waiting
from instrument.engine.performance.expression.genres import genre_values
from instrument.engine.performance.knobs import INSTRUMENT, SEEDS, KnobTable, knob_name, split_name
from instrument.engine.performance.line import Line
from instrument.engine.performance.patches import Patch
from instrument.engine.performance.player_state import Pad, PlayerState, first_values
from instrument.engine.performance.roster import BundleInfo, OpenPlayer
from instrument.engine.performance.sound_seats import Scene, SoundSeat, with_strip
from instrument.engine.performance.transport import metre_map
from instrument.engine.voices.programs import NONE
from instrument.errors import HocketError
from instrument.models.sound.base import SoundModel


class Band:
    """Players, knobs and patch, without time.

    players: by number; table: all knobs; metres: the bars; waiting: changes that take effect later.
    """

    def __init__(self, patch: Patch, open_player: OpenPlayer) -> None:
        """Open the models of `patch`: see `Performance`."""
        self.patch = patch
        self.macro_bases: dict[tuple[str, str], tuple[float, Value, Value]] = {}  # see `acts.macros`
        self._open = open_player
        self._progression = patch.progression
        self.waiting = Waiting()

        opened = [open_player(seat.model) for seat in patch.players]
        self.players = [PlayerState.of(seat, *each) for seat, each in zip(patch.players, opened, strict=True)]
        self._list_knobs()
        for number, player in enumerate(self.players):
            player.values = first_values(self.table.of(number), patch.players[number].knobs)
        self._of_genre = set(genre_values(NONE)) - patch.knobs.keys()
        self._instrument = first_values(self.table.of(INSTRUMENT), genre_values(self.genre) | patch.knobs)
        self.metres = metre_map(str(self._instrument["metre"]))
        for number, (player, (_, model)) in enumerate(zip(self.players, opened, strict=True)):
            if isinstance(model, SoundModel):
                continue
            player.hushed = self.hushed[number]
            player.begin(model, number, patch.players[number], self._instrument, patch.progression, self.metres)

    @property
    def values(self) -> dict[str, Value]:
        """A copy of the values of all knobs, by name ("0/temperature"), with those that wait."""
        numbered = ((INSTRUMENT, self._instrument), *((i, player.values) for i, player in enumerate(self.players)))
        found = {knob_name(number, knob): value for number, values in numbered for knob, value in values.items()}
        return found | self.waiting.values

    def setting(self, knob: str) -> Value:
        """The value of a knob of the instrument, by its id."""
        return self._instrument[knob]

    @property
    def instrument(self) -> Mapping[str, Value]:
        """The knobs of the instrument, by id."""
        return self._instrument

    @property
    def lines(self) -> list[Line]:
        """The lines of the note players, in the order of the players."""
        return [player.line for player in self.players if player.line]

    @property
    def hushed(self) -> list[bool]:
        """Whether each note player rests because others are solo."""
        solo = [bool(player.values.get("solo")) and player.sound is None for player in self.players]
        return [any(solo) and not own for own in solo]

    @property
    def bundles(self) -> Sequence[BundleInfo]:
        """The present bundles of the players."""
        return [player.bundle for player in self.players]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each player: "notes", "stream" or "voice"."""
        return tuple(player.kind for player in self.players)

    @property
    def scene(self) -> Scene:
        """Everything that the sound now depends on, apart from the notes."""
        seats = [SoundSeat(i, model, dict(self.players[i].values)) for i, model in self._sounds.items()]
        return Scene.of(seats, self._instrument, self.genre, self.patch.voices)

    @property
    def genre(self) -> str:
        """The genre of the band: that of the first player."""
        return self.players[0].genre if self.players else NONE

    @property
    def pads(self) -> tuple[tuple[Anchor, ...] | None, ...]:
        """The anchors of each player, None for one without a latent space."""
        return tuple(player.anchors if player.pad else None for player in self.players)

    def pad(self, number: int = 0) -> Pad:
        """The latent pad of a player. HocketError for one without a latent space."""
        pad = self.players[number].pad if 0 <= number < len(self.players) else None
        if pad is None:
            raise HocketError(f"player {number} has no latent pad: give it a model with one")
        return pad

    @property
    def seed(self) -> int:
        """The seed of all draws."""
        return int(self._instrument["seed"])

    @property
    def bpm(self) -> float:
        """The tempo in beats a minute."""
        return float(self._instrument["tempo"])

    def current_patch(self) -> Patch:
        """The patch with the present knobs and models, and with those that wait."""
        seats = self.waiting.seats
        played = [seats.get(number) or player.as_patch() for number, player in enumerate(self.players)]
        knobs = dict(self._instrument)
        for name, value in self.waiting.values.items():
            number, knob = split_name(name)
            if number == INSTRUMENT:
                knobs[knob] = value
            else:
                played[number] = replace(played[number], knobs=played[number].knobs | {knob: value})
        return replace(self.patch, knobs=knobs, players=tuple(played), progression=self._progression)

    def next_patch(self) -> Patch:
        """The patch of the next start: the present one, with another seed if that is wanted."""
        patch = self.current_patch()
        if not self._instrument["new_seed"]:
            return patch
        return replace(patch, knobs=patch.knobs | {"seed": float(secrets.randbelow(SEEDS))})

    def line(self, player: int) -> Line | None:
        """The line of a player, None for a sound player."""
        return self.players[player].line if 0 <= player < len(self.players) else None

    def player(self, number: int) -> PlayerState:
        """The record of a player. HocketError if there is none of that number."""
        if not 0 <= number < len(self.players):
            raise HocketError(f"there is no player {number}: give 0 to {len(self.players) - 1}")
        return self.players[number]

    @property
    def _sounds(self) -> dict[int, SoundModel]:
        """The models of the sound players, by player."""
        return {number: player.sound for number, player in enumerate(self.players) if player.sound}

    def _values(self, player: int) -> dict[str, Value]:
        """The knobs of a player or of the `INSTRUMENT`, by id."""
        return self._instrument if player == INSTRUMENT else self.players[player].values

    def _list_knobs(self) -> None:
        self.table = KnobTable([with_strip(player.bundle.knobs, player.kind) for player in self.players])

    def _seat(self, number: int, bundle: BundleInfo) -> None:
        """Set another bundle of a player. Its knobs keep the values that are allowed, its pad becomes empty."""
        player, before = self.players[number], self.table.of(number)
        player.seat(bundle)
        self._list_knobs()
        player.carry_over(before, self.table.of(number))
