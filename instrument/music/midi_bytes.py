"""The bytes of a MIDI file, parsed within bounds: chunks, tracks, events.

Many files are damaged. A bad event is left out; where the rest of a track cannot be read, that rest is left out; both
are named in `warnings`. The meaning of the events is the matter of `midi_notes`.
Source: Standard MIDI Files 1.0 (RP-001), MIDI Manufacturers Association.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.midi_spec import BEND, CHANNELS, CONTROL, NOTE_OFF, NOTE_ON, PROGRAM

MAX_TRACKS = 4096
MAX_TICKS = 1 << 38  # of the file's own; over eight million beats at the finest resolution
LONGEST_NUMBER = 4  # bytes of a delta time or a length
HEADER_WITHIN = 1024  # old files may have a header of another system before their own

NAME, MARKER, PORT, END, TEMPO, METRE = 0x03, 0x06, 0x21, 0x2F, 0x51, 0x58
_KEPT = frozenset(kind | channel for kind in (NOTE_OFF, NOTE_ON, CONTROL, PROGRAM) for channel in range(CHANNELS))
_FEWEST_BYTES = {NAME: 0, MARKER: 0, PORT: 1, TEMPO: 3, METRE: 4}  # of the meta events that are kept
_SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # data of events that have no place in a file
_META, _EXCLUSIVE, _ESCAPE = 0xFF, 0xF0, 0xF7
_TRACK = b"MTrk"


@dataclass(frozen=True, slots=True)
class Events:
    """The events of one track, in its order.

    ticks: int64, from the start of the file; statuses, firsts, seconds: uint8, the bytes of its notes, controllers
    and programs; metas: (tick, type, data) of names, markers, ports, tempos and time signatures; exclusives:
    (tick, data after 0xF0); end: the tick at which the track ends.
    """

    ticks: NDArray[np.int64]
    statuses: NDArray[np.uint8]
    firsts: NDArray[np.uint8]
    seconds: NDArray[np.uint8]
    metas: list[tuple[int, int, bytes]]
    exclusives: list[tuple[int, bytes]]
    end: int


@dataclass(frozen=True, slots=True)
class MidiBytes:
    """A parsed file. kind: 0 or 1; division: of the header, 1..65535; warnings: what is wrong with it, a line each."""

    kind: int
    division: int
    tracks: list[Events] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parse(data: bytes) -> MidiBytes:
    """The tracks of a MIDI file, as far as they can be read.

    Raises HocketError where it is not a MIDI file, is of type 2, has no resolution, or exceeds `MAX_TRACKS` or
    `MAX_TICKS`.
    """
    data = _unwrapped(data)
    start = data.find(b"MThd", 0, HEADER_WITHIN)
    if start < 0 or len(data) < start + 14:
        raise HocketError("it is no MIDI file: it has no complete header (MThd)")
    size, kind, count, division = (
        int.from_bytes(data[start + a : start + b], "big") for a, b in ((4, 8), (8, 10), (10, 12), (12, 14))
    )
    if kind == 2:
        raise HocketError("it is of type 2 (independent patterns): save it as type 0 or 1")
    if kind > 2:
        raise HocketError(f"it is no MIDI file: its type is {kind}, which must be 0 or 1")
    if division == 0:
        raise HocketError("its resolution is 0 ticks a quarter note: it must be above 0")
    found = MidiBytes(kind, division)
    place = _next_track(data, start + 8 + size if start + 8 + size < len(data) else start + 14)
    while place >= 0:
        if len(found.tracks) == MAX_TRACKS:
            raise HocketError(f"it has more than {MAX_TRACKS} tracks: save it with fewer")
        declared = int.from_bytes(data[place + 4 : place + 8], "big")
        end = place + 8 + declared
        track = _TrackParser(data, place + 8, min(end, len(data)))
        found.tracks.append(track.events())
        number = len(found.tracks)
        if end > len(data) and not track.ended:
            missing = f"the last {end - len(data)} of its {declared} bytes are missing"
            track.damage += f"; {missing}" if track.damage else missing
        if track.damage:
            found.warnings.append(f"track {number} is damaged and ends early: {track.damage}")
        if track.dropped:
            found.warnings.append(f"bad events left out of track {number}: {track.dropped}")
        ends_here = end > len(data) or data.startswith(_TRACK, track.place)  # whatever its length says
        place = _next_track(data, track.place if ends_here else end)
    if len(found.tracks) < count:
        found.warnings.append(f"tracks that its header names: {count}, found: {len(found.tracks)}")
    return found


def _unwrapped(data: bytes) -> bytes:
    """The data chunk of a RIFF file (.rmi); any other file as it is."""
    if data[:4] != b"RIFF" or data[8:12] != b"RMID":
        return data
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        if data.startswith(b"data", place):
            return data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    return data


def _next_track(data: bytes, place: int) -> int:
    """Where the next track begins, from `place` on, or -1: unknown chunks are skipped, other bytes searched."""
    while not data.startswith(_TRACK, place):
        end = place + 8 + int.from_bytes(data[place + 4 : place + 8], "big")
        if not data[place : place + 4].isalnum() or end > len(data):
            return data.find(_TRACK, place)
        place = end
    return place


class _DamageError(Exception):
    """The rest of the track cannot be read. Its text says why."""


class _TrackParser:
    """The parser of one track.

    place: the byte it has reached; ended: whether an end-of-track event was read; damage: why it ended early, empty if
    it did not; dropped: number of bad events.
    """

    def __init__(self, data: bytes, place: int, end: int) -> None:
        self.place = place
        self.ended = False
        self.damage = ""
        self.dropped = 0
        self._data = data
        self._end = end
        self._tick = 0
        self._packed = array("q")  # tick, status, first and second byte of an event: 40, 8, 8, 8 bits
        self._metas: list[tuple[int, int, bytes]] = []
        self._exclusives: list[tuple[int, bytes]] = []

    def events(self) -> Events:
        """Parse the track; its events."""
        try:
            self._parse()
        except _DamageError as error:
            self.damage = str(error)
        except IndexError:
            self.damage = "the file ends within its last event"
        packed = np.frombuffer(self._packed, np.int64)
        status, first, second = ((packed >> shift & 0xFF).astype(np.uint8) for shift in (16, 8, 0))
        return Events(packed >> 24, status, first, second, self._metas, self._exclusives, self._tick)

    def _parse(self) -> None:
        data, end, keep, kept = self._data, self._end, self._packed.append, _KEPT
        began = place = self.place
        tick = running = 0
        try:
            while place < end:  # the hot loop of reading a file
                began = place
                delta = data[place]
                if delta < 0x80:
                    tick += delta
                    place += 1
                else:
                    tick, place = self._later(tick, place)
                status = data[place]
                if status < 0x80:
                    status = running
                else:
                    place += 1
                if status >= 0xF0:
                    place = self._system(status, tick, place)
                    if self.ended:
                        end = place
                    continue
                running = status
                first = data[place]
                if PROGRAM <= status < BEND:  # programs and channel pressure have one data byte
                    second = 0
                    place += 1
                else:
                    second = data[place + 1]
                    place += 2
                if place > end or not status:
                    raise _DamageError(f"the event at byte {began} {'is cut off' if status else 'has no status'}")
                if first | second > 0x7F:
                    self.dropped += 1
                elif status in kept:
                    keep(tick << 24 | status << 16 | first << 8 | second)
            began = place
        finally:
            self.place, self._tick = began, tick

    def _later(self, tick: int, place: int) -> tuple[int, int]:
        """The tick after a delta time of more than one byte, and the place after it."""
        delta, place = self._number(place, "delta time")
        tick += delta
        if tick > MAX_TICKS:
            raise HocketError(f"before byte {place} it is {tick} ticks long: at most {MAX_TICKS} are read")
        return tick, place

    def _number(self, place: int, what: str) -> tuple[int, int]:
        """A number of variable length, and the place after it."""
        value = 0
        for after in range(place + 1, place + LONGEST_NUMBER + 1):
            byte = self._data[after - 1]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, after
        raise _DamageError(f"the {what} at byte {place} is longer than MIDI allows ({LONGEST_NUMBER} bytes)")

    def _system(self, status: int, tick: int, place: int) -> int:
        """Read a system or meta event; returns the place after it."""
        if status not in (_META, _EXCLUSIVE, _ESCAPE):
            self.dropped += 1
            return place + _SYSTEM_BYTES.get(status, 0)
        kind = 0
        if status == _META:
            kind = self._data[place]
            place += 1
        length, begin = self._number(place, "length")
        end = begin + length
        if end > self._end:
            raise _DamageError(f"the event at byte {place} is {length} bytes long: {self._end - begin} are left")
        if status == _EXCLUSIVE:
            self._exclusives.append((tick, self._data[begin:end]))
        elif length < _FEWEST_BYTES.get(kind, 0):
            self.dropped += 1
        elif kind in _FEWEST_BYTES:
            self._metas.append((tick, kind, self._data[begin:end]))
        self.ended = kind == END
        return end
