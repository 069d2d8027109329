"""Single MIDI files: prompts in, takes and recordings out."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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


class MidiTrack(NamedTuple):
    """A track to be written. channel: 0..15; notes: rows of `Note`; messages: (tick, short MIDI message) such as
    programs, controllers and bends, whose channel becomes that of the track; port: of MIDI, from 0."""

    name: str
    channel: int
    notes: NDArray[np.int32]
    messages: Sequence[tuple[float, bytes]] = ()
    port: int = 0


def write_midi(piece: Piece, path: Path | str, setup: Iterable[tuple[int, bytes]] = ()) -> None:
    """Write a piece as a Standard MIDI File, one track a part on the channel of `CHANNELS`.

    setup: (tick, short MIDI message), programs and controllers of the parts' channels, the sustain pedal among them:
    `read_midi` lets the notes that end while it is down sound until it is up. HocketError as `write_tracks`.
    """
    setup = list(setup)
    tracks = [
        MidiTrack(part.name.capitalize(), channel, rows, [(tick, m) for tick, m in setup if m[0] & 0x0F == channel])
        for part, channel in CHANNELS.items()
        if len(rows := piece.notes[piece.notes[:, 5] == part])
    ]
    write_tracks(tracks, path, piece)


def write_tracks(
    tracks: Sequence[MidiTrack], path: Path | str, piece: Piece, keys: Sequence[tuple[int, str]] = ()
) -> None:
    """Write a Standard MIDI File: 192 ticks a quarter note, so that microtiming is exact.

    piece: its tempos, metres and markers are written; keys: (tick, key signature such as "Bb" or "F#m"). A note that is
    struck again on its channel while it sounds ends there; of notes that are struck at once the longest is kept; one
    that would start before the file does starts with it. Raises HocketError if it cannot.
    """
    path = Path(path)
    try:
        file = mido.MidiFile(type=1, ticks_per_beat=STEPS_PER_BEAT, charset="utf-8")
        file.tracks.append(_conductor(piece, keys))
        for track, notes in zip(tracks, _note_events(tracks), strict=True):
            file.tracks.append(_track(track.name, _in_order([*notes, *_messages(track)]), track.port))
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


Timed = tuple[int, mido.Message | mido.MetaMessage]


def _conductor(piece: Piece, keys: Iterable[tuple[int, str]]) -> mido.MidiTrack:
    timed: list[Timed] = []
    for tick, bpm in piece.tempos:
        timed.append((tick, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))))
    for m in piece.metres:
        message = mido.MetaMessage("time_signature", numerator=m.numerator, denominator=m.denominator)
        timed.append((m.tick, message))
    timed += [(tick, mido.MetaMessage("key_signature", key=key)) for tick, key in keys]
    timed += [(m.tick, mido.MetaMessage("marker", text=m.text)) for m in piece.markers]
    timed.sort(key=lambda item: item[0])
    return _track("Hocket", [(tick * MICRO_STEPS, message) for tick, message in timed])


def _note_events(tracks: Sequence[MidiTrack]) -> list[list[Timed]]:
    """The note-ons and note-offs of each track. The tracks of a channel share its keys."""
    found: list[list[Timed]] = [[] for _ in tracks]
    notes = []
    for i, track in enumerate(tracks):
        starts = np.maximum(track.notes[:, 0].astype(np.int64) * MICRO_STEPS + track.notes[:, 1], 0)
        ends = starts + track.notes[:, 3].astype(np.int64) * MICRO_STEPS
        rows = zip(starts.tolist(), ends.tolist(), track.notes[:, 2].tolist(), track.notes[:, 4].tolist(), strict=True)
        notes += [(start, end, pitch, velocity, i) for start, end, pitch, velocity in rows]
    following: dict[tuple[int, int, int], tuple[int, int]] = {}  # when a key is struck next, and by which track
    for start, end, pitch, velocity, i in sorted(notes, key=lambda note: note[:2], reverse=True):
        channel = tracks[i].channel
        key = tracks[i].port, channel, pitch
        again, other = following.get(key, (end + 1, i))
        end = min(end, again - (other != i))  # of one tick, no player knows which track comes first
        if end <= start:
            continue
        following[key] = start, i
        found[i].append((start, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
        found[i].append((end, mido.Message("note_off", channel=channel, note=pitch)))
    return found


def _messages(track: MidiTrack) -> list[Timed]:
    return [
        (round(tick * MICRO_STEPS), mido.Message.from_bytes(bytes((message[0] & 0xF0 | track.channel, *message[1:]))))
        for tick, message in track.messages
    ]


def _in_order(timed: Iterable[Timed]) -> list[Timed]:
    """By time. A pedal that is pressed on a tick holds what begins there, not what ends."""
    ranks = {"note_off": 0, "note_on": 2}
    return sorted(timed, key=lambda item: (item[0], ranks.get(item[1].type, 1)))


def _track(name: str, timed: Iterable[Timed], port: int = 0) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    if port:
        track.append(mido.MetaMessage("midi_port", port=port))
    now = 0
    for tick, message in timed:
        track.append(message.copy(time=tick - now))
        now = tick
    return track
