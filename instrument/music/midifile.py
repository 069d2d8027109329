"""Single MIDI files: prompts in, takes and recordings out."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.midi_spec import DRUM_CHANNEL
from instrument.music.midi_notes import raw_midi
from instrument.music.notes import Part, Piece
from instrument.music.reading import STEPS_PER_BEAT, read
from instrument.music.timebase import MICRO_STEPS

MAX_BYTES = 4 << 20  # a few seconds of parsing; scores of an hour have a tenth of it
CHANNELS: Mapping[Part, int] = {
    Part.MELODY: 0,
    Part.CHORDS: 1,
    Part.BASS: 2,
    Part.OTHER: 3,
    Part.DRUMS: DRUM_CHANNEL,
}


def read_midi(
    source: Path | str | bytes,
    *,
    aligned: bool = True,
    noteless: bool = False,
    warn: Callable[[str], object] | None = None,
) -> Piece:
    """The piece in a Standard MIDI File, given by path or contents.

    aligned: look for its beats and bars (see `reading.align`); without it the notes stay where the file
    has them, so that a file of `write_midi` gives back its piece. noteless: a file without notes is read
    too. warn: is called with a line for each thing that is wrong with a file of which the rest was read.
    Raises HocketError if nothing can be read, or there are no notes.
    """
    name = "this MIDI data" if isinstance(source, bytes) else str(source)
    try:
        raw = raw_midi(_contents(source))
        piece = read(raw, aligned=aligned, noteless=noteless).piece
    except HocketError as error:
        raise HocketError(f"{name} cannot be read: {error}") from error
    if warn:
        for warning in raw.warnings:
            warn(f"{name}: {warning}")
    return piece


def write_midi(piece: Piece, path: Path | str, setup: Iterable[tuple[int, bytes]] = ()) -> None:
    """Write a Standard MIDI File: 192 ticks a quarter note, so that microtiming is exact, one track a part.

    setup: (tick, short MIDI message), programs and controllers of the parts' channels, the sustain pedal among them:
    `read_midi` lets the notes that end while it is down sound until it is up. A note that is struck again while it
    sounds ends there; one that would start before the file does starts with it. Raises HocketError if it cannot.
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
        path = Path(source)
        try:
            if path.exists() and not path.is_file():  # reading a pipe would block
                raise HocketError("it is no file")
            with path.open("rb") as file:
                source = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a path that no system takes
            raise HocketError(getattr(error, "strerror", None) or str(error)) from error
    if len(source) > MAX_BYTES:
        raise HocketError(f"it is larger than {MAX_BYTES} bytes")
    return source


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
    timed += [(tick * MICRO_STEPS, mido.Message.from_bytes(m)) for tick, m in setup if m[0] & 0x0F == channel]
    ranks = {"note_off": 0, "note_on": 2}  # a pedal that is pressed on a tick holds what begins there, not what ends
    timed.sort(key=lambda item: (item[0], ranks.get(item[1].type, 1)))
    return _track(part.name.capitalize(), timed)


def _track(name: str, timed: list[tuple[int, mido.Message]]) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    now = 0
    for tick, message in sorted(timed, key=lambda item: item[0]):  # stable
        track.append(message.copy(time=tick - now))
        now = tick
    return track
