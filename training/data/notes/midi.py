"""Reading MIDI files in bulk, with symusic (it parses in C++ what mido takes seconds for)."""

from __future__ import annotations

import numpy as np
import symusic

from instrument.errors import HocketError
from instrument.music.notes import Part, Piece
from instrument.music.reading import MARKERS, RawMidi, RawTrack, align, to_piece
from instrument.music.timebase import TICKS_PER_BEAT

MAX_BYTES = 32 << 20


def parse(data: bytes) -> RawMidi:
    """The contents of one MIDI file; raises HocketError with the reason if it is unreadable.

    A damaged file may make symusic end the process: call it where that does no harm.
    """
    if len(data) > MAX_BYTES:
        raise HocketError(f"it has {len(data)} bytes: at most {MAX_BYTES} are read")
    try:
        score = symusic.Score.from_midi(data, sanitize_data=False)
        return RawMidi(
            score.ticks_per_quarter,
            [_track(track) for track in score.tracks],
            [(m.time, m.numerator, m.denominator) for m in score.time_signatures],
            [(t.time, t.qpm) for t in score.tempos],
            [(m.time, m.text) for m in score.markers if m.text.startswith(MARKERS)],
        )
    except Exception as error:  # the binding raises whatever C++ threw
        raise HocketError(f"it is not a readable MIDI file ({error})") from error


def read(data: bytes) -> tuple[Piece, int]:
    """The aligned piece in one MIDI file, and its phase (see `reading.align`); HocketError if unreadable
    or without notes."""
    piece = to_piece(parse(data))
    if not len(piece):
        raise HocketError("it has no notes")
    aligned = align(piece)
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


def _track(track: symusic.Track) -> RawTrack:
    notes = track.notes.numpy()
    return RawTrack(
        track.name,
        track.program,
        track.is_drum,
        *(notes[name].astype(np.int64) for name in ("time", "duration", "pitch", "velocity")),
    )
