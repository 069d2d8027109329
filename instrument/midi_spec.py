"""Short MIDI messages: status bytes and controller numbers, in one place (MIDI 1.0 Detailed Specification)."""

from __future__ import annotations

from typing import NamedTuple

# The upper four bits of a status byte; the lower four are the channel.
NOTE_OFF, NOTE_ON, POLY_PRESSURE, CONTROL, PROGRAM, PRESSURE, BEND = 0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0

# System messages of the MIDI clock. A song position counts sixteenths, of 6 pulses each.
SONG_POSITION, CLOCK, START, CONTINUE, STOP = 0xF2, 0xF8, 0xFA, 0xFB, 0xFC
CLOCK_MESSAGES = frozenset((SONG_POSITION, CLOCK, START, CONTINUE, STOP))
TICKS_PER_POSITION = 6

CHANNELS = 16
DRUM_CHANNEL = 9  # counted from 0
BEND_CENTRE = 8192

# Controller numbers. From FIRST_MODE_MESSAGE on they are commands to a channel, not controls.
BANK_MSB, MODULATION, VOLUME, PAN, EXPRESSION, BANK_LSB = 0, 1, 7, 10, 11, 32
SUSTAIN, SOSTENUTO, SOFT, REVERB, CHORUS = 64, 66, 67, 91, 93
SOUND_OFF, RESET_CONTROLLERS, LOCAL_CONTROL, NOTES_OFF = 120, 121, 122, 123
FINE = 32  # what the fine half of a 14-bit controller has more than the coarse one
FIRST_MODE_MESSAGE = 120
# Parameters of a channel: the number of one (registered or not), then its value.
DATA, DATA_FINE, NRPN_FINE, NRPN, RPN_FINE, RPN = 6, 38, 98, 99, 100, 101
BEND_RANGE, MPE_ZONE = 0, 6  # registered parameters (RP-053 has the second)
PEDAL_DOWN = 64  # a sustain value from here on holds the notes


class ShortMessage(NamedTuple):
    """A channel message: kind (one of the constants above), channel 0..15, and two data bytes (0 where absent).

    A note-on of velocity 0 is read as the note-off that it means.
    """

    kind: int
    channel: int
    first: int
    second: int

    @property
    def starts(self) -> bool:
        """Whether it is a note-on."""
        return self.kind == NOTE_ON

    @property
    def ends(self) -> bool:
        """Whether it is a note-off."""
        return self.kind == NOTE_OFF


def parse(message: bytes) -> ShortMessage:
    """A channel message of two or three bytes. Other bytes are returned with their own upper bits as the kind."""
    first, second, *_ = *message[1:3], 0, 0
    kind, channel = message[0] & 0xF0, message[0] & 0x0F
    if kind == NOTE_ON and second == 0:
        kind = NOTE_OFF
    return ShortMessage(kind, channel, first, second)


def note_on(channel: int, key: int, velocity: int) -> bytes:
    """A note-on; key 0..127, velocity 1..127."""
    return bytes((NOTE_ON | channel, key, velocity))


def note_off(channel: int, key: int, velocity: int = 0) -> bytes:
    """A note-off."""
    return bytes((NOTE_OFF | channel, key, velocity))


def control(channel: int, number: int, value: int) -> bytes:
    """A controller of a channel, value 0..127."""
    return bytes((CONTROL | channel, number, value))


def program(channel: int, number: int) -> bytes:
    """A program change, number 0..127."""
    return bytes((PROGRAM | channel, number))


def bend(channel: int, value: int) -> bytes:
    """A pitch bend, value -8192..8191."""
    value += BEND_CENTRE
    return bytes((BEND | channel, value & 127, value >> 7))


def parameter(channel: int, number: int, coarse: int, fine: int = 0) -> list[bytes]:
    """A registered parameter of a channel: it is selected, set, and no longer selected."""
    values = ((RPN, 0), (RPN_FINE, number), (DATA, coarse), (DATA_FINE, fine), (RPN, 127), (RPN_FINE, 127))
    return [control(channel, of, value) for of, value in values]


def released(channel: int) -> list[bytes]:
    """All notes off and reset of controllers: what ends the notes of a keyboard that is gone."""
    return [control(channel, number, 0) for number in (NOTES_OFF, RESET_CONTROLLERS)]


def song_position(tick: int) -> bytes:
    """A song position, at the sixteenth of `tick` (at most 16,383 sixteenths)."""
    sixteenths = min(tick // TICKS_PER_POSITION, (1 << 14) - 1)
    return bytes((SONG_POSITION, sixteenths & 0x7F, sixteenths >> 7))


def all_notes_off() -> list[bytes]:
    """All sound off (CC 120) and all notes off (CC 123), on the sixteen channels."""
    return [control(channel, number, 0) for channel in range(CHANNELS) for number in (SOUND_OFF, NOTES_OFF)]
