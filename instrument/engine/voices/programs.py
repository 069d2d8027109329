"""The table of programs: which General MIDI program each part has in each genre."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import msgspec

from instrument.errors import HocketError
from instrument.midi_spec import PAN, REVERB, VOLUME, control, program
from instrument.music.midifile import CHANNELS
from instrument.paths import assets_dir
from instrument.saved import read_table

NONE = "none"  # for models without genres
TABLE = Path("band.toml")  # in assets/


class PartProgram(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sound of a part: General MIDI program counted from 0 (drums: the kit), pan -1 (left) .. 1, level in
    decibels, reverb send 0..1."""

    program: Annotated[int, msgspec.Meta(ge=0, le=127)]
    pan: Annotated[float, msgspec.Meta(ge=-1, le=1)] = 0.0
    level: Annotated[float, msgspec.Meta(ge=-60, le=0)] = 0.0
    reverb: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3


class BandPrograms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The programs of all parts in one genre."""

    melody: PartProgram
    chords: PartProgram
    bass: PartProgram
    drums: PartProgram
    other: PartProgram


def read_band(path: Path) -> dict[str, BandPrograms]:
    """Genre -> programs, from a table such as assets/band.toml. HocketError if it cannot be read or has no "none"."""
    table = read_table(path, BandPrograms, "band", "a band")
    if NONE not in table:
        raise HocketError(f'{path} is no table of a band: the genre "{NONE}" is missing')
    return table


@functools.cache
def _band() -> dict[str, BandPrograms]:
    return read_band(assets_dir() / TABLE)


def band_programs(genre: str) -> BandPrograms:
    """The programs of a genre in the table that ships, or those of "none" for a genre that is not in it."""
    return _band().get(genre, _band()[NONE])


def part_messages(channel: int, part_program: PartProgram) -> list[bytes]:
    """Program, volume, pan and reverb of a MIDI channel 0..15, as short MIDI messages."""
    controls = {
        VOLUME: round(127 * 10 ** (part_program.level / 40)),  # General MIDI: 40 log10 of the value
        PAN: round(64 + 63 * part_program.pan),
        REVERB: round(127 * part_program.reverb),
    }
    return [
        program(channel, part_program.program),
        *(control(channel, number, value) for number, value in controls.items()),
    ]


def band_messages(genre: str) -> list[bytes]:
    """The MIDI messages that set up a General MIDI synthesiser for a genre, each part on its channel."""
    chosen = band_programs(genre)
    return [
        message
        for part, channel in CHANNELS.items()
        for message in part_messages(channel, getattr(chosen, part.name.lower()))
    ]
