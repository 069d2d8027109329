"""The sound of each part: the programs of the genre, changed by the voices of the patch."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import asdict, replace

from instrument.engine.performance.patches import PartName, Patch, VoicePatch
from instrument.engine.voices.programs import PartProgram, band_programs, part_messages
from instrument.midi_spec import CHANNELS as CHANNELS_OF_MIDI
from instrument.midi_spec import DRUM_CHANNEL
from instrument.music.midifile import CHANNELS
from instrument.music.notes import Part

LIVE_CHANNEL = CHANNELS_OF_MIDI  # from here on, behind the band's channels, sound players have those of the keyboard
GENRE = "genre"  # id of the knob; the first player's sets the programs


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
