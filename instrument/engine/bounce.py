"""What was played as a file: MIDI or sound."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from instrument.engine.performance import Played
from instrument.engine.takes import Take, Turn
from instrument.music.notes import Note, Piece
from instrument.music.timebase import MICRO_STEPS, MetreMap


def piece_of(played: Iterable[Played], take: Take, metres: MetreMap, end: float) -> Piece:
    """What was played of a take before the tick `end`, as a piece: notes that would go on are ended there, and of
    players who strike the same note together the longest is kept."""
    notes: dict[tuple[int, int, int], Note] = {}
    for _, note in played:
        if note.tick + note.micro / MICRO_STEPS < end:
            note = note._replace(duration=max(1, min(note.duration, int(end - note.tick))))
            same = notes.setdefault((note.tick, note.pitch, note.part), note)
            if note.duration > same.duration:
                notes[note.tick, note.pitch, note.part] = note
    rows = np.array(sorted(notes.values(), key=lambda note: note.order), np.int32).reshape(-1, len(Note._fields))
    tempos = {0: float(take.header.patch.knobs["tempo"])}
    for entry in take.entries:
        if isinstance(entry, Turn) and entry.knob == "tempo" and entry.tick < end:
            tempos[round(entry.tick)] = float(entry.value)
    kept = tuple(metre for metre in metres.metres if metre.tick < end)
    return Piece(rows, kept, tuple(tempos.items()))
