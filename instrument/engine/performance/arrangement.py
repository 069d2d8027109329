"""The sound of each part, by the genre and the voices of the patch, and where its notes are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import asdict, replace

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.knobs import (
    AUTO,
    EACH_ITS_OWN,
    IN_FILES,
    INSTRUMENT,
    KEY_CHANNELS,
    PORT_NUMBERS,
    knob_name,
)
from instrument.engine.performance.patches import MAX_PLAYERS, PartName, Patch, VoicePatch
from instrument.engine.voices.programs import PartProgram, band_programs, part_messages
from instrument.midi_spec import CHANNELS as CHANNELS_OF_MIDI
from instrument.midi_spec import DRUM_CHANNEL
from instrument.models.manifest import Knob
from instrument.music.midifile import CHANNELS
from instrument.music.notes import Part

LIVE_CHANNEL = CHANNELS_OF_MIDI  # from here on, behind the band's channels, sound players have those of the keyboard
GENRE = "genre"  # id of the knob; the first player's sets the programs
PORT = "port"


def _channel_knob(part: Part) -> Knob:
    name = part.name.lower()
    help = f"The MIDI channel of its {name}; auto: the usual one of the part"
    return Knob(f"{name}_channel", f"{name.capitalize()} channel", "choice", default=AUTO,
                choices=(AUTO, *KEY_CHANNELS[1:]), help=help)  # fmt: skip


# Knobs of note players: where their notes are sent.
SENDING_KNOBS = (
    Knob(PORT, "Port", "choice", default=AUTO, choices=(AUTO, *PORT_NUMBERS),
         help="The number of the MIDI port of its notes; auto: as MIDI ports says"),
    *(_channel_knob(part) for part in Part),
)  # fmt: skip
SENDING = frozenset(knob.id for knob in SENDING_KNOBS)


class Destination(NamedTuple):
    """A MIDI port, counted from 0, and a channel 0..15 of it."""

    port: int
    channel: int


class Sending:
    """Where the notes of each player and part are sent. usual: the channels 0..15 of the parts, where a player has none
    of its own; programs: what becomes of the program of each part."""

    def __init__(self, patch: Patch, values: Mapping[str, Value]) -> None:
        """values: of knobs, by name; a player without these knobs sends to the first port."""
        self.usual = patch_channels(patch)
        self._table: dict[tuple[int, Part], Destination] = {}
        self.programs = {
            part: str(values.get(knob_name(INSTRUMENT, f"{part.name.lower()}_program"), IN_FILES)) for part in Part
        }
        each = values.get(knob_name(INSTRUMENT, "ports")) == EACH_ITS_OWN
        players = [number for number in range(MAX_PLAYERS) if knob_name(number, PORT) in values]
        for place, number in enumerate(players):
            chosen = str(values[knob_name(number, PORT)])
            port = int(chosen) - 1 if chosen != AUTO else place if each else 0
            for part in Part:
                channel = str(values.get(knob_name(number, f"{part.name.lower()}_channel"), AUTO))
                self._table[number, part] = Destination(port, self.usual[part] if channel == AUTO else int(channel) - 1)

    def of(self, player: int, part: int) -> Destination:
        """Where the notes of a player's part go."""
        return self._table.get((player, Part(part)), Destination(0, self.usual[Part(part)]))

    @property
    def ports(self) -> int:
        """How many ports there have to be."""
        return 1 + max((port for port, _ in self._table.values()), default=0)

    def parts(self, port: int) -> list[tuple[int, Part]]:
        """The channels of a port, each with a part that is sent there."""
        found = {(to.channel, part) for (_, part), to in self._table.items() if to.port == port}
        return sorted(found or ({(channel, part) for part, channel in self.usual.items()} if not port else ()))


def arrange(genre: str, voices: Mapping[PartName, VoicePatch]) -> dict[Part, PartProgram]:
    """The program of every part."""
    band = asdict(band_programs(genre))
    for name, own in voices.items():
        band[name] = replace(band[name], **{key: value for key, value in asdict(own).items() if value is not None})
    return {part: band[part.name.lower()] for part in Part}


def patch_channels(patch: Patch) -> dict[Part, int]:
    """The MIDI channel 0..15 on which each part goes out."""
    return {**CHANNELS, **{Part[name.upper()]: channel - 1 for name, channel in patch.routing.channels.items()}}


def arrangement_messages(arranged: Mapping[Part, PartProgram]) -> list[bytes]:
    """The short MIDI messages that set up a General MIDI synthesiser, each part on its channel."""
    return [
        message for part, part_program in arranged.items() for message in part_messages(CHANNELS[part], part_program)
    ]


def live_messages(arranged: Mapping[Part, PartProgram]) -> list[bytes]:
    """The messages for the synthesiser that a person plays: the melody's program, and the drums' on channel 10."""
    return [
        message
        for channel in range(CHANNELS_OF_MIDI)
        for message in part_messages(channel, arranged[Part.DRUMS if channel == DRUM_CHANNEL else Part.MELODY])
    ]
