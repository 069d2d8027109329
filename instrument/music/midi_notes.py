"""From the events of a MIDI file to its notes: releases, the sustain pedal, programs and drums.

The tracks of a file share its channels: a program, a pedal or a note-off has effect whatever track it is in. Events are
processed as numpy columns, as a file may have a million of them.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.midi_spec import (
    BANK_MSB,
    CHANNELS,
    CONTROL,
    DRUM_CHANNEL,
    NOTE_OFF,
    NOTE_ON,
    PEDAL_DOWN,
    PROGRAM,
    RESET_CONTROLLERS,
    SUSTAIN,
)
from instrument.music import midi_bytes as midi
from instrument.music.reading import LONGEST_MARKER, RawMidi, RawTrack

MAX_VOICES = 4096  # combinations of track, channel and program
MELODY_BANK = 121  # General MIDI 2
DRUM_BANKS = (120, 127)  # General MIDI 2, Yamaha XG
# Roland GS: device, model, parameter "use for rhythm part" of a part, map (0: none)
GS_RHYTHM = re.compile(rb"\x41.\x42\x12\x40([\x10-\x1f])\x15(.)", re.DOTALL)
GS_CHANNELS = (9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15)  # of its parts, by number
DRUM_NAME = re.compile(
    r"(?<!steel )\bdrums\b|\bdrum ?(kit|set|machine)|^\W*drum\W*\d*$|\bschlagzeug\b|\bbatter[ií]ae?\b",
    re.IGNORECASE,
)
FRAMES = {24: 2400, 25: 2500, 29: 2997, 30: 3000}  # SMPTE frame rates: frames in 100 seconds
_TIME_BITS = 40  # of a tick, or of an event's number

Column = NDArray[np.int64]


def raw_midi(data: bytes) -> RawMidi:
    """The contents of a MIDI file. Raises HocketError with the reason if it cannot be read.

    A note that is never released ends with its track. A file in SMPTE time is converted to quarter notes of half a
    second.
    """
    file = midi.parse(data)
    resolution, scale = _clock(file.division)
    raw = RawMidi(resolution, in_seconds=file.division >= 0x8000, warnings=file.warnings)
    raw.tracks.extend(_tracks(file, scale))
    metas = [meta for track in file.tracks for meta in track.metas]
    for tick, kind, text in sorted(metas, key=lambda meta: meta[0]):  # stable: what is last in the file holds
        if kind == midi.MARKER and len(marker := _decoded(text)) <= LONGEST_MARKER:
            raw.markers.append((tick * scale, marker))
        elif kind == midi.METRE and not raw.in_seconds:
            raw.metres.append((tick, text[0], 1 << text[1]))
        elif kind == midi.TEMPO and not raw.in_seconds and (microseconds := int.from_bytes(text[:3], "big")):
            raw.tempos.append((tick, 60e6 / microseconds))
    return raw


def _clock(division: int) -> tuple[int, int]:
    """Ticks a quarter note, and the factor on the file's ticks."""
    if division < 0x8000:
        return division, 1
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if frames not in FRAMES or not ticks:
        raise HocketError(f"it counts {frames} frames a second of {ticks} ticks: save it with ticks a quarter note")
    return FRAMES[frames] * ticks, 200  # two quarter notes a second, in hundredths


def _tracks(file: midi.MidiBytes, scale: int) -> list[RawTrack]:
    """The notes of a file, divided by track, channel, program and drums."""
    events = _Events(file.tracks)
    names = ["" if file.kind == 0 else _name(track) for track in file.tracks]  # of type 0 it is the piece's
    drummers = np.array([bool(DRUM_NAME.search(name)) for name in names], bool)
    strikes, ends, drums = _notes(events, np.array([t.end for t in file.tracks], np.int64), drummers)
    if not len(strikes):
        return []
    chosen = events.kinds == PROGRAM
    programs = events.timeline(chosen, events.firsts).latest(events.channels[strikes], events.ticks[strikes], 0)
    voices = (events.tracks[strikes] << 32) | (events.channels[strikes] << 8) | (programs << 1) | drums
    distinct, voice = np.unique(voices, return_inverse=True)
    if len(distinct) > MAX_VOICES:
        raise HocketError(f"it has {len(distinct)} voices (track, channel, program): at most {MAX_VOICES} are read")
    order = np.argsort(voice, kind="stable")
    found = []
    for one, rows in zip(distinct.tolist(), np.split(order, np.cumsum(np.bincount(voice))[:-1]), strict=True):
        at = strikes[rows]
        starts = events.ticks[at] * scale
        found.append(
            RawTrack(
                names[one >> 32],
                one >> 1 & 0x7F,
                bool(one & 1),
                starts,
                ends[rows] * scale - starts,
                events.firsts[at],
                events.seconds[at],
            )
        )
    return found


def _notes(events: _Events, track_ends: Column, drummers: NDArray[np.bool_]) -> tuple[Column, Column, Column]:
    """For each note: the number of its note-on event, the tick at which it ends, and whether it is a drum."""
    striking = (events.kinds == NOTE_ON) & (events.seconds > 0)
    at = np.flatnonzero((events.kinds == NOTE_ON) | (events.kinds == NOTE_OFF))
    striking, keys = striking[at], (events.channels[at] << 7) | events.firsts[at]
    released = _released((events.tracks[at] << 32) | keys, striking)
    lone = np.ones(len(at), bool)  # neither released nor releasing: perhaps across tracks
    lone[released >= 0] = lone[released[released >= 0]] = False
    rest = np.flatnonzero(lone)
    if striking[rest].any() and not striking[rest].all():
        elsewhere = _released(keys[rest], striking[rest])
        released[rest[elsewhere >= 0]] = rest[elsewhere[elsewhere >= 0]]

    strikes, keys = at[striking], keys[striking]
    by = np.append(at, -1)[released[striking]]  # the number of the event that releases each note, -1: none does
    tracks = events.tracks[strikes]
    drums = _is_drum(events, strikes) | drummers[tracks]
    last = np.maximum(track_ends[tracks], events.ticks[strikes])
    ends = np.where(by >= 0, np.append(events.ticks, 0)[by], last)
    pitched = np.flatnonzero((by >= 0) & ~drums)
    again = _Timeline(keys, strikes, events.ticks[strikes])
    held = pitched[events.pedal.latest(events.channels[strikes[pitched]], by[pitched], 0) > 0]
    never = np.full(len(held), 1 << _TIME_BITS)
    lifted = events.lifted.following(events.channels[strikes[held]], by[held], never)
    until = np.minimum(lifted, again.following(keys[held], by[held], never))
    ends[held] = np.where(until < never, until, np.maximum(ends[held], last[held]))
    return strikes, ends, drums


def _is_drum(events: _Events, strikes: Column) -> NDArray[np.bool_]:
    """Whether notes are drums: by channel, by bank, or by Roland's exclusive messages."""
    channels, ticks = events.channels[strikes], events.ticks[strikes]
    banks = events.timeline((events.kinds == CONTROL) & (events.firsts == BANK_MSB), events.seconds)
    bank = banks.latest(channels, ticks, 0)
    by_channel = (channels % CHANNELS == DRUM_CHANNEL) & (bank != MELODY_BANK)
    rhythm = events.rhythm.latest(channels, ticks, -1)
    return np.where(rhythm < 0, by_channel | np.isin(bank, DRUM_BANKS), rhythm > 0)


class _Events:
    """The events of all tracks, by time; those of a tick are in the order of the file.

    ticks, tracks, kinds (status without channel), channels (16 a port), firsts, seconds: columns of one length;
    rhythm: 1 or 0 from a tick on, where an exclusive message sets whether a channel is for drums; pedal: 1 or 0 from an
    event's number on; lifted: the ticks of the events that lift it.
    """

    def __init__(self, tracks: list[midi.Events]) -> None:
        ports = [next((16 * data[0] for _, kind, data in t.metas if kind == midi.PORT), 0) for t in tracks]
        number = np.repeat(np.arange(len(tracks)), [len(t.ticks) for t in tracks])
        ticks = np.concatenate([np.zeros(0, np.int64), *(t.ticks for t in tracks)])
        order = np.argsort(ticks, kind="stable")

        def merged(columns: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
            return np.concatenate([np.zeros(0, np.uint8), *columns])[order]

        statuses = merged([t.statuses for t in tracks])
        self.ticks, self.tracks = ticks[order], number[order]
        self.kinds = statuses & 0xF0
        self.channels = (statuses & 0x0F) + np.array(ports, np.int64)[self.tracks]
        self.firsts, self.seconds = merged([t.firsts for t in tracks]), merged([t.seconds for t in tracks])
        rhythm = [
            (port + GS_CHANNELS[match[1][0] & 0x0F], tick, match[2][0] > 0)
            for track, port in zip(tracks, ports, strict=True)
            for tick, data in track.exclusives
            if (match := GS_RHYTHM.match(data))
        ]
        self.rhythm = _Timeline(*np.array(rhythm, np.int64).reshape(-1, 3).T)
        control = self.kinds == CONTROL
        moved = np.flatnonzero(control & np.isin(self.firsts, (SUSTAIN, RESET_CONTROLLERS)))
        down = (self.firsts[moved] == SUSTAIN) & (self.seconds[moved] >= PEDAL_DOWN)
        self.pedal = _Timeline(self.channels[moved], moved, down)
        up = moved[~down]
        self.lifted = _Timeline(self.channels[up], up, self.ticks[up])

    def timeline(self, chosen: NDArray[np.bool_], values: NDArray[np.uint8]) -> _Timeline:
        """The values of the chosen events for their channels, from their ticks on."""
        return _Timeline(self.channels[chosen], self.ticks[chosen], values[chosen])


class _Timeline:
    """Values of keys from times on: int columns of one length; of equal times the last value holds."""

    def __init__(self, keys: Column, times: Column, values: NDArray[np.integer | np.bool_]) -> None:
        codes = keys << _TIME_BITS | times
        order = np.argsort(codes, kind="stable")
        self._codes, self._values = codes[order], values[order].astype(np.int64)

    def latest(self, keys: Column, times: Column, default: int) -> Column:
        """The value of each key at a time: the last one up to and including it."""
        found = np.searchsorted(self._codes, keys << _TIME_BITS | times, side="right") - 1
        return self._taken(found, keys, np.full(len(keys), default))

    def following(self, keys: Column, times: Column, default: Column) -> Column:
        """The first value of each key after a time."""
        found = np.searchsorted(self._codes, keys << _TIME_BITS | times, side="right")
        return self._taken(found, keys, default)

    def _taken(self, found: Column, keys: Column, default: Column) -> Column:
        found = np.where((found >= 0) & (found < len(self._codes)), found, -1)
        there = np.append(self._codes, -1)[found] >> _TIME_BITS == keys
        return np.where(there, np.append(self._values, 0)[found], default)


def _released(keys: Column, striking: NDArray[np.bool_]) -> Column:
    """For each event that strikes a key, the index of the one that releases it, else -1; of notes that overlap on
    one key, the first struck is the first released. A release of a key that is not held counts for nothing."""
    order = np.argsort(keys, kind="stable")
    on = striking[order]
    firsts = np.flatnonzero(np.diff(keys[order], prepend=-1))  # of each key
    key = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(keys)))
    held = np.cumsum(np.where(on, 1, -1))
    held -= np.append(0, held)[firsts][key]
    span = (len(keys) + 1) * key  # offsets the keys, so that one running minimum is enough
    # Minus the number of releases of keys that were not held.
    idle = np.minimum.accumulate(np.minimum(held, 0) - span) + span
    before = np.append(0, idle[:-1])
    before[firsts] = 0
    off = ~on & (idle == before)

    def numbered(chosen: NDArray[np.bool_]) -> Column:
        """The chosen events of a key by their number among these."""
        count = np.cumsum(chosen)
        numbers: Column = span + count - np.append(0, count)[firsts][key]
        return numbers[chosen]

    releases = np.full(len(keys), -1)
    releases[order[on][np.searchsorted(numbered(on), numbered(off))]] = order[off]
    return releases


def _name(track: midi.Events) -> str:
    """All names of a track, joined: some programs give two, for the instrument and for the part."""
    return " ".join(_decoded(data) for _, kind, data in track.metas if kind == midi.NAME)


def _decoded(data: bytes) -> str:
    """Text in UTF-8, or else in Latin-1, as old programs write it."""
    try:
        return data.decode("utf-8")
    except UnicodeError:
        return data.decode("latin-1")
