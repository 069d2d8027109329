"""MIDI files for training: the instrument's own reader, and facts about their pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from instrument.errors import HocketError
from instrument.music import reading
from instrument.music.midi_notes import raw_midi
from instrument.music.notes import Part, Piece
from instrument.music.parts.labels import Label
from instrument.music.reading import RawMidi
from instrument.music.timebase import TICKS_PER_BEAT
from training.data.notes import pianorolls

MAX_BYTES = 32 << 20
ZIP = b"PK\x03\x04"  # which .npz files are


def parse(data: bytes) -> RawMidi:
    """The contents of one MIDI file, or of a file of piano rolls; raises HocketError with the reason if it is
    unreadable."""
    if len(data) > MAX_BYTES:
        raise HocketError(f"it has {len(data)} bytes: at most {MAX_BYTES} are read")
    return pianorolls.parse(data) if data.startswith(ZIP) else raw_midi(data)


class Labelled(NamedTuple):
    """A piece as read, its phase (see `reading.align`), and of each track its label and its number of notes."""

    piece: Piece
    phase: int
    tracks: list[tuple[Label, int]]


def read(data: bytes, warn: Callable[[str], object] | None = None) -> tuple[Piece, int]:
    """The aligned piece in one MIDI file, and its phase; HocketError if unreadable or without notes. warn: as of
    `read_midi`."""
    return read_labelled(data, warn)[:2]


def read_labelled(data: bytes, warn: Callable[[str], object] | None = None) -> Labelled:
    """As `read`, and how its tracks came to their parts."""
    raw = parse(data)
    labels = reading.track_labels(raw)
    aligned = reading.read(raw, parts=[label.part for label in labels])
    if warn:
        for warning in raw.warnings:
            warn(warning)
    counts = [len(track.starts) for track in raw.sounding]
    return Labelled(aligned.piece, aligned.phase, list(zip(labels, counts, strict=True)))


def played(piece: Piece) -> tuple[float, float]:
    """Seconds from the first onset to the last release, and the mean tempo in beats a minute."""
    first = int(piece.notes[0, 0])
    last = int((piece.notes[:, 0] + piece.notes[:, 3]).max())
    changes = [first, *(min(max(t, first), last) for t, _ in piece.tempos[1:]), last]
    seconds = sum(
        (b - a) * 60 / (TICKS_PER_BEAT * bpm)
        for a, b, (_, bpm) in zip(changes[:-1], changes[1:], piece.tempos, strict=True)
    )
    return seconds, (last - first) / TICKS_PER_BEAT / seconds * 60


def drums_only(piece: Piece) -> bool:
    """Whether every note is a drum's."""
    return bool((piece.notes[:, 5] == Part.DRUMS).all())
