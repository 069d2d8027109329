"""Single MIDI files: prompts in, takes and recordings out."""

from __future__ import annotations

import io
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.notes import Part, Piece
from instrument.music.reading import (
    DRUM_CHANNEL,
    STEPS_PER_BEAT,
    RawMidi,
    RawTrack,
    align,
    to_piece,
)
from instrument.music.timebase import MICRO_STEPS

LONGEST_MARKER = 64
MAX_BYTES = 4 << 20  # a few seconds of parsing; scores of an hour have a tenth of it
CHANNELS: Mapping[Part, int] = {
    Part.MELODY: 0,
    Part.CHORDS: 1,
    Part.BASS: 2,
    Part.OTHER: 3,
    Part.DRUMS: DRUM_CHANNEL,
}


def read_midi(source: Path | str | bytes, *, aligned: bool = True, noteless: bool = False) -> Piece:
    """The piece in a Standard MIDI File, given by path or contents.

    aligned: look for its beats and bars (see `reading.align`); without it the notes stay where the file
    has them, so that a file of `write_midi` gives back its piece. noteless: a file without notes is read too.
    Raises HocketError if the file is unreadable, damaged, or has no notes where it should.
    """
    name = "this MIDI data" if isinstance(source, bytes) else str(source)
    try:
        piece = to_piece(_parse(_contents(source)))
    except HocketError as error:
        raise HocketError(f"{name} cannot be read: {error}") from error
    if not len(piece) and not noteless:
        raise HocketError(f"{name} has no notes: give a MIDI file with at least one")
    return align(piece).piece if aligned else piece


def write_midi(piece: Piece, path: Path | str, setup: Iterable[tuple[int, bytes]] = ()) -> None:
    """Write a Standard MIDI File: 192 ticks a quarter note, so that microtiming is exact, one track a part.

    setup: (tick, short MIDI message), programs and controllers of the parts' channels. A note that is struck
    again while it sounds ends there; one that would start before the file does starts with it. Raises
    HocketError if it cannot.
    """
    path, setup = Path(path), list(setup)
    try:
        file = mido.MidiFile(type=1, ticks_per_beat=STEPS_PER_BEAT, charset="utf-8")
        file.tracks.append(_conductor(piece))
        for part in CHANNELS:
            rows = piece.notes[piece.notes[:, 5] == part]
            if len(rows):
                file.tracks.append(_part_track(rows, part, setup))
        data = io.BytesIO()
        file.save(file=data)
    except ValueError as error:  # mido checks every value's range
        raise HocketError(f"{path}: this piece cannot be a MIDI file: {error}") from error
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(data.getvalue())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise HocketError(f"{path} cannot be written: {error.strerror or error}") from error


def _contents(source: Path | str | bytes) -> bytes:
    if not isinstance(source, bytes):
        try:
            with Path(source).open("rb") as file:
                source = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise HocketError(error.strerror or str(error)) from error
    if len(source) > MAX_BYTES:
        raise HocketError(f"it is larger than {MAX_BYTES} bytes")
    return source


def _parse(data: bytes) -> RawMidi:
    try:
        file = mido.MidiFile(file=io.BytesIO(data), clip=True)
    except Exception as error:  # mido lets through whatever a damaged file provokes
        raise HocketError(f"it is no intact MIDI file ({error or type(error).__name__})") from error
    if file.type == 2:
        raise HocketError("it is of type 2 (independent patterns): save it as type 0 or 1")
    if not 0 < file.ticks_per_beat < 0x8000:
        raise HocketError("it counts time in film frames: save it with ticks a quarter note")
    raw = RawMidi(file.ticks_per_beat)
    for track in file.tracks:
        raw.tracks.extend(_notes(track))
        _facts(track, raw)
    return raw


def _notes(track: mido.MidiTrack) -> list[RawTrack]:
    """The notes of a track, apart by channel and program; what is never released ends with the track."""
    rows: defaultdict[tuple[int, int], list[tuple[int, int, int, int]]] = defaultdict(list)
    held: defaultdict[tuple[int, int], deque[tuple[int, int, int]]] = defaultdict(deque)
    programs = [0] * 16
    tick = 0

    def release(channel: int, pitch: int) -> None:
        start, velocity, program = held[channel, pitch].popleft()
        rows[channel, program].append((start, tick - start, pitch, velocity))

    for message in track:
        tick += message.time
        match message.type:
            case "note_on" if message.velocity:
                held[message.channel, message.note].append(
                    (tick, message.velocity, programs[message.channel])
                )
            case "note_on" | "note_off" if held[message.channel, message.note]:
                release(message.channel, message.note)
            case "program_change":
                programs[message.channel] = message.program
    for (channel, pitch), notes in held.items():
        while notes:
            release(channel, pitch)
    name = next((_decoded(m.name) for m in track if m.type == "track_name" and m.name), "")
    return [
        RawTrack(name, program, channel == DRUM_CHANNEL, *np.array(found, np.int64).T)
        for (channel, program), found in rows.items()
    ]


def _facts(track: mido.MidiTrack, raw: RawMidi) -> None:
    """Add what a track says about time and harmony."""
    tick = 0
    for message in track:
        tick += message.time
        match message.type:
            case "set_tempo" if message.tempo:
                raw.tempos.append((tick, mido.tempo2bpm(message.tempo)))
            case "time_signature":
                raw.metres.append((tick, message.numerator, message.denominator))
            case "marker" if len(message.text) <= LONGEST_MARKER:
                raw.markers.append((tick, _decoded(message.text)))


def _decoded(text: str) -> str:
    """Text as its writer meant it: mido reads Latin-1, most programs write UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _conductor(piece: Piece) -> mido.MidiTrack:
    timed: list[tuple[int, mido.MetaMessage]] = []
    for tick, bpm in piece.tempos:
        timed.append((tick, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))))
    for m in piece.metres:
        message = mido.MetaMessage("time_signature", numerator=m.numerator, denominator=m.denominator)
        timed.append((m.tick, message))
    timed += [(m.tick, mido.MetaMessage("marker", text=m.text)) for m in piece.markers]
    return _track("Hocket", [(tick * MICRO_STEPS, message) for tick, message in timed])


def _part_track(rows: NDArray[np.int32], part: Part, setup: list[tuple[int, bytes]]) -> mido.MidiTrack:
    channel = CHANNELS[part]
    starts = np.maximum(rows[:, 0].astype(np.int64) * MICRO_STEPS + rows[:, 1], 0)
    ends = starts + rows[:, 3].astype(np.int64) * MICRO_STEPS
    timed: list[tuple[int, mido.Message]] = []
    following: dict[int, int] = {}
    for i in np.argsort(starts, kind="stable")[::-1].tolist():
        pitch, start = int(rows[i, 2]), int(starts[i])
        end = min(int(ends[i]), following.get(pitch, int(ends[i])))
        following[pitch] = start
        timed.append((start, mido.Message("note_on", channel=channel, note=pitch, velocity=int(rows[i, 4]))))
        timed.append((end, mido.Message("note_off", channel=channel, note=pitch)))
    timed.sort(key=lambda item: (item[0], item[1].type == "note_on"))
    first = [(tick * MICRO_STEPS, mido.Message.from_bytes(m)) for tick, m in setup if m[0] & 0x0F == channel]
    return _track(part.name.capitalize(), [*first, *timed])


def _track(name: str, timed: list[tuple[int, mido.Message]]) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    now = 0
    for tick, message in sorted(timed, key=lambda item: item[0]):  # stable
        track.append(message.copy(time=tick - now))
        now = tick
    return track
