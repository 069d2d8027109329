"""MIDI files for training: the instrument's own reader, and facts about their pieces."""

from __future__ import annotations

from collections.abc import Callable

from instrument.errors import HocketError
from instrument.music import reading
from instrument.music.midi_notes import raw_midi
from instrument.music.notes import Part, Piece
from instrument.music.reading import RawMidi
from instrument.music.timebase import TICKS_PER_BEAT

MAX_BYTES = 32 << 20


def parse(data: bytes) -> RawMidi:
    """The contents of one MIDI file; raises HocketError with the reason if it is unreadable."""
    if len(data) > MAX_BYTES:
        raise HocketError(f"it has {len(data)} bytes: at most {MAX_BYTES} are read")
    return raw_midi(data)


def read(data: bytes, warn: Callable[[str], object] | None = None) -> tuple[Piece, int]:
    """The aligned piece in one MIDI file, and its phase (see `reading.align`); HocketError if unreadable
    or without notes. warn: as of `read_midi`."""
    raw = parse(data)
    aligned = reading.read(raw)
    if warn:
        for warning in raw.warnings:
            warn(warning)
    return aligned.piece, aligned.phase


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
