"""Whole bands under lead sheets and solos."""

import msgspec
import numpy as np
import pytest

from instrument.music.chords.changes import by_beat, marked_chords
from instrument.music.chords.names import parse_chord
from instrument.music.chords.profiles import beats_of
from instrument.music.notes import Marker, Part, Piece, tidy
from instrument.music.timebase import Metre
from training.data.arranging.styles import read_styles
from training.data.notes.full_bands import FullBands, swing_tune, wants_band
from training.data.notes.shards import PieceInfo

STYLES = read_styles()
CHANGES = ("Dm7", "G7", "Cmaj7", "A7") * 4
BARS = len(CHANGES)


def facts(path: str = "d/a.mid", genre: str = "jazz", split: str = "train", **more) -> PieceInfo:
    plain = PieceInfo(
        path, "d", genre, "", "MIT", split, 0, 0, 0, 60.0, 120.0, False, False, True, [(0, 4, 4)], [(0, 120.0)], [], 3,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **more)


def tune(length: int = 12) -> list[tuple[int, ...]]:
    """Eighths up and down a scale."""
    scale = (0, 2, 4, 5, 7, 9, 11, 12)
    steps = range(0, BARS * 96, length)
    return [(tick, 0, 72 + scale[i % 8], length, 80, int(Part.MELODY)) for i, tick in enumerate(steps)]


def blocks() -> list[tuple[int, ...]]:
    return [
        (96 * i, 0, 48 + (tone - parse_chord(symbol).root) % 12 + parse_chord(symbol).root, 96, 80, int(Part.CHORDS))
        for i, symbol in enumerate(CHANGES)
        for tone in parse_chord(symbol).tones
    ]


def rows(*groups) -> np.ndarray:
    return tidy(np.array([row for group in groups for row in group], np.int32))


MARKERS = [(96 * i, f"chord {symbol}") for i, symbol in enumerate(CHANGES)]
DRUMMER = facts(
    "groove/a.mid", split="train", subgenre="jazz/swing beat", licence="CC-BY-4.0", drums_only=True, bpm=118.0
)
DRUMS = rows([(tick, 1, 51, 6, 60 + tick % 40, int(Part.DRUMS)) for tick in range(0, 12 * 96, 24)])


def realised(*pieces: tuple[PieceInfo, np.ndarray]) -> list[tuple[PieceInfo, np.ndarray]]:
    bands = FullBands({"swing": STYLES["swing"]})
    for number, (info, notes) in enumerate(pieces):
        bands.see(number, info, notes)
    return list(bands.realised([info for info, _ in pieces]))


def parts(notes: np.ndarray) -> set[int]:
    return set(notes[:, 5].tolist())


def test_a_lead_sheet_gets_a_band():
    sheet = facts(), rows(tune(), blocks())
    [(info, notes)] = realised(sheet, (DRUMMER, DRUMS))
    assert (info.path, info.realised, info.split, info.genre) == ("d/a.mid [swing]", True, "train", "jazz")
    assert info.licence == "MIT; drums CC-BY-4.0"
    assert (info.phase, info.count, info.velocity_constant) == (3, len(notes), False)
    assert parts(notes) == {Part.MELODY, Part.CHORDS, Part.BASS, Part.DRUMS}
    np.testing.assert_array_equal(notes, tidy(notes))
    bass = notes[notes[:, 5] == Part.BASS]
    assert bass[:, 0].tolist() == list(range(0, BARS * 96, 24))
    assert [pitch % 12 for pitch in bass[::4, 2].tolist()] == [parse_chord(symbol).root for symbol in CHANGES]
    chords = notes[notes[:, 5] == Part.CHORDS]
    assert len(np.unique(chords[:, 0] % 96)) > 2  # comping, and not the blocks
    assert notes[notes[:, 5] == Part.DRUMS, 2].tolist() == [51] * (4 * BARS)


def test_a_solo_keeps_what_it_has_and_is_swung():
    solo = facts(markers=MARKERS), rows(tune(), [(t, 0, 40, 24, 80, int(Part.BASS)) for t in range(0, BARS * 96, 96)])
    [(info, notes)] = realised(solo, (DRUMMER, DRUMS))
    assert notes[notes[:, 5] == Part.BASS, 2].tolist() == [40] * BARS
    melody = notes[notes[:, 5] == Part.MELODY]
    assert set((melody[:, 0] % 24).tolist()) == {0, 15}
    assert len(np.unique(melody[:, 4])) > 6
    assert melody[melody[:, 0] % 96 == 0, 4].mean() > melody[melody[:, 0] % 96 != 0, 4].mean() + 4
    piece = Piece(notes, (Metre(0, 4, 4),), markers=tuple(Marker(*m) for m in info.markers))
    chords = by_beat(marked_chords(piece), beats_of(piece))
    comped = notes[notes[:, 5] == Part.CHORDS]
    assert all(
        int(pitch) % 12 in chords[tick // 24].tones
        or int(pitch) % 12 in chords[min(4 * BARS - 1, tick // 24 + 1)].tones
        for tick, pitch in comped[:, [0, 2]].tolist()
    )


def test_an_arrangement_with_markers_keeps_its_chords_and_dynamics():
    broken = [(row[0] + i % 4 * 12, 0, row[2] + 4, 12, 40 + i, 1) for i, row in enumerate(blocks())]
    played = rows(tune(), broken)
    [(_, notes)] = realised((facts(markers=MARKERS), played), (DRUMMER, DRUMS))
    own = notes[notes[:, 5] == Part.CHORDS]
    assert sorted(own[:, 4].tolist()) == [40 + i for i in range(len(blocks()))]


def test_the_bass_takes_a_note_from_the_chords_that_both_play():
    low = [(96 * i, 0, pitch, 90, 80, int(Part.CHORDS)) for i in range(BARS) for pitch in range(28, 51)]
    other = [(24 * i, 0, 62, 20, 80, int(Part.CHORDS)) for i in range(4 * BARS)]
    [(_, notes)] = realised((facts(markers=MARKERS), rows(tune(), low, other)), (DRUMMER, DRUMS))
    assert (notes[:, 5] == Part.BASS).sum() == 4 * BARS
    assert (notes[:, 5] == Part.CHORDS).sum() == len(low) + len(other) - BARS


def test_it_is_the_same_every_time_and_other_for_another_piece():
    sheet = facts(), rows(tune(), blocks())
    first, again = realised(sheet, (DRUMMER, DRUMS)), realised((DRUMMER, DRUMS), sheet)
    np.testing.assert_array_equal(first[0][1], again[0][1])
    other = realised((facts(), rows(tune(24), blocks())), (DRUMMER, DRUMS))

    def comping(made):
        return made[0][1][made[0][1][:, 5] == Part.CHORDS].tolist()

    assert comping(other) != comping(first)


def test_drums_are_of_the_split_of_the_piece():
    sheet = rows(tune(), blocks())
    pieces = (facts(split="test"), sheet), (facts(), sheet), (DRUMMER, DRUMS)
    made = {info.split: parts(notes) for info, notes in realised(*pieces)}
    assert Part.DRUMS in made["train"]
    assert made["test"] == {Part.MELODY, Part.CHORDS, Part.BASS}


@pytest.mark.parametrize(
    ("info", "notes", "wants"),
    [
        (facts(), rows(tune(), blocks()), True),
        (facts(markers=MARKERS), rows(tune()), True),
        (facts(), rows(tune()), False),  # no chords are written
        (facts(realised=True), rows(tune(), blocks()), False),
        (facts(metres=[]), rows(tune(), blocks()), False),
        (facts(markers=MARKERS), rows(blocks()), False),  # no tune
        (facts(markers=MARKERS), rows(tune(), DRUMS.tolist()), False),
        (facts(), rows(tune(), blocks(), [(0, 0, 40, 96, 80, int(Part.BASS))]), False),
        (facts(), rows(tune(), [(t, 0, 50 + t % 7, 12, 80, 1) for t in range(0, 960, 12)]), False),  # broken chords
    ],
)
def test_who_wants_a_band(info, notes, wants):
    assert wants_band(info, notes) is wants


def test_what_cannot_be_realised_is_left_out():
    sheet = rows(tune(), blocks())
    assert realised((facts(genre="chorale"), sheet)) == []
    assert realised((facts(metres=[(0, 7, 8)]), sheet)) == []
    assert realised((facts(markers=[(0, "chord H7")]), rows(tune()))) == []
    assert realised((facts(), sheet[sheet[:, 0] < 7 * 96])) == []
    assert realised((facts(markers=[(0, "chord N")]), rows(tune()))) == []


def test_eighths_are_swung_but_triplets_and_sixteenths_are_not():
    notes = np.array([(tick, 0, 60, length, 80, 0) for tick, length in (
        (0, 12), (12, 12), (24, 8), (32, 8), (40, 8), (48, 6), (54, 6), (60, 12), (72, 12), (84, 12),
    )], np.int32)  # fmt: skip
    swung = swing_tune(notes, STYLES["swing"], (Metre(0, 4, 4),))
    assert swung[:, 0].tolist() == [0, 15, 24, 32, 40, 48, 54, 60, 72, 87]
    assert swung[:, 3].tolist() == [15, 9, 8, 8, 8, 6, 6, 12, 15, 9]
    assert swing_tune(notes, STYLES["rock"], (Metre(0, 4, 4),)) is notes
    assert swing_tune(notes, STYLES["swing"], (Metre(0, 6, 8),)) is notes


def test_rules_change_with_the_styles():
    assert FullBands().rules == FullBands().rules
    assert FullBands({"swing": STYLES["swing"]}).rules != FullBands().rules
