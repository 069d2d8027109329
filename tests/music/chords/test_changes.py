"""The chords that pieces say they have."""

import numpy as np

from instrument.music.chords.changes import block_chords, by_beat, marked_chords
from instrument.music.chords.names import chord_name
from instrument.music.chords.profiles import beats_of
from instrument.music.notes import Marker, Part, Piece, tidy
from instrument.music.timebase import Metre
from tests.support.chords import block_piece


def test_marked_chords_are_read():
    markers = [
        Marker(0, "chord C:maj"),
        Marker(0, "key C:maj"),
        Marker(96, "chord F:maj/3"),
        Marker(120, "chord N"),
    ]
    piece = block_piece(["C"] * 4, 48, markers=markers)
    changes = marked_chords(piece)
    assert [(change.tick, chord_name(change.chord)) for change in changes] == [
        (0, "C"),
        (96, "F/A"),
        (120, "N.C."),
    ]
    assert [chord and chord_name(chord) for chord in by_beat(changes[1:], beats_of(piece))] == [
        *[None] * 4,
        "F/A",
        *["N.C."] * 3,
    ]


def test_block_chords_are_read_over_their_bass():
    symbols = ["Dm7", "G13", "Cmaj9", "F#m7b5", "B7b9", "Em", "C/E", "C/E"]
    changes = block_chords(block_piece(symbols))
    assert [chord_name(change.chord) for change in changes] == [s.replace("F#", "Gb") for s in symbols[:-1]]
    assert [change.tick for change in changes] == [48 * i for i in range(7)]


def test_chords_that_are_struck_late_or_early_begin_in_their_place():
    def comp(tick: int, *pitches: int) -> list[tuple[int, ...]]:
        return [(tick, 0, pitch, 10, 80, Part.CHORDS) for pitch in pitches]

    rows = [
        *comp(40, 58, 61, 67),  # over the E flat of the first beat
        *comp(64, 58, 61, 67),
        *comp(160, 59, 62, 65),  # G7, late in its bar
        *comp(280, 60, 64, 67),  # C, a triplet eighth before its bar
        *[
            (tick, 0, pitch, 23, 80, Part.BASS)
            for tick, pitch in ((0, 39), (24, 43), (96, 43), (192, 43), (288, 36))
        ],
    ]
    changes = block_chords(Piece(tidy(np.array(rows, np.int32)), (Metre(0, 4, 4),)))
    assert [(c.tick, chord_name(c.chord)) for c in changes] == [(0, "Eb7"), (96, "G7"), (288, "C")]
